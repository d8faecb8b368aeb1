//! One transfer's state in the engine.

use std::sync::Arc;
use std::time::Instant;

use crate::exchange::{Body, Events, Exchange};
use crate::timers::Alarm;
use crate::{Limits, Route, Summary, Timeouts};

/// How a transfer is to be treated.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Its timeouts.
    pub timeouts: Timeouts,
    /// 0 to 7, default 3. While connections are scarce, each level is worth 64 places
    /// in the queue: urgent ones go first, but nobody starves.
    pub priority: u8,
    /// Whether notes are wanted ([`crate::Event::Note`]). Default no.
    pub notes: bool,
    /// Never use a kept connection. Default no.
    pub fresh_connection: bool,
    /// Close the connection afterwards. Default no.
    pub forbid_reuse: bool,
    /// It takes its connection whatever [`Limits::connections`] and
    /// [`Limits::connections_per_host`] say: for what other transfers wait for, which may have
    /// all the places. Default no.
    pub beyond_limits: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeouts: Timeouts::default(),
            priority: 3,
            notes: false,
            fresh_connection: false,
            forbid_reuse: false,
            beyond_limits: false,
        }
    }
}

pub(super) struct Transfer {
    pub(super) route: Arc<Route>,
    pub(super) host: u64,
    pub(super) exchange: Box<dyn Exchange>,
    pub(super) options: Options,
    pub(super) rank: u64,
    pub(super) events: Events,
    pub(super) body: Body,
    pub(super) body_given: u64,
    pub(super) conn: Option<u64>,
    pub(super) added: Instant,
    /// Whether an `Out::Events` for it is queued.
    pub(super) announced: bool,
    /// `Done` is in the events.
    pub(super) ended: bool,
    /// Connections given up because they were dead already, and because a layer wanted
    /// another one.
    pub(super) retries: u8,
    pub(super) reopens: u8,
    pub(super) alarm: Alarm,
    pub(super) summary: Summary,
}

impl Transfer {
    pub(super) fn new(
        route: Arc<Route>,
        host: u64,
        exchange: Box<dyn Exchange>,
        options: Options,
        rank: u64,
        now: Instant,
        limits: &Limits,
    ) -> Self {
        Self {
            route,
            host,
            exchange,
            options,
            rank,
            events: Events::new(limits.pipe.max(limits.bulk_recv)),
            body: Body::new(limits.pipe),
            body_given: 0,
            conn: None,
            added: now,
            announced: false,
            ended: false,
            retries: 0,
            reopens: 0,
            alarm: Alarm::default(),
            summary: Summary::default(),
        }
    }

    /// Leaves its connection for another one, if nothing of the request is lost by that.
    pub(super) fn starts_over(&mut self) -> bool {
        let can = !self.events.head_seen() && self.exchange.restart(false);
        if can {
            self.conn = None;
            self.summary.reused = false;
        }
        can
    }

    /// Whether only a new connection will do.
    pub(super) fn wants_fresh(&self) -> bool {
        self.options.fresh_connection || self.retries > 0 || self.reopens > 0
    }
}

/// The place in the queue: later is larger, a level of priority is worth 64 places.
pub(super) fn rank(sequence: u64, priority: u8) -> u64 {
    sequence + 64 * u64::from(7 - priority.min(7))
}
