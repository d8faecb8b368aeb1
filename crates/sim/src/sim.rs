//! The driver: operations against links, in virtual time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use fastrand::Rng;
use sockless_core::{Buf, Completion, ConnId, Driver, Endpoint, Op, OpId, OpKind, cancelled};

use crate::faults::Fate;
use crate::link::{Link, draw};
use crate::mail::Mail;
use crate::{Answer, Faults, Injury, Interruption, World};

mod datagrams;
mod trace;

pub use trace::Trace;

/// A network of memory, as a driver.
///
/// Time stands still but in [`Driver::wait`], where it jumps to what happens next.
pub struct Sim {
    start: Instant,
    now: Instant,
    rng: Rng,
    faults: Faults,
    world: Box<dyn World>,
    due: BinaryHeap<Reverse<Due>>,
    sequence: u64,
    sockets: Vec<Option<Socket>>,
    /// Lookups, connects, and what hangs until it is cancelled.
    waiting: BTreeMap<OpId, Op>,
    /// The slots of sockets that receives and sends wait for.
    pending: BTreeMap<OpId, usize>,
    harm: Vec<&'static str>,
    submitted: u64,
    interruption: Option<Interruption>,
    /// The send that takes a single byte.
    stingy: Option<OpId>,
    trace: Trace,
}

struct Socket {
    id: ConnId,
    line: Line,
    recv: Option<Op>,
    /// A receive that gathers waits until then.
    recv_after: Instant,
    send: Option<Op>,
    /// The step that is scheduled.
    step_at: Option<Instant>,
}

enum Line {
    Stream(Box<Link>),
    Datagrams(Mail),
}

struct Due {
    at: Instant,
    sequence: u64,
    what: What,
}

enum What {
    Step(usize),
    Return(Op, io::Result<usize>),
    Resolve(OpId),
    Connect(OpId),
    /// A late cancel takes effect.
    Cancel(OpId),
}

impl Sim {
    /// A network of that character, in which `seed` decides whatever is left to chance.
    /// Its time begins with `start`.
    pub fn new(world: Box<dyn World>, faults: Faults, start: Instant, seed: u64) -> Self {
        Self {
            start,
            now: start,
            rng: Rng::with_seed(seed),
            faults,
            world,
            due: BinaryHeap::new(),
            sequence: 0,
            sockets: Vec::new(),
            waiting: BTreeMap::new(),
            pending: BTreeMap::new(),
            harm: Vec::new(),
            submitted: 0,
            interruption: None,
            stingy: None,
            trace: Trace::default(),
        }
    }

    /// Injures one operation of this run.
    #[must_use]
    pub fn interrupted(mut self, interruption: Interruption) -> Self {
        self.interruption = Some(interruption);
        self
    }

    /// Keeps what happens as lines for people, too.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trace.keep();
        self
    }

    /// When it all began.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// What happened so far that a transfer may fail for.
    pub fn harm(&self) -> &[&'static str] {
        &self.harm
    }

    /// What happened so far.
    pub fn trace(&mut self) -> &mut Trace {
        &mut self.trace
    }

    /// Whether anything is going to happen by itself.
    pub fn is_quiet(&self) -> bool {
        self.due.is_empty()
    }

    /// The application is gone, and with it whoever would cancel: all that waits comes back.
    pub(crate) fn abandon(&mut self) {
        let mut left: Vec<Op> = core::mem::take(&mut self.waiting).into_values().collect();
        for socket in self.sockets.iter_mut().flatten() {
            left.extend(socket.recv.take());
            left.extend(socket.send.take());
        }
        for op in left {
            self.give_back(op, Err(cancelled()));
        }
    }

    /// What is to be done to the application now that the last operation is under way.
    pub(crate) fn interference(&self) -> Option<Injury> {
        let now = |one: &Interruption| one.at + 1 == self.submitted;
        let injury = self.interruption.filter(now)?.injury;
        matches!(injury, Injury::CancelTransfers | Injury::DropEngine).then_some(injury)
    }

    fn at(&mut self, at: Instant, what: What) {
        self.sequence += 1;
        let sequence = self.sequence;
        self.due.push(Reverse(Due { at, sequence, what }));
    }

    /// An operation comes back, after a moment of its own.
    fn give_back(&mut self, op: Op, result: io::Result<usize>) {
        self.pending.remove(&op.id);
        let at = self.now + draw(&mut self.rng, self.faults.jitter);
        self.at(at, What::Return(op, result));
    }

    fn socket(&mut self, conn: ConnId) -> Option<&mut Socket> {
        let slot = self.sockets.get_mut(conn.slot())?.as_mut()?;
        (slot.id == conn).then_some(slot)
    }

    fn step_soon(&mut self, slot: usize, at: Instant) {
        let Some(Some(socket)) = self.sockets.get_mut(slot) else {
            return;
        };
        if socket.step_at.is_none_or(|set| set > at) {
            socket.step_at = Some(at);
            self.at(at, What::Step(slot));
        }
    }

    fn step(&mut self, slot: usize, at: Instant) {
        let now = self.now;
        let Some(Some(socket)) = self.sockets.get_mut(slot) else {
            return;
        };
        if socket.step_at != Some(at) {
            return;
        }
        socket.step_at = None;
        let (faults, rng) = (&self.faults, &mut self.rng);
        let (next, is_stream) = match &mut socket.line {
            Line::Stream(link) => (link.step(now, faults, rng, &mut self.harm), true),
            Line::Datagrams(mail) => (mail.step(now, faults, rng), false),
        };
        if let Some(next) = next {
            self.step_soon(slot, next);
        }
        if is_stream {
            self.try_send(slot);
            self.try_recv(slot);
        } else {
            self.send_datagram(slot);
            self.recv_datagram(slot);
        }
    }

    fn try_recv(&mut self, slot: usize) {
        let now = self.now;
        let Some(Some(socket)) = self.sockets.get_mut(slot) else {
            return;
        };
        let Some(Op {
            kind: OpKind::Recv { buf, min },
            ..
        }) = &mut socket.recv
        else {
            return;
        };
        let Line::Stream(link) = &mut socket.line else {
            return;
        };
        if link.is_broken() {
            let op = socket.recv.take();
            return self.fail(op, ErrorKind::ConnectionReset);
        }
        let (there, more) = link.waiting();
        if there == 0 && more {
            return;
        }
        if now < socket.recv_after {
            let at = socket.recv_after;
            return self.step_soon(slot, at);
        }
        if there > 0 && buf.is_none() {
            let size = if self.faults.famine {
                self.rng.usize(1..64)
            } else {
                16 * 1024
            };
            *buf = Some(Buf::with_capacity(size));
        }
        let spare = buf.as_ref().map_or(0, Buf::spare);
        let full = there >= spare;
        let enough = !self.faults.honours_min || there >= *min || there * 2 >= self.faults.window;
        if more && !full && !enough {
            return;
        }
        let mut n = there.min(spare);
        if self.faults.split_reads && n > 1 {
            n = self.rng.usize(1..=n);
        }
        if let Some(buf) = buf {
            let into = &mut buf.spare_mut()[..n];
            link.take(into);
            self.trace.received(into);
        }
        if let Some(op) = socket.recv.take() {
            self.give_back(op, Ok(n));
        }
        // Room was made: the peer may have more to say.
        self.step_soon(slot, now);
    }

    fn try_send(&mut self, slot: usize) {
        let now = self.now;
        let Some(Some(socket)) = self.sockets.get_mut(slot) else {
            return;
        };
        let Some(Op {
            id,
            kind: OpKind::Send { bufs },
            ..
        }) = &socket.send
        else {
            return;
        };
        let Line::Stream(link) = &mut socket.line else {
            return;
        };
        if link.is_broken() {
            let op = socket.send.take();
            return self.fail(op, ErrorKind::BrokenPipe);
        }
        let room = link.send_room(&self.faults);
        if room == 0 {
            return;
        }
        let mut bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        if self.stingy == Some(*id) {
            bytes.truncate(1);
        } else if self.faults.short_sends && bytes.len() > 1 {
            bytes.truncate(self.rng.usize(1..=bytes.len()));
        }
        let n = link.send(&bytes, now, &self.faults, &mut self.rng);
        if let Some(op) = socket.send.take() {
            self.give_back(op, Ok(n));
        }
        self.step_soon(slot, now);
    }

    fn fail(&mut self, op: Option<Op>, kind: ErrorKind) {
        if let Some(op) = op {
            self.give_back(op, Err(kind.into()));
        }
    }

    fn resolve(&mut self, id: OpId) {
        let Some(mut op) = self.waiting.remove(&id) else {
            return;
        };
        let OpKind::Resolve { host, found, .. } = &mut op.kind else {
            return;
        };
        found.extend(self.world.resolve(host));
        let result = if found.is_empty() {
            Err(ErrorKind::NotFound.into())
        } else {
            Ok(0)
        };
        self.give_back(op, result);
    }

    fn connect(&mut self, id: OpId) {
        let Some(op) = self.waiting.remove(&id) else {
            return;
        };
        let OpKind::Connect { to, .. } = &op.kind else {
            return;
        };
        let datagrams = matches!(to, Endpoint::Udp(_));
        let mut answer = self.world.connect(to);
        if !datagrams && self.rng.u16(0..1000) < self.faults.refusals {
            let silence = self.rng.bool();
            answer = if silence {
                Answer::Silence
            } else {
                Answer::Refuse
            };
            self.harm.push("a connection was refused");
        }
        let line = match answer {
            Answer::Correspondent(to) if datagrams => Line::Datagrams(Mail::new(Some(to), false)),
            Answer::Silence if datagrams => Line::Datagrams(Mail::new(None, false)),
            _ if datagrams => Line::Datagrams(Mail::new(None, true)),
            Answer::Peer(peer) => {
                let fate = Fate::draw(&self.faults, &mut self.rng);
                Line::Stream(Box::new(Link::new(peer, fate)))
            }
            Answer::Refuse | Answer::Correspondent(_) => {
                return self.fail(Some(op), ErrorKind::ConnectionRefused);
            }
            Answer::Silence => return drop(self.waiting.insert(op.id, op)),
        };
        let slot = op.conn.slot();
        if self.sockets.len() <= slot {
            self.sockets.resize_with(slot + 1, || None);
        }
        self.sockets[slot] = Some(Socket {
            id: op.conn,
            line,
            recv: None,
            recv_after: self.now,
            send: None,
            step_at: None,
        });
        self.step_soon(slot, self.now);
        self.give_back(op, Ok(0));
    }

    /// Takes an operation that waits for something.
    fn take(&mut self, id: OpId) -> Option<Op> {
        if let Some(op) = self.waiting.remove(&id) {
            return Some(op);
        }
        let slot = self.pending.remove(&id)?;
        let socket = self.sockets.get_mut(slot)?.as_mut()?;
        let is_it = |op: &&mut Option<Op>| op.as_ref().is_some_and(|op| op.id == id);
        let mut both = [&mut socket.recv, &mut socket.send].into_iter();
        both.find(is_it)?.take()
    }

    fn happen(&mut self, due: Due, done: &mut Vec<Completion>) {
        match due.what {
            What::Step(slot) => self.step(slot, due.at),
            What::Resolve(id) => self.resolve(id),
            What::Connect(id) => self.connect(id),
            What::Cancel(id) => {
                if let Some(op) = self.take(id) {
                    self.give_back(op, Err(cancelled()));
                }
            }
            What::Return(op, result) => {
                if matches!(op.kind, OpKind::Close) {
                    self.sockets.get_mut(op.conn.slot()).map(Option::take);
                }
                self.trace.returned(self.now - self.start, &op, &result);
                done.push(Completion { op, result });
            }
        }
    }

    /// What a torture does to this operation instead of carrying it out.
    fn injure(&mut self, mut op: Op, injury: Injury) {
        let conn = op.conn;
        match injury {
            Injury::Fail(kind) => {
                self.harm.push("an operation failed");
                self.fail(Some(op), kind);
            }
            Injury::Hang => {
                self.harm.push("an operation hung");
                self.waiting.insert(op.id, op);
            }
            Injury::Nothing => {
                self.harm.push("an operation brought nothing");
                if let Some(Socket {
                    line: Line::Stream(link),
                    ..
                }) = self.socket(conn)
                {
                    link.cut();
                }
                if let OpKind::Recv { buf, .. } = &mut op.kind {
                    buf.get_or_insert_with(|| Buf::with_capacity(1));
                }
                self.give_back(op, Ok(0));
            }
            Injury::Byte => {
                self.stingy = Some(op.id);
                self.carry_out(op);
            }
            Injury::CancelTransfers | Injury::DropEngine => {
                self.harm.push("the application gave up");
                self.carry_out(op);
            }
        }
    }
}

impl Sim {
    fn carry_out(&mut self, op: Op) {
        let (now, conn) = (self.now, op.conn);
        let later = now + self.faults.latency * 2 + draw(&mut self.rng, self.faults.jitter);
        match &op.kind {
            OpKind::Resolve { .. } => {
                let id = op.id;
                self.waiting.insert(id, op);
                self.at(later, What::Resolve(id));
            }
            OpKind::Connect { .. } => {
                let id = op.id;
                self.waiting.insert(id, op);
                self.at(later, What::Connect(id));
            }
            OpKind::Close => self.give_back(op, Ok(0)),
            _ => {
                let patience = draw(&mut self.rng, Duration::from_millis(20));
                let gathers = self.faults.merged_reads;
                let faults = self.faults.clone();
                let (id, is_shutdown) = (op.id, matches!(op.kind, OpKind::Shutdown));
                let Some(socket) = self.socket(conn) else {
                    return self.fail(Some(op), ErrorKind::NotConnected);
                };
                match &op.kind {
                    OpKind::Recv { .. } => {
                        socket.recv_after = if gathers { now + patience } else { now };
                        socket.recv = Some(op);
                    }
                    OpKind::Send { .. } => socket.send = Some(op),
                    _ => {
                        if let Line::Stream(link) = &mut socket.line {
                            link.shut(now, &faults);
                        }
                        self.give_back(op, Ok(0));
                    }
                }
                if !is_shutdown {
                    self.pending.insert(id, conn.slot());
                }
                self.step_soon(conn.slot(), now);
            }
        }
    }
}

impl Driver for Sim {
    fn submit(&mut self, op: Op) {
        self.trace.submitted(self.now - self.start, &op);
        let index = self.submitted;
        self.submitted += 1;
        if let Some(interruption) = self.interruption.filter(|one| one.at == index) {
            return self.injure(op, interruption.injury);
        }
        self.carry_out(op);
    }

    fn cancel(&mut self, id: OpId) {
        self.trace.cancelled(self.now - self.start, id);
        let late = self.faults.late_cancels && self.rng.bool();
        let by = if late {
            draw(&mut self.rng, Duration::from_millis(300))
        } else {
            Duration::ZERO
        };
        self.at(self.now + by, What::Cancel(id));
    }

    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()> {
        let before = done.len();
        loop {
            let next = self.due.peek().map(|Reverse(due)| due.at);
            if done.len() > before && next != Some(self.now) {
                return Ok(());
            }
            if next.is_none_or(|next| deadline.is_some_and(|deadline| deadline < next)) {
                self.now = self.now.max(deadline.unwrap_or(self.now));
                return Ok(());
            }
            if let Some(Reverse(due)) = self.due.pop() {
                self.now = self.now.max(due.at);
                self.happen(due, done);
            }
        }
    }

    fn now(&self) -> Instant {
        self.now
    }

    fn name(&self) -> &'static str {
        "sim"
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

impl core::fmt::Debug for Sim {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sim")
            .field("elapsed", &(self.now - self.start))
            .field("submitted", &self.submitted)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}
