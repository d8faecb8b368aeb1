//! What drivers on plain sockets are made with.

use core::fmt;

use sockless_core::Pool;

use crate::Lookup;

/// What a driver without settings of its own is made with.
#[derive(Clone)]
pub struct DriverConfig {
    pub(crate) recv_buffer_size: usize,
    pub(crate) pool: Pool,
    pub(crate) lookup: Option<Lookup>,
}

impl DriverConfig {
    /// The least size of the driver's own receive buffers, in bytes. Default 16 KiB.
    #[must_use]
    pub fn recv_buffer_size(mut self, size: usize) -> Self {
        self.recv_buffer_size = size.max(1);
        self
    }

    /// Where the driver's own receive buffers come from. Default: a pool of its own.
    #[must_use]
    pub fn pool(mut self, pool: Pool) -> Self {
        self.pool = pool;
        self
    }

    /// How names are looked up. Default: the system's resolver.
    #[must_use]
    pub fn lookup(mut self, lookup: Lookup) -> Self {
        self.lookup = Some(lookup);
        self
    }
}

impl Default for DriverConfig {
    fn default() -> Self {
        Self {
            recv_buffer_size: 16 * 1024,
            pool: Pool::default(),
            lookup: None,
        }
    }
}

impl fmt::Debug for DriverConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverConfig")
            .field("recv_buffer_size", &self.recv_buffer_size)
            .finish_non_exhaustive()
    }
}
