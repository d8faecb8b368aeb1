//! A session and a driver, and what a transfer came to.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use sockless::drivers::{Blocking, Uring};
use sockless::tls::{self, Roots};
use sockless::{Config, Driver, Error, Event, Head, Output, Request, Session, Summary, TransferId};
use sockless_tests::servers;

/// The ready-made drivers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum On {
    Uring,
    Blocking,
}

/// Runs a test on each driver; where the kernel forbids io_uring, that is said.
pub(crate) fn on_each(test: impl Fn(&mut World)) {
    for on in [On::Uring, On::Blocking] {
        match World::new(on, config()) {
            Some(mut world) => test(&mut world),
            None => println!("skipped on {on:?}: not allowed here"),
        }
    }
}

/// Trusts the test authority.
pub(crate) fn config() -> Config {
    trusting(&servers::shared().ca_pem())
}

pub(crate) fn trusting(pem: &Path) -> Config {
    let mut roots = Roots::empty();
    roots
        .add_pem(&fs::read(pem).expect("the authority's certificate"))
        .expect("PEM");
    with_tls(tls::Config::new(roots).alpn(["http/1.1"]))
}

pub(crate) fn with_tls(tls: tls::Config) -> Config {
    Config::default().with_tls(tls).expect("good TLS settings")
}

pub(crate) struct World {
    pub(crate) session: Session,
    pub(crate) driver: Box<dyn Driver>,
}

/// What a transfer came to.
pub(crate) struct Outcome {
    pub(crate) result: Result<(), Error>,
    pub(crate) head: Option<Head>,
    pub(crate) body: Vec<u8>,
    pub(crate) interims: usize,
    pub(crate) redirects: Vec<String>,
    pub(crate) summary: Box<Summary>,
}

impl Outcome {
    pub(crate) fn code(&self) -> u16 {
        self.head.as_ref().map_or(0, |head| head.code)
    }

    /// The body of a transfer that went well.
    pub(crate) fn good(self) -> Vec<u8> {
        self.result.expect("the transfer goes well");
        self.body
    }

    pub(crate) fn error(self) -> Error {
        self.result.expect_err("the transfer fails")
    }
}

impl World {
    pub(crate) fn new(on: On, config: Config) -> Option<Self> {
        let driver: Box<dyn Driver> = match on {
            On::Uring => Box::new(Uring::new().ok()?),
            On::Blocking => Box::new(Blocking::new().expect("plain sockets work everywhere")),
        };
        let session = Session::new(config, Instant::now(), SystemTime::now(), 7);
        Some(Self {
            session: session.expect("a session"),
            driver,
        })
    }

    /// The same driver with other settings, once the sockets of the old session are closed.
    pub(crate) fn configure(&mut self, config: Config) {
        self.wind_up();
        self.session =
            Session::new(config, Instant::now(), SystemTime::now(), 7).expect("a session");
    }

    pub(crate) fn get(&mut self, url: &str) -> Outcome {
        self.fetch(Request::get(url).expect("a good URL"))
    }

    pub(crate) fn fetch(&mut self, request: Request) -> Outcome {
        self.fetch_with(request, |_, _, _| {})
    }

    /// Carries one request out; `on` sees each event first, and may act on it.
    pub(crate) fn fetch_with(
        &mut self,
        request: Request,
        mut on: impl FnMut(&mut Session, TransferId, &Event),
    ) -> Outcome {
        let id = self
            .session
            .start(self.driver.now(), request)
            .expect("a request to send");
        let mut outcome = Outcome {
            result: Ok(()),
            head: None,
            body: Vec::new(),
            interims: 0,
            redirects: Vec::new(),
            summary: Box::default(),
        };
        self.drive(|session, of, event| {
            if of != id {
                return false;
            }
            on(session, of, &event);
            match event {
                Event::Interim(_) => outcome.interims += 1,
                Event::Head(head) => outcome.head = Some(head),
                Event::Redirect { location, .. } => outcome.redirects.push(location),
                Event::Data(piece) => outcome.body.extend_from_slice(&piece),
                Event::Done {
                    outcome: result,
                    summary,
                } => {
                    (outcome.result, outcome.summary) = (result, summary);
                    return true;
                }
                _ => {}
            }
            false
        });
        outcome
    }

    /// Runs the loop until `on` says that it is over. A minute without end is a hang.
    pub(crate) fn drive(&mut self, mut on: impl FnMut(&mut Session, TransferId, Event) -> bool) {
        let mut over = false;
        self.run(|session, output| {
            if let Output::Event(id, event) = output {
                over = on(session, id, event);
            }
            over
        });
    }

    /// Closes what is kept and waits until every operation has come back.
    pub(crate) fn wind_up(&mut self) {
        self.session.close_idle();
        self.run(|session, output| {
            matches!(output, Output::Wait(_)) && session.stats().in_flight == 0
        });
        let stats = self.session.stats();
        let left = (stats.connections, stats.idle, stats.transfers);
        assert_eq!(left, (0, 0, 0), "{stats:?}");
    }

    /// The loop; `over` looks at waits and events.
    fn run(&mut self, mut over: impl FnMut(&mut Session, Output) -> bool) {
        let hang = Instant::now() + Duration::from_secs(60);
        let mut done = Vec::new();
        loop {
            let now = self.driver.now();
            assert!(now < hang, "it hangs: {:?}", self.session);
            match self.session.poll(now) {
                Output::Submit(op) => self.driver.submit(op),
                Output::Cancel(id) => self.driver.cancel(id),
                Output::Wait(deadline) => {
                    if over(&mut self.session, Output::Wait(deadline)) {
                        return;
                    }
                    let deadline = deadline.map_or(hang, |at| at.min(hang));
                    let waited = self.driver.wait(Some(deadline), &mut done);
                    waited.expect("the driver works");
                    for completion in done.drain(..) {
                        let now = self.driver.now();
                        self.session.complete(now, completion.op, completion.result);
                    }
                }
                other => {
                    if over(&mut self.session, other) {
                        return;
                    }
                }
            }
        }
    }
}
