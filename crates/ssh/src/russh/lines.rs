//! Channels as the library numbers them, and what happens on them.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use bytes::Bytes;
use sockless_core::{Buf, Pool};

use super::wire::State;
use crate::backend::Event;
use crate::message::Channel;

/// One channel.
#[derive(Default)]
pub(super) struct Line {
    /// Our number, once the opener has heard of it.
    channel: Option<Channel>,
    /// What happened before that.
    early: Vec<Happening>,
    /// What the peer takes, less what is on its way.
    room: usize,
    /// Bytes that were given to the session and are not in packets yet.
    waiting: Arc<AtomicUsize>,
}

/// What happens on a channel.
pub(super) enum Happening {
    Opened,
    Refused(&'static str),
    Data(Buf),
    Stderr(Buf),
    Eof,
    ExitStatus(u32),
    ExitSignal(String),
    Closed,
}

impl Happening {
    fn on(self, channel: Channel) -> Event {
        match self {
            Self::Opened => Event::Opened(channel),
            Self::Refused(why) => Event::Refused(channel, why.to_owned()),
            Self::Data(bytes) => Event::Data(channel, bytes),
            Self::Stderr(bytes) => Event::Stderr(channel, bytes),
            Self::Eof => Event::Eof(channel),
            Self::ExitStatus(code) => Event::ExitStatus(channel, code),
            Self::ExitSignal(name) => Event::ExitSignal(channel, name),
            Self::Closed => Event::Closed(channel),
        }
    }
}

impl State {
    /// The peer has opened a channel and takes `window` bytes on it.
    pub(super) fn confirmed(&mut self, id: u32, window: u32) {
        let line = self.lines.entry(id).or_default();
        line.room = window as usize;
    }

    /// The opener knows now which one it got.
    pub(super) fn adopt(&mut self, id: u32, channel: Channel) {
        let line = self.lines.entry(id).or_default();
        line.channel = Some(channel);
        let early = core::mem::take(&mut line.early);
        self.ids.insert(channel, id);
        for happening in early {
            self.happened(id, happening);
        }
    }

    /// Both numbers are free again; what comes late is dropped.
    pub(super) fn forget(&mut self, channel: Channel) {
        if let Some(id) = self.ids.remove(&channel) {
            self.lines.remove(&id);
        }
    }

    pub(super) fn happened(&mut self, id: u32, happening: Happening) {
        let Some(line) = self.lines.get_mut(&id) else {
            return;
        };
        let Some(channel) = line.channel else {
            return line.early.push(happening);
        };
        if matches!(happening, Happening::Closed | Happening::Refused(_)) {
            self.forget(channel);
        }
        self.push(happening.on(channel));
    }

    /// Channel data, behind what the last event has of the same stream if that has room: a parser
    /// above then finds many packets in one piece.
    pub(super) fn data(&mut self, id: u32, mut bytes: &[u8], stderr: bool) {
        self.since_data = 0;
        let Some(line) = self.lines.get(&id) else {
            return;
        };
        let last = match (self.events.back_mut(), stderr) {
            (Some(Event::Data(of, last)), false) => Some((of, last)),
            (Some(Event::Stderr(of, last)), true) => Some((of, last)),
            _ => None,
        };
        if let Some((of, last)) = last
            && line.channel == Some(*of)
        {
            let n = last.fill_from(bytes);
            self.backlog += n;
            bytes = &bytes[n..];
        }
        if bytes.is_empty() {
            return;
        }
        // Room for what is about to follow, as far as it has arrived.
        let ahead = bytes.len() + self.incoming.len();
        let mut fresh = self.pool.take(bytes.len().max(ahead.min(Pool::LARGEST)));
        fresh.extend_from_slice(bytes);
        self.happened(
            id,
            match stderr {
                true => Happening::Stderr(fresh),
                false => Happening::Data(fresh),
            },
        );
    }

    /// The peer takes `window` bytes beyond those that the session has sent.
    pub(super) fn widened(&mut self, id: u32, window: u32) {
        if let Some(line) = self.lines.get_mut(&id) {
            let waiting = line.waiting.load(Ordering::Relaxed);
            line.room = (window as usize).saturating_sub(waiting);
        }
    }

    pub(super) fn room(&self, channel: Channel) -> usize {
        let id = self.ids.get(&channel);
        id.and_then(|id| self.lines.get(id))
            .map_or(0, |line| line.room)
    }

    /// Bytes for the session, which count as on their way until it has made packets of them.
    pub(super) fn outgoing(&mut self, channel: Channel, bytes: Buf) -> Option<Bytes> {
        let line = self.lines.get_mut(self.ids.get(&channel)?)?;
        line.room = line.room.saturating_sub(bytes.len());
        line.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
        let waiting = Arc::clone(&line.waiting);
        Some(Bytes::from_owner(Waiting { bytes, waiting }))
    }
}

struct Waiting {
    bytes: Buf,
    waiting: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Waiting {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}
