//! A tunnel as a product: bytes up, bytes down, and both ends in band.

use crate::exchange::{Exchange, Top, Turn};
use crate::{Cx, Event, Fault};

/// A byte stream through a connection's layers, for applications that speak a protocol of
/// their own, e.g. through a proxy.
///
/// ```text
///   Event::Open -> Event::Data ...           -> Event::PeerFinished   \
///                  send_body ... finish_body -> FIN to the peer       +-> Event::Done
/// ```
/// [`Event::Open`] comes when all layers are ready. What the peer sends arrives as
/// [`Event::Data`], without a copy; what the application sends is its request body, asked for
/// by [`Event::WantBody`]. Each side ends its own direction, in any order; the transfer
/// is done when both have, and all that was written has been sent.
#[derive(Debug, Default)]
pub struct Raw {
    open: bool,
    /// Bytes or an end went one way or the other.
    used: bool,
    peer_finished: bool,
    finished: bool,
}

impl Raw {
    /// A stream at its beginning.
    pub fn new() -> Self {
        Self::default()
    }

    fn hear(&mut self, io: &mut Top<'_>) {
        while let Some(piece) = io.from_peer.pop_max(io.events.room()) {
            self.used = true;
            io.events.data(piece);
        }
        if io.from_peer.at_end() && !self.peer_finished {
            (self.used, self.peer_finished) = (true, true);
            io.events.emit(Event::PeerFinished);
        }
    }

    fn say(&mut self, io: &mut Top<'_>) {
        if self.finished {
            return;
        }
        while let Some(piece) = io.body.pipe.pop_max(io.to_peer.room()) {
            self.used = true;
            io.to_peer.push(piece);
        }
        if io.body.pipe.at_end() {
            (self.used, self.finished) = (true, true);
            io.to_peer.finish();
        } else if io.to_peer.room() > 0 {
            io.body.offer();
        }
    }
}

impl Exchange for Raw {
    fn layer(&self) -> &'static str {
        "raw"
    }

    fn pump(&mut self, mut io: Top<'_>, _: &mut Cx<'_>) -> Result<Turn, Fault> {
        if !core::mem::replace(&mut self.open, true) {
            io.events.emit(Event::Open);
        }
        self.hear(&mut io);
        self.say(&mut io);
        Ok(Turn::Blocked)
    }

    fn restart(&mut self, _reused: bool) -> bool {
        !self.used
    }

    fn is_said(&self) -> bool {
        self.finished && self.peer_finished
    }
}
