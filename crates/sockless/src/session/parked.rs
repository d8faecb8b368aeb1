//! Transfers that cannot start yet: something has to be fetched for their security contexts.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use sockless_core::{Culprit, Error, Event, Fault, Note, Reason, Summary, TransferId};

use super::streams::Stream;
use super::{Job, Session};
use crate::chain::SOCKS_SERVICE;
use crate::parties::Wanted;
use crate::{Proxy, ProxyKind};

/// Errands in a row for one transfer: a login, a ticket, and what has expired meanwhile.
const ROUNDS: u32 = 4;

/// They, and what is to be said about them.
#[derive(Default)]
pub(super) struct Parked {
    held: BTreeMap<TransferId, Held>,
    /// Those that can go on, or have to be looked at.
    ready: VecDeque<TransferId>,
    said: VecDeque<(TransferId, Event)>,
}

struct Held {
    what: What,
    wanted: Vec<Wanted>,
    /// Errands that it waits for.
    pending: usize,
    rounds: u32,
    /// An errand has failed: the context will say so, or another way will be found.
    failed: bool,
    paused: bool,
    /// When it was looked at first; it waits since then.
    since: Option<Instant>,
}

/// What waits.
pub(super) enum What {
    Job(Box<Job>),
    Stream(Box<Stream>),
}

impl From<Box<Job>> for What {
    fn from(job: Box<Job>) -> Self {
        Self::Job(job)
    }
}

impl From<Stream> for What {
    fn from(stream: Stream) -> Self {
        Self::Stream(Box::new(stream))
    }
}

impl What {
    fn wants_notes(&self) -> bool {
        match self {
            Self::Job(job) => job.request.options.notes,
            Self::Stream(stream) => stream.to.options.notes,
        }
    }
}

impl Held {
    fn deadline(&self) -> Option<Instant> {
        match &self.what {
            What::Job(job) => job.deadline,
            // None where it lies beyond all time.
            What::Stream(stream) => self.since?.checked_add(stream.to.options.timeouts.total?),
        }
    }
}

impl Parked {
    /// Keeps a transfer until it is looked at.
    pub(super) fn hold(&mut self, id: TransferId, what: What, wanted: Vec<Wanted>) {
        let held = Held {
            what,
            wanted,
            pending: 0,
            rounds: 0,
            failed: false,
            paused: false,
            since: None,
        };
        self.held.insert(id, held);
        self.ready.push_back(id);
    }

    /// One of a transfer's errands is over.
    pub(super) fn fetched(&mut self, id: TransferId, failed: Option<&Fault>) {
        let Some(held) = self.held.get_mut(&id) else {
            return;
        };
        held.pending = held.pending.saturating_sub(1);
        held.failed |= failed.is_some();
        if let Some(fault) = failed {
            self.note(id, || format!("no ticket: {}", fault.what));
        }
        if self.held.get(&id).is_some_and(|held| held.pending == 0) {
            self.ready.push_back(id);
        }
    }

    /// Leaves a sentence for whoever reads notes.
    pub(super) fn note(&mut self, id: TransferId, text: impl FnOnce() -> String) {
        if self
            .held
            .get(&id)
            .is_some_and(|held| held.what.wants_notes())
        {
            let (layer, text) = ("kerberos", text());
            let note = Event::Note(Note::Info { layer, text });
            self.said.push_back((id, note));
        }
    }

    /// What has been noted about a transfer outside of the engine.
    pub(super) fn tell(&mut self, id: TransferId, notes: Vec<Note>) {
        let notes = notes.into_iter().map(|note| (id, Event::Note(note)));
        self.said.extend(notes);
    }

    pub(super) fn pause(&mut self, id: TransferId, paused: bool) {
        if let Some(held) = self.held.get_mut(&id) {
            held.paused = paused;
        }
    }

    /// Ends a transfer that waits; `false`: none that does.
    pub(super) fn cancel(&mut self, id: TransferId) -> bool {
        let what = "cancelled by the application";
        let fault = Fault::new(Culprit::Cancelled, Reason::Cancelled, what);
        self.end(id, None, fault.at("engine"))
    }

    fn end(&mut self, id: TransferId, now: Option<Instant>, error: Error) -> bool {
        let Some(held) = self.held.remove(&id) else {
            return false;
        };
        let summary = match (held.what, now) {
            (What::Job(job), Some(now)) => so_far(&job, now),
            _ => Box::default(),
        };
        self.say_end(id, summary, error);
        true
    }

    fn say_end(&mut self, id: TransferId, summary: Box<Summary>, error: Error) {
        let outcome = Err(error);
        self.said.push_back((id, Event::Done { outcome, summary }));
    }

    /// Ends what has waited too long.
    fn expire(&mut self, now: Instant) {
        let late = |held: &Held| held.deadline().is_some_and(|at| at <= now);
        let late = self.held.iter().filter(|(_, held)| late(held));
        let late: Vec<TransferId> = late.map(|(id, _)| *id).collect();
        for id in late {
            let what = "it took too long to fetch what authentication needs";
            let fault = Fault::new(Culprit::Limit, Reason::TotalTimeout, what);
            let fault = fault.remedy("check that the KDCs can be reached, or allow more time");
            self.end(id, Some(now), fault.at("kerberos"));
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = self.held.values().filter_map(|held| held.deadline());
        deadlines.min()
    }

    /// Whether there is something to do at once.
    pub(super) fn is_busy(&self) -> bool {
        !self.ready.is_empty() || !self.said.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.held.len() + self.said.iter().filter(|(_, event)| is_end(event)).count()
    }
}

fn so_far(job: &Job, now: Instant) -> Box<Summary> {
    let mut summary = Box::<Summary>::default();
    summary.total = now.duration_since(job.started);
    summary.redirects = job.redirects;
    summary
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Done { .. })
}

impl Session {
    /// The contexts that a job's next hop makes: those of its layers, and of its request.
    pub(super) fn wanted(&self, job: &Job) -> Vec<Wanted> {
        let request = &job.request;
        let secure = request.url.scheme() == "https";
        let host = crate::way::bare(request.url.host_str().unwrap_or_default());
        let port = request.url.port_or_known_default().unwrap_or(80);
        let proxies = match request.unix {
            Some(_) => &[],
            None => request.proxies.chain(secure, host, port),
        };
        let tunnels = secure || !proxies.last().is_some_and(Proxy::forwards);
        let mut wanted = of_proxies(proxies, tunnels);
        wanted.extend(job.sides.contexts());
        wanted
    }

    /// Whether something has to be fetched first.
    pub(super) fn lacks_any(&self, now: Instant, wanted: &[Wanted]) -> bool {
        let wall = self.parties.at(now).wall();
        let lacks = |one: &Wanted| one.provider.lacks(&one.service, &one.host, wall).is_some();
        wanted.iter().any(lacks)
    }

    /// Keeps a transfer, and has fetched what it lacks.
    pub(super) fn park(&mut self, now: Instant, id: TransferId, what: What, wanted: Vec<Wanted>) {
        // A hop that is over is of no account any more, whatever becomes of this one.
        self.hops.remove(&id);
        self.parked.hold(id, what, wanted);
        // It was put among those that are looked at: this is that look.
        self.parked.ready.pop_back();
        self.look_at(now, id);
    }

    /// Begins the errands that a transfer lacks, or lets it go on.
    fn look_at(&mut self, now: Instant, id: TransferId) {
        let Some(mut held) = self.parked.held.remove(&id) else {
            return;
        };
        let wall = self.parties.at(now).wall();
        held.since.get_or_insert(now);
        let lacking = !held.failed && held.rounds < ROUNDS;
        held.rounds += 1;
        let wanted = held.wanted.iter().filter(|_| lacking);
        let lacking: Vec<_> = wanted
            .filter_map(|one| {
                let name = one.provider.lacks(&one.service, &one.host, wall)?;
                Some((one, name))
            })
            .collect();
        let mut failures = Vec::new();
        for (one, name) in lacking {
            match self.errands.begin(one, name, wall, id) {
                Ok(true) => held.pending += 1,
                Ok(false) => {}
                Err(fault) => failures.push(fault),
            }
        }
        held.failed |= !failures.is_empty();
        let goes_on = held.pending == 0;
        self.parked.held.insert(id, held);
        for fault in failures {
            self.parked
                .note(id, || format!("no ticket: {}", fault.what));
        }
        if goes_on {
            self.release(now, id);
        }
    }

    /// What is to be said about transfers that wait; on the way, those that can go on do.
    pub(super) fn unpark(&mut self, now: Instant) -> Option<(TransferId, Event)> {
        if !self.parked.held.is_empty() {
            self.parked.expire(now);
        }
        while let Some(id) = self.parked.ready.pop_front() {
            self.look_at(now, id);
        }
        self.parked.said.pop_front()
    }

    /// A transfer has all that could be had: it starts.
    fn release(&mut self, now: Instant, id: TransferId) {
        let Some(held) = self.parked.held.remove(&id) else {
            return;
        };
        let started = match held.what {
            What::Job(job) => match self.board(now, job) {
                Ok(_) => Ok(()),
                Err((job, error)) => Err((so_far(&job, now), error)),
            },
            What::Stream(mut stream) => {
                // Waiting was a part of it.
                let waited = held.since.map(|since| now.saturating_duration_since(since));
                let total = &mut stream.to.options.timeouts.total;
                *total = total.map(|total| total.saturating_sub(waited.unwrap_or_default()));
                self.open_held(id, *stream)
                    .map_err(|error| (Box::default(), error))
            }
        };
        match started {
            Ok(()) if held.paused => self.engine.pause(self.hop(id)),
            Ok(()) => {}
            Err((summary, error)) => self.parked.say_end(id, summary, error),
        }
    }
}

/// The contexts that the way through proxies takes; `tunnels`: the last one opens a tunnel, too.
pub(super) fn of_proxies(proxies: &[Proxy], tunnels: bool) -> Vec<Wanted> {
    let wanted = proxies.iter().enumerate().filter_map(|(at, proxy)| {
        let auth = proxy.auth.as_ref();
        let is_passed = at + 1 < proxies.len() || tunnels;
        let contexts = match proxy.kind {
            // It takes none.
            ProxyKind::Socks4 | ProxyKind::Socks4a => None,
            ProxyKind::Ssh => proxy.ssh.as_ref()?.context(&proxy.host),
            ProxyKind::Socks5 | ProxyKind::Socks5h => auth?.contexts(SOCKS_SERVICE, &proxy.host),
            ProxyKind::Http | ProxyKind::Https => auth
                .filter(|auth| is_passed && auth.may_negotiate())?
                .contexts("HTTP", &proxy.host),
        };
        let (provider, service, host) = contexts?;
        Some(Wanted::new(provider, service, host))
    });
    wanted.collect()
}
