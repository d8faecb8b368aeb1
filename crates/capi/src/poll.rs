//! The next thing to do.

use sockless::Output as From;

use crate::engine::{Engine, enter};
use crate::event::Event;
use crate::inner::{Inner, Refusal};
use crate::input;
use crate::operation::{self, Operation};

/// The number that means: never, no bound, not known.
pub const NEVER: u64 = u64::MAX;

/// What the engine wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum OutputKind {
    /// Nothing until a completion, a call of the program's, or `deadline`. Ends the round.
    Wait = 1,
    /// Carry `operation` out, and complete it.
    Submit = 2,
    /// End the operation of that `operation.id` early if you can; it must still be completed.
    Cancel = 3,
    /// `event` happened to a transfer.
    Event = 4,
}

/// What the engine wants next. Only what belongs to `kind` is written.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Output {
    /// What it is (`sockless_output_kind`).
    pub kind: u32,
    /// Nothing.
    pub reserved: u32,
    /// Wait: when to poll again at the latest, by the program's clock; `SOCKLESS_NEVER`: never.
    pub deadline: u64,
    /// Submit: the operation. Cancel: its `id`, `connection` and `slot`.
    pub operation: Operation,
    /// Event: the event.
    pub event: Event,
}

/// The next thing to do; call it until it says Wait, then wait for whatever comes first:
/// a completion, or the deadline. The thread that uses the engine.
///
/// `now`: the program's monotonic clock, in nanoseconds. A clock that goes back stands still.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `output` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_engine_poll(
    engine: *mut Engine,
    now: u64,
    output: *mut Output,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let _ = input::place(output)?;
            match next(inner, now)? {
                Next::Wait(deadline) => {
                    (&raw mut (*output).deadline).write(deadline);
                    (&raw mut (*output).kind).write(OutputKind::Wait as u32);
                }
                Next::Submit(operation) => {
                    (&raw mut (*output).operation).write(operation);
                    (&raw mut (*output).kind).write(OutputKind::Submit as u32);
                }
                Next::Cancel(id, connection, slot) => {
                    let operation = &raw mut (*output).operation;
                    (&raw mut (*operation).id).write(id);
                    (&raw mut (*operation).connection).write(connection);
                    (&raw mut (*operation).slot).write(slot);
                    (&raw mut (*output).kind).write(OutputKind::Cancel as u32);
                }
                Next::Event(event) => {
                    (&raw mut (*output).event).write(event);
                    (&raw mut (*output).kind).write(OutputKind::Event as u32);
                }
            }
            Ok(())
        })
    }
}

enum Next {
    Wait(u64),
    Submit(Operation),
    Cancel(u64, u64, u32),
    Event(Event),
}

fn next(inner: &mut Inner, now: u64) -> Result<Next, Refusal> {
    inner.current.clear();
    let now = inner.clock.instant(now);
    loop {
        match inner.session()?.poll(now) {
            From::Submit(op) => match operation::start(inner, op) {
                Ok(operation) => return Ok(Next::Submit(operation)),
                Err((op, error)) => inner.session()?.complete(now, op, Err(error)),
            },
            From::Cancel(id) => {
                if let Some((id, connection, slot)) = inner.flights.named(id) {
                    return Ok(Next::Cancel(id, connection, slot));
                }
            }
            From::Event(id, event) => {
                let Some((handle, user)) = inner.transfers.of(id) else {
                    continue;
                };
                // Fails only where the transfer has ended: then its end comes next.
                if inner.feed(id, &event).unwrap_or(true) {
                    continue;
                }
                let mut question = 0;
                match &event {
                    sockless::Event::Done { .. } => inner.ended(id),
                    sockless::Event::Asked(asked) => match inner.asked(id, asked) {
                        Some(handle) => question = handle,
                        None => continue,
                    },
                    _ => {}
                }
                if let Some(mut event) = inner.current.show(event, question) {
                    (event.transfer, event.user) = (handle, user);
                    return Ok(Next::Event(event));
                }
            }
            From::Wait(deadline) => {
                let number = deadline.map(|at| inner.clock.number(at));
                return Ok(Next::Wait(number.unwrap_or(NEVER)));
            }
            // A later version's output, which this one cannot carry out.
            _ => {}
        }
    }
}
