//! On which threads a connection's runtime runs, wherever the application lives.
//!
//! One test, so that nobody else's threads are counted.

#[path = "../ssh/server.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod server;
#[path = "../ssh/world.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod world;

use sockless_ssh::Library;
use sockless_ssh::message::Kind;
use tokio::runtime::{Builder, Runtime};

use server::Manner;
use world::{World, alice};

/// The library that speaks for us: the one that has a runtime.
const LIBRARY: Library = Library::Russh;

#[test]
fn no_thread_is_made_but_inside_a_runtime_and_that_one_goes() {
    let before = threads();
    let mut worlds: Vec<World> = (0..20).map(|_| world()).collect();
    for world in &mut worlds {
        converse(world, World::pump);
    }
    assert_eq!(threads(), before, "twenty connections on a plain thread");

    inside(&current_thread(), before);
    inside(&multi_thread(), before);
    dropped_inside(worlds, &current_thread());
    dropped_inside(vec![hosted(&current_thread())], &multi_thread());
    // Made inside, and dropped where no runtime is.
    drop(hosted(&current_thread()));
    settled(before);
    on_a_worker();
    settled(before);
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

fn multi_thread() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).build().expect("a runtime")
}

fn world() -> World {
    World::channels(alice(), Manner::default())
}

/// A login and a command, each pump done by `pump`.
fn converse(world: &mut World, mut pump: impl FnMut(&mut World)) {
    world.put(1, Kind::Exec, b"cat");
    world.put(1, Kind::Data, b"hello");
    world.put(1, Kind::Eof, b"");
    for _ in 0..100 {
        pump(world);
        world.carry();
    }
    assert!(world.fault.is_none(), "{:?}", world.fault);
    assert_eq!(world.payload(1, Kind::Data), b"hello");
}

/// An application that pumps within its own runtime: one more thread, however many connections.
fn inside(runtime: &Runtime, before: usize) {
    let workers = threads() - before;
    let client = world::config(alice()).build().expect("good settings");
    let mut worlds: Vec<World> = (0..5)
        .map(|_| {
            World::new(
                client.channels("host", 22).expect("a filter"),
                Manner::default(),
            )
        })
        .collect();
    for world in &mut worlds {
        converse(world, |world| runtime.block_on(async { world.pump() }));
    }
    assert_eq!(threads(), before + workers + 1);
}

fn hosted(runtime: &Runtime) -> World {
    let mut world = world();
    converse(&mut world, |world| runtime.block_on(async { world.pump() }));
    world
}

fn dropped_inside(worlds: Vec<World>, runtime: &Runtime) {
    runtime.block_on(async { drop(worlds) });
}

/// On a worker of the application's runtime, which another thread's `block_on` is not.
fn on_a_worker() {
    let runtime = multi_thread();
    let mut world = world();
    world.put(1, Kind::Exec, b"cat");
    world.put(1, Kind::Data, b"hello");
    for _ in 0..100 {
        let pumped = runtime.spawn(async move {
            world.pump();
            world
        });
        world = runtime.block_on(pumped).expect("no panic");
        world.carry();
    }
    assert!(world.fault.is_none(), "{:?}", world.fault);
    assert_eq!(world.payload(1, Kind::Data), b"hello");
    let dropped = runtime.spawn(async move { drop(world) });
    runtime.block_on(dropped).expect("no panic");
}

fn threads() -> usize {
    #[allow(clippy::disallowed_methods, reason = "the kernel knows the threads")]
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    tasks.count()
}

/// The threads end by themselves, each when the scheduler lets it.
#[track_caller]
fn settled(before: usize) {
    for _ in 0..10_000 {
        if threads() == before {
            return;
        }
        #[allow(
            clippy::disallowed_methods,
            reason = "others need the processor to end"
        )]
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert_eq!(threads(), before, "threads are left");
}
