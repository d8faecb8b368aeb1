//! One file to the server.

use sockless_core::{Attributes, Culprit, Event, Fault, Reason};

use super::desk::{Desk, Reply, Step, Ticket};
use super::job::Job;
use super::server::Extension;
use super::window::{Flight, Window};
use super::wire::{
    CLOSE, CREATE, FOR_WRITING, FSETSTAT, MKDIR, OPEN, Packet, REMOVE, STAT, Status, TRUNCATE,
    WRITE,
};
use crate::escape::Escaped;

/// A file to put; its bytes are the request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    path: Vec<u8>,
    start: Start,
    mode: Option<u32>,
    attributes: Attributes,
    directories: bool,
    temporary: Option<Vec<u8>>,
    sync: bool,
    window: Window,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// What is there is lost.
    Over,
    At(u64),
    Resume,
    Append,
}

impl Put {
    /// A file at that path, in the place of one that is there.
    pub fn new(path: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            start: Start::Over,
            mode: None,
            attributes: Attributes::default(),
            directories: false,
            temporary: None,
            sync: false,
            window: Window::default(),
        }
    }

    /// Writes from that byte on, and keeps what is before it. The body's first byte goes there.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.start = Start::At(offset);
        self
    }

    /// Goes on behind what the server has: [`Event::ResumeAt`] says how much that is, and the
    /// body begins there.
    #[must_use]
    pub fn resume(mut self) -> Self {
        self.start = Start::Resume;
        self
    }

    /// Writes behind what is there.
    #[must_use]
    pub fn append(mut self) -> Self {
        self.start = Start::Append;
        self
    }

    /// The permissions of a file that is created; what the server's mask forbids is left out.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Mode, owner and times that the file gets exactly, once it is complete.
    #[must_use]
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = Attributes {
            size: None,
            ..attributes
        };
        self
    }

    /// Makes the directories that are missing on the way there.
    #[must_use]
    pub fn directories(mut self) -> Self {
        self.directories = true;
        self
    }

    /// Writes a file with that suffix, and gives it its name when it is complete: nobody sees
    /// half of it. The server needs `posix-rename@openssh.com`. What is left of a transfer that
    /// failed is removed, unless it could be resumed.
    #[must_use]
    pub fn atomic(mut self, suffix: impl Into<Vec<u8>>) -> Self {
        self.temporary = Some(suffix.into());
        self
    }

    /// Does not end before the server has the file on its disk (`fsync@openssh.com`).
    #[must_use]
    pub fn sync(mut self) -> Self {
        self.sync = true;
        self
    }

    /// Bounds of what is in flight.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }
}

/// Puts one file.
///
/// ```text
///   Start --(resume, append)--> Sizing (STAT)
///     |                            |
///     +-------> Opening <----------+   Opening --no such file--> Making (MKDIR ...) --> Opening
///                  |
///               Writing --body complete, all answered--> Settling (FSETSTAT, fsync, CLOSE)
///                  |                                          |
///                  +--failed--> Undoing (CLOSE, REMOVE)    Renaming --> Done
/// ```
pub(super) struct Putting {
    job: Put,
    state: State,
    /// Where it is written: the path, or the temporary name.
    target: Vec<u8>,
    handle: Vec<u8>,
    /// Where the next byte goes.
    offset: u64,
    flight: Option<Flight>,
    taken: bool,
}

enum State {
    Start,
    Sizing,
    Opening,
    /// The path up to this byte is being made.
    Making(usize),
    Writing,
    /// So many answers are awaited.
    Settling(usize),
    Renaming,
    Undoing(usize, Option<Fault>),
    Done,
}

impl Putting {
    pub(super) fn new(job: Put) -> Self {
        let suffix = job.temporary.as_deref().unwrap_or(b"");
        let target = [&job.path, suffix].concat();
        Self {
            job,
            state: State::Start,
            target,
            handle: Vec::new(),
            offset: 0,
            flight: None,
            taken: false,
        }
    }

    fn start(&mut self, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        if self.job.temporary.is_some() {
            desk.needs(Extension::PosixRename)?;
        }
        if self.job.sync {
            desk.needs(Extension::Sync)?;
        }
        match self.job.start {
            Start::Over => self.open(desk),
            Start::At(offset) => {
                self.offset = offset;
                self.open(desk);
            }
            Start::Resume | Start::Append => {
                let stat = Packet::new(STAT).string(&self.target);
                desk.send(stat, Step::Stat.ticket());
                self.state = State::Sizing;
            }
        }
        Ok(())
    }

    fn open(&mut self, desk: &mut Desk<'_, '_>) {
        let flags = match self.job.start {
            Start::Over => FOR_WRITING | CREATE | TRUNCATE,
            _ => FOR_WRITING | CREATE,
        };
        let attributes = Attributes {
            mode: self
                .job
                .mode
                .or(self.job.attributes.mode)
                .map(|mode| mode & 0o7777),
            ..Attributes::default()
        };
        let open = Packet::new(OPEN).string(&self.target).u32(flags);
        desk.send(open.attributes(&attributes), Step::Open.ticket());
        self.state = State::Opening;
    }

    /// The server has that many bytes already.
    fn sized(&mut self, size: u64, desk: &mut Desk<'_, '_>) {
        self.offset = size;
        if self.job.start == Start::Resume {
            desk.emit(Event::ResumeAt(size));
        }
        self.open(desk);
    }

    /// Makes the next directory on the way that ends at or behind byte `from`, or opens the
    /// file when there is none left.
    fn make(&mut self, from: usize, desk: &mut Desk<'_, '_>) {
        let rest = self.target.get(from..).unwrap_or_default();
        match rest.iter().position(|byte| *byte == b'/') {
            None => self.open(desk),
            Some(0) => self.make(from + 1, desk),
            Some(at) => {
                let path = &self.target[..from + at];
                let packet = Packet::new(MKDIR).string(path);
                desk.send(
                    packet.attributes(&Attributes::default()),
                    Step::Directory.ticket(),
                );
                self.state = State::Making(from + at);
            }
        }
    }

    fn write(&mut self, desk: &mut Desk<'_, '_>) {
        let Some(flight) = &mut self.flight else {
            return;
        };
        let mut left = false;
        while !desk.body.pipe.is_empty() {
            left = true;
            let there = desk.body.pipe.len();
            // Small pieces wait for company while anything is on its way, and more may come.
            let ends = desk.body.pipe.is_finished() || desk.body.pipe.room() == 0;
            let whole = there >= flight.chunk || ends || flight.in_flight() == 0;
            if !whole || !flight.has_room() || !desk.has_room() {
                break;
            }
            let pieces = take(&mut desk.body.pipe, flight.chunk);
            let len: usize = pieces.iter().map(|piece| piece.len()).sum();
            let packet = Packet::new(WRITE).string(&self.handle).u64(self.offset);
            let packet = packet.u32(u32::try_from(len).expect("chunks are bounded"));
            desk.send_body(packet, pieces, Step::Chunk(self.offset).ticket());
            self.offset += len as u64;
            flight.sent();
            self.taken = true;
            left = false;
        }
        if desk.body.pipe.at_end() {
            if flight.in_flight() == 0 {
                self.settle(desk);
            }
        } else if !left || desk.body.pipe.len() < flight.chunk {
            desk.body.want();
        }
    }

    fn settle(&mut self, desk: &mut Desk<'_, '_>) {
        let mut owed = 1;
        if self.job.attributes != Attributes::default() {
            let packet = Packet::new(FSETSTAT).string(&self.handle);
            desk.send(
                packet.attributes(&self.job.attributes),
                Step::SetStat.ticket(),
            );
            owed += 1;
        }
        if self.job.sync {
            let packet = Packet::extended(Extension::Sync.name()).string(&self.handle);
            desk.send(packet, Step::Sync.ticket());
            owed += 1;
        }
        desk.send(
            Packet::new(CLOSE).string(&self.handle),
            Step::Close.ticket(),
        );
        self.state = State::Settling(owed);
    }

    fn settled(&mut self, owed: usize, desk: &mut Desk<'_, '_>) {
        if owed > 0 {
            self.state = State::Settling(owed);
        } else if self.job.temporary.is_some() {
            let packet = Packet::extended(Extension::PosixRename.name());
            desk.send(
                packet.string(&self.target).string(&self.job.path),
                Step::Rename.ticket(),
            );
            self.state = State::Renaming;
        } else {
            self.state = State::Done;
        }
    }

    /// Fails, after what is left behind was removed.
    fn undo(&mut self, fault: Fault, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        let temporary = self.job.temporary.is_some() && self.job.start == Start::Over;
        match self.state {
            State::Undoing(..) => Ok(()),
            State::Writing | State::Settling(_) | State::Renaming if temporary => {
                desk.send(
                    Packet::new(REMOVE).string(&self.target),
                    Step::Remove.ticket(),
                );
                self.state = State::Undoing(desk.pending.owed(), Some(fault));
                Ok(())
            }
            _ => Err(fault),
        }
    }

    fn doing(&self, what: &str) -> String {
        format!("{what} {}", Escaped(&self.target))
    }

    fn status(
        &mut self,
        step: Step,
        status: &Status,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), Fault> {
        if let State::Undoing(owed, fault) = &mut self.state {
            *owed = owed.saturating_sub(1);
            return match (*owed, fault.take()) {
                (0, Some(first)) => Err(first),
                (_, first) => {
                    *fault = first;
                    Ok(())
                }
            };
        }
        match (step, &mut self.state) {
            (Step::Stat, State::Sizing) if status.code == Status::NO_SUCH_FILE => {
                self.sized(0, desk);
                Ok(())
            }
            (Step::Open, State::Opening)
                if status.code == Status::NO_SUCH_FILE && self.job.directories =>
            {
                self.job.directories = false;
                self.make(0, desk);
                Ok(())
            }
            // It may be there already: opening the file tells.
            (Step::Directory, State::Making(upto)) => {
                let upto = *upto;
                self.make(upto + 1, desk);
                Ok(())
            }
            (Step::Chunk(_), State::Writing) if status.is_ok() => {
                if let Some(flight) = &mut self.flight {
                    flight.answered();
                }
                Ok(())
            }
            (Step::SetStat | Step::Sync | Step::Close, State::Settling(owed)) if status.is_ok() => {
                let owed = *owed - 1;
                self.settled(owed, desk);
                Ok(())
            }
            (Step::Rename, State::Renaming) if status.is_ok() => {
                self.state = State::Done;
                Ok(())
            }
            (step, _) => {
                let doing = match step {
                    Step::Stat => "looking at".to_owned(),
                    Step::Open => "creating".to_owned(),
                    Step::Chunk(offset) => format!("writing at byte {offset} of"),
                    Step::SetStat => "setting mode and times of".to_owned(),
                    Step::Sync => "writing to disk".to_owned(),
                    Step::Rename => "giving its name to".to_owned(),
                    _ => "closing".to_owned(),
                };
                let fault = status.fault(&self.doing(&doing));
                self.undo(fault, desk)
            }
        }
    }
}

/// The next `most` bytes, as the pieces that they are.
pub(super) fn take(pipe: &mut sockless_core::Pipe, most: usize) -> Vec<sockless_core::Buf> {
    let mut pieces = Vec::with_capacity(2);
    let mut left = most;
    while let Some(piece) = pipe.pop_max(left) {
        left -= piece.len();
        pieces.push(piece);
    }
    pieces
}

impl Job for Putting {
    fn advance(&mut self, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        match self.state {
            State::Start if desk.has_room() => self.start(desk),
            State::Writing => {
                self.write(desk);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn reply(
        &mut self,
        ticket: Ticket,
        reply: Reply,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), Fault> {
        match (ticket.step, reply, &self.state) {
            (step, Reply::Status(status), _) => self.status(step, &status, desk),
            (Step::Stat, Reply::Attributes(found), State::Sizing) => {
                let size = found.size.ok_or_else(|| {
                    let what = "the server does not say how long the file is";
                    Fault::new(Culprit::PeerIncompatible, Reason::BadResume, what)
                })?;
                self.sized(size, desk);
                Ok(())
            }
            (Step::Open, Reply::Handle(handle), State::Opening) => {
                self.handle = handle;
                self.flight = Some(Flight::new(&self.job.window, desk.server.longest_write));
                self.state = State::Writing;
                Ok(())
            }
            (_, reply, _) => Err(reply.misplaced()),
        }
    }

    fn tells(&self) -> bool {
        false
    }

    fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }
}
