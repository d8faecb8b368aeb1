//! One connection's two directions: bytes under way, and where its fate strikes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::faults::{Fate, Place};
use crate::{Faults, Peer, Wire};

/// The connection between the application's socket and a peer.
pub(crate) struct Link {
    peer: Box<dyn Peer>,
    wire: Wire,
    fate: Fate,
    up: Lane,
    down: Lane,
    /// What a receive can have now.
    arrived: VecDeque<u8>,
    /// Nothing comes after `arrived`.
    ended: bool,
    broken: bool,
    /// Nothing moves any more, and nobody is told.
    silent: bool,
}

/// Bytes under way in one direction.
#[derive(Default)]
struct Lane {
    flights: VecDeque<(Instant, Vec<u8>)>,
    in_flight: usize,
    busy_until: Option<Instant>,
    /// Bytes that have been sent so far.
    passed: u64,
    end_at: Option<Instant>,
}

impl Link {
    pub(crate) fn new(peer: Box<dyn Peer>, fate: Fate) -> Self {
        Self {
            peer,
            wire: Wire::default(),
            fate,
            up: Lane::default(),
            down: Lane::default(),
            arrived: VecDeque::new(),
            ended: false,
            broken: false,
            silent: false,
        }
    }

    /// Delivers what is due, lets the peer speak, and says when to come again.
    pub(crate) fn step(
        &mut self,
        now: Instant,
        faults: &Faults,
        rng: &mut Rng,
        harm: &mut Vec<&'static str>,
    ) -> Option<Instant> {
        if self.broken || self.silent {
            return None;
        }
        self.up.deliver(now, |bytes| self.wire.input.extend(bytes));
        self.wire.input_finished |= self.up.has_ended(now);
        self.down.deliver(now, |bytes| self.arrived.extend(bytes));
        self.ended |= self.down.has_ended(now);
        self.wire.room = faults
            .window
            .saturating_sub(self.down.in_flight + self.arrived.len());
        self.peer.pump(&mut self.wire, now);
        self.say(now, faults, rng, harm);
        if self.wire.reset {
            self.broken = true;
        }
        self.strike(harm);
        let next = [self.up.next(), self.down.next(), self.peer.deadline()];
        // An end stays where it was after it has been delivered.
        next.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// What the peer has said goes on its way, as far as fate lets it.
    fn say(&mut self, now: Instant, faults: &Faults, rng: &mut Rng, harm: &mut Vec<&'static str>) {
        let mut said = core::mem::take(&mut self.wire.output);
        if self.down.end_at.is_some() {
            return;
        }
        let before = self.down.passed;
        if let Some(at) = self.fate.flip
            && let Some(byte) = usize::try_from(at.wrapping_sub(before))
                .ok()
                .and_then(|offset| said.get_mut(offset))
        {
            *byte ^= 1 << (at % 8);
            harm.push("a bit has flipped");
        }
        let mut finish = self.wire.finish;
        if let Some(at) = self.fate.end
            && before + said.len() as u64 > at
        {
            said.truncate((at - before) as usize);
            finish = true;
            harm.push("the bytes have ended early");
        }
        self.down.send(&said, now, faults, rng);
        if finish {
            self.down.end(now, faults);
        }
    }

    /// Takes bytes from a send, and says how many.
    pub(crate) fn send(
        &mut self,
        bytes: &[u8],
        now: Instant,
        faults: &Faults,
        rng: &mut Rng,
    ) -> usize {
        let n = bytes.len().min(self.send_room(faults));
        self.up.send(&bytes[..n], now, faults, rng);
        n
    }

    pub(crate) fn send_room(&self, faults: &Faults) -> usize {
        let held = self.up.in_flight + self.wire.input.len();
        if self.silent {
            0
        } else {
            faults.window.saturating_sub(held)
        }
    }

    pub(crate) fn shut(&mut self, now: Instant, faults: &Faults) {
        self.up.end(now, faults);
    }

    /// Bytes for a receive, and whether more may come.
    pub(crate) fn waiting(&self) -> (usize, bool) {
        (self.arrived.len(), !self.ended)
    }

    pub(crate) fn take(&mut self, into: &mut [u8]) {
        let n = into.len();
        let bytes = self.arrived.drain(..n);
        into.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The application's side is told of an end that the peer never said.
    pub(crate) fn cut(&mut self) {
        self.arrived.clear();
        self.ended = true;
        self.silent = true;
    }

    fn strike(&mut self, harm: &mut Vec<&'static str>) {
        let reached = |place: Option<Place>, up: &Lane, down: &Lane| {
            place.is_some_and(|place| {
                let passed = if place.down { down.passed } else { up.passed };
                passed >= place.at && (passed > 0 || place.at == 0)
            })
        };
        if reached(self.fate.reset, &self.up, &self.down) {
            self.broken = true;
            harm.push("the connection was reset");
        }
        if reached(self.fate.silence, &self.up, &self.down) {
            self.silent = true;
            harm.push("the connection fell silent");
        }
    }
}

impl Lane {
    fn send(&mut self, bytes: &[u8], now: Instant, faults: &Faults, rng: &mut Rng) {
        for segment in bytes.chunks(faults.segment.max(1)) {
            let jitter = draw(rng, faults.jitter);
            let free = self.busy_until.map_or(now, |until| until.max(now));
            let on_wire = Duration::from_nanos(
                segment.len() as u64 * 1_000_000_000 / faults.bandwidth.max(1),
            );
            self.busy_until = Some(free + on_wire);
            let last = self.flights.back().map_or(now, |(at, _)| *at);
            // Segments of one direction never overtake each other.
            let at = (free + on_wire + faults.latency + jitter).max(last);
            self.flights.push_back((at, segment.to_vec()));
            self.in_flight += segment.len();
        }
        self.passed += bytes.len() as u64;
    }

    fn end(&mut self, now: Instant, faults: &Faults) {
        let last = self
            .flights
            .back()
            .map_or(now + faults.latency, |(at, _)| *at);
        self.end_at.get_or_insert(last);
    }

    fn deliver(&mut self, now: Instant, mut take: impl FnMut(Vec<u8>)) {
        while self.flights.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, bytes)) = self.flights.pop_front()
        {
            self.in_flight -= bytes.len();
            take(bytes);
        }
    }

    fn has_ended(&self, now: Instant) -> bool {
        self.flights.is_empty() && self.end_at.is_some_and(|at| at <= now)
    }

    /// When something is due, or was.
    fn next(&self) -> Option<Instant> {
        self.flights.front().map(|(at, _)| *at).or(self.end_at)
    }
}

pub(crate) fn draw(rng: &mut Rng, most: Duration) -> Duration {
    let most = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(if most == 0 { 0 } else { rng.u64(0..=most) })
}
