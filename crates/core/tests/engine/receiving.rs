//! The `min` hint, and what happens when it was too high.

use std::io;
use std::time::Duration;

use sockless_core::{Limits, OpKind, Reason, cancelled, is_cancelled};

use crate::toy::{self, Toy, pattern};
use crate::world::{World, failure, filled};

const N: usize = 1_000_000;

fn bulk() -> (World, sockless_core::TransferId, Vec<u8>) {
    let mut world = World::plain();
    let id = world.asked(Toy::get(N));
    assert_eq!(world.min(), 1, "never before the answer has begun");
    (world, id, toy::answer(N))
}

#[test]
fn the_hint_is_given_in_bulk_and_never_near_the_tail() {
    let (mut world, id, wire) = bulk();
    let mut at = world.recv_some(&wire[..1000]);
    assert_eq!(world.min(), Limits::default().max_min);
    let mut receives = 0;
    while at < wire.len() {
        assert!(world.min() <= wire.len() - at, "more than will ever come");
        at += world.recv_some(&wire[at..]);
        receives += 1;
    }
    assert!(world.body(id) == pattern(0, N));
    assert!(receives < 20, "large receives: {receives}");
}

#[test]
fn a_hint_that_waits_too_long_is_taken_back_without_loss() {
    let (mut world, id, wire) = bulk();
    let mut at = world.recv_some(&wire[..1000]);
    world.advance(Duration::from_millis(200));
    let recv = world.take("recv");
    assert!(world.cancelled.contains(&recv.id));
    // What had trickled in comes back with the cancelled operation.
    let (recv, n) = filled(recv, &wire[at..at + 10]);
    at += n;
    world.complete(recv, Ok(n));
    assert_eq!(world.body(id).len(), at - 1);
    world.advance(Duration::from_millis(200));
    world.finish_op("recv", Err(cancelled()));
    assert_eq!(world.min(), 1, "without a hint now");
    world.advance(Duration::from_secs(10));
    assert!(world.cancelled.is_empty(), "it may wait");
    at += world.recv_some(&wire[at..at + 1]);
    world.recv(&wire[at..]);
    assert!(world.body(id) == pattern(0, N));
    assert!(world.outcome(id).is_ok());
}

#[test]
fn only_the_cancel_itself_is_forgiven() {
    let (mut world, id, wire) = bulk();
    world.recv_some(&wire[..1000]);
    world.advance(Duration::from_millis(200));
    world.finish_op("recv", Err(cancelled()));
    world.finish_op("recv", Err(failure()));
    assert_eq!(world.reason(id), Reason::Receive);
    assert_eq!(world.body(id), pattern(0, 999));
}

#[test]
fn a_reset_that_meets_the_cancel_is_a_reset() {
    let (mut world, id, wire) = bulk();
    world.recv_some(&wire[..1000]);
    world.advance(Duration::from_millis(200));
    assert_eq!(world.cancelled.len(), 1, "the receive");
    world.finish_op("recv", Err(failure()));
    assert_eq!(world.reason(id), Reason::Receive);
    assert_eq!(world.body(id), pattern(0, 999));
    let Err(error) = world.outcome(id) else {
        panic!("a broken connection is no success")
    };
    assert!(error.to_string().contains("reset"), "{error}");
}

#[test]
fn what_means_cancelled_is_known_from_what_does_not() {
    assert!(is_cancelled(&cancelled()));
    assert!(is_cancelled(&io::ErrorKind::Interrupted.into()));
    if cfg!(target_os = "linux") {
        assert!(is_cancelled(&io::Error::from_raw_os_error(125)));
        assert!(!is_cancelled(&io::Error::from_raw_os_error(104)));
    }
    assert!(!is_cancelled(&failure()));
    assert!(!is_cancelled(&io::ErrorKind::TimedOut.into()));
}

#[test]
fn the_hint_can_be_turned_off() {
    let mut limits = Limits::default();
    limits.max_min = 1;
    let mut world = World::new(limits);
    world.asked(Toy::get(N));
    world.recv_some(&toy::answer(N)[..1000]);
    assert_eq!(world.min(), 1);
}

#[test]
fn buffers_grow_in_bulk_and_stay_small_otherwise() {
    let (mut world, _, wire) = bulk();
    let room = |world: &World| match &world.ops[0].kind {
        OpKind::Recv { buf: Some(buf), .. } => buf.spare(),
        other => panic!("{other:?}"),
    };
    assert!(room(&world) < 64 * 1024);
    world.recv_some(&wire[..1000]);
    assert!(room(&world) >= 256 * 1024);
}
