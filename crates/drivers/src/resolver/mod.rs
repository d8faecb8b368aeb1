//! Name resolution beside the driver's thread, because `getaddrinfo` blocks.
//!
//! Threads are started when names wait and end when none come: at most
//! [`MAX_WORKERS`], so that one slow name does not hold up the others and many slow
//! names do not eat the machine.

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

use crate::bell::Bell;

/// Looks one host name up, blocking: name and port to addresses, best first.
///
/// An error's text should name the host; its kind is [`io::ErrorKind::NotFound`] where
/// the name has no address.
pub type Lookup = Arc<dyn Fn(&str, u16) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// The most names looked up at the same time.
const MAX_WORKERS: usize = 4;

/// How long a thread without work stays.
const LINGER: Duration = Duration::from_secs(10);

/// The driver's side: asks, and collects answers when the bell has rung.
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

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    bell: Arc<Bell>,
    lookup: Lookup,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    answers: Vec<Answer>,
    workers: usize,
    idle: usize,
    closed: bool,
}

impl Resolver {
    /// A resolver without threads yet; `None` means the system's `getaddrinfo`.
    pub(crate) fn new(bell: Arc<Bell>, lookup: Option<Lookup>) -> Self {
        let lookup = lookup.unwrap_or_else(|| Arc::new(system::look_up));
        let state = Mutex::default();
        Self {
            shared: Arc::new(Shared {
                state,
                work: Condvar::new(),
                bell,
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
        if state.jobs.len() > state.idle && state.workers < MAX_WORKERS {
            let shared = Arc::clone(&self.shared);
            let started = thread::Builder::new()
                .name("sockless-resolver".into())
                .spawn(move || shared.work());
            match started {
                Ok(_) => state.workers += 1,
                Err(error) if state.workers == 0 => {
                    state.jobs.pop_back();
                    return Err(error);
                }
                // The threads there are will come to it.
                Err(_) => {}
            }
        }
        self.shared.work.notify_one();
        Ok(())
    }

    /// Gives up on a lookup. Its answer may still arrive, for the driver to ignore.
    pub(crate) fn forget(&self, ticket: u64) {
        self.shared.lock().jobs.retain(|job| job.ticket != ticket);
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

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Lookups run outside the lock, so nothing can panic inside it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread does.
    fn work(&self) {
        while let Some(job) = self.next_job() {
            let found = catch_unwind(AssertUnwindSafe(|| (self.lookup)(&job.host, job.port)))
                .unwrap_or_else(|_| Err(io::Error::other("the lookup function panicked")))
                .map(without_duplicates);
            let mut state = self.lock();
            if !state.closed {
                state.answers.push(Answer {
                    ticket: job.ticket,
                    found,
                });
                drop(state);
                self.bell.ring();
            }
        }
    }

    /// Waits for a job; `None` when it is time to end.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
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
