//! Errands under way: their questions are transfers of the session's own.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use sockless_core::{
    Answer, ById, Culprit, Errand, Error, Event, Exchange, Fault, Inquiry, Kdc, Key, Need, Options,
    Plain, Protocol, Reason, Route, SecurityProvider, Target, TransferId,
};
use sockless_kerberos::{Act, Asking, KdcExchange, LARGEST_MESSAGE, Via, proxied, unproxied};

use super::Session;
use crate::parties::Wanted;
use crate::{Body, Request, TunnelTo};

/// How long one KDC is listened to; others are asked long before.
const ATTEMPT: Duration = Duration::from_secs(12);

/// KDCs that are remembered for having answered.
const FAVOURITES: usize = 256;

/// They, by number.
#[derive(Default)]
pub(super) struct Errands {
    running: BTreeMap<u64, Running>,
    /// Provider and name of each: equal ones are one.
    names: HashMap<(Arc<str>, Arc<str>), u64>,
    /// Which errand, and which of its attempts, a transfer is for.
    attempts: ById<TransferId, Attempt>,
    /// Those that have something to do.
    ready: VecDeque<u64>,
    alarms: BTreeSet<(Instant, u64)>,
    /// Who answered last, by realm.
    favourites: HashMap<Arc<str>, Kdc>,
    begun: u64,
}

struct Running {
    name: (Arc<str>, Arc<str>),
    errand: Box<dyn Errand>,
    /// Its name is that of these credentials, as long as nobody else can have it.
    _provider: Arc<dyn SecurityProvider>,
    /// The question that is out; none: the errand has not been asked for one.
    asking: Option<Asking>,
    alarm: Option<Instant>,
    waiting: Vec<TransferId>,
}

struct Attempt {
    errand: u64,
    /// Its number in the question.
    number: usize,
    by_proxy: bool,
    refused: Option<u16>,
    heard: Vec<u8>,
    /// Nobody wants to know any more.
    over: bool,
}

impl Errands {
    /// Begins what a context lacks, or waits for it if it is under way; `false`: it lacks nothing after all.
    ///
    /// # Errors
    /// It cannot succeed.
    pub(super) fn begin(
        &mut self,
        wanted: &Wanted,
        name: Arc<str>,
        wall: SystemTime,
        waiting: TransferId,
    ) -> Result<bool, Fault> {
        let Wanted {
            provider,
            service,
            host,
        } = wanted;
        let name = (provider.identity(), name);
        if let Some(running) = self.names.get(&name) {
            if let Some(running) = self.running.get_mut(running) {
                running.waiting.push(waiting);
            }
            return Ok(true);
        }
        let Some(errand) = provider.errand(service, host, wall)? else {
            return Ok(false);
        };
        self.begun += 1;
        let running = Running {
            name: name.clone(),
            errand,
            _provider: Arc::clone(provider),
            asking: None,
            alarm: None,
            waiting: vec![waiting],
        };
        self.names.insert(name, self.begun);
        self.running.insert(self.begun, running);
        self.ready.push_back(self.begun);
        Ok(true)
    }

    /// Whether a transfer is one of the session's own.
    pub(super) fn asks(&self, id: TransferId) -> bool {
        !self.attempts.is_empty() && self.attempts.contains_key(&id)
    }

    /// Takes an event of such a transfer.
    pub(super) fn heard(&mut self, id: TransferId, event: Event) {
        let Some(attempt) = self.attempts.get_mut(&id) else {
            return;
        };
        match event {
            Event::Head(head) if head.code != 200 => attempt.refused = Some(head.code),
            Event::Data(piece) if attempt.heard.len() + piece.len() <= 2 * LARGEST_MESSAGE => {
                attempt.heard.extend_from_slice(&piece);
            }
            Event::Data(_) => attempt.refused = Some(0),
            Event::Done { outcome, .. } => {
                if let Some(attempt) = self.attempts.remove(&id) {
                    self.ended(attempt, outcome);
                }
            }
            _ => {}
        }
    }

    fn ended(&mut self, attempt: Attempt, outcome: Result<(), Error>) {
        let Some(running) = self.running.get_mut(&attempt.errand) else {
            return;
        };
        let Some(asking) = running.asking.as_mut().filter(|_| !attempt.over) else {
            return;
        };
        let number = attempt.number;
        match (outcome, attempt.refused) {
            (Err(error), _) => asking.failed(number, error.what()),
            (Ok(()), Some(0)) => asking.failed(number, "it answers too much"),
            (Ok(()), Some(code)) => asking.failed(number, format!("it answers with {code}")),
            (Ok(()), None) if attempt.by_proxy => match unproxied(&attempt.heard) {
                Ok(message) => asking.answered(number, message),
                Err(fault) => asking.failed(number, fault.what),
            },
            (Ok(()), None) => asking.answered(number, &attempt.heard),
        }
        self.ready.push_back(attempt.errand);
    }

    /// When the next one wants to go on.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.alarms.first().map(|(at, _)| *at)
    }

    /// Whether one has something to do at once.
    pub(super) fn is_busy(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next one that has something to do.
    fn pop(&mut self, now: Instant) -> Option<u64> {
        if let Some((_, due)) = self.alarms.first().filter(|(at, _)| *at <= now) {
            let due = *due;
            self.set_alarm(due, None);
            return Some(due);
        }
        self.ready.pop_front()
    }

    fn set_alarm(&mut self, number: u64, at: Option<Instant>) {
        let Some(running) = self.running.get_mut(&number) else {
            return;
        };
        let before = core::mem::replace(&mut running.alarm, at);
        before.map(|before| self.alarms.remove(&(before, number)));
        at.map(|at| self.alarms.insert((at, number)));
    }

    /// The transfers of its question that still run; nobody wants to know what comes of them.
    fn forget_attempts(&mut self, number: u64) -> Vec<TransferId> {
        let mut ids = Vec::new();
        // The order is of no account: all are cancelled.
        #[allow(
            clippy::iter_over_hash_type,
            reason = "they are sorted before anything is done with them"
        )]
        for (id, attempt) in &mut self.attempts {
            if attempt.errand == number && !core::mem::replace(&mut attempt.over, true) {
                ids.push(*id);
            }
        }
        ids.sort_unstable();
        ids
    }
}

impl Session {
    /// Carries errands on that have something to do.
    pub(super) fn run_errands(&mut self, now: Instant) {
        while let Some(number) = self.errands.pop(now) {
            self.run_errand(now, number);
        }
    }

    fn run_errand(&mut self, now: Instant, number: u64) {
        let Some(running) = self.errands.running.get_mut(&number) else {
            return;
        };
        let act = match &mut running.asking {
            Some(asking) => asking.next(now),
            None => return self.step(now, number, None),
        };
        match act {
            Act::Wait(until) => self.errands.set_alarm(number, until),
            Act::Answer(kdc, answer) => {
                let asking = running.asking.take();
                self.stop_attempts(number);
                if let Some(asking) = asking.filter(|one| one.protocol() == Protocol::Kerberos) {
                    if self.errands.favourites.len() >= FAVOURITES {
                        self.errands.favourites.clear();
                    }
                    let realm = Arc::clone(asking.realm());
                    self.errands.favourites.insert(realm, kdc);
                }
                self.step(now, number, Some(Ok(&answer)));
            }
            Act::Failed(fault) => {
                running.asking = None;
                self.stop_attempts(number);
                self.step(now, number, Some(Err(fault)));
            }
            Act::Start { attempt, via } => {
                let who = match running.asking.as_ref().map(Asking::protocol) {
                    Some(Protocol::Dns) => "name server",
                    _ => "KDC",
                };
                for id in running.waiting.clone() {
                    self.parked.note(id, || format!("asking the {who} {via}"));
                }
                self.ask(now, number, attempt, &via);
                self.errands.ready.push_back(number);
            }
        }
    }

    /// The errand's next question, or its end.
    fn step(&mut self, now: Instant, number: u64, answer: Option<Result<&[u8], Fault>>) {
        self.errands.set_alarm(number, None);
        let wall = self.parties.at(now).wall();
        let Some(running) = self.errands.running.get_mut(&number) else {
            return;
        };
        let failed = match running.errand.step(answer, wall) {
            Ok(Need::Ask(inquiry)) => {
                let asking = self.asking(inquiry);
                if let Some(running) = self.errands.running.get_mut(&number) {
                    running.asking = Some(asking);
                }
                self.errands.ready.push_back(number);
                return;
            }
            Ok(_) => None,
            Err(fault) => Some(fault),
        };
        if let Some(running) = self.errands.running.remove(&number) {
            self.errands.names.remove(&running.name);
            for id in running.waiting {
                self.parked.fetched(id, failed.as_ref());
            }
        }
    }

    fn asking(&self, inquiry: Inquiry) -> Asking {
        let favourite = self.errands.favourites.get(&inquiry.realm);
        Asking::new(inquiry, self.config.kdc_proxies.is_empty(), favourite)
    }

    /// Asks one KDC.
    fn ask(&mut self, now: Instant, number: u64, attempt: usize, via: &Via) {
        let Some(asking) = self.errands.running.get(&number) else {
            return;
        };
        let Some(asking) = &asking.asking else { return };
        let (message, realm) = (asking.message().clone(), Arc::clone(asking.realm()));
        let protocol = asking.protocol();
        let started = match via {
            Via::Datagram { host, port } => {
                let target = match self.config.resolve.get(&(host.to_string(), *port)) {
                    Some(known) if !known.is_empty() => Target::Udp((known[0], *port).into()),
                    _ => Target::UdpHost {
                        host: Arc::clone(host),
                        port: *port,
                    },
                };
                Ok(self.add_attempt(plain(target), KdcExchange::datagram(message)))
            }
            Via::Stream { host, port } => self
                .kdc_route(host, *port)
                .map(|route| self.add_attempt(route, KdcExchange::stream(message, protocol))),
            Via::Proxy(url) => self.ask_proxy(now, url, &proxied(&message, &realm)),
            _ => {
                let what = "this way to a KDC is not known";
                Err(Fault::new(Culprit::Misuse, Reason::Unsupported, what).at("kdc"))
            }
        };
        match (started, self.errands.running.get_mut(&number)) {
            (Ok(id), _) => {
                let attempt = Attempt {
                    errand: number,
                    number: attempt,
                    by_proxy: matches!(via, Via::Proxy(_)),
                    refused: None,
                    heard: Vec::new(),
                    over: false,
                };
                self.errands.attempts.insert(id, attempt);
            }
            (Err(error), Some(running)) => {
                let asking = running.asking.as_mut();
                asking
                    .into_iter()
                    .for_each(|asking| asking.failed(attempt, error.what()));
            }
            (Err(_), None) => {}
        }
    }

    fn add_attempt(&mut self, route: Arc<Route>, exchange: KdcExchange) -> TransferId {
        let exchange: Box<dyn Exchange> = Box::new(exchange);
        self.engine.add(route, exchange, attempt_options())
    }

    /// The way to a KDC, through the proxies that are set for that.
    fn kdc_route(&mut self, host: &str, port: u16) -> Result<Arc<Route>, Error> {
        let mut to = TunnelTo::new(host, port)?;
        to.proxies.clone_from(&self.config.kdc_proxies);
        let way = crate::way::Way::of_tunnel(&to, None).to_owned();
        self.make_route(&way)
    }

    /// MS-KKDCP: a request like any other, but for us.
    fn ask_proxy(&mut self, now: Instant, url: &str, body: &[u8]) -> Result<TransferId, Error> {
        let mut request = Request::new("POST", url)?
            .header("Content-Type", "application/kerberos")?
            .body(Body::Bytes(body.into()))
            .options(|options| {
                options.timeouts = attempt_options().timeouts;
                options.beyond_limits = true;
            });
        for proxy in &self.config.kdc_proxies {
            request = request.proxy(proxy.clone());
        }
        self.start_for(now, request, true)
    }

    /// Keeps what transfers of the session's own say, and gives on what others do.
    pub(super) fn overheard(&mut self, id: TransferId, event: Event) -> Option<Event> {
        if !self.errands.asks(id) {
            return Some(event);
        }
        match event {
            // The application knows nothing of this transfer, so a layer's question has nobody.
            Event::Asked(question) => {
                let why = "nobody is asked on the way to a KDC";
                // It fails when the transfer is over: then nobody waits.
                let _ = self.answer(id, question.id, Answer::None(why.into()));
            }
            event => self.errands.heard(id, event),
        }
        None
    }

    fn stop_attempts(&mut self, number: u64) {
        for id in self.errands.forget_attempts(number) {
            self.cancel(id);
        }
    }
}

/// What is wrong with a way to a KDC that takes a ticket of its own: it may be the one that it is to bring.
pub(super) fn waits_for_itself() -> Error {
    let what = "the way to a KDC leads through a proxy that wants a ticket, which would have to be \
                fetched by that way";
    Fault::new(Culprit::Misuse, Reason::Unsupported, what)
        .remedy("use a password at proxies for KDCs, or tickets that are there already")
        .at("kerberos")
}

fn attempt_options() -> Options {
    let mut options = Options::default();
    options.fresh_connection = true;
    options.forbid_reuse = true;
    // Those who wait for the ticket may have all the places.
    options.beyond_limits = true;
    options.timeouts.connect = Some(ATTEMPT);
    options.timeouts.total = Some(ATTEMPT);
    options
}

fn plain(target: Target) -> Arc<Route> {
    let key = Key {
        target,
        local: None,
        protocol: "kdc",
        layers: Vec::new(),
    };
    let recipe = Box::new(Plain);
    Arc::new(Route { key, recipe })
}
