//! Connections with a filter: last words, farewells, and layers that leave.

use std::time::{Duration, Instant};

use sockless_core::{
    Buf, Culprit, Cx, Fault, Filter, OpKind, Options, Phase, Reason, Seams, Status, TransferId,
};

use crate::reuse::Shy;
use crate::toy::{self, Toy, pattern};
use crate::world::{With, World, failure, routed};

fn through(world: &mut World, make: fn() -> Box<dyn Filter>, toy: Toy) -> TransferId {
    let route = routed("127.0.0.1", Box::new(With(make)));
    let id = world.engine.add(route, Box::new(toy), Options::default());
    world.settle();
    id
}

/// Passes everything until `!` comes: then it says `alert` and fails.
#[derive(Default)]
struct Picky {
    failed: bool,
    shaking: bool,
}

impl Filter for Picky {
    fn layer(&self) -> &'static str {
        "picky"
    }

    fn pump(&mut self, io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
        while let Some(first) = io.net_in.front().map(|piece| piece[0]) {
            if first == b'!' {
                if !self.failed {
                    io.net_out.write(b"alert", |n| cx.buf(n));
                }
                self.failed = true;
                return Err(Fault::misbehaved(Reason::Malformed, "an exclamation"));
            }
            let piece = io.net_in.split(1);
            io.app_in.push(piece);
        }
        if !self.shaking {
            io.app_out.drain_into(io.net_out);
        }
        Ok(Status::Stay)
    }

    fn phase(&self) -> Phase {
        match self.shaking {
            true => Phase::Handshake,
            false => Phase::Open,
        }
    }
}

#[test]
fn last_words_are_sent_before_the_connection_closes() {
    for shaking in [false, true] {
        let mut world = World::plain();
        let make: fn() -> Box<dyn Filter> = match shaking {
            true => || {
                Box::new(Picky {
                    shaking: true,
                    ..Picky::default()
                })
            },
            false => || Box::new(Picky::default()),
        };
        let id = through(&mut world, make, Toy::get(9));
        world.finish_op("connect", Ok(0));
        if !shaking {
            world.send();
        }
        world.recv_some(b"H\x00\x01!");
        let error = world.outcome(id).as_ref().expect_err("it failed");
        assert_eq!(
            (error.layer(), error.culprit()),
            ("picky", Culprit::PeerMisbehaved)
        );
        assert_eq!(world.body(id), pattern(0, 2), "what came before");
        assert_eq!(world.count("close"), 0);
        assert_eq!(world.send(), b"alert");
        world.tidy();
        world.assert_empty();
    }
}

#[test]
fn last_words_that_nobody_takes_are_given_up() {
    let mut world = World::plain();
    through(&mut world, || Box::new(Picky::default()), Toy::get(9));
    world.finish_op("connect", Ok(0));
    world.send();
    world.recv_some(b"!");
    assert_eq!(world.count("send"), 1);
    world.advance(Duration::from_millis(1999));
    assert_eq!(world.cancelled.len(), 0);
    world.advance(Duration::from_millis(1));
    assert_eq!(world.cancelled.len(), 1, "the send");
    world.tidy();
    world.assert_empty();
}

#[test]
fn a_closed_idle_connection_says_farewell_first() {
    let mut world = World::plain();
    world.kept();
    world.engine.close_idle();
    world.settle();
    assert_eq!((world.count("shutdown"), world.count("close")), (1, 0));
    world.finish_op("shutdown", Err(failure()));
    assert_eq!(world.cancelled.len(), 1, "the receive");
    world.tidy();
    world.assert_empty();
}

/// Passes everything on, and leaves a second after it was pumped first.
#[derive(Default)]
struct Brief {
    leaves: Option<Instant>,
}

impl Filter for Brief {
    fn layer(&self) -> &'static str {
        "brief"
    }

    fn pump(&mut self, io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
        io.net_in.drain_into(io.app_in);
        io.app_out.drain_into(io.net_out);
        let at = *self.leaves.get_or_insert(cx.now + Duration::from_secs(1));
        match at <= cx.now {
            true => Ok(Status::Leave),
            false => Ok(Status::Stay),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.leaves
    }
}

#[test]
fn bytes_keep_their_order_when_a_layer_leaves_during_a_receive() {
    let mut world = World::plain();
    let route = routed("127.0.0.1", Box::new(With(|| Box::new(Brief::default()))));
    let shy = Box::new(Shy(Toy::get(5)));
    let id = world.engine.add(route, shy, Options::default());
    world.settle();
    world.finish_op("connect", Ok(0));
    world.send();
    // One byte is opened, and not enough for the layer above.
    world.recv_some(b"H");
    assert_eq!(world.engine.layers(id), ["brief"]);
    world.advance(Duration::from_secs(1));
    assert!(world.engine.layers(id).is_empty());
    let in_flight = world
        .ops
        .iter()
        .filter(|op| matches!(op.kind, OpKind::Recv { .. }));
    assert_eq!(in_flight.count(), 1);
    world.recv_some(&toy::answer(5)[1..]);
    assert!(world.outcome(id).is_ok(), "{:?}", world.outcome(id));
    assert_eq!(world.body(id), pattern(0, 5));
    world.assert_empty();
}

#[test]
fn a_handshake_of_many_small_pieces_counts_copies_only_for_straddling() {
    /// Opens units of four bytes.
    struct Fours;
    impl Filter for Fours {
        fn layer(&self) -> &'static str {
            "fours"
        }
        fn pump(&mut self, io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
            io.app_out.drain_into(io.net_out);
            while io.net_in.len() >= 4 {
                let copied = io.net_in.join(4, |n| cx.buf(n));
                *cx.copied += copied as u64;
                let piece: Buf = io.net_in.split(4);
                io.app_in.push(piece);
            }
            Ok(Status::Stay)
        }
    }
    let mut world = World::plain();
    let id = through(&mut world, || Box::new(Fours), Toy::get(4 * 50 - 1));
    world.finish_op("connect", Ok(0));
    world.send();
    for byte in toy::answer(4 * 50 - 1) {
        world.recv_some(&[byte]);
    }
    assert!(world.outcome(id).is_ok());
    assert_eq!(world.body(id), pattern(0, 199));
    assert_eq!(
        world.engine.stats().copied,
        0,
        "each piece goes on in its own buffer"
    );
}
