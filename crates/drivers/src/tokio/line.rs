//! A socket in the reactor's eyes, and who waits for it.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::task::{Context, Poll, Waker as Task, ready};

use sockless_core::{Buf, ConnId, Op, OpKind};
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use super::signals::{Signals, Token, Way};
use crate::plain::Progress;

/// A socket that the reactor watches.
pub(super) struct Line {
    conn: ConnId,
    readiness: AsyncFd<RawFd>,
    is_stream: bool,
    input: Half,
    output: Half,
}

/// One direction: its operations in order, and what the reactor calls.
struct Half {
    queue: VecDeque<Op>,
    signal: Task,
}

/// The first operation of a queue whose socket is ready.
pub(super) struct First<'a> {
    pub(super) op: &'a mut Op,
    ready: AsyncFdReadyGuard<'a, RawFd>,
    is_stream: bool,
    /// How many bytes would be all that the operation can take or give.
    whole: usize,
}

impl Line {
    /// Registers a socket with the runtime that this is called in.
    ///
    /// # Safety
    /// The descriptor stays open as long as the line lives.
    pub(super) unsafe fn new(
        conn: ConnId,
        fd: RawFd,
        is_stream: bool,
        signals: &Arc<Signals>,
    ) -> io::Result<Self> {
        let half = |way| Half {
            queue: VecDeque::new(),
            signal: signals.signal(Token::new(conn, way)),
        };
        // SAFETY: what the caller promises.
        let readiness = unsafe { AsyncFd::register(fd) }?;
        Ok(Self {
            conn,
            readiness,
            is_stream,
            input: half(Way::In),
            output: half(Way::Out),
        })
    }

    /// The first operation of that direction, if there is one and its socket is ready.
    /// Otherwise the direction's signal is given when it is.
    ///
    /// # Errors
    /// The runtime has shut down.
    pub(super) fn first_if_ready(&mut self, way: Way) -> Poll<io::Result<First<'_>>> {
        let half = match way {
            Way::In => &mut self.input,
            Way::Out => &mut self.output,
        };
        let Some(op) = half.queue.front_mut() else {
            return Poll::Pending;
        };
        let mut cx = Context::from_waker(&half.signal);
        let ready = ready!(match way {
            Way::In => self.readiness.poll_read_ready(&mut cx),
            Way::Out => self.readiness.poll_write_ready(&mut cx),
        })?;
        let whole = match &op.kind {
            OpKind::Recv { buf: Some(buf), .. } => buf.spare(),
            OpKind::Send { bufs } => bufs.iter().map(|buf| buf.len()).sum(),
            _ => 0,
        };
        Poll::Ready(Ok(First {
            op,
            ready,
            is_stream: self.is_stream,
            whole,
        }))
    }

    /// All operations that wait.
    pub(super) fn into_ops(self) -> Vec<Op> {
        let Self { input, output, .. } = self;
        input.queue.into_iter().chain(output.queue).collect()
    }
}

impl First<'_> {
    /// The system says that it would have to wait.
    pub(super) fn not_ready(mut self) {
        self.ready.clear_ready();
    }

    /// It is done. Less than all means that a stream has no more, or no more room: the
    /// next one need not ask the system to learn that. An edge tells when that changes,
    /// also when the low-water mark does.
    pub(super) fn done(mut self, progress: &io::Result<Progress>) {
        let Ok(Progress::Done(n)) = *progress else {
            return;
        };
        let whole = match &self.op.kind {
            // It was the driver's choice.
            OpKind::Recv { buf, .. } if self.whole == 0 => buf.as_ref().map_or(0, Buf::spare),
            _ => self.whole,
        };
        if cfg!(target_os = "linux") && self.is_stream && 0 < n && n < whole {
            self.ready.clear_ready();
        }
    }
}

/// Lines by their connections' slots.
#[derive(Default)]
pub(super) struct Lines {
    slots: Vec<Option<Line>>,
}

impl Lines {
    pub(super) fn insert(&mut self, line: Line) {
        let slot = line.conn.slot();
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        self.slots[slot] = Some(line);
    }

    /// Takes the line of `conn` out of the reactor.
    pub(super) fn remove(&mut self, conn: ConnId) -> Option<Line> {
        let slot = self.slots.get_mut(conn.slot())?;
        slot.take_if(|line| line.conn == conn)
    }

    pub(super) fn line(&mut self, token: Token) -> Option<&mut Line> {
        self.slots.get_mut(token.slot)?.as_mut()
    }

    pub(super) fn queue(&mut self, token: Token) -> Option<&mut VecDeque<Op>> {
        let line = self.line(token)?;
        Some(match token.way {
            Way::In => &mut line.input.queue,
            Way::Out => &mut line.output.queue,
        })
    }
}
