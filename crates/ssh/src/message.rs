//! What passes over the seam between the SSH layer and the protocol on it (sftp, scp, a command).
//!
//! ```text
//!   +------+---------+--------+---------+
//!   | kind | channel | length | payload |
//!   |  u8  |   u32   |  u32   |         |
//!   +------+---------+--------+---------+
//! ```
//! A [`Pipe`] carries bytes, so messages have a head of nine bytes; payload travels behind it
//! in its own buffer, without a copy. Control messages are whole when they are given out,
//! data comes in whatever pieces are there. Both ends are ours: nothing of this is on the wire.

use sockless_core::{Buf, Cx, Pipe};

/// The number of a channel, chosen by the protocol above; free again after [`Kind::Closed`].
pub type Channel = u32;

/// What a message says. Down: from the protocol to the SSH layer. Up: the other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Down: open a session channel and run the command in the payload.
    Exec = 1,
    /// Down: open a session channel and start the subsystem that the payload names. If a channel
    /// of that subsystem was parked, it is taken up again.
    Subsystem = 2,
    /// Up: the channel is open, what was asked for has started. The payload is what the
    /// channel was parked with; empty for a fresh one.
    Opened = 3,
    /// Up: it could not be opened, or the request on it was refused; the payload says why.
    Refused = 4,
    /// Both: bytes of the channel's stream.
    Data = 5,
    /// Up: bytes of the command's standard error.
    Stderr = 6,
    /// Both: no more data that way.
    Eof = 7,
    /// Up: the command has ended with this code, four bytes, big-endian.
    ExitStatus = 8,
    /// Up: the command was ended by this signal: its name without `SIG`.
    ExitSignal = 9,
    /// Down: close the channel. Up: it is closed; its number is free. Always the last one up
    /// for a channel that was opened.
    Closed = 10,
    /// Down: keep the channel of a subsystem open for a later transfer on this connection, which
    /// gets the payload with [`Kind::Opened`]. Nothing may be owed on it by either side.
    Park = 11,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Exec,
        Self::Subsystem,
        Self::Opened,
        Self::Refused,
        Self::Data,
        Self::Stderr,
        Self::Eof,
        Self::ExitStatus,
        Self::ExitSignal,
        Self::Closed,
        Self::Park,
    ];

    fn of(raw: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == raw)
    }

    /// Whether it is given out in pieces.
    fn is_stream(self) -> bool {
        matches!(self, Self::Data | Self::Stderr)
    }
}

/// Bytes in front of each payload.
pub const HEAD: usize = 9;

/// Puts a message in; the payload is not copied.
pub fn put(pipe: &mut Pipe, cx: &Cx<'_>, channel: Channel, kind: Kind, payload: Buf) {
    put_head(pipe, cx, channel, kind, payload.len());
    pipe.push(payload);
}

/// Puts a message in whose payload is copied: for small ones.
pub fn put_bytes(pipe: &mut Pipe, cx: &Cx<'_>, channel: Channel, kind: Kind, payload: &[u8]) {
    put_head(pipe, cx, channel, kind, payload.len());
    pipe.write(payload, |n| cx.buf(n));
}

/// Puts a message in that is a copy of `head` and then `body`, which is not copied.
pub fn put_framed(
    pipe: &mut Pipe,
    cx: &Cx<'_>,
    (channel, kind): (Channel, Kind),
    head: &[u8],
    body: Vec<Buf>,
) {
    let len: usize = body.iter().map(|piece| piece.len()).sum();
    put_head(pipe, cx, channel, kind, head.len() + len);
    pipe.write(head, |n| cx.buf(n));
    body.into_iter().for_each(|piece| pipe.push(piece));
}

fn put_head(pipe: &mut Pipe, cx: &Cx<'_>, channel: Channel, kind: Kind, len: usize) {
    let len = u32::try_from(len).expect("a buffer is smaller than 4 GiB");
    let mut head = [0; HEAD];
    head[0] = kind as u8;
    head[1..5].copy_from_slice(&channel.to_be_bytes());
    head[5..].copy_from_slice(&len.to_be_bytes());
    pipe.write(&head, |n| cx.buf(n.max(64)));
}

/// A message, or a piece of one that is data.
#[derive(Debug)]
pub struct Message {
    /// Whose it is.
    pub channel: Channel,
    /// What it says.
    pub kind: Kind,
    /// With what.
    pub payload: Buf,
}

/// Takes messages out of a pipe.
#[derive(Debug, Default)]
pub struct Reader {
    /// The data message that is being given out, and what is left of it.
    within: Option<(Channel, Kind, usize)>,
}

impl Reader {
    /// At the beginning of a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next message, or piece of at most `most` bytes of one. `None`: not there yet, or
    /// `most` is 0 and it is data.
    ///
    /// # Panics
    /// If the bytes are no messages: both ends of the seam are ours.
    pub fn next(&mut self, pipe: &mut Pipe, most: usize, cx: &mut Cx<'_>) -> Option<Message> {
        loop {
            if let Some((channel, kind, left)) = self.within {
                let payload = pipe.pop_max(left.min(most))?;
                let left = left - payload.len();
                self.within = (left > 0).then_some((channel, kind, left));
                return Some(Message {
                    channel,
                    kind,
                    payload,
                });
            }
            if pipe.len() < HEAD {
                return None;
            }
            pipe.join(HEAD, |n| cx.buf(n));
            let head: [u8; HEAD] = pipe.front()?.get(..HEAD)?.try_into().ok()?;
            let [raw, c0, c1, c2, c3, l0, l1, l2, l3] = head;
            let kind = Kind::of(raw).expect("the seam carries messages");
            let channel = Channel::from_be_bytes([c0, c1, c2, c3]);
            let len = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
            if kind.is_stream() {
                pipe.consume(HEAD);
                self.within = (len > 0).then_some((channel, kind, len));
                continue;
            }
            if pipe.len() < HEAD + len {
                return None;
            }
            pipe.consume(HEAD);
            pipe.join(len, |n| cx.buf(n));
            let payload = match len {
                0 => Buf::with_capacity(0),
                _ => pipe.split(len),
            };
            return Some(Message {
                channel,
                kind,
                payload,
            });
        }
    }
}
