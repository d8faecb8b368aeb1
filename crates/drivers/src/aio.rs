//! POSIX AIO: the data of sockets by `aio_read`, `aio_write` and `aio_suspend`.
//!
//! An `aio_read` on a silent socket could not be taken back: where the C library does AIO
//! by threads (glibc, musl), one of a few threads would sit in `read` until bytes came, with
//! the buffer, and `aio_cancel` would refuse. So poll(2) tells which sockets have something
//! to do, and all of that is handed over at once, on non-blocking sockets; a `wait` returns
//! when the last of it is back. Between waits nothing is on its way, so a cancel takes effect
//! at once and dropping the driver frees everything.

use core::{fmt, mem, ptr};
use std::io;
use std::os::fd::RawFd;
use std::thread;
use std::time::Instant;

use sockless_core::{Buf, Completion, ConnId, Driver, MAX_SEND_BUFS, Op, OpId, OpKind};

use crate::plain::{Progress, is_temporary};
use crate::polling::{Pending, Polling};
use crate::{DriverConfig, Wakeable, Waker, socket};

/// The most bytes that a send of several pieces copies together; a stream takes the rest later.
const MOST_JOINED: usize = 256 * 1024;

/// A driver on POSIX AIO.
///
/// AIO knows neither connects nor names nor vectored sends: those are done as
/// [`Blocking`](crate::Blocking) does them, and several pieces of one send are copied into
/// one. Each wait costs as much as there are operations. On Linux the C library does AIO with
/// up to 20 threads of its own, one system call each: this driver is for programs that have to
/// use AIO, and slower than all others.
pub struct Aio {
    polling: Polling,
    batch: Batch,
}

impl Aio {
    /// A driver with the default configuration.
    ///
    /// # Errors
    /// As [`Aio::with_config`].
    pub fn new() -> io::Result<Self> {
        Self::with_config(DriverConfig::default())
    }

    /// A driver with that configuration.
    ///
    /// # Errors
    /// No descriptors are left for the pipe that ends its waits.
    pub fn with_config(config: DriverConfig) -> io::Result<Self> {
        Ok(Self {
            polling: Polling::new(config)?,
            batch: Batch::default(),
        })
    }

    /// The descriptor of a connection's socket, for options that no operation sets.
    ///
    /// It is valid until the connection's `Close`; closing it elsewhere is a mistake.
    pub fn raw_fd(&self, conn: ConnId) -> Option<RawFd> {
        self.polling.plain.sockets.raw_fd(conn)
    }
}

impl Driver for Aio {
    fn submit(&mut self, op: Op) {
        self.polling.submit(op);
    }

    fn cancel(&mut self, id: OpId) {
        self.polling.cancel(id);
    }

    /// Returns early, without a completion, when a [`Waker`] was used.
    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()> {
        let batch = &mut self.batch;
        self.polling
            .wait(deadline, done, |polling, due| batch.perform(polling, due))
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn name(&self) -> &'static str {
        "aio"
    }
}

impl Wakeable for Aio {
    fn waker(&self) -> Waker {
        self.polling.waker()
    }
}

impl fmt::Debug for Aio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aio")
            .field("pending", &self.polling.pending())
            .finish_non_exhaustive()
    }
}

/// What is handed over together. Empty between waits.
#[derive(Default)]
struct Batch {
    flights: Vec<Flight>,
    /// One for each flight. The system holds pointers to them, so they are all pushed
    /// before the first is handed over.
    blocks: Vec<libc::aiocb>,
}

/// A send or a receive on its way.
struct Flight {
    pending: Pending,
    /// Its buffer is one that the operation came without.
    is_fresh: bool,
    /// Several pieces in one, until the system has read it.
    _copy: Vec<u8>,
    is_started: bool,
}

/// Where an operation's bytes are.
struct Place {
    start: *mut libc::c_void,
    len: usize,
    is_fresh: bool,
    copy: Vec<u8>,
}

impl Batch {
    /// Does all that is due, and settles it.
    fn perform(&mut self, polling: &mut Polling, due: &mut Vec<Pending>) {
        for mut pending in due.drain(..) {
            match place(polling, &mut pending.op) {
                Ok(Some(place)) => self.add(pending, place),
                Ok(None) => pending.perform(polling),
                Err(error) => polling.settle(pending.op, Err(error)),
            }
        }
        let mut running = self.start();
        join(&mut running);
        for (flight, block) in self.flights.drain(..).zip(&mut self.blocks) {
            flight.land(polling, block);
        }
        self.blocks.clear();
    }

    fn add(&mut self, pending: Pending, place: Place) {
        // SAFETY: plain data, for which all zeroes is valid.
        let mut block: libc::aiocb = unsafe { mem::zeroed() };
        block.aio_fildes = pending.fd;
        block.aio_buf = place.start;
        block.aio_nbytes = place.len;
        block.aio_sigevent.sigev_notify = libc::SIGEV_NONE;
        self.blocks.push(block);
        self.flights.push(Flight {
            pending,
            is_fresh: place.is_fresh,
            _copy: place.copy,
            is_started: false,
        });
    }

    /// Hands all of it over, and gives the blocks of what was taken.
    fn start(&mut self) -> Vec<*const libc::aiocb> {
        let blocks = self.blocks.as_mut_ptr();
        let mut running = Vec::with_capacity(self.blocks.len());
        for (at, flight) in self.flights.iter_mut().enumerate() {
            // SAFETY: there is a block for each flight. It and the memory that it describes stay
            // where they are until `join` has seen the end of it: behind vectors and boxes that
            // nobody touches.
            let started = unsafe {
                let block = blocks.add(at);
                let started = match flight.pending.op.kind {
                    OpKind::Recv { .. } => libc::aio_read(block),
                    _ => libc::aio_write(block),
                };
                running.push(block.cast_const());
                started
            };
            flight.is_started = started == 0;
            if !flight.is_started {
                running.pop();
            }
        }
        running
    }
}

/// Waits until all that was started has ended. None of it blocks for long: the sockets are
/// non-blocking.
fn join(running: &mut Vec<*const libc::aiocb>) {
    loop {
        // SAFETY: each points to a block that was started and is still in its place.
        running.retain(|block| unsafe { libc::aio_error(*block) } == libc::EINPROGRESS);
        if running.is_empty() {
            return;
        }
        let count = running.len().min(i32::MAX as usize) as libc::c_int;
        // SAFETY: pointer and count describe the live vector, whose pointers are as above.
        let suspended = unsafe { libc::aio_suspend(running.as_ptr(), count, ptr::null()) };
        if suspended != 0 {
            // A signal, or it does not take as many: their memory is still not ours.
            thread::yield_now();
        }
    }
}

impl Flight {
    /// Takes the result, and gives the operation back or lets it wait on.
    fn land(mut self, polling: &mut Polling, block: &mut libc::aiocb) {
        if !self.is_started {
            // The system takes no more at a time.
            self.forget_fresh();
            return self.pending.perform(polling);
        }
        // SAFETY: it has ended, and its result is taken once.
        let (code, n) = unsafe { (libc::aio_error(block), libc::aio_return(block)) };
        let result = match usize::try_from(n) {
            Ok(n) => Ok(Progress::Done(n)),
            Err(_) => Err(io::Error::from_raw_os_error(code)),
        };
        let progress = match result {
            Err(error) if is_temporary(&error) => Ok(Progress::Waits(self.pending.wait)),
            other => other,
        };
        if !matches!(progress, Ok(Progress::Done(_))) {
            self.forget_fresh();
        }
        polling.settle(self.pending.op, progress);
    }

    /// Who waits for bytes holds no memory that it came without.
    fn forget_fresh(&mut self) {
        if let (true, OpKind::Recv { buf, .. }) = (self.is_fresh, &mut self.pending.op.kind) {
            *buf = None;
        }
    }
}

/// Finds the bytes of a send or receive; anything else has none.
fn place(polling: &mut Polling, op: &mut Op) -> io::Result<Option<Place>> {
    let (buf, is_fresh) = match &mut op.kind {
        OpKind::Recv { buf: Some(buf), .. } => (buf, false),
        OpKind::Recv { buf, .. } => (buf.insert(polling.plain.fresh_buffer()), true),
        OpKind::Send { bufs } => {
            let socket = polling.plain.sockets.socket(op.conn)?;
            return pieces(bufs, socket.is_stream()).map(Some);
        }
        _ => return Ok(None),
    };
    let room = buf.spare_mut();
    Ok(Some(Place {
        start: room.as_mut_ptr().cast(),
        len: room.len(),
        is_fresh,
        copy: Vec::new(),
    }))
}

/// One piece as it is, several as a copy: of a datagram all, of a stream its beginning.
fn pieces(bufs: &[Buf], is_stream: bool) -> io::Result<Place> {
    let nothing = libc::iovec {
        iov_base: ptr::null_mut(),
        iov_len: 0,
    };
    let mut pieces = [nothing; MAX_SEND_BUFS];
    let count = socket::gather(bufs, &mut pieces)?;
    let mut full = pieces[..count].iter().filter(|piece| piece.iov_len > 0);
    let (first, second) = (full.next().copied(), full.next());
    let mut copy = Vec::new();
    let piece = if second.is_none() {
        first.unwrap_or(nothing)
    } else {
        let most = if is_stream { MOST_JOINED } else { usize::MAX };
        for buf in bufs {
            let left = most - copy.len();
            copy.extend_from_slice(&buf[..buf.len().min(left)]);
        }
        libc::iovec {
            iov_base: copy.as_mut_ptr().cast(),
            iov_len: copy.len(),
        }
    };
    Ok(Place {
        start: piece.iov_base,
        len: piece.iov_len,
        is_fresh: false,
        copy,
    })
}
