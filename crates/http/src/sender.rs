//! The request on its way out.

use std::time::Instant;

use sockless_core::{Body, Culprit, Cx, Fault, Pipe, Reason};

use crate::chunked::{decimal, size_line};
use crate::request::{BodyKind, Request};

/// Sends head and body.
///
/// ```text
///   Head --+----------------------> Body --> Done
///          +--> AwaitConsent -----^   |
///                     |               | answered early,
///                     +---------------+--> Abandoned
///                                       from 300 up
/// ```
#[derive(Debug)]
pub(crate) struct Sender {
    step: Step,
    /// Bytes of body moved to the peer.
    sent: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Head,
    /// `Expect: 100-continue` is out; the body goes at this time at the latest.
    AwaitConsent(Option<Instant>),
    Body,
    Done,
    Abandoned,
}

/// The most that goes around one chunk: its size, and two line ends.
const CHUNK_FRAMING: usize = 16 + 2 + 2;

/// Room taken for what follows the given fields and for a small body.
const HEAD_TAIL: usize = 128;

impl Sender {
    pub(crate) fn new() -> Self {
        Self {
            step: Step::Head,
            sent: 0,
        }
    }

    /// Goes as far as body and room allow.
    pub(crate) fn pump(
        &mut self,
        request: &Request,
        to_peer: &mut Pipe,
        body: &mut Body,
        cx: &mut Cx<'_>,
    ) -> Result<(), Fault> {
        if self.step == Step::Head {
            if to_peer.room() == 0 {
                return Ok(());
            }
            write_head(request, to_peer, cx);
            self.step = match request.expect_wait() {
                Some(wait) => Step::AwaitConsent(cx.after(wait)),
                None => Step::Body,
            };
        }
        if let Step::AwaitConsent(Some(until)) = self.step
            && cx.now >= until
        {
            cx.note("http", || {
                "no answer to Expect: 100-continue, sending the body".to_owned()
            });
            self.step = Step::Body;
        }
        match (self.step, request.body_kind()) {
            (Step::Body | Step::Done, BodyKind::Empty) => self.sized(0, to_peer, body, cx),
            (Step::Body | Step::Done, BodyKind::Sized(n)) => self.sized(n, to_peer, body, cx),
            (Step::Body, BodyKind::Chunked) => {
                self.chunked(request, to_peer, body, cx);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The peer has consented.
    pub(crate) fn consent(&mut self) {
        if matches!(self.step, Step::AwaitConsent(_)) {
            self.step = Step::Body;
        }
    }

    /// A final answer has begun: one that wants something else keeps the rest of the body
    /// here (RFC 9110 section 10.1.1, RFC 9112 section 9.5). Success does not: then the
    /// body belongs to what succeeded, consented to or not.
    pub(crate) fn answered(&mut self, code: u16) {
        match self.step {
            Step::AwaitConsent(_) | Step::Body if code >= 300 => self.step = Step::Abandoned,
            _ => self.consent(),
        }
    }

    /// Whether the head was sent.
    pub(crate) fn has_begun(&self) -> bool {
        self.step != Step::Head
    }

    /// Whether the whole request was sent.
    pub(crate) fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    /// Whether there is a body that the peer still gets, or has got.
    pub(crate) fn has_body(&self, request: &Request) -> bool {
        request.body_kind() != BodyKind::Empty && self.step != Step::Abandoned
    }

    /// Whether any of the application's body is gone.
    pub(crate) fn has_taken_body(&self) -> bool {
        self.sent > 0
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.step {
            Step::AwaitConsent(until) => until,
            _ => None,
        }
    }

    fn sized(
        &mut self,
        length: u64,
        to_peer: &mut Pipe,
        body: &mut Body,
        cx: &mut Cx<'_>,
    ) -> Result<(), Fault> {
        let left = length - self.sent;
        if body.pipe.len() as u64 > left {
            let what = format!("more request body than the announced {length} bytes");
            return Err(Fault::new(Culprit::Misuse, Reason::Upload, what));
        }
        let room = to_peer
            .room()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        self.move_body(room, to_peer, body, cx);
        if self.sent == length {
            self.step = Step::Done;
        } else if body.pipe.at_end() {
            let what = format!(
                "the request body ended after {} of {length} bytes",
                self.sent
            );
            return Err(Fault::new(Culprit::Misuse, Reason::Upload, what));
        } else if body.pipe.is_empty() && to_peer.room() > 0 {
            body.want();
        }
        Ok(())
    }

    /// Everything that is there becomes one chunk, as far as there is room.
    fn chunked(&mut self, request: &Request, to_peer: &mut Pipe, body: &mut Body, cx: &mut Cx<'_>) {
        let room = to_peer.room();
        if room == 0 {
            return;
        }
        // A pipe smaller than the framing still gets on, one byte at a time.
        let n = body
            .pipe
            .len()
            .min(room.saturating_sub(CHUNK_FRAMING).max(1));
        if n > 0 {
            to_peer.write(size_line(n, &mut [0; 20]), |n| cx.buf(n));
            self.move_body(n, to_peer, body, cx);
            to_peer.write(b"\r\n", |n| cx.buf(n));
        }
        if body.pipe.at_end() {
            for part in [b"0\r\n", request.trailers(), b"\r\n"] {
                to_peer.write(part, |n| cx.buf(n));
            }
            if !request.trailers().is_empty() {
                cx.note_bytes(true, false, request.trailers());
            }
            self.step = Step::Done;
        } else if body.pipe.is_empty() {
            body.want();
        }
    }

    /// Moves up to `n` bytes without a copy.
    fn move_body(&mut self, mut n: usize, to_peer: &mut Pipe, body: &mut Body, cx: &mut Cx<'_>) {
        while let Some(piece) = body.pipe.pop_max(n) {
            n -= piece.len();
            self.sent += piece.len() as u64;
            cx.note_bytes(true, true, &piece);
            to_peer.push(piece);
        }
    }
}

/// Writes the whole head at once: it is one message, and fits one buffer.
fn write_head(request: &Request, to_peer: &mut Pipe, cx: &mut Cx<'_>) {
    let mut number = [0; 20];
    let length = match request.body_kind() {
        BodyKind::Sized(n) => Some(n),
        BodyKind::Empty if request.anticipates_body() => Some(0),
        BodyKind::Empty | BodyKind::Chunked => None,
    };
    let length = length.map(|n| decimal(n, &mut number));
    let mut shown = cx.wants_notes().then(|| request.shown());
    to_peer.write(request.wire(), |n| cx.buf(n + HEAD_TAIL));
    let mut put = |part: &[u8]| {
        to_peer.write(part, |n| cx.buf(n));
        if let Some(shown) = &mut shown {
            shown.extend_from_slice(part);
        }
    };
    if let Some(length) = length {
        [b"Content-Length: ", length, b"\r\n"]
            .iter()
            .for_each(|part| put(part));
    }
    if request.body_kind() == BodyKind::Chunked {
        put(b"Transfer-Encoding: chunked\r\n");
        for (i, name) in request.trailer_names().enumerate() {
            put(if i == 0 { b"Trailer: " } else { b", " });
            put(name);
        }
        if !request.trailers().is_empty() {
            put(b"\r\n");
        }
    }
    if request.expect_wait().is_some() {
        put(b"Expect: 100-continue\r\n");
    }
    put(b"\r\n");
    if let Some(shown) = shown {
        cx.note_bytes(true, false, &shown);
    }
}
