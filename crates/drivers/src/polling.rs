//! The loop on poll(2): which operations are due, and whom they come back to.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sockless_core::{Completion, ConnId, Op, OpId, OpKind, cancelled};

use crate::bell::Bell;
use crate::config::DriverConfig;
use crate::plain::{Plain, Progress, Wait};
use crate::resolver::{self, Resolver};
use crate::{Waker, socket};

/// How soon a connect is tried again where the system cannot say when it would work:
/// a unix socket whose queue of connections is full.
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// Operations that wait for poll(2). Each wait costs as much as there are of them.
pub(crate) struct Polling {
    pending: Vec<Pending>,
    /// One for each of `pending`, after the bell's.
    polls: Vec<libc::pollfd>,
    due: Vec<Pending>,
    ready: Vec<Completion>,
    pub(crate) plain: Plain,
    resolver: Resolver,
    bell: Arc<Bell>,
}

/// An operation that waits, or whose wait is over.
pub(crate) struct Pending {
    pub(crate) op: Op,
    pub(crate) wait: Wait,
    /// Its socket's, or -1.
    pub(crate) fd: RawFd,
}

impl Polling {
    pub(crate) fn new(config: DriverConfig) -> io::Result<Self> {
        let bell = Bell::new()?;
        Ok(Self {
            pending: Vec::new(),
            polls: Vec::new(),
            due: Vec::new(),
            ready: Vec::new(),
            plain: Plain::new(config.pool, config.recv_buffer_size),
            resolver: Resolver::new(bell.ringer(), config.lookup),
            bell,
        })
    }

    /// How many operations wait.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn waker(&self) -> Waker {
        self.bell.waker()
    }

    /// Takes an operation on: what needs no waiting is done, the rest waits.
    pub(crate) fn submit(&mut self, op: Op) {
        if self.pending.iter().any(|pending| pending.op.id == op.id) {
            // Not by `settle`: the connection may be the other operation's.
            let error = socket::invalid("an operation of that id is in flight");
            return self.finish(op, Err(error));
        }
        let progress = match &op.kind {
            OpKind::Resolve { host, port, .. } => self
                .resolver
                .ask(op.id.as_u64(), Arc::clone(host), *port)
                .map(|()| Progress::Waits(Wait::Name)),
            OpKind::Close => self.close(op.conn).map(Progress::Done),
            kind => self.plain.begin(op.conn, kind),
        };
        self.settle(op, progress);
    }

    /// What became of an operation: it waits on, or comes back.
    pub(crate) fn settle(&mut self, op: Op, progress: io::Result<Progress>) {
        let result = match progress {
            Ok(Progress::Waits(wait)) => {
                let fd = match wait {
                    Wait::Readable | Wait::Writable => self.plain.sockets.raw_fd(op.conn),
                    Wait::Name | Wait::Soon => None,
                };
                let fd = fd.unwrap_or(-1);
                return self.pending.push(Pending { op, wait, fd });
            }
            Ok(Progress::Done(n)) => Ok(n),
            Err(error) => {
                if matches!(op.kind, OpKind::Connect { .. }) {
                    self.plain.sockets.fail(op.conn);
                }
                Err(error)
            }
        };
        self.finish(op, result);
    }

    fn finish(&mut self, op: Op, result: io::Result<usize>) {
        self.ready.push(Completion { op, result });
    }

    pub(crate) fn cancel(&mut self, id: OpId) {
        let Some(at) = self.pending.iter().position(|pending| pending.op.id == id) else {
            return;
        };
        let op = self.pending.swap_remove(at).op;
        match op.kind {
            OpKind::Resolve { .. } => self.resolver.forget(id.as_u64()),
            OpKind::Connect { .. } => self.plain.sockets.fail(op.conn),
            _ => {}
        }
        self.finish(op, Err(cancelled()));
    }

    /// Closes a socket, and ends what waits for it: its descriptor's number is free for others.
    fn close(&mut self, conn: ConnId) -> io::Result<usize> {
        let closed = self.plain.sockets.close(conn)?;
        let orphaned =
            |pending: &mut Pending| pending.op.conn == conn && pending.wait != Wait::Name;
        let ended = self.pending.extract_if(.., orphaned);
        self.ready.extend(ended.map(|pending| Completion {
            op: pending.op,
            result: Err(cancelled()),
        }));
        Ok(closed)
    }

    /// Waits as [`Driver::wait`](sockless_core::Driver::wait) does; `perform` gets the
    /// operations whose sockets are ready, and settles each.
    pub(crate) fn wait(
        &mut self,
        deadline: Option<Instant>,
        done: &mut Vec<Completion>,
        mut perform: impl FnMut(&mut Self, &mut Vec<Pending>),
    ) -> io::Result<()> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let past = left == Some(Duration::ZERO);
            let timeout = if self.ready.is_empty() {
                left
            } else {
                Some(Duration::ZERO)
            };
            self.poll(timeout)?;
            let mut woken = false;
            let rung = self.polls[0].revents != 0;
            let mut due = self.take_due();
            perform(self, &mut due);
            self.due = due;
            if rung {
                self.bell.hush();
                woken = self.bell.take_asked();
                self.take_answers();
            }
            let came = !self.ready.is_empty();
            done.append(&mut self.ready);
            if came || woken || past {
                return Ok(());
            }
        }
    }

    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.polls.clear();
        self.polls.push(libc::pollfd {
            fd: self.bell.raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        });
        // A negative descriptor is skipped.
        let polls = self.pending.iter().map(|pending| libc::pollfd {
            fd: pending.fd,
            events: match pending.wait {
                Wait::Readable => libc::POLLIN,
                Wait::Writable => libc::POLLOUT,
                Wait::Name | Wait::Soon => 0,
            },
            revents: 0,
        });
        self.polls.extend(polls);
        let soon = self
            .pending
            .iter()
            .any(|pending| pending.wait == Wait::Soon);
        let timeout = if soon {
            Some(timeout.unwrap_or(TRY_AGAIN).min(TRY_AGAIN))
        } else {
            timeout
        };
        let (polls, count) = (self.polls.as_mut_ptr(), self.polls.len());
        // SAFETY: pointer and count describe the live vector.
        let polled =
            unsafe { libc::poll(polls, count as libc::nfds_t, socket::poll_timeout(timeout)) };
        match socket::checked(polled) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// Those that can be done now. Backwards, so that removing one moves only those already seen.
    fn take_due(&mut self) -> Vec<Pending> {
        let mut due = std::mem::take(&mut self.due);
        for at in (0..self.pending.len()).rev() {
            let is_due = match self.pending[at].wait {
                Wait::Readable | Wait::Writable => self.polls[at + 1].revents != 0,
                Wait::Name => false,
                Wait::Soon => true,
            };
            if is_due {
                due.push(self.pending.swap_remove(at));
            }
        }
        due
    }

    fn take_answers(&mut self) {
        for answer in self.resolver.take_answers() {
            let asked = |pending: &Pending| {
                pending.wait == Wait::Name && pending.op.id.as_u64() == answer.ticket
            };
            if let Some(at) = self.pending.iter().position(asked) {
                let pending = self.pending.swap_remove(at);
                self.ready
                    .push(resolver::completion(pending.op, answer.found));
            }
        }
    }
}

impl Pending {
    /// Does it with plain system calls.
    pub(crate) fn perform(mut self, polling: &mut Polling) {
        let progress = polling
            .plain
            .perform(self.op.conn, &mut self.op.kind, self.wait);
        polling.settle(self.op, progress);
    }
}
