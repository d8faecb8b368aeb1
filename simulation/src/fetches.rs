//! The application: some transfers at once, some of them paused or given up on the way.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use sockless::tls::Client as TlsClient;
use sockless::{
    Body, Event, Limits, Op, Output, Pool, Proxy, Reason, Request, Session, Stats, TransferId,
};
use sockless_sim::Application;

use crate::pattern::{self, Sum};

/// Transfers of one session, and what became of them.
pub struct Fetches {
    session: Session,
    rng: Rng,
    jobs: HashMap<TransferId, Job>,
    /// Jobs that have not ended.
    left: usize,
    /// In order of starting, so that chance meets the same ones each time.
    order: Vec<TransferId>,
    calm: bool,
    /// Nothing tells an early end from a proper one where the length is not said.
    clear: bool,
    proxies: Vec<Proxy>,
    tls: Option<Arc<TlsClient>>,
    next_whim: Option<Instant>,
}

struct Job {
    get: u64,
    put: Option<u64>,
    given: u64,
    got: u64,
    /// What the server said about an upload.
    said: Vec<u8>,
    cancelled: bool,
    outcome: Option<Result<(), sockless::Error>>,
}

/// What is to be transferred.
#[derive(Clone, Copy, Debug)]
pub enum Wish {
    /// Bytes down.
    Get(u64),
    /// Bytes up, from memory.
    Put(u64),
    /// Bytes up, piece by piece; in chunks if the length is not said.
    Stream {
        /// How many.
        bytes: u64,
        /// Whether the length is said.
        sized: bool,
    },
}

impl Fetches {
    /// No transfers yet; `calm`: without whims.
    pub fn new(session: Session, rng: Rng, start: Instant, calm: bool) -> Self {
        Self {
            session,
            rng,
            jobs: HashMap::new(),
            left: 0,
            order: Vec::new(),
            calm,
            clear: false,
            proxies: Vec::new(),
            tls: None,
            next_whim: (!calm).then(|| start + Duration::from_millis(100)),
        }
    }

    /// Without TLS, an end of the connection is the end of an answer that has no length.
    pub fn in_the_clear(mut self) -> Self {
        self.clear = true;
        self
    }

    /// All requests go through these, in this order, and by these TLS settings.
    pub fn through(mut self, proxies: Vec<Proxy>, tls: Arc<TlsClient>) -> Self {
        (self.proxies, self.tls) = (proxies, Some(tls));
        self
    }

    /// Starts one.
    ///
    /// # Errors
    /// The library refuses the request.
    pub fn start(&mut self, now: Instant, origin: &str, wish: Wish) -> Result<(), sockless::Error> {
        let (method, get, put, body) = match wish {
            Wish::Get(n) => ("GET", n, None, Body::Empty),
            Wish::Put(n) => {
                let mut bytes = Vec::new();
                pattern::append(&mut bytes, 0, n);
                ("PUT", 0, Some(n), Body::Bytes(bytes.into()))
            }
            Wish::Stream { bytes, sized: true } => ("PUT", 0, Some(bytes), Body::Sized(bytes)),
            Wish::Stream { bytes, .. } => ("PUT", 0, Some(bytes), Body::Chunked),
        };
        let mut request = Request::new(method, &format!("{origin}/{get}"))?.body(body);
        if !self.calm && put.is_some() && self.rng.bool() {
            request = request.expect_continue(Duration::from_secs(1));
        }
        for proxy in &self.proxies {
            request = request.proxy(proxy.clone());
        }
        if let Some(tls) = &self.tls {
            request = request.tls(Arc::clone(tls));
        }
        let id = self.session.start(now, request)?;
        self.order.push(id);
        self.left += 1;
        let job = Job {
            get,
            put,
            given: 0,
            got: 0,
            said: Vec::new(),
            cancelled: false,
            outcome: None,
        };
        self.jobs.insert(id, job);
        Ok(())
    }

    /// Starts all of them.
    ///
    /// # Panics
    /// If the library refuses what has always worked; the harness reports it with its seed.
    pub fn start_all(&mut self, now: Instant, origin: &str, wishes: Vec<Wish>) {
        for wish in wishes {
            let started = self.start(now, origin, wish);
            started.expect("a request that can be sent");
        }
    }

    fn want_body(&mut self, id: TransferId, room: usize) -> Result<(), String> {
        let Some(job) = self.jobs.get_mut(&id) else {
            return Err("body wanted for nobody".to_owned());
        };
        let left = job.put.unwrap_or(0) - job.given;
        let most = left.min(room as u64);
        let n = if self.calm || most == 0 {
            most
        } else {
            self.rng.u64(1..=most)
        };
        let mut piece = Vec::new();
        pattern::append(&mut piece, job.given, n);
        job.given += n;
        let done = job.given == job.put.unwrap_or(0);
        if n > 0 {
            let given = self.session.send_body(id, piece.into());
            given.map_err(|(error, _)| format!("a body that was asked for: {error}"))?;
        }
        if done {
            let finished = self.session.finish_body(id);
            finished.map_err(|error| format!("the end of a body that was asked for: {error}"))?;
        }
        Ok(())
    }

    fn check(job: &Job, harm: &[&'static str], clear: bool) -> Result<(), String> {
        match &job.outcome {
            None => Err("a transfer has no end".to_owned()),
            Some(Err(_)) if job.cancelled => Ok(()),
            Some(Err(error)) if harm.is_empty() => Err(format!("failed for no reason: {error}")),
            Some(Err(error)) if is_timeout(error) && harm.iter().all(|one| is_told(one)) => {
                Err(format!("waited although the end had been told: {error}"))
            }
            Some(Err(_)) => Ok(()),
            Some(Ok(())) => match job.put {
                None if job.got == job.get || (clear && !harm.is_empty()) => Ok(()),
                None => Err(format!("{} of {} bytes, and no error", job.got, job.get)),
                Some(n) => {
                    let mut all = Vec::new();
                    pattern::append(&mut all, 0, n);
                    let mut sum = Sum::default();
                    sum.add(&all);
                    let expected = sum.to_string();
                    let said = String::from_utf8_lossy(&job.said);
                    let cut = clear && !harm.is_empty() && expected.starts_with(&*said);
                    if said == expected || cut {
                        Ok(())
                    } else {
                        Err(format!("the server got {said}, and should have {expected}"))
                    }
                }
            },
        }
    }
}

impl Application for Fetches {
    fn poll(&mut self, now: Instant) -> Output {
        self.session.poll(now)
    }

    fn complete(&mut self, now: Instant, op: Op, result: io::Result<usize>) {
        self.session.complete(now, op, result);
    }

    fn event(&mut self, _now: Instant, id: TransferId, event: Event) -> Result<(), String> {
        if let Event::WantBody { room } = event {
            return self.want_body(id, room);
        }
        let Some(job) = self.jobs.get_mut(&id) else {
            return Err(format!("an event for nobody: {event:?}"));
        };
        if job.outcome.is_some() {
            return Err(format!("after the end: {event:?}"));
        }
        match event {
            Event::Data(piece) if job.put.is_some() => job.said.extend_from_slice(&piece),
            Event::Data(piece) => {
                if !pattern::is(&piece, job.got) {
                    return Err(format!("wrong bytes from {} on", job.got));
                }
                job.got += piece.len() as u64;
                if job.got > job.get {
                    return Err(format!("{} bytes of {}", job.got, job.get));
                }
                if !self.calm && self.rng.u8(0..12) == 0 {
                    self.session.pause(id);
                }
            }
            Event::Done { outcome, .. } => {
                job.outcome = Some(outcome);
                self.left -= 1;
            }
            _ => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        self.next_whim.filter(|_| self.left > 0)
    }

    /// Whims: paused transfers go on, and now and then one is given up.
    fn woken(&mut self, now: Instant) {
        self.next_whim = Some(now + Duration::from_millis(self.rng.u64(10..2000)));
        for id in &self.order {
            let Some(job) = self.jobs.get_mut(id) else {
                continue;
            };
            if job.outcome.is_none() {
                self.session.resume(*id);
                if self.rng.u8(0..100) == 0 {
                    job.cancelled = true;
                    self.session.cancel(*id);
                }
            }
        }
    }

    fn cancel(&mut self) {
        for id in &self.order {
            if let Some(job) = self.jobs.get_mut(id) {
                job.cancelled = true;
                self.session.cancel(*id);
            }
        }
    }

    fn is_done(&self) -> bool {
        self.left == 0
    }

    fn close(&mut self) {
        self.session.close_idle();
    }

    fn stats(&self) -> Stats {
        self.session.stats()
    }

    fn pool(&self) -> Pool {
        self.session.pool().clone()
    }

    fn verdict(&mut self, harm: &[&'static str]) -> Result<(), String> {
        let mut jobs = self.order.iter().filter_map(|id| self.jobs.get(id));
        jobs.try_for_each(|job| Self::check(job, harm, self.clear))
    }
}

pub(crate) fn is_timeout(error: &sockless::Error) -> bool {
    matches!(
        error.reason(),
        Reason::IdleTimeout | Reason::HandshakeTimeout | Reason::ConnectTimeout
    )
}

/// Harm that the application's side is told of at once: nothing may wait after it.
pub(crate) fn is_told(harm: &str) -> bool {
    ["the connection was reset", "the bytes have ended early"].contains(&harm)
}

/// Limits that meet each other in all ways; `calm`: always the same.
pub fn limits(rng: &mut Rng, calm: bool) -> Limits {
    let mut limits = Limits::default();
    // All that was ever lent has to be seen coming home.
    limits.pooled_memory = usize::MAX;
    if calm {
        // Many operations for a torture, with few bytes.
        (limits.pipe, limits.bulk_recv, limits.max_min) = (16_384, 16_384, 16_384);
        return limits;
    }
    limits.pipe = 1 << rng.u32(10..18);
    limits.bulk_recv = 1 << rng.u32(10..19);
    limits.max_min = [1, 4096, 256 * 1024][rng.usize(0..3)];
    limits.steps_per_turn = rng.usize(1..20);
    limits.connections_per_host = rng.usize(0..4);
    limits.connections = [0, 1, 2, 1000][rng.usize(0..4)];
    limits.idle_connections = rng.usize(0..4);
    limits.idle_keep = Duration::from_millis(rng.u64(1..200_000));
    limits
}
