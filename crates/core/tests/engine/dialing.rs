//! From a name to a connection.

use std::time::Duration;

use sockless_core::{Options, Reason};

use crate::toy::{self, Toy};
use crate::world::{World, failure};

fn named(world: &mut World) -> sockless_core::TransferId {
    world.add_to("host.example", Toy::get(3), Options::default())
}

#[test]
fn a_transfer_goes_from_name_to_answer() {
    let mut world = World::plain();
    let id = named(&mut world);
    world.resolve(&["192.0.2.1"]);
    assert_eq!(world.attempts(), ["192.0.2.1"]);
    world.finish_op("connect", Ok(0));
    assert_eq!(world.send(), toy::request(3, 0));
    world.recv(&toy::answer(3));
    assert!(world.outcome(id).is_ok());
    assert_eq!(world.body(id), toy::pattern(0, 3));
    assert_eq!(world.summary(id).connects, 1);
    assert_eq!(world.summary(id).body_received, 3);
    world.assert_empty();
}

#[test]
fn a_literal_address_is_not_resolved() {
    for literal in ["127.0.0.1", "::1"] {
        let mut world = World::plain();
        world.add_to(literal, Toy::get(1), Options::default());
        assert_eq!(world.count("resolve"), 0);
        assert_eq!(world.attempts(), [literal]);
    }
}

#[test]
fn a_name_that_has_no_address_is_an_error_that_names_it() {
    for result in [Ok(0), Err(failure())] {
        let mut world = World::plain();
        let id = named(&mut world);
        world.finish_op("resolve", result);
        assert_eq!(world.reason(id), Reason::Resolve);
        let text = world.outcome(id).as_ref().unwrap_err().to_string();
        assert!(text.contains("host.example"), "{text}");
        world.assert_empty();
    }
}

#[test]
fn families_alternate_and_each_gets_a_head_start() {
    let mut world = World::plain();
    named(&mut world);
    world.resolve(&["2001:db8::1", "2001:db8::2", "192.0.2.1"]);
    assert_eq!(world.attempts(), ["2001:db8::1"]);
    world.advance(Duration::from_millis(249));
    assert_eq!(world.attempts().len(), 1);
    world.advance(Duration::from_millis(1));
    assert_eq!(world.attempts(), ["2001:db8::1", "192.0.2.1"]);
    world.advance(Duration::from_millis(250));
    assert_eq!(
        world.attempts(),
        ["2001:db8::1", "192.0.2.1", "2001:db8::2"]
    );
}

#[test]
fn a_failed_attempt_is_followed_at_once() {
    let mut world = World::plain();
    named(&mut world);
    world.resolve(&["192.0.2.1", "192.0.2.2"]);
    world.finish_op("connect", Err(failure()));
    assert_eq!(world.attempts(), ["192.0.2.2"]);
    assert_eq!(world.count("close"), 1, "the failed socket is given back");
}

#[test]
fn the_winner_takes_all_and_losers_are_cancelled_joined_and_closed() {
    let mut world = World::plain();
    let id = named(&mut world);
    world.resolve(&["192.0.2.1", "192.0.2.2"]);
    world.advance(Duration::from_millis(250));
    let loser = world.take("connect");
    world.finish_op("connect", Ok(0));
    assert!(world.cancelled.contains(&loser.id));
    assert_eq!(world.count("close"), 0, "not before it has come back");
    // It connected after all: still only closed.
    world.complete(loser, Ok(0));
    assert_eq!(world.count("close"), 1);
    world.send();
    world.recv(&toy::answer(3));
    assert!(world.outcome(id).is_ok());
    assert_eq!(world.summary(id).connects, 2);
    world.assert_empty();
}

#[test]
fn when_all_attempts_fail_the_error_names_each_address() {
    let mut world = World::plain();
    let id = named(&mut world);
    world.resolve(&["192.0.2.1", "2001:db8::1"]);
    world.finish_op("connect", Err(failure()));
    assert!(!world.ended(id));
    world.finish_op("connect", Err(failure()));
    assert_eq!(world.reason(id), Reason::Connect);
    let text = world.outcome(id).as_ref().unwrap_err().to_string();
    assert!(
        text.contains("192.0.2.1:7") && text.contains("[2001:db8::1]:7"),
        "{text}"
    );
    assert!(text.contains("host.example:7"), "{text}");
    world.assert_empty();
}

#[test]
fn no_more_addresses_than_the_limit_are_tried() {
    let mut limits = sockless_core::Limits::default();
    limits.addresses = 2;
    let mut world = World::new(limits);
    let id = named(&mut world);
    world.resolve(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    world.finish_op("connect", Err(failure()));
    world.finish_op("connect", Err(failure()));
    assert_eq!(world.reason(id), Reason::Connect);
    world.assert_empty();
}

#[test]
fn the_connect_timeout_ends_a_race() {
    let mut world = World::plain();
    let id = named(&mut world);
    world.resolve(&["192.0.2.1", "192.0.2.2"]);
    world.advance(Duration::from_secs(29));
    assert!(!world.ended(id));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.reason(id), Reason::ConnectTimeout);
    assert_eq!(world.cancelled.len(), 2);
    world.tidy();
    world.assert_empty();
}
