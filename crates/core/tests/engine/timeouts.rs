//! Every timeout, by moving virtual time.

use std::time::Duration;

use sockless_core::{
    Buf, Culprit, Cx, Fault, Filter, Options, Phase, Reason, Seams, Status, Timeouts, TransferId,
};

use crate::toy::{self, Toy};
use crate::world::{With, World, routed};

const SECOND: Duration = Duration::from_secs(1);

fn asked(toy: Toy, set: impl FnOnce(&mut Timeouts)) -> (World, TransferId) {
    let mut world = World::plain();
    let mut options = Options::default();
    set(&mut options.timeouts);
    let id = world.add_to("127.0.0.1", toy, options);
    world.finish_op("connect", Ok(0));
    world.send();
    (world, id)
}

fn fails_at(world: &mut World, id: TransferId, after: Duration, reason: Reason) {
    world.advance(after - Duration::from_millis(1));
    assert!(!world.ended(id), "too early");
    let wait = world.wait.expect("something is due");
    assert!(
        wait <= world.now + Duration::from_millis(1),
        "nobody would wake it"
    );
    world.advance(Duration::from_millis(1));
    assert_eq!(world.reason(id), reason);
    let error = world.outcome(id).as_ref().unwrap_err();
    assert_eq!(error.culprit(), Culprit::Limit);
    assert!(error.remedy().is_some());
    world.tidy();
    world.assert_empty();
}

#[test]
fn resolving_and_connecting() {
    for resolved in [false, true] {
        let mut world = World::plain();
        let id = world.add_to("host.example", Toy::get(1), Options::default());
        if resolved {
            world.resolve(&["192.0.2.1"]);
        }
        fails_at(&mut world, id, 30 * SECOND, Reason::ConnectTimeout);
    }
}

/// Never gets through its handshake.
pub(crate) struct Mute;

impl Filter for Mute {
    fn layer(&self) -> &'static str {
        "mute"
    }
    fn pump(&mut self, io: Seams<'_>, _: &mut Cx<'_>) -> Result<Status, Fault> {
        io.net_in.clear();
        Ok(Status::Stay)
    }
    fn phase(&self) -> Phase {
        Phase::Handshake
    }
}

#[test]
fn handshake() {
    let mut world = World::plain();
    let route = routed("127.0.0.1", Box::new(With(|| Box::new(Mute))));
    let id = world
        .engine
        .add(route, Box::new(Toy::get(1)), Options::default());
    world.settle();
    world.finish_op("connect", Ok(0));
    world.advance(20 * SECOND);
    world.recv_some(b"never enough");
    fails_at(&mut world, id, 10 * SECOND, Reason::HandshakeTimeout);
    let error = world.outcome(id).as_ref().expect_err("no handshake");
    assert_eq!(error.layer(), "mute", "the layer that waits");
}

#[test]
fn resolving_connecting_and_handshake_share_one_bound() {
    let options = || {
        let mut options = Options::default();
        options.timeouts.setup = Some(10 * SECOND);
        options
    };
    let mut world = World::plain();
    let id = world.add_to("host.example", Toy::get(1), options());
    fails_at(&mut world, id, 10 * SECOND, Reason::ConnectTimeout);

    let mut world = World::plain();
    let route = routed("host.example", Box::new(With(|| Box::new(Mute))));
    let id = world.engine.add(route, Box::new(Toy::get(1)), options());
    world.settle();
    world.advance(4 * SECOND);
    world.resolve(&["192.0.2.1"]);
    world.advance(4 * SECOND);
    world.finish_op("connect", Ok(0));
    fails_at(&mut world, id, 2 * SECOND, Reason::HandshakeTimeout);
}

#[test]
fn first_byte() {
    let (mut world, id) = asked(Toy::get(1), |t| t.first_byte = Some(3 * SECOND));
    fails_at(&mut world, id, 3 * SECOND, Reason::FirstByteTimeout);
}

#[test]
fn first_byte_stands_still_during_a_pause() {
    let (mut world, id) = asked(Toy::get(1), |t| t.first_byte = Some(3 * SECOND));
    world.engine.pause(id);
    world.advance(100 * SECOND);
    assert!(!world.ended(id));
    world.engine.resume(id);
    world.settle();
    fails_at(&mut world, id, 3 * SECOND, Reason::FirstByteTimeout);
}

#[test]
fn idle_counts_from_the_last_byte() {
    let (mut world, id) = asked(Toy::get(100), |t| t.idle = Some(4 * SECOND));
    for _ in 0..5 {
        world.advance(3 * SECOND);
        world.recv_some(&toy::answer(100)[..1]);
        if world.ended(id) {
            break;
        }
    }
    assert!(!world.ended(id), "steady traffic is not idle");
    fails_at(&mut world, id, 4 * SECOND, Reason::IdleTimeout);
}

#[test]
fn total() {
    let (mut world, id) = asked(Toy::get(100), |t| t.total = Some(9 * SECOND));
    world.advance(4 * SECOND);
    world.recv_some(&toy::answer(100)[..50]);
    fails_at(&mut world, id, 5 * SECOND, Reason::TotalTimeout);
}

#[test]
fn low_speed() {
    let slow = |t: &mut Timeouts| t.low_speed = Some((10, 2 * SECOND));
    let (mut world, id) = asked(Toy::get(1000), slow);
    let wire = toy::answer(1000);
    let mut at = 0;
    for _ in 0..8 {
        at += world.recv_some(&wire[at..at + 20]);
        world.advance(SECOND);
    }
    assert!(!world.ended(id), "20 bytes a second are enough");
    world.recv_some(&wire[at..at + 3]);
    world.advance(4 * SECOND);
    assert_eq!(world.reason(id), Reason::LowSpeed);
    world.tidy();
    world.assert_empty();
}

#[test]
fn connecting_is_not_slow_transfer() {
    let mut world = World::plain();
    let mut options = Options::default();
    options.timeouts.low_speed = Some((10, 2 * SECOND));
    let id = world.add_to("127.0.0.1", Toy::get(10), options);
    world.advance(5 * SECOND);
    world.finish_op("connect", Ok(0));
    assert!(!world.ended(id));
}

#[test]
fn a_pause_is_neither_idle_nor_slow() {
    let (mut world, id) = asked(Toy::get(100), |t| {
        t.idle = Some(4 * SECOND);
        t.low_speed = Some((10, 2 * SECOND));
    });
    world.recv_some(&toy::answer(100)[..50]);
    world.engine.pause(id);
    world.advance(1000 * SECOND);
    assert!(!world.ended(id));
    world.engine.resume(id);
    world.settle();
    assert!(!world.ended(id), "resuming starts both anew");
    fails_at(&mut world, id, 2 * SECOND, Reason::LowSpeed);
}

#[test]
fn waiting_for_the_application_is_not_idle() {
    let (mut world, id) = asked(Toy::put(10), |t| t.idle = Some(4 * SECOND));
    world.advance(1000 * SECOND);
    assert!(!world.ended(id));
    assert!(world.engine.send_body(id, Buf::from(vec![1; 10])).is_ok());
    world.settle();
    assert!(!world.ended(id), "its answer starts the clock");
    fails_at(&mut world, id, 4 * SECOND, Reason::IdleTimeout);
}

#[test]
fn a_deadline_that_stays_in_the_past_is_served_once() {
    let mut world = World::plain();
    let mut toy = Toy::get(3);
    toy.deadline = Some(world.now + SECOND);
    let id = world.asked(toy);
    assert_eq!(world.wait, Some(world.now + SECOND));
    world.advance(2 * SECOND);
    world.recv(&toy::answer(3));
    assert!(world.outcome(id).is_ok());
}

#[test]
fn time_that_runs_backwards_changes_nothing() {
    let (mut world, id) = asked(Toy::get(1), |t| t.total = Some(3 * SECOND));
    world.advance(2 * SECOND);
    world.now -= 2 * SECOND;
    world.settle();
    world.now += 3 * SECOND;
    world.settle();
    assert_eq!(world.reason(id), Reason::TotalTimeout);
}
