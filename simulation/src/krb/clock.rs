//! The time of day in a realm.

use std::time::{Duration, Instant};

/// Follows virtual time, and may be wrong.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    /// Since 1970, at the start.
    wall: Duration,
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wall(Duration);

impl Clock {
    /// At `start` it shows that time since 1970.
    pub fn new(start: Instant, wall: Duration) -> Self {
        Self { start, wall }
    }

    pub(super) fn at(&self, now: Instant) -> Wall {
        Wall(self.wall + now.duration_since(self.start))
    }
}

impl Wall {
    pub(super) fn seconds(self) -> u64 {
        self.0.as_secs()
    }

    pub(super) fn micros(self) -> i64 {
        self.0.subsec_micros().into()
    }
}
