//! One run: an application against a network, and the engine held to its promises.

use std::io;
use std::time::{Duration, Instant};

use sockless_core::{Completion, Driver, Event, Op, OpId, Output, Pool, Stats, TransferId};

use crate::watch::{Watch, name};
use crate::{Injury, Sim};

/// Virtual time after which a run counts as one that never ends.
const HORIZON: Duration = Duration::from_secs(6 * 3600);
/// Outputs between two waits, per transfer or connection, after which an engine runs in circles.
const OUTPUTS: usize = 20_000;
/// Waits in one run.
const WAITS: usize = 2_000_000;

/// A program that uses an engine, in a scenario: its transfers, and what they must achieve.
pub trait Application {
    /// As [`Engine::poll`](sockless_core::Engine::poll).
    fn poll(&mut self, now: Instant) -> Output;

    /// As [`Engine::complete`](sockless_core::Engine::complete).
    fn complete(&mut self, now: Instant, op: Op, result: io::Result<usize>);

    /// Takes an event.
    ///
    /// # Errors
    /// It should not have come, or says something false.
    fn event(&mut self, now: Instant, id: TransferId, event: Event) -> Result<(), String>;

    /// When it wants [`Application::woken`] to be called.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// That time has come.
    fn woken(&mut self, _now: Instant) {}

    /// Gives up all its transfers.
    fn cancel(&mut self);

    /// Whether all transfers have ended.
    fn is_done(&self) -> bool;

    /// Lets go of kept connections.
    fn close(&mut self);

    /// The engine's counts.
    fn stats(&self) -> Stats;

    /// The engine's pool.
    fn pool(&self) -> Pool;

    /// Whether all came as it should. `harm` is what happened that excuses a failed transfer;
    /// nothing excuses a wrong byte.
    ///
    /// # Errors
    /// What is wrong.
    fn verdict(&mut self, harm: &[&'static str]) -> Result<(), String>;
}

/// What a run was like.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// Equal for equal runs.
    pub digest: u64,
    /// The operations, in order of submission.
    pub operations: Vec<&'static str>,
    /// What happened that a transfer may fail for.
    pub harm: Vec<&'static str>,
    /// Virtual time that it took.
    pub elapsed: Duration,
    /// What happened, if the network was [`Sim::traced`].
    pub lines: Vec<String>,
}

/// Runs it to its end, and looks whether all is as it should be.
///
/// # Errors
/// A promise that was broken: by the engine about operations and ends, or by the
/// application's own verdict.
pub fn play(application: Box<dyn Application>, sim: &mut Sim) -> Result<Report, String> {
    let mut play = Play {
        application: Some(application),
        sim,
        watch: Watch::default(),
        operations: Vec::new(),
        done: Vec::new(),
        closing: false,
    };
    play.run()?;
    play.ended()?;
    let (start, digest) = (play.sim.start(), play.sim.trace().digest());
    Ok(Report {
        digest,
        operations: play.operations,
        harm: play.sim.harm().to_vec(),
        elapsed: play.sim.now() - start,
        lines: play.sim.trace().lines(),
    })
}

struct Play<'a> {
    /// Gone once it has been dropped in the middle.
    application: Option<Box<dyn Application>>,
    sim: &'a mut Sim,
    watch: Watch,
    operations: Vec<&'static str>,
    done: Vec<Completion>,
    closing: bool,
}

impl Play<'_> {
    fn run(&mut self) -> Result<(), String> {
        for _ in 0..WAITS {
            let Some(deadline) = self.settle()? else {
                return Ok(());
            };
            self.wait(deadline)?;
        }
        Err(format!("not over after {WAITS} waits"))
    }

    /// Polls until the engine waits; the time it waits for, or nothing when all is over.
    fn settle(&mut self) -> Result<Option<Option<Instant>>, String> {
        let bound = OUTPUTS * (1 + self.operations.len() / 4);
        for _ in 0..bound {
            let now = self.sim.now();
            let Some(application) = &mut self.application else {
                return Ok((!self.sim.is_quiet()).then_some(None));
            };
            match application.poll(now) {
                Output::Submit(op) => self.submit(op)?,
                Output::Cancel(id) => self.cancel(id)?,
                Output::Event(id, event) => {
                    let at = now - self.sim.start();
                    self.sim.trace().note(at, || format!("** {id:?} {event:?}"));
                    application.event(now, id, event)?;
                }
                Output::Wait(deadline) => {
                    if application.is_done() && !core::mem::replace(&mut self.closing, true) {
                        application.close();
                        continue;
                    }
                    let stats = application.stats();
                    let over = stats.connections == 0 && stats.closing == 0;
                    if self.closing && over && stats.in_flight == 0 {
                        return Ok(None);
                    }
                    let own = application.deadline();
                    return Ok(Some([deadline, own].into_iter().flatten().min()));
                }
                other => return Err(format!("an output that nobody knows: {other:?}")),
            }
        }
        Err(format!(
            "the engine runs in circles: {bound} outputs and no wait"
        ))
    }

    fn submit(&mut self, op: Op) -> Result<(), String> {
        self.watch.submitted(&op)?;
        self.operations.push(name(&op.kind));
        self.sim.submit(op);
        match self.sim.interference() {
            Some(Injury::DropEngine) => {
                self.application = None;
                // Nobody asks for anything any more: as when a program ends its sockets.
                self.sim.abandon();
            }
            Some(_) => {
                if let Some(application) = &mut self.application {
                    application.cancel();
                }
            }
            None => {}
        }
        Ok(())
    }

    fn cancel(&mut self, id: OpId) -> Result<(), String> {
        self.watch.cancelled(id)?;
        self.sim.cancel(id);
        Ok(())
    }

    fn wait(&mut self, deadline: Option<Instant>) -> Result<(), String> {
        if deadline.is_none() && self.sim.is_quiet() {
            let stats = self.application.as_ref().map(|one| one.stats());
            return Err(format!("nothing will ever happen again: {stats:?}"));
        }
        self.sim
            .wait(deadline, &mut self.done)
            .map_err(|error| error.to_string())?;
        let now = self.sim.now();
        if now - self.sim.start() > HORIZON {
            return Err(format!("not over after {HORIZON:?}"));
        }
        for Completion { op, result } in self.done.drain(..) {
            self.watch.returned(&op);
            if let Some(application) = &mut self.application {
                application.complete(now, op, result);
            }
        }
        if let Some(application) = &mut self.application
            && application.deadline().is_some_and(|at| at <= now)
        {
            application.woken(now);
        }
        Ok(())
    }

    /// All is over: is anything left behind?
    fn ended(&mut self) -> Result<(), String> {
        let Some(mut application) = self.application.take() else {
            return Ok(());
        };
        self.watch.ended()?;
        application.verdict(self.sim.harm())?;
        let pool = application.pool();
        drop(application);
        let stats = pool.stats();
        if stats.allocated != stats.kept_blocks as u64 {
            return Err(format!("buffers are missing from the pool: {stats:?}"));
        }
        Ok(())
    }
}
