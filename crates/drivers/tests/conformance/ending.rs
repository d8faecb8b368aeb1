//! Deadlines, closing, and dropping a driver in the middle of everything.

use std::io::ErrorKind::NotConnected;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use sockless_core::{ConnId, Endpoint, OpKind};

use crate::cancel::{Hole, stuff};
use crate::names::Gate;
use crate::rig::{Make, Options, Rig, received, recv, recv_any, send};
use crate::watched::Watched;

pub(crate) fn a_deadline_ends_a_wait(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, _peer) = rig.pair();
    let _idle = rig.submit(conn, recv_any());
    let deadline = rig.driver.now() + Duration::from_millis(20);
    let mut done = Vec::new();
    while rig.driver.now() < deadline {
        rig.driver
            .wait(Some(deadline), &mut done)
            .expect("a working driver");
    }
    assert!(done.is_empty(), "{done:?}");
}

/// With nothing in flight a wait that waits would never end.
pub(crate) fn a_past_deadline_does_not_wait(make: Make) {
    let mut rig = Rig::new(make);
    rig.turn();
    let (conn, mut peer) = rig.pair();
    let idle = rig.submit(conn, recv(64, 1));
    rig.turn();
    assert!(!rig.has_arrived(idle));
    peer.write_all(b"x").expect("room");
    rig.outcome(idle).result.expect("a byte");
}

pub(crate) fn a_closed_connection_s_peer_sees_the_end(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    let waiting = rig.submit(conn, recv_any());
    rig.turn();
    rig.driver.cancel(waiting);
    let _ = rig.outcome(waiting);
    rig.run(conn, send(b"last words")).result.expect("bytes");
    rig.close(conn);
    let mut words = String::new();
    peer.read_to_string(&mut words).expect("text to its end");
    assert_eq!(words, "last words");
}

/// No engine of ours does that, but a program's own may.
pub(crate) fn a_close_ends_what_is_in_flight(make: Make) {
    let mut rig = Rig::new(make);
    let hole = Hole::new();
    let (conn, mut peer) = rig.pair();
    let (sent, sending) = stuff(&mut rig, conn);
    let receiving = rig.submit(conn, recv(64, 1));
    let (idle, mut other) = rig.pair();
    let picking = rig.submit(idle, recv_any());
    let hinted = rig.submit(idle, recv(64, 32));
    let dialing = rig.conn();
    let to = Endpoint::Tcp(hole.addr);
    let connecting = rig.submit(dialing, OpKind::Connect { to, from: None });
    rig.turn();

    for (conn, waiting) in [
        (conn, vec![sending, receiving]),
        (idle, vec![picking, hinted]),
        (dialing, vec![connecting]),
    ] {
        rig.close(conn);
        for id in waiting {
            let moved = rig.outcome(id).result.unwrap_or(0);
            assert!(moved == 0 || id == sending, "{moved} bytes from nowhere");
        }
        assert_eq!(rig.failure(conn, recv(64, 1)).kind(), NotConnected);
    }
    let mut got = Vec::new();
    peer.read_to_end(&mut got).expect("an orderly end");
    assert!(got.len() >= sent);
    other.read_to_end(&mut got).expect("an orderly end");
    // What has their descriptors' numbers now is somebody else.
    let (conn, mut peer) = rig.pair();
    let receiving = rig.submit(conn, recv(64, 1));
    rig.turn();
    peer.write_all(b"undisturbed").expect("room");
    let bytes = received(rig.outcome(receiving)).expect("bytes");
    assert_eq!(bytes, b"undisturbed");
    rig.expect_quiet();
}

pub(crate) fn a_close_before_the_driver_looked_ends_what_was_submitted(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    let waiting = [
        rig.submit(conn, recv(64, 1)),
        rig.submit(conn, recv_any()),
        rig.submit(conn, OpKind::Close),
    ];
    // Perhaps in a place that has become free.
    let (next, mut next_peer) = rig.pair();
    next_peer.write_all(b"for the next one").expect("room");
    for id in waiting {
        assert_eq!(rig.outcome(id).result.unwrap_or(0), 0);
    }
    let mut got = Vec::new();
    peer.read_to_end(&mut got).expect("an orderly end");
    let bytes = received(rig.run(next, recv(64, 1))).expect("bytes");
    assert_eq!(bytes, b"for the next one");
    rig.expect_quiet();
}

pub(crate) fn a_driver_can_go_with_operations_in_flight(make: Make) {
    let gate = Arc::new(Gate::default());
    let options = Options {
        lookup: Some(gate.lookup()),
        ..Options::default()
    };
    let mut rig = Rig::with(make, options);
    let hole = Hole::new();

    let (receiving, mut sends_late) = rig.pair();
    let (picking, mut sends_late_too) = rig.pair();
    let (sending, mut reads_late) = rig.pair();
    let (into, buf) = Watched::new();
    let _ = rig.submit(
        receiving,
        OpKind::Recv {
            buf: Some(buf),
            min: 1,
        },
    );
    let _ = rig.submit(picking, recv_any());
    let (_, _waiting) = stuff(&mut rig, sending);
    let connecting = rig.conn();
    let to = Endpoint::Tcp(hole.addr);
    let _ = rig.submit(connecting, OpKind::Connect { to, from: None });
    let host = Arc::from("slow.example");
    let resolve = OpKind::Resolve {
        host,
        port: 1,
        found: Vec::new(),
    };
    let _ = rig.submit(ConnId::from_u64(0), resolve);
    rig.turn();
    assert!(!into.is_released(), "the operation is in flight");
    let (silent, mut hears_nothing) = rig.pair();
    let _ = rig.submit(silent, send(b"submitted, but nobody waited for it"));
    drop(rig);

    let reused = into.is_released();
    if reused {
        into.reuse();
    }
    // Their sockets are gone: whether this works does not matter, only where it goes.
    let _ = sends_late.write_all(&[1; 1024]);
    let _ = sends_late_too.write_all(&[1; 1024]);
    let mut rest = Vec::new();
    let _ = sends_late.read_to_end(&mut rest);
    rest.clear();
    let _ = reads_late.read_to_end(&mut rest);
    rest.clear();
    hears_nothing
        .read_to_end(&mut rest)
        .expect("an orderly end");
    assert_eq!(rest, b"", "dropping a driver begins nothing");
    gate.open();
    assert!(
        !reused || into.is_untouched(),
        "freed memory was written to"
    );
}
