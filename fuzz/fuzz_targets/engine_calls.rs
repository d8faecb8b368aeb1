//! Any sequence of engine calls against a reference model: every operation is known until
//! it has come back, every transfer ends once, and delivers what was sent, in order.
#![no_main]
#![allow(clippy::disallowed_methods, reason = "a fuzzer must start its Instants somewhere")]

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use libfuzzer_sys::fuzz_target;
use sockless_core::{
    Buf, Cx, Engine, Event, Exchange, Fault, Key, Limits, Op, OpKind, Options, Output, Plain,
    Reason, Route, Target, Top, TransferId, Turn,
};

#[derive(arbitrary::Arbitrary, Debug)]
enum Call {
    Add { host: u8, length: u8, reusable: bool },
    Cancel(u8),
    Pause(u8),
    Resume(u8),
    Complete { which: u8, bytes: u8 },
    Fail { which: u8 },
    Stale { which: u8 },
    Pass(u16),
}

/// Sends one byte, wants `length` bytes that count upward, and is done.
struct Count {
    length: u8,
    at: u8,
    asked: bool,
    reusable: bool,
}

impl Exchange for Count {
    fn layer(&self) -> &'static str {
        "count"
    }

    fn pump(&mut self, top: Top<'_>, cx: &mut Cx<'_>) -> Result<Turn, Fault> {
        if !std::mem::replace(&mut self.asked, true) {
            top.to_peer.write(&[self.length], |n| cx.buf(n));
        }
        while self.at < self.length {
            let room = top.events.room().min(usize::from(self.length - self.at));
            let Some(piece) = top.from_peer.pop_max(room) else { break };
            self.at += piece.len() as u8;
            top.events.data(piece);
        }
        if self.at == self.length {
            return Ok(Turn::Finished { reusable: self.reusable && top.from_peer.is_empty() });
        }
        if top.from_peer.at_end() {
            return Err(Fault::misbehaved(Reason::EmptyReply, "it closed"));
        }
        Ok(Turn::Blocked)
    }

    fn restart(&mut self, _reused: bool) -> bool {
        let clean = self.at == 0;
        self.asked = !clean;
        clean
    }

    fn expects(&self) -> u64 {
        u64::from(self.length - self.at)
    }
}

#[derive(Default)]
struct Model {
    flying: Vec<Op>,
    alive: BTreeMap<TransferId, (u8, bool)>,
    names: Vec<TransferId>,
    /// What the peer still has to say, by connection.
    owed: BTreeMap<u64, Vec<u8>>,
}

fuzz_target!(|calls: Vec<Call>| {
    let mut now = Instant::now();
    let mut limits = Limits::default();
    (limits.connections, limits.connections_per_host, limits.idle_connections) = (5, 3, 2);
    let mut engine = Engine::new(limits, now, SystemTime::UNIX_EPOCH, 1);
    let mut model = Model::default();
    for call in calls.iter().take(400) {
        apply(&mut engine, &mut model, call, &mut now);
        poll(&mut engine, &mut model, now);
        assert_eq!(engine.stats().in_flight, model.flying.len());
    }
    // Everything ends: cancel what lives, bring back what flies.
    model.names.iter().for_each(|id| engine.cancel(*id));
    engine.close_idle();
    for _ in 0..10_000 {
        poll(&mut engine, &mut model, now);
        let Some(op) = model.flying.pop() else { break };
        engine.complete(now, op, Err(io::Error::from_raw_os_error(125)));
    }
    let stats = engine.stats();
    assert_eq!((stats.in_flight, stats.connections, stats.transfers), (0, 0, 0), "{stats:?}");
    assert!(model.alive.is_empty(), "{:?} never ended", model.alive);
});

fn apply(engine: &mut Engine, model: &mut Model, call: &Call, now: &mut Instant) {
    let pick = |list: &[TransferId], n: &u8| list.get(usize::from(*n) % list.len().max(1)).copied();
    match call {
        Call::Add { host, length, reusable } => {
            let target = Target::Host { host: format!("127.0.0.{}", host % 3).into(), port: 1 };
            let key = Key { target, local: None, protocol: "count", layers: Vec::new() };
            let route = Arc::new(Route { key, recipe: Box::new(Plain) });
            let count = Count { length: *length, at: 0, asked: false, reusable: *reusable };
            let id = engine.add(route, Box::new(count), Options::default());
            model.alive.insert(id, (0, *reusable));
            model.names.push(id);
        }
        Call::Cancel(n) => pick(&model.names, n).into_iter().for_each(|id| engine.cancel(id)),
        Call::Pause(n) => pick(&model.names, n).into_iter().for_each(|id| engine.pause(id)),
        Call::Resume(n) => pick(&model.names, n).into_iter().for_each(|id| engine.resume(id)),
        Call::Complete { which, bytes } if !model.flying.is_empty() => {
            let op = model.flying.swap_remove(usize::from(*which) % model.flying.len());
            carry_out(engine, model, op, usize::from(*bytes), *now);
        }
        Call::Fail { which } if !model.flying.is_empty() => {
            let op = model.flying.swap_remove(usize::from(*which) % model.flying.len());
            engine.complete(*now, op, Err(io::ErrorKind::ConnectionReset.into()));
        }
        Call::Stale { which } => {
            let Some(op) = model.flying.get(usize::from(*which) % model.flying.len().max(1)) else {
                return;
            };
            // An id of no generation there is: dropped without a trace.
            let id = sockless_core::OpId::from_u64(op.id.as_u64() ^ (1 << 62));
            engine.complete(*now, Op { id, conn: op.conn, kind: OpKind::Close }, Ok(0));
        }
        Call::Pass(millis) => *now += Duration::from_millis(u64::from(*millis)),
        _ => {}
    }
}

fn carry_out(engine: &mut Engine, model: &mut Model, mut op: Op, bytes: usize, now: Instant) {
    let owed = model.owed.entry(op.conn.as_u64()).or_default();
    let result = match &mut op.kind {
        OpKind::Send { bufs } => {
            for length in bufs.iter().flat_map(|buf| buf.iter().copied()) {
                owed.extend(0..length);
            }
            Ok(bufs.iter().map(|buf| buf.len()).sum())
        }
        OpKind::Recv { buf, .. } => {
            let buf = buf.get_or_insert_with(|| Buf::with_capacity(64));
            let n = bytes.min(owed.len()).min(buf.spare());
            if n == 0 {
                model.flying.push(op);
                return;
            }
            for (to, from) in buf.spare_mut().iter_mut().zip(owed.drain(..n)) {
                *to = from;
            }
            Ok(n)
        }
        _ => Ok(0),
    };
    engine.complete(now, op, result);
}

fn poll(engine: &mut Engine, model: &mut Model, now: Instant) {
    for _ in 0..100_000 {
        match engine.poll(now) {
            Output::Submit(op) => {
                assert!(model.flying.iter().all(|have| have.id != op.id), "an id twice");
                model.flying.push(op);
            }
            Output::Cancel(id) => {
                assert!(model.flying.iter().any(|op| op.id == id), "a cancel of nothing");
            }
            Output::Event(id, event) => {
                let state = model.alive.get_mut(&id).expect("events of living transfers only");
                match event {
                    Event::Data(piece) => piece.iter().for_each(|byte| {
                        assert_eq!(*byte, state.0, "a byte lost, doubled or misplaced");
                        state.0 += 1;
                    }),
                    Event::Done { .. } => drop(model.alive.remove(&id)),
                    _ => {}
                }
            }
            Output::Wait(deadline) => {
                assert!(deadline.is_none_or(|at| at > now), "a deadline that is over");
                return;
            }
            _ => {}
        }
    }
    panic!("poll does not come to an end");
}
