//! Finds where a head or a trailer section ends, looking at each byte once.

use memchr::memchr_iter;
use sockless_core::{Buf, Culprit, Cx, Fault, Pipe, Reason};

use crate::refusal;

/// Collects one section of lines up to its empty line.
///
/// What has not ended yet is taken out of the pipe, as a head may be larger than
/// the pipe's bound; what has ended is in one piece, without a copy where it came in one.
#[derive(Debug)]
pub(crate) struct SectionScan {
    held: Pipe,
    scanned: usize,
    lines: usize,
    /// Bytes of the line that has not ended yet.
    line_len: usize,
    after_cr: bool,
}

/// A complete section with its empty line.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) raw: Buf,
    /// Lines, the start line and the empty one included.
    pub(crate) lines: usize,
}

/// What bounds a section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    pub(crate) fields: usize,
}

/// The least that is taken from the pool for bytes that arrive in small pieces.
const HOLD: usize = 2048;

impl SectionScan {
    pub(crate) fn new() -> Self {
        Self {
            held: Pipe::new(0),
            scanned: 0,
            lines: 0,
            line_len: 0,
            after_cr: false,
        }
    }

    /// Whether any byte of the section has arrived.
    pub(crate) fn has_begun(&self) -> bool {
        self.scanned > 0
    }

    /// Goes on until the empty line, or `None` when more input is needed.
    ///
    /// With `start`, the section must start with these bytes; where it does not,
    /// everything is back in `from` and [`Scan::Foreign`] says so.
    pub(crate) fn read(
        &mut self,
        from: &mut Pipe,
        start: &[u8],
        bounds: Bounds,
        cx: &Cx<'_>,
    ) -> Result<Scan, Fault> {
        // The empty line, and a start line.
        let lines = bounds
            .fields
            .saturating_add(1 + usize::from(!start.is_empty()));
        while let Some(piece) = from.front() {
            if !self.starts_with(start, piece) {
                self.put_back(from);
                return Ok(Scan::Foreign);
            }
            let window = piece.len().min(bounds.bytes - self.scanned);
            let end = self.scan(&piece[..window])?;
            if self.lines > lines {
                return Err(too_many_fields(bounds));
            }
            if let Some(end) = end {
                return Ok(Scan::Complete(self.take(from, end, cx)));
            }
            self.scanned += window;
            if self.scanned == bounds.bytes {
                return Err(head_too_large(bounds));
            }
            self.hold(from, cx);
        }
        Ok(Scan::Incomplete)
    }

    fn starts_with(&self, start: &[u8], piece: &[u8]) -> bool {
        let expected = start.get(self.scanned..).unwrap_or_default();
        let n = expected.len().min(piece.len());
        expected[..n] == piece[..n]
    }

    /// The offset after the empty line, if it is in these bytes.
    fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let mut line = 0;
        for end in memchr_iter(b'\n', bytes) {
            let before = if end > line {
                bytes[end - 1] == b'\r'
            } else {
                self.after_cr
            };
            if !before {
                return Err(refusal::bare_line_feed());
            }
            let len = self.line_len + (end - line);
            (line, self.line_len, self.after_cr) = (end + 1, 0, false);
            self.lines += 1;
            if len == 1 {
                return Ok(Some(line));
            }
        }
        if let Some(last) = bytes[line..].last() {
            self.line_len += bytes.len() - line;
            self.after_cr = *last == b'\r';
        }
        Ok(None)
    }

    /// Takes the complete section, whose last byte is at `end` of the first piece.
    fn take(&mut self, from: &mut Pipe, end: usize, cx: &Cx<'_>) -> Section {
        let last = from.split(end);
        let raw = if self.held.is_empty() {
            last
        } else {
            self.held.push(last);
            let len = self.held.len();
            self.held.join(len, |n| cx.buf(n));
            self.held.split(len)
        };
        let lines = self.lines;
        *self = Self::new();
        Section { raw, lines }
    }

    fn hold(&mut self, from: &mut Pipe, cx: &Cx<'_>) {
        let Some(piece) = from.pop() else { return };
        if self.held.is_empty() {
            self.held.push(piece);
        } else {
            // A piece may be one byte of a large block: copying frees the block.
            self.held.write(&piece, |n| cx.buf(n.max(HOLD)));
        }
    }

    fn put_back(&mut self, from: &mut Pipe) {
        let held: Vec<Buf> = core::iter::from_fn(|| self.held.pop()).collect();
        held.into_iter().rev().for_each(|piece| from.unread(piece));
        *self = Self::new();
    }
}

/// How far a scan came.
#[derive(Debug)]
pub(crate) enum Scan {
    /// The whole section.
    Complete(Section),
    /// More input is needed.
    Incomplete,
    /// It does not start as it must.
    Foreign,
}

fn head_too_large(bounds: Bounds) -> Fault {
    let what = format!("the head does not end within {} bytes", bounds.bytes);
    Fault::new(Culprit::Limit, Reason::HeadTooLarge, what).remedy("raise max_head_bytes")
}

fn too_many_fields(bounds: Bounds) -> Fault {
    let what = format!("more than {} header fields", bounds.fields);
    Fault::new(Culprit::Limit, Reason::TooManyFields, what).remedy("raise max_fields")
}
