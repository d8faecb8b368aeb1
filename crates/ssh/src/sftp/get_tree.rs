//! A directory from the server, with all that is in it.

use sockless_core::{Attributes, Buf, Culprit, Entry, EntryKind, Events, Fault, Reason};

use super::desk::{Desk, Reply, Step, Ticket};
use super::job::Job;
use super::list;
use super::tree::{Found, Queue, State};
use super::window::{Flight, Window};
use super::wire::{CLOSE, FOR_READING, OPEN, OPENDIR, Packet, READDIR, STAT, Status, malformed};
use crate::escape::Escaped;
use crate::name;

/// A directory to get, with all that is in it.
///
/// Events: an [`Event::Entry`](sockless_core::Event::Entry) for each file, directory and link, a
/// directory before what is in it; behind a file's its bytes as `Event::Data` and an
/// `Event::EntryDone`. Files come one after the other, although many are read at once. Paths
/// begin with the last part of the path that was asked for, if that is a name. Links are told and
/// not followed. What cannot be read is told by its `EntryDone` (a directory is told once more
/// for that), the rest goes on, and the transfer fails in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetTree {
    path: Vec<u8>,
    entries_at_most: u64,
    files: usize,
    window: Window,
}

impl GetTree {
    /// All below the directory at that path.
    pub fn new(path: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            entries_at_most: 10_000_000,
            files: 64,
            window: Window::default(),
        }
    }

    /// Refuses more files and directories than that. Default 10,000,000.
    #[must_use]
    pub fn entries_at_most(mut self, entries: u64) -> Self {
        self.entries_at_most = entries;
        self
    }

    /// Files that are open at once, at most; never more than half of what the server allows.
    /// Default 64.
    #[must_use]
    pub fn files(mut self, files: usize) -> Self {
        self.files = files.max(1);
        self
    }

    /// Bounds of what is in flight; of its bytes, as many may wait for their turn.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }
}

/// Directories that are listed at once, and requests for entries in flight for each.
const LISTINGS: usize = 8;
const AHEAD: usize = 2;

/// Entries found and not passed on, beyond which no directory is read further.
const MAX_FOUND: usize = 2000;

/// How deep directories may lie in each other.
const MAX_DEPTH: usize = 500;

/// Gets a tree.
///
/// ```text
///   Start --STAT--> Looking --it is a directory--> Going --nothing left--> done
///
///   directories --OPENDIR, READDIR--> listings --entries--> queue --OPEN, READ--> events
///        ^                                          |
///        +------------- those that are directories -+
/// ```
pub(super) struct TreeGetting {
    job: GetTree,
    stage: Stage,
    flight: Flight,
    /// Directories that are to be listed.
    directories: Vec<Directory>,
    listings: Vec<Listing>,
    /// Listings so far: their numbers.
    listed: u64,
    queue: Queue,
    seen: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    Looking,
    Going,
}

struct Directory {
    /// At the server, and as the application gets it.
    path: Vec<u8>,
    shown: Vec<u8>,
    depth: usize,
}

struct Listing {
    number: u64,
    directory: Directory,
    handle: Option<Vec<u8>>,
    in_flight: usize,
    /// The end was seen; answers to other requests may come behind it.
    ended: bool,
}

impl TreeGetting {
    pub(super) fn new(job: GetTree) -> Self {
        Self {
            flight: Flight::new(&job.window, 0),
            job,
            stage: Stage::Start,
            directories: Vec::new(),
            listings: Vec::new(),
            listed: 0,
            queue: Queue::default(),
            seen: 0,
        }
    }

    /// The directory that was asked for.
    fn root(&mut self, attributes: Attributes, desk: &Desk<'_, '_>) -> Result<(), Fault> {
        if attributes.kind() != EntryKind::Directory {
            let what = format!("{} is no directory", Escaped(&self.job.path));
            let fault = Fault::new(Culprit::PeerRefused, Reason::BadRequest, what);
            return Err(fault.remedy("get it as a file"));
        }
        self.flight = Flight::new(&self.job.window, desk.server.longest_read);
        let path = self.job.path.strip_suffix(b"/").unwrap_or(&self.job.path);
        let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let shown = match name::is_plain(last) {
            true => last.to_vec(),
            false => Vec::new(),
        };
        if !shown.is_empty() {
            let entry = Entry {
                path: shown.clone(),
                kind: EntryKind::Directory,
                attributes,
                line: None,
            };
            self.queue.push(Found::new(entry, self.job.path.clone()));
        }
        self.directories.push(Directory {
            path: self.job.path.clone(),
            shown,
            depth: 0,
        });
        self.stage = Stage::Going;
        Ok(())
    }

    /// Lists directories, as long as what they have has a place.
    fn list(&mut self, desk: &mut Desk<'_, '_>) {
        while self.listings.len() < LISTINGS && self.queue.len() < MAX_FOUND && desk.has_room() {
            let Some(directory) = self.directories.pop() else {
                break;
            };
            let packet = Packet::new(OPENDIR).string(&directory.path);
            desk.send(packet, Step::OpenDirectory.of(self.listed));
            self.listings.push(Listing {
                number: self.listed,
                directory,
                handle: None,
                in_flight: 0,
                ended: false,
            });
            self.listed += 1;
        }
        for listing in &mut self.listings {
            let Some(handle) = listing.handle.as_ref().filter(|_| !listing.ended) else {
                continue;
            };
            while listing.in_flight < AHEAD && self.queue.len() < MAX_FOUND && desk.has_room() {
                let packet = Packet::new(READDIR).string(handle);
                desk.send(packet, Step::Directory.of(listing.number));
                listing.in_flight += 1;
            }
        }
    }

    fn open(&mut self, desk: &mut Desk<'_, '_>) {
        let most = match desk.server.handles / 2 {
            0 => self.job.files,
            half => self
                .job
                .files
                .min(usize::try_from(half).unwrap_or(usize::MAX)),
        };
        while self.queue.open() < most && desk.has_room() {
            let Some((number, found)) = self.queue.next_to_open() else {
                break;
            };
            let packet = Packet::new(OPEN).string(&found.path).u32(FOR_READING);
            found.state = State::Opening;
            desk.send(
                packet.attributes(&Attributes::default()),
                Step::Open.of(number),
            );
        }
    }

    /// Reads the file whose turn it is, and those behind it as far ahead as may wait.
    fn read(&mut self, desk: &mut Desk<'_, '_>) {
        let mut ahead = 0;
        for (number, reading) in self.queue.opened() {
            while reading.wants_more() && self.flight.has_room() && desk.has_room() {
                if ahead + reading.ahead() >= self.job.window.bytes as u64 {
                    return;
                }
                let (packet, chunk) = reading.request(self.flight.chunk);
                self.flight.sent();
                desk.send(packet, Step::Chunk(chunk).of(number));
            }
            ahead += reading.ahead();
        }
    }

    fn names(&mut self, number: u64, body: &[u8], desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        let Some(at) = self.place(number) else {
            return Ok(());
        };
        let listing = &mut self.listings[at];
        listing.in_flight -= 1;
        let mut entries = Vec::new();
        list::entries(body, |entry| entries.push(entry))?;
        let below = listing.directory.depth + 1;
        let join = |directory: &[u8], name: &[u8]| match directory {
            b"" => name.to_vec(),
            [.., b'/'] => [directory, name].concat(),
            _ => [directory, b"/", name].concat(),
        };
        for mut entry in entries {
            if matches!(&*entry.path, b"." | b"..") {
                continue;
            }
            if !name::is_plain(&entry.path) {
                let what = format!("the server has an entry \"{}\"", Escaped(&entry.path));
                return Err(malformed(what)
                    .remedy("do not trust this server: such a name leads out of the folder"));
            }
            self.seen += 1;
            let path = join(&listing.directory.path, &entry.path);
            entry.path = join(&listing.directory.shown, &entry.path);
            if self.seen > self.job.entries_at_most || below > MAX_DEPTH {
                let what = format!("{} entries, {below} directories deep", self.seen);
                return Err(Fault::new(Culprit::Limit, Reason::BodyTooLarge, what));
            }
            if entry.kind == EntryKind::Directory {
                self.directories.push(Directory {
                    path: path.clone(),
                    shown: entry.path.clone(),
                    depth: below,
                });
            }
            self.queue.push(Found::new(entry, path));
        }
        self.close(at, desk);
        Ok(())
    }

    fn place(&self, number: u64) -> Option<usize> {
        let mut listings = self.listings.iter();
        listings.position(|listing| listing.number == number)
    }

    /// Closes a directory that was read to its end.
    fn close(&mut self, at: usize, desk: &mut Desk<'_, '_>) {
        if !self.listings[at].ended || self.listings[at].in_flight > 0 {
            return;
        }
        if let Some(handle) = self.listings.swap_remove(at).handle {
            desk.send(Packet::new(CLOSE).string(&handle), Step::Close.ticket());
        }
    }

    /// A directory is over, or cannot be listed.
    fn listed(
        &mut self,
        number: u64,
        status: &Status,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), Fault> {
        let Some(at) = self.place(number) else {
            return Ok(());
        };
        let listing = &mut self.listings[at];
        if status.is_end() && listing.handle.is_some() {
            listing.in_flight -= 1;
            listing.ended = true;
            self.close(at, desk);
            return Ok(());
        }
        let listing = self.listings.swap_remove(at);
        if let Some(handle) = &listing.handle {
            desk.send(Packet::new(CLOSE).string(handle), Step::Close.ticket());
        }
        let fault = status.fault(&format!("listing {}", Escaped(&listing.directory.path)));
        if listing.directory.depth == 0 {
            return Err(fault);
        }
        let entry = Entry {
            path: listing.directory.shown,
            kind: EntryKind::Directory,
            ..Entry::default()
        };
        self.queue
            .push(Found::failed(entry, listing.directory.path, fault));
        Ok(())
    }

    fn status(
        &mut self,
        ticket: Ticket,
        status: &Status,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), Fault> {
        let doing = match ticket.step {
            Step::Close => return Ok(()),
            Step::Directory | Step::OpenDirectory => return self.listed(ticket.file, status, desk),
            Step::Stat => {
                let doing = format!("looking at {}", Escaped(&self.job.path));
                return Err(status.fault(&doing));
            }
            Step::Chunk(_) => {
                self.flight.answered();
                "reading"
            }
            _ => "opening",
        };
        // Those that are gone, or have failed, need no answers any more.
        let Some(found) = self.queue.at(ticket.file) else {
            return Ok(());
        };
        match (&mut found.state, ticket.step) {
            (State::Open(reading), Step::Chunk(number)) if status.is_end() => {
                reading.file_ends(number);
            }
            (State::Failed(_), _) => {}
            _ => {
                let fault = status.fault(&format!("{doing} {}", Escaped(&found.path)));
                found.fail(fault, desk);
            }
        }
        Ok(())
    }

    fn reading(&mut self, ticket: Ticket) -> Option<&mut super::reading::Reading> {
        match &mut self.queue.at(ticket.file)?.state {
            State::Open(reading) => Some(reading),
            _ => None,
        }
    }
}

impl Job for TreeGetting {
    fn advance(&mut self, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        match self.stage {
            Stage::Start if desk.has_room() => {
                let packet = Packet::new(STAT).string(&self.job.path);
                desk.send(packet, Step::Stat.ticket());
                self.stage = Stage::Looking;
            }
            Stage::Start | Stage::Looking => {}
            Stage::Going => {
                self.queue.pass(desk);
                self.open(desk);
                self.read(desk);
                self.list(desk);
                if self.is_done() && desk.pending.owed() == 0 {
                    return self.queue.incomplete().map_or(Ok(()), Err);
                }
            }
        }
        Ok(())
    }

    fn reply(
        &mut self,
        ticket: Ticket,
        reply: Reply,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), Fault> {
        match (ticket.step, reply) {
            (_, Reply::Status(status)) => self.status(ticket, &status, desk),
            (Step::Stat, Reply::Attributes(found)) => self.root(found, desk),
            (Step::OpenDirectory, Reply::Handle(handle)) => {
                let listings = &mut self.listings;
                let listing = listings
                    .iter_mut()
                    .find(|listing| listing.number == ticket.file);
                if let Some(listing) = listing {
                    listing.handle = Some(handle);
                }
                Ok(())
            }
            (Step::Directory, Reply::Names(body)) => self.names(ticket.file, &body, desk),
            (Step::Open, Reply::Handle(handle)) => {
                if let Some(found) = self.queue.at(ticket.file) {
                    found.opened(handle);
                }
                Ok(())
            }
            (_, reply) => Err(reply.misplaced()),
        }
    }

    fn data_begins(&mut self, ticket: Ticket, len: usize) -> Result<(), Fault> {
        let Step::Chunk(number) = ticket.step else {
            return Err(malformed("data that was not asked for"));
        };
        self.reading(ticket)
            .map_or(Ok(()), |reading| reading.begins(number, len))
    }

    fn room(&self, ticket: Ticket, events: &Events) -> usize {
        match ticket.step {
            Step::Chunk(number) if self.queue.is_next(ticket.file, number) => events.room(),
            _ => usize::MAX,
        }
    }

    fn data(&mut self, ticket: Ticket, piece: Buf, desk: &mut Desk<'_, '_>) {
        let passes = self.queue.is_passing(ticket.file);
        if let (Step::Chunk(number), Some(reading)) = (ticket.step, self.reading(ticket))
            && let Some(piece) = reading.data(number, piece, passes)
        {
            desk.events.data(piece);
        }
    }

    fn data_ends(&mut self, ticket: Ticket, desk: &mut Desk<'_, '_>) {
        let Step::Chunk(number) = ticket.step else {
            return;
        };
        match self
            .reading(ticket)
            .and_then(|reading| reading.ends(number))
        {
            Some(rest) => desk.send(rest, ticket),
            None => self.flight.answered(),
        }
    }

    fn is_done(&self) -> bool {
        let nothing = self.directories.is_empty() && self.listings.is_empty();
        self.stage == Stage::Going && nothing && self.queue.is_empty()
    }

    fn expects(&self) -> u64 {
        self.queue.expects()
    }
}
