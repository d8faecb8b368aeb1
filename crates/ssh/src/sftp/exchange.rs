//! The exchange: one session, and its jobs one after the other.

use std::collections::VecDeque;

use sockless_core::{Cx, Exchange, Fault, Top, Turn};

use super::command::Command;
use super::commanding::Commanding;
use super::desk::{Desk, Pending, Reply, Step, Ticket};
use super::get::{Get, Getting};
use super::get_tree::{GetTree, TreeGetting};
use super::job::Job;
use super::list::{List, Listing};
use super::put::{Put, Putting};
use super::put_tree::{PutTree, TreePutting};
use super::quote::Quote;
use super::replies::{Incoming, Replies};
use super::server::{Extension, Server};
use super::wire::{self, Fields, Packet, Status, malformed};
use crate::channel::Channel;

/// A session of sftp: what to do in it, as an [`Exchange`] on the SSH layer.
pub struct Sftp {
    /// The one at work is in front.
    jobs: VecDeque<Box<dyn Job>>,
    session: Session,
    replies: Replies,
    stage: Stage,
    /// The data that is coming in.
    data: Option<Ticket>,
}

/// What belongs to the channel rather than to a job.
#[derive(Default)]
struct Session {
    channel: Channel,
    pending: Pending,
    server: Server,
}

/// Where the session stands.
///
/// ```text
///   New --subsystem--> Asked --Opened--> Greeting --VERSION--> Ready --all done--> parked
///                        +---Opened, was parked---------------> ^
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Asked,
    Greeting,
    Ready,
}
impl Sftp {
    /// Gets a file.
    pub fn get(job: Get) -> Self {
        Self::new(Box::new(Getting::new(job)))
    }

    /// Puts a file.
    pub fn put(job: Put) -> Self {
        Self::new(Box::new(Putting::new(job)))
    }

    /// Puts many files.
    pub fn put_tree(job: PutTree) -> Self {
        Self::new(Box::new(TreePutting::new(job)))
    }

    /// Gets a directory, with all that is in it.
    pub fn get_tree(job: GetTree) -> Self {
        Self::new(Box::new(TreeGetting::new(job)))
    }

    /// Lists a directory.
    pub fn list(job: List) -> Self {
        Self::new(Box::new(Listing::new(job)))
    }

    /// Carries commands out, one after the other, up to the first that fails.
    pub fn commands(commands: impl IntoIterator<Item = Command>) -> Self {
        let commands = commands.into_iter().map(Quote::from);
        Self::new(Box::new(Commanding::new(commands, false)))
    }

    /// Carries these out first; the transfer begins if none fails, but for those that may.
    #[must_use]
    pub fn before(mut self, quotes: impl IntoIterator<Item = Quote>) -> Self {
        self.jobs
            .push_front(Box::new(Commanding::new(quotes, true)));
        self
    }

    /// Carries these out after a transfer that was a success.
    #[must_use]
    pub fn after(mut self, quotes: impl IntoIterator<Item = Quote>) -> Self {
        self.jobs.push_back(Box::new(Commanding::new(quotes, true)));
        self
    }

    fn new(job: Box<dyn Job>) -> Self {
        Self {
            jobs: VecDeque::from([job]),
            session: Session::default(),
            replies: Replies::default(),
            stage: Stage::New,
            data: None,
        }
    }

    fn hear(&mut self, top: &mut Top<'_>, cx: &mut Cx<'_>) -> Result<(), Fault> {
        loop {
            let job = self.jobs.front();
            if job.is_some_and(|job| job.tells()) && top.events.room() == 0 {
                return Ok(());
            }
            let room = match (self.data, job) {
                (Some(ticket), Some(job)) => job.room(ticket, top.events),
                _ => 0,
            };
            let channel = &mut self.session.channel;
            match self.replies.next(channel, top.from_peer, room, cx)? {
                None => return Ok(()),
                Some(incoming) => self.take(incoming, top, cx)?,
            }
        }
    }

    fn take(
        &mut self,
        incoming: Incoming,
        top: &mut Top<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Fault> {
        let Some(job) = self.jobs.front_mut() else {
            return Err(malformed("more than what was asked for"));
        };
        match (incoming, self.data) {
            (Incoming::Opened(greeting), _) if greeting.is_empty() => {
                // The length, INIT, and the version.
                let init = [0, 0, 0, 5, wire::INIT, 0, 0, 0, 3];
                self.session.channel.say(top.to_peer, &init, cx);
                self.stage = Stage::Greeting;
            }
            (Incoming::Opened(greeting), _) => {
                self.session.server = Server::remembered(&greeting)?;
                self.stage = Stage::Ready;
            }
            (Incoming::Packet(kind, id, body), _) if self.stage == Stage::Greeting => {
                self.greeted(kind, id, &body, top, cx)?;
            }
            (Incoming::Packet(kind, id, body), _) => {
                let reply = reply(kind, body)?;
                let ticket = self.session.pending.take(id)?;
                if ticket.step == Step::Limits {
                    return self.session.limited(reply);
                }
                job.reply(ticket, reply, &mut self.session.desk(top, cx))?;
            }
            (Incoming::DataBegins(id, len), _) => {
                let ticket = self.session.pending.take(id)?;
                job.data_begins(ticket, len)?;
                self.data = Some(ticket);
            }
            (Incoming::Data(piece), Some(ticket)) => {
                job.data(ticket, piece, &mut self.session.desk(top, cx));
            }
            (Incoming::DataEnds, Some(ticket)) => {
                self.data = None;
                job.data_ends(ticket, &mut self.session.desk(top, cx));
            }
            (Incoming::Data(_) | Incoming::DataEnds, None) => {}
        }
        Ok(())
    }

    /// The first packet: from here on there are ids.
    fn greeted(
        &mut self,
        kind: u8,
        version: u32,
        body: &[u8],
        top: &mut Top<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Fault> {
        if kind != wire::VERSION {
            let what = format!("a packet of kind {kind} before the version");
            return Err(malformed(what));
        }
        self.session.server = Server::greeted(version, body)?;
        self.stage = Stage::Ready;
        if self.session.server.has(Extension::Limits) {
            let packet = Packet::extended(Extension::Limits.name());
            let ticket = Step::Limits.ticket();
            self.session.desk(top, cx).send(packet, ticket);
        }
        Ok(())
    }

    /// Lets the jobs go on; whether all are done.
    fn work(&mut self, top: &mut Top<'_>, cx: &mut Cx<'_>) -> Result<bool, Fault> {
        while let Some(job) = self.jobs.front_mut() {
            job.advance(&mut self.session.desk(top, cx))?;
            let owed = self.session.pending.owed() > 0 || self.data.is_some();
            if !job.is_done() || owed {
                return Ok(false);
            }
            self.jobs.pop_front();
        }
        Ok(true)
    }
}

impl Session {
    fn desk<'a, 'cx>(&'a mut self, top: &'a mut Top<'_>, cx: &'a mut Cx<'cx>) -> Desk<'a, 'cx> {
        Desk {
            channel: &self.channel,
            pending: &mut self.pending,
            server: &self.server,
            to_peer: top.to_peer,
            events: top.events,
            body: top.body,
            cx,
        }
    }

    /// The answer about limits; a server that refuses to tell has none.
    fn limited(&mut self, reply: Reply) -> Result<(), Fault> {
        match reply {
            Reply::Extended(body) => self.server.limited(&mut Fields::new(&body)),
            reply => reply.status().map(drop),
        }
    }
}

fn reply(kind: u8, body: Vec<u8>) -> Result<Reply, Fault> {
    let mut fields = Fields::new(&body);
    Ok(match kind {
        wire::STATUS => Reply::Status(Status::read(&mut fields)?),
        wire::HANDLE => Reply::Handle(handle(&mut fields)?),
        wire::ATTRS => Reply::Attributes(fields.attributes()?),
        wire::NAME => Reply::Names(body),
        wire::EXTENDED_REPLY => Reply::Extended(body),
        kind => return Err(malformed(format!("a packet of kind {kind}"))),
    })
}

fn handle(fields: &mut Fields<'_>) -> Result<Vec<u8>, Fault> {
    let handle = fields.string()?;
    if handle.len() > wire::MAX_HANDLE {
        return Err(malformed(format!("a handle of {} bytes", handle.len())));
    }
    Ok(handle.to_vec())
}

impl Exchange for Sftp {
    fn layer(&self) -> &'static str {
        "sftp"
    }

    fn pump(&mut self, mut top: Top<'_>, cx: &mut Cx<'_>) -> Result<Turn, Fault> {
        let moved = |top: &Top<'_>| {
            (
                top.from_peer.moved(),
                top.to_peer.moved(),
                top.events.room(),
            )
        };
        if self.stage == Stage::New {
            self.session.channel.subsystem(top.to_peer, b"sftp", cx);
            self.stage = Stage::Asked;
        }
        loop {
            self.hear(&mut top, cx)?;
            if self.stage != Stage::Ready {
                return Ok(Turn::Blocked);
            }
            let before = moved(&top);
            if self.work(&mut top, cx)? {
                let greeting = self.session.server.greeting();
                self.session.channel.park(top.to_peer, &greeting, cx);
                return Ok(Turn::Finished { reusable: true });
            }
            if moved(&top) == before {
                return Ok(Turn::Blocked);
            }
        }
    }

    /// Before the channel is open, no job has begun.
    fn restart(&mut self, _reused: bool) -> bool {
        let can = matches!(self.stage, Stage::New | Stage::Asked);
        if can {
            (self.session, self.replies) = (Session::default(), Replies::default());
            self.stage = Stage::New;
        }
        can
    }

    fn expects(&self) -> u64 {
        self.jobs.front().map_or(0, |job| job.expects())
    }

    fn missing(&self) -> Option<Fault> {
        self.jobs.front()?.missing()
    }

    fn awaits_answer(&self) -> bool {
        matches!(self.stage, Stage::Asked | Stage::Greeting)
    }
}

impl core::fmt::Debug for Sftp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sftp")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
