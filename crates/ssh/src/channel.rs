//! One session channel of the SSH layer's, as sftp, scp and commands use it.

use sockless_core::{Buf, Culprit, Cx, Fault, Pipe, Reason};

use crate::escape::Escaped;
use crate::message::{Kind, Reader, put_bytes, put_framed};

/// Its number: there is one on a connection at a time.
const NUMBER: u32 = 0;

/// The most of what a server writes to standard error that is kept, in bytes.
const MAX_STDERR: usize = 1024;

/// A channel, from the request for it to its end.
///
/// ```text
///   (new) --exec, subsystem--> asked --Opened--> open --Closed--> closed
///                                |                 +----park----> parked
///                                +--Refused--> fault
/// ```
#[derive(Debug, Default)]
pub(crate) struct Channel {
    reader: Reader,
    asked: bool,
    opened: bool,
    /// The beginning of what came on standard error.
    stderr: Vec<u8>,
    code: Option<u32>,
    signal: Option<Vec<u8>>,
}

/// What came on a channel whose standard error is only of interest when it fails.
#[derive(Debug)]
pub(crate) enum Heard {
    /// It is open; the payload is what it was parked with.
    Opened(Buf),
    /// Bytes of the stream.
    Data(Buf),
    /// It is over: nothing more will come. As a fault, for whoever misses something.
    End(Fault),
}

impl Channel {
    /// Asks for a command.
    pub(crate) fn exec(&mut self, to_peer: &mut Pipe, command: &[u8], cx: &Cx<'_>) {
        self.ask(to_peer, Kind::Exec, command, cx);
    }

    /// Asks for a subsystem.
    pub(crate) fn subsystem(&mut self, to_peer: &mut Pipe, name: &[u8], cx: &Cx<'_>) {
        self.ask(to_peer, Kind::Subsystem, name, cx);
    }

    fn ask(&mut self, to_peer: &mut Pipe, kind: Kind, payload: &[u8], cx: &Cx<'_>) {
        self.asked = true;
        put_bytes(to_peer, cx, NUMBER, kind, payload);
    }

    /// Whether it was asked for.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked
    }

    /// Whether bytes may be said.
    pub(crate) fn is_open(&self) -> bool {
        self.opened
    }

    /// Sends small things.
    pub(crate) fn say(&self, to_peer: &mut Pipe, bytes: &[u8], cx: &Cx<'_>) {
        put_bytes(to_peer, cx, NUMBER, Kind::Data, bytes);
    }

    /// Sends a head and what follows it, which is not copied.
    pub(crate) fn say_framed(&self, to_peer: &mut Pipe, head: &[u8], body: Vec<Buf>, cx: &Cx<'_>) {
        put_framed(to_peer, cx, (NUMBER, Kind::Data), head, body);
    }

    /// Says that nothing more will be said.
    pub(crate) fn finish(&self, to_peer: &mut Pipe, cx: &Cx<'_>) {
        put_bytes(to_peer, cx, NUMBER, Kind::Eof, &[]);
    }

    /// Leaves it, open, to the next transfer on this connection.
    pub(crate) fn park(&self, to_peer: &mut Pipe, greeting: &[u8], cx: &Cx<'_>) {
        put_bytes(to_peer, cx, NUMBER, Kind::Park, greeting);
    }

    /// How the command ended, where the server has said that.
    pub(crate) fn code(&self) -> Option<u32> {
        self.code
    }

    /// The signal that ended it.
    pub(crate) fn signal(&self) -> Option<&[u8]> {
        self.signal.as_deref()
    }

    /// The next message, or piece of at most `most` bytes of data.
    pub(crate) fn message(
        &mut self,
        from_peer: &mut Pipe,
        most: usize,
        cx: &mut Cx<'_>,
    ) -> Result<Option<(Kind, Buf)>, Fault> {
        let Some(message) = self.reader.next(from_peer, most, cx) else {
            return match from_peer.at_end() {
                true => Err(self.over("the connection ended")),
                false => Ok(None),
            };
        };
        match message.kind {
            Kind::Opened => self.opened = true,
            Kind::ExitStatus => {
                let code = message
                    .payload
                    .get(..4)
                    .and_then(|code| code.try_into().ok());
                self.code = code.map(u32::from_be_bytes);
            }
            Kind::ExitSignal => self.signal = Some(message.payload.to_vec()),
            Kind::Refused => {
                let why = Escaped(&message.payload);
                let what = format!("the server will not start it: {why}");
                return Err(Fault::new(Culprit::PeerRefused, Reason::Unsupported, what));
            }
            _ => {}
        }
        Ok(Some((message.kind, message.payload)))
    }

    /// As [`Channel::message`], for a protocol on the stream alone.
    pub(crate) fn hear(
        &mut self,
        from_peer: &mut Pipe,
        most: usize,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Heard>, Fault> {
        loop {
            let Some((kind, payload)) = self.message(from_peer, most, cx)? else {
                return Ok(None);
            };
            match kind {
                Kind::Opened => return Ok(Some(Heard::Opened(payload))),
                Kind::Data => return Ok(Some(Heard::Data(payload))),
                Kind::Stderr => {
                    let room = MAX_STDERR.saturating_sub(self.stderr.len());
                    let kept = &payload[..payload.len().min(room)];
                    self.stderr.extend_from_slice(kept);
                }
                // Only the last message: the cause comes between end and close.
                Kind::Closed => return Ok(Some(Heard::End(self.over("the server ended")))),
                _ => {}
            }
        }
    }

    /// The channel is over, and something is missing.
    fn over(&self, how: &str) -> Fault {
        let mut what = format!("{how} before the transfer was complete");
        if let Some(code) = self.code {
            what += &format!(", with exit code {code}");
        }
        if let Some(signal) = &self.signal {
            what += &format!(", by signal {}", Escaped(signal));
        }
        if !self.stderr.is_empty() {
            what += &format!(": \"{}\"", Escaped(self.stderr.trim_ascii()));
        }
        Fault::misbehaved(Reason::Truncated, what)
    }
}
