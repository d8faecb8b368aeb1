//! The application of sftp: files got and put at once, some of them paused or cut off on the
//! way; what was cut goes on later where it stopped.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use sockless::core::Exchange;
use sockless::ssh::Client;
use sockless::ssh::sftp::{Get, Put, Sftp, Window};
use sockless::{Error, Event, Op, Output, Pool, Session, Stats, TransferId, TunnelTo};
use sockless_sim::Application;

use crate::fetches::{is_timeout, is_told};
use crate::files::Files;
use crate::pattern;

/// So often a copy is tried, at most.
const ATTEMPTS: u32 = 6;

/// Copies of files, and what became of them.
pub struct Copies {
    session: Session,
    to: TunnelTo,
    client: Arc<Client>,
    files: Files,
    rng: Rng,
    calm: bool,
    copies: Vec<Copy>,
    /// The transfers that are under way, by the place of their copies.
    running: HashMap<TransferId, usize>,
    next_whim: Option<Instant>,
}

/// One file, and how far it is.
struct Copy {
    put: bool,
    path: Vec<u8>,
    size: u64,
    /// Bytes that have come, or have been given away.
    at: u64,
    /// Where this attempt's body began, and the most that any attempt gave away.
    began: u64,
    given: u64,
    attempts: u32,
    /// How often it may still be cut by a whim.
    cuts: u8,
    /// This attempt was cut by us.
    cut: bool,
    /// No attempt follows.
    given_up: bool,
    stage: Stage,
    /// What attempts have failed with that were not cut by us.
    errors: Vec<Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running(TransferId),
    /// Until then.
    Waiting(Instant),
    Complete,
    Failed,
}

impl Copies {
    /// No copies yet; `calm`: without whims. `files` are those of the server at `to`.
    pub fn new(
        session: Session,
        (to, client): (TunnelTo, Arc<Client>),
        files: Files,
        rng: Rng,
        (start, calm): (Instant, bool),
    ) -> Self {
        Self {
            session,
            to,
            client,
            files,
            rng,
            calm,
            copies: Vec::new(),
            running: HashMap::new(),
            next_whim: (!calm).then(|| start + Duration::from_millis(100)),
        }
    }

    /// Gets or puts a file of that size.
    ///
    /// # Panics
    /// If the library refuses what has always worked; the harness reports it with its seed.
    pub fn start(&mut self, now: Instant, put: bool, size: u64) {
        let index = self.copies.len();
        let path = format!("{index}").into_bytes();
        if !put {
            self.files.lock().insert(path.clone(), content(index, size));
        }
        self.copies.push(Copy {
            put,
            path,
            size,
            at: 0,
            began: 0,
            given: 0,
            attempts: 0,
            cuts: if self.calm { 0 } else { self.rng.u8(0..3) },
            cut: false,
            given_up: false,
            stage: Stage::Waiting(now),
            errors: Vec::new(),
        });
        self.attempt(index).expect("a transfer that can be started");
    }

    fn attempt(&mut self, index: usize) -> Result<(), Error> {
        let mut window = Window::default();
        if !self.calm {
            window.chunk = [500, 4096, 32 * 1024][self.rng.usize(0..3)];
            window.requests = self.rng.usize(1..64);
        }
        let copy = &mut self.copies[index];
        let again = copy.attempts > 0;
        (copy.attempts, copy.cut) = (copy.attempts + 1, false);
        let path = copy.path.clone();
        let exchange = match copy.put {
            false => Sftp::get(Get::new(path).from(copy.at).window(window)),
            true => {
                (copy.at, copy.began) = (0, 0);
                let put = Put::new(path).window(window);
                Sftp::put(if again { put.resume() } else { put })
            }
        };
        let exchange: Box<dyn Exchange> = Box::new(exchange);
        let client = Arc::clone(&self.client);
        let id = self.session.ssh(self.to.clone(), client, exchange)?;
        copy.stage = Stage::Running(id);
        self.running.insert(id, index);
        Ok(())
    }

    fn want_body(&mut self, id: TransferId, index: usize, room: usize) -> Result<(), String> {
        let copy = &mut self.copies[index];
        let most = (copy.size - copy.at).min(room as u64);
        let n = match self.calm || most == 0 {
            true => most,
            false => self.rng.u64(1..=most),
        };
        let mut piece = Vec::new();
        pattern::append(&mut piece, base(index) + copy.at, n);
        copy.at += n;
        copy.given = copy.given.max(copy.at);
        if n > 0 {
            let given = self.session.send_body(id, piece.into());
            given.map_err(|(error, _)| format!("a body that was asked for: {error}"))?;
        }
        if copy.at == copy.size {
            let finished = self.session.finish_body(id);
            finished.map_err(|error| format!("the end of a body that was asked for: {error}"))?;
        }
        Ok(())
    }

    fn done(
        &mut self,
        now: Instant,
        index: usize,
        outcome: Result<(), Error>,
    ) -> Result<(), String> {
        let copy = &mut self.copies[index];
        let Err(error) = outcome else {
            copy.stage = Stage::Complete;
            return match copy.put {
                true => whole(index, copy, &self.files),
                false if copy.at == copy.size => Ok(()),
                false => Err(format!("{} of {} bytes, and no error", copy.at, copy.size)),
            };
        };
        if !copy.cut {
            copy.errors.push(error);
        }
        copy.stage = match copy.given_up || copy.attempts >= ATTEMPTS {
            true => Stage::Failed,
            // Longer than anything travels that the server could still get from this one.
            false => Stage::Waiting(now + Duration::from_secs(60)),
        };
        Ok(())
    }

    fn took(&mut self, id: TransferId, index: usize, piece: &[u8]) -> Result<(), String> {
        let copy = &mut self.copies[index];
        if copy.put || !pattern::is(piece, base(index) + copy.at) {
            return Err(format!("wrong bytes from {} on", copy.at));
        }
        copy.at += piece.len() as u64;
        if copy.at > copy.size {
            return Err(format!("{} bytes of {}", copy.at, copy.size));
        }
        if !self.calm && self.rng.u8(0..12) == 0 {
            self.session.pause(id);
        }
        Ok(())
    }

    fn resumes(&mut self, index: usize, offset: u64) -> Result<(), String> {
        let copy = &mut self.copies[index];
        if offset > copy.given {
            let given = copy.given;
            return Err(format!(
                "the server has {offset} bytes, and was given {given}"
            ));
        }
        (copy.at, copy.began) = (offset, offset);
        Ok(())
    }

    /// Whether all came as it should for this one.
    fn check(&self, index: usize, harm: &[&'static str]) -> Result<(), String> {
        let copy = &self.copies[index];
        let told = harm.iter().all(|one| is_told(one));
        match copy.errors.first() {
            Some(error) if harm.is_empty() => return Err(format!("failed for no reason: {error}")),
            Some(error) if told && copy.errors.iter().any(is_timeout) => {
                return Err(format!("waited although the end had been told: {error}"));
            }
            _ => {}
        }
        if copy.put {
            begun(index, copy, &self.files)?;
        }
        match copy.stage {
            Stage::Complete => Ok(()),
            Stage::Failed if copy.given_up || !harm.is_empty() => Ok(()),
            Stage::Failed => Err("cut off too often".to_owned()),
            Stage::Running(_) | Stage::Waiting(_) => Err("a transfer has no end".to_owned()),
        }
    }
}

impl Application for Copies {
    fn poll(&mut self, now: Instant) -> Output {
        self.session.poll(now)
    }

    fn complete(&mut self, now: Instant, op: Op, result: io::Result<usize>) {
        self.session.complete(now, op, result);
    }

    fn event(&mut self, now: Instant, id: TransferId, event: Event) -> Result<(), String> {
        let Some(index) = self.running.get(&id).copied() else {
            return Err(format!("an event for nobody: {event:?}"));
        };
        match event {
            Event::WantBody { room } => self.want_body(id, index, room),
            Event::RewindBody => {
                self.copies[index].at = self.copies[index].began;
                Ok(())
            }
            Event::ResumeAt(offset) => self.resumes(index, offset),
            Event::Data(piece) => self.took(id, index, &piece),
            Event::Done { outcome, .. } => {
                self.running.remove(&id);
                self.done(now, index, outcome)
            }
            _ => Ok(()),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let waiting = self.copies.iter().filter_map(|copy| match copy.stage {
            Stage::Waiting(until) => Some(until),
            _ => None,
        });
        let whim = self.next_whim.filter(|_| !self.running.is_empty());
        waiting.chain(whim).min()
    }

    /// What waits is tried again. Whims: paused transfers go on, and now and then one is cut.
    fn woken(&mut self, now: Instant) {
        for index in 0..self.copies.len() {
            let copy = &mut self.copies[index];
            match copy.stage {
                Stage::Waiting(until) if until <= now => {
                    self.attempt(index).expect("a transfer that can be started");
                }
                Stage::Running(id) if self.next_whim.is_some_and(|at| at <= now) => {
                    self.session.resume(id);
                    if copy.cuts > 0 && self.rng.u8(0..10) == 0 {
                        (copy.cuts, copy.cut) = (copy.cuts - 1, true);
                        self.session.cancel(id);
                    }
                }
                _ => {}
            }
        }
        if self.next_whim.is_some_and(|at| at <= now) {
            self.next_whim = Some(now + Duration::from_millis(self.rng.u64(10..2000)));
        }
    }

    fn cancel(&mut self) {
        for copy in &mut self.copies {
            copy.given_up = true;
            match copy.stage {
                Stage::Running(id) => {
                    copy.cut = true;
                    self.session.cancel(id);
                }
                Stage::Waiting(_) => copy.stage = Stage::Failed,
                Stage::Complete | Stage::Failed => {}
            }
        }
    }

    fn is_done(&self) -> bool {
        let over = |copy: &Copy| matches!(copy.stage, Stage::Complete | Stage::Failed);
        self.copies.iter().all(over)
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
        (0..self.copies.len()).try_for_each(|index| self.check(index, harm))
    }
}

/// Where in the pattern a file begins: no two files are alike.
fn base(index: usize) -> u64 {
    index as u64 * 1_000_003
}

fn content(index: usize, size: u64) -> Vec<u8> {
    let mut content = Vec::new();
    pattern::append(&mut content, base(index), size);
    content
}

/// The server has all of a file that was put.
fn whole(index: usize, copy: &Copy, files: &Files) -> Result<(), String> {
    begun(index, copy, files)?;
    match files.lock().get(&copy.path).map_or(0, Vec::len) as u64 {
        has if has == copy.size => Ok(()),
        has => Err(format!("the server has {has} bytes of {}", copy.size)),
    }
}

/// What the server has of a file that was put is its beginning.
fn begun(index: usize, copy: &Copy, files: &Files) -> Result<(), String> {
    let files = files.lock();
    let Some(has) = files.get(&copy.path) else {
        return Ok(());
    };
    if has.len() as u64 > copy.given || !pattern::is(has, base(index)) {
        return Err(format!("the server has {} wrong bytes", has.len()));
    }
    Ok(())
}
