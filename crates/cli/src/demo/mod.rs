//! `sockless demo`: a download and an upload, over HTTPS and over sftp, and what that took.
//!
//! The servers are threads of this process with sockets of their own, written on plain
//! rustls and on russh. Everything on the client's side goes through operations that are counted.

mod counting;
#[cfg(feature = "ssh")]
mod files;
#[cfg(feature = "ssh")]
mod over_ssh;
mod pattern;
mod picture;
mod server;
#[cfg(feature = "ssh")]
mod sshd;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use sockless::tls::{self, Roots};
use sockless::{
    Body, Completion, Config, Driver, Event, Note, Output, Request, Session, Summary, TransferId,
};

use crate::report::{Failure, complain};
use counting::Counting;
use pattern::Pattern;
use picture::Picture;
use server::Server;

/// What the demo can be asked for.
#[derive(Debug, Parser)]
#[command(
    name = "sockless demo",
    about = "Shows the library at work, without a network"
)]
struct DemoArgs {
    /// What carries the operations out: uring, blocking, tokio, compio or aio
    #[arg(long, value_name = "NAME")]
    driver: Option<String>,
    /// How much to download; half of it is uploaded
    #[arg(long, value_name = "MIB", default_value = "64", value_parser = clap::value_parser!(u64).range(1..=4096))]
    size: u64,
}

/// How long kept connections get to say goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// Exit code for a body that is not what was sent.
const WRONG_CHECKSUM: u8 = 1;

/// Runs it.
pub(crate) fn main(words: impl Iterator<Item = OsString>) -> ExitCode {
    let words = std::iter::once(OsString::from("sockless demo")).chain(words);
    let args = match DemoArgs::try_parse_from(words) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    match demonstrate(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(WRONG_CHECKSUM),
        Err(failure) => {
            complain(&failure);
            ExitCode::from(failure.code)
        }
    }
}

/// What one transfer came to.
struct Bulk {
    bytes: u64,
    took: Duration,
    checksum: u32,
    expected: u32,
}

/// Whether all checksums were right.
fn demonstrate(args: &DemoArgs) -> Result<bool, Failure> {
    let picture = Picture::new();
    let chosen = crate::driver::choose(args.driver.as_deref())?;
    let mut driver = Counting::new(chosen.driver);
    let server = Server::start().map_err(|what| Failure::new(7, format!("demo: {what}")))?;
    let mut session = session(&server)?;
    picture.title(server.origin(), driver.name(), chosen.instead.as_deref());

    let mut at_work = AtWork {
        session: &mut session,
        driver: &mut driver,
        origin: server.origin(),
    };
    let (layers, notes) = at_work.hello()?;
    picture.stack(&layers, &notes, at_work.driver.name());
    let size = args.size << 20;
    let down = at_work.download(size)?;
    picture.bulk("download", &down);
    let up = at_work.upload(size / 2)?;
    picture.bulk("upload", &up);
    let right = |bulk: &Bulk| bulk.checksum == bulk.expected;
    let all_right = right(&down) && right(&up);
    #[cfg(feature = "ssh")]
    let all_right = over_ssh(&picture, &mut at_work, size / 4)? && all_right;
    at_work.farewell()?;

    picture.operations(driver.counts());
    picture.conclusion(&session.stats(), driver.counts(), driver.name());
    Ok(all_right)
}

/// The same by sftp, on a connection of its own.
#[cfg(feature = "ssh")]
fn over_ssh(picture: &Picture, at_work: &mut AtWork<'_>, size: u64) -> Result<bool, Failure> {
    let mut seed = [0; 32];
    for piece in seed.chunks_mut(8) {
        piece.copy_from_slice(&crate::seed().to_le_bytes());
    }
    let sshd = sshd::Sshd::start(seed).map_err(|what| Failure::new(7, format!("demo: {what}")))?;
    let over = over_ssh::OverSsh::new(&sshd)?;
    let down = over.get(at_work, size)?;
    picture.bulk("sftp get", &down);
    let up = over.put(at_work, size)?;
    picture.bulk("sftp put", &up);
    Ok(down.checksum == down.expected && up.checksum == up.expected)
}

fn session(server: &Server) -> Result<Session, Failure> {
    let mut roots = Roots::empty();
    roots.add_der(server.authority());
    let config = Config::default().with_tls(tls::Config::new(roots).alpn(["http/1.1"]));
    let session = config
        .and_then(|config| Session::new(config, Instant::now(), SystemTime::now(), crate::seed()));
    session.map_err(|error| Failure::of(&error))
}

/// The client: a session on a driver.
struct AtWork<'a> {
    session: &'a mut Session,
    driver: &'a mut Counting,
    origin: &'a str,
}

impl AtWork<'_> {
    /// A small request that tells what its connection is made of.
    fn hello(&mut self) -> Result<(Vec<&'static str>, Vec<String>), Failure> {
        let request = self
            .request("GET", "/0")?
            .options(|options| options.notes = true);
        let (mut layers, mut notes) = (Vec::new(), Vec::new());
        self.carry_out(request, |session, id, event| {
            let Event::Note(note) = event else { return };
            if layers.is_empty() {
                layers = session.layers(id);
            }
            if let Note::Info { text, .. } = note {
                notes.push(text);
            }
        })?;
        Ok((layers, notes))
    }

    fn download(&mut self, size: u64) -> Result<Bulk, Failure> {
        let request = self.request("GET", &format!("/{size}"))?;
        let mut seen = crc32fast::Hasher::new();
        let mut bytes = 0;
        let summary = self.carry_out(request, |_, _, event| {
            if let Event::Data(piece) = event {
                seen.update(&piece);
                bytes += piece.len() as u64;
            }
        })?;
        let expected = Pattern::new().checksum(size);
        Ok(Bulk {
            bytes,
            took: summary.total,
            checksum: seen.finalize(),
            expected,
        })
    }

    fn upload(&mut self, size: u64) -> Result<Bulk, Failure> {
        let request = self.request("PUT", "/")?.body(Body::Sized(size));
        let pattern = Pattern::new();
        let mut sent = 0;
        let mut answer = Vec::new();
        let summary = self.carry_out(request, |session, id, event| match event {
            Event::WantBody { .. } => feed(session, id, &pattern, &mut sent, size),
            Event::Data(piece) => answer.extend_from_slice(&piece),
            _ => {}
        })?;
        // The server answers with the checksum of what it received.
        let answer = String::from_utf8_lossy(&answer);
        let checksum = u32::from_str_radix(answer.trim(), 16).unwrap_or_default();
        Ok(Bulk {
            bytes: sent,
            took: summary.total,
            checksum,
            expected: pattern.checksum(size),
        })
    }

    fn request(&self, method: &str, path: &str) -> Result<Request, Failure> {
        let request = Request::new(method, &format!("{}{path}", self.origin));
        request.map_err(|error| Failure::of(&error))
    }

    fn carry_out(
        &mut self,
        request: Request,
        on: impl FnMut(&mut Session, TransferId, Event),
    ) -> Result<Summary, Failure> {
        let started = self.session.start(self.driver.now(), request);
        started.map_err(|error| Failure::of(&error))?;
        self.finish(on)
    }

    /// Runs until what was started is done.
    fn finish(
        &mut self,
        mut on: impl FnMut(&mut Session, TransferId, Event),
    ) -> Result<Summary, Failure> {
        let mut end = None;
        let looped = sockless::run(
            self.session,
            self.driver,
            |session, id, event| match event {
                Event::Done { outcome, summary } => end = Some(outcome.map(|()| *summary)),
                event => on(session, id, event),
            },
        );
        looped.map_err(driver_failed)?;
        let end = end.ok_or_else(|| Failure::new(52, "demo: the transfer has no end"))?;
        end.map_err(|error| Failure::of(&error))
    }

    /// Closes the kept connection properly: close_notify, FIN, close.
    fn farewell(&mut self) -> Result<(), Failure> {
        let limit = self.driver.now() + FAREWELL;
        let mut done = Vec::new();
        self.session.close_idle();
        loop {
            match self.session.poll(self.driver.now()) {
                Output::Submit(op) => self.driver.submit(op),
                Output::Cancel(id) => self.driver.cancel(id),
                Output::Wait(_) if self.session.stats().in_flight == 0 => return Ok(()),
                Output::Wait(_) if self.driver.now() >= limit => return Ok(()),
                Output::Wait(deadline) => {
                    let until = deadline.map_or(limit, |deadline| deadline.min(limit));
                    self.driver
                        .wait(Some(until), &mut done)
                        .map_err(driver_failed)?;
                    for Completion { op, result } in done.drain(..) {
                        self.session.complete(self.driver.now(), op, result);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The next piece of an upload, and its end behind the last one.
fn feed(session: &mut Session, id: TransferId, pattern: &Pattern, sent: &mut u64, size: u64) {
    let mut piece = session.pool().take(pattern.period());
    let n = (size - *sent).min(pattern.period() as u64) as usize;
    piece.extend_from_slice(&pattern.bytes()[..n]);
    *sent += n as u64;
    // Both fail only for a transfer that is over; its end says why.
    let _ = session.send_body(id, piece);
    if *sent == size {
        let _ = session.finish_body(id);
    }
}

fn driver_failed(error: std::io::Error) -> Failure {
    Failure::new(56, format!("driver: it cannot go on: {error}"))
}
