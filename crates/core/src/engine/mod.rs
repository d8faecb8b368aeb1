//! The engine: operations out, completions in, events out.
//!
//! ```text
//!   add -> waiting -> dialing -> open <-> idle -> closing -> gone
//!                        |         |                ^
//!                        +---------+----------------+   failure, cancel, not reusable
//! ```
//! A *transfer* is what the application asked for. A *connection* is a stack with
//! at most one transfer on it. A *socket* is one `ConnId` of the application's;
//! racing connection attempts have several for one connection.

mod conn;
mod dial;
mod finish;
mod hosts;
mod io;
mod sockets;
mod timeouts;
mod transfer;

pub use transfer::Options;

use std::collections::VecDeque;
use std::io::Result as IoResult;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::event::{Event, Note, TransferId};
use crate::exchange::Exchange;
use crate::slab::Slab;
use crate::timers::{Sleeper, Timers};
use crate::{
    Answer, Buf, Completion, ConnId, Culprit, Error, Fault, Limits, Op, OpId, Pool, QuestionId,
    Reason, Route,
};

use conn::Conn;
use hosts::Hosts;
use sockets::Sockets;
use transfer::Transfer;

/// What the engine wants next.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum Output {
    /// Carry this out, and bring it back through [`Engine::complete`].
    Submit(Op),
    /// End this operation early if you can; it must still come back, then with the error
    /// [`cancelled`](crate::cancelled).
    Cancel(OpId),
    /// Something happened to a transfer.
    Event(TransferId, Event),
    /// Nothing to do until a completion or this time. Ends the round.
    Wait(Option<Instant>),
}

/// Counts of an engine since it was made, and what it holds now.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Operations submitted.
    pub submitted: u64,
    /// Operations that have not come back yet.
    pub in_flight: usize,
    /// Connections, dialing and idle ones included.
    pub connections: usize,
    /// Connections kept for reuse.
    pub idle: usize,
    /// Transfers that have not ended.
    pub transfers: usize,
    /// Sockets that no connection uses any more and that are not closed yet.
    pub closing: usize,
    /// Body or record bytes that had to be copied because they straddled two buffers.
    pub copied: u64,
    /// Bytes received by the application's sockets.
    pub received: u64,
    /// Bytes sent by the application's sockets.
    pub sent: u64,
}

/// The completion engine.
///
/// ```no_run
/// # use sockless_core::*;
/// # fn example(engine: &mut Engine, driver: &mut dyn Driver) -> std::io::Result<()> {
/// let mut done = Vec::new();
/// loop {
///     match engine.poll(driver.now()) {
///         Output::Submit(op) => driver.submit(op),
///         Output::Cancel(id) => driver.cancel(id),
///         Output::Event(transfer, event) => println!("{transfer:?}: {event:?}"),
///         Output::Wait(deadline) => {
///             driver.wait(deadline, &mut done)?;
///             for completion in done.drain(..) {
///                 engine.complete(driver.now(), completion.op, completion.result);
///             }
///         }
///         _ => {}
///     }
/// }
/// # }
/// ```
pub struct Engine {
    limits: Limits,
    pool: Pool,
    now: Instant,
    /// The wall clock at `now`.
    wall: SystemTime,
    transfers: Slab<Transfer>,
    conns: Slab<Conn>,
    sockets: Sockets,
    hosts: Hosts,
    timers: Timers,
    /// Transfers that have not asked for a connection yet.
    added: VecDeque<u64>,
    /// How many of the last of them were added since the last poll.
    unstamped: usize,
    /// Connections whose clocks start again with the next poll: calls in between do not
    /// know what time it is.
    rested: Vec<u64>,
    /// Connections with something to do.
    ready: VecDeque<u64>,
    inbox: VecDeque<Completion>,
    out: VecDeque<Out>,
    notes: Vec<Note>,
    stats: Stats,
    sequence: u64,
    /// Questions asked so far: their ids.
    questions: u64,
}

/// An output that waits for its turn; events stay with their transfer until then.
enum Out {
    Submit(Op),
    Cancel(OpId),
    Events(u64),
}

impl Engine {
    /// An engine at the monotonic time `now`, which is `wall` on the wall clock.
    ///
    /// `seed` keys the hashing of host names, so that nobody outside can choose
    /// names that collide; any value is right, an unpredictable one is best.
    pub fn new(limits: Limits, now: Instant, wall: SystemTime, seed: u64) -> Self {
        let pool = Pool::new(limits.pooled_memory);
        Self::with_pool(limits, pool, now, wall, seed)
    }

    /// The same with a pool of the application's, whose bound counts instead of
    /// [`Limits::pooled_memory`].
    pub fn with_pool(
        limits: Limits,
        pool: Pool,
        now: Instant,
        wall: SystemTime,
        seed: u64,
    ) -> Self {
        Self {
            pool,
            hosts: Hosts::new(&limits, seed),
            limits: limits.usable(),
            now,
            wall,
            transfers: Slab::default(),
            conns: Slab::default(),
            sockets: Sockets::default(),
            timers: Timers::default(),
            added: VecDeque::new(),
            unstamped: 0,
            rested: Vec::new(),
            ready: VecDeque::new(),
            inbox: VecDeque::new(),
            out: VecDeque::new(),
            notes: Vec::new(),
            stats: Stats::default(),
            sequence: 0,
            questions: 0,
        }
    }

    /// Adds a transfer. What becomes of it arrives as events, failures too.
    pub fn add(
        &mut self,
        route: Arc<Route>,
        exchange: Box<dyn Exchange>,
        options: Options,
    ) -> TransferId {
        self.sequence += 1;
        let rank = transfer::rank(self.sequence, options.priority);
        let host = self.hosts.enter_route(&route);
        let transfer = Transfer::new(route, host, exchange, options, rank, self.now, &self.limits);
        let id = self.transfers.insert(transfer);
        // Not at once: an idle connection may have ended, or have spoken out of turn,
        // in completions that wait in the inbox.
        self.added.push_back(id);
        self.unstamped += 1;
        TransferId(id)
    }

    /// An id that no transfer of this engine has, or will have: for whoever has to name a
    /// transfer before it can be added.
    pub fn spare_id(&mut self) -> TransferId {
        TransferId(self.transfers.spare())
    }

    /// Takes a completion. Cannot fail; all work happens in [`Engine::poll`].
    ///
    /// An operation that this engine does not know (any more) is dropped.
    pub fn complete(&mut self, now: Instant, op: Op, result: IoResult<usize>) {
        self.advance(now);
        self.inbox.push_back(Completion { op, result });
    }

    /// The next thing to do; call it until it says [`Output::Wait`].
    pub fn poll(&mut self, now: Instant) -> Output {
        self.advance(now);
        self.start_clocks();
        loop {
            if let Some(output) = self.next_output() {
                return output;
            }
            if let Some(completion) = self.inbox.pop_front() {
                self.completed(completion);
            } else if let Some(sleeper) = self.timers.pop_due(self.now) {
                self.wake(sleeper);
            } else if let Some(conn) = self.ready.pop_front() {
                self.turn(conn);
            } else if let Some(transfer) = self.added.pop_front() {
                self.wait_for_connection(transfer);
            } else if let Some(transfer) = self.hosts.next_to_ask() {
                self.ask_again(transfer);
            } else {
                return Output::Wait(self.timers.next());
            }
        }
    }

    /// The time that the application took is nobody's: it ends with this poll.
    fn start_clocks(&mut self) {
        let now = self.now;
        for key in self.rested.drain(..) {
            if let Some(conn) = self.conns.get_mut(key) {
                conn.restart_clocks(now);
            }
        }
        let unstamped = core::mem::take(&mut self.unstamped);
        for id in self.added.iter().rev().take(unstamped) {
            if let Some(transfer) = self.transfers.get_mut(*id) {
                transfer.added = now;
            }
        }
    }

    fn next_output(&mut self) -> Option<Output> {
        loop {
            match self.out.pop_front()? {
                Out::Submit(op) => return Some(Output::Submit(op)),
                Out::Cancel(id) if self.sockets.cancel(id) => {
                    return Some(Output::Cancel(id));
                }
                Out::Cancel(_) => {}
                Out::Events(id) => {
                    if let Some(event) = self.next_event(id) {
                        return Some(Output::Event(TransferId(id), event));
                    }
                }
            }
        }
    }

    /// One event of a transfer; transfers with more of them take turns.
    fn next_event(&mut self, id: u64) -> Option<Event> {
        let transfer = self.transfers.get_mut(id)?;
        let was_held = transfer.events.is_holding();
        let event = transfer.events.pop();
        transfer.announced = false;
        if matches!(event, Some(Event::Done { .. })) {
            self.transfers.discard(id);
            return event;
        }
        let flows_again = was_held && !transfer.events.is_holding();
        let conn = transfer.conn;
        self.announce(id);
        if let (true, Some(conn)) = (flows_again, conn) {
            self.make_ready(conn);
        }
        event
    }

    /// Sees to it that a transfer's events are delivered.
    fn announce(&mut self, id: u64) {
        let Some(transfer) = self.transfers.get_mut(id) else {
            return;
        };
        if !transfer.announced && transfer.events.is_ready() {
            transfer.announced = true;
            self.out.push_back(Out::Events(id));
        }
    }

    /// Gives request body to a transfer that asked for it ([`Event::WantBody`]); `piece`
    /// may be larger than the room stated, it is taken as a whole.
    ///
    /// # Errors
    /// The transfer is gone, its body is finished, or the bound is passed although
    /// nothing was asked for; then the piece comes back.
    pub fn send_body(&mut self, id: TransferId, piece: Buf) -> Result<(), (Error, Buf)> {
        let Some(transfer) = self.transfers.get_mut(id.0) else {
            return Err((unknown(), piece));
        };
        let pipe = &mut transfer.body.pipe;
        if pipe.is_finished() {
            return Err((misuse("the request body is finished already"), piece));
        }
        if pipe.len() >= pipe.limit() {
            return Err((
                misuse("the request body's pipe is full: wait for Event::WantBody"),
                piece,
            ));
        }
        transfer.body_given += piece.len() as u64;
        pipe.push(piece);
        self.body_answered(id.0);
        Ok(())
    }

    /// Says that the request body is complete.
    ///
    /// # Errors
    /// The transfer is gone.
    pub fn finish_body(&mut self, id: TransferId) -> Result<(), Error> {
        let transfer = self.transfers.get_mut(id.0).ok_or_else(unknown)?;
        transfer.body.pipe.finish();
        self.body_answered(id.0);
        Ok(())
    }

    fn body_answered(&mut self, id: u64) {
        let Some(transfer) = self.transfers.get_mut(id) else {
            return;
        };
        let owed = transfer.body.is_asked();
        transfer.body.answered();
        if let Some(key) = transfer.conn {
            if owed {
                self.rested.push(key);
            }
            self.make_ready(key);
        }
    }

    /// Answers a layer's question ([`Event::Asked`]).
    ///
    /// # Errors
    /// The transfer is gone or has left that connection, or the question is answered already.
    pub fn answer(
        &mut self,
        id: TransferId,
        question: QuestionId,
        answer: Answer,
    ) -> Result<(), Error> {
        let transfer = self.transfers.get(id.0).ok_or_else(unknown)?;
        let key = transfer.conn.ok_or_else(unasked)?;
        let conn = self.conns.get_mut(key).ok_or_else(unasked)?;
        if !conn.asks.answer(question, answer) {
            return Err(unasked());
        }
        self.rested.push(key);
        self.make_ready(key);
        Ok(())
    }

    /// Holds a transfer's answer back: no head, data or end is delivered, and soon nothing
    /// more is received for it. Its timeouts for idleness and speed stand still.
    pub fn pause(&mut self, id: TransferId) {
        if let Some(transfer) = self.transfers.get_mut(id.0) {
            transfer.events.set_paused(true);
        }
    }

    /// Lets a paused transfer go on. One that is not paused goes on as it did: its timeouts, too.
    pub fn resume(&mut self, id: TransferId) {
        let Some(transfer) = self.transfers.get_mut(id.0) else {
            return;
        };
        if !transfer.events.is_paused() {
            return;
        }
        transfer.events.set_paused(false);
        let conn = transfer.conn;
        self.announce(id.0);
        if let Some(key) = conn {
            self.rested.push(key);
            self.make_ready(key);
        }
    }

    /// Ends a transfer at once, at any moment: its last event is a `Done` with
    /// [`Reason::Cancelled`]. Operations in flight still have to come back.
    pub fn cancel(&mut self, id: TransferId) {
        let fault = Fault::new(
            Culprit::Cancelled,
            Reason::Cancelled,
            "cancelled by the application",
        );
        let Some(transfer) = self.transfers.get_mut(id.0) else {
            return;
        };
        transfer.events.set_paused(false);
        let end = transfer.events.take_end();
        transfer.events.clear();
        let error = fault.at("engine");
        match end {
            // It had ended, and the application does not know yet.
            Some(Event::Done { summary, .. }) => {
                let outcome = Err(error.with_peer(transfer.route.key.target.to_string()));
                transfer.events.emit(Event::Done { outcome, summary });
                self.announce(id.0);
            }
            _ => self.abort(id.0, error),
        }
    }

    /// Closes all idle connections.
    pub fn close_idle(&mut self) {
        while let Some(conn) = self.hosts.oldest_idle() {
            self.close_gracefully(conn);
        }
    }

    /// Counts, and what is held now.
    pub fn stats(&self) -> Stats {
        Stats {
            in_flight: self.sockets.in_flight(),
            connections: self.conns.len(),
            idle: self.hosts.idle(),
            transfers: self.transfers.len(),
            closing: self.sockets.closing(),
            ..self.stats.clone()
        }
    }

    /// Where the engine's buffers come from; for bodies, and for drivers.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The layers of a transfer's connection, bottom first; empty while it has none.
    pub fn layers(&self, id: TransferId) -> Vec<&'static str> {
        let conn = self.transfers.get(id.0).and_then(|transfer| transfer.conn);
        conn.and_then(|key| self.conns.get(key))
            .map(|conn| conn.stack.layers().collect())
            .unwrap_or_default()
    }

    fn make_ready(&mut self, key: u64) {
        if let Some(conn) = self.conns.get_mut(key)
            && !core::mem::replace(&mut conn.queued, true)
        {
            self.ready.push_back(key);
        }
    }

    fn submit(&mut self, socket: ConnId, kind: crate::OpKind) {
        let op = self.sockets.start(socket, kind);
        self.stats.submitted += 1;
        self.out.push_back(Out::Submit(op));
    }

    fn advance(&mut self, now: Instant) {
        // A clock that jumps back must not undo timeouts.
        if now > self.now {
            self.wall += now - self.now;
            self.now = now;
        }
    }

    fn wake(&mut self, sleeper: Sleeper) {
        match sleeper {
            Sleeper::Conn(key) => {
                if let Some(conn) = self.conns.get_mut(key) {
                    conn.alarm.rang();
                    self.conn_deadlines(key);
                }
            }
            Sleeper::Transfer(id) => {
                if let Some(transfer) = self.transfers.get_mut(id) {
                    transfer.alarm.rang();
                    self.waiting_deadlines(id);
                }
            }
        }
    }
}

impl core::fmt::Debug for Engine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

fn misuse(what: &str) -> Error {
    Fault::new(Culprit::Misuse, Reason::Misuse, what).at("engine")
}

fn unasked() -> Error {
    misuse("nobody waits for that answer: the connection that asked is gone, or has it already")
}

fn unknown() -> Error {
    misuse("no such transfer: it has ended, or belongs to another engine")
}
