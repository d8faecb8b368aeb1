//! What a session and the pump share: the wire's bytes both ways, and what has happened.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sockless_core::{Pipe, Pool};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::lines::Line;
use crate::backend::Event;
use crate::message::Channel;

/// Held by the session's stream, its handler, its conductor, and the backend.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            pool: Pool::default(),
            incoming: Pipe::new(usize::MAX),
            reader: None,
            since_data: 0,
            outgoing: Pipe::new(usize::MAX),
            events: VecDeque::new(),
            backlog: 0,
            over: false,
            lines: BTreeMap::new(),
            ids: BTreeMap::new(),
            refusals: VecDeque::new(),
        })))
    }

    /// It is never held while a task waits, so nobody ever waits for it.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct State {
    /// Where buffers come from; the connection's, once it is pumped.
    pub(super) pool: Pool,
    pub(super) incoming: Pipe,
    reader: Option<Waker>,
    /// Wire bytes read since data last came out: no more than these are in a packet that is
    /// not complete yet.
    pub(super) since_data: usize,
    pub(super) outgoing: Pipe,
    pub(super) events: VecDeque<Event>,
    /// Bytes of channel data among the events.
    pub(super) backlog: usize,
    /// The last event is there; nothing more will happen.
    pub(super) over: bool,
    /// By the library's channel number.
    pub(super) lines: BTreeMap<u32, Line>,
    /// The library's numbers of our channels.
    pub(super) ids: BTreeMap<Channel, u32>,
    /// What peers said about channels that they did not open, until the opener asks.
    pub(super) refusals: VecDeque<String>,
}

impl State {
    pub(super) fn push(&mut self, event: Event) {
        if self.over {
            return;
        }
        self.over = matches!(event, Event::Failed(_) | Event::Disconnected { .. });
        if let Event::Data(_, bytes) | Event::Stderr(_, bytes) = &event {
            self.backlog += bytes.len();
        }
        self.events.push_back(event);
    }

    /// The next event, with at most `most` bytes of data.
    pub(super) fn pop(&mut self, most: usize) -> Option<Event> {
        let piece = match self.events.front_mut()? {
            Event::Data(..) | Event::Stderr(..) if most == 0 => return None,
            Event::Data(channel, bytes) if bytes.len() > most => {
                Event::Data(*channel, bytes.split_to(most))
            }
            Event::Stderr(channel, bytes) if bytes.len() > most => {
                Event::Stderr(*channel, bytes.split_to(most))
            }
            _ => self.events.pop_front()?,
        };
        if let Event::Data(_, bytes) | Event::Stderr(_, bytes) = &piece {
            self.backlog -= bytes.len();
        }
        Some(piece)
    }

    /// The session may read on.
    pub(super) fn arrived(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// The session's end of the wire.
pub(super) struct Stream(pub(super) Shared);

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.incoming.is_empty() && !state.incoming.is_finished() {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        while into.remaining() > 0
            && let Some(piece) = state.incoming.front()
        {
            let n = piece.len().min(into.remaining());
            into.put_slice(&piece[..n]);
            state.incoming.consume(n);
            state.since_data += n;
        }
        Poll::Ready(Ok(()))
    }
}

/// Takes everything: what a session sends without being told to is bounded by what it received,
/// and it is told to send only while there is room.
impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        let pool = state.pool.clone();
        if !state.outgoing.is_finished() {
            state.outgoing.write(bytes, |n| pool.take(n));
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().outgoing.finish();
        Poll::Ready(Ok(()))
    }
}
