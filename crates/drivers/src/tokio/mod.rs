//! On tokio's reactor: it says when a socket is ready, and the operation is done then.
//!
//! tokio's sockets tell of readiness, operations want completion. So operations wait here,
//! in one queue for each direction of each socket, and the reactor wakes that queue alone:
//! a round costs as much as has become ready, however many connections idle.
//!
//! ```text
//! submit ── queue of its direction ── the reactor's wake, or fresh ──► tokens
//!                   ▲                                                    │
//!                   └────────── not ready after all ◄── system call ◄────┘
//!                                                           └─► ready ─► wait's `done`
//! ```

mod alone;
mod line;
mod signals;

use core::fmt;
use core::future::{Future, poll_fn};
use core::ops::ControlFlow;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sockless_core::{AsyncDriver, ById, Completion, ConnId, Op, OpId, OpKind, cancelled};
use tokio::runtime::Handle;
use tokio::task::coop::has_budget_remaining;
use tokio::time::{Sleep, sleep_until};

use crate::plain::{Plain, Progress, Wait};
use crate::resolver::{self, Resolver};
use crate::{DriverConfig, Waker, socket};
use line::{Line, Lines};
use signals::{Signals, Token, Way};

pub use alone::TokioAlone;

/// How soon a connect is tried again where the system cannot say when it would work:
/// a unix socket whose queue of connections is full.
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// A driver on tokio's reactor, for programs that live on tokio: no thread of its own but
/// the resolver's, and every system call happens in the task that awaits it.
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// use sockless_core::AsyncDriver;
///
/// let mut driver = sockless_drivers::Tokio::new()?;
/// let mut done = Vec::new();
/// // driver.submit(op);
/// driver.wait(Some(driver.now()), &mut done).await?;
/// # Ok(())
/// # }
/// ```
pub struct Tokio {
    /// Before the sockets: the reactor lets go of a descriptor before it is closed.
    lines: Lines,
    plain: Plain,
    /// What waits for nothing that could be watched.
    rest: Vec<Op>,
    /// Where the operations that have not come back are.
    places: ById<u64, Place>,
    /// Queues to look at in the next round.
    tokens: VecDeque<Token>,
    ready: Vec<Completion>,
    signals: Arc<Signals>,
    resolver: Resolver,
    alarm: Pin<Box<Sleep>>,
    runtime: Handle,
}

/// Where an operation waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Line(Token),
    Name,
    Soon,
}

impl Tokio {
    /// A driver with the default configuration, on the runtime that this is called on.
    ///
    /// # Errors
    /// As [`Tokio::with_config`].
    ///
    /// # Panics
    /// As [`Tokio::with_config`].
    pub fn new() -> io::Result<Self> {
        Self::with_config(DriverConfig::default())
    }

    /// A driver with that configuration, on the runtime that this is called on.
    ///
    /// # Errors
    /// It is not called on a tokio runtime.
    ///
    /// # Panics
    /// The runtime was built without `enable_time`; the first connection, if it was built
    /// without `enable_io`. tokio gives no way to ask.
    pub fn with_config(config: DriverConfig) -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let signals = Arc::new(Signals::default());
        let alarm = {
            let _inside = runtime.enter();
            Box::pin(sleep_until(Instant::now().into()))
        };
        Ok(Self {
            lines: Lines::default(),
            plain: Plain::new(config.pool, config.recv_buffer_size),
            rest: Vec::new(),
            places: ById::default(),
            tokens: VecDeque::new(),
            ready: Vec::new(),
            resolver: Resolver::new(signals.announcer(), config.lookup),
            signals,
            alarm,
            runtime,
        })
    }

    /// The descriptor of a connection's socket, for options that no operation sets.
    ///
    /// It is valid until the connection's `Close`; closing it elsewhere is a mistake.
    pub fn raw_fd(&self, conn: ConnId) -> Option<RawFd> {
        self.plain.sockets.raw_fd(conn)
    }

    /// A handle that ends the current `wait`, or the next one if none is running.
    pub fn waker(&self) -> Waker {
        self.signals.waker()
    }

    fn start(&mut self, op: &Op) -> io::Result<Progress> {
        let progress = match &op.kind {
            OpKind::Resolve { host, port, .. } => {
                let host = Arc::clone(host);
                self.resolver.ask(op.id.as_u64(), host, *port)?;
                Progress::Waits(Wait::Name)
            }
            OpKind::Close => Progress::Done(self.close(op.conn)?),
            kind => self.plain.begin(op.conn, kind)?,
        };
        let is_connecting = matches!(op.kind, OpKind::Connect { .. });
        if is_connecting && !matches!(progress, Progress::Waits(Wait::Soon)) {
            self.watch(op.conn)?;
        }
        Ok(progress)
    }

    /// Gives a socket that is connected, or on its way to be, to the reactor.
    fn watch(&mut self, conn: ConnId) -> io::Result<()> {
        let socket = self.plain.sockets.socket(conn)?;
        let _inside = self.runtime.enter();
        let (fd, is_stream) = (socket.raw_fd(), socket.is_stream());
        // SAFETY: it is closed by `fail`, by `close` or with the driver, each time after its line.
        let line = unsafe { Line::new(conn, fd, is_stream, &self.signals) }?;
        self.lines.insert(line);
        Ok(())
    }

    /// What became of an operation: it waits on, or comes back.
    fn settle(&mut self, op: Op, progress: io::Result<Progress>) {
        let place = match progress {
            Ok(Progress::Waits(Wait::Readable)) => Place::Line(Token::new(op.conn, Way::In)),
            Ok(Progress::Waits(Wait::Writable)) => Place::Line(Token::new(op.conn, Way::Out)),
            Ok(Progress::Waits(Wait::Name)) => Place::Name,
            Ok(Progress::Waits(Wait::Soon)) => Place::Soon,
            Ok(Progress::Done(n)) => return self.finish(op, Ok(n)),
            Err(error) => {
                if matches!(op.kind, OpKind::Connect { .. }) {
                    self.fail(op.conn);
                }
                return self.finish(op, Err(error));
            }
        };
        self.places.insert(op.id.as_u64(), place);
        match place {
            Place::Line(token) => match self.lines.queue(token) {
                Some(queue) => {
                    queue.push_back(op);
                    self.tokens.push_back(token);
                }
                None => self.finish(op, Err(io::ErrorKind::NotConnected.into())),
            },
            Place::Name | Place::Soon => self.rest.push(op),
        }
    }

    fn finish(&mut self, op: Op, result: io::Result<usize>) {
        self.places.remove(&op.id.as_u64());
        self.ready.push(Completion { op, result });
    }

    /// The connect of `conn` has failed; only its `Close` is left.
    fn fail(&mut self, conn: ConnId) {
        drop(self.lines.remove(conn));
        self.plain.sockets.fail(conn);
    }

    /// Closes a socket, and ends what waits for it.
    fn close(&mut self, conn: ConnId) -> io::Result<usize> {
        let line = self.lines.remove(conn);
        let mut ended: Vec<Op> = line.map(Line::into_ops).unwrap_or_default();
        let places = &self.places;
        let orphaned =
            |op: &mut Op| op.conn == conn && places.get(&op.id.as_u64()) == Some(&Place::Soon);
        ended.extend(self.rest.extract_if(.., orphaned));
        let closed = self.plain.sockets.close(conn)?;
        for op in ended {
            self.finish(op, Err(cancelled()));
        }
        Ok(closed)
    }

    /// Takes an operation from where it waits.
    fn take(&mut self, id: OpId) -> Option<Op> {
        let ops = match *self.places.get(&id.as_u64())? {
            Place::Line(token) => {
                let queue = self.lines.queue(token)?;
                let at = queue.iter().position(|op| op.id == id)?;
                return queue.remove(at);
            }
            Place::Name | Place::Soon => &mut self.rest,
        };
        let at = ops.iter().position(|op| op.id == id)?;
        Some(ops.swap_remove(at))
    }

    /// Does what can be done now, and asks to be woken for the rest.
    fn round(&mut self, cx: &Context<'_>) {
        let answered = self.signals.collect(cx.waker(), &mut self.tokens);
        // Without budget the reactor would say that nothing is ready, and forget that we asked
        // when a `block_on` of our own ends.
        while has_budget_remaining()
            && let Some(token) = self.tokens.pop_front()
        {
            while self.serve(token).is_continue() {}
        }
        if !self.tokens.is_empty() {
            // It is others' turn first.
            cx.waker().wake_by_ref();
        }
        if answered {
            for answer in self.resolver.take_answers() {
                if let Some(op) = self.take(OpId::from_u64(answer.ticket)) {
                    let Completion { op, result } = resolver::completion(op, answer.found);
                    self.finish(op, result);
                }
            }
        }
    }

    /// Does the first operation of a queue, if the reactor says that it is time.
    fn serve(&mut self, token: Token) -> ControlFlow<()> {
        if !has_budget_remaining() {
            self.tokens.push_front(token);
            return ControlFlow::Break(());
        }
        let Some(line) = self.lines.line(token) else {
            return ControlFlow::Break(());
        };
        let progress = match line.first_if_ready(token.way) {
            Poll::Pending => return ControlFlow::Break(()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(first)) => {
                let (conn, wait) = (first.op.conn, token.way.wait());
                let progress = self.plain.perform(conn, &mut first.op.kind, wait);
                if let Ok(Progress::Waits(_)) = progress {
                    first.not_ready();
                    return ControlFlow::Continue(());
                }
                first.done(&progress);
                progress
            }
        };
        if let Some(op) = self.lines.queue(token).and_then(|queue| queue.pop_front()) {
            self.settle(op, progress);
        }
        ControlFlow::Continue(())
    }

    /// Tries connects again for which there is nothing to watch.
    fn try_again(&mut self) {
        let places = &self.places;
        let soon = |op: &mut Op| places.get(&op.id.as_u64()) == Some(&Place::Soon);
        let again: Vec<Op> = self.rest.extract_if(.., soon).collect();
        for mut op in again {
            let mut progress = self.plain.perform(op.conn, &mut op.kind, Wait::Soon);
            if !matches!(progress, Ok(Progress::Waits(Wait::Soon)) | Err(_)) {
                progress = self.watch(op.conn).and(progress);
            }
            self.settle(op, progress);
        }
    }

    fn has_soon(&self) -> bool {
        let soon = |op: &Op| self.places.get(&op.id.as_u64()) == Some(&Place::Soon);
        self.rest.iter().any(soon)
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        loop {
            self.round(cx);
            let now = Instant::now();
            let past = deadline.is_some_and(|deadline| deadline <= now);
            if !self.ready.is_empty() || self.signals.take_asked() || past {
                return Poll::Ready(());
            }
            let soon = self.has_soon().then(|| now + TRY_AGAIN);
            let Some(next) = deadline.into_iter().chain(soon).min() else {
                return Poll::Pending;
            };
            // An alarm that is too early is cheaper than setting it anew each time.
            let set = self.alarm.deadline().into_std();
            if set > next || set <= now {
                self.alarm.as_mut().reset(next.into());
            }
            match self.alarm.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => self.try_again(),
            }
        }
    }
}

#[async_trait]
impl AsyncDriver for Tokio {
    fn submit(&mut self, op: Op) {
        if self.places.contains_key(&op.id.as_u64()) {
            let result = Err(socket::invalid("an operation of that id is in flight"));
            self.ready.push(Completion { op, result });
        } else {
            let progress = self.start(&op);
            self.settle(op, progress);
        }
    }

    fn cancel(&mut self, id: OpId) {
        let Some(op) = self.take(id) else {
            return;
        };
        match op.kind {
            OpKind::Resolve { .. } => self.resolver.forget(id.as_u64()),
            OpKind::Connect { .. } => self.fail(op.conn),
            _ => {}
        }
        self.finish(op, Err(cancelled()));
    }

    /// Returns early, without a completion, when a [`Waker`] was used.
    async fn wait(
        &mut self,
        deadline: Option<Instant>,
        done: &mut Vec<Completion>,
    ) -> io::Result<()> {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            // Whoever does not wait still wants to know what has come meanwhile.
            tokio::task::yield_now().await;
        }
        // What is done stays here until a poll that ends the wait, so the future may be
        // dropped at any time.
        poll_fn(|cx| self.poll_wait(cx, deadline)).await;
        done.append(&mut self.ready);
        Ok(())
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

impl fmt::Debug for Tokio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokio")
            .field("in_flight", &self.places.len())
            .finish_non_exhaustive()
    }
}
