//! Ending a wait early.

use core::fmt;
use std::sync::Arc;

use sockless_core::Driver;

/// A driver whose `wait` can be ended from another thread.
pub trait Wakeable: Driver {
    /// A handle that ends the current `wait`, or the next one if none is running.
    fn waker(&self) -> Waker;
}

/// Ends a driver's `wait` early, from any thread; outliving the driver is harmless.
///
/// Wakes do not add up: several before the next `wait` end that one only.
#[derive(Clone)]
pub struct Waker {
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Waker {
    /// A waker that calls `wake`; for drivers outside this crate.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            wake: Arc::new(wake),
        }
    }

    /// Ends the current or the next `wait`.
    pub fn wake(&self) {
        (self.wake)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}
