//! Numbers of C's as the values that they mean.

use std::time::Duration;

use crate::Status;
use crate::poll::NEVER;

/// Nanoseconds.
pub(crate) fn duration(nanoseconds: u64) -> Duration {
    Duration::from_nanos(nanoseconds)
}

/// Nanoseconds, or none.
pub(crate) fn timeout(nanoseconds: u64) -> Option<Duration> {
    (nanoseconds != NEVER).then(|| duration(nanoseconds))
}

/// 0 or 1.
pub(crate) fn flag(value: u64) -> Result<bool, Status> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Status::Range),
    }
}

/// The size of something that memory is taken for; at most 64 MiB.
pub(crate) fn buffer_size(value: u64) -> Result<usize, Status> {
    match usize::try_from(value) {
        Ok(size) if size <= 64 * 1024 * 1024 => Ok(size),
        _ => Err(Status::Range),
    }
}
