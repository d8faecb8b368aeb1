//! The exchange: one session, and its jobs one after the other.

use sockless_core::{Cx, Exchange, Fault, Top, Turn};

use super::desk::{Desk, Pending, Reply, Step, Ticket};
use super::get::{Get, Getting};
use super::job::Job;
use super::list::{List, Listing};
use super::put::{Put, Putting};
use super::replies::{Incoming, Replies};
use super::server::{Extension, Server};
use super::wire::{self, Fields, Packet, Status, malformed};
use crate::channel::Channel;

/// A session of sftp: what to do in it, as an [`Exchange`] on the SSH layer.
pub struct Sftp {
    job: Box<dyn Job>,
    channel: Channel,
    replies: Replies,
    pending: Pending,
    server: Server,
    stage: Stage,
    /// The data that is coming in.
    data: Option<Ticket>,
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

    /// Lists a directory.
    pub fn list(job: List) -> Self {
        Self::new(Box::new(Listing::new(job)))
    }

    fn new(job: Box<dyn Job>) -> Self {
        Self {
            job,
            channel: Channel::default(),
            replies: Replies::default(),
            pending: Pending::default(),
            server: Server::default(),
            stage: Stage::New,
            data: None,
        }
    }

    /// What a job works with.
    fn desk<'a, 'cx>(
        (channel, pending, server): (&'a Channel, &'a mut Pending, &'a Server),
        top: &'a mut Top<'_>,
        cx: &'a mut Cx<'cx>,
    ) -> Desk<'a, 'cx> {
        Desk {
            channel,
            pending,
            server,
            to_peer: top.to_peer,
            events: top.events,
            body: top.body,
            cx,
        }
    }

    fn hear(&mut self, top: &mut Top<'_>, cx: &mut Cx<'_>) -> Result<(), Fault> {
        loop {
            if self.job.tells() && top.events.room() == 0 {
                return Ok(());
            }
            let room = match self.data {
                Some(ticket) => {
                    let parts = (&self.channel, &mut self.pending, &self.server);
                    self.job.room(ticket, &Self::desk(parts, top, cx))
                }
                None => 0,
            };
            let heard = self
                .replies
                .next(&mut self.channel, top.from_peer, room, cx)?;
            match heard {
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
        let parts = (&self.channel, &mut self.pending, &self.server);
        match incoming {
            Incoming::Opened(greeting) if greeting.is_empty() => {
                // The length, INIT, and the version.
                let init = [0, 0, 0, 5, wire::INIT, 0, 0, 0, 3];
                self.channel.say(top.to_peer, &init, cx);
                self.stage = Stage::Greeting;
            }
            Incoming::Opened(greeting) => {
                self.server = Server::remembered(&greeting)?;
                self.stage = Stage::Ready;
            }
            Incoming::Packet(kind, id, body) => self.packet(kind, id, &body, top, cx)?,
            Incoming::DataBegins(id, len) => {
                let ticket = self.pending.take(id)?;
                self.job.data_begins(ticket, len)?;
                self.data = Some(ticket);
            }
            Incoming::Data(piece) => {
                if let Some(ticket) = self.data {
                    self.job
                        .data(ticket, piece, &mut Self::desk(parts, top, cx));
                }
            }
            Incoming::DataEnds => {
                if let Some(ticket) = self.data.take() {
                    self.job.data_ends(ticket, &mut Self::desk(parts, top, cx));
                }
            }
        }
        Ok(())
    }

    fn packet(
        &mut self,
        kind: u8,
        id: u32,
        body: &[u8],
        top: &mut Top<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Fault> {
        if self.stage == Stage::Greeting {
            if kind != wire::VERSION {
                return Err(malformed(format!(
                    "a packet of kind {kind} before the version"
                )));
            }
            self.server = Server::greeted(id, body)?;
            self.stage = Stage::Ready;
            if self.server.has(Extension::Limits) {
                let parts = (&self.channel, &mut self.pending, &self.server);
                let packet = Packet::extended(Extension::Limits.name());
                Self::desk(parts, top, cx).send(packet, Step::Limits.ticket());
            }
            return Ok(());
        }
        let mut fields = Fields::new(body);
        let reply = match kind {
            wire::STATUS => Reply::Status(Status::read(&mut fields)?),
            wire::HANDLE => Reply::Handle(handle(&mut fields)?),
            wire::ATTRS => Reply::Attributes(fields.attributes()?),
            wire::NAME => Reply::Names(body.to_vec()),
            wire::EXTENDED_REPLY => Reply::Extended(body.to_vec()),
            kind => return Err(malformed(format!("a packet of kind {kind}"))),
        };
        let ticket = self.pending.take(id)?;
        if ticket.step == Step::Limits {
            // A server that refuses to tell has none.
            return match reply {
                Reply::Extended(body) => self.server.limited(&mut Fields::new(&body)),
                reply => reply.status().map(drop),
            };
        }
        let parts = (&self.channel, &mut self.pending, &self.server);
        self.job
            .reply(ticket, reply, &mut Self::desk(parts, top, cx))
    }
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
        if self.stage == Stage::New {
            self.channel.subsystem(top.to_peer, b"sftp", cx);
            self.stage = Stage::Asked;
        }
        loop {
            self.hear(&mut top, cx)?;
            if self.stage != Stage::Ready {
                return Ok(Turn::Blocked);
            }
            let before = (
                top.from_peer.moved(),
                top.to_peer.moved(),
                top.events.room(),
            );
            let parts = (&self.channel, &mut self.pending, &self.server);
            self.job.advance(&mut Self::desk(parts, &mut top, cx))?;
            if self.job.is_done() && self.pending.owed() == 0 {
                self.channel.park(top.to_peer, &self.server.greeting(), cx);
                return Ok(Turn::Finished { reusable: true });
            }
            if before
                == (
                    top.from_peer.moved(),
                    top.to_peer.moved(),
                    top.events.room(),
                )
            {
                return Ok(Turn::Blocked);
            }
        }
    }

    fn restart(&mut self, _reused: bool) -> bool {
        self.stage == Stage::New
    }

    fn expects(&self) -> u64 {
        self.job.expects()
    }
}

impl core::fmt::Debug for Sftp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sftp")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
