//! What an engine's operations run on. The traits are here; what implements them is not.

use std::io;
use std::time::Instant;

use async_trait::async_trait;

use crate::{Completion, Op, OpId};

/// Carries operations out on some completion engine. It knows no protocol.
///
/// Rules: each submitted operation comes back exactly once through `wait`, also a
/// cancelled one; memory of an operation is not touched after it came back; a
/// dropped driver keeps alive whatever the kernel may still write to.
pub trait Driver {
    /// Takes an operation on. Failure is a completion like any other.
    fn submit(&mut self, op: Op);

    /// Asks for an early end. The operation still comes back: with the error
    /// [`cancelled`](crate::cancelled), or done after all.
    fn cancel(&mut self, id: OpId);

    /// Waits for at least one completion or the deadline, and adds what has completed to `done`.
    ///
    /// `None` means no deadline; one in the past means: do not wait.
    ///
    /// # Errors
    /// The engine underneath is unusable; operations' own failures are completions.
    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()>;

    /// The clock that deadlines are measured on.
    fn now(&self) -> Instant;

    /// What to call this driver in messages, e.g. `uring`.
    fn name(&self) -> &'static str;
}

/// The same for a program that lives on an async runtime: four methods bring any runtime.
#[async_trait]
pub trait AsyncDriver: Send {
    /// Takes an operation on. Failure is a completion like any other.
    fn submit(&mut self, op: Op);

    /// Asks for an early end. The operation still comes back: with the error
    /// [`cancelled`](crate::cancelled), or done after all.
    fn cancel(&mut self, id: OpId);

    /// Waits for at least one completion or the deadline, and adds what has completed to `done`.
    ///
    /// The future may be dropped and made anew at any time without losing a completion.
    async fn wait(
        &mut self,
        deadline: Option<Instant>,
        done: &mut Vec<Completion>,
    ) -> io::Result<()>;

    /// The clock that deadlines are measured on.
    fn now(&self) -> Instant;
}
