//! Plain sockets: poll(2) says when, and the operation is done then.
//!
//! It behaves as a completion engine does, so that a program moves between drivers
//! without noticing. Nothing outside this thread touches the operations' memory, so a
//! cancel takes effect at once and dropping the driver frees everything.

mod perform;

use core::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sockless_core::{Completion, ConnId, Driver, Op, OpId, OpKind, Pool, cancelled};

use crate::bell::Bell;
use crate::resolver::{self, Lookup, Resolver};
use crate::socket;
use crate::sockets::Sockets;
use crate::{Wakeable, Waker};

/// How soon a connect is tried again where the system cannot say when it would work:
/// a unix socket whose queue of connections is full.
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// What a [`Blocking`] is made with.
#[derive(Clone)]
pub struct BlockingConfig {
    recv_buffer_size: usize,
    pool: Pool,
    lookup: Option<Lookup>,
}

impl BlockingConfig {
    /// The least size of the driver's own receive buffers, in bytes. Default 16 KiB.
    #[must_use]
    pub fn recv_buffer_size(mut self, size: usize) -> Self {
        self.recv_buffer_size = size.max(1);
        self
    }

    /// Where the driver's own receive buffers come from. Default: a pool of its own.
    #[must_use]
    pub fn pool(mut self, pool: Pool) -> Self {
        self.pool = pool;
        self
    }

    /// How names are looked up. Default: the system's resolver.
    #[must_use]
    pub fn lookup(mut self, lookup: Lookup) -> Self {
        self.lookup = Some(lookup);
        self
    }
}

impl Default for BlockingConfig {
    fn default() -> Self {
        Self {
            recv_buffer_size: 16 * 1024,
            pool: Pool::default(),
            lookup: None,
        }
    }
}

impl fmt::Debug for BlockingConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingConfig")
            .field("recv_buffer_size", &self.recv_buffer_size)
            .finish_non_exhaustive()
    }
}

/// A driver on non-blocking sockets and poll(2). Each wait costs as much as there are
/// operations: for many idle connections there are better ones.
pub struct Blocking {
    pending: Vec<Pending>,
    /// One for each of `pending`, after the bell's.
    polls: Vec<libc::pollfd>,
    sockets: Sockets,
    ready: Vec<Completion>,
    resolver: Resolver,
    bell: Arc<Bell>,
    pool: Pool,
    recv_buffer_size: usize,
}

/// An operation that waits for its socket, or for a name.
struct Pending {
    op: Op,
    wait: Wait,
}

/// What it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Socket {
        fd: RawFd,
        events: libc::c_short,
    },
    Name,
    /// Nothing that could be polled: it is just tried again.
    Soon,
}

impl Blocking {
    /// A driver with the default configuration.
    ///
    /// # Errors
    /// As [`Blocking::with_config`].
    pub fn new() -> io::Result<Self> {
        Self::with_config(BlockingConfig::default())
    }

    /// A driver with that configuration.
    ///
    /// # Errors
    /// No descriptors are left for the pipe that ends its waits.
    pub fn with_config(config: BlockingConfig) -> io::Result<Self> {
        let bell = Bell::new()?;
        Ok(Self {
            pending: Vec::new(),
            polls: Vec::new(),
            sockets: Sockets::default(),
            ready: Vec::new(),
            resolver: Resolver::new(Arc::clone(&bell), config.lookup),
            bell,
            pool: config.pool,
            recv_buffer_size: config.recv_buffer_size,
        })
    }

    /// The descriptor of a connection's socket, for options that no operation sets.
    ///
    /// It is valid until the connection's `Close`; closing it elsewhere is a mistake.
    pub fn raw_fd(&self, conn: ConnId) -> Option<RawFd> {
        self.sockets.raw_fd(conn)
    }

    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.polls.clear();
        self.polls.push(libc::pollfd {
            fd: self.bell.raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        });
        self.polls
            .extend(self.pending.iter().map(|pending| match pending.wait {
                Wait::Socket { fd, events } => libc::pollfd {
                    fd,
                    events,
                    revents: 0,
                },
                // A negative descriptor is skipped.
                Wait::Name | Wait::Soon => libc::pollfd {
                    fd: -1,
                    events: 0,
                    revents: 0,
                },
            }));
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

    /// Does what can be done now. Backwards, so that removing one moves only those already seen.
    fn perform_all(&mut self) {
        for at in (0..self.pending.len()).rev() {
            let due = match self.pending[at].wait {
                Wait::Socket { .. } => self.polls[at + 1].revents != 0,
                Wait::Name => false,
                Wait::Soon => true,
            };
            if due {
                let pending = self.pending.swap_remove(at);
                self.perform(pending);
            }
        }
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

impl Driver for Blocking {
    fn submit(&mut self, op: Op) {
        if self.pending.iter().any(|pending| pending.op.id == op.id) {
            let error = socket::invalid("an operation of that id is in flight");
            self.ready.push(Completion {
                op,
                result: Err(error),
            });
        } else {
            self.start(op);
        }
    }

    fn cancel(&mut self, id: OpId) {
        let Some(at) = self.pending.iter().position(|pending| pending.op.id == id) else {
            return;
        };
        let op = self.pending.swap_remove(at).op;
        match op.kind {
            OpKind::Resolve { .. } => self.resolver.forget(id.as_u64()),
            OpKind::Connect { .. } => self.sockets.fail(op.conn),
            _ => {}
        }
        self.ready.push(Completion {
            op,
            result: Err(cancelled()),
        });
    }

    /// Returns early, without a completion, when a [`Waker`] was used.
    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let due = left == Some(Duration::ZERO);
            let timeout = if self.ready.is_empty() {
                left
            } else {
                Some(Duration::ZERO)
            };
            self.poll(timeout)?;
            let mut woken = false;
            let rung = self.polls[0].revents != 0;
            self.perform_all();
            if rung {
                self.bell.hush();
                woken = self.bell.take_asked();
                self.take_answers();
            }
            let came = !self.ready.is_empty();
            done.append(&mut self.ready);
            if came || woken || due {
                return Ok(());
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn name(&self) -> &'static str {
        "blocking"
    }
}

impl Wakeable for Blocking {
    fn waker(&self) -> Waker {
        self.bell.waker()
    }
}

impl fmt::Debug for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking")
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}
