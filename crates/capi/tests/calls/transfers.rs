//! Transfers as C sees them: operations, events, and how long each of them is valid.

use core::ffi::c_void;

use sockless_capi::Status;
use sockless_capi::allocator::Allocator;
use sockless_capi::engine::{
    EngineOption, sockless_engine_set_allocator, sockless_engine_set_number,
};
use sockless_capi::event::{
    EventKind, Field, sockless_data_release, sockless_event_field, sockless_event_keep,
};
use sockless_capi::operation::{
    Buffer, OperationKind, sockless_operation_add_address, sockless_operation_take_buffer,
};
use sockless_capi::poll::OutputKind;
use sockless_capi::request::RequestText;

use crate::rig::Rig;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One: two\r\n\r\nhello";

/// Brings a request to the answer; gives the receive that is to have it.
fn up_to_the_answer(rig: &mut Rig, url: &str) -> sockless_capi::operation::Operation {
    let request = rig.request(RequestText::Url, url);
    rig.start(request);
    let connect = rig.operation();
    assert_eq!(connect.kind, OperationKind::Connect as u32);
    assert_eq!(rig.complete(connect.id, 0), 0);
    let send = rig.operation();
    assert_eq!(send.kind, OperationKind::Send as u32);
    let said = Rig::said(&send);
    assert!(said.starts_with(b"GET / HTTP/1.1\r\n"), "{said:?}");
    assert_eq!(rig.complete(send.id, said.len() as i64), 0);
    let receive = rig.operation();
    assert_eq!(receive.kind, OperationKind::Receive as u32);
    receive
}

/// Polls up to the next event of that kind.
fn event(rig: &mut Rig, kind: EventKind) {
    loop {
        assert_eq!(rig.poll(), 0);
        assert_ne!(rig.output.kind, OutputKind::Wait as u32, "no {kind:?}");
        if rig.output.kind == OutputKind::Event as u32 && rig.output.event.kind == kind as u32 {
            return;
        }
    }
}

#[test]
fn head_data_and_end_are_shown() {
    let mut rig = Rig::new(1);
    let receive = up_to_the_answer(&mut rig, "http://127.0.0.1:9/");
    rig.receive(&receive, ANSWER);
    event(&mut rig, EventKind::Head);
    let head = rig.output.event;
    assert_eq!((head.code, head.field_count, head.body_length), (200, 2, 5));
    let mut field = core::mem::MaybeUninit::<Field>::uninit();
    // SAFETY: storage of this function's; the event is the last poll's.
    let value = unsafe {
        assert_eq!(sockless_event_field(rig.engine(), 1, field.as_mut_ptr()), 0);
        let field = field.assume_init();
        core::slice::from_raw_parts(field.value.cast::<u8>(), field.value_length)
    };
    assert_eq!(value, b"two");
    // SAFETY: as above.
    let none = unsafe { sockless_event_field(rig.engine(), 2, field.as_mut_ptr()) };
    assert_eq!(none, Status::Index as i32);
    event(&mut rig, EventKind::Data);
    let data = rig.output.event;
    let mut kept = 0;
    // SAFETY: as above.
    unsafe {
        assert_eq!(sockless_event_keep(rig.engine(), &raw mut kept), 0);
        let twice = sockless_event_keep(rig.engine(), &raw mut kept);
        assert_eq!(twice, Status::Order as i32);
    }
    event(&mut rig, EventKind::Done);
    assert!(rig.output.event.error.is_null());
    // SAFETY: the event is the last poll's.
    assert_eq!(unsafe { (*rig.output.event.summary).body_received }, 5);
    assert_eq!(rig.close(), Status::InFlight as i32, "data are kept");
    // SAFETY: kept, and so still there after the engine.
    unsafe {
        let bytes = core::slice::from_raw_parts(data.data.cast::<u8>(), data.length);
        assert_eq!(bytes, b"hello");
    }
    // SAFETY: storage of the rig's.
    assert_eq!(unsafe { sockless_data_release(rig.engine(), kept) }, 0);
}

#[test]
fn a_failed_name_is_an_error_with_its_layer() {
    let mut rig = Rig::new(2);
    let request = rig.request(RequestText::Url, "http://no.example/");
    rig.start(request);
    let resolve = rig.operation();
    assert_eq!(
        (resolve.kind, resolve.port),
        (OperationKind::Resolve as u32, 80)
    );
    // SAFETY: the operation's own text.
    let host = unsafe { core::ffi::CStr::from_ptr(resolve.host) };
    assert_eq!(host.to_bytes(), b"no.example");
    assert_eq!(rig.complete(resolve.id, -113), 0);
    event(&mut rig, EventKind::Done);
    // SAFETY: the event is the last poll's.
    let text = unsafe { core::ffi::CStr::from_ptr((*rig.output.event.error).text) };
    assert!(text.to_string_lossy().contains("no.example"), "{text:?}");
}

#[test]
fn addresses_that_were_found_are_connected_to() {
    let mut rig = Rig::new(3);
    let request = rig.request(RequestText::Url, "http://name.example:81/");
    rig.start(request);
    let resolve = rig.operation();
    let name: [u8; 16] = [2, 0, 0, 0, 192, 0, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0];
    let add = |rig: &mut Rig, id: u64, length: u32| {
        // SAFETY: at most the name's length is read.
        unsafe { sockless_operation_add_address(rig.engine(), id, name.as_ptr().cast(), length) }
    };
    assert_eq!(add(&mut rig, resolve.id, 5), Status::Range as i32);
    assert_eq!(add(&mut rig, resolve.id, 16), 0);
    assert_eq!(rig.complete(resolve.id, 0), 0);
    let connect = rig.operation();
    // SAFETY: the operation's own address.
    let address = unsafe {
        core::slice::from_raw_parts(
            connect.address.cast::<u8>(),
            connect.address_length as usize,
        )
    };
    assert_eq!(address[2..8], [0, 81, 192, 0, 2, 7]);
    assert_eq!(add(&mut rig, connect.id, 16), Status::Order as i32);
}

#[test]
fn lazy_receives_get_their_buffer_when_they_want_it() {
    let mut rig = Rig::new(4);
    // SAFETY: storage of the rig's.
    let set =
        unsafe { sockless_engine_set_number(rig.engine(), EngineOption::LazyBuffers as u32, 1) };
    assert_eq!(set, 0);
    let mut receive = up_to_the_answer(&mut rig, "http://127.0.0.1:9/");
    if receive.buffer_count == 0 {
        let bad = rig.complete(receive.id, 1);
        assert_eq!(bad, Status::Result as i32);
        let mut buffer = core::mem::MaybeUninit::<Buffer>::uninit();
        // SAFETY: storage of this function's.
        unsafe {
            let place = buffer.as_mut_ptr();
            let status = sockless_operation_take_buffer(rig.engine(), receive.id, 100, place);
            assert_eq!(status, 0);
            let twice = sockless_operation_take_buffer(rig.engine(), receive.id, 100, place);
            assert_eq!(twice, Status::Order as i32);
            assert!(buffer.assume_init().length >= 100);
        }
        receive.buffer_count = 1;
    }
    rig.receive(&receive, ANSWER);
    event(&mut rig, EventKind::Done);
}

/// Memory that the engine borrows: how many pieces are out.
extern "C" fn allocate(user: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: `user` is the test's counter, and the size is never 0.
    unsafe {
        *user.cast::<i64>() += 1;
        libc::malloc(size)
    }
}

extern "C" fn free(user: *mut c_void, start: *mut c_void, _size: usize) {
    // SAFETY: `user` is the test's counter, `start` came from `allocate`.
    unsafe {
        *user.cast::<i64>() -= 1;
        libc::free(start);
    }
}

#[test]
fn the_programs_allocator_gets_everything_back() {
    let mut out = Box::new(0_i64);
    let mut rig = Rig::new(5);
    let allocator = Allocator {
        allocate: Some(allocate),
        free: Some(free),
        user: (&raw mut *out).cast(),
    };
    // SAFETY: storage of this function's; the counter outlives the engine.
    let set = unsafe { sockless_engine_set_allocator(rig.engine(), &raw const allocator) };
    assert_eq!(set, 0);
    let receive = up_to_the_answer(&mut rig, "http://127.0.0.1:9/");
    assert!(*out > 0);
    rig.receive(&receive, ANSWER);
    event(&mut rig, EventKind::Done);
    rig.end();
    assert_eq!(*out, 0);
}
