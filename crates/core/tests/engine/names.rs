//! Names whose addresses the layers want, looked up before they are built.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sockless_core::{Culprit, Fault, Filter, OpKind, Options, Reason, Recipe, TransferId};

use crate::toy::{self, Toy};
use crate::world::{World, failure, routed};

/// What a recipe was built with, once it was.
type Built = Arc<Mutex<Vec<Vec<Vec<IpAddr>>>>>;

struct Names {
    wanted: Vec<(Arc<str>, u16)>,
    built: Built,
    refuses: bool,
}

impl Recipe for Names {
    fn names(&self) -> &[(Arc<str>, u16)] {
        &self.wanted
    }

    fn filters(&self, found: &[Vec<IpAddr>]) -> Result<Vec<Box<dyn Filter>>, Fault> {
        self.built.lock().expect("one thread").push(found.to_vec());
        match self.refuses {
            true => Err(Fault::new(
                Culprit::Misuse,
                Reason::BadRequest,
                "not these addresses",
            )),
            false => Ok(Vec::new()),
        }
    }
}

fn wants(world: &mut World, names: &[&str], refuses: bool) -> (TransferId, Built) {
    let built = Built::default();
    let recipe = Names {
        wanted: names.iter().map(|name| (Arc::from(*name), 443)).collect(),
        built: Arc::clone(&built),
        refuses,
    };
    let route = routed("proxy.example", Box::new(recipe));
    let id = world
        .engine
        .add(route, Box::new(Toy::get(3)), Options::default());
    world.settle();
    (id, built)
}

fn asks_for(world: &World) -> Vec<(String, u16)> {
    let asked = world.ops.iter().filter_map(|op| match &op.kind {
        OpKind::Resolve { host, port, .. } => Some((host.to_string(), *port)),
        _ => None,
    });
    asked.collect()
}

#[test]
fn they_are_asked_for_first_and_literal_addresses_are_not() {
    let mut world = World::plain();
    let names = ["a.example", "192.0.2.9", "b.example", "2001:db8::9"];
    let (id, built) = wants(&mut world, &names, false);
    assert_eq!(asks_for(&world), [("a.example".to_owned(), 443)]);
    world.resolve(&["192.0.2.1", "2001:db8::1"]);
    assert_eq!(asks_for(&world), [("b.example".to_owned(), 443)]);
    assert!(built.lock().expect("one thread").is_empty());
    world.advance(Duration::from_secs(1));
    world.resolve(&["192.0.2.2"]);
    assert_eq!(asks_for(&world), [("proxy.example".to_owned(), 7)]);
    world.advance(Duration::from_secs(1));
    world.resolve(&["192.0.2.77"]);
    assert_eq!(world.attempts(), ["192.0.2.77"]);
    let ips = |list: &[&str]| -> Vec<IpAddr> {
        let parse = |ip: &&str| ip.parse().expect("an address");
        list.iter().map(parse).collect()
    };
    let found = vec![
        ips(&["192.0.2.1", "2001:db8::1"]),
        ips(&["192.0.2.9"]),
        ips(&["192.0.2.2"]),
        ips(&["2001:db8::9"]),
    ];
    assert_eq!(*built.lock().expect("one thread"), [found]);
    world.finish_op("connect", Ok(0));
    world.send();
    world.recv(&toy::answer(3));
    assert!(world.outcome(id).is_ok());
    let resolved = world.summary(id).resolved;
    assert_eq!(resolved, Some(Duration::from_secs(2)), "the target too");
    world.assert_empty();
}

#[test]
fn a_kept_connection_asks_nobody() {
    let mut world = World::plain();
    let (id, built) = wants(&mut world, &["a.example"], false);
    world.resolve(&["192.0.2.1"]);
    world.resolve(&["192.0.2.2"]);
    world.finish_op("connect", Ok(0));
    world.send();
    world.recv(&toy::answer(3));
    assert!(world.outcome(id).is_ok());
    let (_, again) = wants(&mut world, &["a.example"], false);
    assert_eq!(world.count("resolve"), 0);
    assert_eq!(world.send(), toy::request(3, 0));
    assert_eq!(built.lock().expect("one thread").len(), 1);
    assert!(again.lock().expect("one thread").is_empty());
}

#[test]
fn one_without_an_address_is_an_error_that_names_it() {
    for result in [Ok(0), Err(failure())] {
        let mut world = World::plain();
        let (id, built) = wants(&mut world, &["a.example", "b.example"], false);
        world.resolve(&["192.0.2.1"]);
        world.finish_op("resolve", result);
        assert_eq!(world.reason(id), Reason::Resolve);
        let error = world.outcome(id).as_ref().expect_err("no address");
        assert!(error.what().contains("b.example"), "{error}");
        assert!(built.lock().expect("one thread").is_empty());
        world.assert_empty();
    }
}

#[test]
fn layers_that_cannot_be_built_end_the_transfer() {
    let mut world = World::plain();
    let (id, _) = wants(&mut world, &["a.example"], true);
    world.resolve(&["192.0.2.1"]);
    assert_eq!(world.reason(id), Reason::BadRequest);
    world.assert_empty();
}

#[test]
fn they_count_towards_the_connect_timeout() {
    let mut world = World::plain();
    let (id, _) = wants(&mut world, &["a.example"], false);
    world.advance(Duration::from_secs(20));
    world.resolve(&["192.0.2.1"]);
    world.advance(Duration::from_secs(9));
    assert!(!world.ended(id));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.reason(id), Reason::ConnectTimeout);
    world.tidy();
    world.assert_empty();
}

#[test]
fn a_transfer_can_be_cancelled_meanwhile() {
    for answered in [0, 1] {
        let mut world = World::plain();
        let (id, built) = wants(&mut world, &["a.example", "b.example"], false);
        (0..answered).for_each(|_| world.resolve(&["192.0.2.1"]));
        world.engine.cancel(id);
        world.settle();
        assert_eq!(world.reason(id), Reason::Cancelled);
        // The answer comes all the same, to nobody.
        world.resolve(&["192.0.2.2"]);
        assert!(world.ops.is_empty(), "{:?}", world.ops);
        assert!(built.lock().expect("one thread").is_empty());
        world.assert_empty();
    }
}
