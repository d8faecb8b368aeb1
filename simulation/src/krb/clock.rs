//! The time of day in a realm.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::crypto::WALL;

/// May be wrong.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    ahead: Duration,
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wall(Duration);

impl Clock {
    /// As far ahead of the client's as `wall`, since 1970, is of the simulation's beginning. The
    /// client's is the system's: MIT Kerberos reads that, and not virtual time.
    pub fn new(_start: Instant, wall: Duration) -> Self {
        Self { ahead: wall - WALL }
    }

    pub(super) fn at(&self, _now: Instant) -> Wall {
        #[allow(
            clippy::disallowed_methods,
            reason = "the client's library reads the system's clock, so both have to"
        )]
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Wall(now.unwrap_or_default() + self.ahead)
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
