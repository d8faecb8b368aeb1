//! From an entry of the completion queue back to the operation.

use std::io;

use io_uring::cqueue;
use sockless_core::{Buf, Completion, Op, OpKind};

use super::Uring;
use super::flights::{Flight, Key, Stage};
use crate::socket;

impl Uring {
    /// Takes one completion in.
    pub(super) fn land(&mut self, completed: &cqueue::Entry) {
        // Whoever it was for, a used buffer has to be replaced.
        let picked =
            cqueue::buffer_select(completed.flags()).and_then(|id| self.buffers.as_mut()?.swap(id));
        let key = Key::from_user_data(completed.user_data());
        match key {
            Key::CANCEL => return,
            Key::BELL => return self.answer_bell(),
            _ => {}
        }
        let Some(flight) = self.flights.remove(key) else {
            return;
        };
        let conn = flight.op.conn;
        let Flight {
            op,
            stage,
            cancelled,
            ..
        } = flight;
        let result = match usize::try_from(completed.result()) {
            Ok(n) => Ok(n),
            Err(_) if completed.result() == -libc::ECANCELED => Err(sockless_core::cancelled()),
            Err(_) => Err(io::Error::from_raw_os_error(-completed.result())),
        };
        match stage {
            Stage::Poll => self.polled(op, cancelled, result),
            _ => self.carried_out(op, cancelled, result, picked),
        }
        self.joined(conn);
    }

    fn answer_bell(&mut self) {
        self.bell_polled = false;
        self.bell.hush();
        self.woken |= self.bell.take_asked();
        self.take_answers();
    }

    fn carried_out(
        &mut self,
        mut op: Op,
        cancelled: bool,
        result: io::Result<usize>,
        picked: Option<Buf>,
    ) {
        if let (true, Some(buffers)) = (is_bufferless(&op), &mut self.buffers) {
            buffers.done();
        }
        let code = result.as_ref().err().and_then(io::Error::raw_os_error);
        let moves_bytes = matches!(op.kind, OpKind::Recv { .. } | OpKind::Send { .. });
        match code {
            // No buffer was left: back-pressure, not a failure.
            Some(libc::ENOBUFS) if is_bufferless(&op) => {
                return self.again_or_cancelled(op, cancelled, Again::WithBuffer);
            }
            // Nothing has happened yet: a kernel thread was interrupted, perhaps by our cancel.
            Some(libc::EINTR | libc::EAGAIN) if moves_bytes => {
                return self.again_or_cancelled(op, cancelled, Again::AtOnce);
            }
            _ => {}
        }
        match &mut op.kind {
            OpKind::Connect { .. } if result.is_err() => self.sockets.fail(op.conn),
            // At the peer's FIN no buffer is picked, but the operation still has one.
            OpKind::Recv {
                buf: buf @ None, ..
            } if result.is_ok() => {
                *buf = Some(picked.unwrap_or_else(|| Buf::with_capacity(0)));
            }
            _ => {}
        }
        let cut_short = cancelled && code == Some(libc::EINTR);
        let result = if cut_short {
            Err(sockless_core::cancelled())
        } else {
            result
        };
        self.ready.push(Completion { op, result });
    }

    /// A poll said that there is something to receive, or that it failed.
    fn polled(&mut self, mut op: Op, cancelled: bool, result: io::Result<usize>) {
        let received = match (result, self.sockets.raw_fd(op.conn)) {
            (Err(error), _) => Err(error),
            (Ok(_), None) => Err(io::ErrorKind::NotConnected.into()),
            (Ok(_), Some(fd)) => {
                let mut buf = self.pool.take(self.recv_buffer_size);
                socket::receive(fd, &mut buf).map(|n| (n, buf))
            }
        };
        let result = match (received, &mut op.kind) {
            (Ok((n, received)), OpKind::Recv { buf, .. }) => {
                *buf = Some(received);
                Ok(n)
            }
            (Ok((n, _)), _) => Ok(n),
            (Err(error), _) if error.kind() == io::ErrorKind::WouldBlock => {
                return self.again_or_cancelled(op, cancelled, Again::AtOnce);
            }
            (Err(error), _) => Err(error),
        };
        self.ready.push(Completion { op, result });
    }

    /// Nothing has happened: done again, unless a cancel was waiting for just that.
    fn again_or_cancelled(&mut self, op: Op, cancelled: bool, again: Again) {
        match again {
            _ if cancelled => {
                self.ready.push(Completion {
                    op,
                    result: Err(sockless_core::cancelled()),
                });
            }
            Again::AtOnce => self.start(op),
            Again::WithBuffer => self.starved.push_back(op),
        }
    }
}

/// When an operation that came back with nothing is done again.
enum Again {
    AtOnce,
    /// As soon as the ring has buffers.
    WithBuffer,
}

/// Whether it waits for a buffer of the driver's choice.
fn is_bufferless(op: &Op) -> bool {
    matches!(op.kind, OpKind::Recv { buf: None, .. })
}
