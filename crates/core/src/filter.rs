//! Filters: memory BIOs. Bytes in, bytes out, no socket, thread or clock of their own.

use std::time::{Duration, Instant, SystemTime};

use crate::event::Note;
use crate::{Answer, Ask, Asks, Buf, Fault, Pipe, Pool, QuestionId};

/// The four pipes around a filter.
#[derive(Debug)]
pub struct Seams<'a> {
    /// From the network's side, to be opened.
    pub net_in: &'a mut Pipe,
    /// Towards the network's side, sealed.
    pub net_out: &'a mut Pipe,
    /// Opened, for the application's side.
    pub app_in: &'a mut Pipe,
    /// From the application's side, to be sealed.
    pub app_out: &'a mut Pipe,
}

/// What a filter says after a pump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It stays. It has gone as far as input and room allow.
    Stay,
    /// Its work is done (CONNECT, SOCKS): the stack takes it out, leftovers go to the layer above.
    Leave,
}

/// Where a filter stands, for timeouts and for the layers above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It talks to its peer; nothing passes through yet.
    Handshake,
    /// Bytes pass.
    Open,
}

/// What ties an authentication above to the very channel below it (RFC 5056).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelBinding {
    /// `tls-server-end-point`: the hash of the server's certificate (RFC 5929 section 4).
    TlsServerEndPoint,
    /// `tls-exporter`: a secret of this connection only (RFC 9266).
    TlsExporter,
}

/// A memory BIO: `net_in` -> `app_in` (opens), `app_out` -> `net_out` (seals).
///
/// Rules, all checked by the conformance suite:
/// - It goes as far as input, keys and room allow, and takes nothing that it cannot place.
/// - The ends travel in band: `app_out` finished -> its own farewell -> `net_out`
///   finished; its peer's farewell -> `app_in` finished. `net_in` finished before
///   that farewell is a truncation, and an error.
/// - What it opened before an error is in `app_in`, its last words (an alert, a
///   disconnect) are in `net_out`, and then it returns the error, each time again.
/// - Neither direction waits for the other.
pub trait Filter: Send {
    /// Its name in errors and notes, e.g. `tls`.
    fn layer(&self) -> &'static str;

    /// Goes as far as input, keys and room allow.
    ///
    /// # Errors
    /// The layer is broken for good; the stack adds where.
    fn pump(&mut self, io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault>;

    /// Handshake or open.
    fn phase(&self) -> Phase {
        Phase::Open
    }

    /// When it wants to be pumped without any input.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// How many bytes from below make pumping worth it, when the layer above can
    /// only go on after `above` more bytes and is sure that they will come.
    ///
    /// At least 1, never more than what is sure to come: a promise too high hangs.
    /// The default is right where sealing makes no byte vanish: what waits in `net_in`
    /// counts towards `above`. A layer that compresses has to say 1.
    fn min(&self, net_in: &Pipe, above: usize) -> usize {
        above.saturating_sub(net_in.len()).max(1)
    }

    /// The size of its units below, in bytes, while they keep having the same: a receive that
    /// ends where a unit ends leaves no part of one to be copied.
    fn unit(&self) -> Option<usize> {
        None
    }

    /// The channel's binding of that kind, without the kind's name in front; `None` where
    /// there is none: before the handshake is done, or for what is no secure channel.
    fn channel_binding(&self, _kind: ChannelBinding) -> Option<Vec<u8>> {
        None
    }

    /// Whether it wants to know the binding of the secure channel below it: then it is not
    /// pumped before the layers below are open, and [`Filter::bind`] comes first.
    fn binds_to(&self) -> Option<ChannelBinding> {
        None
    }

    /// The binding that was asked for; `None`: there is no secure channel below.
    fn bind(&mut self, _channel: Option<Vec<u8>>) {}
}

/// What the world is like during one pump. Nothing else may be read.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The time, monotonic.
    pub now: Instant,
    /// The wall clock, for certificates and dates.
    pub wall: SystemTime,
    /// Where buffers come from.
    pub pool: &'a Pool,
    /// Body bytes that had to be copied, for whoever counts.
    pub copied: &'a mut u64,
    /// A number for the connection, unlike that of any other of its engine; 0 where there is
    /// none yet.
    pub connection: u64,
    notes: Option<&'a mut Vec<Note>>,
    asks: Option<&'a mut Asks>,
}

impl<'a> Cx<'a> {
    /// A context; `notes` is where notes go when somebody wants them.
    pub fn new(
        now: Instant,
        wall: SystemTime,
        pool: &'a Pool,
        copied: &'a mut u64,
        notes: Option<&'a mut Vec<Note>>,
    ) -> Self {
        Self {
            now,
            wall,
            pool,
            copied,
            connection: 0,
            notes,
            asks: None,
        }
    }

    /// On that connection.
    #[must_use]
    pub fn on(mut self, connection: u64) -> Self {
        self.connection = connection;
        self
    }

    /// Lets layers ask questions, and find the answers.
    #[must_use]
    pub fn asking(mut self, asks: &'a mut Asks) -> Self {
        self.asks = Some(asks);
        self
    }

    /// Asks the application; the answer is found by [`Cx::answer`] in a later pump, however
    /// late. `None`: nobody is there who could answer.
    pub fn ask(&mut self, layer: &'static str, ask: Ask) -> Option<QuestionId> {
        self.asks.as_mut().map(|asks| asks.ask(layer, ask))
    }

    /// The answer to a question, once.
    pub fn answer(&mut self, id: QuestionId) -> Option<Answer> {
        self.asks.as_mut()?.take(id)
    }

    /// An empty buffer with room for `n` bytes.
    pub fn buf(&self, n: usize) -> Buf {
        self.pool.take(n)
    }

    /// Whether anybody reads notes: ask before making an expensive one.
    pub fn wants_notes(&self) -> bool {
        self.notes.is_some()
    }

    /// Leaves a sentence about what a layer did.
    pub fn note(&mut self, layer: &'static str, text: impl FnOnce() -> String) {
        if let Some(notes) = &mut self.notes {
            notes.push(Note::Info {
                layer,
                text: text(),
            });
        }
    }

    /// Leaves a copy of bytes that a protocol sent or received.
    pub fn note_bytes(&mut self, sent: bool, body: bool, bytes: &[u8]) {
        if let Some(notes) = &mut self.notes {
            notes.push(Note::Bytes {
                sent,
                body,
                bytes: bytes.to_vec(),
            });
        }
    }

    /// Now plus `after`, or never if that is beyond the clock.
    pub fn after(&self, after: Duration) -> Option<Instant> {
        self.now.checked_add(after)
    }
}
