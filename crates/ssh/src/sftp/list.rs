//! What is in a directory.

use sockless_core::{Attributes, Buf, Culprit, Entry, Event, Fault, Reason};

use super::desk::{Desk, Reply, Step, Ticket};
use super::job::Job;
use super::wire::{CLOSE, Fields, OPENDIR, Packet, READDIR, Status, malformed};
use crate::escape::Escaped;

/// A directory to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    path: Vec<u8>,
    form: Form,
    at_most: u64,
}

/// How a listing is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// As [`Event::Data`]: the server's own line for each entry, as `ls -l` prints it.
    Long,
    /// As [`Event::Data`]: a line with the name of each entry. A name with a line end in it
    /// cannot be told from two names.
    Names,
    /// As [`Event::Entry`]: names, attributes, and the server's lines.
    Entries,
}

/// The most entries, unless another bound is given.
const AT_MOST: u64 = 10_000_000;

impl List {
    /// All entries of that directory, in the order in which the server has them.
    pub fn new(path: impl Into<Vec<u8>>, form: Form) -> Self {
        Self {
            path: path.into(),
            form,
            at_most: AT_MOST,
        }
    }

    /// Fails when there are more entries than that: a server can make up names for ever.
    /// Default 10,000,000.
    #[must_use]
    pub fn at_most(mut self, entries: u64) -> Self {
        self.at_most = entries;
        self
    }
}

/// `READDIR` requests in flight.
const AHEAD: usize = 4;

/// Lists a directory.
///
/// ```text
///   Start --OPENDIR--> Opening --> Reading --end--> Done (CLOSE is out)
///                                   ^   | READDIR, NAME
///                                   +---+
/// ```
pub(super) struct Listing {
    job: List,
    state: State,
    seen: u64,
}

enum State {
    Start,
    Opening,
    Reading {
        handle: Vec<u8>,
        in_flight: usize,
        /// The end was seen; answers to other requests may come behind it.
        ended: bool,
    },
    Done,
}

impl Listing {
    pub(super) fn new(job: List) -> Self {
        Self {
            job,
            state: State::Start,
            seen: 0,
        }
    }

    fn names(&mut self, body: &[u8], desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        let mut lines = Vec::new();
        let told = entries(body, |entry| {
            self.seen += 1;
            match self.job.form {
                Form::Long => {
                    lines.extend_from_slice(entry.line.as_deref().unwrap_or(&entry.path));
                    lines.push(b'\n');
                }
                Form::Names => {
                    lines.extend_from_slice(&entry.path);
                    lines.push(b'\n');
                }
                Form::Entries => desk.emit(Event::Entry(Box::new(entry))),
            }
        });
        if self.seen > self.job.at_most {
            let path = Escaped(&self.job.path);
            let what = format!("{path} has more than {} entries", self.job.at_most);
            return Err(Fault::new(Culprit::Limit, Reason::BodyTooLarge, what));
        }
        desk.events.data(Buf::from(lines));
        told
    }

    fn status(&mut self, step: Step, status: &Status) -> Result<(), Fault> {
        match (step, &mut self.state) {
            (Step::Close, _) => Ok(()),
            (
                Step::Directory,
                State::Reading {
                    in_flight, ended, ..
                },
            ) if status.is_end() => {
                *in_flight -= 1;
                *ended = true;
                Ok(())
            }
            _ => Err(status.fault(&format!("listing {}", Escaped(&self.job.path)))),
        }
    }
}

impl Job for Listing {
    fn advance(&mut self, desk: &mut Desk<'_, '_>) -> Result<(), Fault> {
        match &mut self.state {
            State::Start if desk.has_room() => {
                desk.send(
                    Packet::new(OPENDIR).string(&self.job.path),
                    Step::Open.ticket(),
                );
                self.state = State::Opening;
            }
            State::Reading {
                handle,
                in_flight,
                ended: false,
            } => {
                while *in_flight < AHEAD && desk.has_room() && desk.events.room() > 0 {
                    desk.send(
                        Packet::new(READDIR).string(handle),
                        Step::Directory.ticket(),
                    );
                    *in_flight += 1;
                }
            }
            State::Reading {
                handle,
                in_flight: 0,
                ended: true,
            } if desk.has_room() => {
                desk.send(Packet::new(CLOSE).string(handle), Step::Close.ticket());
                self.state = State::Done;
            }
            _ => {}
        }
        Ok(())
    }

    fn reply(
        &mut self,
        ticket: Ticket,
        reply: Reply,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), Fault> {
        match (ticket.step, reply, &mut self.state) {
            (step, Reply::Status(status), _) => self.status(step, &status),
            (Step::Open, Reply::Handle(handle), State::Opening) => {
                self.state = State::Reading {
                    handle,
                    in_flight: 0,
                    ended: false,
                };
                Ok(())
            }
            (Step::Directory, Reply::Names(body), State::Reading { in_flight, .. }) => {
                *in_flight -= 1;
                self.names(&body, desk)
            }
            (_, reply, _) => Err(reply.misplaced()),
        }
    }

    fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }
}

/// The entries in a `NAME` packet (draft section 7).
pub(super) fn entries(body: &[u8], mut each: impl FnMut(Entry)) -> Result<(), Fault> {
    let mut fields = Fields::new(body);
    let count = fields.u32()?;
    if count == 0 {
        return Err(malformed("a list without entries"));
    }
    for _ in 0..count {
        let path = fields.string()?.to_vec();
        let line = fields.string()?.to_vec();
        let attributes: Attributes = fields.attributes()?;
        each(Entry {
            path,
            kind: attributes.kind(),
            attributes,
            line: (!line.is_empty()).then_some(line),
        });
    }
    Ok(())
}
