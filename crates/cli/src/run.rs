//! The loop: a session, a driver, and as many transfers as are allowed at a time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use sockless::{Completion, Driver, Event, Output, Session, Summary, TransferId};

use crate::console::Console;
use crate::job::Job;
use crate::progress::TICK;
use crate::report::Failure;
use crate::transfer::Transfer;

/// Runs jobs that share a session.
pub(crate) struct Runner<'a> {
    session: Session,
    driver: Box<dyn Driver>,
    console: &'a mut Console,
    waiting: VecDeque<Job>,
    active: BTreeMap<TransferId, Transfer>,
    /// Before their next attempt, with its time.
    resting: Vec<(Instant, Transfer)>,
    at_once: usize,
    fail_early: bool,
    /// The exit code so far: of the last transfer, as curl has it; of the last that
    /// failed, where several ran at once.
    exit: u8,
}

impl<'a> Runner<'a> {
    /// `at_once`: how many transfers may be under way at a time.
    pub(crate) fn new(
        session: Session,
        driver: Box<dyn Driver>,
        console: &'a mut Console,
        jobs: Vec<Job>,
        at_once: usize,
    ) -> Self {
        console.driver = driver.name();
        Self {
            session,
            driver,
            console,
            fail_early: jobs.iter().any(|job| job.args.connection.fail_early),
            waiting: jobs.into(),
            active: BTreeMap::new(),
            resting: Vec::new(),
            at_once: at_once.max(1),
            exit: 0,
        }
    }

    /// Runs all of them; gives the exit code.
    ///
    /// # Errors
    /// The driver cannot go on.
    pub(crate) fn run(mut self) -> Result<u8, Failure> {
        let mut done = Vec::new();
        loop {
            match self.session.poll(self.driver.now()) {
                Output::Submit(op) => {
                    self.console.tracer.submitted(&op);
                    self.driver.submit(op);
                }
                Output::Cancel(id) => self.driver.cancel(id),
                Output::Event(id, event) => self.event(id, event),
                Output::Wait(_) if self.start_some() => {}
                Output::Wait(_) if self.is_done() => break,
                Output::Wait(deadline) => {
                    let until = self.until(deadline);
                    self.wait(until, &mut done)?;
                }
                _ => {}
            }
        }
        self.farewell(&mut done)?;
        Ok(self.exit)
    }

    fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.active.is_empty() && self.resting.is_empty()
    }

    fn until(&self, deadline: Option<Instant>) -> Option<Instant> {
        let rested = self.resting.iter().map(|(at, _)| *at).min();
        let tick = self
            .console
            .progress
            .is_on()
            .then(|| self.driver.now() + TICK);
        [deadline, rested, tick].into_iter().flatten().min()
    }

    fn wait(&mut self, until: Option<Instant>, done: &mut Vec<Completion>) -> Result<(), Failure> {
        let waited = self.driver.wait(until, done);
        waited.map_err(|error| Failure::new(56, format!("driver: it cannot go on: {error}")))?;
        self.console.progress.tick();
        for completion in done.drain(..) {
            self.console.tracer.completed(&completion);
            self.session
                .complete(self.driver.now(), completion.op, completion.result);
        }
        Ok(())
    }

    /// Starts what may start now; says whether anything did.
    fn start_some(&mut self) -> bool {
        let mut any = false;
        while self.active.len() < self.at_once {
            let Some(transfer) = self.next() else { break };
            any = true;
            match transfer {
                Ok(transfer) => self.start(transfer),
                Err(failure) => self.count(Err(failure)),
            }
        }
        any
    }

    fn next(&mut self) -> Option<Result<Transfer, Failure>> {
        let now = self.driver.now();
        if let Some(at) = self.resting.iter().position(|(at, _)| *at <= now) {
            return Some(Ok(self.resting.swap_remove(at).1));
        }
        if self.active.len() + self.resting.len() >= self.at_once {
            return None;
        }
        self.waiting.pop_front().map(Transfer::new)
    }

    fn start(&mut self, mut transfer: Transfer) {
        self.console.progress.begin();
        match transfer.start(&mut self.session, self.driver.now(), self.console) {
            Ok(id) => {
                self.active.insert(id, transfer);
            }
            Err(failure) => {
                transfer.give_up(failure);
                self.ended(transfer, Ok(()), Summary::default());
            }
        }
    }

    fn event(&mut self, id: TransferId, event: Event) {
        if let Event::Done { outcome, summary } = event {
            if let Some(transfer) = self.active.remove(&id) {
                self.ended(transfer, outcome, *summary);
            }
            return;
        }
        let Some(transfer) = self.active.get_mut(&id) else {
            return;
        };
        if let Err(failure) = transfer.on(&mut self.session, id, event, self.console) {
            transfer.give_up(failure);
            self.session.cancel(id);
        }
    }

    fn ended(
        &mut self,
        mut transfer: Transfer,
        outcome: Result<(), sockless::Error>,
        summary: Summary,
    ) {
        self.console.progress.end();
        if summary.reused {
            self.console.tracer.info("A kept connection was used");
        }
        let result = transfer.end(outcome, summary);
        let result = result.and(transfer.job.store_hosts());
        let pause = transfer.retry(&result);
        // A pause that no clock can show never ends.
        let at = pause.and_then(|pause| Some((pause, self.driver.now().checked_add(pause)?)));
        if let Some((pause, at)) = at {
            let why = match &result {
                Err(failure) => failure.to_string(),
                Ok(()) => "the server answered with a passing error".to_owned(),
            };
            let left = transfer.retries_left();
            let pause_s = pause.as_secs_f64();
            self.console.remark(&format!(
                "{why}; trying again in {pause_s} s, {left} attempts left"
            ));
            self.resting.push((at, transfer));
            return;
        }
        if let Err(failure) = &result {
            transfer.record.exit_code = failure.code;
            transfer.record.error.clone_from(&failure.what);
        }
        let format = transfer.job.args.output.write_out.as_deref();
        let written = format.map(|format| self.console.write_out(format, &transfer.record));
        self.count(result.and(written.unwrap_or(Ok(()))));
    }

    /// Counts a transfer's end towards the exit code.
    fn count(&mut self, result: Result<(), Failure>) {
        match result {
            Ok(()) if self.at_once > 1 => {}
            Ok(()) => self.exit = 0,
            Err(failure) => {
                self.exit = failure.code;
                self.console.failed(&failure);
                if self.fail_early {
                    self.waiting.clear();
                    self.resting.clear();
                    self.active.keys().for_each(|id| self.session.cancel(*id));
                }
            }
        }
    }

    /// Closes kept connections, as far as that needs no waiting.
    fn farewell(&mut self, done: &mut Vec<Completion>) -> Result<(), Failure> {
        self.session.close_idle();
        loop {
            match self.session.poll(self.driver.now()) {
                Output::Submit(op) => self.driver.submit(op),
                Output::Cancel(id) => self.driver.cancel(id),
                Output::Wait(_) => break,
                _ => {}
            }
        }
        let now = self.driver.now();
        self.wait(Some(now), done)
    }
}
