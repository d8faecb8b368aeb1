//! Carries commands out, one after the other.

use std::collections::VecDeque;

use sockless_core::{Attributes, Culprit, Entry, Event, Fault, Reason};

use super::command::{Change, Command};
use super::desk::{Desk, Reply, Step, Ticket};
use super::job::Job;
use super::list;
use super::quote::Quote;
use super::server::Extension;
use super::wire::{
    CLOSE, CREATE, FOR_READING, FOR_WRITING, Fields, LSTAT, MKDIR, OPEN, Packet, READLINK,
    REALPATH, REMOVE, RENAME, RMDIR, SETSTAT, STAT, SYMLINK, TRUNCATE, malformed,
};
use crate::escape::Escaped;

/// Commands in a row.
///
/// ```text
///   Idle --first request of the next one--> Awaiting --last answer--> Idle
///                                            ^    |
///                                            +----+ the next request of several
/// ```
pub(super) struct Commanding {
    queue: VecDeque<Quote>,
    /// Whether they are around a transfer, and fail as that.
    quoted: bool,
    awaiting: Option<Awaiting>,
    /// Open files of the command.
    handles: Vec<Vec<u8>>,
    /// What a command failed with, until its files are closed.
    failed: Option<Fault>,
}

/// What answer comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaiting {
    /// Success, and that is all.
    Success,
    Attributes,
    Name,
    FileSystem,
    /// The attributes that a change goes by.
    Before(Change),
    /// A handle, and then `Touch` or `Copy` goes on.
    Handle,
    /// That so many handles are closed, then this comes.
    Closed(usize, Then),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Over,
    SetTimes,
}

impl Commanding {
    pub(super) fn new(queue: impl IntoIterator<Item = Quote>, quoted: bool) -> Self {
        Self {
            queue: queue.into_iter().collect(),
            quoted,
            awaiting: None,
            handles: Vec::new(),
            failed: None,
        }
    }

    /// Sends the first request of a command.
    fn begin(&mut self, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        let Some(quote) = self.queue.front() else {
            return Ok(());
        };
        match first(&quote.command, desk) {
            Ok((packet, awaiting)) => {
                self.awaiting = Some(awaiting);
                desk.send(packet, Step::Command.ticket());
                Ok(())
            }
            Err(fault) => self.fail(fault, desk),
        }
    }

    /// The command is over.
    fn over(&mut self, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        self.awaiting = None;
        let quote = self.queue.pop_front();
        match (self.failed.take(), quote) {
            (None, _) => Ok(()),
            (Some(fault), Some(quote)) if quote.may_fail => {
                desk.cx.note("sftp", || format!("{}; it may", fault.what));
                Ok(())
            }
            (Some(fault), _) if self.quoted => {
                let what = format!("a command around the transfer failed: {}", fault.what);
                let quoted = Fault::new(fault.culprit, Reason::Quote, what);
                Err(quoted.source(fault.at("sftp")))
            }
            (Some(fault), _) => Err(fault),
        }
    }

    fn fail(&mut self, fault: Fault, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        self.failed.get_or_insert(fault);
        self.close(Then::Over, desk)
    }

    /// Closes what is open, and goes on.
    fn close(&mut self, then: Then, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        let open = self.handles.len();
        for handle in self.handles.drain(..) {
            desk.send(Packet::new(CLOSE).string(&handle), Step::Command.ticket());
        }
        self.awaiting = Some(Awaiting::Closed(open, then));
        match open {
            0 => self.over(desk),
            _ => Ok(()),
        }
    }

    /// A file is open: what `Touch` and `Copy` do next.
    fn opened(&mut self, handle: Vec<u8>, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        self.handles.push(handle);
        let command = self.queue.front().map(|quote| &quote.command);
        let (Some(Command::Copy { to, .. }), handles) = (command, &*self.handles) else {
            return self.close(Then::SetTimes, desk);
        };
        let packet = match handles {
            [from, to] => {
                self.awaiting = Some(Awaiting::Success);
                // From byte 0, all of it, to byte 0.
                let packet = Packet::extended(Extension::CopyData.name()).string(from);
                packet.u64(0).u64(0).string(to).u64(0)
            }
            _ => open(to, FOR_WRITING | CREATE | TRUNCATE),
        };
        desk.send(packet, Step::Command.ticket());
        Ok(())
    }

    fn closed(&mut self, left: usize, then: Then, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        if left > 0 {
            self.awaiting = Some(Awaiting::Closed(left, then));
            return Ok(());
        }
        let command = self.queue.front().map(|quote| &quote.command);
        match (then, command, &self.failed) {
            (Then::SetTimes, Some(Command::Touch { path, times }), None) => {
                let attributes = Attributes {
                    times: Some(*times),
                    ..Attributes::default()
                };
                let packet = Packet::new(SETSTAT).string(path).attributes(&attributes);
                desk.send(packet, Step::Command.ticket());
                self.awaiting = Some(Awaiting::Success);
                Ok(())
            }
            _ => self.over(desk),
        }
    }

    /// The attributes that a change goes by are there.
    fn change(
        &mut self,
        change: Change,
        now: &Attributes,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), Fault> {
        let Some(Command::Change { path, .. }) = self.queue.front().map(|quote| &quote.command)
        else {
            return self.over(desk);
        };
        let Some(changed) = change.of(now) else {
            let what = format!("the server does not say what {} has now", Escaped(path));
            let fault = Fault::new(Culprit::PeerIncompatible, Reason::Unsupported, what);
            return self.fail(fault, desk);
        };
        let packet = Packet::new(SETSTAT).string(path).attributes(&changed);
        desk.send(packet, Step::Command.ticket());
        self.awaiting = Some(Awaiting::Success);
        Ok(())
    }

    fn doing(&self) -> String {
        let Some(quote) = self.queue.front() else {
            return "a command".to_owned();
        };
        let (verb, path) = match &quote.command {
            Command::MakeDirectory { path, .. } => ("making the directory", path),
            Command::RemoveDirectory(path) => ("removing the directory", path),
            Command::Remove(path) => ("removing", path),
            Command::Rename { from, .. } => ("renaming", from),
            Command::Symlink { link, .. } => ("making the link", link),
            Command::Link { to, .. } => ("making the second name", to),
            Command::Set { path, .. } | Command::Change { path, .. } => ("changing", path),
            Command::Touch { path, .. } => ("touching", path),
            Command::Stat { path, .. } => ("looking at", path),
            Command::ReadLink(path) => ("reading the link", path),
            Command::RealPath(path) | Command::Expand(path) => ("finding the path of", path),
            Command::FileSystem(path) => ("looking at the file system of", path),
            Command::Copy { from, .. } => ("copying", from),
        };
        format!("{verb} {}", Escaped(path))
    }
}

fn open(path: &[u8], flags: u32) -> Packet {
    let packet = Packet::new(OPEN).string(path).u32(flags);
    packet.attributes(&Attributes::default())
}

/// The first request of a command, and what comes back.
fn first(command: &Command, desk: &Desk<'_, '_>) -> Result<(Packet, Awaiting), Fault> {
    let plain = |kind: u8, path: &[u8]| Packet::new(kind).string(path);
    let extended = |extension: Extension| {
        desk.needs(extension)?;
        Ok(Packet::extended(extension.name()))
    };
    Ok(match command {
        Command::MakeDirectory { path, mode } => {
            let attributes = Attributes {
                mode: *mode,
                ..Attributes::default()
            };
            (
                plain(MKDIR, path).attributes(&attributes),
                Awaiting::Success,
            )
        }
        Command::RemoveDirectory(path) => (plain(RMDIR, path), Awaiting::Success),
        Command::Remove(path) => (plain(REMOVE, path), Awaiting::Success),
        Command::Rename { from, to } => {
            let packet = match desk.server.has(Extension::PosixRename) {
                true => Packet::extended(Extension::PosixRename.name()),
                false => Packet::new(RENAME),
            };
            (packet.string(from).string(to), Awaiting::Success)
        }
        // In the order that OpenSSH's servers, and all after them, take it (PROTOCOL, 4.1).
        Command::Symlink { target, link } => {
            (plain(SYMLINK, target).string(link), Awaiting::Success)
        }
        Command::Link { from, to } => {
            let packet = extended(Extension::HardLink)?;
            (packet.string(from).string(to), Awaiting::Success)
        }
        Command::Set {
            path,
            attributes,
            follow,
        } => {
            let packet = match follow {
                true => plain(SETSTAT, path),
                false => extended(Extension::SetLink)?.string(path),
            };
            (packet.attributes(attributes), Awaiting::Success)
        }
        Command::Change { path, change } => (plain(STAT, path), Awaiting::Before(*change)),
        Command::Touch { path, .. } => (open(path, FOR_WRITING | CREATE), Awaiting::Handle),
        Command::Stat { path, follow } => {
            let kind = if *follow { STAT } else { LSTAT };
            (plain(kind, path), Awaiting::Attributes)
        }
        Command::ReadLink(path) => (plain(READLINK, path), Awaiting::Name),
        Command::RealPath(path) => (plain(REALPATH, path), Awaiting::Name),
        Command::Expand(path) => (
            extended(Extension::ExpandPath)?.string(path),
            Awaiting::Name,
        ),
        Command::FileSystem(path) => (
            extended(Extension::FileSystem)?.string(path),
            Awaiting::FileSystem,
        ),
        Command::Copy { from, .. } => {
            desk.needs(Extension::CopyData)?;
            (open(from, FOR_READING), Awaiting::Handle)
        }
    })
}

impl Job for Commanding {
    fn advance(&mut self, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        while self.awaiting.is_none() && !self.queue.is_empty() && desk.has_room() {
            self.begin(desk)?;
        }
        Ok(())
    }

    fn reply(&mut self, _: Ticket, reply: Reply, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        let Some(awaiting) = self.awaiting else {
            return Err(reply.misplaced());
        };
        match (awaiting, reply) {
            (Awaiting::Closed(left, then), Reply::Status(status)) => {
                if !status.is_ok() {
                    self.failed.get_or_insert(status.fault(&self.doing()));
                }
                self.closed(left - 1, then, desk)
            }
            (Awaiting::Success, Reply::Status(status)) if status.is_ok() => {
                self.close(Then::Over, desk)
            }
            (_, Reply::Status(status)) => self.fail(status.fault(&self.doing()), desk),
            (Awaiting::Handle, Reply::Handle(handle)) => self.opened(handle, desk),
            (Awaiting::Before(change), Reply::Attributes(now)) => self.change(change, &now, desk),
            (Awaiting::Attributes, Reply::Attributes(attributes)) => {
                let path = match self.queue.front().map(|quote| &quote.command) {
                    Some(Command::Stat { path, .. }) => path.clone(),
                    _ => Vec::new(),
                };
                desk.emit(Event::Entry(Box::new(Entry {
                    path,
                    kind: attributes.kind(),
                    attributes,
                    line: None,
                })));
                self.over(desk)
            }
            (Awaiting::Name, Reply::Names(body)) => {
                let mut found = None;
                list::entries(&body, |entry| found = found.take().or(Some(entry)))?;
                // The attributes with it mean nothing (draft section 6.11).
                let path = found.ok_or_else(|| malformed("no name"))?.path;
                desk.emit(Event::Entry(Box::new(Entry {
                    path,
                    ..Entry::default()
                })));
                self.over(desk)
            }
            (Awaiting::FileSystem, Reply::Extended(body)) => {
                let found = Fields::new(&body).file_system()?;
                desk.emit(Event::FileSystem(Box::new(found)));
                self.over(desk)
            }
            (_, reply) => Err(reply.misplaced()),
        }
    }

    fn is_done(&self) -> bool {
        self.queue.is_empty()
    }
}
