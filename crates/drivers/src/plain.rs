//! Operations on non-blocking sockets: begun at once, done when the socket is ready.
//!
//! What tells that it is ready is the driver's: poll(2), or a runtime's reactor.

use core::mem;
use core::net::IpAddr;
use std::io;
use std::os::fd::RawFd;

use sockless_core::{Buf, ConnId, Endpoint, MAX_SEND_BUFS, OpKind, Pool};

use crate::socket::{self, Address, Mode};
use crate::sockets::Sockets;

/// Done with that number, or waiting.
pub(crate) enum Progress {
    Done(usize),
    Waits(Wait),
}

/// What an operation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Bytes, or the peer's end.
    Readable,
    /// Room, or the outcome of a connect.
    Writable,
    /// A host name's addresses, which are the resolver's.
    Name,
    /// Nothing that could be watched: it is just tried again.
    Soon,
}

/// The sockets, and what receives without a buffer get.
pub(crate) struct Plain {
    pub(crate) sockets: Sockets,
    pool: Pool,
    recv_buffer_size: usize,
}

impl Plain {
    pub(crate) fn new(pool: Pool, recv_buffer_size: usize) -> Self {
        Self {
            sockets: Sockets::default(),
            pool,
            recv_buffer_size,
        }
    }

    /// Begins an operation on a socket. After a failed `Connect` its connection is to be failed.
    pub(crate) fn begin(&mut self, conn: ConnId, kind: &OpKind) -> io::Result<Progress> {
        match kind {
            OpKind::Connect { to, from } => self.connect(conn, to, *from),
            OpKind::Recv { buf, min } => self.await_bytes(conn, buf.as_ref(), *min),
            OpKind::Send { .. } => {
                self.sockets.socket(conn)?;
                Ok(Progress::Waits(Wait::Writable))
            }
            OpKind::Shutdown => self.sockets.socket(conn)?.shut_down().map(Progress::Done),
            _ => Err(socket::unsupported()),
        }
    }

    /// Does what waited until now, as far as it can be done.
    pub(crate) fn perform(
        &mut self,
        conn: ConnId,
        kind: &mut OpKind,
        wait: Wait,
    ) -> io::Result<Progress> {
        let done = match (kind, wait) {
            (OpKind::Connect { to, .. }, Wait::Soon) => {
                return self.connect_to(conn, &Address::of(to)?);
            }
            (kind, _) => match self.sockets.raw_fd(conn) {
                None => Err(io::ErrorKind::NotConnected.into()),
                Some(fd) => self.perform_on(fd, kind),
            },
        };
        match done {
            // Somebody else was faster, or the socket was not ready after all.
            Err(error) if is_temporary(&error) => Ok(Progress::Waits(wait)),
            other => other.map(Progress::Done),
        }
    }

    fn connect(
        &mut self,
        conn: ConnId,
        to: &Endpoint,
        from: Option<IpAddr>,
    ) -> io::Result<Progress> {
        let address = self.sockets.open(conn, to, from, Mode::Immediate)?;
        self.connect_to(conn, &address)
    }

    fn connect_to(&mut self, conn: ConnId, address: &Address) -> io::Result<Progress> {
        let fd = self.sockets.socket(conn)?.raw_fd();
        // SAFETY: pointer and length describe a live address.
        let connected =
            socket::checked(unsafe { libc::connect(fd, address.as_ptr(), address.len()) });
        match connected.map_err(|error| (error.raw_os_error(), error)) {
            Ok(_) => Ok(Progress::Done(0)),
            Err((Some(libc::EINPROGRESS | libc::EINTR), _)) => Ok(Progress::Waits(Wait::Writable)),
            Err((Some(libc::EAGAIN), _)) => Ok(Progress::Waits(Wait::Soon)),
            Err((_, error)) => Err(error),
        }
    }

    fn await_bytes(&mut self, conn: ConnId, buf: Option<&Buf>, min: usize) -> io::Result<Progress> {
        let room = buf.map_or(self.recv_buffer_size, Buf::spare);
        let socket = self.sockets.socket(conn)?;
        if room == 0 {
            return Err(socket::invalid("a receive's buffer has no spare room"));
        }
        socket.want(min.min(room));
        Ok(Progress::Waits(Wait::Readable))
    }

    fn perform_on(&self, fd: RawFd, kind: &mut OpKind) -> io::Result<usize> {
        match kind {
            OpKind::Connect { .. } => socket::connect_outcome(fd).map(|()| 0),
            OpKind::Recv { buf: Some(buf), .. } => socket::receive(fd, buf),
            OpKind::Recv {
                buf: buf @ None, ..
            } => {
                let mut fresh = self.fresh_buffer();
                let n = socket::receive(fd, &mut fresh)?;
                *buf = Some(fresh);
                Ok(n)
            }
            OpKind::Send { bufs } => send(fd, bufs),
            _ => Err(socket::unsupported()),
        }
    }

    /// A buffer for a receive that came without one.
    pub(crate) fn fresh_buffer(&self) -> Buf {
        self.pool.take(self.recv_buffer_size)
    }
}

fn send(fd: RawFd, bufs: &[Buf]) -> io::Result<usize> {
    let nothing = libc::iovec {
        iov_base: core::ptr::null_mut(),
        iov_len: 0,
    };
    let mut pieces = [nothing; MAX_SEND_BUFS];
    let count = socket::gather(bufs, &mut pieces)?;
    // SAFETY: msghdr is plain data for which all zeroes (null pointers) is valid.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = pieces.as_mut_ptr();
    message.msg_iovlen = count as _;
    // SAFETY: the message points to live pieces, and those to the bytes of live buffers.
    let n = unsafe { libc::sendmsg(fd, &raw const message, socket::SEND_FLAGS) };
    usize::try_from(n).map_err(|_| io::Error::last_os_error())
}

/// Whether it only means that there is nothing to do yet.
pub(crate) fn is_temporary(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
