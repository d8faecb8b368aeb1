//! From an operation to an entry of the submission queue.

use core::net::IpAddr;
use std::io;
use std::sync::Arc;

use io_uring::{opcode, squeue, types};
use sockless_core::{Buf, Completion, ConnId, Endpoint, Op, OpKind};

use super::flights::{Scratch, Stage};
use super::{Uring, buffers};
use crate::socket::{self, Mode};

/// `IORING_RECVSEND_POLL_FIRST`: a receive waits for the low-water mark before it tries,
/// and picks no buffer before there is something to put into it.
const POLL_FIRST: u16 = 1;

/// What became of an operation so far.
pub(super) enum Started {
    /// It is done: nothing to wait for.
    Done(usize),
    /// Its entry waits for the kernel.
    Entry {
        entry: squeue::Entry,
        stage: Stage,
        scratch: Option<Scratch>,
    },
    /// It waits for the resolver.
    Lookup { host: Arc<str>, port: u16 },
    /// It is a `Close` that waits for that many others.
    Closing { left: usize },
}

impl Started {
    fn kernel(entry: squeue::Entry) -> Self {
        Self::Entry {
            entry,
            stage: Stage::Kernel,
            scratch: None,
        }
    }

    fn with_scratch(entry: squeue::Entry, scratch: Scratch) -> Self {
        Self::Entry {
            entry,
            stage: Stage::Kernel,
            scratch: Some(scratch),
        }
    }
}

impl Uring {
    /// Takes an operation on; also one that has to be done again.
    pub(super) fn start(&mut self, mut op: Op) {
        let started = match self.flights.key(op.id) {
            Some(_) => Err(socket::invalid("an operation of that id is in flight")),
            None if self.is_closing(op.conn) => Err(io::ErrorKind::NotConnected.into()),
            None => self.prepare(&mut op),
        };
        match started {
            Ok(Started::Done(n)) => self.ready.push(Completion { op, result: Ok(n) }),
            Ok(Started::Entry {
                entry,
                stage,
                scratch,
            }) => {
                let key = self.flights.insert(op, stage, scratch);
                self.queue.push_back(entry.user_data(key.user_data()));
            }
            Ok(Started::Lookup { host, port }) => self.look_up(op, host, port),
            Ok(Started::Closing { left }) => self.close_later(op, left),
            Err(error) => self.ready.push(Completion {
                op,
                result: Err(error),
            }),
        }
    }

    fn look_up(&mut self, op: Op, host: Arc<str>, port: u16) {
        let key = self.flights.insert(op, Stage::Resolver, None);
        let Err(error) = self.resolver.ask(key.user_data(), host, port) else {
            return;
        };
        if let Some(flight) = self.flights.remove(key) {
            self.ready.push(Completion {
                op: flight.op,
                result: Err(error),
            });
        }
    }

    /// Pointers in the entry are to the heap, so the operation itself may move afterwards.
    fn prepare(&mut self, op: &mut Op) -> io::Result<Started> {
        match &mut op.kind {
            OpKind::Resolve { host, port, .. } => Ok(Started::Lookup {
                host: Arc::clone(host),
                port: *port,
            }),
            OpKind::Connect { to, from } => self.connect(op.conn, to, *from),
            OpKind::Recv {
                buf: Some(buf),
                min,
            } => self.recv_into(op.conn, buf, *min),
            OpKind::Recv { buf: None, min } => self.recv_any(op.conn, *min),
            OpKind::Send { bufs } => self.send(op.conn, bufs),
            // Neither waits for anything, so the ring would only make it take longer.
            OpKind::Shutdown => self.sockets.socket(op.conn)?.shut_down().map(Started::Done),
            OpKind::Close => self.close(op.conn),
            _ => Err(socket::unsupported()),
        }
    }

    fn connect(
        &mut self,
        conn: ConnId,
        to: &Endpoint,
        from: Option<IpAddr>,
    ) -> io::Result<Started> {
        let address = self.sockets.open(conn, to, from, Mode::Waiting)?;
        let fd = types::Fd(self.sockets.socket(conn)?.raw_fd());
        let mut scratch = self.flights.scratch();
        let address = scratch.address.insert(address);
        let entry = opcode::Connect::new(fd, address.as_ptr(), address.len()).build();
        Ok(Started::with_scratch(entry, scratch))
    }

    fn recv_into(&mut self, conn: ConnId, buf: &mut Buf, min: usize) -> io::Result<Started> {
        let poll_first = self.abilities.poll_first;
        let socket = self.sockets.socket(conn)?;
        let room = buf.spare_mut();
        if room.is_empty() {
            return Err(socket::invalid("a receive's buffer has no spare room"));
        }
        let worth_waiting = socket.want(min.min(room.len()));
        let ioprio = if worth_waiting && poll_first {
            POLL_FIRST
        } else {
            0
        };
        let fd = types::Fd(socket.raw_fd());
        let len = socket::call_len(room.len());
        Ok(Started::kernel(
            opcode::Recv::new(fd, room.as_mut_ptr(), len)
                .ioprio(ioprio)
                .build(),
        ))
    }

    /// A receive that gets its buffer when there is something to receive.
    fn recv_any(&mut self, conn: ConnId, min: usize) -> io::Result<Started> {
        let socket = self.sockets.socket(conn)?;
        socket.want(min.min(self.recv_buffer_size));
        let fd = types::Fd(socket.raw_fd());
        let Some(buffers) = &mut self.buffers else {
            let entry = opcode::PollAdd::new(fd, libc::POLLIN as u32).build();
            return Ok(Started::Entry {
                entry,
                stage: Stage::Poll,
                scratch: None,
            });
        };
        buffers.want();
        // Length 0: as much as the picked buffer holds.
        let recv = opcode::Recv::new(fd, core::ptr::null_mut(), 0)
            .ioprio(POLL_FIRST)
            .buf_group(buffers::GROUP)
            .build();
        Ok(Started::kernel(recv.flags(squeue::Flags::BUFFER_SELECT)))
    }

    fn send(&mut self, conn: ConnId, bufs: &[Buf]) -> io::Result<Started> {
        let fd = types::Fd(self.sockets.socket(conn)?.raw_fd());
        if let [buf] = bufs {
            let send = opcode::Send::new(fd, buf.as_ptr(), socket::call_len(buf.len()));
            return Ok(Started::kernel(send.flags(socket::SEND_FLAGS).build()));
        }
        let mut scratch = self.flights.scratch();
        let count = match socket::gather(bufs, &mut scratch.pieces) {
            Ok(count) => count,
            Err(error) => {
                self.flights.put_back(scratch);
                return Err(error);
            }
        };
        scratch.message.msg_iov = scratch.pieces.as_mut_ptr();
        scratch.message.msg_iovlen = count as _;
        let send = opcode::SendMsg::new(fd, &raw const scratch.message);
        Ok(Started::with_scratch(
            send.flags(socket::SEND_FLAGS as u32).build(),
            scratch,
        ))
    }
}
