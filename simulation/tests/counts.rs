//! Exact counts, with a counting allocator: what a completion costs in steady state, how
//! many bytes are copied, and that nothing grows.
//!
//! Only what happens inside the library is counted: the network around it is of memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use fastrand::Rng;
use rustls::ServerConfig;
use sockless::tls::Version;
use sockless::{
    Completion, Driver, Endpoint, Event, Limits, OpKind, Output, Proxy, Request, Session,
    TransferId,
};
use sockless_sim::{Answer, Faults, Sim, World};
use sockless_simulation::http::Server;
use sockless_simulation::proxies::Connect;
use sockless_simulation::scenarios::session;
use sockless_simulation::secured::Secured;
use sockless_simulation::world::{HOST, Hosts, PROXY};

struct Counting;

thread_local! {
    /// Whether the library is at work.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// Bytes that this thread has allocated and not freed.
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

fn count(bytes: i64) {
    LIVE.set(LIVE.get() + bytes);
    if bytes > 0 && INSIDE.get() {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    }
}

// SAFETY: it only counts; memory is the system allocator's in every respect.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(-(layout.size() as i64));
        count(size as i64);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn inside<R>(work: impl FnOnce() -> R) -> R {
    INSIDE.set(true);
    let result = work();
    INSIDE.set(false);
    result
}

/// A network on which the server can only be reached through a proxy, by CONNECT.
struct BehindProxy(Arc<ServerConfig>);

impl World for BehindProxy {
    fn resolve(&mut self, host: &str) -> Vec<IpAddr> {
        let known = host == PROXY;
        known
            .then_some(Ipv4Addr::LOCALHOST.into())
            .into_iter()
            .collect()
    }

    fn connect(&mut self, _to: &Endpoint) -> Answer {
        let server = Secured::new(Server::new(1, true), &self.0);
        Answer::Peer(Box::new(Connect::new(server, "server.test:443", None, 1)))
    }
}

/// A session on a network on which nothing goes wrong.
struct Bench {
    session: Session,
    sim: Sim,
    done: Vec<Completion>,
    completions: u64,
    received: u64,
    /// Receives that were submitted.
    receives: u64,
}

impl Bench {
    #[allow(
        clippy::disallowed_methods,
        reason = "virtual time must begin somewhere"
    )]
    fn with(
        tls: Option<Version>,
        limits: Limits,
        world: impl FnOnce(Option<Arc<ServerConfig>>) -> Box<dyn World>,
    ) -> Self {
        let start = Instant::now();
        let (session, server) = session(limits, tls, start, 7);
        let mut faults = Faults::none();
        faults.window = 1 << 20;
        Self {
            session,
            sim: Sim::new(world(server), faults, start, 1),
            done: Vec::new(),
            completions: 0,
            received: 0,
            receives: 0,
        }
    }

    fn new(tls: Option<Version>, limits: Limits) -> Self {
        Self::with(tls, limits, |tls| {
            Box::new(Hosts {
                rng: Rng::with_seed(1),
                tls,
                dead: 0,
                calm: true,
                chained: false,
            })
        })
    }

    fn start(&mut self, scheme: &str, bytes: u64) {
        let request = Request::get(&format!("{scheme}://{HOST}/{bytes}")).expect("a URL");
        self.send(request);
    }

    fn send(&mut self, request: Request) -> TransferId {
        let started = self.session.start(self.sim.now(), request);
        started.expect("it starts")
    }

    /// Runs until `bytes` of body have come or a transfer has ended; says whether one has.
    fn run(&mut self, bytes: u64) -> bool {
        loop {
            let now = self.sim.now();
            match inside(|| self.session.poll(now)) {
                Output::Submit(op) => {
                    self.receives += u64::from(matches!(op.kind, OpKind::Recv { .. }));
                    self.sim.submit(op);
                }
                Output::Cancel(id) => self.sim.cancel(id),
                Output::Event(_, Event::Data(piece)) => {
                    self.received += piece.len() as u64;
                    if self.received >= bytes {
                        return false;
                    }
                }
                Output::Event(_, Event::Done { outcome, .. }) => {
                    outcome.expect("nothing goes wrong here");
                    return true;
                }
                Output::Wait(deadline) => {
                    let waited = self.sim.wait(deadline, &mut self.done);
                    waited.expect("it never fails");
                    let now = self.sim.now();
                    for Completion { op, result } in self.done.drain(..) {
                        self.completions += 1;
                        inside(|| self.session.complete(now, op, result));
                    }
                }
                _ => {}
            }
        }
    }
}

const MIB: u64 = 1 << 20;

/// Allocations and completions of a download from its 32nd to its 96th MiB.
fn steady(scheme: &str, tls: Option<Version>) -> (u64, u64) {
    let mut bench = Bench::new(tls, Limits::default());
    bench.start(scheme, 100 * MIB);
    bench.run(32 * MIB);
    let before = (ALLOCATIONS.get(), bench.completions);
    bench.run(96 * MIB);
    (ALLOCATIONS.get() - before.0, bench.completions - before.1)
}

#[test]
fn a_completion_in_steady_state_allocates_nothing() {
    for (scheme, tls) in [
        ("http", None),
        ("https", Some(Version::Tls12)),
        ("https", Some(Version::Tls13)),
    ] {
        let (allocations, completions) = steady(scheme, tls);
        assert!(completions > 200, "{completions} completions");
        assert_eq!(allocations, 0, "{scheme} {tls:?}: in {completions}");
    }
}

/// What a download of `size` MiB over TLS took: operations and receives in all, then
/// allocations and completions of all but its first and last 2 MiB.
fn cost(size: u64, tunneled: bool) -> ([u64; 2], [u64; 2]) {
    let request = Request::get(&format!("https://{HOST}/{}", size * MIB)).expect("a URL");
    let (mut bench, request) = match tunneled {
        false => (Bench::new(Some(Version::Tls13), Limits::default()), request),
        true => {
            let world = |tls: Option<_>| Box::new(BehindProxy(tls.expect("TLS"))) as Box<_>;
            let proxy = Proxy::parse(&format!("http://{PROXY}:3128")).expect("a proxy");
            let bench = Bench::with(Some(Version::Tls13), Limits::default(), world);
            (bench, request.proxy(proxy))
        }
    };
    let id = bench.send(request);
    bench.run(2 * MIB);
    assert_eq!(bench.session.layers(id), ["tls"], "tunneled: {tunneled}");
    let before = [ALLOCATIONS.get(), bench.completions];
    bench.run((size - 2) * MIB);
    let steady = [ALLOCATIONS.get() - before[0], bench.completions - before[1]];
    assert!(bench.run(u64::MAX));
    let all = [bench.session.stats().submitted, bench.receives];
    (all, steady)
}

#[test]
fn a_tunnel_that_is_made_costs_nothing() {
    for size in [6, 14] {
        let (direct, steady) = cost(size, false);
        let (tunneled, steady_in_tunnel) = cost(size, true);
        assert_eq!(steady, steady_in_tunnel, "{size} MiB");
        // To ask for the tunnel, and its answer.
        let more = [direct[0] + 2, direct[1] + 1];
        assert_eq!(tunneled, more, "{size} MiB");
    }
}

#[test]
fn at_most_one_percent_of_a_body_is_copied() {
    let mut limits = Limits::default();
    limits.max_min = 256 * 1024;
    let mut bench = Bench::new(Some(Version::Tls13), limits);
    bench.start("https", 100 * MIB);
    assert!(bench.run(u64::MAX));
    let copied = bench.session.stats().copied;
    assert!(
        copied * 100 <= 100 * MIB,
        "{copied} bytes of {} were copied",
        100 * MIB
    );
}

#[test]
fn a_hundred_thousand_transfers_leave_no_growth() {
    let mut bench = Bench::new(None, Limits::default());
    let mut grown = 0;
    for n in 0..100_000 {
        bench.start("http", 100);
        assert!(bench.run(u64::MAX));
        if n == 10_000 {
            grown = LIVE.get();
        }
    }
    grown = LIVE.get() - grown;
    assert!(grown.abs() < 4096, "{grown} bytes in 90,000 transfers");
    assert_eq!(bench.session.stats().connections, 1);
}
