//! A datagram socket's two directions: what is lost on the way, doubled, or overtaken.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::link::draw;
use crate::{Correspondent, Faults};

/// Between the application's datagram socket and whoever is at the other end.
///
/// What happens here is no harm: datagrams promise nothing, and who sends them knows.
pub(crate) struct Mail {
    /// Nobody: a port that is closed, or silence.
    to: Option<Box<dyn Correspondent>>,
    refuses: bool,
    /// By the time at which they come, and in the order in which they went.
    up: BTreeMap<(Instant, u64), Vec<u8>>,
    down: BTreeMap<(Instant, u64), Vec<u8>>,
    sent: u64,
    /// What a receive can have now.
    arrived: VecDeque<Vec<u8>>,
    /// The other machine has said that nobody listens there.
    refused: bool,
}

impl Mail {
    /// To somebody, or to nobody: then the other machine says so if it `refuses`.
    pub(crate) fn new(to: Option<Box<dyn Correspondent>>, refuses: bool) -> Self {
        Self {
            to,
            refuses,
            up: BTreeMap::new(),
            down: BTreeMap::new(),
            sent: 0,
            arrived: VecDeque::new(),
            refused: false,
        }
    }

    /// Delivers what is due, and says when to come again.
    pub(crate) fn step(&mut self, now: Instant, faults: &Faults, rng: &mut Rng) -> Option<Instant> {
        while let Some(datagram) = due(&mut self.up, now) {
            self.refused |= self.refuses;
            let answers = self.to.as_mut().map(|to| to.answer(&datagram, now));
            for (after, answer) in answers.unwrap_or_default() {
                self.travel(false, answer, now + after, faults, rng);
            }
        }
        while let Some(datagram) = due(&mut self.down, now) {
            self.arrived.push_back(datagram);
        }
        let next = |way: &BTreeMap<(Instant, u64), _>| way.keys().next().map(|(at, _)| *at);
        [next(&self.up), next(&self.down)]
            .into_iter()
            .flatten()
            .min()
    }

    pub(crate) fn send(&mut self, datagram: Vec<u8>, now: Instant, faults: &Faults, rng: &mut Rng) {
        self.travel(true, datagram, now, faults, rng);
    }

    fn travel(
        &mut self,
        up: bool,
        datagram: Vec<u8>,
        from: Instant,
        faults: &Faults,
        rng: &mut Rng,
    ) {
        let mut happens = |share: u16| share > 0 && rng.u16(0..1000) < share;
        let copies = match (happens(faults.losses), happens(faults.doubles)) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => 1,
        };
        for _ in 0..copies {
            let jitter = draw(rng, faults.jitter);
            let on_wire = datagram.len() as u64 * 1_000_000_000 / faults.bandwidth.max(1);
            let at = from + faults.latency + jitter + Duration::from_nanos(on_wire);
            self.sent += 1;
            let way = if up { &mut self.up } else { &mut self.down };
            way.insert((at, self.sent), datagram.clone());
        }
    }

    /// The next datagram for a receive.
    pub(crate) fn take(&mut self) -> Option<Vec<u8>> {
        self.arrived.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.arrived.is_empty()
    }

    /// Whether the other machine has refused what was sent; asked once, as a socket tells it once.
    pub(crate) fn was_refused(&mut self) -> bool {
        core::mem::take(&mut self.refused)
    }
}

fn due(way: &mut BTreeMap<(Instant, u64), Vec<u8>>, now: Instant) -> Option<Vec<u8>> {
    let first = way.first_entry()?;
    (first.key().0 <= now).then(|| first.remove())
}
