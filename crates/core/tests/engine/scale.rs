//! Many transfers leave nothing behind; idle connections cost nothing.

use sockless_core::{Limits, Options};

use crate::toy::{self, Toy};
use crate::world::{World, filled};

#[test]
fn ten_thousand_transfers_in_a_row_leave_no_growth() {
    let mut world = World::plain();
    world.kept();
    let mut allocated = 0;
    for n in 0..10_000 {
        let id = world.add(Toy::get(20));
        world.send();
        world.recv(&toy::answer(20));
        assert!(world.outcome(id).is_ok());
        world.log.clear();
        if n == 100 {
            allocated = world.engine.pool().stats().allocated;
        }
    }
    let stats = world.engine.stats();
    assert_eq!((stats.connections, stats.idle, stats.transfers), (1, 1, 0));
    assert_eq!(stats.in_flight, 1);
    assert_eq!(world.engine.pool().stats().allocated, allocated);
    assert_eq!(stats.submitted, 3 + 1 + 2 * 10_000 + 0);
    world.assert_empty();
}

#[test]
fn ten_thousand_idle_connections_are_left_alone() {
    let mut limits = Limits::default();
    (limits.connections, limits.idle_connections) = (0, 10_000);
    let mut world = World::new(limits);
    for n in 0..10_000 {
        let host = format!("127.0.{}.{}", n / 250, n % 250);
        world.add_to(&host, Toy::get(1), Options::default());
        let connect = world.ops.pop().expect("a connect");
        world.complete(connect, Ok(0));
        let recv = world.ops.pop().expect("a receive");
        world.send();
        let (recv, got) = filled(recv, &toy::answer(1));
        world.complete(recv, Ok(got));
        world.log.clear();
    }
    assert_eq!(world.engine.stats().idle, 10_000);
    let before = world.engine.stats();
    world.advance(std::time::Duration::from_secs(100));
    assert!(world.log.is_empty(), "{:?}", &world.log[..1]);
    assert_eq!(world.engine.stats().submitted, before.submitted);
    assert_eq!(world.engine.pool().stats().kept_bytes, {
        // All receive buffers are back: idle connections hold none.
        let stats = world.engine.pool().stats();
        stats.kept_blocks * (stats.kept_bytes / stats.kept_blocks.max(1))
    });
    world.advance(std::time::Duration::from_secs(18));
    assert_eq!(world.engine.stats().idle, 0, "all of them expire");
}
