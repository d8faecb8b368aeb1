//! Connections are scarce: who gets one.

use sockless_core::{Limits, Options, TransferId};

use crate::toy::{self, Toy};
use crate::world::{World, failure, filled, name};

fn bounded(per_host: usize, in_all: usize) -> World {
    let mut limits = Limits::default();
    (limits.connections_per_host, limits.connections) = (per_host, in_all);
    World::new(limits)
}

fn add(world: &mut World, host: &str, priority: u8) -> TransferId {
    let mut options = Options::default();
    options.priority = priority;
    world.add_to(host, Toy::get(1), options)
}

/// Serves whatever asks, oldest first, until nothing moves.
fn serve(world: &mut World) -> usize {
    let mut most = 0;
    while let Some(at) = world.ops.iter().position(|op| match name(op) {
        // A receive with a buffer waits for an answer, once its request is out.
        "recv" => {
            let sending = world
                .ops
                .iter()
                .any(|other| other.conn == op.conn && name(other) == "send");
            !sending && matches!(op.kind, sockless_core::OpKind::Recv { buf: Some(_), .. })
        }
        "resolve" => false,
        _ => true,
    }) {
        most = most.max(world.sockets.len());
        let op = world.ops.remove(at);
        match name(&op) {
            "send" => {
                let sockless_core::OpKind::Send { bufs } = &op.kind else {
                    unreachable!("by name");
                };
                let n = bufs.iter().map(|buf| buf.len()).sum();
                world.complete(op, Ok(n));
            }
            "recv" => {
                let (op, n) = filled(op, &toy::answer(1));
                world.complete(op, Ok(n));
            }
            _ => world.complete(op, Ok(0)),
        }
        world.tidy();
    }
    most
}

#[test]
fn connections_to_a_host_are_bounded() {
    let mut world = bounded(2, 0);
    let ids: Vec<_> = (0..6).map(|_| add(&mut world, "127.0.0.1", 3)).collect();
    assert_eq!(world.count("connect"), 2);
    add(&mut world, "127.0.0.2", 3);
    assert_eq!(world.count("connect"), 3, "another host has its own bound");
    for _ in 0..10 {
        serve(&mut world);
        // Reused connections wait with a bare receive.
        while let Some(at) = world.ops.iter().position(|op| name(op) == "recv") {
            if world.engine.stats().transfers == 0 {
                break;
            }
            let (op, n) = filled(world.ops.remove(at), &toy::answer(1));
            world.complete(op, Ok(n));
            serve(&mut world);
        }
    }
    assert!(ids.iter().all(|id| world.ended(*id)));
    assert_eq!(world.engine.stats().connections, 3);
    world.assert_empty();
}

#[test]
fn all_connections_are_bounded_and_idle_ones_give_way() {
    let mut world = bounded(0, 2);
    let ids: Vec<_> = (1..=5)
        .map(|n| add(&mut world, &format!("127.0.0.{n}"), 3))
        .collect();
    assert_eq!(world.count("connect"), 2);
    assert!(serve(&mut world) <= 2, "never more sockets than that");
    assert!(ids.iter().all(|id| world.outcome(*id).is_ok()));
    world.assert_empty();
}

#[test]
fn urgent_transfers_go_first_but_nobody_starves() {
    let mut world = bounded(1, 0);
    add(&mut world, "127.0.0.1", 3);
    let low = add(&mut world, "127.0.0.1", 0);
    let high = add(&mut world, "127.0.0.1", 7);
    let mut later = Vec::new();
    let mut order = Vec::new();
    for round in 0..1200 {
        if world.ended(low) {
            break;
        }
        let id = add(&mut world, "127.0.0.1", 7);
        later.push(id);
        match world.ops.iter().position(|op| name(op) != "recv") {
            Some(at) => {
                let op = world.ops.remove(at);
                let n = match &op.kind {
                    sockless_core::OpKind::Send { bufs } => bufs.iter().map(|b| b.len()).sum(),
                    _ => 0,
                };
                world.complete(op, Ok(n));
            }
            None => {
                world.recv(&toy::answer(1));
            }
        }
        if order.is_empty() && world.ended(high) {
            order.push(round);
            assert!(!world.ended(low));
        }
    }
    assert!(!order.is_empty() && world.ended(low), "it had its turn");
    assert!(
        !world.ended(later[later.len() - 1]),
        "before ones that came much later"
    );
}

/// The busy host always has somebody waiting, and its connection is always fit for use.
#[test]
fn a_busy_host_does_not_keep_the_only_place_for_ever() {
    let mut world = bounded(0, 1);
    add(&mut world, "127.0.0.1", 3);
    let other = add(&mut world, "127.0.0.2", 3);
    for _ in 0..10 {
        add(&mut world, "127.0.0.1", 3);
        let op = world.ops.remove(0);
        let n = match &op.kind {
            sockless_core::OpKind::Send { bufs } => bufs.iter().map(|buf| buf.len()).sum(),
            _ => 0,
        };
        match name(&op) {
            "recv" => {
                let (op, n) = filled(op, &toy::answer(1));
                world.complete(op, Ok(n));
            }
            _ => world.complete(op, Ok(n)),
        }
        world.tidy();
        assert!(world.sockets.len() <= 1, "the bound holds for sockets too");
    }
    assert!(world.ended(other), "passed over by later ones");
}

#[test]
fn failures_do_not_let_newcomers_jump_the_queue() {
    let mut world = bounded(1, 0);
    add(&mut world, "127.0.0.1", 3);
    let waiting = add(&mut world, "127.0.0.1", 3);
    for _ in 0..3 {
        if world.ended(waiting) {
            return;
        }
        let connect = world.take("connect");
        world.complete_quietly(connect, Err(failure()));
        // The application reacts to the failure before the engine has gone on.
        world.outputs_left = Some(2);
        world.settle();
        world.outputs_left = None;
        add(&mut world, "127.0.0.1", 3);
        world.tidy();
    }
    assert!(world.ended(waiting), "it waited first");
}

#[test]
fn a_waiting_transfer_that_is_cancelled_passes_its_turn_on() {
    let mut world = bounded(1, 1);
    add(&mut world, "127.0.0.1", 3);
    let second = add(&mut world, "127.0.0.1", 3);
    let third = add(&mut world, "127.0.0.1", 3);
    add(&mut world, "127.0.0.2", 7);
    // The second is woken, but the urgent one gets the only place.
    world.finish_op("connect", Err(failure()));
    assert_eq!(world.attempts(), ["127.0.0.2"]);
    world.engine.cancel(second);
    world.settle();
    world.finish_op("connect", Err(failure()));
    assert_eq!(world.attempts(), ["127.0.0.1"], "the third was forgotten");
    world.finish_op("connect", Err(failure()));
    assert!(world.ended(third));
    world.tidy();
    world.assert_empty();
}

#[test]
fn a_waiting_transfer_times_out_in_the_queue() {
    let mut world = bounded(1, 0);
    add(&mut world, "127.0.0.1", 3);
    let mut options = Options::default();
    options.timeouts.total = Some(std::time::Duration::from_secs(5));
    let id = world.add_to("127.0.0.1", Toy::get(1), options);
    world.advance(std::time::Duration::from_secs(5));
    assert_eq!(world.reason(id), sockless_core::Reason::TotalTimeout);
}
