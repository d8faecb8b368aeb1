//! Events that wait to be taken.

use std::collections::VecDeque;

use sockless_core::Buf;

use crate::backend::Event;
use crate::message::Channel;

/// Channel data that may wait, in bytes: enough for the layer above to have work while the
/// next piece is opened.
const AHEAD: usize = 256 * 1024;

/// Events in order.
#[derive(Default)]
pub(super) struct Ready {
    events: VecDeque<Event>,
    bytes: usize,
}

impl Ready {
    pub(super) fn push(&mut self, event: Event) {
        if let Event::Data(_, bytes) | Event::Stderr(_, bytes) = &event {
            self.bytes += bytes.len();
        }
        self.events.push_back(event);
    }

    /// Whether more data may be put in.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < AHEAD
    }

    /// Channel data that waits, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The next one, or at most `most` bytes of it.
    pub(super) fn pop(&mut self, most: usize) -> Option<Event> {
        let piece = match self.events.front_mut()? {
            Event::Data(_, bytes) | Event::Stderr(_, bytes) if most == 0 && !bytes.is_empty() => {
                return None;
            }
            Event::Data(channel, bytes) if bytes.len() > most => {
                Event::Data(*channel, bytes.split_to(most))
            }
            Event::Stderr(channel, bytes) if bytes.len() > most => {
                Event::Stderr(*channel, bytes.split_to(most))
            }
            _ => self.events.pop_front()?,
        };
        if let Event::Data(_, bytes) | Event::Stderr(_, bytes) = &piece {
            self.bytes -= bytes.len();
        }
        Some(piece)
    }

    /// Forgets a channel's data: it was closed from above.
    pub(super) fn forget(&mut self, channel: Channel) {
        let bytes = &mut self.bytes;
        let mut keep = |of: Channel, piece: &Buf| {
            let stays = of != channel;
            *bytes -= if stays { 0 } else { piece.len() };
            stays
        };
        self.events.retain(|event| match event {
            Event::Data(of, piece) | Event::Stderr(of, piece) => keep(*of, piece),
            Event::Eof(of) | Event::ExitStatus(of, _) | Event::ExitSignal(of, _) => *of != channel,
            _ => true,
        });
    }
}
