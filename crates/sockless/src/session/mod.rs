//! Transfers by URL, on top of the engine: routes, redirects, bodies from memory.

mod errands;
mod onward;
mod parked;
mod relays;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::Result as IoResult;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use sockless_core::{
    Answer, Buf, ById, Engine, Error, Event, Head, Op, Output, Pool, QuestionId, Route, Stats,
    TransferId,
};

use crate::chain::{self, Surroundings};
use crate::config::Config;
use crate::parties::{Parties, Sides};
use crate::plan;
use crate::redirect;
use crate::request::{Body, Request};
use crate::way::{OwnedWay, Way};

use errands::Errands;
use parked::Parked;
use relays::Relays;

/// Body bytes of a redirect that are read for the connection's sake; beyond, it is closed.
const REDIRECT_BODY: u64 = 64 * 1024;

/// Pieces of a body from memory.
const BODY_PIECE: usize = 64 * 1024;

/// An [`Engine`] that understands URLs.
///
/// It is driven exactly like the engine: [`Session::poll`] until it says
/// [`Output::Wait`], [`Session::complete`] for each operation that is done.
pub struct Session {
    engine: Engine,
    config: Config,
    /// By the engine's id of the current hop.
    jobs: ById<TransferId, Box<Job>>,
    /// The current hop of a transfer that was redirected.
    hops: ById<TransferId, TransferId>,
    /// What carries layers' questions to parties that can be reached, e.g. an agent.
    relays: Relays,
    /// Byte streams and what is on SSH servers, which are no jobs, with the id that the
    /// application knows, if it is another.
    streams: ById<TransferId, Option<TransferId>>,
    /// The last routes, for the next request to the same place.
    routes: HashMap<OwnedWay, Arc<Route>>,
    /// The one that was used last: most requests go where the one before went.
    last_route: Option<(OwnedWay, Arc<Route>)>,
    /// Routes made so far: their numbers.
    ways: u64,
    parties: Parties,
    /// Transfers that wait for errands.
    parked: Parked,
    errands: Errands,
    /// For everything that has to be unpredictable.
    seed: u64,
}

/// Routes kept ready; beyond, all are made anew.
const MAX_ROUTES: usize = 1024;

struct Job {
    request: Request,
    /// The id that the application knows, once it has one.
    id: Option<TransferId>,
    started: Instant,
    /// When all hops together have taken too long.
    deadline: Option<Instant>,
    redirects: u32,
    /// This hop's answer leads on.
    next: Option<Next>,
    sides: Sides,
    discarded: u64,
    body_at: usize,
    body_used: bool,
    /// Anything of this hop's answer has come.
    answered: bool,
    /// This hop starts over on a connection of its own already.
    afresh: bool,
    /// Why we ended it ourselves.
    failure: Option<Error>,
}

/// What follows an answer that is not the last one.
enum Next {
    /// Elsewhere.
    Redirect(u16, url::Url),
    /// The same again, with what the challenge asked for.
    Again,
}

impl Session {
    /// A session at the monotonic time `now`, which is `wall` on the wall clock. `seed`
    /// should be unpredictable ([`Engine::new`]).
    ///
    /// # Errors
    /// The TLS settings cannot be built.
    pub fn new(config: Config, now: Instant, wall: SystemTime, seed: u64) -> Result<Self, Error> {
        let mut config = config.complete()?;
        let limits = config.limits.clone();
        let pool = config.pool.take();
        let pool = pool.unwrap_or_else(|| Pool::new(limits.pooled_memory));
        Ok(Self {
            engine: Engine::with_pool(limits, pool, now, wall, seed),
            config,
            jobs: ById::default(),
            hops: ById::default(),
            relays: Relays::default(),
            streams: ById::default(),
            routes: HashMap::new(),
            last_route: None,
            ways: 0,
            parties: Parties::new(now, wall, seed),
            parked: Parked::default(),
            errands: Errands::default(),
            seed,
        })
    }

    /// Starts a transfer.
    ///
    /// # Errors
    /// The request cannot be sent at all; what goes wrong later arrives as an event.
    pub fn start(&mut self, now: Instant, request: Request) -> Result<TransferId, Error> {
        self.start_for(now, request, false)
    }

    /// Starts a transfer, maybe for an errand: such a one waits for none.
    fn start_for(
        &mut self,
        now: Instant,
        request: Request,
        errand: bool,
    ) -> Result<TransferId, Error> {
        let sides = self.parties.sides(&request)?;
        let total = request.options.timeouts.total;
        let mut job = Box::new(Job {
            request,
            id: None,
            started: now,
            deadline: total.and_then(|total| now.checked_add(total)),
            redirects: 0,
            next: None,
            sides,
            discarded: 0,
            body_at: 0,
            body_used: false,
            answered: false,
            afresh: false,
            failure: None,
        });
        let wanted = self.wanted(&job);
        if self.lacks_any(now, &wanted) {
            if errand {
                return Err(errands::waits_for_itself());
            }
            let id = self.engine.spare_id();
            job.id = Some(id);
            self.park(now, id, job.into(), wanted);
            return Ok(id);
        }
        self.board(now, job).map_err(|(_, error)| error)
    }

    /// Gives a job to the engine; its id is the engine's own, if it has none yet.
    fn board(&mut self, now: Instant, mut job: Box<Job>) -> Result<TransferId, (Box<Job>, Error)> {
        if let Some(deadline) = job.deadline {
            let left = deadline.saturating_duration_since(now);
            job.request.options.timeouts.total = Some(left);
        }
        let hop = match self.add(now, &mut job) {
            Ok(hop) => hop,
            Err(error) => return Err((job, error)),
        };
        let id = *job.id.get_or_insert(hop);
        if id != hop {
            self.hops.insert(id, hop);
        }
        self.jobs.insert(hop, job);
        Ok(id)
    }

    fn add(&mut self, now: Instant, job: &mut Job) -> Result<TransferId, Error> {
        let Job {
            request,
            sides,
            afresh,
            ..
        } = job;
        let proofs = sides.proofs(request, self.parties.at(now), self.engine.pool())?;
        let exchange = plan::exchange(request, sides.forwarded(request), proofs)?;
        let route = self.route(request)?;
        let mut options = request.options.clone();
        options.fresh_connection |= *afresh;
        Ok(self.engine.add(route, Box::new(exchange), options))
    }

    fn route(&mut self, request: &Request) -> Result<Arc<Route>, Error> {
        let way = Way::of(request, self.config.tls.as_ref());
        if let Some((last, route)) = &self.last_route
            && last.as_way() == way
        {
            return Ok(Arc::clone(route));
        }
        let way = way.to_owned();
        let route = self.known_route(&way)?;
        self.last_route = Some((way, Arc::clone(&route)));
        Ok(route)
    }

    /// The route of a way, the same one each time.
    fn known_route(&mut self, way: &OwnedWay) -> Result<Arc<Route>, Error> {
        if let Some(route) = self.routes.get(way) {
            return Ok(Arc::clone(route));
        }
        let route = self.make_route(way)?;
        if self.routes.len() >= MAX_ROUTES {
            self.routes.clear();
        }
        self.routes.insert(way.clone(), Arc::clone(&route));
        Ok(route)
    }

    fn make_route(&mut self, way: &OwnedWay) -> Result<Arc<Route>, Error> {
        self.ways += 1;
        let around = Surroundings {
            resolve: &self.config.resolve,
            tls: self.config.tls.as_ref(),
            seed: self.seed ^ self.ways,
            number: self.ways,
        };
        chain::route(&way.as_way(), &around)
    }

    /// The next thing to do; call it until it says [`Output::Wait`].
    pub fn poll(&mut self, now: Instant) -> Output {
        loop {
            if let Some((id, event)) = self.unpark(now) {
                match self.overheard(id, event) {
                    Some(event) => return Output::Event(id, event),
                    None => continue,
                }
            }
            self.run_errands(now);
            match self.engine.poll(now) {
                Output::Event(hop, event) => {
                    let Some(event) = self.relayed(hop, event) else {
                        continue;
                    };
                    let asks = self.errands.asks(hop) && !self.jobs.contains_key(&hop);
                    // A question by POST is a job like any other.
                    let event = match asks {
                        true => Some((hop, event)),
                        false => self.event(now, hop, event),
                    };
                    if let Some((id, event)) = event
                        && let Some(event) = self.overheard(id, event)
                    {
                        return Output::Event(id, event);
                    }
                }
                Output::Wait(deadline) if !self.errands.is_busy() && !self.parked.is_busy() => {
                    let own = [self.errands.deadline(), self.parked.deadline()];
                    let all = own.into_iter().chain([deadline]).flatten();
                    return Output::Wait(all.min());
                }
                Output::Wait(_) => {}
                other => return other,
            }
        }
    }

    /// Takes a completion; all work happens in [`Session::poll`].
    pub fn complete(&mut self, now: Instant, op: Op, result: IoResult<usize>) {
        self.engine.complete(now, op, result);
    }

    /// Gives request body; see [`Engine::send_body`].
    ///
    /// # Errors
    /// The transfer is gone or did not ask; then the piece comes back.
    pub fn send_body(&mut self, id: TransferId, piece: Buf) -> Result<(), (Error, Buf)> {
        let hop = self.hop(id);
        self.engine.send_body(hop, piece)?;
        if let Some(job) = self.jobs.get_mut(&hop) {
            job.body_used = true;
        }
        Ok(())
    }

    /// Says that the request body is complete.
    ///
    /// # Errors
    /// The transfer is gone.
    pub fn finish_body(&mut self, id: TransferId) -> Result<(), Error> {
        self.engine.finish_body(self.hop(id))
    }

    /// Answers a layer's question; see [`Engine::answer`].
    ///
    /// # Errors
    /// Nobody waits for it (any more).
    pub fn answer(
        &mut self,
        id: TransferId,
        question: QuestionId,
        answer: Answer,
    ) -> Result<(), Error> {
        self.engine.answer(self.hop(id), question, answer)
    }

    /// Holds an answer back; see [`Engine::pause`].
    pub fn pause(&mut self, id: TransferId) {
        self.parked.pause(id, true);
        self.engine.pause(self.hop(id));
    }

    /// Lets a paused transfer go on.
    pub fn resume(&mut self, id: TransferId) {
        self.parked.pause(id, false);
        self.engine.resume(self.hop(id));
    }

    /// Ends a transfer at once; its `Done` event follows.
    pub fn cancel(&mut self, id: TransferId) {
        if self.parked.cancel(id) {
            return;
        }
        let hop = self.hop(id);
        if let Some(job) = self.jobs.get_mut(&hop) {
            job.next = None;
        }
        self.engine.cancel(hop);
    }

    /// Counts, and what is held now.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Where buffers for request bodies come from.
    pub fn pool(&self) -> &Pool {
        self.engine.pool()
    }

    /// Closes all kept connections.
    pub fn close_idle(&mut self) {
        self.engine.close_idle();
    }

    /// The layers of a transfer's connection, bottom first.
    pub fn layers(&self, id: TransferId) -> Vec<&'static str> {
        self.engine.layers(self.hop(id))
    }

    /// Transfers that have not ended.
    pub fn active(&self) -> usize {
        self.jobs.len() + self.streams.len() + self.parked.len()
    }

    /// Whether no transfer is left, and no connection but idle ones: what a farewell
    /// has to send may take a moment longer than the transfer (two seconds at most).
    pub fn is_settled(&self) -> bool {
        let stats = self.engine.stats();
        self.active() == 0
            && self.relays.is_empty()
            && stats.connections == stats.idle
            && stats.closing == 0
    }

    fn hop(&self, id: TransferId) -> TransferId {
        self.hops.get(&id).copied().unwrap_or(id)
    }

    /// Looks at an event of a hop; gives on what concerns the application.
    fn event(
        &mut self,
        now: Instant,
        hop: TransferId,
        event: Event,
    ) -> Option<(TransferId, Event)> {
        let Some(job) = self.jobs.get_mut(&hop) else {
            return Some((self.of_stream(hop, &event), event));
        };
        let id = job.id.unwrap_or(hop);
        job.answered |= matches!(event, Event::Head(_) | Event::Interim(_));
        match event {
            Event::Head(head) => self.head(now, hop, head).map(|event| (id, event)),
            Event::Data(piece) if job.next.is_some() || job.failure.is_some() => {
                job.discarded += piece.len() as u64;
                if job.discarded > REDIRECT_BODY {
                    self.engine.cancel(hop);
                }
                None
            }
            Event::Trailers(_) if job.next.is_some() || job.failure.is_some() => None,
            Event::WantBody { .. } if matches!(job.request.body, Body::Bytes(_)) => {
                self.feed(hop);
                None
            }
            Event::Done { outcome, summary } => self.done(now, hop, outcome, summary),
            other => Some((id, other)),
        }
    }

    fn head(&mut self, now: Instant, hop: TransferId, head: Head) -> Option<Event> {
        let Some(job) = self.jobs.get_mut(&hop) else {
            return Some(Event::Head(head));
        };
        let moment = self.parties.at(now);
        let mut notes = Vec::new();
        let pool = self.engine.pool();
        let heard = job.sides.heard(&head, moment, pool, &mut notes);
        if job.request.options.notes {
            self.parked.tell(job.id.unwrap_or(hop), notes);
        }
        match heard {
            Ok(false) => {}
            Ok(true) => {
                job.next = Some(Next::Again);
                return Some(Event::Challenged { head });
            }
            Err(error) => {
                // Nothing of an answer is shown whose sender is not who it should be.
                job.failure = Some(error);
                self.engine.cancel(hop);
                return None;
            }
        }
        let Some(max) = job.request.redirects.follow else {
            return Some(Event::Head(head));
        };
        match redirect::location(&job.request.url, &head) {
            Ok(None) => Some(Event::Head(head)),
            Ok(Some(_)) if job.redirects >= max => {
                job.failure = Some(redirect::too_many(max));
                self.engine.cancel(hop);
                Some(Event::Head(head))
            }
            Ok(Some(to)) => {
                let location = to.to_string();
                job.next = Some(Next::Redirect(head.code, to));
                Some(Event::Redirect { head, location })
            }
            Err(error) => {
                job.failure = Some(error);
                self.engine.cancel(hop);
                Some(Event::Head(head))
            }
        }
    }

    /// Hands the next piece of a body from memory over.
    fn feed(&mut self, hop: TransferId) {
        let Some(job) = self.jobs.get_mut(&hop) else {
            return;
        };
        let Body::Bytes(bytes) = &job.request.body else {
            return;
        };
        let rest = bytes.get(job.body_at..).unwrap_or_default();
        let step = rest.len().min(BODY_PIECE);
        if step > 0 {
            let mut piece = self.engine.pool().take(step);
            piece.extend_from_slice(&rest[..step]);
            if self.engine.send_body(hop, piece).is_err() {
                return;
            }
            job.body_at += step;
        }
        if job.body_at == bytes.len() {
            // Fails only when the transfer is over: then nobody wants the end.
            let _ = self.engine.finish_body(hop);
        }
    }
}

impl core::fmt::Debug for Session {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Session")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}
