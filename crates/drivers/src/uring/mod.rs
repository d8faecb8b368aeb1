//! io_uring: operations go into a queue that one system call per wait hands over, and
//! come back from another queue without any.
//!
//! What the kernel may touch stays where it is until the kernel says that it is done:
//! operations with their buffers live in [`flights`], addresses and vectors in boxes
//! beside them, buffers of the driver's own choice in [`buffers`].
//!
//! An operation's way, with the state in which it waits:
//!
//! ```text
//! submit ─┬─ fails or is done at once ────────────────────────────┐
//!         ├─ Stage::Resolver ── the bell rings ───────────────────┤
//!         ├─ Stage::Kernel ── completion ──┬──────────────────────┼─► ready ─► wait's `done`
//!         │     ▲                          └─ ENOBUFS ─► starved ─┤
//!         │     └───────────── submitted again ◄───────────┘      │
//!         └─ Stage::Poll ── readable ── recv(2) ──────────────────┘
//! ```
//!
//! A `Close` that finds others of its connection on their way waits for them ([`closing`]).

mod buffers;
mod closing;
mod flights;
mod land;
mod setup;
mod start;

use core::marker::PhantomData;
use core::mem;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use io_uring::{IoUring, opcode, squeue, types};
use sockless_core::{Completion, ConnId, Driver, Op, OpId, Pool, cancelled};

use crate::bell::Bell;
use crate::resolver::{Lookup, Resolver};
use crate::sockets::Sockets;
use crate::{Wakeable, Waker};
use buffers::BufferRing;
use closing::Closing;
use flights::{Flights, Key, Stage};
use setup::Abilities;

/// How long a dropped driver waits for the kernel to let go of what it cancelled.
const LAST_CALL: Duration = Duration::from_secs(1);

/// What a [`Uring`] is made with.
#[derive(Clone)]
pub struct UringConfig {
    entries: u32,
    recv_buffers: u16,
    recv_buffer_size: usize,
    baseline: bool,
    pool: Pool,
    lookup: Option<Lookup>,
}

impl UringConfig {
    /// Entries of the submission queue. Default 256. More operations than that may be in
    /// flight; more of them submitted before one wait cost further system calls.
    #[must_use]
    pub fn entries(mut self, entries: u32) -> Self {
        self.entries = entries.max(1);
        self
    }

    /// Buffers provided to the kernel for receives without one, at most; made when they are
    /// wanted. Default 128, rounded up to a power of two, at most 32,768; 0: none, such
    /// receives are polled.
    ///
    /// It bounds how many such receives complete in one system call, not how many wait.
    #[must_use]
    pub fn recv_buffers(mut self, count: u16) -> Self {
        self.recv_buffers = count;
        self
    }

    /// The least size of the driver's own receive buffers, in bytes. Default 16 KiB.
    #[must_use]
    pub fn recv_buffer_size(mut self, size: usize) -> Self {
        self.recv_buffer_size = size.clamp(1, i32::MAX as usize);
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

    /// Use nothing that came after Linux 5.6, as on such a kernel. Default false.
    #[must_use]
    pub fn baseline(mut self, baseline: bool) -> Self {
        self.baseline = baseline;
        self
    }
}

impl Default for UringConfig {
    fn default() -> Self {
        Self {
            entries: 256,
            recv_buffers: 128,
            recv_buffer_size: 16 * 1024,
            baseline: false,
            pool: Pool::default(),
            lookup: None,
        }
    }
}

impl fmt::Debug for UringConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UringConfig")
            .field("entries", &self.entries)
            .field("recv_buffers", &self.recv_buffers)
            .field("recv_buffer_size", &self.recv_buffer_size)
            .field("baseline", &self.baseline)
            .finish_non_exhaustive()
    }
}

/// A driver on io_uring.
///
/// It stays on the thread that made it, and is not `Send`: current kernels let only that one
/// hand operations over (`IORING_SETUP_SINGLE_ISSUER`). [`Threaded`](crate::Threaded) makes
/// one on a thread of its own.
///
/// ```compile_fail,E0277
/// fn elsewhere<T: Send>() {}
/// elsewhere::<sockless_drivers::Uring>();
/// ```
///
/// Dropping it cancels what is in flight and waits up to a second for the kernel to let
/// go. Memory that the kernel still holds then is leaked, because it may still be written to.
pub struct Uring {
    /// First, because fields are dropped in order: no ring, no writes.
    ring: IoUring,
    abilities: Abilities,
    /// For the kernel, at the next wait.
    queue: VecDeque<squeue::Entry>,
    flights: Flights,
    sockets: Sockets,
    buffers: Option<BufferRing>,
    /// Receives that found the buffer ring empty.
    starved: VecDeque<Op>,
    closing: Vec<Closing>,
    /// For the application, at the next wait.
    ready: Vec<Completion>,
    resolver: Resolver,
    bell: Arc<Bell>,
    bell_polled: bool,
    woken: bool,
    pool: Pool,
    recv_buffer_size: usize,
    /// A raw pointer is not `Send`.
    stays_on_its_thread: PhantomData<*const ()>,
}

impl Uring {
    /// A driver with the default configuration.
    ///
    /// # Errors
    /// As [`Uring::with_config`].
    pub fn new() -> io::Result<Self> {
        Self::with_config(UringConfig::default())
    }

    /// A driver with that configuration.
    ///
    /// # Errors
    /// io_uring is missing ([`Unsupported`](io::ErrorKind::Unsupported)), not permitted
    /// ([`PermissionDenied`](io::ErrorKind::PermissionDenied)) or out of resources; the text
    /// says what to do about it.
    pub fn with_config(config: UringConfig) -> io::Result<Self> {
        let (ring, abilities) = setup::ring(config.entries, config.baseline)?;
        let buffers = if config.recv_buffers > 0 && abilities.poll_first {
            let (pool, size) = (config.pool.clone(), config.recv_buffer_size);
            // Polling does the same work with one system call more per receive.
            BufferRing::register(&ring, pool, config.recv_buffers, size).ok()
        } else {
            None
        };
        let bell = Bell::new()?;
        Ok(Self {
            ring,
            abilities,
            queue: VecDeque::new(),
            flights: Flights::default(),
            sockets: Sockets::default(),
            buffers,
            starved: VecDeque::new(),
            closing: Vec::new(),
            ready: Vec::new(),
            resolver: Resolver::new(bell.ringer(), config.lookup),
            bell,
            bell_polled: false,
            woken: false,
            pool: config.pool,
            recv_buffer_size: config.recv_buffer_size,
            stays_on_its_thread: PhantomData,
        })
    }

    /// The descriptor of a connection's socket, for options that no operation sets.
    ///
    /// It is valid until the connection's `Close`; closing it elsewhere is a mistake.
    pub fn raw_fd(&self, conn: ConnId) -> Option<RawFd> {
        self.sockets.raw_fd(conn)
    }

    /// Hands as much of the queue to the kernel as fits; waits if `block` is set and
    /// nothing is left.
    fn enter(&mut self, block: bool, deadline: Option<Instant>) -> io::Result<()> {
        let mut submission = self.ring.submission();
        while let Some(entry) = self.queue.front() {
            // SAFETY: all entries come from `start` and this module. Their memory is owned
            // by a flight or the buffer ring and stays in place until the completion; the
            // bell's and cancels' have none.
            if unsafe { submission.push(entry) }.is_err() {
                break;
            }
            self.queue.pop_front();
        }
        let idle = submission.is_empty() && !submission.taskrun() && !submission.cq_overflow();
        drop(submission);
        let block = block && self.queue.is_empty();
        if idle && !block {
            return Ok(());
        }
        setup::enter(&self.ring, self.abilities, block, deadline)
    }

    /// Takes in all that has completed.
    fn reap(&mut self) {
        while let Some(completed) = { self.ring.completion().next() } {
            self.land(&completed);
        }
    }

    /// Submits starved receives again, no more than there are buffers for.
    fn feed_starved(&mut self) {
        let fed = self.buffers.as_ref().map_or(usize::MAX, BufferRing::count);
        for _ in 0..fed {
            let Some(op) = self.starved.pop_front() else {
                break;
            };
            self.submit(op);
        }
    }

    /// Keeps an eye on the bell. A poll has no memory that the kernel could write to.
    fn poll_bell(&mut self) {
        if !mem::replace(&mut self.bell_polled, true) {
            let poll = opcode::PollAdd::new(types::Fd(self.bell.raw_fd()), libc::POLLIN as u32);
            self.queue
                .push_back(poll.build().user_data(Key::BELL.user_data()));
        }
    }

    /// The end of a name's lookup, if it is still wanted.
    fn take_answers(&mut self) {
        for answer in self.resolver.take_answers() {
            let key = Key::from_user_data(answer.ticket);
            let Some(flight) = self.flights.remove(key) else {
                continue;
            };
            self.ready
                .push(crate::resolver::completion(flight.op, answer.found));
        }
    }
}

impl Driver for Uring {
    fn submit(&mut self, op: Op) {
        self.start(op);
    }

    fn cancel(&mut self, id: OpId) {
        if let Some(key) = self.flights.key(id) {
            self.cancel_flight(key);
        } else if let Some(at) = self.starved.iter().position(|op| op.id == id) {
            let op = self.starved.remove(at);
            let ended = |op| Completion {
                op,
                result: Err(cancelled()),
            };
            self.ready.extend(op.map(ended));
        }
        // Otherwise it has come back already, or is about to.
    }

    /// Returns early, without a completion, when a [`Waker`] was used.
    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()> {
        loop {
            self.poll_bell();
            self.feed_starved();
            let due = deadline.is_some_and(|deadline| deadline <= Instant::now());
            let block = self.ready.is_empty() && self.starved.is_empty() && !due;
            let entered = self.enter(block, deadline);
            self.reap();
            let came = !self.ready.is_empty();
            done.append(&mut self.ready);
            if came {
                // What went wrong goes wrong again next time, with nothing to report first.
                return Ok(());
            }
            entered?;
            let pending = !self.starved.is_empty() || !self.queue.is_empty();
            if mem::take(&mut self.woken) || (due && !pending) {
                return Ok(());
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn name(&self) -> &'static str {
        "uring"
    }
}

impl Uring {
    /// Asks for a flight's early end, once.
    fn cancel_flight(&mut self, key: Key) {
        let Some(flight) = self.flights.flight(key) else {
            return;
        };
        if mem::replace(&mut flight.cancelled, true) {
            return;
        }
        if flight.stage == Stage::Resolver {
            self.resolver.forget(key.user_data());
            if let Some(flight) = self.flights.remove(key) {
                self.ready.push(Completion {
                    op: flight.op,
                    result: Err(cancelled()),
                });
            }
        } else {
            self.queue_cancel(key);
        }
    }

    fn queue_cancel(&mut self, key: Key) {
        let cancel = opcode::AsyncCancel::new(key.user_data()).build();
        self.queue
            .push_back(cancel.user_data(Key::CANCEL.user_data()));
    }

    /// Cancels everything and waits for the kernel to let go of it.
    fn recall(&mut self) -> io::Result<()> {
        // What the kernel has not seen yet, it need not see.
        for entry in mem::take(&mut self.queue) {
            self.flights
                .remove(Key::from_user_data(entry.get_user_data()));
        }
        for key in self.flights.kernel_keys() {
            self.queue_cancel(key);
            if let Some(flight) = self.flights.flight(key) {
                // It is not to be done again.
                flight.cancelled = true;
            }
        }
        let deadline = Instant::now() + LAST_CALL;
        while self.flights.in_kernel() > 0 && Instant::now() < deadline {
            self.enter(true, Some(deadline))?;
            self.reap();
        }
        Ok(())
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        // An error means that no more completions come; what is missing then is leaked.
        let _ = self.recall();
        let in_kernel = self.flights.in_kernel();
        if in_kernel > 0 {
            // Freed memory that the kernel writes to is somebody else's memory.
            mem::forget(mem::take(&mut self.flights));
        }
        if let Some(buffers) = self.buffers.take()
            && (in_kernel > 0 || buffers.unregister(&self.ring).is_err())
        {
            mem::forget(buffers);
        }
    }
}

impl Wakeable for Uring {
    fn waker(&self) -> Waker {
        self.bell.waker()
    }
}

impl fmt::Debug for Uring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uring")
            .field("abilities", &self.abilities)
            .field(
                "provided_buffers",
                &self.buffers.as_ref().map_or(0, BufferRing::count),
            )
            .field("in_kernel", &self.flights.in_kernel())
            .finish_non_exhaustive()
    }
}
