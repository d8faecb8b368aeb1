//! What the application's own time must not cost a transfer, and what a peer must not cost us.

use std::io;
use std::time::Duration;

use sockless_core::{Buf, Cx, Fault, Filter, Options, Reason, Seams, Status};

use crate::timeouts::Mute;
use crate::toy::{self, Toy};
use crate::world::{With, World, routed};

const SECOND: Duration = Duration::from_secs(1);

fn options(set: impl FnOnce(&mut sockless_core::Timeouts)) -> Options {
    let mut options = Options::default();
    set(&mut options.timeouts);
    options
}

#[test]
fn a_transfer_begins_when_it_is_added_not_at_the_poll_before() {
    let mut world = World::plain();
    world.settle();
    world.now += 60 * SECOND;
    let id = world.add_to(
        "127.0.0.1",
        Toy::get(1),
        options(|t| t.total = Some(10 * SECOND)),
    );
    assert!(!world.ended(id));
    world.advance(9 * SECOND);
    assert!(!world.ended(id));
    world.advance(SECOND);
    assert_eq!(world.reason(id), Reason::TotalTimeout);
}

#[test]
fn a_pause_longer_than_the_idle_timeout_is_the_applications() {
    let mut world = World::plain();
    let idle = options(|t| t.idle = Some(30 * SECOND));
    let id = world.add_to("127.0.0.1", Toy::get(100), idle);
    world.finish_op("connect", Ok(0));
    world.send();
    world.recv(&toy::answer(100)[..50]);
    world.engine.pause(id);
    world.settle();
    world.advance(30 * SECOND);
    world.now += 31 * SECOND;
    world.engine.resume(id);
    world.settle();
    assert!(!world.ended(id));
    world.advance(30 * SECOND);
    assert_eq!(world.reason(id), Reason::IdleTimeout);
}

#[test]
fn resuming_what_is_not_paused_does_not_put_the_idle_timeout_off() {
    let mut world = World::plain();
    let idle = options(|t| t.idle = Some(30 * SECOND));
    let id = world.add_to("127.0.0.1", Toy::get(100), idle);
    world.finish_op("connect", Ok(0));
    world.send();
    world.recv(&toy::answer(100)[..50]);
    world.advance(20 * SECOND);
    world.engine.resume(id);
    world.settle();
    world.advance(10 * SECOND);
    assert_eq!(world.reason(id), Reason::IdleTimeout);
}

#[test]
fn a_late_piece_of_body_is_the_applications_time_too() {
    let mut world = World::plain();
    let idle = options(|t| t.idle = Some(30 * SECOND));
    let id = world.add_to("127.0.0.1", Toy::put(200_000), idle);
    world.finish_op("connect", Ok(0));
    world.send();
    world.advance(30 * SECOND);
    world.now += 31 * SECOND;
    let given = world.engine.send_body(id, Buf::from(vec![0; 100_000]));
    given.expect("it was asked for");
    world.settle();
    assert!(!world.ended(id));
}

#[test]
fn a_handshake_is_no_wait_for_the_first_byte() {
    let mut world = World::plain();
    let route = routed("127.0.0.1", Box::new(With(|| Box::new(Mute))));
    let limits = options(|t| {
        t.first_byte = Some(5 * SECOND);
        t.handshake = Some(20 * SECOND);
    });
    let id = world.engine.add(route, Box::new(Toy::get(1)), limits);
    world.settle();
    world.finish_op("connect", Ok(0));
    world.advance(6 * SECOND);
    assert!(!world.ended(id));
    world.advance(14 * SECOND);
    assert_eq!(world.reason(id), Reason::HandshakeTimeout);
}

#[test]
fn a_request_that_is_still_being_sent_waits_for_no_first_byte() {
    let mut world = World::plain();
    let limits = options(|t| t.first_byte = Some(5 * SECOND));
    let id = world.add_to("127.0.0.1", Toy::get(1), limits);
    world.finish_op("connect", Ok(0));
    world.advance(6 * SECOND);
    assert!(!world.ended(id), "the send has not come back");
    world.send();
    world.advance(5 * SECOND);
    assert_eq!(world.reason(id), Reason::FirstByteTimeout);
}

#[test]
fn a_failed_send_with_a_silent_peer_fails_soon() {
    let mut world = World::plain();
    let id = world.add_to("127.0.0.1", Toy::get(1), options(|t| t.idle = None));
    world.finish_op("connect", Ok(0));
    world.finish_op("send", Err(io::ErrorKind::PermissionDenied.into()));
    assert!(!world.ended(id), "an answer may be on its way");
    world.advance(2 * SECOND);
    assert_eq!(world.reason(id), Reason::Send);
    world.tidy();
    world.assert_empty();
}

/// Hands everything on as it is.
pub(crate) struct Pass;

impl Filter for Pass {
    fn layer(&self) -> &'static str {
        "pass"
    }

    fn pump(&mut self, io: Seams<'_>, _: &mut Cx<'_>) -> Result<Status, Fault> {
        while io.app_in.room() > 0
            && let Some(piece) = io.net_in.pop_max(io.app_in.room())
        {
            io.app_in.push(piece);
        }
        if io.net_in.at_end() {
            io.app_in.finish();
        }
        io.app_out.drain_into(io.net_out);
        Ok(Status::Stay)
    }
}

#[test]
fn single_bytes_do_not_pin_a_buffer_each() {
    let mut world = World::plain();
    let route = routed("127.0.0.1", Box::new(With(|| Box::new(Pass))));
    let id = world
        .engine
        .add(route, Box::new(Toy::get(10_000_000)), Options::default());
    world.settle();
    world.finish_op("connect", Ok(0));
    world.send();
    world.recv(b"H");
    world.engine.pause(id);
    world.settle();
    for _ in 0..20_000 {
        world.recv(b"x");
    }
    let stats = world.engine.pool().stats();
    assert!(stats.allocated < 200, "{stats:?}");
}

#[test]
fn sockets_that_are_not_closed_yet_are_counted() {
    let mut world = World::plain();
    let id = world.add_to("127.0.0.1", Toy::get(1), Options::default());
    world.finish_op("connect", Ok(0));
    world.engine.cancel(id);
    world.settle();
    let stats = world.engine.stats();
    assert_eq!((stats.connections, stats.closing), (0, 1));
    world.tidy();
    assert_eq!(world.engine.stats().closing, 0);
}

#[test]
fn bounds_of_nothing_let_something_through() {
    let mut limits = sockless_core::Limits::default();
    (limits.pipe, limits.bulk_recv, limits.max_min) = (0, 0, 0);
    let mut world = World::new(limits);
    let id = world.add_to("127.0.0.1", Toy::get(3), Options::default());
    world.finish_op("connect", Ok(0));
    world.send();
    world.recv(&toy::answer(3));
    assert!(world.outcome(id).is_ok());
}
