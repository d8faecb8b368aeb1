//! The wall clock that rustls sees: the one that the pump was given.

use core::cell::Cell;
use core::time::Duration;
use std::time::SystemTime;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

thread_local! {
    /// An argument on its way through an interface that has no parameter for it: rustls
    /// keeps its time source in settings that connections share, and connections on
    /// different threads may live at different times.
    static WALL: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// Runs `work`, all of it at the time `wall`.
pub(super) fn at<R>(wall: SystemTime, work: impl FnOnce() -> R) -> R {
    // A clock before 1970 is a clock that was never set: no time, no verification.
    WALL.set(wall.duration_since(SystemTime::UNIX_EPOCH).ok());
    work()
}

/// The time of the current [`at`].
#[derive(Debug)]
pub(super) struct PumpTime;

impl TimeProvider for PumpTime {
    fn current_time(&self) -> Option<UnixTime> {
        WALL.get().map(UnixTime::since_unix_epoch)
    }
}
