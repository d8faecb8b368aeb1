//! Random interleavings against a server model: nothing panics, everything ends, and what
//! is delivered is exactly what was sent.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use sockless_core::{
    Buf, ConnId, Cx, Fault, Filter, Limits, Op, OpKind, Options, Pipe, Plain, Reason, Recipe,
    Seams, Status, TransferId,
};

use crate::toy::{Toy, answer, pattern};
use crate::world::{World, failure, filled, name, routed};

/// The other end of one socket.
#[derive(Default)]
struct Server {
    heard: Vec<u8>,
    says: Vec<u8>,
    dead: bool,
    /// Its client has a layer: [`Frames`].
    framed: bool,
}

/// Opens frames: one byte of length, then that many bytes. Upstream is as it comes.
struct Frames;

impl Filter for Frames {
    fn layer(&self) -> &'static str {
        "frames"
    }

    fn pump(&mut self, io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
        while io.net_out.room() > 0
            && let Some(piece) = io.app_out.pop_max(io.net_out.room())
        {
            io.net_out.push(piece);
        }
        while io.app_in.room() > 0
            && let Some(n) = io.net_in.front().map(|piece| usize::from(piece[0]))
            && io.net_in.len() > n
        {
            io.net_in.join(1 + n, |n| cx.buf(n));
            io.net_in.consume(1);
            let piece = io.net_in.split(n);
            io.app_in.push(piece);
        }
        if io.net_in.at_end() {
            io.app_in.finish();
        } else if io.net_in.is_finished() && io.app_in.room() > 0 {
            return Err(Fault::misbehaved(Reason::Truncated, "half a frame"));
        }
        Ok(Status::Stay)
    }

    fn min(&self, net_in: &Pipe, above: usize) -> usize {
        match net_in.front() {
            Some(front) => (1 + usize::from(front[0])).saturating_sub(net_in.len()),
            None => above,
        }
        .max(1)
    }
}

/// A connection with [`Frames`] that want an address of their own, as a tunnel's would.
struct Framed([(Arc<str>, u16); 1]);

impl Recipe for Framed {
    fn names(&self) -> &[(Arc<str>, u16)] {
        &self.0
    }

    fn filters(&self, found: &[Vec<IpAddr>]) -> Result<Vec<Box<dyn Filter>>, Fault> {
        assert!(matches!(found, [one] if !one.is_empty()));
        Ok(vec![Box::new(Frames)])
    }
}

impl Server {
    /// Answers each complete request.
    fn hear(&mut self, bytes: &[u8]) {
        self.heard.extend_from_slice(bytes);
        while self.heard.len() >= 9 {
            let number = |at: usize| {
                let bytes: [u8; 4] = self.heard[at..at + 4].try_into().expect("four bytes");
                u32::from_be_bytes(bytes) as usize
            };
            assert_eq!(self.heard[0], b'G', "requests arrive in order and whole");
            let (n, body) = (number(1), number(5));
            if self.heard.len() < 9 + body {
                return;
            }
            let sent: Vec<u8> = self.heard.drain(..9 + body).skip(9).collect();
            assert_eq!(sent, pattern(0, body), "the request's body");
            if !self.framed {
                self.says.extend(answer(n));
                continue;
            }
            for part in answer(n).chunks(1 + n % 200) {
                self.says.push(part.len() as u8);
                self.says.extend_from_slice(part);
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Step {
    what: u8,
    which: u8,
    amount: u16,
}

struct Play {
    world: World,
    servers: BTreeMap<ConnId, Server>,
    /// Transfers with the lengths of answer and body, and the body bytes given.
    transfers: Vec<(TransferId, usize, usize, usize)>,
}

impl Play {
    fn new(requests: &[(u16, u16, u8)]) -> Self {
        let mut limits = Limits::default();
        limits.connections = 3;
        limits.connections_per_host = 2;
        limits.idle_connections = 2;
        (limits.pipe, limits.bulk_recv, limits.max_min) = (700, 2000, 500);
        let mut play = Self {
            world: World::new(limits),
            servers: BTreeMap::new(),
            transfers: Vec::new(),
        };
        for &(n, body, host) in requests {
            let mut toy = Toy::put(usize::from(body));
            toy.answer = usize::from(n);
            toy.reusable = !n.is_multiple_of(5);
            let host = ["127.0.0.1", "127.0.0.2", "name.example"][usize::from(host % 3)];
            let mut options = Options::default();
            options.priority = (n % 8) as u8;
            options.fresh_connection = body % 7 == 1;
            let recipe: Box<dyn Recipe> = match host {
                "name.example" => Box::new(Framed([("far.example".into(), 9)])),
                _ => Box::new(Plain),
            };
            let route = routed(host, recipe);
            let id = play.world.engine.add(route, Box::new(toy), options);
            play.world.settle();
            play.transfers.push((id, n.into(), body.into(), 0));
        }
        play
    }

    fn step(&mut self, step: Step) {
        match step.what {
            0..=199 => self.operate(step),
            200..=215 => {
                let by = Duration::from_millis(u64::from(step.amount) % 300);
                self.world.advance(by);
            }
            216..=225 => self.pick(step, |world, id| world.engine.pause(id)),
            226..=240 => self.pick(step, |world, id| world.engine.resume(id)),
            241 => self.pick(step, |world, id| world.engine.cancel(id)),
            244 => {
                // The peer goes away, perhaps in the middle of an answer.
                let at = usize::from(step.which) % self.servers.len().max(1);
                if let Some(server) = self.servers.values_mut().nth(at) {
                    server.dead = true;
                    server.says.truncate(step.amount.into());
                }
            }
            _ => self.feed(step),
        }
        self.world.settle();
    }

    fn pick(&mut self, step: Step, act: impl FnOnce(&mut World, TransferId)) {
        let at = usize::from(step.which) % self.transfers.len();
        act(&mut self.world, self.transfers[at].0);
    }

    /// Gives body to a transfer that asked for it.
    fn feed(&mut self, step: Step) {
        let at = usize::from(step.which) % self.transfers.len();
        let (id, _, body, given) = &mut self.transfers[at];
        if *given == *body || self.world.ended(*id) {
            return;
        }
        let n = (usize::from(step.amount) % 400 + 1).min(*body - *given);
        let piece = Buf::from(pattern(*given, *given + n));
        if self.world.engine.send_body(*id, piece).is_ok() {
            *given += n;
        }
    }

    fn operate(&mut self, step: Step) {
        if self.world.ops.is_empty() {
            return;
        }
        let at = usize::from(step.which) % self.world.ops.len();
        let op = &self.world.ops[at];
        let cancelled = self.world.cancelled.contains(&op.id);
        let idle = self
            .servers
            .get(&op.conn)
            .is_none_or(|s| s.says.is_empty() && !s.dead);
        if name(op) == "recv" && idle && !cancelled {
            return;
        }
        let op = self.world.ops.remove(at);
        if cancelled && step.amount.is_multiple_of(2) {
            return self.world.complete(op, Err(sockless_core::cancelled()));
        }
        if step.what > 198 {
            self.servers.entry(op.conn).or_default().dead = true;
            return self.world.complete(op, Err(failure()));
        }
        self.carry_out(op, usize::from(step.amount));
    }

    fn carry_out(&mut self, mut op: Op, amount: usize) {
        let server = self.servers.entry(op.conn).or_default();
        let result = match &mut op.kind {
            OpKind::Resolve { found, .. } => {
                found.push([192, 0, 2, 1].into());
                found.push([192, 0, 2, 2].into());
                Ok(0)
            }
            OpKind::Connect { to, .. } => {
                *server = Server::default();
                server.framed = to.to_string().starts_with("192.0.2.");
                Ok(0)
            }
            OpKind::Send { .. } if server.dead => Err(failure()),
            OpKind::Send { bufs } => {
                let mut bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.to_vec()).collect();
                bytes.truncate(amount % 900 + 1);
                server.hear(&bytes);
                Ok(bytes.len())
            }
            OpKind::Recv { .. } => {
                let most = (amount % 900 + 1).min(server.says.len());
                let (op, n) = filled(op, &server.says[..most]);
                server.says.drain(..n);
                // Nothing to say: dead, or a cancel that met a silent peer.
                let result = if n > 0 || server.dead {
                    Ok(n)
                } else {
                    Err(sockless_core::cancelled())
                };
                return self.world.complete(op, result);
            }
            _ => Ok(0),
        };
        self.world.complete(op, result);
    }

    /// From here on everything is carried out.
    fn finish(&mut self) {
        for round in 0..40_000_usize {
            if self.transfers.iter().all(|(id, ..)| self.world.ended(*id)) {
                break;
            }
            for at in 0..self.transfers.len() {
                let which = at as u8;
                self.feed(Step {
                    what: 0,
                    which,
                    amount: 399,
                });
                self.world.engine.resume(self.transfers[at].0);
            }
            self.world.settle();
            let which = (round % 251) as u8;
            self.operate(Step {
                what: 0,
                which,
                amount: 899,
            });
            if round % 50 == 0 {
                self.world.advance(Duration::from_millis(100));
            }
        }
        for (id, n, ..) in &self.transfers {
            assert!(self.world.ended(*id), "{id:?} hangs: {:?}", self.world.ops);
            let body = self.world.body(*id);
            assert_eq!(
                body,
                pattern(0, body.len()),
                "no byte wrong or out of order"
            );
            if self.world.outcome(*id).is_ok() {
                assert_eq!(body.len(), *n);
            }
        }
        for _ in 0..3 {
            self.world.engine.close_idle();
            self.world.advance(Duration::from_secs(3));
            self.world.tidy();
        }
        self.world.assert_empty();
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (any::<u8>(), any::<u8>(), any::<u16>());
    let step = step.prop_map(|(what, which, amount)| Step {
        what,
        which,
        amount,
    });
    prop::collection::vec(step, 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_interleavings_end_and_deliver_exactly_the_body(
        requests in prop::collection::vec((0..3000_u16, 0..2000_u16, any::<u8>()), 1..8),
        steps in steps(),
    ) {
        let mut play = Play::new(&requests);
        for step in steps {
            play.step(step);
        }
        play.finish();
    }
}
