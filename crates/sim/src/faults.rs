//! What may go wrong in one run, drawn from its seed.

use std::time::Duration;

use fastrand::Rng;

/// The character of a network. Each kind of fault is off in most runs, so that
/// all combinations come up and a run without one shows what another does alone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Faults {
    /// One way.
    pub latency: Duration,
    /// Random addition to each segment's and each completion's time. Completions of different
    /// operations overtake each other within it.
    pub jitter: Duration,
    /// Bytes per second, each way.
    pub bandwidth: u64,
    /// The largest piece that travels as one.
    pub segment: usize,
    /// Bytes that fit between a sender and its receiver, each way.
    pub window: usize,
    /// Receives end before they have all that is there.
    pub split_reads: bool,
    /// Receives wait for more than has come.
    pub merged_reads: bool,
    /// Whether the driver honours `min`.
    pub honours_min: bool,
    /// Sends take less than they could.
    pub short_sends: bool,
    /// A cancelled operation comes back late, or done after all.
    pub late_cancels: bool,
    /// A receive without a buffer waits for one, and gets a tiny one.
    pub famine: bool,
    /// Per mille of connections that are reset somewhere.
    pub resets: u16,
    /// Per mille of connections whose bytes end somewhere, cleanly as TCP has it.
    pub ends: u16,
    /// Per mille of connections on which one bit flips somewhere.
    pub flips: u16,
    /// Per mille of connections that fall silent somewhere.
    pub silences: u16,
    /// Per mille of connection attempts that are refused, or meet silence.
    pub refusals: u16,
    /// Per mille of datagrams that are lost: no harm, whoever sends them knows of it.
    pub losses: u16,
    /// Per mille of datagrams that come twice.
    pub doubles: u16,
    /// Where on a connection a fault may strike, in bytes.
    pub reach: u64,
}

impl Faults {
    /// A network on which nothing happens but latency.
    pub fn none() -> Self {
        Self {
            latency: Duration::from_millis(1),
            jitter: Duration::ZERO,
            bandwidth: 1 << 30,
            segment: 64 * 1024,
            window: 256 * 1024,
            split_reads: false,
            merged_reads: false,
            honours_min: true,
            short_sends: false,
            late_cancels: false,
            famine: false,
            resets: 0,
            ends: 0,
            flips: 0,
            silences: 0,
            refusals: 0,
            losses: 0,
            doubles: 0,
            reach: 0,
        }
    }

    /// The same without anything that a transfer may fail for.
    #[must_use]
    pub fn harmless(self) -> Self {
        Self {
            resets: 0,
            ends: 0,
            flips: 0,
            silences: 0,
            refusals: 0,
            ..self
        }
    }

    /// The same with datagrams lost and doubled, as `rng` has it, up to one in two.
    #[must_use]
    pub fn lossy(self, rng: &mut Rng) -> Self {
        let mut share = || if rng.bool() { rng.u16(0..500) } else { 0 };
        Self {
            losses: share(),
            doubles: share(),
            ..self
        }
    }

    /// The character that `rng` gives, for transfers of about `size` bytes. No datagrams are lost.
    pub fn draw(rng: &mut Rng, size: u64) -> Self {
        let mut sometimes = |one_in: u8| rng.u8(0..one_in) == 0;
        let flags = [3, 4, 2, 3, 3, 4].map(&mut sometimes);
        let harmful = [3, 3, 5, 5, 5].map(&mut sometimes);
        let [
            split_reads,
            merged_reads,
            honours_min,
            short_sends,
            late_cancels,
            famine,
        ] = flags;
        let mut share = |on: bool| if on { rng.u16(50..700) } else { 0 };
        let [resets, ends, flips, silences, refusals] = harmful.map(&mut share);
        let millis = |rng: &mut Rng, most: u64| Duration::from_micros(rng.u64(0..=most * 1000));
        // A segment is never so small that a run takes for ever.
        let least = (size / 400).clamp(1, 16_000) as usize;
        let most = [least, 1460, 65_536][rng.usize(0..3)].max(least);
        Self {
            latency: millis(rng, 200),
            jitter: if rng.bool() {
                millis(rng, 50)
            } else {
                Duration::ZERO
            },
            bandwidth: 1 << rng.u32(14..30),
            segment: rng.usize(least..=most),
            window: rng.usize(least.max(1024)..=262_144),
            split_reads,
            merged_reads,
            honours_min,
            short_sends,
            late_cancels,
            famine,
            resets,
            ends,
            flips,
            silences,
            refusals,
            losses: 0,
            doubles: 0,
            reach: size * 2 + 8_192,
        }
    }
}

/// What becomes of one connection: the places, in bytes from the peer or to it, at which it fails.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fate {
    pub(crate) reset: Option<Place>,
    pub(crate) end: Option<u64>,
    pub(crate) flip: Option<u64>,
    pub(crate) silence: Option<Place>,
}

/// A number of bytes in one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) down: bool,
    pub(crate) at: u64,
}

impl Fate {
    pub(crate) fn draw(faults: &Faults, rng: &mut Rng) -> Self {
        let mut place = |share: u16| {
            let hit = rng.u16(0..1000) < share;
            // Half of all strike early, where handshakes are.
            let early = rng.bool();
            let reach = if early {
                faults.reach.min(6_000)
            } else {
                faults.reach
            };
            let at = rng.u64(0..=reach);
            let down = rng.u8(0..4) > 0;
            hit.then_some(Place { down, at })
        };
        Self {
            reset: place(faults.resets),
            end: place(faults.ends).map(|place| place.at),
            flip: place(faults.flips).map(|place| place.at),
            silence: place(faults.silences),
        }
    }
}
