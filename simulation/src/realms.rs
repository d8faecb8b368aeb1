//! The scenario of Kerberos, and the network it is on: two realms, their KDCs, services of both,
//! and a server that has nothing to do with it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use sockless::kerberos::{Backend, Config, Credentials, Kerberos, Realms};
use sockless::{Auth, Endpoint, Limits};
use sockless_sim::{Answer, Faults, Scenario, Stage, World};

use crate::crypto;
use crate::fetches::limits;
use crate::http::Server;
use crate::krb::{
    Acceptor, Clock, Desk, ETYPES, KdcStream, Key, Ledger, Manners, Realm, Shared, Temper, shared,
};
use crate::logins::{Logins, Terms, Wish};
use crate::scenarios;
use crate::world::HOST;

const HERE: &str = "HERE.TEST";
const THERE: &str = "THERE.TEST";
const USER: &str = "alice";
const PASSWORD: &str = "open sesame";

/// A service of the user's realm.
pub const NEAR: &str = "near.test";
/// A service of another realm.
pub const FAR: &str = "far.test";

/// Who is where.
const PLACES: [(&str, u8); 6] = [
    (HOST, 1),
    (NEAR, 2),
    (FAR, 3),
    ("kdc1.here.test", 11),
    ("kdc2.here.test", 12),
    ("kdc.there.test", 21),
];

/// Kerberos, with KDCs and services that lie.
pub struct Kerberized;

impl Scenario for Kerberized {
    fn name(&self) -> &'static str {
        "kerberos"
    }

    fn about(&self) -> &'static str {
        "up to eight downloads by Negotiate and without, with KDCs and services that lie"
    }

    fn size(&self) -> u64 {
        20_000
    }

    /// Half of all do no harm: then it is known what has to come of all the lies.
    fn faults(&self, rng: &mut Rng) -> Faults {
        let mut faults = Faults::draw(rng, self.size()).lossy(rng);
        faults.flips = 0;
        match rng.bool() {
            true => faults.harmless(),
            false => faults,
        }
    }

    fn stage(&self, rng: &mut Rng, start: Instant, calm: bool) -> Stage {
        let plot = Plot::draw(rng, calm);
        stage(rng, start, &plot, calm).0
    }
}

/// What is different from run to run.
#[derive(Clone, Debug)]
pub struct Plot {
    /// How the KDCs are: two of the user's realm, and that of the other.
    pub tempers: [Temper; 3],
    /// One of so many of their answers is like that.
    pub one_in: u8,
    /// The longest answer that a KDC gives by a datagram.
    pub datagram: usize,
    /// How the services are, the near one first.
    pub manners: [Manners; 2],
    /// The user has a password, and no keytab.
    pub password: bool,
    /// It is another one, or the key in the keytab is.
    pub wrong: bool,
    /// Where the far service is, the user's own KDC has to say.
    pub referred: bool,
    /// Of tickets, in seconds.
    pub lifetime: u64,
    /// How far the clocks of the realms are ahead of the client's, in seconds.
    pub ahead: i64,
    /// The session's.
    pub limits: Limits,
    /// All transfers, and when they begin.
    pub wishes: Vec<(Duration, Wish)>,
}

impl Plot {
    /// Nobody lies.
    pub fn honest() -> Self {
        let wish = |host| (Duration::ZERO, Wish::get(host, 10_000));
        Self {
            tempers: [Temper::Honest; 3],
            one_in: 1,
            datagram: usize::MAX,
            manners: [Manners::Honest; 2],
            password: false,
            wrong: false,
            referred: true,
            lifetime: 36_000,
            ahead: 0,
            limits: limits(&mut Rng::with_seed(0), true),
            wishes: [NEAR, FAR, HOST].map(wish).to_vec(),
        }
    }

    fn draw(rng: &mut Rng, calm: bool) -> Self {
        let mut plot = Self::honest();
        if calm {
            return plot;
        }
        plot.limits = limits(rng, false);
        plot.one_in = [1, 1, 2, 4][rng.usize(0..4)];
        plot.datagram = [300, 1200, usize::MAX][rng.usize(0..3)];
        let liars = rng.u8(0..4) > 0;
        if liars {
            plot.tempers = [(); 3].map(|()| Temper::draw(rng));
            plot.manners = [(); 2].map(|()| Manners::draw(rng));
        }
        // Few: hashing a password takes longer than all the rest.
        plot.password = rng.u8(0..8) == 0;
        plot.wrong = rng.u8(0..12) == 0;
        plot.referred = rng.bool();
        plot.lifetime = [36_000, 36_000, 600, 90][rng.usize(0..4)];
        if rng.u8(0..6) == 0 {
            plot.ahead = rng.i64(-100_000..100_000);
        }
        let one = |rng: &mut Rng| {
            let most = [0, 1, 100, 5_000, 20_000][rng.usize(0..5)];
            let wish = Wish {
                host: [NEAR, FAR, HOST][rng.usize(0..3)],
                up: rng.u8(0..4) == 0,
                bytes: rng.u64(0..=most),
            };
            let after = [0, 0, 0, 2, 7, 200][rng.usize(0..6)];
            (Duration::from_secs(after), wish)
        };
        plot.wishes = (0..rng.usize(1..=8)).map(|_| one(rng)).collect();
        plot
    }

    fn terms(&self, calm: bool) -> Terms {
        let services = |here: bool, there: bool| {
            let far = here || there;
            let these = [(NEAR, here), (FAR, far)].into_iter();
            these.filter(|(_, is)| *is).map(|(name, _)| name).collect()
        };
        let [first, second, there] = self.tempers.map(Temper::serves);
        let hopeless = services(self.wrong || !(first || second), !there);
        let [first, second, there] = self.tempers.map(|one| one.bars() && self.one_in == 1);
        let barred = services(self.wrong || (first && second), there);
        Terms {
            calm,
            hopeless,
            barred,
            once: self.lifetime > 20_000 && self.ahead == 0,
        }
    }
}

/// Everything that is told of in `plot`, and what servers take down about it.
///
/// # Panics
/// If the library refuses what has always worked; the harness reports it with its seed.
pub fn stage(rng: &mut Rng, start: Instant, plot: &Plot, calm: bool) -> (Stage, Shared<Ledger>) {
    let wall = crypto::WALL.as_secs().saturating_add_signed(plot.ahead);
    let clock = Clock::new(start, Duration::from_secs(wall));
    let ledger = shared(Ledger::default());
    let mut here = Realm::new(HERE, rng.fork(), plot.lifetime);
    let mut there = Realm::new(THERE, rng.fork(), plot.lifetime);
    here.trusted_by(&mut there, FAR);
    let mut etype = || ETYPES[rng.usize(0..4)];
    let password = plot.password.then_some(PASSWORD);
    let mut key = here.user(USER, password, etype());
    let near = here.service("HTTP/near.test", etype());
    let far = there.service("HTTP/far.test", etype());
    let (here, there) = (shared(here), shared(there));
    let desks = [&here, &here, &there].into_iter().zip(plot.tempers);
    let desks = desks.enumerate().map(|(at, (realm, temper))| {
        let services: &[_] = if at < 2 { &[NEAR, FAR] } else { &[FAR] };
        let habits = (plot.one_in, plot.datagram);
        Desk::new(
            realm,
            &ledger,
            clock,
            (temper, services),
            habits,
            rng.fork(),
        )
    });
    let world = Network {
        desks: desks.collect(),
        services: [
            (NEAR, near, plot.manners[0], shared(None)),
            (FAR, far, plot.manners[1], shared(None)),
        ],
        ledger: ledger.clone(),
        clock,
        rng: rng.fork(),
        calm,
    };
    let (session, _) = scenarios::session(plot.limits.clone(), None, start, rng.u64(..));
    if plot.wrong {
        key = Key::random(ETYPES[0], rng);
    }
    let mut seed = [0; 32];
    rng.fill(&mut seed);
    let auth = Auth::negotiate(kerberos(plot, &key, seed));
    let forked = rng.fork();
    let terms = plot.terms(calm);
    let mut application = Logins::new(session, auth, (ledger.clone(), terms), forked, start);
    for (after, wish) in &plot.wishes {
        application.wish(start + *after, *wish);
    }
    let stage = Stage {
        world: Box::new(world),
        application: Box::new(application),
    };
    (stage, ledger)
}

/// What the client knows.
///
/// # Panics
/// As [`stage`].
fn kerberos(plot: &Plot, key: &Key, seed: [u8; 32]) -> Arc<Kerberos> {
    let realms = || {
        let realms = Realms::new().default_to(HERE);
        let realms = realms.kdc(HERE, "kdc1.here.test")?;
        let realms = realms.kdc(HERE, "kdc2.here.test")?;
        realms.kdc(THERE, "kdc.there.test")
    };
    let mut realms = realms().expect("realms");
    if !plot.referred {
        realms = realms.domain(FAR, THERE);
    }
    let password = if plot.wrong { "sesame" } else { PASSWORD };
    let alice = match plot.password {
        true => Credentials::password(USER, password, &realms),
        false => Credentials::keytab(None, &key.keytab(HERE, USER), &realms),
    };
    Config::new(alice.expect("credentials"), realms)
        .backend(Backend::Rust)
        .random(seed)
        .build()
        .expect("Kerberos")
}

/// Its name, key, manners, and first proof.
type Service = (&'static str, Key, Manners, Shared<Option<Vec<u8>>>);

struct Network {
    desks: Vec<Desk>,
    services: [Service; 2],
    ledger: Shared<Ledger>,
    clock: Clock,
    rng: Rng,
    calm: bool,
}

impl Network {
    fn service(&mut self, which: usize) -> Answer {
        let (name, key, manners, earlier) = &self.services[which];
        let rng = self.rng.fork();
        let gate = Acceptor::new(
            (name, key),
            *manners,
            self.clock,
            &self.ledger,
            earlier,
            rng,
        );
        let server = Server::new(self.rng.u64(..), self.calm);
        Answer::Peer(Box::new(server.behind(Box::new(gate))))
    }
}

impl World for Network {
    fn resolve(&mut self, host: &str) -> Vec<IpAddr> {
        let found = PLACES.iter().filter(|(name, _)| *name == host);
        found
            .map(|(_, last)| Ipv4Addr::new(10, 0, 0, *last).into())
            .collect()
    }

    fn connect(&mut self, to: &Endpoint) -> Answer {
        let (Endpoint::Tcp(address) | Endpoint::Udp(address)) = to else {
            return Answer::Refuse;
        };
        let IpAddr::V4(ip) = address.ip() else {
            return Answer::Refuse;
        };
        let desk = match (ip.octets()[3], address.port()) {
            (1, 80) => {
                let server = Server::new(self.rng.u64(..), self.calm);
                return Answer::Peer(Box::new(server));
            }
            (2, 80) => return self.service(0),
            (3, 80) => return self.service(1),
            (11, 88) => &self.desks[0],
            (12, 88) => &self.desks[1],
            (21, 88) => &self.desks[2],
            _ => return Answer::Refuse,
        };
        match (desk.temper(), to) {
            (Temper::Closed, _) => Answer::Refuse,
            (_, Endpoint::Udp(_)) => Answer::Correspondent(Box::new(desk.clone())),
            _ => Answer::Peer(Box::new(KdcStream::new(desk))),
        }
    }
}
