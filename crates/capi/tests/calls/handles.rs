//! Each misuse of a handle or of an engine has its status, and changes nothing.

use core::ptr::null_mut;

use sockless_capi::Status;
use sockless_capi::engine::{Engine, sockless_engine_close, sockless_engine_open};
use sockless_capi::operation::OperationKind;
use sockless_capi::poll::sockless_engine_poll;
use sockless_capi::request::{RequestText, sockless_request_free, sockless_request_new};
use sockless_capi::transfer::{sockless_transfer_cancel, sockless_transfer_send};

use crate::rig::Rig;

#[test]
fn an_operation_is_completed_once() {
    let mut rig = Rig::new(1);
    let request = rig.request(RequestText::Url, "http://127.0.0.1:9/");
    rig.start(request);
    let connect = rig.operation();
    assert_eq!(connect.kind, OperationKind::Connect as u32);
    assert_eq!(rig.complete(connect.id, 1), Status::Result as i32);
    assert_eq!(rig.complete(connect.id, i64::MIN), Status::Result as i32);
    assert_eq!(rig.complete(connect.id, -4096), Status::Result as i32);
    assert_eq!(rig.complete(connect.id, -111), 0);
    assert_eq!(rig.complete(connect.id, 0), Status::Stale as i32);
    assert_eq!(rig.complete(0, 0), Status::Null as i32);
    assert_eq!(rig.complete(request, 0), Status::Kind as i32);
    while rig.poll() == 0 && rig.output.kind != 1 {
        if rig.output.kind == 2 {
            let id = rig.output.operation.id;
            assert_eq!(rig.complete(id, -111), 0);
        }
    }
    assert_eq!(rig.close(), 0);
}

#[test]
fn a_receive_takes_no_more_than_there_is_room() {
    let mut rig = Rig::new(2);
    let request = rig.request(RequestText::Tunnel, "127.0.0.1:9");
    rig.start(request);
    let connect = rig.operation();
    assert_eq!(rig.complete(connect.id, 0), 0);
    let receive = rig.operation();
    assert_eq!(receive.kind, OperationKind::Receive as u32);
    // SAFETY: the operation's own.
    let room = unsafe { (*receive.buffers).length };
    assert_eq!(
        rig.complete(receive.id, room as i64 + 1),
        Status::Result as i32
    );
    assert_eq!(rig.complete(receive.id, room as i64), 0);
    assert_eq!(rig.close(), 0);
}

#[test]
fn handles_of_another_engine_are_foreign() {
    let (mut one, mut two) = (Rig::new(3), Rig::new(4));
    let request = one.request(RequestText::Url, "http://127.0.0.1:9/");
    // SAFETY: storage of the rigs'.
    unsafe {
        let status = sockless_request_free(two.engine(), request);
        assert_eq!(status, Status::Foreign as i32);
        assert_eq!(sockless_request_free(one.engine(), request), 0);
        let status = sockless_request_free(one.engine(), request);
        assert_eq!(status, Status::Stale as i32);
    }
    assert_eq!((one.close(), two.close()), (0, 0));
}

#[test]
fn a_transfer_that_ended_is_stale() {
    let mut rig = Rig::new(5);
    let request = rig.request(RequestText::Url, "http://127.0.0.1:9/");
    let transfer = rig.start(request);
    // SAFETY: storage of the rig's.
    unsafe {
        assert_eq!(sockless_transfer_cancel(rig.engine(), transfer), 0);
        while rig.poll() == 0 && rig.output.kind != 1 {}
        let status = sockless_transfer_cancel(rig.engine(), transfer);
        assert_eq!(status, Status::Stale as i32);
        let status = sockless_transfer_send(rig.engine(), transfer, core::ptr::null(), 0);
        assert_eq!(status, Status::Stale as i32);
    }
}

#[test]
fn an_engine_that_is_not_open_says_so() {
    let mut storage = Engine { opaque: [0; 8] };
    let engine = &raw mut storage;
    let mut request = 0;
    // SAFETY: storage of this function's.
    unsafe {
        assert_eq!(sockless_engine_close(null_mut()), Status::Null as i32);
        assert_eq!(sockless_engine_close(engine), Status::Closed as i32);
        let status = sockless_engine_poll(engine, 0, null_mut());
        assert_eq!(status, Status::Closed as i32);
        assert_eq!(sockless_engine_open(engine, 0, 0, 1), 0);
        assert_eq!(sockless_engine_open(engine, 0, 0, 1), Status::Order as i32);
        assert_eq!(
            sockless_engine_poll(engine, 0, null_mut()),
            Status::Null as i32
        );
        assert_eq!(
            sockless_request_new(engine, null_mut()),
            Status::Null as i32
        );
        assert_eq!(sockless_request_new(engine, &raw mut request), 0);
        // A copy is not the engine.
        let mut copy = Engine {
            opaque: (*engine).opaque,
        };
        let status = sockless_engine_close(&raw mut copy);
        assert_eq!(status, Status::Closed as i32);
        let odd = engine.cast::<u8>().add(1).cast();
        assert_eq!(sockless_engine_close(odd), Status::Null as i32);
        assert_eq!(sockless_engine_close(engine), 0);
        let status = sockless_request_free(engine, request);
        assert_eq!(status, Status::Closed as i32);
        // It can be opened again, and handles of the time before are no longer good.
        assert_eq!(sockless_engine_open(engine, 0, 0, 2), 0);
        assert!(sockless_request_free(engine, request) < 0);
        assert_eq!(sockless_engine_close(engine), 0);
    }
}

#[test]
fn a_closed_engine_keeps_what_is_in_flight() {
    let mut rig = Rig::new(6);
    let request = rig.request(RequestText::Tunnel, "127.0.0.1:9");
    rig.start(request);
    let connect = rig.operation();
    assert_eq!(rig.complete(connect.id, 0), 0);
    let receive = rig.operation();
    assert_eq!(rig.close(), Status::InFlight as i32);
    assert_eq!(rig.close(), Status::InFlight as i32);
    assert_eq!(rig.poll(), Status::Closed as i32);
    // The kernel is still at it: the memory is there.
    rig.receive(&receive, b"late");
    assert_eq!(rig.complete(receive.id, 0), Status::Closed as i32);
    assert_eq!(rig.close(), Status::Closed as i32);
}
