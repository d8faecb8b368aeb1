//! A request body on its way from a task to the client's work.

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender};
use sockless_core::Buf;

use crate::client::{Command, Ticket, receive};

/// A request body that is given piece by piece, from any task.
///
/// Dropping it before [`Outgoing::finish`] fails the transfer, unless that was answered
/// with a refusal already: a body that breaks off never passes for a whole one.
#[derive(Debug)]
pub struct Outgoing {
    ticket: Ticket,
    /// One for each piece that may be given.
    wants: UnboundedReceiver<()>,
    commands: UnboundedSender<Command>,
    finished: bool,
}

impl Outgoing {
    pub(crate) fn new(
        ticket: Ticket,
        wants: UnboundedReceiver<()>,
        commands: UnboundedSender<Command>,
    ) -> Self {
        Self {
            ticket,
            wants,
            commands,
            finished: false,
        }
    }

    /// Gives a piece as soon as the connection can take it: that is the back-pressure.
    ///
    /// `false`: nobody wants it any more, the transfer is over; the answer's future, or
    /// its [`next`](crate::Incoming::next), says why.
    #[must_use = "a transfer that is over takes no more of the body"]
    pub async fn send(&mut self, piece: Buf) -> bool {
        let wanted = receive(&mut self.wants).await.is_some();
        let piece = Command::Body(self.ticket, piece);
        wanted && self.commands.unbounded_send(piece).is_ok()
    }

    /// Says that the body is complete.
    pub fn finish(mut self) {
        self.finished = true;
        self.end(true);
    }

    fn end(&self, complete: bool) {
        let ticket = self.ticket;
        // A worker that is gone says so to whoever waits for the answer.
        let _ = self
            .commands
            .unbounded_send(Command::BodyEnd { ticket, complete });
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if !self.finished {
            self.end(false);
        }
    }
}
