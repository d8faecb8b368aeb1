//! The Rust interface.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use sockless::core::MAX_SEND_BUFS;
use sockless::tls::Backend;
use sockless::{Endpoint, Event, Op, OpId, OpKind, Output, Request, Session};

use super::{Interface, Next, Wanted};
use crate::clients::Task;
use crate::clients::ours::{request, session};

/// What a receive without a buffer gets: what the C interface gives it.
const ANY_BUFFER: usize = 16 * 1024;

pub(super) struct InRust {
    session: Session,
    request: Request,
    /// What the kernel is told of the pieces of a send, by slots: one is in flight on each socket.
    #[allow(clippy::vec_box, reason = "what the kernel reads must not move")]
    pieces: Vec<Box<[libc::iovec; MAX_SEND_BUFS]>>,
}

impl InRust {
    pub(super) fn new(task: &Task) -> io::Result<Self> {
        Ok(Self {
            session: session(task, Backend::Rustls, 256)?,
            request: request(task)?,
            pieces: Vec::new(),
        })
    }
}

impl Interface for InRust {
    type Op = Op;

    fn start(&mut self, now: Instant) -> io::Result<()> {
        let started = self.session.start(now, self.request.clone());
        started.map(drop).map_err(io::Error::other)
    }

    fn next(&mut self, now: Instant) -> io::Result<Next<Op>> {
        Ok(match self.session.poll(now) {
            Output::Submit(op) => Next::Submit(op),
            Output::Cancel(id) => Next::Cancel(id.as_u64()),
            Output::Event(_, Event::Data(piece)) => Next::Data(piece.len()),
            Output::Event(_, Event::Done { outcome, .. }) => {
                outcome.map_err(io::Error::other)?;
                Next::Done
            }
            Output::Wait(deadline) => Next::Wait(deadline),
            _ => Next::Other,
        })
    }

    fn complete(&mut self, now: Instant, op: Op, result: Result<usize, i32>) -> io::Result<()> {
        let result = result.map_err(io::Error::from_raw_os_error);
        self.session.complete(now, op, result);
        Ok(())
    }

    fn wanted(&mut self, op: &mut Op) -> (usize, Wanted) {
        let wanted = match &mut op.kind {
            OpKind::Connect {
                to: Endpoint::Tcp(SocketAddr::V4(to)),
                ..
            } => {
                // SAFETY: plain numbers, for which zero is a value.
                let mut address: libc::sockaddr_in = unsafe { core::mem::zeroed() };
                address.sin_family = libc::AF_INET as libc::sa_family_t;
                address.sin_port = to.port().to_be();
                address.sin_addr.s_addr = u32::from_ne_bytes(to.ip().octets());
                Wanted::Connect(address)
            }
            OpKind::Recv { buf, .. } => {
                let buf = buf.get_or_insert_with(|| self.session.pool().take(ANY_BUFFER));
                let room = buf.spare_mut();
                Wanted::Receive(room.as_mut_ptr().cast(), room.len())
            }
            OpKind::Send { bufs } => {
                while self.pieces.len() <= op.conn.slot() {
                    let nothing = libc::iovec {
                        iov_base: core::ptr::null_mut(),
                        iov_len: 0,
                    };
                    self.pieces.push(Box::new([nothing; MAX_SEND_BUFS]));
                }
                let pieces = &mut self.pieces[op.conn.slot()];
                for (piece, buf) in pieces.iter_mut().zip(bufs.iter()) {
                    piece.iov_base = buf.as_ptr().cast_mut().cast();
                    piece.iov_len = buf.len();
                }
                Wanted::Send(pieces.as_ptr(), bufs.len())
            }
            OpKind::Shutdown => Wanted::Shutdown,
            OpKind::Close => Wanted::Close,
            _ => Wanted::Unknown,
        };
        (op.conn.slot(), wanted)
    }

    fn id(op: &Op) -> u64 {
        OpId::as_u64(op.id)
    }
}
