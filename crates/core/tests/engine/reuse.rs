//! Kept connections.

use std::net::IpAddr;
use std::time::Duration;

use sockless_core::{
    Buf, Cx, Fault, Filter, Limits, OpKind, Options, Reason, Recipe, Seams, Status, Target,
};

use crate::toy::{self, Toy};
use crate::world::{With, World, failure, filled, routed};

#[test]
fn the_next_transfer_uses_the_kept_connection() {
    let mut world = World::plain();
    world.kept();
    assert_eq!(world.count("recv"), 1);
    assert!(matches!(world.ops[0].kind, OpKind::Recv { buf: None, .. }));
    let id = world.add(Toy::get(4));
    assert_eq!(world.count("connect"), 0);
    world.send();
    world.recv(&toy::answer(4));
    assert!(world.outcome(id).is_ok() && world.summary(id).reused);
    assert_eq!(world.summary(id).connects, 0);
    assert_eq!(world.body(id), toy::pattern(0, 4));
    world.assert_empty();
}

#[test]
fn a_connection_that_becomes_idle_gives_its_buffer_back() {
    let mut world = World::plain();
    let id = world.asked(Toy::get(10));
    world.engine.pause(id);
    world.recv_some(&toy::answer(10));
    world.engine.resume(id);
    world.settle();
    assert!(world.outcome(id).is_ok());
    world.tidy();
    assert_eq!(world.engine.stats().idle, 1);
    for op in &world.ops {
        assert!(matches!(op.kind, OpKind::Recv { buf: None, .. }), "{op:?}");
    }
}

#[test]
fn different_keys_never_share() {
    let mut world = World::plain();
    world.kept();
    world.add_to("127.0.0.2", Toy::get(1), Options::default());
    assert_eq!(world.count("connect"), 1);
    let mut route = routed("127.0.0.1", Box::new(sockless_core::Plain));
    let key = &mut std::sync::Arc::get_mut(&mut route).expect("sole").key;
    key.protocol = "another";
    world
        .engine
        .add(route, Box::new(Toy::get(1)), Options::default());
    world.settle();
    assert_eq!(world.count("connect"), 2);
    let mut route = routed("127.0.0.1", Box::new(sockless_core::Plain));
    let key = &mut std::sync::Arc::get_mut(&mut route).expect("sole").key;
    key.target = Target::Addresses(vec!["127.0.0.1:7".parse().expect("an address")]);
    world
        .engine
        .add(route, Box::new(Toy::get(1)), Options::default());
    world.settle();
    assert_eq!(world.count("connect"), 3);
}

#[test]
fn options_that_refuse_reuse_are_obeyed() {
    let mut world = World::plain();
    world.kept();
    let mut options = Options::default();
    options.fresh_connection = true;
    options.forbid_reuse = true;
    let id = world.add_to("127.0.0.1", Toy::get(1), options);
    assert_eq!(world.count("connect"), 1);
    world.finish_op("connect", Ok(0));
    world.send();
    let at = world
        .ops
        .iter()
        .rposition(|op| crate::world::name(op) == "recv");
    let (op, n) = filled(world.ops.remove(at.expect("a receive")), &toy::answer(1));
    world.complete(op, Ok(n));
    assert!(world.outcome(id).is_ok());
    world.tidy();
    let stats = world.engine.stats();
    assert_eq!(
        (stats.idle, stats.connections),
        (1, 1),
        "only the first is kept"
    );
}

#[test]
fn a_fresh_transfer_that_waited_is_not_given_a_kept_connection() {
    let mut limits = Limits::default();
    limits.connections_per_host = 1;
    let mut world = World::new(limits);
    let first = world.asked(Toy::get(3));
    let mut options = Options::default();
    options.fresh_connection = true;
    let second = world.add_to("127.0.0.1", Toy::get(3), options);
    world.recv(&toy::answer(3));
    assert!(world.outcome(first).is_ok());
    assert_eq!(world.count("connect"), 1);
    world.tidy();
    assert_eq!(world.sockets.len(), 1, "the old one gave way");
    world.finish_op("connect", Ok(0));
    world.send();
    world.recv(&toy::answer(3));
    assert!(world.outcome(second).is_ok() && !world.summary(second).reused);
    world.assert_empty();
}

#[test]
fn a_dead_kept_connection_is_replaced_silently() {
    for end in [Ok(0), Err(failure())] {
        let mut world = World::plain();
        world.kept();
        let id = world.add(Toy::get(4));
        world.send();
        world.finish_op("recv", end);
        assert!(!world.ended(id));
        world.tidy();
        world.finish_op("connect", Ok(0));
        assert_eq!(world.send(), toy::request(4, 0));
        world.recv(&toy::answer(4));
        assert!(world.outcome(id).is_ok());
        assert!(!world.summary(id).reused);
        world.assert_empty();
    }
}

#[test]
fn nothing_is_retried_once_the_peer_has_answered() {
    let mut world = World::plain();
    world.kept();
    let id = world.add(Toy::get(4));
    world.send();
    world.recv_some(&toy::answer(4)[..2]);
    world.fin();
    assert_eq!(world.reason(id), Reason::PartialBody);
    world.tidy();
    world.assert_empty();
}

/// An exchange that needs two bytes before it knows anything.
pub(crate) struct Shy(pub(crate) Toy);

impl sockless_core::Exchange for Shy {
    fn layer(&self) -> &'static str {
        "shy"
    }
    fn pump(
        &mut self,
        io: sockless_core::Top<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<sockless_core::Turn, Fault> {
        if io.from_peer.len() == 1 && !io.from_peer.is_finished() {
            return Ok(sockless_core::Turn::Blocked);
        }
        if io.from_peer.len() == 1 {
            return Err(Fault::misbehaved(Reason::EmptyReply, "half a head"));
        }
        self.0.pump(io, cx)
    }
    fn restart(&mut self, reused: bool) -> bool {
        self.0.restart(reused)
    }
}

#[test]
fn half_a_head_is_an_answer_too() {
    let mut world = World::plain();
    world.kept();
    let route = crate::world::route("127.0.0.1");
    let shy = Box::new(Shy(Toy::get(4)));
    let id = world.engine.add(route, shy, Options::default());
    world.settle();
    world.send();
    world.recv_some(b"H");
    world.fin();
    assert_eq!(world.reason(id), Reason::EmptyReply);
    world.tidy();
    assert_eq!(
        world.count("connect"),
        0,
        "a request is not sent twice after that"
    );
}

#[test]
fn a_fresh_connection_that_dies_is_not_retried() {
    let mut world = World::plain();
    let id = world.asked(Toy::get(4));
    world.fin();
    assert_eq!(world.reason(id), Reason::EmptyReply);
    world.tidy();
    world.assert_empty();
}

#[test]
fn unsolicited_bytes_close_an_idle_connection() {
    let mut world = World::plain();
    world.kept();
    world.recv_some(b"HTTP/1.1 200 evil");
    world.tidy();
    assert_eq!(world.engine.stats().connections, 0);
    world.assert_empty();
}

#[test]
fn bytes_in_the_inbox_never_answer_a_transfer_added_after_them() {
    let mut world = World::plain();
    world.kept();
    let (recv, n) = filled(world.take("recv"), b"Hxyz");
    world.complete_quietly(recv, Ok(n));
    let id = world.add(Toy::get(3));
    world.tidy();
    assert!(!world.ended(id));
    assert_eq!(world.count("connect"), 1, "a new connection");
    world.finish_op("connect", Ok(0));
    world.send();
    world.recv(&toy::answer(3));
    assert_eq!(world.body(id), toy::pattern(0, 3));
    world.assert_empty();
}

#[test]
fn bytes_behind_the_answer_close_the_connection() {
    let mut world = World::plain();
    let id = world.asked(Toy::get(3));
    let mut wire = toy::answer(3);
    wire.extend_from_slice(b"Hevil");
    world.recv(&wire);
    assert!(world.outcome(id).is_ok());
    assert_eq!(world.engine.stats().idle, 0);
    world.tidy();
    world.assert_empty();
}

/// Passes two bytes at a time upward, so that the rest waits below.
struct Drip;

/// Two of them: what the upper one could have next waits below both.
struct Drips;

impl Recipe for Drips {
    fn filters(&self, _: &[Vec<IpAddr>]) -> Result<Vec<Box<dyn Filter>>, Fault> {
        Ok(vec![Box::new(Drip), Box::new(Drip)])
    }
}

impl Filter for Drip {
    fn layer(&self) -> &'static str {
        "drip"
    }
    fn pump(&mut self, io: Seams<'_>, _: &mut Cx<'_>) -> Result<Status, Fault> {
        io.app_out.drain_into(io.net_out);
        if io.app_in.is_empty()
            && let Some(piece) = io.net_in.pop_max(2)
        {
            io.app_in.push(piece);
        }
        if io.net_in.at_end() {
            io.app_in.finish();
        }
        Ok(Status::Stay)
    }
}

#[test]
fn bytes_behind_the_answer_that_no_layer_has_opened_yet_close_it_too() {
    let mut world = World::plain();
    let route = routed("127.0.0.1", Box::new(Drips));
    let id = world
        .engine
        .add(route, Box::new(Toy::get(3)), Options::default());
    world.settle();
    world.finish_op("connect", Ok(0));
    world.send();
    let mut wire = toy::answer(3);
    wire.extend_from_slice(b"Hevil");
    world.recv_some(&wire);
    assert!(world.outcome(id).is_ok());
    assert_eq!(world.engine.stats().idle, 0, "evil waits below the filter");
}

#[test]
fn idle_layers_get_the_halves_of_a_unit_in_order() {
    /// Wants pairs `ab`; anything else is a fault.
    struct Pairs;
    impl Filter for Pairs {
        fn layer(&self) -> &'static str {
            "pairs"
        }
        fn pump(&mut self, io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
            io.app_out.drain_into(io.net_out);
            while io.net_in.len() >= 2 {
                io.net_in.join(2, |n| cx.buf(n));
                let pair = io.net_in.split(2);
                match pair[0] {
                    // A ticket: the layer's own business.
                    b'#' if pair[1] == b'!' => {}
                    b'=' => io.app_in.push(Buf::from(&pair[1..])),
                    _ => return Err(Fault::misbehaved(Reason::Malformed, "no pair")),
                }
            }
            Ok(Status::Stay)
        }
    }
    let mut world = World::plain();
    let route = routed("127.0.0.1", Box::new(With(|| Box::new(Pairs))));
    let toy = || Box::new(Toy::get(0));
    let id = world.engine.add(route.clone(), toy(), Options::default());
    world.settle();
    world.finish_op("connect", Ok(0));
    world.send();
    world.recv_some(b"=H");
    assert!(world.outcome(id).is_ok());
    world.recv_some(b"#");
    world.recv_some(b"!");
    assert_eq!(
        world.engine.stats().idle,
        1,
        "a ticket in two halves is no crime"
    );
    world.recv_some(b"#");
    let next = world.engine.add(route, toy(), Options::default());
    world.settle();
    world.send();
    world.recv_some(b"!=");
    world.recv_some(b"H");
    assert!(world.outcome(next).is_ok() && world.summary(next).reused);
    world.assert_empty();
}

#[test]
fn idle_connections_are_bounded_and_expire() {
    let mut limits = Limits::default();
    limits.idle_connections = 2;
    let mut world = World::new(limits);
    for n in 1..=3 {
        let host = format!("127.0.0.{n}");
        let id = world.add_to(&host, Toy::get(1), Options::default());
        world.finish_op("connect", Ok(0));
        world.send();
        let (op, got) = filled(world.ops.pop().expect("its receive"), &toy::answer(1));
        world.complete(op, Ok(got));
        assert!(world.outcome(id).is_ok());
    }
    world.tidy();
    assert_eq!(world.engine.stats().idle, 2);
    world.add_to("127.0.0.1", Toy::get(1), Options::default());
    assert_eq!(world.count("connect"), 1, "the longest idle went");
    world.finish_op("connect", Err(failure()));
    world.advance(Duration::from_secs(117));
    assert_eq!(world.engine.stats().idle, 2);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.engine.stats().idle, 0);
    world.tidy();
    world.assert_empty();
}

#[test]
fn an_idle_connection_that_ends_is_forgotten() {
    for end in [Ok(0), Err(failure())] {
        let mut world = World::plain();
        world.kept();
        world.finish_op("recv", end);
        assert_eq!(world.engine.stats().connections, 0);
        world.tidy();
        world.assert_empty();
    }
}
