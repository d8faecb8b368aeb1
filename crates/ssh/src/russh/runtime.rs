//! A runtime that runs only while it is told to, and never waits.
//!
//! russh spawns its session with `tokio::spawn` and has no future that could be polled by hand. So
//! each connection has a `current_thread` runtime of its own, and a pump enters it until nothing in
//! it is runnable any more. tokio says so by the hook that it calls before it parks; the second
//! time counts, because a timer that is due is only seen between the two.
//!
//! `block_on` may not be entered where a tokio runtime already runs. In an application that
//! lives in one, another thread enters ours while the caller waits ([`Elsewhere`]): same work,
//! same order, same result. On all other threads there is no second thread.

use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};

/// One connection's runtime.
pub(super) struct Engine {
    within: Arc<Within>,
    elsewhere: Arc<Elsewhere>,
}

struct Within {
    /// Always there until it is dropped.
    runtime: Option<Runtime>,
    parks: Arc<Mutex<Parks>>,
}

#[derive(Default)]
struct Parks {
    count: u32,
    waker: Option<Waker>,
}

/// How often the runtime has to find nothing to do.
const QUIET: u32 = 2;

impl Engine {
    pub(super) fn new(elsewhere: Arc<Elsewhere>) -> io::Result<Self> {
        let parks = Arc::new(Mutex::new(Parks::default()));
        let runtime = Builder::new_current_thread()
            .enable_time()
            .on_thread_park({
                let parks = Arc::clone(&parks);
                move || {
                    let mut parks = lock(&parks);
                    parks.count += 1;
                    // Or it would wait, for a timer or for ever.
                    if let Some(waker) = &parks.waker {
                        waker.wake_by_ref();
                    }
                }
            })
            .build()?;
        let within = Within {
            runtime: Some(runtime),
            parks,
        };
        Ok(Self {
            within: Arc::new(within),
            elsewhere,
        })
    }

    /// Starts a task; it runs in the next [`Engine::run`].
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.within.runtime {
            runtime.spawn(task);
        }
    }

    /// Runs all tasks until none can go on. `false`: it could not be done.
    pub(super) fn run(&self) -> bool {
        match Handle::try_current() {
            Err(_) => {
                self.within.run();
                true
            }
            Ok(_) => self.elsewhere.run(&self.within),
        }
    }
}

impl Within {
    fn run(&self) {
        let Some(runtime) = &self.runtime else {
            return;
        };
        lock(&self.parks).count = 0;
        runtime.block_on(poll_fn(|cx| {
            let mut parks = lock(&self.parks);
            if parks.count >= QUIET {
                return Poll::Ready(());
            }
            match &mut parks.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            Poll::Pending
        }));
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        // The waker has the runtime, which has the hook, which has the waker: none of them would go.
        let waker = lock(&self.parks).waker.take();
        drop(waker);
        // A plain drop panics inside another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A thread for those who are in a runtime of their own; shared by the connections of one
/// client, made when it is first needed, gone with the client.
#[derive(Default)]
pub(super) struct Elsewhere {
    started: Mutex<Option<Started>>,
}

struct Started {
    jobs: Sender<Job>,
    /// Its one blocking thread is the thread.
    runtime: Runtime,
}

struct Job {
    within: Arc<Within>,
    done: Sender<()>,
}

impl Elsewhere {
    fn run(&self, within: &Arc<Within>) -> bool {
        let mut started = lock(&self.started);
        let started = match &mut *started {
            Some(started) => started,
            none => match Started::new() {
                Ok(fresh) => none.insert(fresh),
                Err(_) => return false,
            },
        };
        let (done, wait) = channel();
        let job = Job {
            within: Arc::clone(within),
            done,
        };
        started.jobs.send(job).is_ok() && wait.recv().is_ok()
    }
}

impl Started {
    fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()?;
        let (jobs, todo) = channel::<Job>();
        // Not joined: it ends by itself when the sender is gone.
        let _thread = runtime.spawn_blocking(move || {
            for Job { within, done } in todo {
                within.run();
                // Whoever waits has the other one: the runtime is never dropped here.
                drop(within);
                let _gone = done.send(());
            }
        });
        Ok(Self { jobs, runtime })
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        if let Some(Started { jobs, runtime }) = lock(&self.started).take() {
            drop(jobs);
            runtime.shutdown_background();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_that_is_gone_leaves_nothing_behind() {
        let engine = Engine::new(Arc::default()).expect("a runtime");
        engine.spawn(async {});
        assert!(engine.run());
        let parks = Arc::downgrade(&engine.within.parks);
        drop(engine);
        assert!(parks.upgrade().is_none(), "its hook is still there");
    }
}
