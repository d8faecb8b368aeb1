//! The layer as a byte stream.

use sockless_core::{Buf, Culprit, Filter, Reason};
use sockless_ssh::Ssh;

use crate::server::Manner;
use crate::world::{World, alice, config};

fn filter(host: &str) -> Ssh {
    let client = config(alice()).build().expect("good settings");
    client.tunnel("host", 22, (host, 80)).expect("a filter")
}

fn tunnel(host: &str) -> World {
    let mut world = World::new(filter(host), Manner::default());
    world.stream = true;
    world.run();
    world
}

fn heard(world: &mut World) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = world.app_in.pop() {
        all.extend_from_slice(&piece);
    }
    all
}

#[test]
fn bytes_both_ways_and_an_end_each() {
    let mut world = tunnel("beyond");
    world.expect_open();
    world.app_out.push(Buf::from(&b"up"[..]));
    world.run();
    world.server.tell(b"down");
    world.server.tell_eof();
    world.run();
    assert_eq!(heard(&mut world), b"down");
    assert!(world.app_in.at_end());
    // The peer has said all; we have not.
    world.app_out.push(Buf::from(&b" and up"[..]));
    world.run();
    assert!(!world.net_out.is_finished());
    world.app_out.finish();
    world.run();
    let seen = world.server.seen.lock().expect("no panic");
    assert_eq!((&seen.received[..], seen.eof), (&b"up and up"[..], true));
    assert_eq!(seen.opened, ["beyond:80"]);
    assert!(world.net_out.at_end());
}

#[test]
fn our_end_leaves_the_other_direction_open() {
    let mut world = tunnel("beyond");
    world.app_out.finish();
    world.run();
    assert!(world.server.seen.lock().expect("no panic").eof);
    world.server.tell(b"still here");
    world.run();
    assert_eq!(heard(&mut world), b"still here");
    world.server.tell_eof();
    world.run();
    assert!(world.app_in.at_end() && world.net_out.at_end());
}

#[test]
fn a_way_that_is_refused_is_a_fault() {
    let mut world = tunnel("nowhere");
    let fault = world.fault();
    assert_eq!(
        (fault.culprit, fault.reason),
        (Culprit::Policy, Reason::Proxy)
    );
    assert!(fault.what.contains("nowhere:80"), "{}", fault.what);
    world.run();
    assert!(world.net_out.at_end(), "the peer is told");
}

/// The stream of one connection carries another.
#[test]
fn ssh_in_ssh() {
    let mut outer = tunnel("inner");
    let mut inner = World::logged_in_over(|inner| {
        // What the inner one sends goes into the outer one, and comes out at its server.
        while let Some(piece) = inner.net_out.pop() {
            outer.app_out.push(piece);
        }
        outer.run();
        let sent = core::mem::take(&mut outer.server.seen.lock().expect("no panic").received);
        inner.server.hear(&sent);
        let (bytes, _) = inner.server.speak();
        outer.server.tell(&bytes);
        outer.run();
        while let Some(piece) = outer.app_in.pop() {
            inner.net_in.push(piece);
        }
    });
    inner.pump();
    inner.expect_open();
    assert_eq!(inner.filter.layer(), "ssh");
    assert_eq!(inner.attempts().last().map(String::as_str), Some("1 lines"));
}
