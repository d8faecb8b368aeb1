//! Bytes up and down one connection: back-pressure, request bodies, errors, misuse.

use std::time::Duration;

use sockless_core::{Buf, Culprit, Limits, OpId, OpKind, Options, Reason};

use crate::toy::{self, Toy, pattern};
use crate::world::{World, failure, filled, name};

#[test]
fn completions_of_unknown_or_used_ids_are_ignored() {
    let mut world = World::plain();
    let id = world.asked(Toy::get(4));
    let (recv, n) = filled(world.take("recv"), &toy::answer(4)[..2]);
    let twin = |op: &sockless_core::Op| sockless_core::Op {
        id: op.id,
        conn: op.conn,
        kind: OpKind::Recv {
            buf: Some(Buf::with_capacity(9)),
            min: 1,
        },
    };
    let (second, stranger) = (twin(&recv), twin(&recv));
    world.complete(recv, Ok(n));
    world.complete(second, Ok(9));
    world.complete(
        sockless_core::Op {
            id: OpId::from_u64(77),
            ..stranger
        },
        Ok(9),
    );
    world.recv(&toy::answer(4)[2..]);
    assert_eq!(world.body(id), pattern(0, 4));
    assert!(world.outcome(id).is_ok());
    world.assert_empty();
}

#[test]
fn a_short_send_goes_on_where_it_stopped() {
    let mut world = World::plain();
    world.add(Toy::get(1));
    world.finish_op("connect", Ok(0));
    let mut wire = Vec::new();
    while world.count("send") > 0 {
        wire.extend(world.send_some(2));
    }
    assert_eq!(wire, toy::request(1, 0));
}

#[test]
fn a_paused_transfer_stops_receiving_and_loses_nothing() {
    let mut world = World::plain();
    let id = world.asked(Toy::get(100));
    world.engine.pause(id);
    let wire = toy::answer(100);
    world.recv_some(&wire[..40]);
    assert_eq!(world.count("recv"), 0, "no receive while it is paused");
    assert_eq!(world.body(id), b"");
    world.advance(Duration::from_secs(100_000));
    assert!(!world.ended(id), "a pause is not the peer's idleness");
    world.engine.resume(id);
    world.settle();
    assert_eq!(world.body(id), pattern(0, 39));
    world.recv(&wire[40..]);
    assert_eq!(world.body(id), pattern(0, 100));
    assert!(world.outcome(id).is_ok());
    world.assert_empty();
}

#[test]
fn a_pause_holds_the_end_back_too() {
    let mut world = World::plain();
    let id = world.asked(Toy::get(3));
    let (recv, n) = filled(world.take("recv"), &toy::answer(3));
    world.outputs_left = Some(0);
    world.complete(recv, Ok(n));
    world.outputs_left = Some(1);
    world.settle();
    world.engine.pause(id);
    world.outputs_left = None;
    world.settle();
    assert!(!world.ended(id));
    world.engine.resume(id);
    world.settle();
    assert_eq!(world.body(id), pattern(0, 3));
    assert!(world.outcome(id).is_ok());
}

#[test]
fn cancelling_a_paused_transfer_that_has_ended_ends_it() {
    let mut world = World::plain();
    let id = world.asked(Toy::get(3));
    let (recv, n) = filled(world.take("recv"), &toy::answer(3));
    world.outputs_left = Some(0);
    world.complete(recv, Ok(n));
    world.outputs_left = Some(1);
    world.settle();
    world.engine.pause(id);
    world.outputs_left = None;
    world.settle();
    world.engine.cancel(id);
    world.settle();
    assert_eq!(world.reason(id), Reason::Cancelled);
    world.assert_empty();
}

#[test]
fn small_pipes_carry_a_large_body() {
    let mut limits = Limits::default();
    (limits.pipe, limits.bulk_recv) = (1000, 1000);
    let mut world = World::new(limits);
    let id = world.asked(Toy::get(1_000_000));
    let wire = toy::answer(1_000_000);
    world.recv(&wire);
    assert!(world.body(id) == pattern(0, 1_000_000));
    assert!(world.outcome(id).is_ok());
}

#[test]
fn the_body_is_asked_for_piece_by_piece() {
    let mut world = World::plain();
    let id = world.add(Toy::put(10));
    world.finish_op("connect", Ok(0));
    assert_eq!(world.wants(id).len(), 1, "once, however often it is pumped");
    assert_eq!(world.send(), toy::request(5, 10));
    assert_eq!(world.wants(id).len(), 1);
    let give = |world: &mut World, bytes: &[u8]| {
        let given = world.engine.send_body(id, Buf::from(bytes));
        assert!(given.is_ok());
        world.settle();
    };
    give(&mut world, b"01234");
    assert_eq!(world.send(), b"01234");
    assert_eq!(world.wants(id).len(), 2);
    give(&mut world, b"56789");
    assert_eq!(world.send(), b"56789");
    world.recv(&toy::answer(5));
    assert!(world.outcome(id).is_ok());
    assert_eq!(world.summary(id).body_sent, 10);
    world.assert_empty();
}

#[test]
fn a_pause_of_the_answer_does_not_hold_the_request_up() {
    let mut world = World::plain();
    let id = world.add(Toy::put(10));
    world.finish_op("connect", Ok(0));
    world.send();
    world.engine.pause(id);
    world.recv_some(&toy::answer(5)[..3]);
    assert!(world.engine.send_body(id, Buf::from(&b"01234"[..])).is_ok());
    world.settle();
    world.send();
    assert_eq!(world.wants(id).len(), 2, "asked although it is paused");
}

#[test]
fn the_body_is_bounded_and_ends_once() {
    let mut world = World::plain();
    let id = world.add(Toy::put(1_000_000));
    // Not connected yet, so nothing is taken.
    let room = Limits::default().pipe;
    assert!(world.engine.send_body(id, Buf::from(vec![1; room])).is_ok());
    let (error, piece) = world
        .engine
        .send_body(id, Buf::from(&b"more"[..]))
        .expect_err("it is full");
    assert_eq!((error.culprit(), &*piece), (Culprit::Misuse, &b"more"[..]));
    assert!(world.engine.finish_body(id).is_ok());
    assert!(world.engine.send_body(id, piece).is_err());
    world.finish_op("connect", Ok(0));
    while world.count("send") > 0 {
        world.send();
    }
    assert_eq!(world.reason(id), Reason::Upload, "it ended too early");
    let gone = world
        .engine
        .finish_body(id)
        .expect_err("the transfer is over");
    assert_eq!(gone.reason(), Reason::Misuse);
    world.tidy();
}

#[test]
fn an_answer_that_comes_before_the_request_is_complete_is_delivered() {
    let mut world = World::plain();
    let id = world.add(Toy::put(10));
    world.finish_op("connect", Ok(0));
    world.send();
    world.recv(&toy::answer(5));
    assert!(world.outcome(id).is_ok());
    assert_eq!(world.engine.stats().idle, 0, "half a request: not reusable");
    world.tidy();
    world.assert_empty();
}

#[test]
fn a_failed_send_does_not_lose_an_answer_that_came() {
    let mut world = World::plain();
    let id = world.add(Toy::get(3));
    world.finish_op("connect", Ok(0));
    world.finish_op("send", Err(failure()));
    assert!(!world.ended(id));
    world.recv(&toy::answer(3));
    assert!(world.outcome(id).is_ok());
    assert_eq!(world.engine.stats().idle, 0);
    world.tidy();
    world.assert_empty();
}

#[test]
fn a_failed_send_without_an_answer_is_the_cause() {
    let mut world = World::plain();
    let id = world.add(Toy::get(3));
    world.finish_op("connect", Ok(0));
    world.finish_op("send", Err(failure()));
    world.fin();
    assert_eq!(world.reason(id), Reason::Send);
    assert!(world.outcome(id).as_ref().unwrap_err().remedy().is_some());
    world.tidy();
    world.assert_empty();
}

#[test]
fn what_came_before_a_failure_is_delivered_first() {
    let mut world = World::plain();
    let id = world.asked(Toy::get(100));
    world.recv_some(&toy::answer(100)[..50]);
    world.finish_op("recv", Err(failure()));
    assert_eq!(world.body(id), pattern(0, 49));
    assert_eq!(world.reason(id), Reason::Receive);
    let error = world.outcome(id).as_ref().unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:7"), "{error}");
    assert!(error.remedy().is_some(), "{error}");
    world.tidy();
    world.assert_empty();
}

#[test]
fn a_driver_that_counts_beyond_the_buffer_is_misused() {
    for kind in ["recv", "send"] {
        let mut world = World::plain();
        let id = world.add(Toy::get(3));
        world.finish_op("connect", Ok(0));
        world.finish_op(kind, Ok(usize::MAX / 2));
        let error = world.outcome(id).as_ref().expect_err("misuse");
        assert_eq!(error.culprit(), Culprit::Misuse, "{error}");
        assert_eq!(error.layer(), "driver");
        world.settle();
        while world.count("send") > 0 {
            world.send();
        }
        world.tidy();
        world.assert_empty();
    }
}

#[test]
fn a_send_that_took_nothing_is_misuse() {
    let mut world = World::plain();
    let id = world.add(Toy::get(3));
    world.finish_op("connect", Ok(0));
    world.finish_op("send", Ok(0));
    assert_eq!(world.reason(id), Reason::Misuse);
}

#[test]
fn close_comes_after_everything_is_back() {
    let mut world = World::plain();
    let id = world.add(Toy::get(3));
    world.finish_op("connect", Ok(0));
    assert_eq!((world.count("send"), world.count("recv")), (1, 1));
    world.engine.cancel(id);
    world.settle();
    assert_eq!(world.reason(id), Reason::Cancelled);
    assert_eq!(world.cancelled.len(), 2);
    for left in [1, 0] {
        assert_eq!(world.count("close"), 0);
        let op = world.ops.remove(0);
        assert!(matches!(name(&op), "send" | "recv"));
        world.complete(op, Err(failure()));
        assert_eq!(
            world.ops.iter().filter(|op| name(op) != "close").count(),
            left
        );
    }
    assert_eq!(world.count("close"), 1);
    world.finish_op("close", Ok(0));
    world.assert_empty();
}

#[test]
fn dropping_the_engine_leaves_memory_to_its_holder() {
    let mut world = World::plain();
    world.asked(Toy::get(3));
    let World {
        engine, mut ops, ..
    } = world;
    drop(engine);
    for op in &mut ops {
        if let OpKind::Recv { buf: Some(buf), .. } = &mut op.kind {
            buf.extend_from_slice(b"still mine");
            assert_eq!(&**buf, b"still mine");
        }
    }
    assert!(!ops.is_empty());
}

#[test]
fn the_same_script_gives_the_same_outputs() {
    let run = || {
        let mut world = World::plain();
        world.add_to("a.example", Toy::get(9), Options::default());
        world.add_to("b.example", Toy::put(4), Options::default());
        world.resolve(&["192.0.2.1", "::1"]);
        world.resolve(&["192.0.2.2"]);
        world.finish_op("connect", Err(failure()));
        world.advance(Duration::from_millis(300));
        while world.count("connect") > 0 {
            world.finish_op("connect", Ok(0));
        }
        world.send_some(3);
        world.recv_some(&toy::answer(9)[..4]);
        world.advance(Duration::from_secs(1000));
        world.tidy();
        world.log
    };
    assert_eq!(run(), run());
}

/// An answer that overtakes the body, which is in flight.
fn overtaken() -> (World, sockless_core::TransferId) {
    let mut world = World::plain();
    let mut toy = Toy::put(10);
    toy.insists = true;
    let id = world.add(toy);
    world.finish_op("connect", Ok(0));
    world.send();
    let body = Buf::from(&pattern(0, 10)[..]);
    world.engine.send_body(id, body).expect("it was asked for");
    world.settle();
    world.recv(&toy::answer(5));
    assert_eq!(world.body(id), pattern(0, 5));
    assert!(!world.ended(id), "the body is not sent yet");
    (world, id)
}

#[test]
fn an_answer_is_not_the_end_while_the_body_is_on_its_way() {
    let (mut world, id) = overtaken();
    assert_eq!(world.send_some(4), pattern(0, 4));
    assert!(!world.ended(id));
    assert_eq!(world.send(), pattern(4, 10));
    assert!(world.outcome(id).is_ok());
    assert_eq!(world.engine.stats().idle, 1, "it may serve another one");
}

#[test]
fn a_body_that_cannot_be_sent_after_its_answer_is_a_failure() {
    for reset_first in [false, true] {
        let (mut world, id) = overtaken();
        if reset_first {
            world.finish_op("recv", Err(failure()));
            assert!(!world.ended(id), "what is in flight may still arrive");
        }
        world.finish_op("send", Err(failure()));
        assert_eq!(world.reason(id), Reason::Send);
        assert!(world.outcome(id).as_ref().unwrap_err().remedy().is_some());
        world.tidy();
        world.assert_empty();
    }
}
