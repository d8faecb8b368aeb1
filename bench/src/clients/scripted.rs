//! The engine alone: a scripted peer in memory answers every request at once.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use sockless::core::{Engine, Key, Options, Plain, Pool, Route, Target};
use sockless::http::{Http1, Http1Config, Request};
use sockless::{Event, Limits, Op, OpKind, Output};

use super::Task;
use crate::measure::Figures;

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: script\r\nContent-Length: 32\r\n\r\n0123456789abcdef0123456789abcdef";

/// Connections that carry requests; all others idle.
const BUSY: usize = 10;

/// Opens all connections, leaves all but a few of them idle, and measures completions.
pub(super) fn run(task: &Task) -> io::Result<Figures> {
    let mut limits = Limits::default();
    limits.connections = 0;
    limits.idle_connections = task.connections + 1;
    limits.idle_keep = Duration::from_secs(100_000);
    let start = Instant::now();
    let mut world = World {
        engine: Engine::new(limits, start, SystemTime::now(), 1),
        peer: Peer::default(),
        route: route(),
        completions: 0,
        active: 0,
    };
    let fresh = task.connections.saturating_sub(BUSY).max(1);
    world.requests(fresh, fresh, true)?;
    let busy = BUSY.min(task.connections);
    // What is allocated once is there after this.
    world.requests(1000, busy, false)?;
    let (before, began) = (world.completions, Instant::now());
    let cpu = crate::measure::cpu_seconds(libc::RUSAGE_SELF);
    world.requests(task.count, busy, false)?;
    let cpu = crate::measure::cpu_seconds(libc::RUSAGE_SELF) - cpu;
    let completions = (world.completions - before) as f64;
    let mut figures = Figures::new();
    figures.insert("nanoseconds".to_owned(), cpu * 1e9 / completions);
    figures.insert("wall".to_owned(), began.elapsed().as_secs_f64());
    figures.insert("idle".to_owned(), world.engine.stats().idle as f64);
    figures.insert("per_request".to_owned(), completions / task.count as f64);
    Ok(figures)
}

fn route() -> Arc<Route> {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 80));
    let key = Key {
        target: Target::Addresses(vec![address]),
        local: None,
        protocol: "http/1.1",
        layers: Vec::new(),
    };
    Arc::new(Route {
        key,
        recipe: Box::new(Plain),
    })
}

/// The peer's half: receives that wait, by connection, and requests that came before them.
#[derive(Default)]
struct Peer {
    waiting: Vec<Option<Op>>,
    asked: Vec<bool>,
    done: VecDeque<(Op, usize)>,
}

impl Peer {
    fn submit(&mut self, mut op: Op, pool: &Pool) {
        let slot = op.conn.slot();
        if self.waiting.len() <= slot {
            self.waiting.resize_with(slot + 1, || None);
            self.asked.resize(slot + 1, false);
        }
        match &mut op.kind {
            OpKind::Recv { .. } => {
                self.waiting[slot] = Some(op);
                self.answer(slot, pool);
            }
            OpKind::Send { bufs } => {
                let n = bufs.iter().map(|buf| buf.len()).sum();
                self.asked[slot] = true;
                self.done.push_back((op, n));
                self.answer(slot, pool);
            }
            _ => self.done.push_back((op, 0)),
        }
    }

    /// A receive without a buffer gets one of the engine's pool, as drivers do it.
    fn answer(&mut self, slot: usize, pool: &Pool) {
        if !self.asked[slot] {
            return;
        }
        let Some(mut op) = self.waiting[slot].take() else {
            return;
        };
        self.asked[slot] = false;
        if let OpKind::Recv { buf, .. } = &mut op.kind {
            let buf = buf.get_or_insert_with(|| pool.take(2048));
            buf.spare_mut()[..ANSWER.len()].copy_from_slice(ANSWER);
        }
        self.done.push_back((op, ANSWER.len()));
    }

    /// Ends a receive early, as a driver does; `id` may name one that is done already.
    fn cancel(&mut self, id: sockless::OpId) -> Option<Op> {
        let found = self
            .waiting
            .iter_mut()
            .find(|op| op.as_ref().is_some_and(|op| op.id == id))?;
        found.take()
    }
}

struct World {
    engine: Engine,
    peer: Peer,
    route: Arc<Route>,
    completions: usize,
    active: usize,
}

impl World {
    /// `count` requests, `at_once` of them at a time.
    fn requests(&mut self, count: usize, at_once: usize, fresh: bool) -> io::Result<()> {
        let mut left = count;
        loop {
            while self.active < at_once && left > 0 {
                left -= 1;
                self.active += 1;
                self.add(fresh)?;
            }
            let now = Instant::now();
            self.turn(now)?;
            let came = !self.peer.done.is_empty();
            while let Some((op, n)) = self.peer.done.pop_front() {
                self.completions += 1;
                self.engine.complete(now, op, Ok(n));
            }
            if !came && self.active == 0 && left == 0 {
                return Ok(());
            }
        }
    }

    fn add(&mut self, fresh: bool) -> io::Result<()> {
        let fault = |fault: sockless::core::Fault| io::Error::other(fault.at("http"));
        let request = Request::new("GET", "/", "script").map_err(fault)?;
        let exchange = Http1::new(request, Http1Config::default());
        let mut options = Options::default();
        options.fresh_connection = fresh;
        self.engine
            .add(Arc::clone(&self.route), Box::new(exchange), options);
        Ok(())
    }

    fn turn(&mut self, now: Instant) -> io::Result<()> {
        loop {
            match self.engine.poll(now) {
                Output::Submit(op) => self.peer.submit(op, self.engine.pool()),
                Output::Cancel(id) => {
                    if let Some(op) = self.peer.cancel(id) {
                        let error = io::Error::from_raw_os_error(libc::ECANCELED);
                        self.engine.complete(now, op, Err(error));
                    }
                }
                Output::Event(_, Event::Done { outcome, .. }) => {
                    outcome.map_err(io::Error::other)?;
                    self.active -= 1;
                }
                Output::Wait(_) => return Ok(()),
                _ => {}
            }
        }
    }
}
