//! On compio's proactor: io_uring where Linux has it, IOCP on Windows, and what the system
//! has for readiness (epoll, kqueue) elsewhere.
//!
//! Operations are handed to the proactor when somebody waits, and own their memory there: a
//! dropped driver takes all of them back before it goes, or leaks what it cannot get.
//!
//! ```text
//! submit ── outbox ── wait ──┬─ done at once ───────────────────────────┐
//!                            ├─ resolver ── announced ──────────────────┼─► ready ─► `done`
//!                            └─ flight ── woken ──┬─────────────────────┘
//!                                 ▲               └─ not ready after all
//!                                 └──────────────────────┘
//! ```

mod buffers;
mod flights;
mod land;
mod launch;

use core::mem::{self, ManuallyDrop};
use core::sync::atomic::{AtomicBool, Ordering};
use core::{fmt, task};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use compio_driver::{DriverType, Proactor};
use sockless_core::{ById, Completion, ConnId, Driver, Op, OpId, OpKind, Pool, cancelled};

use crate::resolver::{self, Resolver};
use crate::sockets::Sockets;
use crate::{DriverConfig, Wakeable, Waker, socket};
use flights::Flights;

/// How long a dropped driver waits for the kernel to let go of what it cancelled.
const LAST_CALL: Duration = Duration::from_secs(1);

/// How many entries the proactor's queue has. A cancel that finds it full would be lost.
const CAPACITY: u32 = 1024;

/// A driver on compio's proactor, the same on Linux, Windows, macOS and the BSDs.
///
/// It belongs to its thread, as the proactor does: programs on an async runtime, compio's own
/// included, put it on a thread with [`Threaded`](crate::Threaded).
///
/// On Windows unix sockets and low-water marks are unknown, and receives without a buffer get
/// one at once.
pub struct Compio {
    proactor: ManuallyDrop<Proactor>,
    flights: Flights,
    sockets: Sockets,
    /// What the next wait hands over.
    outbox: VecDeque<Op>,
    /// Names that are being looked up, and connections whose end waits for their flights.
    rest: Vec<Op>,
    places: ById<u64, Place>,
    ready: Vec<Completion>,
    resolver: Resolver,
    news: Arc<News>,
    pool: Pool,
    recv_buffer_size: usize,
    /// Entries since the proactor last looked at its queue.
    queued: u32,
}

/// Where an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Outbox,
    Name,
    Closing,
    Flight(usize),
}

/// What other threads have to say.
struct News {
    answered: AtomicBool,
    asked: AtomicBool,
    proactor: task::Waker,
}

impl Compio {
    /// A driver with the default configuration.
    ///
    /// # Errors
    /// As [`Compio::with_config`].
    pub fn new() -> io::Result<Self> {
        Self::with_config(DriverConfig::default())
    }

    /// A driver with that configuration, on the best engine that the system has.
    ///
    /// # Errors
    /// The system refuses to make one.
    pub fn with_config(config: DriverConfig) -> io::Result<Self> {
        Self::on(config, None)
    }

    /// A driver that waits for readiness, also where io_uring could be had.
    ///
    /// # Errors
    /// As [`Compio::with_config`].
    pub fn without_uring(config: DriverConfig) -> io::Result<Self> {
        Self::on(config, cfg!(unix).then_some(DriverType::Poll))
    }

    fn on(config: DriverConfig, engine: Option<DriverType>) -> io::Result<Self> {
        let mut builder = Proactor::builder();
        builder.capacity(CAPACITY);
        if let Some(engine) = engine {
            builder.driver_type(engine);
        }
        let proactor = builder.build()?;
        let news = Arc::new(News {
            answered: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            proactor: proactor.waker(),
        });
        let announced = Arc::clone(&news);
        let announce = Waker::new(move || {
            announced.answered.store(true, Ordering::Release);
            announced.proactor.wake_by_ref();
        });
        Ok(Self {
            proactor: ManuallyDrop::new(proactor),
            flights: Flights::default(),
            sockets: Sockets::default(),
            outbox: VecDeque::new(),
            rest: Vec::new(),
            places: ById::default(),
            ready: Vec::new(),
            resolver: Resolver::new(announce, config.lookup),
            news,
            pool: config.pool,
            recv_buffer_size: config.recv_buffer_size,
            queued: 0,
        })
    }

    /// Whether io_uring is underneath.
    pub fn is_uring(&self) -> bool {
        self.proactor.driver_type().is_iouring()
    }

    fn finish(&mut self, op: Op, result: io::Result<usize>) {
        self.places.remove(&op.id.as_u64());
        self.ready.push(Completion { op, result });
    }

    /// Hands over what was submitted.
    fn launch_all(&mut self) -> io::Result<()> {
        while let Some(op) = self.outbox.pop_front() {
            match &op.kind {
                OpKind::Resolve { host, port, .. } => {
                    let host = Arc::clone(host);
                    match self.resolver.ask(op.id.as_u64(), host, *port) {
                        Ok(()) => self.shelve(op, Place::Name),
                        Err(error) => self.finish(op, Err(error)),
                    }
                }
                OpKind::Close => self.close(op)?,
                _ if self.is_closing(op.conn) => {
                    self.finish(op, Err(io::ErrorKind::NotConnected.into()));
                }
                _ => self.launch(op)?,
            }
        }
        Ok(())
    }

    fn shelve(&mut self, op: Op, place: Place) {
        self.places.insert(op.id.as_u64(), place);
        self.rest.push(op);
    }

    fn is_closing(&self, conn: ConnId) -> bool {
        let is_close = |op: &Op| matches!(op.kind, OpKind::Close);
        self.rest.iter().any(|op| op.conn == conn && is_close(op))
    }

    /// Closes a socket, after whatever of it is on its way.
    fn close(&mut self, op: Op) -> io::Result<()> {
        if self.is_closing(op.conn) || !self.flights.is_busy(op.conn) {
            let closed = if self.is_closing(op.conn) {
                Err(io::ErrorKind::NotConnected.into())
            } else {
                self.sockets.close(op.conn)
            };
            self.finish(op, closed);
            return Ok(());
        }
        for slot in self.flights.of(op.conn) {
            self.recall(slot)?;
        }
        self.shelve(op, Place::Closing);
        Ok(())
    }

    /// Asks the proactor to end a flight.
    fn recall(&mut self, slot: usize) -> io::Result<()> {
        self.make_room()?;
        self.flights.cancel(slot, &mut self.proactor);
        self.queued += 1;
        Ok(())
    }

    /// Lets the proactor take what is in its queue, before that is full.
    fn make_room(&mut self) -> io::Result<()> {
        if self.queued + 8 < CAPACITY {
            return Ok(());
        }
        self.look(Some(Duration::ZERO))
    }

    /// Hands the queue over, and waits for news from the proactor.
    fn look(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.queued = 0;
        match self.proactor.poll(timeout) {
            Err(error) if !is_nothing(&error) => Err(error),
            _ => Ok(()),
        }
    }

    fn take_answers(&mut self) {
        for answer in self.resolver.take_answers() {
            let asked = |op: &Op| op.id.as_u64() == answer.ticket;
            if let Some(at) = self.rest.iter().position(asked) {
                let op = self.rest.swap_remove(at);
                let Completion { op, result } = resolver::completion(op, answer.found);
                self.finish(op, result);
            }
        }
    }

    fn cancel_now(&mut self, id: OpId) -> io::Result<()> {
        let is_it = |op: &Op| op.id == id;
        let op = match self.places.get(&id.as_u64()).copied() {
            None | Some(Place::Closing) => return Ok(()),
            Some(Place::Flight(slot)) => return self.recall(slot),
            Some(Place::Outbox) => {
                let at = self.outbox.iter().position(is_it);
                at.and_then(|at| self.outbox.remove(at))
            }
            Some(Place::Name) => {
                self.resolver.forget(id.as_u64());
                let at = self.rest.iter().position(is_it);
                at.map(|at| self.rest.swap_remove(at))
            }
        };
        if let Some(op) = op {
            if matches!(op.kind, OpKind::Connect { .. }) {
                // Where the connection's slot is in use, that one has the say.
                let _ = self.sockets.reserve(op.conn);
            }
            self.finish(op, Err(cancelled()));
        }
        Ok(())
    }

    /// Takes back what the kernel has, as far as it gives it.
    fn recall_all(&mut self) -> io::Result<()> {
        for slot in self.flights.all() {
            self.recall(slot)?;
        }
        let deadline = Instant::now() + LAST_CALL;
        while !self.flights.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.look(Some(left))?;
            self.land_all()?;
        }
        Ok(())
    }
}

/// Nothing came, in the proactor's words.
fn is_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

impl Driver for Compio {
    fn submit(&mut self, op: Op) {
        if self.places.contains_key(&op.id.as_u64()) {
            let result = Err(socket::invalid("an operation of that id is in flight"));
            return self.ready.push(Completion { op, result });
        }
        self.places.insert(op.id.as_u64(), Place::Outbox);
        self.outbox.push_back(op);
    }

    fn cancel(&mut self, id: OpId) {
        // An unusable proactor says so at the next wait.
        let _ = self.cancel_now(id);
    }

    /// Returns early, without a completion, when a [`Waker`] was used.
    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()> {
        loop {
            self.launch_all()?;
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let past = left == Some(Duration::ZERO);
            let timeout = if self.ready.is_empty() {
                left
            } else {
                Some(Duration::ZERO)
            };
            self.look(timeout)?;
            self.land_all()?;
            if self.news.answered.swap(false, Ordering::AcqRel) {
                self.take_answers();
            }
            let woken = self.news.asked.swap(false, Ordering::AcqRel);
            let came = !self.ready.is_empty();
            done.append(&mut self.ready);
            if came || woken || past {
                return Ok(());
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn name(&self) -> &'static str {
        "compio"
    }
}

impl Wakeable for Compio {
    fn waker(&self) -> Waker {
        let news = Arc::clone(&self.news);
        Waker::new(move || {
            news.asked.store(true, Ordering::Release);
            news.proactor.wake_by_ref();
        })
    }
}

impl Drop for Compio {
    fn drop(&mut self) {
        if self.recall_all().is_ok() {
            // SAFETY: dropped here only, and nobody uses it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.proactor) };
        } else {
            // Freed memory that the kernel writes to is somebody else's memory, and so is a
            // descriptor's number.
            mem::forget(mem::take(&mut self.flights));
            mem::forget(mem::take(&mut self.sockets));
        }
    }
}

impl fmt::Debug for Compio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compio")
            .field("engine", &self.proactor.driver_type())
            .field("in_flight", &self.places.len())
            .finish_non_exhaustive()
    }
}
