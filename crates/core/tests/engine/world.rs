//! The application's side in a test: it carries operations out as it is told, and holds
//! the engine to its promises while it does.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use sockless_core::{
    Buf, ConnId, Endpoint, Engine, Error, Event, Filter, Key, Limits, Op, OpId, OpKind, Options,
    Output, Plain, QuestionId, Reason, Recipe, Route, Summary, Target, TransferId, cancelled,
};

use crate::toy::Toy;

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) now: Instant,
    /// In flight, in order of submission.
    pub(crate) ops: Vec<Op>,
    pub(crate) cancelled: BTreeSet<OpId>,
    pub(crate) log: Vec<String>,
    pub(crate) wait: Option<Instant>,
    /// Outputs before the first `Wait` of a round end here, if there is a bound.
    pub(crate) outputs_left: Option<usize>,
    heads: BTreeSet<TransferId>,
    /// Streams that are open, and those whose peer has finished.
    pub(crate) opened: BTreeSet<TransferId>,
    pub(crate) peer_finished: BTreeSet<TransferId>,
    bodies: BTreeMap<TransferId, Vec<u8>>,
    wants: BTreeMap<TransferId, Vec<usize>>,
    questions: BTreeMap<TransferId, QuestionId>,
    ends: BTreeMap<TransferId, (Result<(), Error>, Summary)>,
    /// Sockets that were asked to connect and are not closed.
    pub(crate) sockets: BTreeSet<ConnId>,
    closing: BTreeSet<ConnId>,
}

/// What a test calls an operation.
pub(crate) fn name(op: &Op) -> &'static str {
    match &op.kind {
        OpKind::Resolve { .. } => "resolve",
        OpKind::Connect { .. } => "connect",
        OpKind::Recv { .. } => "recv",
        OpKind::Send { .. } => "send",
        OpKind::Shutdown => "shutdown",
        OpKind::Close => "close",
        _ => "other",
    }
}

pub(crate) fn route(host: &str) -> Arc<Route> {
    routed(host, Box::new(Plain))
}

pub(crate) fn routed(host: &str, recipe: Box<dyn Recipe>) -> Arc<Route> {
    let host = host.into();
    Arc::new(Route {
        key: Key {
            target: Target::Host { host, port: 7 },
            local: None,
            protocol: "toy",
            layers: Vec::new(),
        },
        recipe,
    })
}

/// A recipe of one filter.
pub(crate) struct With(pub(crate) fn() -> Box<dyn Filter>);

impl Recipe for With {
    fn filters(&self, _: &[Vec<IpAddr>]) -> Result<Vec<Box<dyn Filter>>, sockless_core::Fault> {
        Ok(vec![(self.0)()])
    }
}

pub(crate) fn failure() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

impl World {
    pub(crate) fn new(limits: Limits) -> Self {
        let now = Instant::now();
        Self {
            engine: Engine::new(limits, now, SystemTime::UNIX_EPOCH, 7),
            now,
            ops: Vec::new(),
            cancelled: BTreeSet::new(),
            log: Vec::new(),
            wait: None,
            outputs_left: None,
            heads: BTreeSet::new(),
            opened: BTreeSet::new(),
            peer_finished: BTreeSet::new(),
            bodies: BTreeMap::new(),
            wants: BTreeMap::new(),
            questions: BTreeMap::new(),
            ends: BTreeMap::new(),
            sockets: BTreeSet::new(),
            closing: BTreeSet::new(),
        }
    }

    pub(crate) fn plain() -> Self {
        Self::new(Limits::default())
    }

    /// Adds a transfer to a literal address and lets the engine start on it.
    pub(crate) fn add(&mut self, toy: Toy) -> TransferId {
        self.add_to("127.0.0.1", toy, Options::default())
    }

    pub(crate) fn add_to(&mut self, host: &str, toy: Toy, options: Options) -> TransferId {
        let id = self.engine.add(route(host), Box::new(toy), options);
        self.settle();
        id
    }

    /// A transfer whose request is out and whose answer is awaited.
    pub(crate) fn asked(&mut self, toy: Toy) -> TransferId {
        let id = self.add(toy);
        self.finish_op("connect", Ok(0));
        self.send();
        id
    }

    /// A connection that has served a transfer and is kept.
    pub(crate) fn kept(&mut self) -> TransferId {
        let id = self.asked(Toy::get(3));
        self.recv(&crate::toy::answer(3));
        assert!(self.outcome(id).is_ok());
        assert_eq!(self.engine.stats().idle, 1);
        id
    }

    /// Polls until the engine waits.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            if self.outputs_left == Some(0) {
                return;
            }
            match self.engine.poll(self.now) {
                Output::Wait(until) => {
                    self.wait = until;
                    return;
                }
                output => self.take_output(output),
            }
            if let Some(left) = &mut self.outputs_left {
                *left -= 1;
            }
        }
        panic!("the engine never waits");
    }

    fn take_output(&mut self, output: Output) {
        // Ids are deterministic, so the log is too.
        self.log.push(format!("{output:?}"));
        match output {
            Output::Submit(op) => self.submitted(op),
            Output::Cancel(id) => {
                assert!(self.cancelled.insert(id), "{id:?} was cancelled twice");
            }
            Output::Event(id, event) => self.event(id, event),
            other => panic!("unknown output {other:?}"),
        }
    }

    fn submitted(&mut self, op: Op) {
        let kind = name(&op);
        let same_socket = || self.ops.iter().filter(|other| other.conn == op.conn);
        assert!(
            !self.closing.contains(&op.conn),
            "{kind} on a socket that is being closed"
        );
        let doubled = same_socket().any(|other| name(other) == kind);
        assert!(!doubled, "two operations {kind} on {:?}", op.conn);
        match &op.kind {
            OpKind::Connect { .. } => assert!(self.sockets.insert(op.conn), "connected twice"),
            OpKind::Close => {
                assert_eq!(same_socket().count(), 0, "close before the join");
                assert!(self.sockets.contains(&op.conn), "nothing to close");
                self.closing.insert(op.conn);
            }
            OpKind::Recv { buf, min } => {
                assert!(*min >= 1);
                let room = buf.as_ref().map_or(usize::MAX, Buf::spare);
                assert!(room > 0 && *min <= room, "min {min} does not fit {room}");
            }
            OpKind::Send { bufs } => {
                assert!(!bufs.is_empty() && bufs.len() <= sockless_core::MAX_SEND_BUFS);
                assert!(bufs.iter().all(|buf| !buf.is_empty()));
            }
            _ => {}
        }
        self.ops.push(op);
    }

    fn event(&mut self, id: TransferId, event: Event) {
        assert!(!self.ends.contains_key(&id), "an event after the end");
        match event {
            Event::Head(_) => assert!(self.heads.insert(id), "two heads"),
            Event::Open => assert!(self.opened.insert(id), "opened twice"),
            Event::PeerFinished => {
                assert!(self.opened.contains(&id), "an end before the beginning");
                assert!(self.peer_finished.insert(id), "the peer finished twice");
            }
            Event::Data(piece) => {
                let open = self.heads.contains(&id) || self.opened.contains(&id);
                assert!(open, "data before its head");
                assert!(!self.peer_finished.contains(&id), "data after the end");
                self.bodies.entry(id).or_default().extend_from_slice(&piece);
            }
            Event::WantBody { room } => self.wants.entry(id).or_default().push(room),
            Event::Asked(question) => {
                self.questions.insert(id, question.id);
            }
            Event::Done { outcome, summary } => {
                self.ends.insert(id, (outcome, *summary));
            }
            _ => {}
        }
    }

    /// Completes an operation; the engine reacts at once.
    pub(crate) fn complete(&mut self, op: Op, result: io::Result<usize>) {
        self.complete_quietly(op, result);
        self.settle();
    }

    /// Completes an operation; the engine hears of it with the next `settle`.
    pub(crate) fn complete_quietly(&mut self, op: Op, result: io::Result<usize>) {
        self.cancelled.remove(&op.id);
        if matches!(op.kind, OpKind::Close) {
            self.sockets.remove(&op.conn);
            self.closing.remove(&op.conn);
        }
        self.engine.complete(self.now, op, result);
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        self.ops.iter().filter(|op| name(op) == kind).count()
    }

    /// Takes the oldest operation of that kind.
    pub(crate) fn take(&mut self, kind: &str) -> Op {
        let at = self.ops.iter().position(|op| name(op) == kind);
        let at = at.unwrap_or_else(|| panic!("no {kind} among {:?}", self.ops));
        self.ops.remove(at)
    }

    pub(crate) fn finish_op(&mut self, kind: &str, result: io::Result<usize>) {
        let op = self.take(kind);
        self.complete(op, result);
    }

    pub(crate) fn resolve(&mut self, ips: &[&str]) {
        let mut op = self.take("resolve");
        if let OpKind::Resolve { found, .. } = &mut op.kind {
            found.extend(
                ips.iter()
                    .map(|ip| ip.parse::<IpAddr>().expect("an address")),
            );
        }
        self.complete(op, Ok(0));
    }

    /// Where the attempts in flight lead.
    pub(crate) fn attempts(&self) -> Vec<String> {
        let to = |op: &Op| match &op.kind {
            OpKind::Connect {
                to: Endpoint::Tcp(to),
                ..
            } => Some(to.ip().to_string()),
            _ => None,
        };
        self.ops.iter().filter_map(to).collect()
    }

    /// Takes all of the oldest send.
    pub(crate) fn send(&mut self) -> Vec<u8> {
        self.send_some(usize::MAX)
    }

    /// Takes the first bytes of the oldest send.
    pub(crate) fn send_some(&mut self, most: usize) -> Vec<u8> {
        let op = self.take("send");
        let OpKind::Send { bufs } = &op.kind else {
            unreachable!("taken by name");
        };
        let mut bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        bytes.truncate(most);
        let n = bytes.len();
        self.complete(op, Ok(n));
        bytes
    }

    /// Lets all of `bytes` arrive, in as many receives as they need.
    pub(crate) fn recv(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let n = self.recv_some(bytes);
            bytes = &bytes[n..];
        }
    }

    /// Lets what fits arrive with the oldest receive; says how much that was.
    pub(crate) fn recv_some(&mut self, bytes: &[u8]) -> usize {
        let op = self.take("recv");
        let (op, n) = filled(op, bytes);
        self.complete(op, Ok(n));
        n
    }

    /// The peer's FIN on the oldest receive.
    pub(crate) fn fin(&mut self) {
        self.finish_op("recv", Ok(0));
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
        self.settle();
    }

    /// Carries out what needs no peer: cancels, shutdowns, closes.
    pub(crate) fn tidy(&mut self) {
        while let Some(at) = self.ops.iter().position(|op| {
            self.cancelled.contains(&op.id) || matches!(name(op), "close" | "shutdown")
        }) {
            let op = self.ops.remove(at);
            let result = if self.cancelled.contains(&op.id) {
                Err(cancelled())
            } else {
                Ok(0)
            };
            self.complete(op, result);
        }
    }

    /// Nothing is left behind.
    pub(crate) fn assert_empty(&mut self) {
        self.engine.close_idle();
        self.settle();
        self.tidy();
        let stats = self.engine.stats();
        let left = (
            stats.in_flight,
            stats.connections,
            stats.transfers,
            stats.idle,
        );
        assert_eq!(left, (0, 0, 0, 0), "{:?}", self.ops);
        assert!(self.sockets.is_empty(), "not closed: {:?}", self.sockets);
        assert_eq!(self.wait, None, "a timer of nobody's");
    }

    pub(crate) fn ended(&self, id: TransferId) -> bool {
        self.ends.contains_key(&id)
    }

    pub(crate) fn outcome(&self, id: TransferId) -> &Result<(), Error> {
        &self.ends.get(&id).expect("the transfer has ended").0
    }

    pub(crate) fn summary(&self, id: TransferId) -> &Summary {
        &self.ends.get(&id).expect("the transfer has ended").1
    }

    pub(crate) fn reason(&self, id: TransferId) -> Reason {
        let outcome = self.outcome(id).as_ref();
        outcome.expect_err("it has failed").reason()
    }

    pub(crate) fn body(&self, id: TransferId) -> &[u8] {
        self.bodies.get(&id).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn wants(&self, id: TransferId) -> &[usize] {
        self.wants.get(&id).map_or(&[], Vec::as_slice)
    }

    /// What a layer of the transfer's asked last.
    pub(crate) fn question(&self, id: TransferId) -> QuestionId {
        *self.questions.get(&id).expect("a layer has asked")
    }

    /// The `min` hint of the oldest receive.
    pub(crate) fn min(&self) -> usize {
        let min = self.ops.iter().find_map(|op| match op.kind {
            OpKind::Recv { min, .. } => Some(min),
            _ => None,
        });
        min.expect("a receive is in flight")
    }
}

/// Writes what fits into a receive, as a driver does.
pub(crate) fn filled(mut op: Op, bytes: &[u8]) -> (Op, usize) {
    let OpKind::Recv { buf, .. } = &mut op.kind else {
        panic!("not a receive: {op:?}");
    };
    let buf = buf.get_or_insert_with(|| Buf::with_capacity(4096));
    let n = bytes.len().min(buf.spare());
    buf.spare_mut()[..n].copy_from_slice(&bytes[..n]);
    (op, n)
}
