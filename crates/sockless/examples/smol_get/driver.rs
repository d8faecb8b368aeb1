//! A driver on smol's sockets, for TCP: something to copy for a runtime of your own.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use async_trait::async_trait;
use smol::{Async, Timer};
use sockless::{AsyncDriver, Buf, Completion, ConnId, Endpoint, Op, OpId, OpKind};

/// Memory for receives that come without any, in bytes.
const ROOM: usize = 16 * 1024;

/// Sockets, and the operations that wait for them.
#[derive(Default)]
pub(crate) struct Smol {
    sockets: HashMap<ConnId, Async<TcpStream>>,
    waiting: Vec<Waiting>,
    ready: Vec<Completion>,
}

/// An operation, and what it waits for where that is no socket.
struct Waiting {
    op: Op,
    work: Option<Work>,
}

type Task<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

enum Work {
    Resolve(Task<Vec<IpAddr>>),
    Connect(Task<Async<TcpStream>>),
}

impl Smol {
    /// Goes on with one operation. An operation stays ours until it is done: nothing that
    /// owns its memory is ever dropped half way.
    fn poll_one(&mut self, cx: &mut Context<'_>, at: usize) -> Poll<io::Result<usize>> {
        let Waiting { op, work } = &mut self.waiting[at];
        match (&mut op.kind, work) {
            (OpKind::Resolve { found, .. }, Some(Work::Resolve(task))) => {
                found.extend(ready!(task.as_mut().poll(cx))?);
                Poll::Ready(Ok(found.len()))
            }
            (OpKind::Connect { .. }, Some(Work::Connect(task))) => {
                let socket = ready!(task.as_mut().poll(cx))?;
                self.sockets.insert(op.conn, socket);
                Poll::Ready(Ok(0))
            }
            (kind, _) => match self.sockets.get(&op.conn) {
                Some(socket) => poll_socket(cx, socket, kind),
                None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            },
        }
    }

    fn poll_all(&mut self, cx: &mut Context<'_>) {
        for at in (0..self.waiting.len()).rev() {
            if let Poll::Ready(result) = self.poll_one(cx, at) {
                let op = self.waiting.swap_remove(at).op;
                self.ready.push(Completion { op, result });
            }
        }
    }
}

/// Does what an operation on a socket asks for, once the socket is ready.
fn poll_socket(
    cx: &mut Context<'_>,
    socket: &Async<TcpStream>,
    kind: &mut OpKind,
) -> Poll<io::Result<usize>> {
    loop {
        let done = match kind {
            OpKind::Recv { buf, .. } => {
                ready!(socket.poll_readable(cx))?;
                let mut room = buf.take().unwrap_or_else(|| Buf::with_capacity(ROOM));
                let received = socket.get_ref().read(room.spare_mut());
                *buf = Some(room);
                received
            }
            OpKind::Send { bufs } => {
                ready!(socket.poll_writable(cx))?;
                let pieces: Vec<_> = bufs.iter().map(|buf| io::IoSlice::new(buf)).collect();
                socket.get_ref().write_vectored(&pieces)
            }
            OpKind::Shutdown => {
                let shut = socket.get_ref().shutdown(Shutdown::Write);
                return Poll::Ready(shut.map(|()| 0));
            }
            _ => return Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        };
        match done {
            // It was not ready after all: the next poll says when.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
    }
}

#[async_trait]
impl AsyncDriver for Smol {
    fn submit(&mut self, op: Op) {
        let work = match &op.kind {
            OpKind::Resolve { host, port, .. } => {
                let at = (host.to_string(), *port);
                Some(Work::Resolve(Box::pin(async move {
                    let found = smol::net::resolve(at).await?;
                    Ok(found.into_iter().map(|addr| addr.ip()).collect())
                })))
            }
            OpKind::Connect {
                to: Endpoint::Tcp(addr),
                ..
            } => Some(Work::Connect(Box::pin(Async::<TcpStream>::connect(*addr)))),
            OpKind::Close => {
                self.sockets.remove(&op.conn);
                let result = Ok(0);
                return self.ready.push(Completion { op, result });
            }
            _ => None,
        };
        self.waiting.push(Waiting { op, work });
    }

    fn cancel(&mut self, id: OpId) {
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.op.id == id) {
            let op = self.waiting.swap_remove(at).op;
            let result = Err(sockless::core::cancelled());
            self.ready.push(Completion { op, result });
        }
    }

    async fn wait(
        &mut self,
        deadline: Option<Instant>,
        done: &mut Vec<Completion>,
    ) -> io::Result<()> {
        let mut alarm = deadline.map_or_else(Timer::never, Timer::at);
        poll_fn(|cx| {
            self.poll_all(cx);
            if self.ready.is_empty() {
                Pin::new(&mut alarm).poll(cx).map(drop)
            } else {
                Poll::Ready(())
            }
        })
        .await;
        done.append(&mut self.ready);
        Ok(())
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}
