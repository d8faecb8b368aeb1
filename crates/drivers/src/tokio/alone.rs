//! The tokio driver with a runtime of its own.

use core::fmt;
use std::io;
use std::time::Instant;

use sockless_core::{AsyncDriver, Completion, Driver, Op, OpId};
use tokio::runtime::{Builder, Handle, Runtime};

use super::Tokio;
use crate::{DriverConfig, Wakeable, Waker};

/// After so many waits the reactor gets a look at all sockets, also when some are always ready.
const FAIRNESS: u32 = 32;

/// A [`Tokio`] with a current-thread runtime of its own, which runs while this one waits:
/// for programs without a runtime.
///
/// On a runtime of the program's use [`Tokio`]: waiting here would block that one's
/// thread, so it is refused.
pub struct TokioAlone {
    driver: Tokio,
    /// `None` only while dropped.
    runtime: Option<Runtime>,
    waits: u32,
}

impl TokioAlone {
    /// A driver with the default configuration.
    ///
    /// # Errors
    /// As [`TokioAlone::with_config`].
    pub fn new() -> io::Result<Self> {
        Self::with_config(DriverConfig::default())
    }

    /// A driver with that configuration.
    ///
    /// # Errors
    /// The runtime cannot be made: no descriptors are left.
    pub fn with_config(config: DriverConfig) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let driver = {
            let _inside = runtime.enter();
            Tokio::with_config(config)?
        };
        Ok(Self {
            driver,
            runtime: Some(runtime),
            waits: 0,
        })
    }
}

impl Driver for TokioAlone {
    fn submit(&mut self, op: Op) {
        self.driver.submit(op);
    }

    fn cancel(&mut self, id: OpId) {
        self.driver.cancel(id);
    }

    /// Returns early, without a completion, when a [`Waker`] was used.
    ///
    /// # Errors
    /// It is called on a thread of a tokio runtime.
    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()> {
        let Some(runtime) = &self.runtime else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        if Handle::try_current().is_ok() {
            let what = "this thread runs a tokio runtime already: use the driver Tokio there";
            return Err(io::Error::other(what));
        }
        self.waits = self.waits.wrapping_add(1);
        let yields = self.waits.is_multiple_of(FAIRNESS);
        let driver = &mut self.driver;
        runtime.block_on(async {
            if yields {
                tokio::task::yield_now().await;
            }
            driver.wait(deadline, done).await
        })
    }

    fn now(&self) -> Instant {
        self.driver.now()
    }

    fn name(&self) -> &'static str {
        "tokio"
    }
}

impl Wakeable for TokioAlone {
    fn waker(&self) -> Waker {
        self.driver.waker()
    }
}

/// A runtime may not be dropped in the usual way on a thread of another one.
impl Drop for TokioAlone {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for TokioAlone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioAlone")
            .field("driver", &self.driver)
            .finish_non_exhaustive()
    }
}
