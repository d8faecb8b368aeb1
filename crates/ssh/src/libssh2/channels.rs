//! Channels: opening, one at a time; streams both ways; closing.

use std::collections::{BTreeMap, VecDeque};
use std::task::Poll;

use sockless_core::{Buf, Cx};

use super::fault;
use super::ffi::{ChannelId, Failure, Session, Stream};
use super::ready::Ready;
use crate::backend::{Event, Open};
use crate::message::Channel;

/// libssh2 takes packets of 35,000 bytes.
const MOST_PACKET: u32 = 32 * 1024;

/// Bytes that are read at once: two packets.
const PIECE: usize = 2 * MOST_PACKET as usize;

/// Channels at a time. OpenSSH's server gives ten sessions.
const MOST_CHANNELS: usize = 1024;

/// The channels of a connection.
pub(super) struct Channels {
    /// What the peer may send on a channel before it is read, and at once, in bytes.
    window: u32,
    packet: u32,
    /// What is to be opened; the first is under way. libssh2 has one place for the state of opening,
    /// and takes the answer to one channel's request for a failure of another's.
    opening: VecDeque<Opening>,
    open: BTreeMap<Channel, Slot>,
    /// Closed from here; libssh2 waits for the peer to close them too.
    closing: Vec<(ChannelId, Option<Channel>)>,
}

struct Opening {
    channel: Channel,
    what: Open,
    /// What goes with the request to open. It stays the same over repeated calls.
    message: Vec<u8>,
    /// Open; what is to run on it has been asked for.
    id: Option<ChannelId>,
    /// The request to open has been sent.
    is_asked: bool,
    /// Closed from above before it was open.
    is_dropped: bool,
}

struct Slot {
    id: ChannelId,
    /// What a key exchange in the middle keeps from being sent.
    out: VecDeque<Buf>,
    finish: Finish,
    has_ended: bool,
    /// How the command ended has been told.
    is_told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finish {
    Open,
    Wanted,
    Sent,
}

impl Channels {
    pub(super) fn new(window: u32, packet: u32) -> Self {
        Self {
            window,
            packet: packet.min(MOST_PACKET),
            opening: VecDeque::new(),
            open: BTreeMap::new(),
            closing: Vec::new(),
        }
    }

    /// Takes a channel in, to be opened when its turn comes.
    pub(super) fn open(&mut self, channel: Channel, what: Open, ready: &mut Ready) {
        if self.opening.len() + self.open.len() + self.closing.len() >= MOST_CHANNELS {
            ready.push(Event::Refused(channel, "too many channels".to_owned()));
            return;
        }
        self.opening.push_back(Opening {
            channel,
            message: message(&what),
            what,
            id: None,
            is_asked: false,
            is_dropped: false,
        });
    }

    /// How many bytes the peer takes.
    pub(super) fn room(&self, channel: Channel, session: &Session) -> usize {
        match self.open.get(&channel) {
            Some(slot) if slot.finish == Finish::Open => {
                let kept: usize = slot.out.iter().map(|piece| piece.len()).sum();
                session.window(slot.id).saturating_sub(kept)
            }
            _ => 0,
        }
    }

    /// Sends bytes, now or when a key exchange is over.
    pub(super) fn send(
        &mut self,
        channel: Channel,
        bytes: Buf,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let Some(slot) = self.open.get_mut(&channel) else {
            return Ok(());
        };
        slot.out.push_back(bytes);
        slot.write(session)
    }

    /// Says that nothing more is sent.
    pub(super) fn finish(
        &mut self,
        channel: Channel,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let Some(slot) = self.open.get_mut(&channel) else {
            return Ok(());
        };
        if slot.finish == Finish::Open {
            slot.finish = Finish::Wanted;
        }
        slot.write(session)
    }

    /// Closes a channel, wherever it stands.
    pub(super) fn close(&mut self, channel: Channel, ready: &mut Ready) {
        ready.forget(channel);
        if let Some(slot) = self.open.remove(&channel) {
            self.closing.push((slot.id, Some(channel)));
        }
        let mut waiting = self.opening.iter_mut();
        if let Some(opening) = waiting.find(|opening| opening.channel == channel) {
            opening.is_dropped = true;
        }
    }

    /// Data that waits in libssh2, in bytes.
    pub(super) fn readable(&self, session: &Session) -> usize {
        let open = self.open.values();
        open.map(|slot| session.readable(slot.id)).sum()
    }

    /// Memory that windows may fill, in bytes: packets need more than what they carry.
    pub(super) fn memory(&self) -> usize {
        let count = self.opening.len() + self.open.len() + self.closing.len();
        count * 2 * self.window as usize
    }

    /// Goes as far as it can with all of them.
    pub(super) fn drive(
        &mut self,
        session: &mut Session,
        ready: &mut Ready,
        cx: &mut Cx<'_>,
    ) -> Result<(), Failure> {
        self.drive_opening(session, ready)?;
        let mut closed = Vec::new();
        for (channel, slot) in &mut self.open {
            slot.write(session)?;
            slot.read(*channel, session, ready, cx)?;
            if slot.has_ended && session.is_closed(slot.id).is_ready() {
                closed.push(*channel);
            }
        }
        for channel in closed {
            if let Some(slot) = self.open.remove(&channel) {
                self.closing.push((slot.id, Some(channel)));
            }
        }
        let mut failed = None;
        self.closing
            .retain(|(id, channel)| match session.close(*id) {
                Poll::Pending => true,
                Poll::Ready(result) => {
                    failed = failed.take().or(result.err());
                    if let Some(channel) = channel {
                        ready.push(Event::Closed(*channel));
                    }
                    false
                }
            });
        failed.map_or(Ok(()), Err)
    }

    fn drive_opening(&mut self, session: &mut Session, ready: &mut Ready) -> Result<(), Failure> {
        while let Some(opening) = self.opening.front_mut() {
            if opening.is_dropped && !opening.is_asked {
                ready.push(Event::Closed(opening.channel));
                self.opening.pop_front();
                continue;
            }
            let outcome = match opening.advance((self.window, self.packet), session) {
                Poll::Pending => return Ok(()),
                Poll::Ready(outcome) => outcome,
            };
            let (channel, id) = (opening.channel, opening.id);
            let is_dropped = opening.is_dropped;
            self.opening.pop_front();
            match outcome {
                Ok(id) if is_dropped => self.closing.push((id, Some(channel))),
                Ok(id) => {
                    self.open.insert(channel, Slot::new(id));
                    ready.push(Event::Opened(channel));
                }
                Err(failure) if failure.is_refusal() => {
                    // The number is free for above; libssh2's channel goes by itself.
                    self.closing.extend(id.map(|id| (id, None)));
                    ready.push(match is_dropped {
                        true => Event::Closed(channel),
                        false => Event::Refused(channel, fault::refusal(&failure)),
                    });
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }
}

impl Opening {
    fn advance(
        &mut self,
        sizes: (u32, u32),
        session: &mut Session,
    ) -> Poll<Result<ChannelId, Failure>> {
        let id = match self.id {
            Some(id) => id,
            None => {
                let kind = match self.what {
                    Open::Exec(_) | Open::Subsystem(_) => "session",
                    Open::DirectTcpip { .. } => "direct-tcpip",
                };
                self.is_asked = true;
                let opened = session.open(kind, sizes, &self.message);
                let id = match opened {
                    Poll::Ready(Ok(id)) => id,
                    other => return other,
                };
                self.id = Some(id);
                id
            }
        };
        let started = match &self.what {
            Open::Exec(command) => session.start(id, "exec", command),
            Open::Subsystem(name) => session.start(id, "subsystem", name.as_bytes()),
            Open::DirectTcpip { .. } => Poll::Ready(Ok(())),
        };
        started.map_ok(|()| id)
    }
}

impl Slot {
    fn new(id: ChannelId) -> Self {
        Self {
            id,
            out: VecDeque::new(),
            finish: Finish::Open,
            has_ended: false,
            is_told: false,
        }
    }

    fn write(&mut self, session: &mut Session) -> Result<(), Failure> {
        while let Some(piece) = self.out.front_mut() {
            if !piece.is_empty() {
                match session.write(self.id, piece) {
                    Poll::Pending | Poll::Ready(Ok(0)) => return Ok(()),
                    Poll::Ready(Ok(n)) => piece.advance(n),
                    // The peer has closed it meanwhile: that is told apart from this.
                    Poll::Ready(Err(failure)) if failure.is_closed() => piece.truncate(0),
                    Poll::Ready(Err(failure)) => return Err(failure),
                }
            }
            if piece.is_empty() {
                self.out.pop_front();
            }
        }
        if self.finish == Finish::Wanted
            && let Poll::Ready(sent) = session.finish(self.id)
        {
            sent?;
            self.finish = Finish::Sent;
        }
        Ok(())
    }

    fn read(
        &mut self,
        channel: Channel,
        session: &mut Session,
        ready: &mut Ready,
        cx: &mut Cx<'_>,
    ) -> Result<(), Failure> {
        // Everything that has come is opened first; what is of this channel is counted then.
        if let Poll::Ready(Err(failure)) = session.listen(self.id) {
            return Err(failure);
        }
        for stream in [Stream::Data, Stream::Stderr] {
            while ready.has_room() && session.readable(self.id) > 0 {
                let mut piece = cx.buf(PIECE.min(session.readable(self.id)));
                match session.read(self.id, stream, piece.spare_mut()) {
                    Poll::Pending | Poll::Ready(Ok(0)) => break,
                    Poll::Ready(Ok(n)) => {
                        *cx.copied += n as u64;
                        piece.grow(n);
                        ready.push(match stream {
                            Stream::Data => Event::Data(channel, piece),
                            Stream::Stderr => Event::Stderr(channel, piece),
                        });
                    }
                    Poll::Ready(Err(failure)) => return Err(failure),
                }
            }
        }
        if !session.at_end(self.id) {
            return Ok(());
        }
        // libssh2 tells it as soon as it has come, before the data that came before it.
        if !self.is_told {
            let status = session.exit_status(self.id);
            let status = status.map(|code| Event::ExitStatus(channel, code));
            let signal = session.exit_signal(self.id);
            let told = status.or(signal.map(|name| Event::ExitSignal(channel, name)));
            self.is_told = told.is_some();
            told.into_iter().for_each(|event| ready.push(event));
        }
        if !self.has_ended {
            self.has_ended = true;
            ready.push(Event::Eof(channel));
        }
        Ok(())
    }
}

/// What goes with a request to open a channel, after the fields that all have.
fn message(what: &Open) -> Vec<u8> {
    let Open::DirectTcpip { host, port } = what else {
        return Vec::new();
    };
    // RFC 4254 section 7.2. Where the connection comes from is nobody's business.
    let mut message = Vec::new();
    string(&mut message, host.as_bytes());
    message.extend(u32::from(*port).to_be_bytes());
    string(&mut message, b"127.0.0.1");
    message.extend(0_u32.to_be_bytes());
    message
}

fn string(into: &mut Vec<u8>, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).expect("a name is short");
    into.extend(len.to_be_bytes());
    into.extend(bytes);
}
