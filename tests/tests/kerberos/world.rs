//! What all of these tests stand on: servers, credentials, a session that runs.

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use sockless::core::SecurityProvider;
use sockless::drivers::{Blocking, Uring};
use sockless::kerberos::{Config as Setup, Credentials, Realms};
use sockless::tls::{self, Roots};
use sockless::{
    Auth, Config, Driver, Error, Event, Fault, Note, Request, Session, TransferId, run,
};
use sockless_tests::servers::{Kdc, Kerberized, PASSWORD, Running, Servers, USER};

/// One set of servers for all tests of this process.
pub(crate) fn servers() -> (&'static Kdc, &'static Kerberized) {
    static SHARED: OnceLock<Running> = OnceLock::new();
    let running = SHARED.get_or_init(|| match Servers::start(&["kdc", "kerberos"]) {
        Ok(running) => running,
        Err(error) => panic!("kerberos: {error}"),
    });
    (running.kdc(), running.kerberized())
}

/// What is known about realms, as the KDCs' own configuration has it.
pub(crate) fn realms() -> Realms {
    let text = fs::read_to_string(servers().0.config()).expect("a configuration");
    Realms::parse(&text).expect("a good configuration")
}

/// A provider, or why there is none.
pub(crate) fn provider(
    credentials: Result<Credentials, Fault>,
    realms: Realms,
) -> Result<Arc<dyn SecurityProvider>, Fault> {
    let setup = Setup::new(credentials?, realms).backend(crate::BACKEND);
    let kerberos = setup.random(seed()).build()?;
    Ok(kerberos)
}

/// What nobody can guess: other numbers in each process, and each time.
pub(crate) fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    for piece in seed.chunks_mut(8) {
        let drawn = RandomState::new().build_hasher().finish();
        piece.copy_from_slice(&drawn.to_ne_bytes());
    }
    seed
}

/// Somebody by the usual password.
pub(crate) fn login(name: &str, password: &str, realms: Realms) -> Auth {
    let credentials = Credentials::password(name, password, &realms);
    Auth::negotiate(provider(credentials, realms).expect("a provider"))
}

pub(crate) fn alice() -> Auth {
    login(USER, PASSWORD, realms())
}

/// A session that trusts the servers' authority.
pub(crate) fn config() -> Config {
    let mut roots = Roots::empty();
    let pem = fs::read(servers().1.ca_pem()).expect("a certificate");
    roots.add_pem(&pem).expect("PEM");
    let tls = tls::Config::new(roots).alpn(["http/1.1"]);
    Config::default().with_tls(tls).expect("good settings")
}

/// What a transfer came to.
pub(crate) struct Outcome {
    pub(crate) result: Result<(), Error>,
    pub(crate) code: u16,
    pub(crate) user: String,
    pub(crate) body: Vec<u8>,
    pub(crate) notes: Vec<String>,
}

impl Outcome {
    /// Who the server took us for.
    pub(crate) fn user(&self) -> &str {
        match &self.result {
            Ok(()) => &self.user,
            Err(error) => panic!("{error}; {:#?}; {}", self.notes, servers().1.log()),
        }
    }

    pub(crate) fn error(&self) -> &Error {
        let shown = (self.code, &self.notes);
        self.result
            .as_ref()
            .err()
            .unwrap_or_else(|| panic!("it went well: {shown:?}"))
    }
}

/// A session on a driver.
pub(crate) struct World {
    pub(crate) session: Session,
    pub(crate) driver: Box<dyn Driver>,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        let driver: Box<dyn Driver> = match Uring::new() {
            Ok(uring) => Box::new(uring),
            Err(_) => Box::new(Blocking::new().expect("a driver")),
        };
        Self::on(config, driver)
    }

    pub(crate) fn on(config: Config, driver: Box<dyn Driver>) -> Self {
        Self::at(config, driver, SystemTime::now())
    }

    /// With that time on the wall.
    pub(crate) fn at(config: Config, driver: Box<dyn Driver>, wall: SystemTime) -> Self {
        let session = Session::new(config, Instant::now(), wall, 1).expect("a session");
        Self { session, driver }
    }

    pub(crate) fn start(&mut self, request: Request) -> Result<TransferId, Error> {
        let request = request.options(|options| options.notes = true);
        let request = request.timeouts(|timeouts| {
            timeouts.total.get_or_insert(Duration::from_secs(40));
        });
        self.session.start(self.driver.now(), request)
    }

    /// Runs all transfers to their ends, which come in the order of `ids`.
    pub(crate) fn finish(&mut self, ids: &[TransferId]) -> Vec<Outcome> {
        let fresh = || Outcome {
            result: Ok(()),
            code: 0,
            user: String::new(),
            body: Vec::new(),
            notes: Vec::new(),
        };
        let mut outcomes: Vec<Outcome> = ids.iter().map(|_| fresh()).collect();
        let mut ends = 0;
        run(&mut self.session, &mut *self.driver, |_, id, event| {
            let at = ids.iter().position(|have| *have == id);
            let outcome = &mut outcomes[at.expect("one of ours")];
            match event {
                Event::Head(head) => {
                    outcome.code = head.code;
                    let user = head.fields.first("X-User").unwrap_or_default();
                    outcome.user = String::from_utf8_lossy(user).into_owned();
                }
                Event::Data(piece) => outcome.body.extend_from_slice(&piece),
                Event::Note(Note::Info { layer, text }) => {
                    outcome.notes.push(format!("{layer}: {text}"));
                }
                Event::Done {
                    outcome: result, ..
                } => {
                    ends += 1;
                    outcome.result = result;
                }
                _ => {}
            }
        })
        .expect("the driver goes on");
        assert_eq!(ends, ids.len(), "each transfer ends once");
        outcomes
    }

    pub(crate) fn fetch(&mut self, request: Request) -> Outcome {
        let id = self.start(request).expect("it starts");
        self.finish(&[id]).remove(0)
    }
}

pub(crate) fn get(url: &str) -> Request {
    Request::get(url).expect("a URL")
}
