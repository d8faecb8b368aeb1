//! Many files to the server.

use std::collections::VecDeque;

use sockless_core::{Attributes, EntryKind, Event, Fault, Pipe, Reason};

use super::desk::{Desk, Reply, Step, Ticket};
use super::job::Job;
use super::put::take;
use super::window::{Flight, Window};
use super::wire::{
    CLOSE, CREATE, FOR_WRITING, FSETSTAT, MKDIR, OPEN, Packet, SETSTAT, STAT, Status, TRUNCATE,
    WRITE,
};
use crate::escape::Escaped;
use crate::feed::{self, Item};

/// Many files to put, below a directory that is there.
///
/// The body is made of [`Item`]s, a directory before what is in it. Directories that are there
/// already are taken as they are. Each file ends with an [`Event::EntryDone`], in the order of the
/// items. What the server refuses is told by that, the rest goes on, and the transfer fails in
/// the end. An item's mode and times are set exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutTree {
    path: Vec<u8>,
    files: usize,
    window: Window,
}

impl PutTree {
    /// Files below the directory at that path.
    pub fn new(path: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            files: 64,
            window: Window::default(),
        }
    }

    /// Files that are open at once, at most; never more than half of what the server allows.
    /// Default 64.
    #[must_use]
    pub fn files(mut self, files: usize) -> Self {
        self.files = files.max(1);
        self
    }

    /// Bounds of what is in flight; of its bytes, an eighth may wait for files to be open.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }
}

/// Puts a tree.
///
/// ```text
///   body --items--> queue: Making (MKDIR), all others wait for it
///                          Waiting --OPEN--> Opening --HANDLE--> Open --WRITE ..., CLOSE--> Over
///                                                                  +--failed--> Over
///   body's end, and all over --> directories' modes and times --> done
/// ```
pub(super) struct TreePutting {
    job: PutTree,
    flight: Option<Flight>,
    queue: VecDeque<Slot>,
    /// The number of the first one in the queue.
    first: u64,
    /// Bytes of the last item that did not come out of the body yet.
    left: u64,
    /// Bytes that wait for their file to be open.
    held: usize,
    /// What directories get when nothing more is put into them.
    later: Vec<(Vec<u8>, Attributes)>,
    finishing: bool,
    failures: u64,
    first_failure: Option<Fault>,
}

/// One item on its way.
struct Slot {
    path: Vec<u8>,
    item: Item,
    state: State,
    /// Content that was not sent.
    held: Pipe,
    /// Whether all of the content is held or sent.
    whole: bool,
    offset: u64,
    /// Requests without an answer.
    owed: usize,
    failed: Option<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    /// A directory: `MKDIR`, or `STAT` where that failed, is out.
    Making,
    Opening,
    Open(Vec<u8>),
    /// Nothing more is to be sent.
    Over,
}

/// Items in the queue.
const MAX_SLOTS: usize = 256;

impl TreePutting {
    pub(super) fn new(job: PutTree) -> Self {
        Self {
            job,
            flight: None,
            queue: VecDeque::new(),
            first: 0,
            left: 0,
            held: 0,
            later: Vec::new(),
            finishing: false,
            failures: 0,
            first_failure: None,
        }
    }

    /// Takes items and content out of the body, as far as they have a place.
    fn take(&mut self, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        loop {
            if self.left > 0 {
                if !self.content(desk)? {
                    return Ok(());
                }
                continue;
            }
            if self.queue.len() >= MAX_SLOTS {
                return Ok(());
            }
            let Some(item) = feed::next(&mut desk.body.pipe, desk.cx)? else {
                if !desk.body.pipe.is_finished() {
                    desk.body.want();
                }
                return Ok(());
            };
            self.left = item.size.unwrap_or(0);
            let path = match &*self.job.path {
                b"" => item.path.clone(),
                [.., b'/'] => [&*self.job.path, &item.path].concat(),
                _ => [&*self.job.path, b"/", &item.path].concat(),
            };
            self.queue.push_back(Slot {
                path,
                whole: self.left == 0,
                item,
                state: State::Waiting,
                held: Pipe::new(usize::MAX),
                offset: 0,
                owed: 0,
                failed: None,
            });
        }
    }

    /// Takes content of the last item; whether there was any, and a place for it.
    fn content(&mut self, desk: &mut Desk<'_, '_>) -> Result<bool, Fault> {
        let Some(slot) = self.queue.back_mut() else {
            return Ok(false);
        };
        let drops = slot.state == State::Over;
        let room = match drops {
            true => usize::MAX,
            false => (self.job.window.bytes / 8).max(1).saturating_sub(self.held),
        };
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(room);
        let Some(piece) = desk.body.pipe.pop_max(most) else {
            if desk.body.pipe.at_end() {
                let path = Escaped(&slot.item.path);
                let what = format!("it ends {} bytes before {path} does", self.left);
                return Err(feed::wrong(what));
            }
            if room > 0 {
                desk.body.want();
            }
            return Ok(false);
        };
        self.left -= piece.len() as u64;
        slot.whole = self.left == 0;
        if !drops {
            self.held += piece.len();
            slot.held.push(piece);
        }
        Ok(true)
    }

    /// Opens files and makes directories, in order: what is in a directory comes after it.
    fn begin(&mut self, desk: &mut Desk<'_, '_>) {
        let most = match desk.server.handles / 2 {
            0 => self.job.files,
            half => self
                .job
                .files
                .min(usize::try_from(half).unwrap_or(usize::MAX)),
        };
        let has_handle = |slot: &&Slot| matches!(slot.state, State::Opening | State::Open(_));
        let mut open = self.queue.iter().filter(has_handle).count();
        for (number, slot) in (self.first..).zip(&mut self.queue) {
            match (&slot.state, slot.item.kind()) {
                (State::Making, _) => return,
                (State::Waiting, _) if !desk.has_room() || open >= most => return,
                (State::Waiting, EntryKind::Directory) => {
                    // Whatever its mode is in the end, files have to get into it before.
                    let attributes = Attributes {
                        mode: slot.item.mode.map(|mode| mode | 0o700),
                        ..Attributes::default()
                    };
                    let packet = Packet::new(MKDIR).string(&slot.path);
                    desk.send(packet.attributes(&attributes), Step::Directory.of(number));
                    slot.owed += 1;
                    slot.state = State::Making;
                    return;
                }
                (State::Waiting, _) => {
                    let attributes = Attributes {
                        mode: slot.item.mode,
                        ..Attributes::default()
                    };
                    let flags = FOR_WRITING | CREATE | TRUNCATE;
                    let packet = Packet::new(OPEN).string(&slot.path).u32(flags);
                    desk.send(packet.attributes(&attributes), Step::Open.of(number));
                    slot.owed += 1;
                    slot.state = State::Opening;
                    open += 1;
                }
                _ => {}
            }
        }
    }

    /// Writes what is held for open files, and closes those that are complete.
    fn write(&mut self, desk: &mut Desk<'_, '_>) {
        let longest = desk.server.longest_write;
        let window = &self.job.window;
        let flight = self
            .flight
            .get_or_insert_with(|| Flight::new(window, longest));
        for (number, slot) in (self.first..).zip(&mut self.queue) {
            let State::Open(handle) = &slot.state else {
                continue;
            };
            while !slot.held.is_empty() && flight.has_room() && desk.has_room() {
                // Part of a chunk waits for the rest.
                if slot.held.len() < flight.chunk && !slot.whole && slot.owed > 0 {
                    break;
                }
                let pieces = take(&mut slot.held, flight.chunk);
                let len: usize = pieces.iter().map(|piece| piece.len()).sum();
                let packet = Packet::new(WRITE).string(handle).u64(slot.offset);
                let packet = packet.u32(u32::try_from(len).expect("chunks are bounded"));
                desk.send_body(packet, pieces, Step::Chunk(slot.offset).of(number));
                slot.offset += len as u64;
                slot.owed += 1;
                self.held -= len;
                flight.sent();
            }
            if slot.held.is_empty() && slot.whole && desk.has_room() {
                slot.close(number, desk);
            }
        }
    }

    /// Tells what is over, in order; whether anything was.
    fn tell(&mut self, desk: &mut Desk<'_, '_>) -> bool {
        let before = self.first;
        while let Some(front) = self.queue.front()
            && front.state == State::Over
            && front.owed == 0
            && front.whole
        {
            let Some(slot) = self.queue.pop_front() else {
                break;
            };
            self.first += 1;
            let is_file = slot.item.kind() == EntryKind::File;
            match slot.failed {
                None if is_file => desk.emit(Event::EntryDone(Ok(()))),
                None => {
                    let item = &slot.item;
                    let differs = item.mode.is_some_and(|mode| mode & 0o700 != 0o700);
                    if differs || item.times.is_some() {
                        let attributes = attributes(item);
                        self.later.push((slot.path, attributes));
                    }
                }
                Some(fault) => {
                    let again = Fault::new(fault.culprit, fault.reason, fault.what.clone());
                    if is_file {
                        desk.emit(Event::EntryDone(Err(again.at("sftp"))));
                    }
                    self.failures += 1;
                    self.first_failure.get_or_insert(fault);
                }
            }
        }
        self.first > before
    }

    /// Nothing more is put into the directories: the inner ones come first.
    fn finish(&mut self, desk: &mut Desk<'_, '_>) {
        while desk.has_room()
            && let Some((path, attributes)) = self.later.pop()
        {
            let packet = Packet::new(SETSTAT).string(&path);
            desk.send(packet.attributes(&attributes), Step::SetStat.of(u64::MAX));
        }
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.queue.get_mut(at)
    }

    fn status(
        &mut self,
        ticket: Ticket,
        status: &Status,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), Fault> {
        if matches!(ticket.step, Step::Chunk(_))
            && let Some(flight) = &mut self.flight
        {
            flight.answered();
        }
        let Some(slot) = self.slot(ticket.file) else {
            return match status.is_ok() {
                true => Ok(()),
                false => Err(status.fault("setting mode and times of a directory")),
            };
        };
        slot.owed -= 1;
        match (ticket.step, status.is_ok()) {
            (Step::Directory, true) => slot.state = State::Over,
            (Step::Directory, false) if status.code == Status::FAILURE => {
                // It may be there already.
                let packet = Packet::new(STAT).string(&slot.path);
                slot.failed = Some(status.fault(&slot.doing("making the directory")));
                slot.owed += 1;
                desk.send(packet, Step::Stat.of(ticket.file));
            }
            // There, success is no answer.
            (Step::Open | Step::Stat, true) => return Err(status.fault(&slot.doing("creating"))),
            (_, true) => {}
            (step, false) => {
                let fault = status.fault(&slot.doing(match step {
                    Step::Directory | Step::Stat => "making the directory",
                    Step::Open => "creating",
                    Step::Chunk(_) => "writing",
                    Step::SetStat => "setting mode and times of",
                    _ => "closing",
                }));
                let dropped = slot.fail(fault, ticket.file, desk);
                self.held -= dropped;
            }
        }
        Ok(())
    }
}

impl Slot {
    fn doing(&self, what: &str) -> String {
        format!("{what} {}", Escaped(&self.path))
    }

    /// Everything is written: what is left to say is said at once, the server keeps the order.
    fn close(&mut self, number: u64, desk: &mut Desk<'_, '_>) {
        let State::Open(handle) = core::mem::replace(&mut self.state, State::Over) else {
            return;
        };
        if self.failed.is_none() && (self.item.mode.is_some() || self.item.times.is_some()) {
            let packet = Packet::new(FSETSTAT).string(&handle);
            desk.send(
                packet.attributes(&attributes(&self.item)),
                Step::SetStat.of(number),
            );
            self.owed += 1;
        }
        desk.send(Packet::new(CLOSE).string(&handle), Step::Close.of(number));
        self.owed += 1;
    }

    /// Fails; says how many bytes that were held are not needed any more.
    fn fail(&mut self, fault: Fault, number: u64, desk: &mut Desk<'_, '_>) -> usize {
        self.failed.get_or_insert(fault);
        self.close(number, desk);
        self.state = State::Over;
        let dropped = self.held.len();
        self.held.clear();
        dropped
    }
}

fn attributes(item: &Item) -> Attributes {
    Attributes {
        mode: item.mode,
        times: item.times,
        ..Attributes::default()
    }
}

impl Job for TreePutting {
    fn advance(&mut self, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        loop {
            self.take(desk)?;
            self.begin(desk);
            self.write(desk);
            // What leaves the queue makes a place in it.
            if !self.tell(desk) {
                break;
            }
        }
        let over = self.queue.is_empty() && self.left == 0 && desk.body.pipe.at_end();
        if over {
            self.finish(desk);
        }
        self.finishing = over && self.later.is_empty();
        match self.finishing && desk.pending.owed() == 0 {
            true => self.incomplete().map_or(Ok(()), Err),
            false => Ok(()),
        }
    }

    fn reply(
        &mut self,
        ticket: Ticket,
        reply: Reply,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), Fault> {
        match (ticket.step, reply) {
            (_, Reply::Status(status)) => self.status(ticket, &status, desk),
            (Step::Open, Reply::Handle(handle)) => {
                if let Some(slot) = self.slot(ticket.file) {
                    slot.owed -= 1;
                    slot.state = State::Open(handle);
                }
                Ok(())
            }
            (Step::Stat, Reply::Attributes(found)) => {
                if let Some(slot) = self.slot(ticket.file) {
                    slot.owed -= 1;
                    slot.state = State::Over;
                    if found.kind() == EntryKind::Directory {
                        slot.failed = None;
                    }
                }
                Ok(())
            }
            (_, reply) => Err(reply.misplaced()),
        }
    }

    fn tells(&self) -> bool {
        false
    }

    fn is_done(&self) -> bool {
        self.finishing
    }
}

impl TreePutting {
    fn incomplete(&mut self) -> Option<Fault> {
        let first = self.first_failure.take()?;
        let what = format!("{} failed, the first: {}", self.failures, first.what);
        let fault = Fault::new(first.culprit, Reason::Incomplete, what);
        Some(fault.source(first.at("sftp")))
    }
}
