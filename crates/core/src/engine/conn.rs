//! One connection: a stack, its socket, and the transfer on top of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Engine;
use super::dial::Dial;
use super::sockets::Kind;
use crate::event::Event;
use crate::filter::{Cx, Phase};
use crate::stack::{Driven, Pumped, Stack};
use crate::timers::Alarm;
use crate::{Asks, Buf, ConnId, Culprit, Endpoint, Error, Fault, Reason, Route};

pub(super) struct Conn {
    pub(super) route: Arc<Route>,
    pub(super) host: u64,
    pub(super) state: State,
    pub(super) socket: Option<ConnId>,
    pub(super) stack: Stack,
    pub(super) transfer: Option<u64>,
    /// Whether it is in the ready queue.
    pub(super) queued: bool,
    pub(super) alarm: Alarm,
    pub(super) remote: Option<Endpoint>,
    /// Transfers that it has completed.
    pub(super) served: u32,
    /// When it was begun: before resolving.
    pub(super) since: Instant,
    pub(super) handshake_since: Option<Instant>,
    pub(super) last_move: Instant,
    /// Since when the answer's first byte is awaited.
    pub(super) awaiting_since: Option<Instant>,
    /// Start of the current low-speed window, and bytes moved in it.
    pub(super) speed_window: (Instant, u64),
    /// Until when a `min` hint may keep a receive waiting.
    pub(super) patience: Option<Instant>,
    /// We asked for an early end of the receive in flight.
    pub(super) recv_cancelled: bool,
    /// Whether the receive in flight has a buffer.
    pub(super) recv_holds_buf: bool,
    /// The hint kept a receive waiting too long: the next one goes without.
    pub(super) impatient: bool,
    /// When the stack was pumped last: deadlines up to then have had their chance.
    pub(super) pumped_at: Option<Instant>,
    /// What had come up to the top when the transfer got this connection.
    pub(super) heard_before: u64,
    pub(super) recv_size: usize,
    /// Sending failed; an answer may still arrive, but not keep silent for long.
    pub(super) send_error: Option<Error>,
    pub(super) shutdown: bool,
    /// A send vector between two sends.
    pub(super) spare_bufs: Vec<Buf>,
    /// Questions of its layers, and since when one is open.
    pub(super) asks: Asks,
    pub(super) asked_since: Option<Instant>,
}

pub(super) enum State {
    /// Resolving and connecting.
    Dialing(Box<Dial>),
    /// Carries a transfer.
    Open,
    /// Kept for reuse until then.
    Idle { until: Option<Instant> },
    /// Says its last words until then, then closes.
    Closing { until: Instant },
}

/// How long last words may take.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// First receive buffer: a TLS record fits.
pub(super) const SMALL_RECV: usize = 16 * 1024 + 512;

impl Conn {
    pub(super) fn new(
        route: Arc<Route>,
        host: u64,
        stack: Stack,
        dial: Dial,
        now: Instant,
    ) -> Self {
        Self {
            route,
            host,
            state: State::Dialing(Box::new(dial)),
            socket: None,
            stack,
            transfer: None,
            queued: false,
            alarm: Alarm::default(),
            remote: None,
            served: 0,
            since: now,
            handshake_since: None,
            last_move: now,
            awaiting_since: None,
            speed_window: (now, 0),
            patience: None,
            recv_cancelled: false,
            recv_holds_buf: false,
            impatient: false,
            pumped_at: None,
            heard_before: 0,
            recv_size: SMALL_RECV,
            send_error: None,
            shutdown: false,
            spare_bufs: Vec::new(),
            asks: Asks::new(),
            asked_since: None,
        }
    }

    /// Bytes went in or out.
    pub(super) fn moved_at(&mut self, now: Instant) {
        self.last_move = now;
    }

    /// The application came back: what it took is not the peer's time.
    pub(super) fn restart_clocks(&mut self, now: Instant) {
        self.last_move = now;
        self.speed_window = (now, 0);
        self.awaiting_since = self.awaiting_since.map(|_| now);
        if let Some(asked) = self.asked_since.filter(|_| !self.asks.is_open()) {
            self.asked_since = None;
            let took = now.saturating_duration_since(asked);
            self.since += took;
            self.handshake_since = self.handshake_since.map(|since| since + took);
        }
    }

    pub(super) fn start_closing(&mut self, now: Instant) {
        self.state = State::Closing {
            until: now + FAREWELL,
        };
    }
}

impl Engine {
    /// A connection's turn: pump its stack, then see what the socket can do for it.
    pub(super) fn turn(&mut self, key: u64) {
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        conn.queued = false;
        if matches!(conn.state, State::Dialing(_)) {
            return;
        }
        let pumped = self.pump(key);
        let pumped = self.unless_unsent(key, pumped);
        match pumped {
            Pumped::Blocked | Pumped::Again => {
                if matches!(pumped, Pumped::Again) {
                    self.make_ready(key);
                }
                self.milestones(key);
                self.flush(key);
                self.receive(key);
                self.after_turn(key);
            }
            Pumped::Finished { reusable } => self.finished(key, reusable),
            Pumped::Failed(error) => self.failed(key, error),
        }
    }

    /// A complete answer is not the end while the rest of the request is on its way.
    fn unless_unsent(&mut self, key: u64, pumped: Pumped) -> Pumped {
        let Some(conn) = self.conns.get_mut(key) else {
            return pumped;
        };
        let transfer = conn.transfer.and_then(|id| self.transfers.get(id));
        if !transfer.is_some_and(|transfer| transfer.exchange.only_sends()) {
            return pumped;
        }
        let sending = conn
            .socket
            .is_some_and(|socket| self.sockets.pending(socket, Kind::Send).is_some());
        let unsent = sending || !conn.stack.net_out().is_empty();
        match pumped {
            Pumped::Failed(error) if error.culprit() == Culprit::Transport => {
                let what = format!("the request could not be sent to its end: {}", error.what());
                let fault =
                    Fault::new(Culprit::Transport, Reason::Send, what).remedy(super::io::BROKEN);
                Pumped::Failed(fault.source(error).at("socket"))
            }
            Pumped::Failed(error) => Pumped::Failed(error),
            Pumped::Finished { .. } if unsent && conn.send_error.is_none() => Pumped::Blocked,
            pumped => conn.send_error.take().map_or(pumped, Pumped::Failed),
        }
    }

    pub(super) fn pump(&mut self, key: u64) -> Pumped {
        let (now, wall) = (self.now, self.wall);
        let Some(conn) = self.conns.get_mut(key) else {
            return Pumped::Blocked;
        };
        conn.pumped_at = Some(now);
        let rounds = self.limits.steps_per_turn;
        let copied = &mut self.stats.copied;
        let Some(transfer) = conn.transfer.and_then(|id| self.transfers.get_mut(id)) else {
            let mut cx = Cx::new(now, wall, &self.pool, copied, None).on(key);
            return conn.stack.pump(None, &mut cx, rounds);
        };
        let notes = transfer.options.notes.then_some(&mut self.notes);
        conn.asks.go_on_from(self.questions);
        let cx = Cx::new(now, wall, &self.pool, copied, notes).on(key);
        let mut cx = cx.asking(&mut conn.asks);
        let before = transfer.events.len();
        let driven = Driven {
            exchange: &mut *transfer.exchange,
            events: &mut transfer.events,
            body: &mut transfer.body,
        };
        let pumped = conn.stack.pump(Some(driven), &mut cx, rounds);
        if !self.notes.is_empty() {
            let notes = self.notes.drain(..).map(Event::Note);
            transfer.events.insert_notes(before, notes);
        }
        self.questions = self.questions.max(conn.asks.last());
        while let Some(question) = conn.asks.pop() {
            conn.asked_since.get_or_insert(now);
            transfer.events.emit(Event::Asked(question));
        }
        if let Some(room) = transfer.body.ask() {
            transfer.events.emit(Event::WantBody { room });
        }
        let id = conn.transfer;
        if let Some(id) = id {
            self.announce(id);
        }
        pumped
    }

    /// Notes how far the connection has come, for summaries and timeouts.
    pub(super) fn milestones(&mut self, key: u64) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        if conn.handshake_since.is_some() && conn.stack.phase() == Phase::Open {
            conn.handshake_since = None;
            let layered = conn.stack.layers().next().is_some();
            if layered
                && let Some(transfer) = conn.transfer.and_then(|id| self.transfers.get_mut(id))
            {
                transfer.summary.secured = Some(now - transfer.added);
            }
        }
        let unsent = !conn.stack.net_out().is_empty()
            || conn
                .socket
                .is_some_and(|socket| self.sockets.pending(socket, Kind::Send).is_some());
        let awaits = !unsent
            && conn.stack.phase() == Phase::Open
            && conn
                .transfer
                .and_then(|id| self.transfers.get(id))
                .is_some_and(|transfer| transfer.exchange.awaits_answer());
        conn.awaiting_since = if awaits {
            conn.awaiting_since.or(Some(now))
        } else {
            None
        };
    }

    /// Sees to endings, and sets the alarm for what may come.
    fn after_turn(&mut self, key: u64) {
        let Some(conn) = self.conns.get(key) else {
            return;
        };
        match conn.state {
            State::Closing { .. } => self.finish_closing(key),
            State::Idle { .. } => self.check_idle(key),
            State::Open => self.finish_sent(key),
            State::Dialing(_) => {}
        }
        self.conn_deadlines(key);
    }
}
