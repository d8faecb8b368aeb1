//! Every bound and every timeout, as values with stated defaults.

use std::time::Duration;

/// Bounds of an engine. All sizes in bytes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Connections to one host, port and set of options; 0: no bound. Default 0.
    pub connections_per_host: usize,
    /// Connections in all; 0: no bound. Default 1000.
    pub connections: usize,
    /// Idle connections kept for reuse. Default 100.
    pub idle_connections: usize,
    /// How long an idle connection is kept. Default 118 s, below the usual servers' 120.
    pub idle_keep: Duration,
    /// Bound of each pipe between two layers. Default 64 KiB, at least 1 KiB.
    pub pipe: usize,
    /// Size of a bulk receive buffer. Default 256 KiB, at least 1 KiB.
    pub bulk_recv: usize,
    /// The highest `min` hint given with a receive. Default 128 KiB; 1 turns the hint off.
    pub max_min: usize,
    /// Steps that one connection may take in one turn before others come. Default 16.
    pub steps_per_turn: usize,
    /// Addresses tried for one name. Default 8.
    pub addresses: usize,
    /// Memory kept for reuse by the buffer pool. Default 8 MiB.
    pub pooled_memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_host: 0,
            connections: 1000,
            idle_connections: 100,
            idle_keep: Duration::from_secs(118),
            pipe: 64 * 1024,
            bulk_recv: 256 * 1024,
            max_min: 128 * 1024,
            steps_per_turn: 16,
            addresses: 8,
            pooled_memory: 8 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// Bounds of nothing would let nothing pass; they count as the least that works.
    pub(crate) fn usable(mut self) -> Self {
        self.pipe = self.pipe.max(1024);
        self.bulk_recv = self.bulk_recv.max(1024);
        self.max_min = self.max_min.max(1);
        self.steps_per_turn = self.steps_per_turn.max(1);
        self.addresses = self.addresses.max(1);
        self
    }
}

/// Timeouts of one transfer; `None`: no bound.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Resolving and connecting. Default 30 s.
    pub connect: Option<Duration>,
    /// All security handshakes together. Default 30 s.
    pub handshake: Option<Duration>,
    /// Resolving, connecting and all security handshakes together, as one bound beside the
    /// two above. Default none.
    pub setup: Option<Duration>,
    /// From the request's last byte to the answer's first. Default none.
    pub first_byte: Option<Duration>,
    /// Neither a byte received nor one sent. Default 300 s.
    pub idle: Option<Duration>,
    /// From adding to the end. Default none.
    pub total: Option<Duration>,
    /// Slower than this many bytes per second for that long. Default none.
    pub low_speed: Option<(u64, Duration)>,
    /// Head start of one connection attempt before the next address is tried as
    /// well (RFC 8305 section 5). Default 250 ms.
    pub attempt_delay: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Some(Duration::from_secs(30)),
            handshake: Some(Duration::from_secs(30)),
            setup: None,
            first_byte: None,
            idle: Some(Duration::from_secs(300)),
            total: None,
            low_speed: None,
            attempt_delay: Duration::from_millis(250),
        }
    }
}
