//! The network as a driver: what it promises to an engine, and that a seed is all there is to it.

#![allow(
    clippy::disallowed_methods,
    reason = "a test must start its Instants somewhere"
)]

use std::net::IpAddr;
use std::time::{Duration, Instant};

use sockless_core::{Buf, Completion, ConnId, Driver, Endpoint, Op, OpId, OpKind};
use sockless_sim::{Answer, Correspondent, Faults, Peer, Sim, Wire, World};

/// Says back what it hears, and ends when it is told so.
struct Echo;

impl Peer for Echo {
    fn pump(&mut self, wire: &mut Wire, _now: Instant) {
        let n = wire.room.min(wire.input.len());
        wire.output.extend(wire.input.drain(..n));
        wire.finish = wire.input_finished && wire.input.is_empty();
    }
}

/// Answers each datagram with its length after a second, and with itself at once.
struct Clerk;

impl Correspondent for Clerk {
    fn answer(&mut self, datagram: &[u8], _now: Instant) -> Vec<(Duration, Vec<u8>)> {
        let length = vec![datagram.len() as u8];
        vec![
            (Duration::from_secs(1), length),
            (Duration::ZERO, datagram.to_vec()),
        ]
    }
}

struct Island;

impl World for Island {
    fn resolve(&mut self, host: &str) -> Vec<IpAddr> {
        match host {
            "echo" => vec![[10, 0, 0, 1].into()],
            _ => Vec::new(),
        }
    }

    fn connect(&mut self, to: &Endpoint) -> Answer {
        match to {
            Endpoint::Tcp(to) if to.port() == 7 => Answer::Peer(Box::new(Echo)),
            Endpoint::Tcp(to) if to.port() == 8 => Answer::Silence,
            Endpoint::Udp(to) if to.port() == 7 => Answer::Correspondent(Box::new(Clerk)),
            _ => Answer::Refuse,
        }
    }
}

/// An engine's place, played by hand.
struct Hand {
    sim: Sim,
    next: u64,
    done: Vec<Completion>,
}

const CONN: u64 = 1 << 32;

impl Hand {
    fn new(faults: Faults, seed: u64) -> Self {
        let sim = Sim::new(Box::new(Island), faults, Instant::now(), seed);
        let (next, done) = (1, Vec::new());
        Self { sim, next, done }
    }

    fn submit(&mut self, kind: OpKind) -> OpId {
        let id = OpId::from_u64(self.next);
        self.next += 1;
        let conn = ConnId::from_u64(CONN);
        self.sim.submit(Op { id, conn, kind });
        id
    }

    /// Waits for that operation; others are dropped.
    fn wait(&mut self, id: OpId) -> Completion {
        for _ in 0..10_000 {
            if let Some(at) = self.done.iter().position(|one| one.op.id == id) {
                return self.done.swap_remove(at);
            }
            self.sim.wait(None, &mut self.done).expect("it never fails");
        }
        panic!("{id:?} does not come back");
    }

    fn connect(&mut self, port: u16) -> std::io::Result<usize> {
        let to = Endpoint::Tcp(([10, 0, 0, 1], port).into());
        let id = self.submit(OpKind::Connect { to, from: None });
        self.wait(id).result
    }

    fn correspond(&mut self, port: u16) {
        let to = Endpoint::Udp(([10, 0, 0, 1], port).into());
        let id = self.submit(OpKind::Connect { to, from: None });
        self.wait(id).result.expect("a socket");
    }

    fn send(&mut self, bytes: &[u8]) -> usize {
        let bufs = vec![Buf::from(bytes)];
        let id = self.submit(OpKind::Send { bufs });
        self.wait(id).result.expect("sent")
    }

    fn recv(&mut self, min: usize) -> Vec<u8> {
        let buf = Some(Buf::with_capacity(1000));
        let id = self.submit(OpKind::Recv { buf, min });
        let done = self.wait(id);
        let n = done.result.expect("received");
        match done.op.kind {
            OpKind::Recv {
                buf: Some(mut buf), ..
            } => {
                buf.grow(n);
                buf.to_vec()
            }
            other => panic!("came back as {other:?}"),
        }
    }
}

#[test]
fn what_is_sent_comes_back_and_so_does_the_end() {
    let mut hand = Hand::new(Faults::none(), 1);
    hand.connect(7).expect("connected");
    assert_eq!(hand.send(b"hello"), 5);
    assert_eq!(hand.recv(5), b"hello");
    let shutdown = hand.submit(OpKind::Shutdown);
    hand.wait(shutdown).result.expect("shut down");
    assert_eq!(hand.recv(1), b"");
    let close = hand.submit(OpKind::Close);
    hand.wait(close).result.expect("closed");
}

#[test]
fn a_hint_waits_for_its_bytes() {
    let mut hand = Hand::new(Faults::none(), 1);
    hand.connect(7).expect("connected");
    hand.send(b"abc");
    let buf = Some(Buf::with_capacity(100));
    let recv = hand.submit(OpKind::Recv { buf, min: 6 });
    hand.send(b"def");
    assert_eq!(hand.wait(recv).result.expect("received"), 6);
}

#[test]
fn names_and_ports_that_nobody_has() {
    let mut hand = Hand::new(Faults::none(), 1);
    let resolve = |host: &str| OpKind::Resolve {
        host: host.into(),
        port: 7,
        found: Vec::new(),
    };
    let known = hand.submit(resolve("echo"));
    assert!(hand.wait(known).result.is_ok());
    let unknown = hand.submit(resolve("nobody"));
    assert!(hand.wait(unknown).result.is_err());
    let refused = hand.connect(9).expect_err("refused");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn datagrams_keep_their_borders_and_may_overtake_each_other() {
    let mut hand = Hand::new(Faults::none(), 1);
    hand.correspond(7);
    assert_eq!(hand.send(b"one"), 3);
    assert_eq!(hand.send(b"three"), 5);
    // The hint is for streams.
    assert_eq!(hand.recv(1000), b"one");
    assert_eq!(hand.recv(1), b"three");
    assert_eq!(hand.recv(1), [3]);
    assert_eq!(hand.recv(1), [5]);
}

#[test]
fn datagrams_are_lost_and_doubled() {
    let mut faults = Faults::none();
    (faults.losses, faults.doubles) = (300, 300);
    let mut hand = Hand::new(faults, 1);
    hand.correspond(7);
    for _ in 0..100 {
        hand.send(b"x");
    }
    let id = hand.submit(OpKind::Recv {
        buf: None,
        min: usize::MAX,
    });
    hand.wait(id).result.expect("some arrive");
    let mut count = 1;
    let late = hand.sim.now() + Duration::from_secs(60);
    while hand.sim.now() < late {
        hand.submit(OpKind::Recv { buf: None, min: 1 });
        hand.done.clear();
        hand.sim.wait(Some(late), &mut hand.done).expect("waits");
        count += hand.done.len();
    }
    assert!((101..300).contains(&count), "{count} of 200, and doubles");
    assert!(hand.sim.harm().is_empty());
}

#[test]
fn a_datagram_to_nobody_is_refused_once() {
    let mut hand = Hand::new(Faults::none(), 1);
    hand.correspond(9);
    hand.send(b"x");
    let id = hand.submit(OpKind::Recv { buf: None, min: 1 });
    let refused = hand.wait(id).result.expect_err("refused");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn silence_lasts_until_it_is_cancelled() {
    let mut hand = Hand::new(Faults::none(), 1);
    let to = Endpoint::Tcp(([10, 0, 0, 1], 8).into());
    let id = hand.submit(OpKind::Connect { to, from: None });
    let deadline = hand.sim.now() + Duration::from_secs(3600);
    let mut done = Vec::new();
    hand.sim.wait(Some(deadline), &mut done).expect("waits");
    assert!(done.is_empty() && hand.sim.now() == deadline);
    hand.sim.cancel(id);
    assert!(hand.wait(id).result.is_err());
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_another() {
    let run = |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let faults = Faults::draw(&mut rng, 5_000).harmless();
        let mut hand = Hand::new(faults, seed);
        hand.connect(7).expect("connected");
        let mut back = Vec::new();
        for _ in 0..20 {
            let n = hand.send(&[7; 300]);
            while n > back.len() {
                back.extend(hand.recv(1));
            }
            back.clear();
        }
        hand.sim.trace().digest()
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
