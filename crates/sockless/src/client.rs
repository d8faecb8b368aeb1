//! `async`/`await` on any runtime, over the object-safe driver trait.

use core::future::Future;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use std::collections::HashMap;
use std::io;
use std::time::Instant;

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_channel::oneshot;
use futures_core::Stream;
use sockless_core::{
    AsyncDriver, Buf, Completion, Culprit, Error, Event, Fault, Head, Output, Reason, Summary,
    TransferId,
};

use crate::{Request, Session};

/// Pieces of a body that wait for their reader before the transfer is paused.
const QUEUED_PIECES: usize = 16;

/// A handle for starting transfers from any task; cheap to clone.
///
/// [`Client::new`] also gives a future that does the work: spawn it on the runtime.
/// It ends when all clients and answers are gone.
///
/// ```
/// # async fn example(session: sockless::Session, driver: Box<dyn sockless::AsyncDriver>)
/// # -> Result<(), sockless::Error> {
/// let (client, work) = sockless::Client::new(session, driver);
/// // spawn(work);
/// # drop(work);
/// let mut answer = client.send(sockless::Request::get("https://example.com/")?).await?;
/// while let Some(piece) = answer.next().await? {
///     println!("{} bytes", piece.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    commands: UnboundedSender<Command>,
}

/// An answer whose body is still coming. Dropping it ends the transfer.
#[derive(Debug)]
pub struct Incoming {
    /// Status and header fields.
    pub head: Head,
    /// How the transfer ended, once [`Incoming::next`] has given `None`.
    pub summary: Option<Box<Summary>>,
    id: TransferId,
    pieces: UnboundedReceiver<Piece>,
    commands: UnboundedSender<Command>,
    since_resume: usize,
}

#[derive(Debug)]
enum Command {
    Start {
        request: Box<Request>,
        reply: oneshot::Sender<Result<Incoming, Error>>,
        /// For the answer: the worker itself keeps no way to reach itself.
        handle: UnboundedSender<Self>,
    },
    Taken(TransferId, usize),
    Drop(TransferId),
}

#[derive(Debug)]
enum Piece {
    Data(Buf),
    Done(Result<(), Error>, Box<Summary>),
}

impl Client {
    /// A client, and the future that does its work on `driver`.
    pub fn new(
        session: Session,
        driver: Box<dyn AsyncDriver>,
    ) -> (Self, impl Future<Output = io::Result<()>> + Send) {
        let (commands, inbox) = unbounded();
        let worker = Worker {
            session,
            driver,
            inbox,
            calls: HashMap::new(),
            closed: false,
        };
        (Self { commands }, worker.run())
    }

    /// Sends a request whose body, if any, is in memory; comes back with the answer's head.
    ///
    /// # Errors
    /// The transfer failed before there was a head.
    pub async fn send(&self, request: Request) -> Result<Incoming, Error> {
        let (reply, answer) = oneshot::channel();
        let handle = self.commands.clone();
        let start = Command::Start {
            request: Box::new(request),
            reply,
            handle,
        };
        self.commands.unbounded_send(start).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Incoming {
    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// The transfer failed.
    pub async fn next(&mut self) -> Result<Option<Buf>, Error> {
        if self.summary.is_some() {
            return Ok(None);
        }
        match receive(&mut self.pieces).await {
            Some(Piece::Data(piece)) => {
                self.since_resume += 1;
                if self.since_resume >= QUEUED_PIECES / 2 {
                    let taken = core::mem::take(&mut self.since_resume);
                    // A worker that is gone says so at the next receive.
                    let _ = self.commands.unbounded_send(Command::Taken(self.id, taken));
                }
                Ok(Some(piece))
            }
            Some(Piece::Done(outcome, summary)) => {
                self.summary = Some(summary);
                outcome.map(|()| None)
            }
            None => Err(gone()),
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.summary.is_none() {
            let _ = self.commands.unbounded_send(Command::Drop(self.id));
        }
    }
}

async fn receive<T>(channel: &mut UnboundedReceiver<T>) -> Option<T> {
    poll_fn(|cx| Pin::new(&mut *channel).poll_next(cx)).await
}

fn gone() -> Error {
    let what = "the client's work was dropped";
    Fault::new(Culprit::Misuse, Reason::Misuse, what)
        .remedy("spawn the future that Client::new gives, and keep it running")
        .at("client")
}

struct Call {
    reply: Option<oneshot::Sender<Result<Incoming, Error>>>,
    pieces: UnboundedSender<Piece>,
    /// What the caller takes over together with the head.
    reader: Option<(UnboundedReceiver<Piece>, UnboundedSender<Command>)>,
    queued: usize,
}

struct Worker {
    session: Session,
    driver: Box<dyn AsyncDriver>,
    inbox: UnboundedReceiver<Command>,
    calls: HashMap<TransferId, Call>,
    /// No client and no answer is left.
    closed: bool,
}

impl Worker {
    async fn run(mut self) -> io::Result<()> {
        let mut done = Vec::new();
        loop {
            match self.session.poll(self.driver.now()) {
                Output::Submit(op) => self.driver.submit(op),
                Output::Cancel(id) => self.driver.cancel(id),
                Output::Event(id, event) => self.event(id, event),
                Output::Wait(_) if self.closed && self.session.is_settled() => return Ok(()),
                Output::Wait(deadline) => {
                    match self.wait(deadline, &mut done).await? {
                        Woken::Driver => {}
                        Woken::Closed => self.closed = true,
                        Woken::Command(command) => self.command(command),
                    }
                    for Completion { op, result } in done.drain(..) {
                        self.session.complete(self.driver.now(), op, result);
                    }
                }
                _ => {}
            }
        }
    }

    /// Waits for the driver or a command, whichever is first.
    async fn wait(
        &mut self,
        deadline: Option<Instant>,
        done: &mut Vec<Completion>,
    ) -> io::Result<Woken> {
        let (inbox, closed) = (&mut self.inbox, self.closed);
        let mut wait = self.driver.wait(deadline, done);
        poll_fn(|cx| {
            if !closed && let Poll::Ready(command) = Pin::new(&mut *inbox).poll_next(cx) {
                return Poll::Ready(Ok(command.map_or(Woken::Closed, Woken::Command)));
            }
            wait.as_mut().poll(cx).map_ok(|()| Woken::Driver)
        })
        .await
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Start {
                request,
                reply,
                handle,
            } => {
                match self.session.start(self.driver.now(), *request) {
                    Ok(id) => {
                        let (pieces, reader) = unbounded();
                        let reader = Some((reader, handle));
                        let call = Call {
                            reply: Some(reply),
                            pieces,
                            reader,
                            queued: 0,
                        };
                        self.calls.insert(id, call);
                    }
                    // A caller that is gone does not want to know.
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
            Command::Taken(id, pieces) => {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.queued = call.queued.saturating_sub(pieces);
                    if call.queued < QUEUED_PIECES {
                        self.session.resume(id);
                    }
                }
            }
            Command::Drop(id) => self.session.cancel(id),
        }
    }

    fn event(&mut self, id: TransferId, event: Event) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match event {
            Event::Head(head) => {
                let (Some(reply), Some((pieces, commands))) =
                    (call.reply.take(), call.reader.take())
                else {
                    return;
                };
                let answer = Incoming {
                    head,
                    summary: None,
                    id,
                    pieces,
                    commands,
                    since_resume: 0,
                };
                // The answer comes back when the caller is gone; dropping it cancels.
                drop(reply.send(Ok(answer)));
            }
            Event::Data(piece) => {
                call.queued += 1;
                if call.queued >= QUEUED_PIECES {
                    self.session.pause(id);
                }
                // A reader that is gone has sent Drop already.
                let _ = call.pieces.unbounded_send(Piece::Data(piece));
            }
            Event::WantBody { .. } => self.session.cancel(id),
            Event::Done { outcome, summary } => {
                let Some(call) = self.calls.remove(&id) else {
                    return;
                };
                match (call.reply, outcome) {
                    (Some(reply), Err(error)) => drop(reply.send(Err(error))),
                    (_, outcome) => {
                        let _ = call.pieces.unbounded_send(Piece::Done(outcome, summary));
                    }
                }
            }
            _ => {}
        }
    }
}

/// What ended a wait.
enum Woken {
    Driver,
    Command(Command),
    Closed,
}
