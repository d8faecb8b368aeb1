//! Wakers, and the low-water mark where the driver honours it.
#![cfg(all(target_os = "linux", feature = "blocking", feature = "uring"))]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the peers of a driver's tests are plain sockets and threads"
)]

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use sockless_core::{Buf, Completion, ConnId, Endpoint, Op, OpId, OpKind};
#[cfg(feature = "compio")]
use sockless_drivers::DriverConfig;
use sockless_drivers::{Blocking, Uring, Wakeable};

fn uring() -> Uring {
    Uring::new().expect("io_uring is permitted")
}

#[cfg(feature = "tokio")]
fn tokio() -> sockless_drivers::TokioAlone {
    sockless_drivers::TokioAlone::new().expect("descriptors are left")
}

#[cfg(feature = "aio")]
fn aio() -> sockless_drivers::Aio {
    sockless_drivers::Aio::new().expect("a pipe")
}

#[cfg(feature = "compio")]
fn compio() -> sockless_drivers::Compio {
    sockless_drivers::Compio::new().expect("a proactor")
}

fn blocking() -> Blocking {
    Blocking::new().expect("a pipe")
}

#[test]
fn a_wake_ends_a_uring_s_wait() {
    wake_ends_a_wait(uring());
}

#[test]
fn a_wake_ends_a_blocking_wait() {
    wake_ends_a_wait(blocking());
}

fn wake_ends_a_wait(mut driver: impl Wakeable) {
    let mut done = Vec::new();
    // Before the wait, twice: they do not add up, but one is enough.
    driver.waker().wake();
    driver.waker().wake();
    driver.wait(None, &mut done).expect("a working driver");
    // During it, or before, as it happens.
    for _ in 0..100 {
        let waker = driver.waker();
        let waking = thread::spawn(move || waker.wake());
        driver.wait(None, &mut done).expect("a working driver");
        waking.join().expect("no panic");
    }
    assert!(done.is_empty());
    let outlives = driver.waker();
    drop(driver);
    outlives.wake();
}

#[cfg(feature = "tokio")]
#[test]
fn a_wake_ends_a_wait_on_tokio() {
    wake_ends_a_wait(tokio());
}

#[cfg(feature = "tokio")]
#[test]
fn tokio_honours_the_minimum() {
    the_minimum_is_honoured(tokio());
}

#[cfg(feature = "aio")]
#[test]
fn a_wake_ends_a_wait_on_aio() {
    wake_ends_a_wait(aio());
}

#[cfg(feature = "aio")]
#[test]
fn aio_honours_the_minimum() {
    the_minimum_is_honoured(aio());
}

#[cfg(feature = "compio")]
#[test]
fn a_wake_ends_a_wait_on_compio() {
    wake_ends_a_wait(compio());
    let polling = sockless_drivers::Compio::without_uring(DriverConfig::default());
    wake_ends_a_wait(polling.expect("a proactor"));
}

#[cfg(feature = "compio")]
#[test]
fn compio_honours_the_minimum() {
    the_minimum_is_honoured(compio());
    let polling = sockless_drivers::Compio::without_uring(DriverConfig::default());
    the_minimum_is_honoured(polling.expect("a proactor"));
}

#[test]
fn a_uring_honours_the_minimum() {
    the_minimum_is_honoured(uring());
}

#[test]
fn poll_honours_the_minimum() {
    the_minimum_is_honoured(blocking());
}

fn the_minimum_is_honoured(mut driver: impl Wakeable) {
    let (conn, mut peer) = connect(&mut driver);
    let kinds = [
        OpKind::Recv {
            buf: Some(Buf::with_capacity(4096)),
            min: 1000,
        },
        OpKind::Recv {
            buf: None,
            min: 1000,
        },
    ];
    for (n, kind) in (10..).zip(kinds) {
        driver.submit(Op {
            id: OpId::from_u64(n),
            conn,
            kind,
        });
        // Half of it is not worth waking up for.
        for half in [[1; 500], [2; 500]] {
            let mut early = Vec::new();
            let past = driver.now();
            driver
                .wait(Some(past), &mut early)
                .expect("a working driver");
            assert!(early.is_empty(), "{early:?}");
            peer.write_all(&half).expect("room");
        }
        assert_eq!(only(&mut driver).result.expect("bytes"), 1000);
    }
}

fn connect(driver: &mut impl Wakeable) -> (ConnId, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let to = Endpoint::Tcp(listener.local_addr().expect("its address"));
    let conn = ConnId::from_u64(1);
    let kind = OpKind::Connect { to, from: None };
    driver.submit(Op {
        id: OpId::from_u64(1),
        conn,
        kind,
    });
    only(driver).result.expect("a connection");
    (conn, listener.accept().expect("a peer").0)
}

fn only(driver: &mut impl Wakeable) -> Completion {
    let mut done = Vec::new();
    driver.wait(None, &mut done).expect("a working driver");
    assert_eq!(done.len(), 1);
    done.remove(0)
}
