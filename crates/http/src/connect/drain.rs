//! The body of a challenge, which nobody reads.

use sockless_core::{Cx, Fault, Pipe};

use crate::chunked::{ChunkReader, Next};
use crate::framing::Framing;
use crate::scan::{Bounds, Scan, SectionScan};

/// A body longer than this costs more than another connection.
const MAX_BODY: u64 = 64 * 1024;

/// Takes a body off the connection, so that it can be used again.
#[derive(Debug)]
pub(super) struct Drain {
    step: Step,
    taken: u64,
}

#[derive(Debug)]
enum Step {
    Sized(u64),
    Chunked(ChunkReader),
    Trailers(SectionScan),
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drained {
    /// More input is needed.
    Blocked,
    /// The connection is clean.
    Complete,
    /// The body ends too late, or with the connection.
    Endless,
}

impl Drain {
    /// `None`: not worth it.
    pub(super) fn of(framing: Framing) -> Option<Self> {
        let step = match framing {
            Framing::Nothing => Step::Sized(0),
            Framing::Sized(length) if length <= MAX_BODY => Step::Sized(length),
            Framing::Chunked => Step::Chunked(ChunkReader::new()),
            Framing::Sized(_) | Framing::UntilClose => return None,
        };
        Some(Self { step, taken: 0 })
    }

    pub(super) fn pump(
        &mut self,
        from: &mut Pipe,
        bounds: Bounds,
        cx: &mut Cx<'_>,
    ) -> Result<Drained, Fault> {
        loop {
            let piece = match &mut self.step {
                Step::Sized(0) => return Ok(Drained::Complete),
                Step::Sized(left) => {
                    let max = usize::try_from(*left).unwrap_or(usize::MAX);
                    let Some(piece) = from.pop_max(max) else {
                        break;
                    };
                    *left -= piece.len() as u64;
                    piece
                }
                // An end inside the body is no more than a reason for another connection.
                Step::Chunked(_) if from.at_end() => break,
                Step::Chunked(chunks) => match chunks.next(from, usize::MAX)? {
                    Next::Piece(piece) => piece,
                    Next::Blocked => break,
                    Next::End => {
                        self.step = Step::Trailers(SectionScan::new());
                        continue;
                    }
                },
                Step::Trailers(section) => match section.read(from, b"", bounds, cx)? {
                    Scan::Complete(_) => return Ok(Drained::Complete),
                    Scan::Incomplete | Scan::Foreign => break,
                },
            };
            cx.note_bytes(false, true, &piece);
            self.taken += piece.len() as u64;
            if self.taken > MAX_BODY {
                return Ok(Drained::Endless);
            }
        }
        Ok(if from.at_end() {
            Drained::Endless
        } else {
            Drained::Blocked
        })
    }
}
