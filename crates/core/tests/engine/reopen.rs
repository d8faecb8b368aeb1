//! Layers whose peer wants the same again on a new connection.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sockless_core::{
    Cx, Exchange, Fault, Filter, Limits, Options, Phase, Reason, Recipe, Seams, Status, Top,
    TransferId, Turn,
};

use crate::toy::{self, Toy};
use crate::world::{World, routed};

/// A proxy's layer: each connection asks with the number of connections before it, and
/// takes a line for an answer. `?` wants another connection, `!` lets pass.
struct Asks {
    tries: Arc<AtomicUsize>,
    /// What it says it is when it faults.
    phase: Phase,
}

struct Ask {
    number: usize,
    asked: bool,
    failed: bool,
    phase: Phase,
}

impl Recipe for Asks {
    fn filters(&self, _: &[Vec<IpAddr>]) -> Result<Vec<Box<dyn Filter>>, Fault> {
        Ok(vec![Box::new(Ask {
            number: self.tries.fetch_add(1, Ordering::Relaxed),
            asked: false,
            failed: false,
            phase: self.phase,
        })])
    }
}

impl Filter for Ask {
    fn layer(&self) -> &'static str {
        "ask"
    }

    fn pump(&mut self, io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
        if !std::mem::replace(&mut self.asked, true) {
            io.net_out.write(&[b'0' + self.number as u8], |n| cx.buf(n));
        }
        let answer = io.net_in.front().map(|piece| piece[0]);
        if self.failed || answer == Some(b'?') {
            if !std::mem::replace(&mut self.failed, true) {
                io.net_out.write(b"bye", |n| cx.buf(n));
            }
            return Err(Fault::misbehaved(Reason::Reopen, "once more, please"));
        }
        match answer {
            Some(_) => {
                io.net_in.consume(1);
                Ok(Status::Leave)
            }
            None => Ok(Status::Stay),
        }
    }

    fn phase(&self) -> Phase {
        self.phase
    }
}

fn asks(world: &mut World, phase: Phase, exchange: Box<dyn Exchange>) -> TransferId {
    let recipe = Asks {
        tries: Arc::default(),
        phase,
    };
    let route = routed("127.0.0.1", Box::new(recipe));
    let id = world.engine.add(route, exchange, Options::default());
    world.settle();
    world.finish_op("connect", Ok(0));
    id
}

/// The peer of the connection in front refuses it, and hears the last words.
fn refuse(world: &mut World) {
    world.recv_some(b"?");
    assert_eq!(world.send(), b"bye");
    world.tidy();
}

#[test]
fn it_is_tried_again_on_a_new_connection_after_the_last_words() {
    let mut limits = Limits::default();
    limits.connections_per_host = 1;
    let mut world = World::new(limits);
    let id = asks(&mut world, Phase::Handshake, Box::new(Toy::get(3)));
    assert_eq!(world.send(), b"0");
    world.recv_some(b"?");
    assert_eq!(world.count("connect"), 0, "there is room for one only");
    assert_eq!(world.send(), b"bye");
    world.tidy();
    world.finish_op("connect", Ok(0));
    assert_eq!(world.send(), b"1");
    world.recv_some(b"!");
    assert_eq!(world.send(), toy::request(3, 0));
    world.recv(&toy::answer(3));
    assert!(world.outcome(id).is_ok());
    assert_eq!(world.body(id), toy::pattern(0, 3));
    assert_eq!(world.summary(id).connects, 2);
    world.assert_empty();
}

#[test]
fn three_times_and_then_it_is_the_transfers_error() {
    let mut world = World::plain();
    let id = asks(&mut world, Phase::Handshake, Box::new(Toy::get(3)));
    for number in *b"012" {
        assert_eq!(world.send(), [number]);
        refuse(&mut world);
        assert!(!world.ended(id));
        world.finish_op("connect", Ok(0));
    }
    assert_eq!(world.send(), b"3");
    refuse(&mut world);
    assert_eq!(world.reason(id), Reason::Reopen);
    let error = world.outcome(id).as_ref().expect_err("refused");
    assert_eq!((error.layer(), error.peer()), ("ask", Some("127.0.0.1:7")));
    assert_eq!(world.summary(id).connects, 4);
    world.assert_empty();
}

#[test]
fn a_layer_that_was_open_already_cannot_have_it() {
    let mut world = World::plain();
    let id = asks(&mut world, Phase::Open, Box::new(Toy::get(3)));
    world.send();
    refuse(&mut world);
    assert_eq!(world.reason(id), Reason::Reopen);
    world.assert_empty();
}

#[test]
fn nor_can_a_request_that_cannot_start_over() {
    /// Every attempt is its last.
    struct Once(Toy);
    impl Exchange for Once {
        fn layer(&self) -> &'static str {
            "once"
        }
        fn pump(&mut self, top: Top<'_>, cx: &mut Cx<'_>) -> Result<Turn, Fault> {
            self.0.pump(top, cx)
        }
        fn restart(&mut self, _: bool) -> bool {
            false
        }
    }
    let mut world = World::plain();
    let once = Box::new(Once(Toy::get(3)));
    let id = asks(&mut world, Phase::Handshake, once);
    world.send();
    refuse(&mut world);
    assert_eq!(world.reason(id), Reason::Reopen);
    assert_eq!(world.count("connect"), 0);
    world.assert_empty();
}

#[test]
fn a_transfer_between_two_connections_can_be_cancelled() {
    let mut world = World::plain();
    let id = asks(&mut world, Phase::Handshake, Box::new(Toy::get(3)));
    world.send();
    world.recv_some(b"?");
    assert_eq!(world.count("connect"), 1);
    world.engine.cancel(id);
    world.settle();
    assert_eq!(world.reason(id), Reason::Cancelled);
    assert_eq!(world.send(), b"bye");
    world.tidy();
    world.assert_empty();
}
