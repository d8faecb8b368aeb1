//! A driver on a thread of its own, seen from an async program.

use core::fmt;
use core::future::poll_fn;
use core::mem;
use core::task::{Context, Poll, Waker as Task};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Instant;

use async_trait::async_trait;
use sockless_core::{AsyncDriver, Completion, Driver, Op, OpId};

use crate::{Wakeable, Waker};

/// Runs a driver on a thread, for programs on any async runtime.
///
/// It costs a thread, and two thread switches per round of operations. Where the runtime
/// has completion-based I/O of its own, four methods ([`AsyncDriver`]) on top of that do
/// without; where a thread can be given to transfers altogether, run the engine there, on
/// the driver itself, and send only results to the async side.
///
/// Operations are handed over when [`wait`](AsyncDriver::wait) is polled, all at once.
/// Dropping it ends the thread; operations that have not come back are dropped there.
pub struct Threaded {
    /// What `wait` will hand over.
    outbox: Vec<Command>,
    shared: Arc<Shared>,
    waker: Waker,
}

enum Command {
    Submit(Op),
    Cancel(OpId),
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    inbox: Vec<Command>,
    done: Vec<Completion>,
    /// Whom to wake when something is done, or the deadline has passed.
    task: Option<Task>,
    deadline: Option<Instant>,
    /// Why the thread has ended, or is to.
    ended: Option<Ended>,
}

#[derive(Clone, Debug)]
enum Ended {
    Dropped,
    Failed { kind: io::ErrorKind, why: String },
}

impl Threaded {
    /// Calls `make` on a new thread and runs the driver that it makes there.
    ///
    /// It blocks until `make` is done, which is short: call it before the runtime is busy.
    ///
    /// # Errors
    /// Those of `make`, or the thread could not be started.
    pub fn new<D: Wakeable + 'static>(
        make: impl FnOnce() -> io::Result<D> + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (answer, made) = mpsc::sync_channel(1);
        let seen = Arc::clone(&shared);
        thread::Builder::new()
            .name("sockless-driver".into())
            .spawn(move || {
                let driver = make();
                let told = answer.send(driver.as_ref().map(Wakeable::waker).map_err(copy_of));
                if let (Ok(driver), Ok(())) = (driver, told) {
                    seen.run(driver);
                }
            })?;
        let waker = made
            .recv()
            .map_err(|_| io::Error::other("making the driver panicked"))??;
        Ok(Self {
            outbox: Vec::new(),
            shared,
            waker,
        })
    }

    fn poll_wait(
        &mut self,
        cx: &Context<'_>,
        deadline: Option<Instant>,
        done: &mut Vec<Completion>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        let came = !state.done.is_empty();
        done.append(&mut state.done);
        let due = deadline.is_some_and(|deadline| deadline <= Instant::now());
        if let (Some(ended), false) = (&state.ended, came) {
            return Poll::Ready(Err(ended.to_error()));
        }
        let handed_over = !self.outbox.is_empty();
        state.inbox.append(&mut self.outbox);
        let earlier = deadline.is_some_and(|new| state.deadline.is_none_or(|old| new < old));
        if came || due {
            state.task = None;
        } else {
            state.task = Some(cx.waker().clone());
            state.deadline = deadline;
        }
        drop(state);
        if handed_over || (earlier && !came && !due) {
            self.waker.wake();
        }
        if came || due {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }
}

#[async_trait]
impl AsyncDriver for Threaded {
    fn submit(&mut self, op: Op) {
        self.outbox.push(Command::Submit(op));
    }

    fn cancel(&mut self, id: OpId) {
        self.outbox.push(Command::Cancel(id));
    }

    async fn wait(
        &mut self,
        deadline: Option<Instant>,
        done: &mut Vec<Completion>,
    ) -> io::Result<()> {
        // Completions stay in the shared state until a poll that ends the wait takes
        // them, so the future may be dropped at any time.
        poll_fn(|cx| self.poll_wait(cx, deadline, done)).await
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

impl Drop for Threaded {
    fn drop(&mut self) {
        self.shared.lock().ended.get_or_insert(Ended::Dropped);
        self.waker.wake();
    }
}

impl fmt::Debug for Threaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threaded")
            .field("ended", &self.shared.lock().ended)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock panics between two halves of a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the thread does.
    fn run(self: Arc<Self>, mut driver: impl Driver) {
        // Also when the driver panics, whoever waits must hear of it.
        let _last_words = LastWords {
            shared: Arc::clone(&self),
        };
        let mut done = Vec::new();
        let mut commands = Vec::new();
        loop {
            let deadline = {
                let mut state = self.lock();
                if state.ended.is_some() {
                    return;
                }
                mem::swap(&mut state.inbox, &mut commands);
                state.deadline
            };
            for command in commands.drain(..) {
                match command {
                    Command::Submit(op) => driver.submit(op),
                    Command::Cancel(id) => driver.cancel(id),
                }
            }
            let waited = driver.wait(deadline, &mut done);
            self.report(waited, &mut done);
        }
    }

    fn report(&self, waited: io::Result<()>, done: &mut Vec<Completion>) {
        let mut state = self.lock();
        if let Err(error) = waited {
            let failed = Ended::Failed {
                kind: error.kind(),
                why: error.to_string(),
            };
            state.ended.get_or_insert(failed);
        }
        let due = state
            .deadline
            .is_some_and(|deadline| deadline <= Instant::now());
        if due {
            // The task asks again if it still cares; until then this would be a busy loop.
            state.deadline = None;
        }
        let news = due || !done.is_empty() || state.ended.is_some();
        state.done.append(done);
        let task = if news { state.task.take() } else { None };
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Tells the waiting task that the thread is gone.
struct LastWords {
    shared: Arc<Shared>,
}

impl Drop for LastWords {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended.get_or_insert_with(|| Ended::Failed {
            kind: io::ErrorKind::Other,
            why: "the driver's thread panicked".into(),
        });
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Ended {
    fn to_error(&self) -> io::Error {
        match self {
            Self::Dropped => io::ErrorKind::BrokenPipe.into(),
            Self::Failed { kind, why } => io::Error::new(*kind, why.clone()),
        }
    }
}

/// An error cannot be cloned, but kind and text can.
fn copy_of(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}
