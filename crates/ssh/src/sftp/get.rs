//! One file from the server.

use sockless_core::{Attributes, Buf, Culprit, Entry, EntryKind, Event, Events, Fault, Reason};

use super::desk::{Desk, Reply, Step, Ticket};
use super::job::Job;
use super::reading::Reading;
use super::window::{Flight, Window};
use super::wire::{CLOSE, FOR_READING, OPEN, Packet, STAT, Status};
use crate::escape::Escaped;

/// A file to get.
///
/// The transfer's events: one [`Event::Entry`] that says what is known of the file, and its
/// bytes as [`Event::Data`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Get {
    path: Vec<u8>,
    from: From,
    to: Option<u64>,
    at_most: Option<u64>,
    window: Window,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Byte(u64),
    /// That many at the end.
    Last(u64),
}

impl Get {
    /// The whole file at that path; one that does not begin with `/` is looked up where the
    /// server puts the user, mostly at home.
    pub fn new(path: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            from: From::Byte(0),
            to: None,
            at_most: None,
            window: Window::default(),
        }
    }

    /// Begins at that byte: 0 is the first one. For a part of a file, and to go on with a
    /// transfer that was cut. It is an error if the file is shorter.
    #[must_use]
    pub fn from(mut self, offset: u64) -> Self {
        self.from = From::Byte(offset);
        self
    }

    /// Ends with that byte, or where the file ends before it.
    #[must_use]
    pub fn to(mut self, last: u64) -> Self {
        self.to = Some(last);
        self
    }

    /// Only that many bytes at the end; all of a shorter file.
    #[must_use]
    pub fn last(mut self, bytes: u64) -> Self {
        (self.from, self.to) = (From::Last(bytes), None);
        self
    }

    /// Refuses a file of more bytes than that. Of one whose length is not known, or wrong, one
    /// byte more is delivered before that.
    #[must_use]
    pub fn at_most(mut self, bytes: u64) -> Self {
        self.at_most = Some(bytes);
        self
    }

    /// Bounds of what is in flight.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }
}

/// Gets one file.
///
/// ```text
///   Start --OPEN, STAT--> Asked --both answered--> Reading --all passed on--> Done
///                                                     ^  |                   (CLOSE is out)
///                                                     +--+ READ, DATA
/// ```
pub(super) struct Getting {
    job: Get,
    state: State,
}

enum State {
    Start,
    Asked {
        handle: Option<Vec<u8>>,
        about: Option<Attributes>,
    },
    Reading {
        reading: Reading,
        flight: Flight,
        /// Where the file is known to end.
        size: Option<u64>,
    },
    Done,
}

impl Getting {
    pub(super) fn new(job: Get) -> Self {
        Self {
            job,
            state: State::Start,
        }
    }

    fn begin(&mut self, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        let State::Asked {
            handle: Some(handle),
            about: Some(about),
        } = &mut self.state
        else {
            return Ok(());
        };
        let (handle, about) = (core::mem::take(handle), *about);
        if about.kind() == EntryKind::Directory {
            let what = format!("{} is a directory", Escaped(&self.job.path));
            let fault = Fault::new(Culprit::PeerRefused, Reason::BadRequest, what);
            return Err(fault.remedy("list it, or get it with all that is in it"));
        }
        // Some files have no length that means anything: those of /proc say 0.
        let size = about.size.filter(|size| *size > 0);
        if let (Some(size), Some(most)) = (
            size,
            self.job
                .at_most
                .filter(|most| *most < about.size.unwrap_or(0)),
        ) {
            let what = format!("the file has {size} bytes, and {most} are the most that is wanted");
            return Err(Fault::new(Culprit::Limit, Reason::BodyTooLarge, what));
        }
        let (from, end) = self.range(about.size)?;
        desk.emit(Event::Entry(Box::new(Entry {
            path: self.job.path.clone(),
            kind: about.kind(),
            attributes: about,
            line: None,
        })));
        self.state = State::Reading {
            reading: Reading::new(handle, from, end, size),
            flight: Flight::new(&self.job.window, desk.server.longest_read),
            size,
        };
        Ok(())
    }

    /// Where to begin, and behind what byte to stop.
    fn range(&self, size: Option<u64>) -> Result<(u64, u64), Fault> {
        let from = match (self.job.from, size) {
            (From::Byte(from), Some(size)) if from > size => {
                let what = format!("the file has {size} bytes, it cannot begin at {from}");
                let fault = Fault::new(Culprit::PeerRefused, Reason::BadResume, what);
                return Err(fault.remedy("get it from its beginning: it is another file now"));
            }
            (From::Byte(from), _) => from,
            (From::Last(bytes), Some(size)) => size.saturating_sub(bytes),
            (From::Last(_), None) => {
                let what = "the server does not say how long the file is";
                return Err(Fault::new(
                    Culprit::PeerIncompatible,
                    Reason::BadResume,
                    what,
                ));
            }
        };
        let end = self.job.to.map_or(u64::MAX, |to| to.saturating_add(1));
        // One byte too many shows that the file is too long.
        let most = self
            .job
            .at_most
            .map_or(u64::MAX, |most| most.saturating_add(1));
        Ok((from, end.min(most)))
    }

    fn read(&mut self, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        let State::Reading {
            reading,
            flight,
            size,
        } = &mut self.state
        else {
            return Ok(());
        };
        while let Some(piece) = reading.pass(desk.events.room()) {
            desk.events.data(piece);
        }
        while reading.wants_more() && flight.has_room() && desk.has_room() {
            let (packet, number) = reading.request(flight.chunk);
            flight.sent();
            desk.send(packet, Step::Chunk(number).ticket());
        }
        if !reading.is_complete() {
            return Ok(());
        }
        let (at, wanted) = (
            reading.at(),
            size.unwrap_or(0)
                .min(self.job.to.map_or(u64::MAX, |to| to.saturating_add(1))),
        );
        if at < wanted {
            let what = format!("the file ended at byte {at}, and had {wanted} before");
            let fault = Fault::new(Culprit::PeerRefused, Reason::PartialBody, what);
            return Err(fault.remedy("get it again: somebody has changed it meanwhile"));
        }
        if let Some(most) = self.job.at_most.filter(|most| *most < at) {
            let what =
                format!("the file has {at} bytes or more, and {most} are the most that is wanted");
            return Err(Fault::new(Culprit::Limit, Reason::BodyTooLarge, what));
        }
        let close = Packet::new(CLOSE).string(reading.handle());
        desk.send(close, Step::Close.ticket());
        self.state = State::Done;
        Ok(())
    }

    fn doing(&self, what: &str) -> String {
        format!("{what} {}", Escaped(&self.job.path))
    }

    fn status(
        &mut self,
        step: Step,
        status: &Status,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), Fault> {
        match (step, &mut self.state) {
            (Step::Close, _) => Ok(()),
            // What cannot be looked at may be readable all the same.
            (Step::Stat, State::Asked { about, .. }) => {
                *about = Some(Attributes::default());
                self.begin(desk)
            }
            (
                Step::Chunk(number),
                State::Reading {
                    reading, flight, ..
                },
            ) if status.is_end() => {
                flight.answered();
                reading.file_ends(number);
                Ok(())
            }
            // Requests behind the end may be answered after all is done.
            (Step::Chunk(_), State::Done) => Ok(()),
            (Step::Chunk(_), _) => Err(status.fault(&self.doing("reading"))),
            _ => Err(status.fault(&self.doing("opening"))),
        }
    }
}

impl Job for Getting {
    fn advance(&mut self, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        if matches!(self.state, State::Start) && desk.has_room() {
            let path = &self.job.path;
            let open = Packet::new(OPEN).string(path).u32(FOR_READING);
            desk.send(open.attributes(&Attributes::default()), Step::Open.ticket());
            desk.send(Packet::new(STAT).string(path), Step::Stat.ticket());
            self.state = State::Asked {
                handle: None,
                about: None,
            };
        }
        self.read(desk)
    }

    fn reply(
        &mut self,
        ticket: Ticket,
        reply: Reply,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), Fault> {
        match (ticket.step, reply, &mut self.state) {
            (step, Reply::Status(status), _) => self.status(step, &status, desk),
            (Step::Open, Reply::Handle(opened), State::Asked { handle, .. }) => {
                *handle = Some(opened);
                self.begin(desk)
            }
            (Step::Stat, Reply::Attributes(found), State::Asked { about, .. }) => {
                *about = Some(found);
                self.begin(desk)
            }
            (_, reply, _) => Err(reply.misplaced()),
        }
    }

    fn data_begins(&mut self, ticket: Ticket, len: usize) -> Result<(), Fault> {
        match (ticket.step, &mut self.state) {
            (Step::Chunk(number), State::Reading { reading, .. }) => reading.begins(number, len),
            (Step::Chunk(_), State::Done) => Ok(()),
            _ => Err(super::wire::malformed("data that was not asked for")),
        }
    }

    fn room(&self, ticket: Ticket, events: &Events) -> usize {
        match (ticket.step, &self.state) {
            (Step::Chunk(number), State::Reading { reading, .. }) if reading.is_first(number) => {
                events.room()
            }
            _ => usize::MAX,
        }
    }

    fn data(&mut self, ticket: Ticket, piece: Buf, desk: &mut Desk<'_, '_>) {
        if let (Step::Chunk(number), State::Reading { reading, .. }) =
            (ticket.step, &mut self.state)
            && let Some(piece) = reading.data(number, piece, true)
        {
            desk.events.data(piece);
        }
    }

    fn data_ends(&mut self, ticket: Ticket, desk: &mut Desk<'_, '_>) {
        if let (
            Step::Chunk(number),
            State::Reading {
                reading, flight, ..
            },
        ) = (ticket.step, &mut self.state)
        {
            match reading.ends(number) {
                Some(rest) => desk.send(rest, ticket),
                None => flight.answered(),
            }
        }
    }

    fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    fn expects(&self) -> u64 {
        match &self.state {
            State::Reading { reading, .. } => reading.expects(),
            _ => 0,
        }
    }

    fn missing(&self) -> Option<Fault> {
        let State::Reading { reading, size, .. } = &self.state else {
            return None;
        };
        let what = format!("{} bytes of {} are there", reading.at(), (*size)?);
        Some(Fault::misbehaved(Reason::PartialBody, what).remedy("resume it"))
    }
}
