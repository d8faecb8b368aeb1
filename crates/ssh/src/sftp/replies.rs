//! Packets on their way in: heads and small ones whole, file data in pieces.

use sockless_core::{Buf, Cx, Fault, Pipe};

use super::wire::{self, MAX_PACKET, malformed};
use crate::channel::{Channel, Heard};
use crate::escape::Escaped;

/// Length, kind and id.
const HEAD: usize = 9;

/// The head of a `DATA` packet: the length of its string as well.
const DATA_HEAD: usize = HEAD + 4;

/// What came in.
#[derive(Debug)]
pub(super) enum Incoming {
    /// The channel is open, or taken up again with this payload.
    Opened(Buf),
    /// A packet: its kind, its id, and what follows those.
    Packet(u8, u32, Vec<u8>),
    /// A `DATA` reply begins, with that many bytes.
    DataBegins(u32, usize),
    /// A piece of the `DATA` reply that began last.
    Data(Buf),
    /// It is complete.
    DataEnds,
}

/// Where in a packet the reader is.
///
/// ```text
///   Head --+--> Whole ---------------------+--> Head
///          +--> (DATA) DataHead --> Data --+
/// ```
#[derive(Debug, Default)]
enum Place {
    #[default]
    Head,
    DataHead,
    /// That many bytes of data are missing.
    Data(usize),
    /// A packet that is taken whole, of that many bytes with its head.
    Whole(usize),
}

/// Takes packets apart.
#[derive(Debug, Default)]
pub(super) struct Replies {
    place: Place,
    /// What is there of a head, or of a packet that is taken whole.
    have: Vec<u8>,
    /// Whether any packet was complete: before that, it may be no server that speaks.
    spoken: bool,
}

impl Replies {
    /// The next thing that came; `room`: bytes of data that may be taken now.
    pub(super) fn next(
        &mut self,
        channel: &mut Channel,
        from_peer: &mut Pipe,
        room: usize,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Incoming>, Fault> {
        loop {
            let (want, most) = match self.place {
                Place::Data(0) => {
                    self.place = Place::Head;
                    return Ok(Some(Incoming::DataEnds));
                }
                Place::Data(left) => (left, left.min(room)),
                Place::Head => (HEAD, HEAD - self.have.len()),
                Place::DataHead => (DATA_HEAD, DATA_HEAD - self.have.len()),
                Place::Whole(len) => (len, len - self.have.len()),
            };
            let piece = match channel.hear(from_peer, most, cx)? {
                None => return Ok(None),
                Some(Heard::Opened(payload)) => return Ok(Some(Incoming::Opened(payload))),
                Some(Heard::Data(piece)) => piece,
                Some(Heard::End(fault)) => return Err(fault),
            };
            if let Place::Data(left) = &mut self.place {
                *left -= piece.len();
                return Ok(Some(Incoming::Data(piece)));
            }
            self.have.extend_from_slice(&piece);
            if self.have.len() == want
                && let Some(incoming) = self.complete()?
            {
                return Ok(Some(incoming));
            }
        }
    }

    /// A head, or a whole packet, is there.
    fn complete(&mut self) -> Result<Option<Incoming>, Fault> {
        let (len, kind, id) = self.head();
        match self.place {
            Place::Head => {
                if !(HEAD - 4..=MAX_PACKET).contains(&len) {
                    return Err(self.unlikely(len));
                }
                self.place = match kind {
                    wire::DATA => Place::DataHead,
                    _ => Place::Whole(4 + len),
                };
                if len > HEAD - 4 {
                    return Ok(None);
                }
            }
            Place::DataHead => {
                let told = u32::from_be_bytes([9, 10, 11, 12].map(|at| self.have[at])) as usize;
                if told != (4 + len).wrapping_sub(DATA_HEAD) {
                    let what = format!("a packet of {len} bytes cannot carry {told} of data");
                    return Err(malformed(what));
                }
                self.place = Place::Data(told);
                self.have.clear();
                return Ok(Some(Incoming::DataBegins(id, told)));
            }
            Place::Whole(_) | Place::Data(_) => {}
        }
        (self.place, self.spoken) = (Place::Head, true);
        let body = self.have.split_off(HEAD);
        self.have.clear();
        Ok(Some(Incoming::Packet(kind, id, body)))
    }

    fn head(&self) -> (usize, u8, u32) {
        let at = |index: usize| self.have.get(index).copied().unwrap_or(0);
        let word = |from: usize| u32::from_be_bytes([0, 1, 2, 3].map(|n| at(from + n)));
        (word(0) as usize, at(4), word(5))
    }

    /// A length that no packet has: at the beginning, it is most likely text.
    fn unlikely(&self, len: usize) -> Fault {
        let fault = malformed(format!("a packet of {len} bytes"));
        if self.spoken || !self.have.iter().all(|byte| (9..127).contains(byte)) {
            return fault;
        }
        let text = Escaped(&self.have);
        malformed(format!("the server begins with the text \"{text}\""))
            .remedy("keep the shell's start-up files from printing when no terminal is there")
    }
}
