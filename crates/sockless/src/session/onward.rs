//! What comes after a hop: the end, or another hop.

use std::time::Instant;

use sockless_core::{Culprit, Error, Event, Fault, Reason, Summary, TransferId};

use super::{Job, Next, REDIRECT_BODY, Session, errands};
use crate::{Request, redirect};

impl Session {
    pub(super) fn done(
        &mut self,
        now: Instant,
        hop: TransferId,
        outcome: Result<(), Error>,
        mut summary: Box<Summary>,
    ) -> Option<(TransferId, Event)> {
        let mut job = self.jobs.remove(&hop)?;
        let outcome = match (job.failure.take(), outcome) {
            (Some(failure), _) => Err(failure),
            (None, Err(error)) if job.next.is_some() && is_unread(&job, &error) => Ok(()),
            (None, outcome) => outcome,
        };
        let stale = |error: &Error| summary.reused && was_dead(&summary, error);
        let went_on = match (outcome, job.next.take()) {
            (Ok(()), Some(Next::Redirect(code, to))) => self.follow(now, job, code, to),
            (Ok(()), Some(Next::Again)) => self.again(now, job),
            (Err(error), None) if stale(&error) && job.can_start_over() => {
                job.afresh = true;
                let request = job.request.clone();
                self.go_on(now, job, request)
            }
            (outcome, _) => Err((job, outcome)),
        };
        let (job, outcome) = match went_on {
            Ok(event) => return event,
            Err(ended) => ended,
        };
        let id = job.id.unwrap_or(hop);
        if !self.hops.is_empty() {
            self.hops.remove(&id);
        }
        summary.total = now.duration_since(job.started);
        summary.redirects = job.redirects;
        Some((id, Event::Done { outcome, summary }))
    }

    /// Starts the next hop of a redirected transfer.
    fn follow(&mut self, now: Instant, mut job: Box<Job>, code: u16, to: url::Url) -> WentOn {
        match redirect::next(job.request.clone(), code, to, job.body_used) {
            Ok(request) => match self.parties.sides(&request) {
                Ok(sides) => {
                    job.redirects += 1;
                    (job.afresh, job.sides) = (false, sides);
                    self.go_on(now, job, request)
                }
                Err(error) => Err((job, Err(error))),
            },
            Err(error) => Err((job, Err(error))),
        }
    }

    /// Sends the request again, with the answer to its challenge.
    fn again(&mut self, now: Instant, job: Box<Job>) -> WentOn {
        if job.body_used && job.request.is_asked_for_body() && !job.request.rewindable {
            let what = "the challenge wants the body once more, and part of it is gone";
            let fault = Fault::new(Culprit::Misuse, Reason::Upload, what);
            let remedy = "send what can be read twice, or credentials without being asked";
            return Err((job, Err(fault.remedy(remedy).at("http"))));
        }
        let request = job.request.clone();
        self.go_on(now, job, request)
    }

    /// Carries a transfer on with another exchange; gives what the application has to know.
    fn go_on(&mut self, now: Instant, job: Box<Job>, request: Request) -> WentOn {
        let rewinds = job.body_used && request.rewindable && request.is_asked_for_body();
        let job = Box::new(Job {
            request,
            discarded: 0,
            body_at: 0,
            body_used: job.body_used && !rewinds,
            answered: false,
            ..*job
        });
        let Some(id) = job.id else {
            return Ok(None);
        };
        let wanted = self.wanted(&job);
        if self.lacks_any(now, &wanted) {
            if self.errands.asks(id) {
                return Err((job, Err(errands::waits_for_itself())));
            }
            self.park(now, id, job.into(), wanted);
        } else if let Err((job, error)) = self.board(now, job) {
            return Err((job, Err(error)));
        }
        Ok(rewinds.then_some((id, Event::RewindBody)))
    }
}

/// A transfer that went on, with an event about it; or one that is over, with its end.
type WentOn = Result<Option<(TransferId, Event)>, (Box<Job>, Result<(), Error>)>;

impl Job {
    /// Whether nothing is lost by sending the request once more.
    fn can_start_over(&self) -> bool {
        let gone = self.body_used && !self.request.rewindable;
        !self.answered && !self.afresh && !gone
    }
}

/// Whether an error says only that the connection was over before the answer began.
fn was_dead(summary: &Summary, error: &Error) -> bool {
    match error.reason() {
        Reason::EmptyReply => true,
        Reason::Receive | Reason::Send => summary.first_byte.is_none(),
        _ => false,
    }
}

/// Whether an error concerns nothing but the body of a redirect, which nobody reads.
fn is_unread(job: &Job, error: &Error) -> bool {
    match error.reason() {
        Reason::PartialBody
        | Reason::Truncated
        | Reason::BadChunk
        | Reason::ContentCoding
        | Reason::BodyTooLarge
        | Reason::Receive => true,
        // Ours: it was longer than it is worth.
        Reason::Cancelled => job.discarded > REDIRECT_BODY,
        _ => false,
    }
}
