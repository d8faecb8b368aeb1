//! Plain sockets: poll(2) says when, and the operation is done then.
//!
//! It behaves as a completion engine does, so that a program moves between drivers
//! without noticing. Nothing outside this thread touches the operations' memory, so a
//! cancel takes effect at once and dropping the driver frees everything.

use core::fmt;
use std::io;
use std::os::fd::RawFd;
use std::time::Instant;

use sockless_core::{Completion, ConnId, Driver, Op, OpId};

use crate::polling::Polling;
use crate::{DriverConfig, Wakeable, Waker};

/// A driver on non-blocking sockets and poll(2). Each wait costs as much as there are
/// operations: for many idle connections there are better ones.
pub struct Blocking {
    polling: Polling,
}

impl Blocking {
    /// A driver with the default configuration.
    ///
    /// # Errors
    /// As [`Blocking::with_config`].
    pub fn new() -> io::Result<Self> {
        Self::with_config(DriverConfig::default())
    }

    /// A driver with that configuration.
    ///
    /// # Errors
    /// No descriptors are left for the pipe that ends its waits.
    pub fn with_config(config: DriverConfig) -> io::Result<Self> {
        let polling = Polling::new(config)?;
        Ok(Self { polling })
    }

    /// The descriptor of a connection's socket, for options that no operation sets.
    ///
    /// It is valid until the connection's `Close`; closing it elsewhere is a mistake.
    pub fn raw_fd(&self, conn: ConnId) -> Option<RawFd> {
        self.polling.plain.sockets.raw_fd(conn)
    }
}

impl Driver for Blocking {
    fn submit(&mut self, op: Op) {
        self.polling.submit(op);
    }

    fn cancel(&mut self, id: OpId) {
        self.polling.cancel(id);
    }

    /// Returns early, without a completion, when a [`Waker`] was used.
    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()> {
        self.polling.wait(deadline, done, |polling, due| {
            for pending in due.drain(..) {
                pending.perform(polling);
            }
        })
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn name(&self) -> &'static str {
        "blocking"
    }
}

impl Wakeable for Blocking {
    fn waker(&self) -> Waker {
        self.polling.waker()
    }
}

impl fmt::Debug for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking")
            .field("pending", &self.polling.pending())
            .finish_non_exhaustive()
    }
}
