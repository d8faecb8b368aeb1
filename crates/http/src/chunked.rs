//! The chunked transfer coding, both ways (RFC 9112 section 7.1).

use sockless_core::{Buf, Fault, Pipe, Reason};

use crate::receiver::partial;

/// The longest line with a chunk's size and extensions, in bytes.
const MAX_LINE: usize = 1024;

/// Hexadecimal digits that fit a size.
const MAX_DIGITS: usize = 16;

/// `CRLF "0" CRLF CRLF`: what follows a chunk's data at least.
const TAIL: u64 = 7;

/// Takes chunks apart. Data leaves as it came, without a copy.
///
/// ```text
///   Size -> [Extension] -> SizeEnd -> Data -> DataCr -> DataLf -> Size ...
///                             |
///                             +-- size 0 --> Last
/// ```
#[derive(Debug)]
pub(crate) struct ChunkReader {
    step: Step,
    /// Size of the chunk, then what is left of it.
    left: u64,
    digits: usize,
    line: usize,
    data: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Size,
    /// White space after the size: an extension must follow.
    BeforeExtension,
    Extension,
    SizeEnd,
    Data,
    DataCr,
    DataLf,
    Last,
}

/// What a body has next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Some of the body.
    Piece(Buf),
    /// More input or room is needed.
    Blocked,
    /// The body is complete.
    End,
}

impl ChunkReader {
    pub(crate) fn new() -> Self {
        Self {
            step: Step::Size,
            left: 0,
            digits: 0,
            line: 0,
            data: 0,
        }
    }

    /// The next piece of data, of at most `max` bytes; the trailer section stays in `from`.
    pub(crate) fn next(&mut self, from: &mut Pipe, max: usize) -> Result<Next, Fault> {
        loop {
            match self.step {
                Step::Last => return Ok(Next::End),
                Step::Data => {
                    let max = max.min(usize::try_from(self.left).unwrap_or(usize::MAX));
                    let Some(piece) = from.pop_max(max) else {
                        return self.blocked(from);
                    };
                    self.left -= piece.len() as u64;
                    self.data += piece.len() as u64;
                    if self.left == 0 {
                        self.step = Step::DataCr;
                    }
                    return Ok(Next::Piece(piece));
                }
                _ => {
                    let Some(piece) = from.front() else {
                        return self.blocked(from);
                    };
                    let used = self.read_line(piece)?;
                    from.consume(used);
                }
            }
        }
    }

    /// Bytes that are sure to come before the body can end.
    pub(crate) fn sure(&self) -> u64 {
        match self.step {
            Step::Data => self.left.saturating_add(TAIL),
            Step::DataCr => TAIL,
            Step::DataLf => TAIL - 1,
            Step::Size if self.digits == 0 => TAIL - 2,
            Step::Size | Step::BeforeExtension | Step::Extension | Step::SizeEnd => 1,
            Step::Last => 0,
        }
    }

    fn blocked(&self, from: &Pipe) -> Result<Next, Fault> {
        if from.at_end() {
            Err(self.cut())
        } else {
            Ok(Next::Blocked)
        }
    }

    /// What it means that nothing more comes.
    pub(crate) fn cut(&self) -> Fault {
        partial(match self.step {
            Step::Data => format!(
                "the peer closed after {} bytes of a chunked body, {} bytes before a chunk's end",
                self.data, self.left
            ),
            _ => format!(
                "the peer closed after {} bytes of a chunked body, before the last chunk",
                self.data
            ),
        })
    }

    /// Reads what is around the data, up to the data or the end of `bytes`.
    fn read_line(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        for (at, byte) in bytes.iter().enumerate() {
            self.step = self.after(*byte)?;
            if matches!(self.step, Step::Data | Step::Last) {
                return Ok(at + 1);
            }
        }
        Ok(bytes.len())
    }

    fn after(&mut self, byte: u8) -> Result<Step, Fault> {
        self.line += 1;
        if self.line > MAX_LINE {
            return Err(bad(format!(
                "a chunk's extensions are longer than {MAX_LINE} bytes"
            )));
        }
        match (self.step, byte) {
            (Step::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte),
            (Step::Size, b'\r') if self.digits > 0 => Ok(Step::SizeEnd),
            (Step::Size | Step::BeforeExtension, b';') if self.digits > 0 => Ok(Step::Extension),
            (Step::Size | Step::BeforeExtension, b' ' | b'\t') if self.digits > 0 => {
                Ok(Step::BeforeExtension)
            }
            (Step::Extension, b'\r') => Ok(Step::SizeEnd),
            (Step::Extension, b'\t' | b' '..=b'~' | 0x80..) => Ok(Step::Extension),
            (Step::SizeEnd, b'\n') => {
                (self.digits, self.line) = (0, 0);
                Ok(if self.left == 0 {
                    Step::Last
                } else {
                    Step::Data
                })
            }
            (Step::DataCr, b'\r') => Ok(Step::DataLf),
            (Step::DataLf, b'\n') => {
                self.line = 0;
                Ok(Step::Size)
            }
            (step, byte) => Err(self.refuse(step, byte)),
        }
    }

    fn digit(&mut self, byte: u8) -> Result<Step, Fault> {
        self.digits += 1;
        if self.digits > MAX_DIGITS {
            return Err(bad(format!(
                "a chunk size of more than {MAX_DIGITS} digits"
            )));
        }
        let digit = (byte as char).to_digit(16).unwrap_or_default();
        self.left = self.left << 4 | u64::from(digit);
        Ok(Step::Size)
    }

    fn refuse(&self, step: Step, byte: u8) -> Fault {
        let shown = byte.escape_ascii();
        match step {
            Step::DataCr | Step::DataLf => bad(format!(
                "\"{shown}\" where a chunk's data must end with CRLF"
            )),
            Step::SizeEnd => line_end("a bare carriage return after a chunk size"),
            _ if byte == b'\n' => line_end("a bare line feed after a chunk size"),
            _ if self.digits == 0 => bad(format!("a chunk size begins with \"{shown}\"")),
            _ => bad(format!("\"{shown}\" in or after a chunk size")),
        }
    }
}

fn bad(what: String) -> Fault {
    Fault::misbehaved(Reason::BadChunk, what)
        .remedy("the server, or a proxy before it, breaks the chunked coding: tell its operator")
}

fn line_end(what: &str) -> Fault {
    Fault::misbehaved(Reason::BareLineEnd, what)
}

/// `size CRLF` of a chunk of `n` bytes, without touching the heap.
pub(crate) fn size_line(n: usize, room: &mut [u8; 20]) -> &[u8] {
    [room[18], room[19]] = *b"\r\n";
    let start = digits(n as u64, 16, &mut room[..18]);
    &room[start..]
}

/// A number in decimal, without touching the heap.
pub(crate) fn decimal(n: u64, room: &mut [u8; 20]) -> &[u8] {
    let start = digits(n, 10, room);
    &room[start..]
}

/// Writes `n` at the end of `room` and returns where it begins.
fn digits(mut n: u64, radix: u64, room: &mut [u8]) -> usize {
    let mut start = room.len();
    loop {
        start -= 1;
        room[start] = b"0123456789abcdef"[(n % radix) as usize];
        n /= radix;
        if n == 0 {
            return start;
        }
    }
}
