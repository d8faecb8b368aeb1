//! What cannot work fails, with a name, and never panics.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;

use sockless_core::{Buf, ConnId, Endpoint, MAX_SEND_BUFS, Op, OpKind};

use crate::cancel::stuff;
use crate::rig::{Make, Rig, listener, received, recv, recv_any, reset, send};

fn connect(to: Endpoint) -> OpKind {
    OpKind::Connect { to, from: None }
}

pub(crate) fn a_refused_connect_says_so(make: Make) {
    let mut rig = Rig::new(make);
    let (listener, addr) = listener();
    drop(listener);
    let conn = rig.conn();
    let refused = rig.failure(conn, connect(Endpoint::Tcp(addr)));
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(
        rig.failure(conn, recv_any()).kind(),
        ErrorKind::NotConnected
    );
    rig.close(conn);
    assert_eq!(
        rig.failure(conn, OpKind::Close).kind(),
        ErrorKind::NotConnected
    );
}

pub(crate) fn a_reset_before_a_receive_is_its_error(make: Make) {
    let mut rig = Rig::new(make);
    for kind in [recv(64, 1), recv(64, 50), recv_any()] {
        let (conn, peer) = rig.pair();
        reset(peer);
        assert_eq!(rig.failure(conn, kind).kind(), ErrorKind::ConnectionReset);
        rig.close(conn);
    }
}

pub(crate) fn a_reset_during_a_receive_is_its_error(make: Make) {
    let mut rig = Rig::new(make);
    for kind in [recv(64, 1), recv(64, 50), recv_any()] {
        let (conn, peer) = rig.pair();
        let waiting = rig.submit(conn, kind);
        rig.turn();
        reset(peer);
        let error = rig.outcome(waiting).result.expect_err("a reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        rig.close(conn);
    }
}

pub(crate) fn a_reset_during_a_send_is_its_error(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, peer) = rig.pair();
    let (_, waiting) = stuff(&mut rig, conn);
    reset(peer);
    let error = match rig.outcome(waiting).result {
        Err(error) => error,
        // Room had opened just before.
        Ok(_) => rig.failure(conn, send(&[1; 1 << 20])),
    };
    assert!(is_gone(error.kind()), "{error}");
    let after = rig.failure(conn, send(b"more"));
    assert!(is_gone(after.kind()), "{after}");
}

fn is_gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// The kernel accepts for the listener; when that goes, the connection is reset.
pub(crate) fn a_reset_in_the_listener_s_queue_is_an_error(make: Make) {
    let mut rig = Rig::new(make);
    let (listener, addr) = listener();
    let conn = rig.connect(Endpoint::Tcp(addr));
    drop(listener);
    assert_eq!(
        rig.failure(conn, recv_any()).kind(),
        ErrorKind::ConnectionReset
    );
}

pub(crate) fn operations_without_a_connection_fail(make: Make) {
    let mut rig = Rig::new(make);
    for raw in [0, 7, 1 << 32 | 7, u64::from(u32::MAX), u64::MAX] {
        let conn = ConnId::from_u64(raw);
        for kind in [
            recv(64, 1),
            recv_any(),
            send(b"x"),
            OpKind::Shutdown,
            OpKind::Close,
        ] {
            assert_eq!(rig.failure(conn, kind).kind(), ErrorKind::NotConnected);
        }
    }
    let (_listener, addr) = listener();
    let beyond = ConnId::from_u64(u64::MAX);
    let refused = rig.failure(beyond, connect(Endpoint::Tcp(addr)));
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
}

pub(crate) fn a_closed_connection_s_id_stays_dead(make: Make) {
    let mut rig = Rig::new(make);
    let (listener, addr) = listener();
    let first = ConnId::from_u64(1 << 32 | 3);
    let second = ConnId::from_u64(2 << 32 | 3);
    rig.run(first, connect(Endpoint::Tcp(addr)))
        .result
        .expect("a connection");
    let taken = rig.failure(second, connect(Endpoint::Tcp(addr)));
    assert_eq!(taken.kind(), ErrorKind::InvalidInput, "the slot is in use");
    rig.close(first);
    rig.run(second, connect(Endpoint::Tcp(addr)))
        .result
        .expect("a connection");
    for kind in [recv_any(), send(b"x"), OpKind::Close] {
        assert_eq!(rig.failure(first, kind).kind(), ErrorKind::NotConnected);
    }
    rig.close(second);
    drop(listener);
}

pub(crate) fn impossible_operations_are_refused(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, _peer) = rig.pair();
    let mut full = Buf::from(&b"full"[..]);
    full.limit_spare(0);
    let no_room = rig.failure(
        conn,
        OpKind::Recv {
            buf: Some(full),
            min: 1,
        },
    );
    assert_eq!(
        no_room.kind(),
        ErrorKind::InvalidInput,
        "0 bytes would look like a FIN"
    );
    let bufs = (0..=MAX_SEND_BUFS).map(|_| Buf::from(&b"x"[..])).collect();
    let too_many = rig.failure(conn, OpKind::Send { bufs });
    assert_eq!(too_many.kind(), ErrorKind::InvalidInput);
    assert_eq!(rig.run(conn, send(b"")).result.expect("nothing to do"), 0);
    assert_eq!(
        rig.run(conn, OpKind::Send { bufs: vec![] })
            .result
            .expect("nothing to do"),
        0
    );
}

pub(crate) fn ids_in_use_are_refused(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    let id = rig.submit(conn, recv(64, 1));
    let host = Arc::from("twice.example");
    let twin = OpKind::Resolve {
        host,
        port: 1,
        found: Vec::new(),
    };
    rig.driver.submit(Op {
        id,
        conn,
        kind: twin,
    });
    let refused = rig.outcome(id);
    assert_eq!(
        refused.result.expect_err("one id, one operation").kind(),
        ErrorKind::InvalidInput
    );
    assert!(matches!(refused.op.kind, OpKind::Resolve { .. }));
    peer.write_all(b"undisturbed").expect("room");
    rig.expect_again(id);
    assert_eq!(received(rig.outcome(id)).expect("bytes"), b"undisturbed");
}

pub(crate) fn bad_unix_paths_are_refused(make: Make) {
    let mut rig = Rig::new(make);
    let paths = [String::new(), "in\0side".into(), "long".repeat(100)];
    for path in paths {
        let conn = rig.conn();
        let error = rig.failure(conn, connect(Endpoint::Unix(PathBuf::from(path))));
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    let conn = rig.conn();
    let missing = connect(Endpoint::Unix("/no/such/folder/socket".into()));
    assert_eq!(rig.failure(conn, missing).kind(), ErrorKind::NotFound);
}
