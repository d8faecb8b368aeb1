//! A cancel is a request: the operation comes back once, cancelled or done after all.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use sockless_core::{ConnId, Endpoint, OpId, OpKind, is_cancelled};

use crate::rig::{Make, Rig, listener, received, recv, recv_any, send};

const ROUNDS: usize = 500;

pub(crate) fn a_cancelled_receive_comes_back_once_and_loses_nothing(make: Make) {
    race(make, || recv(64, 1));
}

pub(crate) fn a_cancelled_receive_without_buffer_loses_nothing(make: Make) {
    race(make, recv_any);
}

/// Receives and cancels while the peer sends: every byte is in one of the receives.
fn race(make: Make, receive: fn() -> OpKind) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    let sender = thread::spawn(move || {
        for round in 0..ROUNDS {
            peer.write_all(&(round as u32).to_be_bytes()).expect("room");
            thread::yield_now();
        }
    });
    let mut all = Vec::new();
    for round in 0..ROUNDS {
        let id = rig.submit(conn, receive());
        // Before the driver has seen it, or some time after.
        for _ in 0..round % 3 {
            rig.turn();
        }
        rig.driver.cancel(id);
        match received(rig.outcome(id)) {
            Ok(bytes) => all.extend(bytes),
            Err(error) => assert!(is_cancelled(&error), "{error}"),
        }
    }
    rig.expect_quiet();
    all.extend(rig.recv_all(conn));
    sender.join().expect("a sender");
    let expected: Vec<u8> = (0..ROUNDS)
        .flat_map(|round| (round as u32).to_be_bytes())
        .collect();
    assert!(all == expected, "bytes were lost or moved");
}

pub(crate) fn an_idle_receive_can_be_cancelled(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    for kind in [recv(64, 1), recv(64, 32), recv_any()] {
        let id = rig.submit(conn, kind);
        rig.turn();
        rig.driver.cancel(id);
        // Twice is as good as once.
        rig.driver.cancel(id);
        let completion = rig.outcome(id);
        assert!(is_cancelled(&completion.result.expect_err("a cancel")));
        assert!(matches!(completion.op.kind, OpKind::Recv { .. }));
    }
    peer.write_all(b"still there").expect("room");
    assert_eq!(
        received(rig.run(conn, recv(64, 1))).expect("bytes"),
        b"still there"
    );
}

pub(crate) fn a_connect_can_be_cancelled(make: Make) {
    let mut rig = Rig::new(make);
    let hole = Hole::new();
    let conn = rig.conn();
    let id = rig.submit(
        conn,
        OpKind::Connect {
            to: Endpoint::Tcp(hole.addr),
            from: None,
        },
    );
    rig.turn();
    assert!(!rig.has_arrived(id), "nobody answers there");
    rig.driver.cancel(id);
    assert!(is_cancelled(&rig.outcome(id).result.expect_err("a cancel")));
    rig.close(conn);
    rig.expect_quiet();
}

/// An address where connecting takes forever: a listener that is full and never accepts.
pub(crate) struct Hole {
    pub(crate) addr: SocketAddr,
    _listener: TcpListener,
    _guests: Vec<TcpStream>,
}

impl Hole {
    pub(crate) fn new() -> Self {
        let (listener, addr) = listener();
        // SAFETY: takes no pointers. A second listen changes the length of the queue.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let patience = Duration::from_millis(200);
        let guests = std::iter::from_fn(|| TcpStream::connect_timeout(&addr, patience).ok());
        Self {
            addr,
            _guests: guests.collect(),
            _listener: listener,
        }
    }
}

pub(crate) fn a_send_that_waits_can_be_cancelled(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    let (mut sent, mut waiting) = stuff(&mut rig, conn);
    loop {
        rig.driver.cancel(waiting);
        match rig.outcome(waiting).result {
            // Done after all: room had opened.
            Ok(n) => sent += n,
            Err(error) => break assert!(is_cancelled(&error), "{error}"),
        }
        waiting = rig.submit(conn, send(&[1; MEBI]));
        rig.turn();
    }
    rig.close(conn);
    let mut got = Vec::new();
    peer.read_to_end(&mut got).expect("what was sent");
    assert_eq!(got.len(), sent, "a cancelled send sends nothing");
}

const MEBI: usize = 1 << 20;

/// Sends until nothing more seems to be taken: how much was, and the send that waits.
///
/// Room may open later, while the kernel moves bytes from one socket to the other.
pub(crate) fn stuff(rig: &mut Rig, conn: ConnId) -> (usize, OpId) {
    let mut sent = 0;
    let mut quiet = 0;
    let mut waiting = rig.submit(conn, send(&[1; MEBI]));
    while quiet < 5 {
        rig.turn_within(Duration::from_millis(5));
        quiet += 1;
        if rig.has_arrived(waiting) {
            sent += rig.outcome(waiting).result.expect("some bytes");
            waiting = rig.submit(conn, send(&[1; MEBI]));
            quiet = 0;
        }
    }
    (sent, waiting)
}

pub(crate) fn cancels_of_what_has_come_back_do_nothing(make: Make) {
    let mut rig = Rig::new(make);
    let (conn, mut peer) = rig.pair();
    let id = rig.submit(conn, send(b"sent"));
    rig.outcome(id).result.expect("bytes");
    rig.driver.cancel(id);
    rig.driver.cancel(OpId::from_u64(u64::MAX));
    rig.driver.cancel(OpId::from_u64(0));
    let reading = rig.submit(conn, recv(64, 1));
    rig.driver.cancel(id);
    rig.turn();
    peer.write_all(b"undisturbed").expect("room");
    assert_eq!(
        received(rig.outcome(reading)).expect("bytes"),
        b"undisturbed"
    );
    rig.expect_quiet();
}
