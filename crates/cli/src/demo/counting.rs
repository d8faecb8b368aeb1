//! A driver that counts what goes through it.

use std::io;
use std::time::Instant;

use sockless::{Completion, Driver, Op, OpId, OpKind};

/// The kinds of operations, in the order in which a connection needs them.
pub(crate) const KINDS: [&str; 6] = ["resolve", "connect", "recv", "send", "shutdown", "close"];

/// One kind's operations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) operations: u64,
    pub(crate) bytes: u64,
}

/// Any driver, and what it did, by the position in [`KINDS`].
pub(crate) struct Counting {
    inner: Box<dyn Driver>,
    counts: [Count; KINDS.len()],
}

impl Counting {
    pub(crate) fn new(inner: Box<dyn Driver>) -> Self {
        Self {
            inner,
            counts: Default::default(),
        }
    }

    pub(crate) fn counts(&self) -> &[Count; KINDS.len()] {
        &self.counts
    }
}

impl Driver for Counting {
    fn submit(&mut self, op: Op) {
        if let Some(kind) = kind(&op.kind) {
            self.counts[kind].operations += 1;
        }
        self.inner.submit(op);
    }

    fn cancel(&mut self, id: OpId) {
        self.inner.cancel(id);
    }

    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()> {
        let before = done.len();
        self.inner.wait(deadline, done)?;
        for Completion { op, result } in &done[before..] {
            if let (OpKind::Recv { .. } | OpKind::Send { .. }, Some(kind), Ok(n)) =
                (&op.kind, kind(&op.kind), result)
            {
                self.counts[kind].bytes += *n as u64;
            }
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        self.inner.now()
    }

    fn name(&self) -> &'static str {
        self.inner.name()
    }
}

fn kind(kind: &OpKind) -> Option<usize> {
    Some(match kind {
        OpKind::Resolve { .. } => 0,
        OpKind::Connect { .. } => 1,
        OpKind::Recv { .. } => 2,
        OpKind::Send { .. } => 3,
        OpKind::Shutdown => 4,
        OpKind::Close => 5,
        _ => return None,
    })
}
