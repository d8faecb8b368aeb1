//! Starting operations, and doing them when their time has come.

use core::mem;
use core::net::IpAddr;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

use sockless_core::{Buf, Completion, ConnId, Endpoint, MAX_SEND_BUFS, Op, OpKind, cancelled};

use super::{Blocking, Pending, Wait};
use crate::socket::{self, Address, Mode};

/// Done with that number, or waiting.
enum Progress {
    Done(usize),
    Waits(Wait),
}

impl Blocking {
    /// Takes an operation on: what needs no waiting is done, the rest waits for its socket.
    pub(super) fn start(&mut self, mut op: Op) {
        let progress = match &mut op.kind {
            OpKind::Resolve { host, port, .. } => self
                .resolver
                .ask(op.id.as_u64(), Arc::clone(host), *port)
                .map(|()| Progress::Waits(Wait::Name)),
            OpKind::Connect { to, from } => self.connect(op.conn, to, *from),
            OpKind::Recv { buf, min } => self.await_bytes(op.conn, buf.as_ref(), *min),
            OpKind::Send { .. } => self.await_socket(op.conn, libc::POLLOUT),
            OpKind::Shutdown => self
                .sockets
                .socket(op.conn)
                .and_then(|socket| socket::shut_down(socket.raw_fd()))
                .map(Progress::Done),
            OpKind::Close => self.close(op.conn).map(Progress::Done),
            _ => Err(socket::unsupported()),
        };
        self.settle(op, progress);
    }

    /// Does what the operation waited for, as far as it can be done now.
    pub(super) fn perform(&mut self, pending: Pending) {
        let Pending { mut op, wait } = pending;
        let progress = match (&mut op.kind, wait) {
            (OpKind::Connect { to, .. }, Wait::Soon) => {
                Address::of(to).and_then(|address| self.connect_to(op.conn, &address))
            }
            (kind, _) => match self.sockets.raw_fd(op.conn) {
                None => Err(io::ErrorKind::NotConnected.into()),
                Some(fd) => self.perform_on(fd, kind).map(Progress::Done),
            },
        };
        let progress = match progress {
            // Somebody else was faster, or the poll was wrong.
            Err(error) if is_temporary(&error) => Ok(Progress::Waits(wait)),
            other => other,
        };
        self.settle(op, progress);
    }

    fn settle(&mut self, op: Op, progress: io::Result<Progress>) {
        let result = match progress {
            Ok(Progress::Waits(wait)) => return self.pending.push(Pending { op, wait }),
            Ok(Progress::Done(n)) => Ok(n),
            Err(error) => {
                if matches!(op.kind, OpKind::Connect { .. }) {
                    self.sockets.fail(op.conn);
                }
                Err(error)
            }
        };
        self.ready.push(Completion { op, result });
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
            Err((Some(libc::EINPROGRESS | libc::EINTR), _)) => Ok(Progress::Waits(Wait::Socket {
                fd,
                events: libc::POLLOUT,
            })),
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
        self.await_socket(conn, libc::POLLIN)
    }

    fn await_socket(&mut self, conn: ConnId, events: libc::c_short) -> io::Result<Progress> {
        let fd = self.sockets.socket(conn)?.raw_fd();
        Ok(Progress::Waits(Wait::Socket { fd, events }))
    }

    /// Closes a socket, and ends what waits for it: its descriptor's number is free for others.
    fn close(&mut self, conn: ConnId) -> io::Result<usize> {
        let closed = self.sockets.close(conn)?;
        let orphaned =
            |pending: &mut Pending| pending.op.conn == conn && pending.wait != Wait::Name;
        let ended = self.pending.extract_if(.., orphaned);
        self.ready.extend(ended.map(|pending| Completion {
            op: pending.op,
            result: Err(cancelled()),
        }));
        Ok(closed)
    }

    fn perform_on(&self, fd: RawFd, kind: &mut OpKind) -> io::Result<usize> {
        match kind {
            OpKind::Connect { .. } => socket::connect_outcome(fd).map(|()| 0),
            OpKind::Recv { buf: Some(buf), .. } => socket::receive(fd, buf),
            OpKind::Recv {
                buf: buf @ None, ..
            } => {
                let mut fresh = self.pool.take(self.recv_buffer_size);
                let n = socket::receive(fd, &mut fresh)?;
                *buf = Some(fresh);
                Ok(n)
            }
            OpKind::Send { bufs } => send(fd, bufs),
            _ => Err(socket::unsupported()),
        }
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

fn is_temporary(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
