//! Name resolution beside the driver's thread, because `getaddrinfo` blocks.
//!
//! Threads are started when names wait and end when none come: at most [`MAX_WORKERS`] that
//! somebody waits for, so that one slow name does not hold up the others and many slow
//! names do not eat the machine. A lookup that was given up cannot be stopped; its thread
//! is replaced meanwhile, up to [`MAX_THREADS`] in all.

#[cfg(unix)]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

use core::fmt;
use core::net::IpAddr;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use sockless_core::{Completion, Op, OpKind};

use crate::Waker;

/// Looks one host name up, blocking: name and port to addresses, best first.
///
/// An error's text should name the host; its kind is [`io::ErrorKind::NotFound`] where
/// the name has no address.
pub type Lookup = Arc<dyn Fn(&str, u16) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// The most names looked up at the same time, but for those that nobody waits for any more.
const MAX_WORKERS: usize = 4;

/// The most threads, those in lookups that nobody waits for included.
const MAX_THREADS: usize = 16;

/// How long a thread without work stays.
const LINGER: Duration = Duration::from_secs(10);

/// The driver's side: asks, and collects answers when they are announced.
pub(crate) struct Resolver {
    shared: Arc<Shared>,
}

/// A finished lookup.
pub(crate) struct Answer {
    /// What [`Resolver::ask`] was given.
    pub(crate) ticket: u64,
    /// The addresses without duplicates.
    pub(crate) found: io::Result<Vec<IpAddr>>,
}

struct Job {
    ticket: u64,
    host: Arc<str>,
    port: u16,
}

struct Running {
    /// Its own name: a ticket may be used again while an earlier lookup of it still runs.
    number: u64,
    ticket: u64,
    /// Somebody still waits for the answer.
    wanted: bool,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    /// Tells the driver that there are answers.
    announce: Waker,
    lookup: Lookup,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    answers: Vec<Answer>,
    /// What threads are looking up.
    running: Vec<Running>,
    /// How many jobs threads have taken.
    taken: u64,
    workers: usize,
    idle: usize,
    closed: bool,
}

impl Resolver {
    /// A resolver without threads yet, which calls `announce` when there are answers;
    /// `None` means the system's `getaddrinfo`.
    pub(crate) fn new(announce: Waker, lookup: Option<Lookup>) -> Self {
        let lookup = lookup.unwrap_or_else(|| Arc::new(system::look_up));
        let state = Mutex::default();
        Self {
            shared: Arc::new(Shared {
                state,
                work: Condvar::new(),
                announce,
                lookup,
            }),
        }
    }

    /// Starts a lookup that will be answered under `ticket`.
    ///
    /// # Errors
    /// No thread could be started.
    pub(crate) fn ask(&self, ticket: u64, host: Arc<str>, port: u16) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.jobs.push_back(Job { ticket, host, port });
        match self.reinforce(&mut state) {
            Err(error) if state.workers == 0 => {
                state.jobs.pop_back();
                return Err(error);
            }
            // If there is no new thread, those there are will come to it.
            _ => {}
        }
        self.shared.work.notify_one();
        Ok(())
    }

    /// Starts a thread if names wait for one and there may be one more.
    fn reinforce(&self, state: &mut State) -> io::Result<()> {
        if state.jobs.len() > state.idle && state.workers < state.bound() {
            let shared = Arc::clone(&self.shared);
            thread::Builder::new()
                .name("sockless-resolver".into())
                .spawn(move || shared.work())?;
            state.workers += 1;
        }
        Ok(())
    }

    /// Gives up on a lookup: no answer will come.
    pub(crate) fn forget(&self, ticket: u64) {
        let mut state = self.shared.lock();
        state.jobs.retain(|job| job.ticket != ticket);
        let ours = |it: &&mut Running| it.ticket == ticket && it.wanted;
        if let Some(running) = state.running.iter_mut().find(ours) {
            running.wanted = false;
            // Without a further thread the others just wait longer.
            let _ = self.reinforce(&mut state);
        }
    }

    /// Takes what has been answered.
    pub(crate) fn take_answers(&self) -> Vec<Answer> {
        core::mem::take(&mut self.shared.lock().answers)
    }
}

/// Threads in a lookup cannot be stopped: they end after it, and nobody waits for them.
impl Drop for Resolver {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.jobs.clear();
        self.shared.work.notify_all();
    }
}

impl State {
    /// How many threads there may be now.
    fn bound(&self) -> usize {
        let given_up = self.running.iter().filter(|it| !it.wanted).count();
        MAX_THREADS.min(MAX_WORKERS + given_up)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Lookups run outside the lock, so nothing can panic inside it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread does.
    fn work(&self) {
        while let Some((number, job)) = self.next_job() {
            let found = catch_unwind(AssertUnwindSafe(|| (self.lookup)(&job.host, job.port)))
                .unwrap_or_else(|_| Err(io::Error::other("the lookup function panicked")))
                .map(without_duplicates);
            let mut state = self.lock();
            let at = state.running.iter().position(|it| it.number == number);
            let wanted = at.is_some_and(|at| state.running.swap_remove(at).wanted);
            if wanted && !state.closed {
                state.answers.push(Answer {
                    ticket: job.ticket,
                    found,
                });
                drop(state);
                self.announce.wake();
            }
        }
    }

    /// Waits for a job and numbers it; `None` when it is time to end, also because a thread
    /// that was replaced is one too many now.
    fn next_job(&self) -> Option<(u64, Job)> {
        let mut state = self.lock();
        loop {
            if state.workers > state.bound() {
                // It may have been woken for a job, which is another one's now.
                self.work.notify_one();
                break;
            }
            if let Some(job) = state.jobs.pop_front() {
                state.taken += 1;
                let (number, ticket, wanted) = (state.taken, job.ticket, true);
                state.running.push(Running {
                    number,
                    ticket,
                    wanted,
                });
                return Some((number, job));
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let (woken, waited) = self
                .work
                .wait_timeout(state, LINGER)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                break;
            }
        }
        state.workers -= 1;
        None
    }
}

fn without_duplicates(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut unique = Vec::with_capacity(found.len());
    for addr in found {
        if !unique.contains(&addr) {
            unique.push(addr);
        }
    }
    unique
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("Resolver")
            .field("waiting", &state.jobs.len())
            .field("threads", &state.workers)
            .finish()
    }
}

/// The completion of a `Resolve`: the answer rides back in the operation.
pub(crate) fn completion(mut op: Op, answer: io::Result<Vec<IpAddr>>) -> Completion {
    let result = answer.map(|addresses| {
        if let OpKind::Resolve { found, .. } = &mut op.kind {
            found.extend(addresses);
            found.len()
        } else {
            0
        }
    });
    Completion { op, result }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A resolver whose lookups wait for the mutex.
    fn behind(gate: &Arc<Mutex<()>>) -> Resolver {
        let gate = Arc::clone(gate);
        let lookup: Lookup = Arc::new(move |_, _| {
            drop(gate.lock());
            Ok(Vec::new())
        });
        Resolver::new(Waker::new(|| {}), Some(lookup))
    }

    fn threads(resolver: &Resolver) -> usize {
        resolver.shared.lock().workers
    }

    #[test]
    fn dead_names_do_not_eat_the_machine() {
        let gate = Arc::new(Mutex::new(()));
        let resolver = behind(&gate);
        let closed = gate.lock().expect("no panic");
        for ticket in 0..50 {
            resolver.ask(ticket, "host".into(), 1).expect("a thread");
        }
        assert_eq!(threads(&resolver), MAX_WORKERS, "somebody waits for them");
        // Whatever is being looked up is given up, until nothing more begins.
        for begun in 1..=MAX_THREADS as u64 {
            while resolver.shared.lock().taken < begun {
                thread::yield_now();
            }
            let wanted = |state: &State| {
                state
                    .running
                    .iter()
                    .find(|it| it.wanted)
                    .map(|it| it.ticket)
            };
            let ticket = wanted(&resolver.shared.lock()).expect("one that nobody has given up");
            resolver.forget(ticket);
        }
        assert_eq!(threads(&resolver), MAX_THREADS);
        resolver.ask(50, "host".into(), 1).expect("a thread, later");
        assert_eq!(threads(&resolver), MAX_THREADS);
        drop(closed);
        let mut answers = 0;
        while answers < 51 - MAX_THREADS {
            answers += resolver.take_answers().len();
            thread::yield_now();
        }
        while threads(&resolver) > MAX_WORKERS {
            thread::yield_now();
        }
        assert!(
            resolver.take_answers().is_empty(),
            "nobody waits for the others"
        );
    }
}
