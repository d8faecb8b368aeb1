//! Cancelling at every moment.

use sockless_core::{Buf, Limits, Options, TransferId};

use crate::toy::{self, Toy};
use crate::world::{World, name};

/// A conversation with a bit of everything, which stops after `outputs` outputs.
fn play(outputs: usize) -> (World, TransferId) {
    let mut limits = Limits::default();
    limits.pipe = 64;
    let mut world = World::new(limits);
    world.outputs_left = Some(outputs);
    let id = world.add_to("host.example", Toy::put(200), Options::default());
    let mut given = 0;
    let mut answer = toy::answer(5);
    for _ in 0..200 {
        if world.outputs_left == Some(0) || world.ended(id) {
            break;
        }
        if world.wants(id).len() > given {
            given += 1;
            let _taken = world.engine.send_body(id, Buf::from(vec![7; 50]));
            world.settle();
            continue;
        }
        let Some(kind) = world.ops.iter().map(name).find(|kind| *kind != "recv") else {
            if given == 4 && !answer.is_empty() {
                let part: Vec<u8> = answer.drain(..2.min(answer.len())).collect();
                world.recv(&part);
                continue;
            }
            break;
        };
        match kind {
            "resolve" => world.resolve(&["192.0.2.1", "::1"]),
            "send" => drop(world.send_some(33)),
            kind => world.finish_op(kind, Ok(0)),
        }
    }
    (world, id)
}

#[test]
fn cancel_after_every_output_returns_every_operation_once() {
    let whole = play(usize::MAX);
    assert!(whole.0.outcome(whole.1).is_ok(), "the script itself works");
    let outputs = whole.0.log.len();
    assert!(outputs > 15, "{outputs}");
    for k in 0..=outputs {
        for backwards in [false, true] {
            let (mut world, id) = play(k);
            world.engine.cancel(id);
            world.outputs_left = None;
            world.settle();
            assert!(world.ended(id), "after {k}");
            if backwards {
                world.ops.reverse();
            }
            world.tidy();
            world.assert_empty();
        }
    }
}

#[test]
fn an_engine_may_be_dropped_after_every_output() {
    let outputs = play(usize::MAX).0.log.len();
    for k in 0..=outputs {
        let World { engine, ops, .. } = play(k).0;
        drop(engine);
        drop(ops);
    }
}
