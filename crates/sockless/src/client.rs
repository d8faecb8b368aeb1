//! `async`/`await` on any runtime, over the object-safe driver trait.

use core::future::Future;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_channel::oneshot;
use futures_core::Stream;
use sockless_core::{
    AsyncDriver, Buf, Completion, Culprit, Error, Event, Fault, Head, Output, Reason, Summary,
    TransferId,
};

use crate::outgoing::Outgoing;
use crate::request::Body;
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
    /// The next ticket, for all clones.
    tickets: Arc<AtomicU64>,
}

/// A call's name before it has a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ticket(u64);

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
pub(crate) enum Command {
    Start {
        request: Box<Request>,
        ticket: Ticket,
        reply: oneshot::Sender<Result<Incoming, Error>>,
        /// Where pieces of the body are asked for.
        wants: Option<UnboundedSender<()>>,
        /// For the answer: the worker itself keeps no way to reach itself.
        handle: UnboundedSender<Self>,
    },
    /// Nobody waits for the head any more.
    Abandon(Ticket),
    Body(Ticket, Buf),
    BodyEnd {
        ticket: Ticket,
        complete: bool,
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
            tickets: HashMap::new(),
            closed: false,
        };
        let tickets = Arc::default();
        (Self { commands, tickets }, worker.run())
    }

    /// Sends a request whose body, if any, is in memory; comes back with the answer's head.
    /// Dropping the future ends the transfer.
    ///
    /// # Errors
    /// The transfer failed before there was a head; [`Reason::Misuse`] for a body that has
    /// to be asked for, which is [`Client::upload`]'s.
    pub async fn send(&self, request: Request) -> Result<Incoming, Error> {
        if request.is_asked_for_body() {
            return Err(unfed("Client::upload takes such a body piece by piece"));
        }
        self.start(request, None)?.answer().await
    }

    /// Starts a request with [`Body::Sized`] or [`Body::Chunked`]: gives the way for its
    /// body, and a future that comes back with the answer's head. Dropping that future
    /// ends the transfer; an answer may come before the whole body is given.
    ///
    /// ```
    /// # async fn example(client: sockless::Client) -> Result<(), sockless::Error> {
    /// use sockless::{Body, Buf, Request};
    ///
    /// let request = Request::new("PUT", "https://example.com/file")?.body(Body::Chunked);
    /// let (mut body, answer) = client.upload(request)?;
    /// if body.send(Buf::from(&b"a piece"[..])).await {
    ///     body.finish();
    /// }
    /// let answer = answer.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Reason::Misuse`]: the request has no such body, or the client's work is gone.
    pub fn upload(
        &self,
        mut request: Request,
    ) -> Result<
        (
            Outgoing,
            impl Future<Output = Result<Incoming, Error>> + Send + use<>,
        ),
        Error,
    > {
        if !request.is_asked_for_body() {
            let what = "the request has no body that could be asked for";
            return Err(Fault::new(Culprit::Misuse, Reason::Misuse, what)
                .remedy("give it Body::Sized or Body::Chunked, or use Client::send")
                .at("client"));
        }
        // What has gone through the channel is gone.
        request.rewindable = false;
        let (asks, wants) = unbounded();
        let pending = self.start(request, Some(asks))?;
        let outgoing = Outgoing::new(pending.ticket, wants, self.commands.clone());
        Ok((outgoing, pending.answer()))
    }

    fn start(
        &self,
        request: Request,
        wants: Option<UnboundedSender<()>>,
    ) -> Result<Pending, Error> {
        let (reply, answer) = oneshot::channel();
        let ticket = Ticket(self.tickets.fetch_add(1, Ordering::Relaxed));
        let start = Command::Start {
            request: Box::new(request),
            ticket,
            reply,
            wants,
            handle: self.commands.clone(),
        };
        self.commands.unbounded_send(start).map_err(|_| gone())?;
        Ok(Pending {
            ticket,
            answer: Some(answer),
            commands: self.commands.clone(),
        })
    }
}

/// A call that has no head yet; dropping it ends its transfer.
struct Pending {
    ticket: Ticket,
    answer: Option<oneshot::Receiver<Result<Incoming, Error>>>,
    commands: UnboundedSender<Command>,
}

impl Pending {
    async fn answer(mut self) -> Result<Incoming, Error> {
        let Some(answer) = &mut self.answer else {
            return Err(gone());
        };
        let answered = answer.await;
        self.answer = None;
        answered.map_err(|_| gone())?
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.answer.is_some() {
            let _ = self.commands.unbounded_send(Command::Abandon(self.ticket));
        }
    }
}

/// The pieces as a stream; it ends after the first error. What is not taken is not received
/// either, but for a few pieces: the transfer is paused.
impl Stream for Incoming {
    type Item = Result<Buf, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_piece(cx).map(Result::transpose)
    }
}

impl Incoming {
    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// The transfer failed.
    pub async fn next(&mut self) -> Result<Option<Buf>, Error> {
        poll_fn(|cx| self.poll_piece(cx)).await
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Buf>, Error>> {
        if self.summary.is_some() {
            return Poll::Ready(Ok(None));
        }
        let piece = ready!(Pin::new(&mut self.pieces).poll_next(cx));
        Poll::Ready(match piece {
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
        })
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.summary.is_none() {
            let _ = self.commands.unbounded_send(Command::Drop(self.id));
        }
    }
}

pub(crate) async fn receive<T>(channel: &mut UnboundedReceiver<T>) -> Option<T> {
    poll_fn(|cx| Pin::new(&mut *channel).poll_next(cx)).await
}

/// A body that nobody would be asked for.
pub(crate) fn unfed(remedy: &'static str) -> Error {
    let what = "the request's body has to be asked for, and there is nobody to ask";
    Fault::new(Culprit::Misuse, Reason::Misuse, what)
        .remedy(remedy)
        .at("client")
}

fn gone() -> Error {
    let what = "the client's work was dropped";
    Fault::new(Culprit::Misuse, Reason::Misuse, what)
        .remedy("spawn the future that Client::new gives, and keep it running")
        .at("client")
}

struct Call {
    ticket: Ticket,
    wants: Option<UnboundedSender<()>>,
    /// Its body has no announced end: one that breaks off must not look whole.
    chunked: bool,
    /// The answer wants no more of the body.
    refused: bool,
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
    tickets: HashMap<Ticket, TransferId>,
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
                ticket,
                reply,
                wants,
                handle,
            } => {
                let chunked = matches!(request.body, Body::Chunked);
                match self.session.start(self.driver.now(), *request) {
                    Ok(id) => {
                        let (pieces, reader) = unbounded();
                        let call = Call {
                            ticket,
                            wants,
                            chunked,
                            refused: false,
                            reply: Some(reply),
                            pieces,
                            reader: Some((reader, handle)),
                            queued: 0,
                        };
                        self.tickets.insert(ticket, id);
                        self.calls.insert(id, call);
                    }
                    // A caller that is gone does not want to know.
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
            Command::Abandon(ticket) => {
                // With the head the answer has become somebody's: then that one is dropped.
                if let Some((id, _)) = self.find(ticket).filter(|(_, call)| call.reply.is_some()) {
                    self.session.cancel(id);
                }
            }
            Command::Body(ticket, piece) => {
                if let Some((id, _)) = self.find(ticket) {
                    // It fails for a transfer that is over only, and that says so itself.
                    drop(self.session.send_body(id, piece));
                }
            }
            Command::BodyEnd { ticket, complete } => self.body_end(ticket, complete),
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

    fn find(&self, ticket: Ticket) -> Option<(TransferId, &Call)> {
        let id = *self.tickets.get(&ticket)?;
        Some((id, self.calls.get(&id)?))
    }

    fn body_end(&mut self, ticket: Ticket, complete: bool) {
        let Some((id, call)) = self.find(ticket) else {
            return;
        };
        if complete || !call.chunked {
            // Where the announced length is not reached, the transfer says so.
            drop(self.session.finish_body(id));
        } else if !call.refused {
            self.session.cancel(id);
        }
    }

    fn event(&mut self, id: TransferId, event: Event) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match event {
            Event::Head(head) => {
                call.refused = head.code >= 300;
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
            Event::WantBody { .. } => {
                // A way that is dropped has ended the body already.
                if let Some(wants) = &call.wants {
                    let _ = wants.unbounded_send(());
                }
            }
            Event::Done { outcome, summary } => {
                let Some(call) = self.calls.remove(&id) else {
                    return;
                };
                self.tickets.remove(&call.ticket);
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
