//! The answer on its way in.

use sockless_core::{Culprit, Cx, Event, Events, Fault, Fields, Pipe, Reason};

use crate::Http1Config;
use crate::chunked::{ChunkReader, Next};
use crate::decode::Decoder;
use crate::framing::Framing;
use crate::head::{Answer, parse_answer, parse_trailers};
use crate::refusal;
use crate::scan::{Bounds, Scan, SectionScan};

/// Receives heads, body and trailers.
///
/// ```text
///   Head --+--> Sized ------+
///    ^  |  +--> UntilClose -+--> Complete
///    +--+  +--> Chunked --> Trailers --+
///    1xx   +---------------------------^
/// ```
#[derive(Debug)]
pub(crate) struct Receiver {
    step: Step,
    section: SectionScan,
    decoder: Option<Decoder>,
    /// Why the body of a redirect cannot be decoded: only who reads it has to know.
    undecodable: Option<Fault>,
    trailers: Option<Fields>,
    interims: usize,
    /// Body bytes given to the application.
    delivered: u64,
    emitted: bool,
    persists: bool,
}

#[derive(Debug)]
enum Step {
    Head,
    Sized { left: u64, length: u64 },
    Chunked(ChunkReader),
    Trailers,
    UntilClose,
    Complete,
}

/// What a pump found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// More input or room is needed.
    Blocked,
    /// `100 Continue`.
    Consent,
    /// The final head; the body follows.
    Final(u16),
    /// The end of the answer.
    Complete,
}

const STATUS_START: &[u8] = b"HTTP/";

impl Receiver {
    pub(crate) fn new() -> Self {
        Self {
            step: Step::Head,
            section: SectionScan::new(),
            decoder: None,
            undecodable: None,
            trailers: None,
            interims: 0,
            delivered: 0,
            emitted: false,
            persists: false,
        }
    }

    /// Goes on to the next thing that the sender has to know, or as far as input and room allow.
    pub(crate) fn pump(
        &mut self,
        config: &Http1Config,
        to_head: bool,
        from_peer: &mut Pipe,
        events: &mut Events,
        cx: &mut Cx<'_>,
    ) -> Result<Found, Fault> {
        match self.step {
            Step::Head => self.pump_head(config, to_head, from_peer, events, cx),
            _ => self.pump_body(config, from_peer, events, cx),
        }
    }

    /// Whether any byte of the answer, apart from interim ones, has come.
    pub(crate) fn has_begun(&self) -> bool {
        !matches!(self.step, Step::Head) || self.section.has_begun()
    }

    /// Whether the application has seen any of it.
    pub(crate) fn has_emitted(&self) -> bool {
        self.emitted
    }

    /// Whether the peer keeps the connection after a complete answer.
    pub(crate) fn persists(&self) -> bool {
        self.persists
    }

    /// Bytes that are sure to come, from those on that were not taken yet.
    pub(crate) fn expects(&self) -> u64 {
        match &self.step {
            Step::Sized { left, .. } => *left,
            Step::Chunked(chunks) => chunks.sure(),
            Step::Head | Step::Trailers | Step::UntilClose | Step::Complete => 0,
        }
    }

    fn pump_head(
        &mut self,
        config: &Http1Config,
        to_head: bool,
        from_peer: &mut Pipe,
        events: &mut Events,
        cx: &mut Cx<'_>,
    ) -> Result<Found, Fault> {
        loop {
            let section = match self
                .section
                .read(from_peer, STATUS_START, bounds(config), cx)?
            {
                Scan::Complete(section) => section,
                Scan::Foreign if config.allow_http09 && self.interims == 0 => {
                    return Ok(self.begin_http09(events));
                }
                Scan::Foreign => return Err(refusal::foreign(from_peer)),
                Scan::Incomplete if from_peer.at_end() => return Err(self.no_head()),
                Scan::Incomplete => return Ok(Found::Blocked),
            };
            cx.note_bytes(false, false, &section.raw);
            let answer = parse_answer(section)?;
            match answer.head.code {
                101 => return Err(refusal::unasked_upgrade()),
                100..=199 => {
                    self.interims += 1;
                    if self.interims > config.max_interim {
                        return Err(refusal::too_many_interims(config));
                    }
                    let consent = answer.head.code == 100;
                    self.emitted = true;
                    events.emit(Event::Interim(answer.head));
                    if consent {
                        return Ok(Found::Consent);
                    }
                }
                _ => return self.begin(answer, config, to_head, events),
            }
        }
    }

    /// Takes the final head: what follows it is decided here.
    fn begin(
        &mut self,
        answer: Answer,
        config: &Http1Config,
        to_head: bool,
        events: &mut Events,
    ) -> Result<Found, Fault> {
        let Answer {
            mut head,
            minor,
            framing: fields,
        } = answer;
        let framing = fields.framing(minor, head.code, to_head)?;
        let decoded = config.decode && fields.encoded && framing != Framing::Nothing;
        if decoded {
            match Decoder::new(&head.fields, config.max_decode_ratio) {
                Ok(decoder) => self.decoder = decoder,
                Err(fault) if (300..400).contains(&head.code) => self.undecodable = Some(fault),
                Err(fault) => return Err(fault),
            }
        }
        let identity = self.decoder.is_none();
        self.persists = framing != Framing::UntilClose && fields.persists(minor);
        (self.step, head.body_length) = match framing {
            Framing::Nothing => (Step::Complete, Some(0)),
            Framing::Sized(length) => {
                let unread = (300..400).contains(&head.code);
                if identity && !unread && config.max_body.is_some_and(|max| length > max) {
                    return Err(too_large(config, format!("a body of {length} bytes")));
                }
                (
                    Step::Sized {
                        left: length,
                        length,
                    },
                    identity.then_some(length),
                )
            }
            Framing::Chunked => (Step::Chunked(ChunkReader::new()), None),
            Framing::UntilClose => (Step::UntilClose, None),
        };
        let code = head.code;
        self.emitted = true;
        events.emit(Event::Head(head));
        Ok(Found::Final(code))
    }

    /// Everything is body (HTTP/0.9 had no head at all).
    fn begin_http09(&mut self, events: &mut Events) -> Found {
        let fields = Fields::new(sockless_core::Buf::with_capacity(0), Vec::new());
        self.step = Step::UntilClose;
        self.emitted = true;
        events.emit(Event::Head(sockless_core::Head {
            code: 0,
            version: "HTTP/0.9",
            reason: 0..0,
            fields,
            body_length: None,
        }));
        Found::Final(0)
    }

    fn pump_body(
        &mut self,
        config: &Http1Config,
        from_peer: &mut Pipe,
        events: &mut Events,
        cx: &mut Cx<'_>,
    ) -> Result<Found, Fault> {
        if let Some(fault) = self.undecodable.take() {
            return Err(fault);
        }
        loop {
            if !self.deliver_decoded(config, events, cx)? {
                return Ok(Found::Blocked);
            }
            let max = if self.decoder.is_some() {
                usize::MAX
            } else {
                events.room()
            };
            let piece = match self.next(config, from_peer, max, cx)? {
                Next::Piece(piece) => piece,
                Next::Blocked => return Ok(Found::Blocked),
                Next::End => break,
            };
            cx.note_bytes(false, true, &piece);
            match &mut self.decoder {
                Some(decoder) => decoder.push(piece),
                None => {
                    self.count(piece.len(), config)?;
                    events.data(piece);
                }
            }
        }
        if let Some(decoder) = self.decoder.take() {
            decoder.finish()?;
        }
        if let Some(trailers) = self.trailers.take() {
            events.emit(Event::Trailers(trailers));
        }
        self.step = Step::Complete;
        Ok(Found::Complete)
    }

    /// The next piece of the body as it was sent, of at most `max` bytes.
    fn next(
        &mut self,
        config: &Http1Config,
        from_peer: &mut Pipe,
        max: usize,
        cx: &mut Cx<'_>,
    ) -> Result<Next, Fault> {
        loop {
            match &mut self.step {
                Step::Sized { left: 0, .. } | Step::Head | Step::Complete => return Ok(Next::End),
                Step::Sized { left, length } => {
                    let max = max.min(usize::try_from(*left).unwrap_or(usize::MAX));
                    let Some(piece) = from_peer.pop_max(max) else {
                        return blocked_in_sized(from_peer, *length - *left, *length);
                    };
                    *left -= piece.len() as u64;
                    return Ok(Next::Piece(piece));
                }
                Step::UntilClose => {
                    return Ok(match from_peer.pop_max(max) {
                        Some(piece) => Next::Piece(piece),
                        None if from_peer.at_end() => Next::End,
                        None => Next::Blocked,
                    });
                }
                Step::Chunked(chunks) => match chunks.next(from_peer, max)? {
                    Next::End => self.step = Step::Trailers,
                    next => return Ok(next),
                },
                Step::Trailers => {
                    if !self.read_trailers(config, from_peer, cx)? {
                        return Ok(Next::Blocked);
                    }
                    self.step = Step::Complete;
                }
            }
        }
    }

    /// Whether the trailer section is complete.
    fn read_trailers(
        &mut self,
        config: &Http1Config,
        from_peer: &mut Pipe,
        cx: &mut Cx<'_>,
    ) -> Result<bool, Fault> {
        match self.section.read(from_peer, b"", bounds(config), cx)? {
            Scan::Complete(section) => {
                if section.lines > 1 {
                    cx.note_bytes(false, false, &section.raw);
                }
                self.trailers = parse_trailers(section)?;
                Ok(true)
            }
            _ if from_peer.at_end() => Err(partial(IN_TRAILERS)),
            _ => Ok(false),
        }
    }

    /// Whether the decoder, if any, has given everything it can; otherwise room is missing.
    fn deliver_decoded(
        &mut self,
        config: &Http1Config,
        events: &mut Events,
        cx: &Cx<'_>,
    ) -> Result<bool, Fault> {
        while let Some(decoder) = self
            .decoder
            .as_mut()
            .filter(|decoder| !decoder.is_starved())
        {
            let room = events.room();
            if room == 0 {
                return Ok(false);
            }
            if let Some(piece) = decoder.pull(room, cx)? {
                self.count(piece.len(), config)?;
                events.data(piece);
            }
        }
        Ok(true)
    }

    /// Counts what is delivered, before it is.
    fn count(&mut self, n: usize, config: &Http1Config) -> Result<(), Fault> {
        self.delivered += n as u64;
        match config.max_body {
            Some(max) if self.delivered > max => {
                Err(too_large(config, "a body of unannounced length".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// What is missing when nothing more comes, as far as it is known.
    pub(crate) fn missing(&self) -> Option<Fault> {
        match &self.step {
            Step::Head => Some(self.no_head()),
            Step::Sized { left: 0, .. } | Step::UntilClose | Step::Complete => None,
            Step::Sized { left, length } => Some(short(*length - *left, *length)),
            Step::Chunked(chunks) => Some(chunks.cut()),
            Step::Trailers => Some(partial(IN_TRAILERS)),
        }
    }

    fn no_head(&self) -> Fault {
        if self.section.has_begun() {
            let what = "the peer closed in the middle of the answer's head";
            return Fault::misbehaved(Reason::Truncated, what).remedy(NO_ANSWER);
        }
        if self.interims > 0 {
            let what = "the peer closed after an interim answer, without a final one";
            return Fault::misbehaved(Reason::Truncated, what).remedy(NO_ANSWER);
        }
        Fault::misbehaved(Reason::EmptyReply, "the peer closed without an answer").remedy(NO_ANSWER)
    }
}

const IN_TRAILERS: &str = "the peer closed inside the trailers of a chunked body";

const NO_ANSWER: &str = "try again; if it stays so, check the port, and the server's log";

fn bounds(config: &Http1Config) -> Bounds {
    Bounds {
        bytes: config.max_head_bytes,
        fields: config.max_fields,
    }
}

fn too_large(config: &Http1Config, which: String) -> Fault {
    let what = format!(
        "{which} is over the limit of {}",
        config.max_body.unwrap_or_default()
    );
    Fault::new(Culprit::Limit, Reason::BodyTooLarge, what).remedy("raise max_body")
}

fn blocked_in_sized(from_peer: &Pipe, have: u64, length: u64) -> Result<Next, Fault> {
    if !from_peer.at_end() {
        return Ok(Next::Blocked);
    }
    Err(short(have, length))
}

fn short(have: u64, length: u64) -> Fault {
    partial(format!(
        "the peer closed after {have} of {length} bytes of body"
    ))
}

/// A body that ends too early.
pub(crate) fn partial(what: impl Into<String>) -> Fault {
    Fault::misbehaved(Reason::PartialBody, what).remedy("try again; a Range asks for the rest only")
}
