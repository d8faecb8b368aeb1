//! What the reactor and the resolver tell the driver's task.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker as Task};

use sockless_core::ConnId;

use crate::Waker;
use crate::plain::Wait;

/// A direction of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

impl Way {
    /// What operations of that direction wait for.
    pub(super) fn wait(self) -> Wait {
        match self {
            Self::In => Wait::Readable,
            Self::Out => Wait::Writable,
        }
    }
}

/// Names a queue. It may be that of the slot's next connection by now: then there is
/// nothing to do, and looking costs little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) slot: usize,
    pub(super) way: Way,
}

impl Token {
    pub(super) fn new(conn: ConnId, way: Way) -> Self {
        let slot = conn.slot();
        Self { slot, way }
    }
}

/// Shared with the wakers that the reactor holds.
#[derive(Default)]
pub(super) struct Signals {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Queues whose sockets have become ready.
    tokens: Vec<Token>,
    /// The resolver has answers.
    answered: bool,
    /// The application asked for an early end.
    asked: bool,
    /// Who waits.
    task: Option<Task>,
}

impl Signals {
    /// Moves what has become ready to `tokens`, and remembers whom to wake for more.
    /// Returns whether the resolver has answers.
    pub(super) fn collect(&self, task: &Task, tokens: &mut VecDeque<Token>) -> bool {
        let mut state = self.lock();
        tokens.extend(state.tokens.drain(..));
        if !state.task.as_ref().is_some_and(|old| old.will_wake(task)) {
            state.task = Some(task.clone());
        }
        mem::take(&mut state.answered)
    }

    /// Whether the application asked for an early end since the last call.
    pub(super) fn take_asked(&self) -> bool {
        mem::take(&mut self.lock().asked)
    }

    /// What the reactor calls for a queue.
    pub(super) fn signal(self: &Arc<Self>, token: Token) -> Task {
        let signals = Arc::clone(self);
        Task::from(Arc::new(Signal { signals, token }))
    }

    /// What the resolver calls when it has answers.
    pub(super) fn announcer(self: &Arc<Self>) -> Waker {
        let signals = Arc::clone(self);
        Waker::new(move || signals.tell(|state| state.answered = true))
    }

    /// The application's handle.
    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        let signals = Arc::clone(self);
        Waker::new(move || signals.tell(|state| state.asked = true))
    }

    fn tell(&self, news: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        news(&mut state);
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock panics between two halves of a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Signal {
    signals: Arc<Signals>,
    token: Token,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.signals.tell(|state| state.tokens.push(self.token));
    }
}
