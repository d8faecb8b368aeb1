//! Plain transfers at a steady pace, and one beside them that has to get a ticket first: who waits for whom.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use sockless::kerberos::Credentials;
use sockless::tls::Backend;
use sockless::{Completion, Driver, Event, Output, Request};
use sockless_tests::servers::{PASSWORD, USER};

use super::Task;
use super::ours::{negotiate, session};
use crate::measure::Figures;

/// Plain transfers.
pub const COUNT: usize = 100;
/// From one's start to the next one's.
const EVERY: Duration = Duration::from_millis(10);

/// When the plain ones are due, and how long after that they were done: a client that was late to
/// start one has made it wait.
pub(super) struct Pace {
    begin: Instant,
    started: usize,
    took: Vec<f64>,
    first: Option<f64>,
}

impl Pace {
    pub(super) fn new(begin: Instant) -> Self {
        Self {
            begin,
            started: 0,
            took: Vec::new(),
            first: None,
        }
    }

    /// Whether one is due, which then counts as started.
    pub(super) fn next(&mut self, now: Instant) -> bool {
        let due = self.due().is_some_and(|at| at <= now);
        self.started += usize::from(due);
        due
    }

    /// When the next one is due.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.started < COUNT).then(|| self.at(self.started))
    }

    fn at(&self, number: usize) -> Instant {
        self.begin + EVERY * u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// The plain one of that number has ended, or the one with a ticket.
    pub(super) fn ended(
        &mut self,
        now: Instant,
        number: Option<usize>,
        code: u32,
    ) -> io::Result<()> {
        if code != 200 {
            return Err(io::Error::other(format!("the answer's code is {code}")));
        }
        let milliseconds = |since: Instant| (now - since).as_secs_f64() * 1e3;
        match number {
            Some(number) => self.took.push(milliseconds(self.at(number))),
            None => self.first = Some(milliseconds(self.begin)),
        }
        Ok(())
    }

    /// In milliseconds.
    pub(super) fn figures(mut self) -> io::Result<Figures> {
        if self.took.len() != COUNT {
            return Err(io::Error::other("not all plain transfers have ended"));
        }
        self.took.sort_by(f64::total_cmp);
        let at = |percent: usize| self.took[(COUNT * percent).div_ceil(100) - 1];
        let figures = [("p50", at(50)), ("p99", at(99)), ("max", at(100))];
        let figures = figures
            .into_iter()
            .chain(self.first.map(|it| ("first", it)));
        Ok(figures
            .map(|(name, value)| (name.to_owned(), value))
            .collect())
    }
}

/// sockless: all of them in one session; with `beside` a password is all that the one has to begin with.
pub(super) fn run(driver: &mut dyn Driver, task: &Task, beside: bool) -> io::Result<Figures> {
    let mut session = session(task, Backend::Rustls, 0)?;
    let plain = Request::get(&task.beside).map_err(io::Error::other)?;
    let mut pace = Pace::new(driver.now());
    // The plain ones by their numbers.
    let mut numbers = BTreeMap::new();
    let (mut codes, mut done) = (BTreeMap::new(), Vec::new());
    if beside {
        let by_password = |realms: &_| Credentials::password(USER, PASSWORD, realms);
        let request = Request::get(&task.url).map_err(io::Error::other)?;
        let request = request.auth(negotiate(task, by_password)?);
        let id = session.start(driver.now(), request);
        numbers.insert(id.map_err(io::Error::other)?, None);
    }
    loop {
        let now = driver.now();
        while pace.next(now) {
            let id = session.start(now, plain.clone());
            numbers.insert(id.map_err(io::Error::other)?, Some(pace.started - 1));
        }
        match session.poll(now) {
            Output::Submit(op) => driver.submit(op),
            Output::Cancel(id) => driver.cancel(id),
            Output::Event(id, Event::Head(head)) => {
                codes.insert(id, u32::from(head.code));
            }
            Output::Event(id, Event::Done { outcome, .. }) => {
                outcome.map_err(io::Error::other)?;
                let number = numbers.get(&id).copied().flatten();
                let code = codes.get(&id).copied().unwrap_or(0);
                pace.ended(driver.now(), number, code)?;
            }
            Output::Wait(_) if pace.due().is_none() && session.is_settled() => {
                return pace.figures();
            }
            Output::Wait(deadline) => {
                let deadline = deadline.into_iter().chain(pace.due()).min();
                driver.wait(deadline, &mut done)?;
                let now = driver.now();
                for Completion { op, result } in done.drain(..) {
                    session.complete(now, op, result);
                }
            }
            _ => {}
        }
    }
}
