//! Closing a socket that still has operations in flight.
//!
//! The kernel holds a socket open for each operation that it has, whatever becomes of the
//! descriptor: closing that alone would end nothing, and the peer would wait for ever. So it
//! is as for an engine that keeps the rules: terminate, join, close.

use sockless_core::{Completion, ConnId, Op};

use super::Uring;
use super::start::Started;
use crate::socket;

/// A `Close` that waits for its connection's operations.
#[derive(Debug)]
pub(super) struct Closing {
    close: Op,
    /// How many have not come back.
    left: usize,
}

impl Uring {
    /// Closes the socket of `conn`, or ends what is in flight on it first.
    pub(super) fn close(&mut self, conn: ConnId) -> std::io::Result<Started> {
        let flights = self.flights.of(conn);
        if flights.is_empty() {
            return self.sockets.close(conn).map(Started::Done);
        }
        if let Some(fd) = self.sockets.raw_fd(conn) {
            // For what a cancel does not reach. An error means that nothing was connected yet.
            let _ = socket::shut_down_both(fd);
        }
        let left = flights.len();
        for key in flights {
            self.cancel_flight(key);
        }
        Ok(Started::Closing { left })
    }

    pub(super) fn close_later(&mut self, close: Op, left: usize) {
        self.closing.push(Closing { close, left });
    }

    /// Whether nothing more is begun on that connection.
    pub(super) fn is_closing(&self, conn: ConnId) -> bool {
        self.closing.iter().any(|it| it.close.conn == conn)
    }

    /// An operation of that connection has come back: the last one lets its `Close` go on.
    pub(super) fn joined(&mut self, conn: ConnId) {
        let Some(at) = self.closing.iter().position(|it| it.close.conn == conn) else {
            return;
        };
        self.closing[at].left -= 1;
        if self.closing[at].left == 0 {
            let op = self.closing.swap_remove(at).close;
            let result = self.sockets.close(conn);
            self.ready.push(Completion { op, result });
        }
    }
}
