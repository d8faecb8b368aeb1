//! When keys are exchanged again, and when a silent peer is asked whether it is there.

use std::time::Instant;

use sockless_core::{Culprit, Cx, Fault, Reason};

use crate::backend::Backend;
use crate::client::Tuning;

pub(super) struct Clocks {
    tuning: Tuning,
    rekey: Option<Instant>,
    keepalive: Option<Instant>,
    unanswered: u32,
    running: bool,
}

impl Clocks {
    pub(super) fn new(tuning: Tuning) -> Self {
        Self {
            tuning,
            rekey: None,
            keepalive: None,
            unanswered: 0,
            running: false,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.rekey, self.keepalive].into_iter().flatten().min()
    }

    /// Does what is due; they run once the login is done.
    pub(super) fn tick(
        &mut self,
        heard: bool,
        done: bool,
        backend: &mut dyn Backend,
        cx: &Cx<'_>,
    ) -> Result<(), Fault> {
        if !done {
            return Ok(());
        }
        let after = |interval: Option<_>| interval.and_then(|interval| cx.after(interval));
        if !self.running {
            self.running = true;
            self.rekey = after(self.tuning.rekey_after);
        } else if self.rekey.is_some_and(|at| at <= cx.now) {
            backend.rekey();
            self.rekey = after(self.tuning.rekey_after);
        }
        if heard || self.keepalive.is_none() {
            self.unanswered = 0;
            self.keepalive = after(self.tuning.keepalive);
        } else if self.keepalive.is_some_and(|at| at <= cx.now) {
            if self.unanswered >= self.tuning.keepalives {
                let what = format!(
                    "the peer has not answered {} requests for a sign of life",
                    self.unanswered
                );
                return Err(Fault::new(Culprit::Transport, Reason::IdleTimeout, what));
            }
            self.unanswered += 1;
            backend.keepalive();
            self.keepalive = after(self.tuning.keepalive);
        }
        Ok(())
    }
}
