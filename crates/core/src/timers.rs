//! Deadlines: at most one per owner, found in order.

use std::collections::BTreeSet;
use std::time::Instant;

/// Who is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sleeper {
    Conn(u64),
    Transfer(u64),
}

/// An owner's own note of what it has in [`Timers`].
///
/// Deadlines mostly move later (idle timeouts with every byte). An alarm that is
/// already set earlier is left alone: it goes off, finds nothing due and is set
/// again. So steady traffic never touches the tree.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    at: Option<Instant>,
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Instant, Sleeper)>,
}

impl Timers {
    /// Makes sure that `who` is woken at `at` or before.
    pub(crate) fn set(&mut self, alarm: &mut Alarm, who: Sleeper, at: Option<Instant>) {
        let Some(at) = at else { return };
        if alarm.at.is_some_and(|set| set <= at) {
            return;
        }
        self.clear(alarm, who);
        self.due.insert((at, who));
        alarm.at = Some(at);
    }

    /// `who` is gone or needs no waking.
    pub(crate) fn clear(&mut self, alarm: &mut Alarm, who: Sleeper) {
        if let Some(at) = alarm.at.take() {
            self.due.remove(&(at, who));
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes one that is due; its owner's alarm must then be [`Alarm::rang`].
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Sleeper> {
        let first = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.remove(&first);
        Some(first.1)
    }
}

impl Alarm {
    /// It has gone off: nothing of it is in the tree any more.
    pub(crate) fn rang(&mut self) {
        self.at = None;
    }
}
