//! The application of Kerberos: downloads from services that want to know who asks and have to
//! prove who they are, beside plain ones that have nothing to do with it.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use fastrand::Rng;
use sockless::{
    Auth, Body, Error, Event, Head, Op, Output, Pool, Request, Session, Stats, TransferId,
};
use sockless_sim::Application;

use crate::fetches::{is_timeout, is_told};
use crate::http::{DENIED, ELSEWHERE, FALSE};
use crate::krb::{Ledger, Shared, UNPROVEN};
use crate::pattern;
use crate::world::HOST;

/// So long a transfer may take to fail, from its start, on a network that does no harm: some KDCs
/// asked in vain, and the slowest network in between.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a failure must speak of.
const NAMES: [&str; 8] = [
    "Kerberos",
    "SPNEGO",
    "kerberos",
    "KDC",
    "KRB",
    "ticket",
    "security context",
    "proof",
];

/// Downloads with and without Kerberos, and what became of them.
pub struct Logins {
    session: Session,
    rng: Rng,
    auth: Auth,
    ledger: Shared<Ledger>,
    /// What has to hold in the end.
    terms: Terms,
    jobs: BTreeMap<TransferId, Job>,
    left: usize,
    /// Started when their time comes.
    later: Vec<(Instant, Wish)>,
    now: Instant,
    next_whim: Option<Instant>,
}

/// What is to be expected of a run.
#[derive(Clone, Debug)]
pub struct Terms {
    /// No whims.
    pub calm: bool,
    /// Services that no ticket can come for: something is wrong from the start.
    pub hopeless: Vec<&'static str>,
    /// Services that no ticket must come for: nothing can be one that KDCs say.
    pub barred: Vec<&'static str>,
    /// Tickets last longer than the run, so that each is fetched once.
    pub once: bool,
}

/// What is to be transferred.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// From or to whom; all but [`HOST`] want Kerberos.
    pub host: &'static str,
    /// To it.
    pub up: bool,
    /// How many bytes.
    pub bytes: u64,
}

impl Wish {
    /// Bytes from that host.
    pub fn get(host: &'static str, bytes: u64) -> Self {
        Self {
            host,
            up: false,
            bytes,
        }
    }

    fn is_guarded(self) -> bool {
        self.host != HOST
    }
}

struct Job {
    wish: Wish,
    got: u64,
    /// Where its bytes are in the pattern.
    from: u64,
    /// Kerberos was asked for.
    challenged: bool,
    /// The answer's code.
    code: u16,
    /// A refusal, or what is said about an upload.
    said: Vec<u8>,
    cancelled: bool,
    began: Instant,
    ended: Instant,
    outcome: Option<Result<(), Error>>,
}

impl Logins {
    /// No transfers yet.
    pub fn new(
        session: Session,
        auth: Auth,
        (ledger, terms): (Shared<Ledger>, Terms),
        rng: Rng,
        start: Instant,
    ) -> Self {
        let calm = terms.calm;
        Self {
            session,
            rng,
            auth,
            ledger,
            terms,
            jobs: BTreeMap::new(),
            left: 0,
            later: Vec::new(),
            now: start,
            next_whim: (!calm).then(|| start + Duration::from_millis(100)),
        }
    }

    /// Starts one at that time, or at once.
    pub fn wish(&mut self, at: Instant, wish: Wish) {
        if at > self.now {
            self.later.push((at, wish));
        } else {
            self.start(at, wish);
        }
    }

    /// # Panics
    /// If the library refuses what has always worked; the harness reports it with its seed.
    fn start(&mut self, now: Instant, wish: Wish) {
        let Wish { host, up, bytes } = wish;
        let request = match up {
            true => Request::new("PUT", &format!("http://{host}/0")),
            false => Request::get(&format!("http://{host}/{bytes}")),
        };
        let mut request = request.expect("a URL");
        if up {
            let mut body = Vec::new();
            pattern::append(&mut body, 0, bytes);
            request = request.body(Body::Bytes(body.into()));
        }
        if wish.is_guarded() {
            request = request.auth(self.auth.clone());
        }
        let id = self.session.start(now, request).expect("a request");
        self.left += 1;
        let job = Job {
            wish,
            got: 0,
            from: 0,
            challenged: false,
            code: 0,
            said: Vec::new(),
            cancelled: false,
            began: now,
            ended: now,
            outcome: None,
        };
        self.jobs.insert(id, job);
    }

    fn check(&self, job: &Job, harm: &[&'static str]) -> Result<(), String> {
        let service = job.wish.host;
        let hopeless = self.terms.hopeless.contains(&service);
        let excused = hopeless || self.ledger.borrow().excuses(service);
        let harmed = !harm.is_empty();
        let told = harm.iter().all(|one| is_told(one));
        let took = job.ended - job.began;
        match &job.outcome {
            None => Err("a transfer has no end".to_owned()),
            Some(Err(_)) if job.cancelled => Ok(()),
            Some(_) if !harmed && took > PATIENCE => Err(format!("it took {took:?}")),
            Some(Err(error)) if !harmed => failed(error, excused),
            Some(Err(error)) if !job.wish.is_guarded() && told && is_timeout(error) => {
                Err(format!("waited although the end had been told: {error}"))
            }
            Some(Err(_)) => Ok(()),
            Some(Ok(())) if job.code == 401 => match excused || harmed {
                true if DENIED.starts_with(&job.said) => Ok(()),
                true => Err("a refusal with other bytes than were sent".to_owned()),
                false => Err("refused for no reason".to_owned()),
            },
            Some(Ok(())) if self.terms.barred.contains(&service) => {
                Err("somebody was let in without a ticket".to_owned())
            }
            Some(Ok(())) => job.is_whole(harmed),
        }
    }

    /// Whether each ticket was fetched once for all transfers, where nothing was in the way.
    fn check_counts(&self, harm: &[&'static str]) -> Result<(), String> {
        let ledger = self.ledger.borrow();
        let cancelled = self.jobs.values().any(|job| job.cancelled);
        let plain = harm.is_empty() && ledger.lies.is_empty() && !cancelled;
        if !plain || !self.terms.once || !self.terms.hopeless.is_empty() {
            return Ok(());
        }
        let guarded = self.jobs.values().any(|job| job.wish.is_guarded());
        if ledger.logins.len() != usize::from(guarded) {
            return Err(format!("{} logins", ledger.logins.len()));
        }
        match ledger.tickets.iter().find(|(_, asked)| asked.len() > 1) {
            Some((name, asked)) => Err(format!("{} tickets for {name}", asked.len())),
            None => Ok(()),
        }
    }
}

/// A transfer has failed on a network that did no harm.
fn failed(error: &Error, excused: bool) -> Result<(), String> {
    if !excused {
        return Err(format!("failed for no reason: {error}"));
    }
    if !NAMES.iter().any(|name| error.to_string().contains(name)) {
        return Err(format!("nobody can tell that it is Kerberos: {error}"));
    }
    Ok(())
}

impl Job {
    fn heard(&mut self, head: &Head) -> Result<(), String> {
        self.code = head.code;
        match head.fields.first(FALSE) {
            None => Ok(()),
            Some(how) if how == UNPROVEN.as_bytes() && !self.challenged => {
                self.from = ELSEWHERE;
                Ok(())
            }
            Some(_) => Err("an answer of somebody who has proven nothing".to_owned()),
        }
    }

    fn took(&mut self, piece: &[u8]) -> Result<(), String> {
        if self.code == 401 || self.wish.up {
            self.said.extend_from_slice(piece);
            return Ok(());
        }
        if !pattern::is(piece, self.from + self.got) {
            return Err(format!("wrong bytes from {} on", self.got));
        }
        self.got += piece.len() as u64;
        match self.got > self.wish.bytes {
            true => Err(format!("{} bytes of {}", self.got, self.wish.bytes)),
            false => Ok(()),
        }
    }

    /// In the clear an end is the end, where no length is said.
    fn is_whole(&self, harmed: bool) -> Result<(), String> {
        let Wish { up, bytes, .. } = self.wish;
        if !up {
            return match self.got == bytes || harmed {
                true => Ok(()),
                false => Err(format!("{} of {bytes} bytes, and no error", self.got)),
            };
        }
        let said = String::from_utf8_lossy(&self.said);
        let expected = format!("{bytes} bytes, right");
        match said == expected || (harmed && expected.starts_with(&*said)) {
            true => Ok(()),
            false => Err(format!("the server got {said}, and should have {expected}")),
        }
    }
}

impl Application for Logins {
    fn poll(&mut self, now: Instant) -> Output {
        self.session.poll(now)
    }

    fn complete(&mut self, now: Instant, op: Op, result: io::Result<usize>) {
        self.session.complete(now, op, result);
    }

    fn event(&mut self, now: Instant, id: TransferId, event: Event) -> Result<(), String> {
        let Some(job) = self.jobs.get_mut(&id) else {
            return Err(format!("an event for nobody: {event:?}"));
        };
        if job.outcome.is_some() {
            return Err(format!("after the end: {event:?}"));
        }
        match event {
            Event::Challenged { .. } => {
                job.challenged = true;
                Ok(())
            }
            Event::Head(head) => job.heard(&head),
            Event::Data(piece) => {
                let whim = !self.terms.calm && self.rng.u8(0..12) == 0;
                if whim {
                    self.session.pause(id);
                }
                job.took(&piece)
            }
            Event::Done { outcome, .. } => {
                let end = match &outcome {
                    Ok(()) => Ok(job.code),
                    Err(error) => Err(error.to_string()),
                };
                self.ledger.borrow_mut().ends.push((job.wish.host, end));
                (job.outcome, job.ended) = (Some(outcome), now);
                self.left -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let later = self.later.iter().map(|(at, _)| *at);
        later.chain(self.next_whim.filter(|_| self.left > 0)).min()
    }

    /// What was to come later begins. Whims: paused transfers go on, and now and then one is given up.
    fn woken(&mut self, now: Instant) {
        self.now = now;
        let due = |(at, _): &mut (Instant, Wish)| *at <= now;
        let due: Vec<_> = self.later.extract_if(.., due).collect();
        for (_, wish) in due {
            self.start(now, wish);
        }
        if self.next_whim.is_none_or(|at| at > now) {
            return;
        }
        self.next_whim = Some(now + Duration::from_millis(self.rng.u64(10..2000)));
        for (id, job) in &mut self.jobs {
            if job.outcome.is_none() {
                self.session.resume(*id);
                if self.rng.u8(0..200) == 0 {
                    job.cancelled = true;
                    self.session.cancel(*id);
                }
            }
        }
    }

    fn cancel(&mut self) {
        self.later.clear();
        for (id, job) in &mut self.jobs {
            job.cancelled = true;
            self.session.cancel(*id);
        }
    }

    fn is_done(&self) -> bool {
        self.left == 0 && self.later.is_empty()
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
        if let Some(broken) = &self.ledger.borrow().broken {
            return Err(broken.clone());
        }
        self.jobs
            .values()
            .try_for_each(|job| self.check(job, harm))?;
        self.check_counts(harm)
    }
}
