//! `--tunnel`: standard input and output, joined with a connection to anywhere.
//!
//! ```text
//! standard input  -> thread -> [a piece] -> Session -> network
//! standard output <------------------------ Session <- network
//! ```
//!
//! Both directions are bounded by what the other end takes: a piece that is not taken keeps
//! the thread from reading on, and nothing is received while standard output is full.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Instant, SystemTime};

use sockless::drivers::{Wakeable, Waker};
use sockless::{Completion, Error, Event, Output, Proxy, Reason, Session, TransferId, TunnelTo};

use crate::args::Args;
use crate::ask;
use crate::console::Console;
use crate::kerberos::Kerberos;
use crate::report::{Failure, code};
use crate::{driver, job, output, proxy, settings, source};

/// Bytes read from standard input at once.
const PIECE: usize = 64 * 1024;

/// Opens the tunnel, and comes back when both directions have ended.
///
/// # Errors
/// It cannot be opened, or breaks.
pub(crate) fn run(args: &Args, console: &mut Console) -> Result<(), Failure> {
    let chosen = driver::choose(args.connection.driver.as_deref())?;
    if let Some(why) = &chosen.instead {
        console.tracer.info(why);
    }
    console.driver = chosen.driver.name();
    let of = |error: Error| Failure::of(&error);
    let config = settings::config(args)?;
    let session = Session::new(config, Instant::now(), SystemTime::now(), crate::seed());
    let mut session = session.map_err(of)?;
    let (to, hosts) = destination(args, console.tracer.is_on())?;
    let id = session.tunnel(to).map_err(of)?;
    let output = output::stdout().map_err(|error| Failure::write("standard output", &error))?;
    let input = input(chosen.driver.waker()).map_err(unreadable)?;
    let joint = Joint {
        session,
        driver: chosen.driver,
        id,
        input,
        wanted: false,
        output: Some(output),
        hosts,
        ended: None,
    };
    joint.run(console)
}

/// Where it leads, and the hosts of the proxies on the way.
fn destination(args: &Args, notes: bool) -> Result<(TunnelTo, Vec<String>), Failure> {
    let of = |error: Error| Failure::of(&error);
    let text = args.proxy.tunnel.as_deref().unwrap_or_default();
    let mut to = TunnelTo::parse(text).map_err(of)?;
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let (host, port) = (host.trim_matches(['[', ']']), port.parse().unwrap_or(0));
    let kerberos = Kerberos::of(args, &proxy::environment)?;
    let proxies = proxy::proxies(args, &kerberos, &proxy::environment)?;
    let mut hosts = Vec::new();
    if !proxies.except.matches(host, port) {
        for proxy in proxies.https {
            hosts.push(Proxy::host(&proxy).to_owned());
            to = to.proxy(proxy);
        }
    }
    if let Some(header) = proxy::header(&args.proxy, host, port) {
        to = to.proxy_header(header);
    }
    if args.proxy.tunnel_tls {
        to = to.secured();
    }
    if let Some(local) = args.connection.interface {
        to = to.local_address(local);
    }
    let to = to
        .timeouts(|timeouts| {
            job::set_timeouts(&args.connection, timeouts);
        })
        .options(|options| options.notes = notes);
    Ok((to, hosts))
}

/// Reads standard input on a thread of its own; an empty piece is its end.
fn input(waker: Waker) -> io::Result<Receiver<io::Result<Vec<u8>>>> {
    let mut stdin = source::stdin()?;
    let (give, pieces) = sync_channel(1);
    thread::Builder::new()
        .name("standard input".to_owned())
        .spawn(move || {
            loop {
                let mut piece = vec![0; PIECE];
                let read = source::read_retrying(&mut stdin, &mut piece).map(|n| {
                    piece.truncate(n);
                    piece
                });
                let is_last = !read.as_ref().is_ok_and(|piece| !piece.is_empty());
                // Nobody takes it any more: the tunnel is over.
                if give.send(read).is_err() {
                    return;
                }
                waker.wake();
                if is_last {
                    return;
                }
            }
        })?;
    Ok(pieces)
}

/// The connection and our two ends of it.
struct Joint {
    session: Session,
    driver: Box<dyn Wakeable>,
    id: TransferId,
    input: Receiver<io::Result<Vec<u8>>>,
    /// A piece is asked for.
    wanted: bool,
    /// `None`: the peer has ended its direction.
    output: Option<File>,
    /// The proxies'.
    hosts: Vec<String>,
    ended: Option<Result<(), Failure>>,
}

impl Joint {
    fn run(mut self, console: &mut Console) -> Result<(), Failure> {
        let mut done = Vec::new();
        loop {
            match self.session.poll(self.driver.now()) {
                Output::Submit(op) => {
                    console.tracer.submitted(&op);
                    self.driver.submit(op);
                }
                Output::Cancel(id) => self.driver.cancel(id),
                Output::Event(_, event) => {
                    if let Err(failure) = self.event(event, console) {
                        self.give_up(failure);
                    }
                }
                Output::Wait(_) if self.session.is_settled() => {
                    return self.ended.unwrap_or(Ok(()));
                }
                Output::Wait(deadline) => match self.feed() {
                    Ok(true) => {}
                    Ok(false) => self.wait(deadline, &mut done, console)?,
                    Err(failure) => self.give_up(failure),
                },
                _ => {}
            }
        }
    }

    fn wait(
        &mut self,
        deadline: Option<Instant>,
        done: &mut Vec<Completion>,
        console: &mut Console,
    ) -> Result<(), Failure> {
        let waited = self.driver.wait(deadline, done);
        waited.map_err(|error| Failure::new(56, format!("driver: it cannot go on: {error}")))?;
        for completion in done.drain(..) {
            console.tracer.completed(&completion);
            self.session
                .complete(self.driver.now(), completion.op, completion.result);
        }
        Ok(())
    }

    /// Ends it for a reason of ours, which says more than the cancel that follows.
    fn give_up(&mut self, failure: Failure) {
        self.ended.get_or_insert(Err(failure));
        self.session.cancel(self.id);
    }

    fn event(&mut self, event: Event, console: &mut Console) -> Result<(), Failure> {
        match event {
            Event::Open if console.tracer.is_on() => {
                let layers = self.session.layers(self.id);
                let above = layers.iter().rev().map(|layer| format!("{layer} / "));
                let above: String = above.collect();
                let stack = format!("Stack: {above}{}", console.driver);
                console.tracer.info(&stack);
            }
            Event::Data(piece) => {
                if let Some(output) = &mut self.output {
                    let written = output.write_all(&piece);
                    written.map_err(|error| Failure::write("standard output", &error))?;
                }
            }
            Event::PeerFinished => {
                self.output = None;
                close_stdout().map_err(|error| Failure::write("standard output", &error))?;
            }
            Event::Asked(question) => {
                let answer = ask::at_terminal(&question);
                // A tunnel that has ended meanwhile says so itself.
                let _ = self.session.answer(self.id, question.id, answer);
            }
            Event::WantBody { .. } => self.wanted = true,
            Event::Note(note) => console.tracer.note(&note),
            Event::Done { outcome, .. } => {
                let outcome = outcome.map_err(|error| self.failure(&error));
                self.ended.get_or_insert(outcome);
                self.wanted = false;
            }
            _ => {}
        }
        Ok(())
    }

    fn failure(&self, error: &Error) -> Failure {
        let mut failure = Failure::of(error);
        let names = |host: &String| job::names(error.what(), host);
        if error.reason() == Reason::Resolve && self.hosts.iter().any(names) {
            failure.code = code::PROXY_NAME;
        }
        failure
    }

    /// Hands on what standard input has, if it is wanted; says whether it did.
    fn feed(&mut self) -> Result<bool, Failure> {
        if !self.wanted {
            return Ok(false);
        }
        let Ok(piece) = self.input.try_recv() else {
            return Ok(false);
        };
        let bytes = piece.map_err(unreadable)?;
        self.wanted = false;
        if bytes.is_empty() {
            let finished = self.session.finish_body(self.id);
            return finished.map(|()| true).map_err(|error| Failure::of(&error));
        }
        let mut piece = self.session.pool().take(bytes.len());
        piece.extend_from_slice(&bytes);
        let sent = self.session.send_body(self.id, piece);
        sent.map(|()| true)
            .map_err(|(error, _)| Failure::of(&error))
    }
}

fn unreadable(error: io::Error) -> Failure {
    Failure::read(code::READ, "standard input".as_ref(), &error)
}

/// Lets the reader of standard output see its end, while standard input goes on.
fn close_stdout() -> io::Result<()> {
    let nothing = File::options().write(true).open("/dev/null")?;
    Ok(rustix::stdio::dup2_stdout(nothing)?)
}
