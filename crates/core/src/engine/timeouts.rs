//! What has a time limit, and what happens then.

use std::time::{Duration, Instant};

use super::Engine;
use super::conn::{Conn, FAREWELL, State};
use super::transfer::Transfer;
use crate::timers::Sleeper;
use crate::{Culprit, Error, Fault, Reason};

/// How long a `min` hint may keep bytes waiting that have arrived.
pub(super) const PATIENCE: Duration = Duration::from_millis(200);

/// What is due on a connection.
enum Due {
    Nothing,
    Pump,
    NextAttempt,
    Patience,
    Unsent,
    Close,
    /// With the layer that it happens in.
    Fail(&'static str, Reason, String),
}

impl Engine {
    /// Does what is due on a connection and sets its alarm for what comes next.
    pub(super) fn conn_deadlines(&mut self, key: u64) {
        for _ in 0..4 {
            let now = self.now;
            let Some(conn) = self.conns.get_mut(key) else {
                return;
            };
            let transfer = conn.transfer.and_then(|id| self.transfers.get_mut(id));
            let (due, next) = look(conn, transfer, now);
            match due {
                Due::Nothing => {
                    return self.timers.set(&mut conn.alarm, Sleeper::Conn(key), next);
                }
                Due::Pump => {
                    self.timers.set(&mut conn.alarm, Sleeper::Conn(key), next);
                    return self.make_ready(key);
                }
                Due::NextAttempt => return self.next_attempt(key),
                Due::Patience => self.end_recv(key),
                Due::Unsent => {
                    if let Some(error) = self.send_error(key) {
                        self.failed(key, error);
                    }
                    return;
                }
                Due::Close => return self.expire(key),
                Due::Fail(layer, reason, what) => {
                    let id = conn.transfer;
                    let error = timed_out(layer, reason, what);
                    return match id {
                        Some(id) => self.abort(id, error),
                        None => self.drop_conn(key),
                    };
                }
            }
        }
    }

    fn expire(&mut self, key: u64) {
        match self.conns.get(key).map(|conn| &conn.state) {
            Some(State::Idle { .. }) => self.close_gracefully(key),
            _ => self.drop_conn(key),
        }
    }

    /// The same for a transfer that waits for a connection.
    pub(super) fn waiting_deadlines(&mut self, id: u64) {
        let now = self.now;
        let Some(transfer) = self.transfers.get_mut(id) else {
            return;
        };
        if transfer.ended || transfer.conn.is_some() {
            return;
        }
        let total = total(transfer);
        match total {
            Some(at) if at <= now => {
                let what = "the transfer still waited for a connection".to_owned();
                self.abort(id, timed_out("engine", Reason::TotalTimeout, what));
            }
            _ => self
                .timers
                .set(&mut transfer.alarm, Sleeper::Transfer(id), total),
        }
    }
}

fn total(transfer: &Transfer) -> Option<Instant> {
    transfer
        .options
        .timeouts
        .total
        .and_then(|total| transfer.added.checked_add(total))
}

/// Collects the earliest of several deadlines, and whether one is due.
struct Look {
    now: Instant,
    next: Option<Instant>,
    due: Due,
}

impl Look {
    fn at(&mut self, at: Option<Instant>, due: impl FnOnce() -> Due) {
        let Some(at) = at else { return };
        if at > self.now {
            self.next = Some(self.next.map_or(at, |next| next.min(at)));
        } else if matches!(self.due, Due::Nothing | Due::Pump) {
            self.due = due();
        }
    }
}

fn look(conn: &mut Conn, transfer: Option<&mut Transfer>, now: Instant) -> (Due, Option<Instant>) {
    let mut look = Look {
        now,
        next: None,
        due: Due::Nothing,
    };
    match &conn.state {
        State::Dialing(dial) => look.at(dial.next_at, || Due::NextAttempt),
        State::Idle { until } => look.at(*until, || Due::Close),
        State::Closing { until } => look.at(Some(*until), || Due::Close),
        State::Open => {
            look.at(not_served(conn, conn.stack.deadline()), || Due::Pump);
            look.at(conn.patience, || Due::Patience);
            let unsent = conn.send_error.as_ref().filter(|_| !held(&transfer));
            let unsent = unsent.map(|_| conn.last_move + FAREWELL);
            look.at(unsent, || Due::Unsent);
        }
    }
    if let Some(transfer) = transfer {
        look_at_transfer(&mut look, conn, transfer);
    }
    (look.due, look.next)
}

fn look_at_transfer(look: &mut Look, conn: &mut Conn, transfer: &Transfer) {
    let limits = &transfer.options.timeouts;
    let after = |since: Instant, limit: Option<Duration>| limit.and_then(|l| since.checked_add(l));
    let fail = |reason, what: &str, limit: Option<Duration>| {
        let what = format!("{what} within {:?}", limit.unwrap_or_default());
        Due::Fail("engine", reason, what)
    };
    look.at(total(transfer), || {
        fail(Reason::TotalTimeout, "not complete", limits.total)
    });
    match &conn.state {
        State::Dialing(dial) => {
            let mut bound = |since, limit: Option<Duration>| {
                look.at(after(since, limit), || {
                    let what = format!("not connected within {:?}", limit.unwrap_or_default());
                    Due::Fail("connect", Reason::ConnectTimeout, what)
                });
            };
            bound(dial.since, limits.connect);
            bound(conn.since, limits.setup);
        }
        State::Open => {
            let deadline = transfer.exchange.deadline();
            look.at(not_served(conn, deadline), || Due::Pump);
            if conn.asks.is_open() {
                // What the application takes is not the peer's time.
                return;
            }
            if let Some(since) = conn.handshake_since
                && let Some(layer) = conn.stack.handshaking()
            {
                look.at(after(since, limits.handshake), || {
                    let limit = limits.handshake.unwrap_or_default();
                    let what = format!("no handshake within {limit:?}");
                    Due::Fail(layer, Reason::HandshakeTimeout, what)
                });
                look.at(after(conn.since, limits.setup), || {
                    let limit = limits.setup.unwrap_or_default();
                    let what = format!("not connected and secured within {limit:?}");
                    Due::Fail(layer, Reason::HandshakeTimeout, what)
                });
            }
            let held = transfer.events.is_paused();
            if let Some(since) = conn.awaiting_since.filter(|_| !held) {
                look.at(after(since, limits.first_byte), || {
                    fail(Reason::FirstByteTimeout, "no answer", limits.first_byte)
                });
            }
            if !held && !transfer.body.is_owed() {
                look.at(after(conn.last_move, limits.idle), || {
                    fail(Reason::IdleTimeout, "nothing moved", limits.idle)
                });
                low_speed(look, conn, limits.low_speed);
            }
        }
        _ => {}
    }
}

/// Whether the application holds the answer back.
fn held(transfer: &Option<&mut Transfer>) -> bool {
    transfer
        .as_ref()
        .is_some_and(|transfer| transfer.events.is_paused())
}

/// A layer's deadline, unless a pump has come after it: a layer that leaves a past
/// deadline standing must not be pumped for ever.
fn not_served(conn: &Conn, deadline: Option<Instant>) -> Option<Instant> {
    deadline.filter(|at| conn.pumped_at.is_none_or(|pumped| pumped < *at))
}

/// Measures speed over windows of the given length.
fn low_speed(look: &mut Look, conn: &mut Conn, limit: Option<(u64, Duration)>) {
    let Some((speed, window)) = limit.filter(|(_, window)| !window.is_zero()) else {
        return;
    };
    let (since, moved) = conn.speed_window;
    let Some(mut end) = since.checked_add(window) else {
        return;
    };
    if end <= look.now && moved as f64 >= speed as f64 * window.as_secs_f64() {
        conn.speed_window = (look.now, 0);
        end = look.now + window;
    }
    look.at(Some(end), || {
        let what = format!("slower than {speed} bytes/s for {window:?}: {moved} bytes moved");
        Due::Fail("engine", Reason::LowSpeed, what)
    });
}

fn timed_out(layer: &'static str, reason: Reason, what: String) -> Error {
    let remedy = match reason {
        Reason::ConnectTimeout => "raise the connect timeout, or check the address",
        Reason::HandshakeTimeout => "raise the handshake timeout, or check the port",
        Reason::FirstByteTimeout => "raise the first-byte timeout",
        Reason::IdleTimeout => "raise the idle timeout",
        Reason::LowSpeed => "lower the speed limit",
        _ => "raise the total timeout",
    };
    Fault::new(Culprit::Limit, reason, what)
        .remedy(remedy)
        .at(layer)
}
