//! Files to the server.

use std::collections::VecDeque;

use sockless_core::{
    Body, Culprit, Cx, EntryKind, Event, Events, Exchange, Fault, Pipe, Reason, Top, Turn,
};

use super::record::{self, Record};
use super::{command, refused};
use crate::channel::{Channel, Heard};
use crate::escape::Escaped;
use crate::feed::{self, Item};

/// A file, or many of them, to put; their bytes are the request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScpPut {
    path: Vec<u8>,
    /// The one file; `None`: the body says what there is.
    file: Option<Item>,
    times: bool,
}

impl ScpPut {
    /// A file at that path, of exactly that many bytes: scp says the length first. No part of
    /// the path means anything to the server's shell.
    pub fn new(path: impl Into<Vec<u8>>, size: u64) -> Self {
        let path = path.into();
        let name = path.rsplit(|byte| *byte == b'/').next();
        let file = Some(Item::file(name.unwrap_or_default(), size));
        Self {
            path,
            file,
            times: false,
        }
    }

    /// Many files, below that directory, which has to be there. The body is made of
    /// [`Item`]s.
    pub fn tree(path: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            file: None,
            times: false,
        }
    }

    /// The file's permissions; 0644 without.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.file = self.file.map(|file| file.mode(mode));
        self
    }

    /// When it was read and written last, in seconds since 1970.
    #[must_use]
    pub fn times(mut self, read: u32, written: u32) -> Self {
        self.file = self.file.map(|file| file.times(read, written));
        self.times = true;
        self
    }

    /// Keeps the times that the [`Item`]s of a tree have, and their modes exactly.
    #[must_use]
    pub fn keep_times(mut self) -> Self {
        self.times = true;
        self
    }

    /// As an exchange on the SSH layer.
    pub fn exchange(self) -> ScpPutting {
        ScpPutting::new(self)
    }
}

/// Puts files by scp.
///
/// ```text
///   Between --T, C, all answered--> Content --all sent, \0--> Between --body's end--> Ending
///     ^  |                                                                (EOF is out)
///     +--+ D, E                                                             |
///                                                                closed --> done
/// ```
#[derive(Debug)]
pub struct ScpPutting {
    job: ScpPut,
    channel: Channel,
    stream: Pipe,
    place: Place,
    /// What is said and not answered, in order.
    owed: VecDeque<Owed>,
    /// Names of the directories that the server is in.
    within: Vec<Vec<u8>>,
    begun: bool,
    failures: u64,
    first_failure: Option<Fault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Between,
    /// So many bytes are to be sent; or to be dropped, where the server has refused the file.
    Content {
        left: u64,
        refused: bool,
    },
    Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    /// The greeting.
    Ready,
    Times,
    Directory,
    Leave,
    File,
    Content,
}

impl ScpPutting {
    fn new(job: ScpPut) -> Self {
        Self {
            job,
            channel: Channel::default(),
            stream: Pipe::new(usize::MAX),
            place: Place::Between,
            owed: VecDeque::new(),
            within: Vec::new(),
            begun: false,
            failures: 0,
            first_failure: None,
        }
    }

    fn begin(&mut self, to_peer: &mut Pipe, cx: &Cx<'_>) -> Result<(), Fault> {
        let flags = match (self.job.file.is_some(), self.job.times) {
            (true, false) => "-t",
            (true, true) => "-p -t",
            (false, false) => "-r -d -t",
            (false, true) => "-r -p -d -t",
        };
        if let Some(file) = &self.job.file {
            check_name(&file.path)?;
        }
        let command = command(flags, &self.job.path)?;
        self.channel.exec(to_peer, &command, cx);
        self.owed.push_back(Owed::Ready);
        Ok(())
    }

    /// What the server answered.
    fn answers(&mut self, events: &mut Events) -> Result<(), Fault> {
        while let Some(first) = self.stream.front().and_then(|front| front.first().copied()) {
            let refusal = match first {
                0 => {
                    self.stream.consume(1);
                    None
                }
                _ => match record::line(&mut self.stream)? {
                    None => return Ok(()),
                    Some(line) => match Record::parse(&line)? {
                        Record::Failed(for_good, text) => Some((for_good, refused(&text))),
                        _ => return Err(unasked()),
                    },
                },
            };
            let owed = self.owed.pop_front().ok_or_else(unasked)?;
            match refusal {
                None if owed == Owed::Content && self.job.file.is_none() => {
                    events.emit(Event::EntryDone(Ok(())));
                }
                None => {}
                Some((for_good, fault)) => self.refused(owed, for_good, fault, events)?,
            }
        }
        Ok(())
    }

    fn refused(
        &mut self,
        owed: Owed,
        for_good: bool,
        fault: Fault,
        events: &mut Events,
    ) -> Result<(), Fault> {
        let one_of_many = self.job.file.is_none() && matches!(owed, Owed::File | Owed::Content);
        if for_good || !one_of_many {
            return Err(fault);
        }
        if owed == Owed::File
            && let Place::Content { refused, .. } = &mut self.place
        {
            *refused = true;
        }
        self.failures += 1;
        let again = Fault::new(fault.culprit, fault.reason, fault.what.clone());
        events.emit(Event::EntryDone(Err(again.at("scp"))));
        self.first_failure.get_or_insert(fault);
        Ok(())
    }

    /// Goes on with what is to be said; whether anything was.
    fn say(&mut self, io: &mut Top<'_>, cx: &Cx<'_>) -> Result<bool, Fault> {
        match self.place {
            // After a directory, nothing before the server is in it: what follows would go elsewhere.
            Place::Between if self.owed.iter().all(|owed| *owed == Owed::Content) => {
                self.next(io, cx)
            }
            Place::Content { left: 0, refused } => {
                self.place = Place::Between;
                if !refused {
                    self.line(Owed::Content, &[0], io.to_peer, cx);
                }
                Ok(true)
            }
            Place::Content { left, refused } if self.owed.is_empty() => {
                let room = if refused {
                    usize::MAX
                } else {
                    io.to_peer.room()
                };
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(room);
                if let Some(piece) = io.body.pipe.pop_max(most) {
                    let left = left - piece.len() as u64;
                    self.place = Place::Content { left, refused };
                    if !refused {
                        self.channel.say_framed(io.to_peer, &[], vec![piece], cx);
                    }
                    return Ok(true);
                }
                if io.body.pipe.at_end() {
                    return Err(feed::wrong(format!("it ends {left} bytes early")));
                }
                want(io.body, room);
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    /// The next file or directory, or the end.
    fn next(&mut self, io: &mut Top<'_>, cx: &Cx<'_>) -> Result<bool, Fault> {
        let item = match &self.job.file {
            Some(file) if !self.begun => Some(file.clone()),
            Some(_) if !io.body.pipe.is_empty() => {
                return Err(feed::wrong(
                    "it has more bytes than were announced".to_owned(),
                ));
            }
            Some(_) => None,
            None => feed::next(&mut io.body.pipe, cx)?,
        };
        self.begun = true;
        match item {
            Some(item) => self.item(&item, io.to_peer, cx)?,
            None if io.body.pipe.at_end() => {
                if !self.owed.is_empty() {
                    return Ok(false);
                }
                // Leaving the directories needs no answers that matter.
                for _ in self.within.drain(..) {
                    self.channel.say(io.to_peer, b"E\n", cx);
                    self.owed.push_back(Owed::Leave);
                }
                self.channel.finish(io.to_peer, cx);
                self.place = Place::Ending;
            }
            None => {
                want(io.body, io.to_peer.room());
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn item(&mut self, item: &Item, to_peer: &mut Pipe, cx: &Cx<'_>) -> Result<(), Fault> {
        let mut names: Vec<&[u8]> = item.path.split(|byte| *byte == b'/').collect();
        let name = names.pop().unwrap_or_default();
        check_name(name)?;
        let common = names
            .iter()
            .zip(&self.within)
            .take_while(|(new, old)| *new == old);
        let common = common.count();
        if common < names.len() {
            let what = format!("{} comes before its directory", Escaped(&item.path));
            return Err(feed::wrong(what));
        }
        while self.within.len() > common {
            self.within.pop();
            self.line(Owed::Leave, b"E\n", to_peer, cx);
        }
        if let Some((read, written)) = item.times.filter(|_| self.job.times) {
            let line = format!("T{written} 0 {read} 0\n");
            self.line(Owed::Times, line.as_bytes(), to_peer, cx);
        }
        let (kind, mode, owed) = match item.kind() {
            EntryKind::Directory => ('D', 0o755, Owed::Directory),
            _ => ('C', 0o644, Owed::File),
        };
        let size = item.size.unwrap_or(0);
        let line = format!("{kind}{:04o} {size} ", item.mode.unwrap_or(mode));
        self.line(owed, &[line.as_bytes(), name, b"\n"].concat(), to_peer, cx);
        match item.size {
            Some(left) => {
                self.place = Place::Content {
                    left,
                    refused: false,
                }
            }
            None => self.within.push(name.to_vec()),
        }
        Ok(())
    }

    fn line(&mut self, owed: Owed, line: &[u8], to_peer: &mut Pipe, cx: &Cx<'_>) {
        self.channel.say(to_peer, line, cx);
        self.owed.push_back(owed);
    }

    fn ended(&mut self, end: Fault) -> Result<Turn, Fault> {
        let complete = self.place == Place::Ending && self.owed.is_empty();
        match (self.first_failure.take(), complete) {
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

/// Asks for more of the body, if it could be sent.
fn want(body: &mut Body, room: usize) {
    if room > 0 {
        body.want();
    }
}

/// A name in a line cannot have a line end in it.
fn check_name(name: &[u8]) -> Result<(), Fault> {
    if crate::name::is_plain(name) && !name.contains(&b'\n') {
        return Ok(());
    }
    let what = format!("scp cannot send a file with the name \"{}\"", Escaped(name));
    let fault = Fault::new(Culprit::Misuse, Reason::BadRequest, what);
    Err(fault.remedy("use sftp"))
}

fn unasked() -> Fault {
    let what = "the server answers what was not said";
    Fault::misbehaved(Reason::Malformed, what)
}

impl Exchange for ScpPutting {
    fn layer(&self) -> &'static str {
        "scp"
    }

    fn pump(&mut self, mut io: Top<'_>, cx: &mut Cx<'_>) -> Result<Turn, Fault> {
        if !self.channel.is_asked() {
            self.begin(io.to_peer, cx)?;
        }
        loop {
            match self.channel.hear(io.from_peer, usize::MAX, cx)? {
                Some(Heard::Data(piece)) => {
                    self.stream.push(piece);
                    self.answers(io.events)?;
                    continue;
                }
                Some(Heard::End(end)) => return self.ended(end),
                Some(Heard::Opened(_)) | None => {}
            }
            if !self.channel.is_open() || !self.say(&mut io, cx)? {
                return Ok(Turn::Blocked);
            }
        }
    }

    fn restart(&mut self, _reused: bool) -> bool {
        let can = !self.channel.is_open();
        if can {
            (self.channel, self.owed) = (Channel::default(), VecDeque::new());
        }
        can
    }

    fn awaits_answer(&self) -> bool {
        self.channel.is_asked() && !self.channel.is_open()
    }
}
