//! From the proactor's results to completions.

use std::io;

use compio_buf::{BufResult, IntoInner};
use compio_driver::PushEntry;
use compio_driver::op::{Connect, Recv, SendVectored};
use sockless_core::{ConnId, Op, OpKind, cancelled};

use super::buffers::{Fd, Pieces, Room};
use super::flights::{Flight, Request};
use super::{Compio, Place};

/// What becomes of an operation with the result of such a request.
pub(super) trait Land<T> {
    fn land(&mut self, op: Op, result: BufResult<usize, T>, was_cancelled: bool) -> io::Result<()>;
}

impl Compio {
    /// Takes all results that have come.
    pub(super) fn land_all(&mut self) -> io::Result<()> {
        loop {
            let landed = self.flights.take_landed();
            if landed.is_empty() {
                return Ok(());
            }
            for slot in landed {
                if let Some(flight) = self.flights.remove(slot) {
                    self.land_one(flight)?;
                }
            }
        }
    }

    fn land_one(&mut self, flight: Flight) -> io::Result<()> {
        let Flight {
            op,
            request,
            cancelled,
        } = flight;
        let conn = op.conn;
        match request {
            Request::Recv(key) => match self.proactor.pop(key) {
                PushEntry::Ready(result) => self.land(op, result, cancelled)?,
                PushEntry::Pending(key) => self.stay(op, Request::Recv(key), cancelled),
            },
            Request::Send(key) => match self.proactor.pop(key) {
                PushEntry::Ready(result) => self.land(op, result, cancelled)?,
                PushEntry::Pending(key) => self.stay(op, Request::Send(key), cancelled),
            },
            Request::Connect(key) => match self.proactor.pop(key) {
                PushEntry::Ready(result) => self.land(op, result, cancelled)?,
                PushEntry::Pending(key) => self.stay(op, Request::Connect(key), cancelled),
            },
            #[cfg(unix)]
            Request::Watch(key) => match self.proactor.pop(key) {
                PushEntry::Ready(result) => self.land(op, result, cancelled)?,
                PushEntry::Pending(key) => self.stay(op, Request::Watch(key), cancelled),
            },
        }
        self.close_if_over(conn);
        Ok(())
    }

    /// It was announced too early.
    fn stay(&mut self, op: Op, request: Request, cancelled: bool) {
        let id = op.id.as_u64();
        let flight = Flight {
            op,
            request,
            cancelled,
        };
        let slot = self.flights.insert(flight, &mut self.proactor);
        self.places.insert(id, Place::Flight(slot));
    }

    /// Ends a connection whose end waited for its flights.
    fn close_if_over(&mut self, conn: ConnId) {
        let is_close = |op: &Op| op.conn == conn && matches!(op.kind, OpKind::Close);
        if self.flights.is_busy(conn) {
            return;
        }
        if let Some(at) = self.rest.iter().position(is_close) {
            let op = self.rest.swap_remove(at);
            let closed = self.sockets.close(conn);
            self.finish(op, closed);
        }
    }

    /// A result, unless the request was only interrupted and is to be made again.
    fn settle(&mut self, op: Op, result: io::Result<usize>, was_cancelled: bool) -> io::Result<()> {
        match result {
            Err(error) if is_temporary(&error) && !was_cancelled && !self.is_closing(op.conn) => {
                self.launch(op)
            }
            Err(error) if is_temporary(&error) => {
                self.finish(op, Err(cancelled()));
                Ok(())
            }
            other => {
                self.finish(op, other);
                Ok(())
            }
        }
    }
}

impl Land<Recv<Room, Fd>> for Compio {
    fn land(
        &mut self,
        mut op: Op,
        BufResult(result, request): BufResult<usize, Recv<Room, Fd>>,
        was_cancelled: bool,
    ) -> io::Result<()> {
        if let OpKind::Recv { buf, .. } = &mut op.kind {
            *buf = Some(request.into_inner().0);
        }
        self.settle(op, result, was_cancelled)
    }
}

impl Land<SendVectored<Pieces, Fd>> for Compio {
    fn land(
        &mut self,
        mut op: Op,
        BufResult(result, request): BufResult<usize, SendVectored<Pieces, Fd>>,
        was_cancelled: bool,
    ) -> io::Result<()> {
        if let OpKind::Send { bufs } = &mut op.kind {
            *bufs = request.into_inner().0;
        }
        self.settle(op, result, was_cancelled)
    }
}

impl Land<Connect<Fd>> for Compio {
    fn land(
        &mut self,
        op: Op,
        BufResult(result, _request): BufResult<usize, Connect<Fd>>,
        _: bool,
    ) -> io::Result<()> {
        #[cfg(windows)]
        let result = result.and_then(|n| _request.update_context().map(|()| n));
        if result.is_err() {
            self.sockets.fail(op.conn);
        }
        self.finish(op, result);
        Ok(())
    }
}

#[cfg(unix)]
impl Land<compio_driver::op::PollOnce<Fd>> for Compio {
    fn land(
        &mut self,
        mut op: Op,
        BufResult(result, _): BufResult<usize, compio_driver::op::PollOnce<Fd>>,
        was_cancelled: bool,
    ) -> io::Result<()> {
        let received = result.and_then(|_| {
            let fd = self.sockets.socket(op.conn)?.raw_fd();
            let OpKind::Recv { buf, .. } = &mut op.kind else {
                return Err(crate::socket::unsupported());
            };
            match buf {
                Some(buf) => crate::socket::receive(fd, buf),
                None => {
                    let mut fresh = self.pool.take(self.recv_buffer_size);
                    let n = crate::socket::receive(fd, &mut fresh)?;
                    *buf = Some(fresh);
                    Ok(n)
                }
            }
        });
        self.settle(op, received, was_cancelled)
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
