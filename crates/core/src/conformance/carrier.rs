//! Carries a conversation between a filter and its peer, and watches every single pump.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Instant, SystemTime};

use super::{Peer, Subject, Traits};
use crate::{Buf, Culprit, Cx, Filter, Pipe, Pool, Reason, Seams, Status};

/// How a conversation is carried.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    /// Bytes from the peer that arrive between two pumps.
    pub(super) in_step: usize,
    /// Bytes to the peer that leave between two pumps.
    pub(super) out_step: usize,
    /// Bound of the pipe above, and of the one to the network.
    pub(super) app_limit: usize,
    pub(super) net_limit: usize,
    /// One arrival ends exactly here.
    pub(super) split: Option<usize>,
    /// Nothing arrives beyond this many bytes.
    pub(super) cut: Option<usize>,
    /// What is incomplete is away while a receive is in flight, as in the engine.
    pub(super) in_flight: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            in_step: usize::MAX,
            out_step: usize::MAX,
            app_limit: 64 * 1024,
            net_limit: 64 * 1024,
            split: None,
            cut: None,
            in_flight: false,
        }
    }
}

/// A failure of the filter, for comparing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) culprit: Culprit,
    pub(super) reason: Reason,
    pub(super) what: String,
}

/// Steps without any movement after which nothing will come any more.
const QUIET: usize = 3;

/// Steps after which a conversation is called endless.
const ENDLESS: usize = 200_000;

pub(super) struct Carrier {
    case: String,
    pub(super) manner: Manner,
    pub(super) traits: Traits,
    pub(super) filter: Box<dyn Filter>,
    pub(super) peer: Box<dyn Peer>,
    pub(super) net_in: Pipe,
    pub(super) net_out: Pipe,
    pub(super) app_in: Pipe,
    pub(super) app_out: Pipe,
    /// Spoken by the peer and still on the way.
    pub(super) on_the_way: VecDeque<u8>,
    /// Bytes that have arrived, and that were sent.
    pub(super) arrived: usize,
    pub(super) sent: usize,
    /// What came out above.
    pub(super) opened: Vec<u8>,
    /// What came out at the peer.
    pub(super) heard: Vec<u8>,
    pub(super) failure: Option<Failure>,
    /// What waited in `net_out` when it failed.
    pub(super) said: usize,
    pub(super) left: bool,
    /// Whether the application takes what is opened, and the network what is sealed.
    pub(super) reads: bool,
    pub(super) drains: bool,
    pub(super) now: Instant,
    wall: SystemTime,
    pool: Pool,
}

impl Carrier {
    pub(super) fn new(subject: &dyn Subject, case: impl Into<String>, manner: Manner) -> Self {
        let (now, wall) = subject.clocks();
        let wide = || Pipe::new(1024 * 1024);
        Self {
            case: case.into(),
            traits: subject.traits(),
            filter: subject.filter(),
            peer: subject.peer(),
            net_in: wide(),
            net_out: Pipe::new(manner.net_limit),
            app_in: Pipe::new(manner.app_limit),
            app_out: wide(),
            manner,
            on_the_way: VecDeque::new(),
            arrived: 0,
            sent: 0,
            opened: Vec::new(),
            heard: Vec::new(),
            failure: None,
            said: 0,
            left: false,
            reads: true,
            drains: true,
            now,
            wall,
            pool: Pool::default(),
        }
    }

    /// Fails the case: says which, where, and why.
    #[track_caller]
    pub(super) fn fail(&self, why: impl core::fmt::Display) -> ! {
        panic!(
            "{layer} does not conform: {case}: {why} (after {} bytes in, {} bytes out, {:?})",
            self.arrived,
            self.sent,
            self.filter.phase(),
            layer = self.filter.layer(),
            case = self.case,
        );
    }

    #[track_caller]
    pub(super) fn expect(&self, holds: bool, why: impl core::fmt::Display) {
        if !holds {
            self.fail(why);
        }
    }

    /// Gives the application's bytes to the filter.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.app_out.push(Buf::from(bytes));
    }

    /// Carries on until nothing moves any more.
    pub(super) fn run(&mut self) {
        let mut quiet = 0;
        for _ in 0..ENDLESS {
            quiet = if self.step() { 0 } else { quiet + 1 };
            if quiet == QUIET {
                return;
            }
        }
        self.fail("it never comes to rest");
    }

    /// One pump, and what comes before and after it. Says whether anything moved.
    fn step(&mut self) -> bool {
        let arrived = self.arrive();
        let pumped = self.pump();
        let departed = self.depart();
        arrived || pumped || departed
    }

    fn arrive(&mut self) -> bool {
        self.on_the_way.extend(self.peer.speak());
        let mut n = self.on_the_way.len().min(self.manner.in_step);
        for stop in [self.manner.split, self.manner.cut].into_iter().flatten() {
            if self.arrived < stop || self.manner.cut == Some(stop) {
                n = n.min(stop.saturating_sub(self.arrived));
            }
        }
        if n == 0 || self.net_in.is_finished() || self.app_in.room() == 0 {
            return false;
        }
        let fresh: Vec<u8> = self.on_the_way.drain(..n).collect();
        self.arrived += n;
        self.deliver(&fresh);
        true
    }

    /// Lets bytes arrive: as a piece of their own, or behind what was incomplete.
    pub(super) fn deliver(&mut self, fresh: &[u8]) {
        if !self.manner.in_flight {
            return self.net_in.push(Buf::from(fresh));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = self.net_in.pop() {
            bytes.extend_from_slice(&piece);
        }
        // Meanwhile somebody else's event pumps the stack.
        self.pump();
        bytes.extend_from_slice(fresh);
        self.net_in.push(Buf::from(bytes));
    }

    fn depart(&mut self) -> bool {
        let mut moved = false;
        while self.reads
            && let Some(piece) = self.app_in.pop()
        {
            self.opened.extend_from_slice(&piece);
            moved = true;
        }
        let mut left = self.manner.out_step;
        while self.drains
            && let Some(piece) = self.net_out.pop_max(left)
        {
            left -= piece.len();
            self.sent += piece.len();
            self.peer.hear(&piece);
            moved = true;
        }
        self.heard.extend(self.peer.received());
        moved
    }

    /// Pumps the filter once and holds it to what is always true.
    pub(super) fn pump(&mut self) -> bool {
        let before = self.moved();
        let full_above = self.app_in.room() == 0;
        let (above, below) = (self.app_in.len(), self.net_out.len());
        if self.left {
            self.net_in.drain_into(&mut self.app_in);
            self.app_out.drain_into(&mut self.net_out);
            return self.moved() != before;
        }
        let result = self.pump_filter();
        let (unit, limits) = (
            self.traits.unit,
            (self.app_in.limit(), self.net_out.limit()),
        );
        self.expect(
            !full_above || self.app_in.len() <= above,
            "it opened more although there was no room above",
        );
        self.expect(
            self.app_in.len() <= above.max(limits.0) + unit,
            format!(
                "{} opened bytes wait, room was for {}",
                self.app_in.len(),
                limits.0
            ),
        );
        self.expect(
            self.net_out.len() <= below.max(limits.1) + unit,
            format!(
                "{} sealed bytes wait, room was for {}",
                self.net_out.len(),
                limits.1
            ),
        );
        match result {
            Ok(Status::Stay) => self.expect(self.failure.is_none(), "an error was not repeated"),
            Ok(Status::Leave) => self.left = true,
            Err(failure) => self.failed(failure),
        }
        let due = self.filter.deadline().is_some_and(|at| at <= self.now);
        self.expect(
            self.left || self.failure.is_some() || !due,
            "its deadline is still due after a pump: it would be pumped for ever",
        );
        self.moved() != before
    }

    fn pump_filter(&mut self) -> Result<Status, Failure> {
        let mut copied = 0;
        let mut cx = Cx::new(self.now, self.wall, &self.pool, &mut copied, None);
        let seams = Seams {
            net_in: &mut self.net_in,
            net_out: &mut self.net_out,
            app_in: &mut self.app_in,
            app_out: &mut self.app_out,
        };
        let filter = &mut self.filter;
        let result = catch_unwind(AssertUnwindSafe(|| filter.pump(seams, &mut cx)));
        match result {
            Ok(result) => result.map_err(|fault| Failure {
                culprit: fault.culprit,
                reason: fault.reason,
                what: fault.what,
            }),
            Err(_) => self.fail("it panicked"),
        }
    }

    fn failed(&mut self, failure: Failure) {
        self.expect(!failure.what.is_empty(), "an error says what happened");
        self.expect(!failure.what.contains('\n'), "an error is one line");
        match &self.failure {
            None => {
                self.said = self.net_out.len();
                self.failure = Some(failure);
            }
            Some(first) => self.expect(
                *first == failure,
                format!("the same error again: {first:?}, then {failure:?}"),
            ),
        }
    }

    pub(super) fn moved(&self) -> u64 {
        let pipes = [&self.net_in, &self.net_out, &self.app_in, &self.app_out];
        pipes.map(Pipe::moved).iter().sum::<u64>() + u64::from(self.left)
    }

    /// Nothing has failed so far.
    #[track_caller]
    pub(super) fn expect_sound(&self) {
        if let Some(failure) = &self.failure {
            self.fail(format!("unexpected error: {failure:?}"));
        }
    }
}
