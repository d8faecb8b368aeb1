//! A directory from the server, with all that is in it: what to do with each file.

use std::collections::VecDeque;

use sockless_core::{Culprit, Entry, EntryKind, Event, Events, Fault, Reason};

use super::desk::{Desk, Step};
use super::reading::Reading;
use super::wire::{CLOSE, Packet};
use crate::escape::Escaped;

/// A file, directory or link on its way to the application.
pub(super) struct Found {
    pub(super) entry: Entry,
    /// Its path at the server.
    pub(super) path: Vec<u8>,
    told: bool,
    pub(super) state: State,
}

/// ```text
///   Waiting --OPEN--> Opening --HANDLE--> Open --all passed on--> (gone, CLOSE is out)
///                        +------------------+--> Failed --> (gone)
///   Told: all but files, which have no content
/// ```
pub(super) enum State {
    Told,
    Waiting,
    Opening,
    Open(Reading),
    Failed(Fault),
}

impl Found {
    pub(super) fn new(entry: Entry, path: Vec<u8>) -> Self {
        let state = match entry.kind {
            EntryKind::File => State::Waiting,
            _ => State::Told,
        };
        Self {
            entry,
            path,
            told: false,
            state,
        }
    }

    /// One that has failed already.
    pub(super) fn failed(entry: Entry, path: Vec<u8>, fault: Fault) -> Self {
        Self {
            state: State::Failed(fault),
            ..Self::new(entry, path)
        }
    }

    /// The file is open.
    pub(super) fn opened(&mut self, handle: Vec<u8>) {
        // A file without a length may have something in it all the same: those of /proc do.
        let known = self.entry.attributes.size.filter(|size| *size > 0);
        let end = known.unwrap_or(u64::MAX);
        self.state = State::Open(Reading::new(handle, 0, end, known));
    }

    /// The file fails; it is closed if it was open.
    pub(super) fn fail(&mut self, fault: Fault, desk: &mut Desk<'_, '_>) {
        if let State::Open(reading) = &self.state {
            let close = Packet::new(CLOSE).string(reading.handle());
            desk.send(close, Step::Close.ticket());
        }
        self.state = State::Failed(fault);
    }

    fn is_over(&self) -> bool {
        match &self.state {
            State::Told | State::Failed(_) => true,
            State::Open(reading) => reading.is_complete(),
            State::Waiting | State::Opening => false,
        }
    }
}

/// What was found and not passed on, in the order in which the application gets it.
#[derive(Default)]
pub(super) struct Queue {
    found: VecDeque<Found>,
    /// The number of the first one.
    first: u64,
    /// The number of the first one that nobody has tried to open.
    unopened: u64,
    open: usize,
    pub(super) failures: u64,
    pub(super) first_failure: Option<Fault>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn push(&mut self, found: Found) {
        self.found.push_back(found);
    }

    /// Files with a handle, or about to get one.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// The one with that number, if it is still here.
    pub(super) fn at(&mut self, number: u64) -> Option<&mut Found> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.found.get_mut(at)
    }

    /// Whether this is the one that is being passed on.
    pub(super) fn is_passing(&self, number: u64) -> bool {
        number == self.first && self.found.front().is_some_and(|front| front.told)
    }

    /// Whether the bytes of that request go straight to the application.
    pub(super) fn is_next(&self, number: u64, chunk: u64) -> bool {
        let front = self.found.front().map(|front| &front.state);
        let first = matches!(front, Some(State::Open(reading)) if reading.is_first(chunk));
        self.is_passing(number) && first
    }

    /// Bytes that are sure to come for the one that is being passed on.
    pub(super) fn expects(&self) -> u64 {
        match self.found.front().map(|front| &front.state) {
            Some(State::Open(reading)) => reading.expects(),
            _ => 0,
        }
    }

    /// The next file to open.
    pub(super) fn next_to_open(&mut self) -> Option<(u64, &mut Found)> {
        loop {
            let number = self.unopened.max(self.first);
            let at = usize::try_from(number - self.first).ok()?;
            let waits = matches!(self.found.get(at)?.state, State::Waiting);
            self.unopened = number + 1;
            if waits {
                self.open += 1;
                return self.found.get_mut(at).map(|found| (number, found));
            }
        }
    }

    /// Those that may be open, with their numbers.
    pub(super) fn opened(&mut self) -> impl Iterator<Item = (u64, &mut Reading)> {
        let count = self.unopened.saturating_sub(self.first);
        let some = self
            .found
            .iter_mut()
            .take(usize::try_from(count).unwrap_or(0));
        (self.first..)
            .zip(some)
            .filter_map(|(number, found)| match &mut found.state {
                State::Open(reading) => Some((number, reading)),
                _ => None,
            })
    }

    /// Passes on what may pass.
    pub(super) fn pass(&mut self, desk: &mut Desk<'_, '_>) {
        while desk.events.room() > 0
            && let Some(front) = self.found.front_mut()
        {
            if !front.told {
                front.told = true;
                desk.emit(Event::Entry(Box::new(front.entry.clone())));
            }
            if let State::Open(reading) = &mut front.state {
                while let Some(piece) = reading.pass(desk.events.room()) {
                    desk.events.data(piece);
                }
            }
            if !front.is_over() {
                return;
            }
            self.first += 1;
            if let Some(found) = self.found.pop_front() {
                self.over(found, desk);
            }
        }
    }

    fn over(&mut self, found: Found, desk: &mut Desk<'_, '_>) {
        let failed = match found.state {
            State::Told | State::Waiting | State::Opening => return,
            State::Failed(fault) => Some(fault),
            State::Open(reading) => {
                let close = Packet::new(CLOSE).string(reading.handle());
                desk.send(close, Step::Close.ticket());
                let (at, size) = (reading.at(), found.entry.attributes.size.unwrap_or(0));
                (at < size).then(|| cut(&found.path, at, size))
            }
        };
        if found.entry.kind == EntryKind::File {
            self.open -= 1;
        }
        self.tell(failed, desk.events);
    }

    fn tell(&mut self, failed: Option<Fault>, events: &mut Events) {
        let Some(fault) = failed else {
            events.emit(Event::EntryDone(Ok(())));
            return;
        };
        let again = Fault::new(fault.culprit, fault.reason, fault.what.clone());
        events.emit(Event::EntryDone(Err(again.at("sftp"))));
        self.failures += 1;
        self.first_failure.get_or_insert(fault);
    }

    /// What the transfer as a whole fails with.
    pub(super) fn incomplete(&mut self) -> Option<Fault> {
        let first = self.first_failure.take()?;
        let what = format!("{} failed, the first: {}", self.failures, first.what);
        let fault = Fault::new(first.culprit, Reason::Incomplete, what);
        Some(fault.source(first.at("sftp")))
    }
}

fn cut(path: &[u8], at: u64, size: u64) -> Fault {
    let what = format!(
        "{} ended at byte {at}, and had {size} before",
        Escaped(path)
    );
    Fault::new(Culprit::PeerRefused, Reason::PartialBody, what)
}
