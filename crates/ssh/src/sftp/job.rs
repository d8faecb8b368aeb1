//! What a session does, one job after the other.

use sockless_core::{Buf, Events, Fault};

use super::desk::{Desk, Reply, Ticket};

/// A job: sends requests, and is given their answers.
pub(super) trait Job: Send {
    /// Goes as far as room and answers allow.
    fn advance(&mut self, desk: &mut Desk<'_, '_>) -> Result<(), Fault>;

    /// An answer.
    fn reply(&mut self, ticket: Ticket, reply: Reply, desk: &mut Desk<'_, '_>)
    -> Result<(), Fault>;

    /// A `DATA` answer of `len` bytes begins.
    fn data_begins(&mut self, ticket: Ticket, _len: usize) -> Result<(), Fault> {
        Err(super::wire::malformed(format!(
            "data in answer to a request that asks for something else ({:?})",
            ticket.step
        )))
    }

    /// How much of it may be taken now.
    fn room(&self, _ticket: Ticket, events: &Events) -> usize {
        events.room()
    }

    /// A piece of it.
    fn data(&mut self, _ticket: Ticket, _piece: Buf, _desk: &mut Desk<'_, '_>) {}

    /// It is complete.
    fn data_ends(&mut self, _ticket: Ticket, _desk: &mut Desk<'_, '_>) {}

    /// Whether its answers become events, and have to wait for room there.
    fn tells(&self) -> bool {
        true
    }

    /// Whether all is done but for answers that nobody needs.
    fn is_done(&self) -> bool;

    /// Bytes of data that are sure to come.
    fn expects(&self) -> u64 {
        0
    }

    /// What is missing if the stream ends now, where that is known.
    fn missing(&self) -> Option<Fault> {
        None
    }
}
