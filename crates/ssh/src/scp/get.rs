//! Files from the server.

use sockless_core::{
    Attributes, Culprit, Cx, Entry, EntryKind, Event, Events, Exchange, Fault, Pipe, Reason, Top,
    Turn,
};

use super::record::{self, Record};
use super::{command, refused};
use crate::channel::{Channel, Heard};
use crate::escape::Escaped;

/// A file, or a directory with all that is in it, to get.
///
/// Events: an [`Event::Entry`] for each file and directory, behind a file's its bytes as
/// [`Event::Data`]. With [`ScpGet::recursive`], each file ends with an [`Event::EntryDone`],
/// and paths begin with the name of the directory that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScpGet {
    path: Vec<u8>,
    recursive: bool,
    times: bool,
    at_most: u64,
    entries_at_most: u64,
}

/// The most files and directories, unless another bound is given.
const ENTRIES_AT_MOST: u64 = 10_000_000;

/// How deep directories may lie in each other.
const MAX_DEPTH: usize = 1000;

impl ScpGet {
    /// The file at that path. No part of it means anything to the server's shell.
    pub fn new(path: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            recursive: false,
            times: false,
            at_most: u64::MAX,
            entries_at_most: ENTRIES_AT_MOST,
        }
    }

    /// Also a directory, with all that is in it.
    #[must_use]
    pub fn recursive(mut self) -> Self {
        self.recursive = true;
        self
    }

    /// Asks for the files' times.
    #[must_use]
    pub fn times(mut self) -> Self {
        self.times = true;
        self
    }

    /// Refuses a file of more bytes than that.
    #[must_use]
    pub fn at_most(mut self, bytes: u64) -> Self {
        self.at_most = bytes;
        self
    }

    /// Refuses more files and directories than that. Default 10,000,000.
    #[must_use]
    pub fn entries_at_most(mut self, entries: u64) -> Self {
        self.entries_at_most = entries;
        self
    }

    /// As an exchange on the SSH layer.
    pub fn exchange(self) -> ScpGetting {
        ScpGetting::new(self)
    }
}

/// Gets files by scp.
///
/// ```text
///   Line --C--> Content --all bytes--> Verdict --\0--> Line --closed--> done
///    ^ |                                  |
///    +-+ T, D, E, \1                      +--\1: that file has failed
/// ```
#[derive(Debug)]
pub struct ScpGetting {
    job: ScpGet,
    channel: Channel,
    /// What came and was not looked at.
    stream: Pipe,
    place: Place,
    times: Option<(u32, u32)>,
    /// Names of the directories that it is in.
    within: Vec<Vec<u8>>,
    /// Files and directories so far.
    entries: u64,
    /// What was asked for is complete.
    over: bool,
    failures: u64,
    first_failure: Option<Fault>,
    begun: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Line,
    /// So many bytes are missing.
    Content(u64),
    Verdict,
}

impl ScpGetting {
    fn new(job: ScpGet) -> Self {
        Self {
            job,
            channel: Channel::default(),
            stream: Pipe::new(usize::MAX),
            place: Place::Line,
            times: None,
            within: Vec::new(),
            entries: 0,
            over: false,
            failures: 0,
            first_failure: None,
            begun: false,
        }
    }

    fn begin(&mut self, to_peer: &mut Pipe, cx: &Cx<'_>) -> Result<(), Fault> {
        let flags = match (self.job.recursive, self.job.times) {
            (false, false) => "-f",
            (false, true) => "-p -f",
            (true, false) => "-r -f",
            (true, true) => "-r -p -f",
        };
        let command = command(flags, &self.job.path)?;
        self.channel.exec(to_peer, &command, cx);
        Ok(())
    }

    /// Looks at what came; whether it could be used.
    fn step(&mut self, io: &mut Top<'_>, cx: &Cx<'_>) -> Result<bool, Fault> {
        match self.place {
            Place::Line => match record::line(&mut self.stream)? {
                None => Ok(false),
                Some(line) => {
                    self.record(Record::parse(&line)?, io, cx)?;
                    Ok(true)
                }
            },
            Place::Content(0) => {
                self.place = Place::Verdict;
                Ok(true)
            }
            Place::Content(left) => {
                let most = usize::try_from(left)
                    .unwrap_or(usize::MAX)
                    .min(io.events.room());
                let Some(piece) = self.stream.pop_max(most) else {
                    return Ok(false);
                };
                self.place = Place::Content(left - piece.len() as u64);
                io.events.data(piece);
                Ok(true)
            }
            Place::Verdict => {
                let Some(verdict) = self.stream.front().and_then(|front| front.first().copied())
                else {
                    return Ok(false);
                };
                let failed = match verdict {
                    0 => {
                        self.stream.consume(1);
                        None
                    }
                    _ => match record::line(&mut self.stream)? {
                        None => return Ok(false),
                        Some(line) => match Record::parse(&line)? {
                            Record::Failed(_, text) => Some(refused(&text)),
                            _ => return Err(misplaced(&line)),
                        },
                    },
                };
                self.file_over(failed, io.events)?;
                self.channel.say(io.to_peer, &[0], cx);
                Ok(true)
            }
        }
    }

    fn record(&mut self, record: Record, io: &mut Top<'_>, cx: &Cx<'_>) -> Result<(), Fault> {
        match record {
            Record::Failed(for_good, text) => {
                let fault = refused(&text);
                if for_good || !self.job.recursive {
                    return Err(fault);
                }
                // Not answered: it goes on by itself.
                return self.failed(fault);
            }
            Record::Times(read, written) => self.times = Some((read, written)),
            Record::Leave => {
                if self.within.pop().is_none() {
                    return Err(misplaced(b"E"));
                }
                self.over = self.within.is_empty();
            }
            Record::Directory(mode, name) => {
                self.asked_for(&name)?;
                if !self.job.recursive || self.within.len() >= MAX_DEPTH {
                    return Err(misplaced(&name));
                }
                self.tell(mode | 0o040_000, None, &name, io.events)?;
                self.within.push(name);
            }
            Record::File(mode, size, name) => {
                self.asked_for(&name)?;
                if size > self.job.at_most {
                    let most = self.job.at_most;
                    let what = format!("the file has {size} bytes, and {most} are wanted at most");
                    return Err(Fault::new(Culprit::Limit, Reason::BodyTooLarge, what));
                }
                self.tell(mode | 0o100_000, Some(size), &name, io.events)?;
                self.over = self.within.is_empty();
                self.place = Place::Content(size);
            }
        }
        self.channel.say(io.to_peer, &[0], cx);
        Ok(())
    }

    /// Whether this is what was asked for: at the top, one thing of that very name
    /// (CVE-2019-6111).
    fn asked_for(&self, name: &[u8]) -> Result<(), Fault> {
        if !self.within.is_empty() {
            return Ok(());
        }
        let path = self.job.path.as_slice();
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        // The name of such a directory is the server's to tell.
        let told = !matches!(last, b"" | b"." | b"..") && last != name;
        if self.over || told {
            let what = format!(
                "the server sends \"{}\", which was not asked for",
                Escaped(name)
            );
            return Err(Fault::misbehaved(Reason::Malformed, what)
                .remedy("do not trust this server; sftp does not let it choose"));
        }
        Ok(())
    }

    fn tell(
        &mut self,
        mode: u32,
        size: Option<u64>,
        name: &[u8],
        events: &mut Events,
    ) -> Result<(), Fault> {
        self.entries += 1;
        if self.entries > self.job.entries_at_most {
            let what = format!("more than {} files", self.job.entries_at_most);
            return Err(Fault::new(Culprit::Limit, Reason::BodyTooLarge, what));
        }
        let mut path = self.within.join(&b'/');
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        let attributes = Attributes {
            size,
            mode: Some(mode),
            times: self.times.take(),
            owner: None,
        };
        let kind = match size {
            Some(_) => EntryKind::File,
            None => EntryKind::Directory,
        };
        events.emit(Event::Entry(Box::new(Entry {
            path,
            kind,
            attributes,
            line: None,
        })));
        Ok(())
    }

    fn file_over(&mut self, failed: Option<Fault>, events: &mut Events) -> Result<(), Fault> {
        self.place = Place::Line;
        match (failed, self.job.recursive) {
            (Some(fault), false) => Err(fault),
            (None, false) => Ok(()),
            (None, true) => {
                events.emit(Event::EntryDone(Ok(())));
                Ok(())
            }
            (Some(fault), true) => {
                let again = Fault::new(fault.culprit, fault.reason, fault.what.clone());
                events.emit(Event::EntryDone(Err(fault.at("scp"))));
                self.failed(again)
            }
        }
    }

    fn failed(&mut self, fault: Fault) -> Result<(), Fault> {
        self.failures += 1;
        self.first_failure.get_or_insert(fault);
        Ok(())
    }

    /// The program at the server has ended.
    fn ended(&mut self, end: Fault) -> Result<Turn, Fault> {
        let complete = self.over && self.place == Place::Line && self.within.is_empty();
        match (
            self.first_failure.take(),
            complete && self.stream.is_empty(),
        ) {
            (Some(first), _) => {
                let what = format!("{} failed, the first: {}", self.failures, first.what);
                let fault = Fault::new(first.culprit, Reason::Incomplete, what);
                Err(fault.source(first.at("scp")))
            }
            (None, true) => Ok(Turn::Finished { reusable: true }),
            (None, false) => Err(end),
        }
    }
}

fn misplaced(what: &[u8]) -> Fault {
    let what = format!(
        "the server sends \"{}\", which has no place here",
        Escaped(what)
    );
    Fault::misbehaved(Reason::Malformed, what)
}

impl Exchange for ScpGetting {
    fn layer(&self) -> &'static str {
        "scp"
    }

    fn pump(&mut self, mut io: Top<'_>, cx: &mut Cx<'_>) -> Result<Turn, Fault> {
        if !self.channel.is_asked() {
            self.begin(io.to_peer, cx)?;
        }
        loop {
            while io.events.room() > 0 && self.step(&mut io, cx)? {}
            // More is taken only when what is here is used, or no whole line.
            if io.events.room() == 0 {
                return Ok(Turn::Blocked);
            }
            match self.channel.hear(io.from_peer, usize::MAX, cx)? {
                None => return Ok(Turn::Blocked),
                Some(Heard::Opened(_)) => {
                    self.begun = true;
                    self.channel.say(io.to_peer, &[0], cx);
                }
                Some(Heard::Data(piece)) => self.stream.push(piece),
                Some(Heard::End(end)) => return self.ended(end),
            }
        }
    }

    fn restart(&mut self, _reused: bool) -> bool {
        if !self.begun {
            self.channel = Channel::default();
        }
        !self.begun
    }

    fn expects(&self) -> u64 {
        match self.place {
            Place::Content(left) => left.saturating_sub(self.stream.len() as u64),
            _ => 0,
        }
    }

    fn missing(&self) -> Option<Fault> {
        let Place::Content(left) = self.place else {
            return None;
        };
        let what = format!("{left} bytes of a file are missing");
        Some(Fault::misbehaved(Reason::PartialBody, what).remedy("resume it with sftp"))
    }

    fn awaits_answer(&self) -> bool {
        self.channel.is_asked() && !self.begun
    }
}
