//! An engine behind its storage: a session, and everything that has a handle.

use core::ffi::c_void;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use sockless::{Answer, Config, Error, Event, Pool, Session, TransferId};
use zeroize::Zeroizing;

use crate::Status;
use crate::allocator::Hooked;
use crate::error::Held;
use crate::event::{Current, Open};
use crate::handles::{Kind, Table, mixed};
use crate::operation::Flights;
use crate::request::Draft;
use crate::{kerberos, ssh, tls};

/// Why a call does not do what it was asked to.
pub(crate) enum Refusal {
    /// The status says it.
    Status(Status),
    /// [`Status::Order`], and why.
    Order(&'static str),
    /// [`Status::Refused`], and sockless' own error.
    Sockless(Error),
}

impl Refusal {
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Status(status) => *status,
            Self::Order(_) => Status::Order,
            Self::Sockless(_) => Status::Refused,
        }
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Sockless(error)
    }
}

pub(crate) struct Inner {
    pub(crate) stage: Stage,
    pub(crate) clock: Clock,
    wall: SystemTime,
    seed: u64,
    /// An earlier call panicked.
    pub(crate) poisoned: bool,
    /// The last failure.
    pub(crate) last: Option<Held>,
    pub(crate) flights: Flights,
    pub(crate) transfers: Transfers,
    pub(crate) requests: Table<Box<Draft>>,
    pub(crate) tls: Table<tls::Settings>,
    pub(crate) ssh: Table<ssh::Settings>,
    pub(crate) kerberos: Table<Box<kerberos::Settings>>,
    pub(crate) questions: Table<Open>,
    pub(crate) kept: Table<Kept>,
    /// What the program was told last.
    pub(crate) current: Current,
    pub(crate) settings: EngineSettings,
}

/// An engine's life.
pub(crate) enum Stage {
    /// Its options may still be set.
    Draft,
    /// It has begun.
    Running(Box<Session>),
    /// It is closed, and something is still to be brought back.
    Closing,
}

/// What can be set of an engine.
#[derive(Default)]
pub(crate) struct EngineSettings {
    pub(crate) config: Config,
    pub(crate) allocator: Option<Hooked>,
    /// Receives whose memory the driver may choose come without.
    pub(crate) lazy_buffers: bool,
}

/// The program's clock, in nanoseconds, and the session's.
pub(crate) struct Clock {
    /// What the program's clock showed when it opened the engine.
    start: u64,
    origin: Instant,
}

impl Clock {
    #[allow(
        clippy::disallowed_methods,
        reason = "there is no other way to make an Instant; which one it is shows nowhere"
    )]
    fn new(start: u64) -> Self {
        let origin = Instant::now();
        Self { start, origin }
    }

    /// Any time that has passed.
    pub(crate) fn origin(&self) -> Instant {
        self.origin
    }

    pub(crate) fn instant(&self, now: u64) -> Instant {
        let passed = Duration::from_nanos(now.saturating_sub(self.start));
        self.origin.checked_add(passed).unwrap_or(self.origin)
    }

    pub(crate) fn number(&self, instant: Instant) -> u64 {
        let passed = instant.saturating_duration_since(self.origin).as_nanos();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        // The largest number means never.
        self.start.saturating_add(passed).min(u64::MAX - 1)
    }
}

/// Transfers by handle and by the session's id.
pub(crate) struct Transfers {
    pub(crate) table: Table<Transfer>,
    by_id: BTreeMap<TransferId, u64>,
}

/// A transfer as this interface sees it.
pub(crate) struct Transfer {
    pub(crate) id: TransferId,
    pub(crate) user: *mut c_void,
    /// A body from memory that the session does not feed itself.
    pub(crate) feed: Option<Feed>,
    /// Its questions without an answer.
    questions: Vec<u64>,
}

impl Transfer {
    pub(crate) fn new(id: TransferId, user: *mut c_void, body: Option<Arc<[u8]>>) -> Self {
        let feed = body.map(|bytes| Feed { bytes, at: 0 });
        Self {
            id,
            user,
            feed,
            questions: Vec::new(),
        }
    }
}

/// Body, and how much of it has been given.
pub(crate) struct Feed {
    bytes: Arc<[u8]>,
    at: usize,
}

/// Pieces of a body from memory.
const PIECE: usize = 64 * 1024;

/// What the program keeps.
pub(crate) enum Kept {
    Data(sockless::Buf),
    /// Wiped when it is given back; C alone reads it.
    Secret {
        _bytes: Zeroizing<Vec<u8>>,
    },
}

impl Transfers {
    fn new(tag: u16) -> Self {
        Self {
            table: Table::new(Kind::Transfer, tag),
            by_id: BTreeMap::new(),
        }
    }

    pub(crate) fn insert(&mut self, transfer: Transfer) -> Result<u64, Status> {
        let id = transfer.id;
        let handle = self.table.insert(transfer).map_err(|(status, _)| status)?;
        self.by_id.insert(id, handle);
        Ok(handle)
    }

    /// Handle and user pointer of the transfer that an event is about.
    pub(crate) fn of(&mut self, id: TransferId) -> Option<(u64, *mut c_void)> {
        let handle = *self.by_id.get(&id)?;
        let user = self.table.find(handle).ok()?.user;
        Some((handle, user))
    }

    fn find(&mut self, id: TransferId) -> Option<&mut Transfer> {
        self.table.find(*self.by_id.get(&id)?).ok()
    }

    /// A question has its answer.
    pub(crate) fn answered(&mut self, id: TransferId, question: u64) {
        if let Some(transfer) = self.find(id) {
            transfer.questions.retain(|have| *have != question);
        }
    }

    /// Gives the questions that nobody has answered.
    fn ended(&mut self, id: TransferId) -> Vec<u64> {
        let handle = self.by_id.remove(&id);
        // It is there: both are filled and emptied together.
        let transfer = handle.and_then(|handle| self.table.take(handle).ok());
        transfer.map_or_else(Vec::new, |transfer| transfer.questions)
    }
}

impl Inner {
    /// `place` is the storage's address.
    pub(crate) fn new(place: usize, now: u64, wall: i64, seed: u64) -> Self {
        let tag = mixed(seed ^ mixed(place as u64)) as u16;
        let seconds = Duration::from_secs(wall.unsigned_abs());
        let epoch = SystemTime::UNIX_EPOCH;
        let wall = match wall >= 0 {
            true => epoch.checked_add(seconds),
            false => epoch.checked_sub(seconds),
        };
        Self {
            stage: Stage::Draft,
            clock: Clock::new(now),
            wall: wall.unwrap_or(epoch),
            seed,
            poisoned: false,
            last: None,
            flights: Flights::new(tag),
            transfers: Transfers::new(tag),
            requests: Table::new(Kind::Request, tag),
            tls: Table::new(Kind::Tls, tag),
            ssh: Table::new(Kind::Ssh, tag),
            kerberos: Table::new(Kind::Kerberos, tag),
            questions: Table::new(Kind::Question, tag),
            kept: Table::new(Kind::Kept, tag),
            current: Current::default(),
            settings: EngineSettings::default(),
        }
    }

    /// The session, which begins with the first call that needs it.
    pub(crate) fn session(&mut self) -> Result<&mut Session, Refusal> {
        if matches!(self.stage, Stage::Draft) {
            let mut config = self.settings.config.clone();
            if let Some(hooks) = self.settings.allocator.take() {
                let kept = config.limits.pooled_memory;
                config.pool = Some(Pool::over(kept, Arc::new(hooks)));
            }
            let session = Session::new(config, self.clock.origin, self.wall, self.seed)?;
            self.stage = Stage::Running(Box::new(session));
        }
        match &mut self.stage {
            Stage::Running(session) => Ok(session),
            _ => Err(Status::Closed.into()),
        }
    }

    /// What can be set of the engine, as long as it can.
    pub(crate) fn settings(&mut self) -> Result<&mut EngineSettings, Refusal> {
        match self.stage {
            Stage::Draft => Ok(&mut self.settings),
            _ => Err(Refusal::Order(
                "the engine has begun: its options come before the first transfer and poll",
            )),
        }
    }

    /// A transfer is over, and with it its questions.
    pub(crate) fn ended(&mut self, id: TransferId) {
        for question in self.transfers.ended(id) {
            // It is there until it is answered, and then it is not among them.
            let _ = self.questions.take(question);
        }
    }

    /// Gives a question a handle; `None`: nobody here can answer it, and the layer is told so.
    pub(crate) fn asked(&mut self, id: TransferId, question: &sockless::Question) -> Option<u64> {
        let handle = Open::of(id, question).and_then(|open| self.questions.insert(open).ok());
        if let (Some(handle), Some(transfer)) = (handle, self.transfers.find(id)) {
            transfer.questions.push(handle);
            return Some(handle);
        }
        let answer = Answer::None("the program cannot be asked that".into());
        if let Ok(session) = self.session() {
            // Fails only where nobody waits.
            let _ = session.answer(id, question.id, answer);
        }
        None
    }

    /// Feeds a body from memory; whether the event concerns nobody else.
    pub(crate) fn feed(&mut self, id: TransferId, event: &Event) -> Result<bool, Refusal> {
        let Some(feed) = self.transfers.find(id).and_then(|one| one.feed.as_mut()) else {
            return Ok(false);
        };
        match event {
            Event::ResumeAt(offset) => {
                feed.at = usize::try_from(*offset)
                    .map_or(feed.bytes.len(), |at| at.min(feed.bytes.len()));
                return Ok(false);
            }
            Event::RewindBody => feed.at = 0,
            Event::WantBody { .. } => {
                let rest = &feed.bytes[feed.at..];
                let step = &rest[..rest.len().min(PIECE)];
                let is_last = step.len() == rest.len();
                let Stage::Running(session) = &mut self.stage else {
                    return Ok(true);
                };
                if !step.is_empty() {
                    let mut piece = session.pool().take(step.len());
                    piece.extend_from_slice(step);
                    feed.at += step.len();
                    session.send_body(id, piece).map_err(|(error, _)| error)?;
                }
                if is_last {
                    session.finish_body(id)?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether the program has to bring something back.
    pub(crate) fn owes(&self) -> bool {
        !self.flights.is_empty() || !self.kept.is_empty()
    }

    /// Drops everything that is not in the program's hands.
    pub(crate) fn shut(&mut self) {
        self.current = Current::default();
        self.stage = Stage::Closing;
        self.requests = Table::new(Kind::Request, 0);
        self.tls = Table::new(Kind::Tls, 0);
        self.ssh = Table::new(Kind::Ssh, 0);
        self.kerberos = Table::new(Kind::Kerberos, 0);
        self.questions = Table::new(Kind::Question, 0);
        self.transfers = Transfers::new(0);
        self.settings = EngineSettings::default();
    }
}
