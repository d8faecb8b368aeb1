//! Where a job sends its requests from.

use std::collections::VecDeque;

use sockless_core::{Body, Buf, Culprit, Cx, Event, Events, Fault, Pipe, Reason};

use super::server::{Extension, Server};
use super::wire::{Packet, Status, malformed};
use crate::channel::Channel;

/// What a request was for, so that its answer finds its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// The number of the file in jobs with many of them.
    pub(super) file: u64,
    pub(super) step: Step,
}

/// The step of a job that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The session's own.
    Limits,
    Stat,
    Open,
    /// Reads or writes; the number tells which one, or where.
    Chunk(u64),
    Directory,
    OpenDirectory,
    SetStat,
    Sync,
    /// Nobody waits for it but the end of the session.
    Close,
    Rename,
    Remove,
    Command,
}

impl Step {
    /// For jobs with one file.
    pub(super) fn ticket(self) -> Ticket {
        self.of(0)
    }

    /// For that file.
    pub(super) fn of(self, file: u64) -> Ticket {
        Ticket { file, step: self }
    }
}

/// An answer, data apart: that comes in pieces.
#[derive(Debug)]
pub(super) enum Reply {
    Status(Status),
    Handle(Vec<u8>),
    Attributes(sockless_core::Attributes),
    /// A `NAME` packet's body.
    Names(Vec<u8>),
    /// The body of an extension's answer.
    Extended(Vec<u8>),
}

impl Reply {
    /// As a status, where nothing else belongs.
    pub(super) fn status(self) -> Result<Status, Fault> {
        match self {
            Self::Status(status) => Ok(status),
            other => Err(other.misplaced()),
        }
    }

    pub(super) fn misplaced(&self) -> Fault {
        let kind = match self {
            Self::Status(_) => "a status",
            Self::Handle(_) => "a handle",
            Self::Attributes(_) => "attributes",
            Self::Names(_) => "names",
            Self::Extended(_) => "an extension's answer",
        };
        malformed(format!(
            "{kind} in answer to a request that asks for something else"
        ))
    }
}

/// Requests that may be open at once, from the oldest to the newest.
const MAX_SPAN: usize = 4096;

/// The requests that wait for their answers, by their ids: those count up.
#[derive(Debug, Default)]
pub(super) struct Pending {
    first: u32,
    tickets: VecDeque<Option<Ticket>>,
    owed: usize,
}

impl Pending {
    fn add(&mut self, ticket: Ticket) -> u32 {
        let id = self.first.wrapping_add(self.tickets.len() as u32);
        self.tickets.push_back(Some(ticket));
        self.owed += 1;
        id
    }

    /// The request that an answer is for.
    pub(super) fn take(&mut self, id: u32) -> Result<Ticket, Fault> {
        let at = id.wrapping_sub(self.first) as usize;
        let ticket = self.tickets.get_mut(at).and_then(Option::take);
        let ticket = ticket
            .ok_or_else(|| malformed(format!("an answer to request {id}, which is not open")))?;
        self.owed -= 1;
        while matches!(self.tickets.front(), Some(None)) {
            self.tickets.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        Ok(ticket)
    }

    /// Requests without an answer.
    pub(super) fn owed(&self) -> usize {
        self.owed
    }
}

/// What a job works with during one pump.
pub(super) struct Desk<'a, 'cx> {
    pub(super) channel: &'a Channel,
    pub(super) pending: &'a mut Pending,
    pub(super) server: &'a Server,
    pub(super) to_peer: &'a mut Pipe,
    pub(super) events: &'a mut Events,
    pub(super) body: &'a mut Body,
    pub(super) cx: &'a mut Cx<'cx>,
}

impl Desk<'_, '_> {
    /// Whether another request may be sent now.
    pub(super) fn has_room(&self) -> bool {
        self.to_peer.room() > 0 && self.pending.tickets.len() < MAX_SPAN
    }

    /// Sends a request.
    pub(super) fn send(&mut self, packet: Packet, ticket: Ticket) {
        let id = self.pending.add(ticket);
        let bytes = packet.finish(id, 0);
        self.channel.say(self.to_peer, &bytes, self.cx);
    }

    /// Sends a request that ends with `body`, which is not copied.
    pub(super) fn send_body(&mut self, packet: Packet, body: Vec<Buf>, ticket: Ticket) {
        let id = self.pending.add(ticket);
        let len = body.iter().map(|piece| piece.len()).sum();
        let head = packet.finish(id, len);
        self.channel.say_framed(self.to_peer, &head, body, self.cx);
    }

    /// An extension that the job cannot do without.
    pub(super) fn needs(&self, extension: Extension) -> Result<(), Fault> {
        if self.server.has(extension) {
            return Ok(());
        }
        let name = crate::escape::Escaped(extension.name());
        let what = format!("the server does not have the extension {name}");
        Err(Fault::new(
            Culprit::PeerIncompatible,
            Reason::Unsupported,
            what,
        ))
    }

    /// Emits what a job has found.
    pub(super) fn emit(&mut self, event: Event) {
        self.events.emit(event);
    }
}
