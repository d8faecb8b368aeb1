//! sockless, by its `Session` and the loop that comes with it.

use std::io;
use std::path::Path;
use std::time::{Instant, SystemTime};

#[cfg(feature = "drivers")]
use sockless::drivers;
use sockless::drivers::{Blocking, Uring};
use sockless::kerberos::{self, Credentials, Realms};
use sockless::tls::{self, Backend, Roots};
use sockless::{Auth, Config, Driver, Event, Fault, Protection, Proxy, Request, Session};

use super::{Task, paced, unknown};
use crate::measure::{self, Figures};

/// Connections that are opened together where many are wanted: a server's queue of
/// connections that it has not accepted yet is short.
const BATCH: usize = 250;

pub(super) fn run(client: &str, work: &str, task: &Task) -> io::Result<Figures> {
    let mut driver: Box<dyn Driver> = match client {
        "blocking" => Box::new(Blocking::new()?),
        #[cfg(feature = "drivers")]
        "tokio" => Box::new(drivers::TokioAlone::new()?),
        #[cfg(feature = "drivers")]
        "compio" => Box::new(drivers::Compio::new()?),
        #[cfg(feature = "drivers")]
        "aio" => Box::new(drivers::Aio::new()?),
        _ => Box::new(Uring::new()?),
    };
    let driver = driver.as_mut();
    let backend = match client {
        "uring-openssl" => Backend::Openssl,
        _ => Backend::Rustls,
    };
    match work {
        "download" | "small" | "handshakes" => {
            let mut submitted = 0;
            let mut figures = measure::timed(|| {
                submitted = requests(driver, task, backend, work == "handshakes")?;
                Ok(())
            })?;
            figures.insert("submitted".to_owned(), submitted as f64);
            Ok(figures)
        }
        "idle" => idle(driver, task, backend),
        "alone" | "beside" => paced::run(driver, task, work == "beside"),
        _ => Err(unknown(work)),
    }
}

pub(super) fn session(task: &Task, backend: Backend, resumption: usize) -> io::Result<Session> {
    let mut config = Config::default();
    config.limits.connections = task.connections.max(1);
    config.limits.idle_connections = task.connections.max(1);
    if task.min > 0 {
        config.limits.max_min = task.min;
    }
    if task.is_tls() {
        let mut settings = tls::Config::new(roots(&task.ca)?)
            .alpn(["http/1.1"])
            .backend(backend);
        // The other one resumes nothing, and says so if it is asked to.
        if backend == Backend::Rustls {
            settings = settings.resumption(resumption);
        }
        config = config.with_tls(settings).map_err(io::Error::other)?;
    }
    Session::new(config, Instant::now(), SystemTime::now(), 1).map_err(io::Error::other)
}

fn roots(pem: &Path) -> io::Result<Roots> {
    let mut roots = Roots::empty();
    roots
        .add_pem(&std::fs::read(pem)?)
        .map_err(|fault| io::Error::other(fault.at("tls")))?;
    Ok(roots)
}

pub(super) fn request(task: &Task) -> io::Result<Request> {
    let request = Request::get(&task.url).map_err(io::Error::other)?;
    if task.proxy.is_empty() {
        return Ok(match task.has_tickets() {
            true => request.auth(tickets(task)?.unasked()),
            false => request,
        });
    }
    let mut proxy = Proxy::parse(&task.proxy).map_err(io::Error::other)?;
    if task.proxy.starts_with("https:") {
        let settings = tls::Config::new(roots(&task.proxy_ca)?).build();
        proxy = proxy.tls(settings.map_err(|fault| io::Error::other(fault.at("tls")))?);
    }
    if task.has_tickets() {
        let auth = tickets(task)?;
        proxy = proxy.auth(auth).protection(Protection::Confidentiality);
    }
    Ok(request.proxy(proxy))
}

/// Who we are by tickets that are there already.
fn tickets(task: &Task) -> io::Result<Auth> {
    let cache = std::fs::read(&task.ccache)?;
    negotiate(task, |_| Credentials::ccache(&cache))
}

/// Negotiate with a server that is `localhost` to Kerberos, whatever it is called elsewhere.
pub(super) fn negotiate(
    task: &Task,
    who: impl FnOnce(&Realms) -> Result<Credentials, Fault>,
) -> io::Result<Auth> {
    let text = std::fs::read_to_string(&task.realms)?;
    let provider = Realms::parse(&text).and_then(|realms| {
        let credentials = who(&realms)?;
        kerberos::Config::new(credentials, realms).build()
    });
    let provider = provider.map_err(|fault| io::Error::other(fault.at("kerberos")))?;
    Ok(Auth::negotiate(provider).target("localhost"))
}

/// `count` requests on as many connections as the task says, each one's next request
/// after its last; `fresh`: each on a new connection, which ends with it. Gives the
/// number of operations that were submitted.
fn requests(
    driver: &mut dyn Driver,
    task: &Task,
    backend: Backend,
    fresh: bool,
) -> io::Result<u64> {
    let count = task.count.max(1);
    let mut session = session(task, backend, if fresh { 0 } else { 256 })?;
    let request = request(task)?.options(|options| options.forbid_reuse = fresh);
    let first = count.min(task.connections.max(1));
    for _ in 0..first {
        session
            .start(driver.now(), request.clone())
            .map_err(io::Error::other)?;
    }
    let mut left = count - first;
    let (mut bytes, mut failure) = (0, None);
    sockless::run(&mut session, driver, |session, _, event| match event {
        Event::Data(piece) => bytes += piece.len(),
        Event::Done {
            outcome: Ok(()), ..
        } if left > 0 => {
            left -= 1;
            let started = session.start(Instant::now(), request.clone());
            failure = failure.take().or(started.err());
        }
        Event::Done { outcome, .. } => failure = failure.take().or(outcome.err()),
        _ => {}
    })?;
    match failure {
        Some(error) => Err(io::Error::other(error)),
        None if bytes == 0 => Err(io::Error::other("no byte of body came")),
        None => Ok(session.stats().submitted),
    }
}

/// Memory that a kept connection takes: by the slope between a few of them and all.
fn idle(driver: &mut dyn Driver, task: &Task, backend: Backend) -> io::Result<Figures> {
    let mut session = session(task, backend, 256)?;
    let request = request(task)?.options(|options| options.fresh_connection = true);
    let open = |session: &mut Session, driver: &mut dyn Driver| {
        for _ in 0..BATCH {
            session
                .start(driver.now(), request.clone())
                .map_err(io::Error::other)?;
        }
        sockless::run(session, driver, |_, _, _| {})
    };
    // What all connections share is there after the first ones.
    open(&mut session, driver)?;
    let (live, resident) = (measure::live_bytes(), measure::resident_bytes());
    let before = session.stats().idle;
    while session.stats().idle < task.connections {
        open(&mut session, driver)?;
    }
    let more = (session.stats().idle - before) as f64;
    let mut figures = Figures::new();
    figures.insert("live".to_owned(), (measure::live_bytes() - live) / more);
    figures.insert(
        "resident".to_owned(),
        (measure::resident_bytes() - resident) / more,
    );
    Ok(figures)
}
