//! What a transfer tells the application.

use core::fmt;
use core::ops::Range;
use std::time::Duration;

use crate::{Buf, Endpoint, Entry, Error, Exit, FileSystem, Question};

/// Names one transfer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(pub(crate) u64);

impl TransferId {
    /// The id as one number; unique in its engine for as long as that lives.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transfer {}.{}", self.0 as u32, self.0 >> 32)
    }
}

/// What happened to a transfer. [`Event::Done`] is the last one, and always comes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// All layers are ready: bytes may pass both ways ([`Raw`](crate::Raw) streams only).
    Open,
    /// An interim answer (HTTP 1xx); the final one is still to come.
    Interim(Head),
    /// The answer's head: what comes before the body.
    Head(Head),
    /// The answer sends the transfer elsewhere, and it goes there; its body is dropped.
    Redirect {
        /// The answer's head.
        head: Head,
        /// Where it goes, as an absolute URL.
        location: String,
    },
    /// The answer asks for credentials, and the request is sent again with them; its body
    /// is dropped.
    Challenged {
        /// The answer's head.
        head: Head,
    },
    /// A piece of the answer's body, without a copy.
    Data(Buf),
    /// A piece of what a command at the peer wrote to its standard error.
    Stderr(Buf),
    /// A file or directory at the peer. In a transfer of files, [`Event::Data`] up to the next
    /// [`Event::EntryDone`] is what is in it.
    Entry(Box<Entry>),
    /// The last [`Event::Entry`]'s content is complete, or why it is not; in transfers of
    /// many files, which go on after one of them has failed.
    EntryDone(Result<(), Error>),
    /// The room on a file system of the peer's.
    FileSystem(Box<FileSystem>),
    /// How the command at the peer ended.
    Exited(Exit),
    /// The peer has that many bytes of the request's body already: the first one that is
    /// sent is the one behind them. Comes before the first [`Event::WantBody`].
    ResumeAt(u64),
    /// Fields after the body.
    Trailers(Fields),
    /// The peer will send nothing more; it may still listen ([`Raw`](crate::Raw) streams only).
    PeerFinished,
    /// The request's body is wanted: [`Engine::send_body`](crate::Engine::send_body).
    /// It comes once; the next one follows when what was given has been taken.
    WantBody {
        /// Bytes that can be taken without growing beyond the pipe's bound.
        room: usize,
    },
    /// The request's body is sent once more, from its beginning: the next
    /// [`Event::WantBody`] asks for its first bytes, and one that was not answered yet is
    /// void. Comes only where the application said that it can do that.
    RewindBody,
    /// A layer wants to know something: [`Engine::answer`](crate::Engine::answer). The transfer
    /// waits, its timeouts but the total one stand still, and a pause does not hold this back.
    Asked(Question),
    /// A step of the transfer in words, when the transfer asked for notes.
    Note(Note),
    /// The end, good or bad. The id is free afterwards.
    Done {
        /// How it ended.
        outcome: Result<(), Error>,
        /// What it took.
        summary: Box<Summary>,
    },
}

/// A step in words, or bytes that went over the seam below the protocol.
#[derive(Debug)]
#[non_exhaustive]
pub enum Note {
    /// A sentence about what a layer did.
    Info {
        /// The layer, e.g. `tls`.
        layer: &'static str,
        /// The sentence; no secrets.
        text: String,
    },
    /// Head or body bytes as the protocol sent or received them, inside the security layers.
    Bytes {
        /// Which way.
        sent: bool,
        /// Head or body.
        body: bool,
        /// A copy of the bytes.
        bytes: Vec<u8>,
    },
}

/// The head of an answer.
pub struct Head {
    /// The status code; 0 where the protocol has none.
    pub code: u16,
    /// The protocol's name and version as received, e.g. `HTTP/1.1`.
    pub version: &'static str,
    /// The reason phrase as received.
    pub reason: Range<u32>,
    /// All fields, and the raw bytes.
    pub fields: Fields,
    /// The length of the body that follows, where it is known.
    pub body_length: Option<u64>,
}

impl Head {
    /// The reason phrase.
    pub fn reason(&self) -> &[u8] {
        &self.fields.raw[self.reason.start as usize..self.reason.end as usize]
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Head({} {}, {} fields)",
            self.version,
            self.code,
            self.fields.len()
        )
    }
}

/// Header fields inside the buffer that they were received in.
pub struct Fields {
    raw: Buf,
    spans: Vec<(Range<u32>, Range<u32>)>,
}

impl Fields {
    /// Fields whose names and values are at `spans` of `raw`.
    ///
    /// # Panics
    /// If a span does not lie in `raw`.
    pub fn new(raw: Buf, spans: Vec<(Range<u32>, Range<u32>)>) -> Self {
        let end = spans
            .iter()
            .map(|(name, value)| name.end.max(value.end))
            .max();
        assert!(
            end.unwrap_or(0) as usize <= raw.len(),
            "a field outside its buffer"
        );
        Self { raw, spans }
    }

    /// Name and value of each field, in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.spans.iter().map(|(name, value)| {
            (
                &self.raw[name.start as usize..name.end as usize],
                &self.raw[value.start as usize..value.end as usize],
            )
        })
    }

    /// The values of all fields of that name, in any case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(have, _)| have.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The first field's value of that name, in any case.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The bytes as they arrived, start line and final empty line included.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({})", self.len())
    }
}

/// What a transfer took. Times are since it was added; `None`: it did not get there.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// The name was resolved.
    pub resolved: Option<Duration>,
    /// The socket was connected.
    pub connected: Option<Duration>,
    /// All security handshakes were done.
    pub secured: Option<Duration>,
    /// The request began to be sent.
    pub started: Option<Duration>,
    /// The first byte of the answer was there.
    pub first_byte: Option<Duration>,
    /// The end.
    pub total: Duration,
    /// Bytes of request body sent.
    pub body_sent: u64,
    /// Bytes of response body delivered.
    pub body_received: u64,
    /// Whether a kept connection was used.
    pub reused: bool,
    /// New connections made, racing ones included.
    pub connects: u32,
    /// Redirects followed.
    pub redirects: u32,
    /// Where the connection led.
    pub remote: Option<Endpoint>,
}
