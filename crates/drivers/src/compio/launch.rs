//! From an operation to a request to the proactor.

use std::io;

use compio_driver::op::{Connect, Recv, RecvFlags, SendFlags, SendVectored};
use compio_driver::{AsRawFd, OpCode, PushEntry};
use sockless_core::{Buf, MAX_SEND_BUFS, Op, OpKind};

use super::buffers::{Fd, Pieces, Room};
use super::flights::{Flight, Request};
use super::{Compio, Place};
use crate::socket::{self, Mode};

/// A gone peer is an error, not a signal.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SEND_FLAGS: SendFlags = SendFlags::empty();

impl Compio {
    /// Takes an operation on, or does again what was interrupted.
    ///
    /// # Errors
    /// The proactor is unusable; the operation's own failure is a completion.
    pub(super) fn launch(&mut self, op: Op) -> io::Result<()> {
        self.make_room()?;
        let checked = match &op.kind {
            OpKind::Connect { .. } => Ok(()),
            OpKind::Recv { buf, .. } => self.check_room(&op, buf.as_ref()),
            OpKind::Send { bufs } if bufs.len() > MAX_SEND_BUFS => {
                Err(socket::invalid("a send has more than MAX_SEND_BUFS pieces"))
            }
            OpKind::Send { .. } => self.sockets.socket(op.conn).map(drop),
            OpKind::Shutdown => {
                let socket = self.sockets.socket(op.conn);
                let result = socket.and_then(|socket| socket.shut_down());
                self.finish(op, result);
                return Ok(());
            }
            _ => Err(socket::unsupported()),
        };
        match checked {
            Ok(()) => self.request(op),
            Err(error) => {
                self.finish(op, Err(error));
                Ok(())
            }
        }
    }

    fn check_room(&mut self, op: &Op, buf: Option<&Buf>) -> io::Result<()> {
        self.sockets.socket(op.conn)?;
        if buf.is_some_and(|buf| buf.spare() == 0) {
            return Err(socket::invalid("a receive's buffer has no spare room"));
        }
        Ok(())
    }

    fn request(&mut self, mut op: Op) -> io::Result<()> {
        let conn = op.conn;
        match &mut op.kind {
            OpKind::Connect { to, from } => {
                let mode = if self.is_uring() {
                    Mode::Waiting
                } else {
                    Mode::Immediate
                };
                let address = self
                    .sockets
                    .open(conn, to, *from, mode)
                    .and_then(|address| {
                        let fd = self.sockets.socket(conn)?.raw_fd();
                        self.proactor.attach(Fd(fd).as_fd_raw())?;
                        Ok((Fd(fd), address))
                    });
                match address {
                    Ok((fd, address)) => {
                        let request = Connect::new(fd, address.sock_addr());
                        self.push(op, request, Request::Connect)
                    }
                    Err(error) => {
                        self.sockets.fail(conn);
                        self.finish(op, Err(error));
                        Ok(())
                    }
                }
            }
            OpKind::Recv { .. } => self.receive(op),
            OpKind::Send { bufs } => {
                let pieces = Pieces(core::mem::take(bufs));
                let fd = Fd(self.sockets.socket(conn)?.raw_fd());
                self.push(op, SendVectored::new(fd, pieces, SEND_FLAGS), Request::Send)
            }
            _ => Ok(()),
        }
    }

    /// A receive that has its buffer and takes what comes is the proactor's. Another one waits
    /// for readiness first, so that it holds no memory, and heeds the low-water mark.
    #[cfg(unix)]
    fn receive(&mut self, mut op: Op) -> io::Result<()> {
        use compio_driver::op::{Interest, PollOnce};

        let OpKind::Recv { buf, min } = &mut op.kind else {
            return Ok(());
        };
        let room = buf.as_ref().map_or(self.recv_buffer_size, Buf::spare);
        let socket = self.sockets.socket(op.conn)?;
        let is_held_back = socket.want((*min).min(room));
        let fd = Fd(socket.raw_fd());
        match buf.take_if(|_| !is_held_back) {
            Some(buf) => {
                let request = Recv::new(fd, Room(buf), RecvFlags::empty());
                self.push(op, request, Request::Recv)
            }
            None => {
                let request = PollOnce::new(fd, Interest::Readable);
                self.push(op, request, Request::Watch)
            }
        }
    }

    #[cfg(windows)]
    fn receive(&mut self, mut op: Op) -> io::Result<()> {
        let OpKind::Recv { buf, min } = &mut op.kind else {
            return Ok(());
        };
        let buf = match buf.take() {
            Some(buf) => buf,
            None => self.pool.take(self.recv_buffer_size),
        };
        let socket = self.sockets.socket(op.conn)?;
        socket.want((*min).min(buf.spare()));
        let fd = Fd(socket.raw_fd());
        let request = Recv::new(fd, Room(buf), RecvFlags::empty());
        self.push(op, request, Request::Recv)
    }

    fn push<T: OpCode + 'static>(
        &mut self,
        op: Op,
        request: T,
        wrap: fn(compio_driver::Key<T>) -> Request,
    ) -> io::Result<()>
    where
        Self: super::land::Land<T>,
    {
        self.queued += 1;
        match self.proactor.push(request) {
            PushEntry::Pending(key) => {
                let id = op.id.as_u64();
                let flight = Flight {
                    op,
                    request: wrap(key),
                    cancelled: false,
                };
                let slot = self.flights.insert(flight, &mut self.proactor);
                self.places.insert(id, Place::Flight(slot));
                Ok(())
            }
            PushEntry::Ready(result) => super::land::Land::land(self, op, result, false),
        }
    }
}

impl Fd {
    fn as_fd_raw(&self) -> compio_driver::RawFd {
        compio_driver::AsFd::as_fd(self).as_raw_fd()
    }
}
