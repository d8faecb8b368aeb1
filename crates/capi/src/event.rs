//! Events: what happened to a transfer, and how long what they show is valid.

use core::ffi::{c_char, c_void};

use sockless::core::Exit;
use sockless::{Event as From, Fields, Note};

use crate::Status;
use crate::engine::{Engine, Use, enter, enter_for};
use crate::error::{Error, Held};
use crate::inner::{Inner, Kept, Refusal};
use crate::input;
use crate::poll::NEVER;

mod entry;
mod question;

pub use entry::{Entry, EntryKind, ExitKind, FileSystem};
pub(crate) use question::Open;
pub use question::{
    Prompt, Question, QuestionKind, sockless_question_answer, sockless_question_confirm,
    sockless_question_decline,
};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EventKind {
    /// A tunnel is open: bytes may pass both ways.
    Open = 1,
    /// An interim answer (HTTP 1xx): `code`, fields, `data` is the head as it came.
    Interim = 2,
    /// The answer's head: `code`, fields, `body_length`, `data` is the head as it came.
    Head = 3,
    /// The transfer goes elsewhere: `data` is the URL, `code`, fields.
    Redirect = 4,
    /// The request is sent again with credentials: `code`, fields.
    Challenged = 5,
    /// A piece of the body, or of what a tunnel's peer sends: `data`.
    Data = 6,
    /// Fields after the body.
    Trailers = 7,
    /// A tunnel's peer sends nothing more.
    PeerFinished = 8,
    /// Body is wanted: `sockless_transfer_send` or `sockless_transfer_finish`, now or
    /// later; it is not asked for again before. `room` can be taken at once.
    WantBody = 9,
    /// The body has to be sent again from its beginning.
    RewindBody = 10,
    /// A step of the transfer in words: `data`.
    Note = 11,
    /// The end: `error` is NULL if it is a good one, and `summary`. The handle is void.
    Done = 12,
    /// A layer wants to know something: `asked`. The transfer waits for the answer, now or later; its
    /// timeouts but the total one stand still.
    Asked = 13,
    /// A piece of what a command wrote to its standard error: `data`.
    Stderr = 14,
    /// A file or directory at the peer: `entry`. In a transfer of files, Data up to the next EntryDone is
    /// what is in it.
    Entry = 15,
    /// The last entry is complete if `error` is NULL; in transfers of many files, which go on after
    /// one of them has failed.
    EntryDone = 16,
    /// The room on a file system: `file_system`.
    FileSystem = 17,
    /// A command has ended: `exit`, and `code`, or the signal's name without `SIG` as `data`.
    Exited = 18,
    /// The peer has `offset` bytes of the body already: the first one that is asked for is behind them.
    ResumeAt = 19,
}

/// An event. What it points to is valid until the next `sockless_engine_poll` or
/// `sockless_engine_close` of the engine; fields that its kind does not name mean nothing.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Event {
    /// The transfer's handle.
    pub transfer: u64,
    /// What was given to `sockless_request_start`.
    pub user: *mut c_void,
    /// What happened (`sockless_event_kind`).
    pub kind: u32,
    /// The status code of an answer, or a command's exit code.
    pub code: u32,
    /// Bytes of the event; no NUL follows.
    pub data: *const c_void,
    /// How many.
    pub length: usize,
    /// Header fields: `sockless_event_field` shows them.
    pub field_count: usize,
    /// The length of the body that follows; `SOCKLESS_NEVER`: it is not known.
    pub body_length: u64,
    /// Bytes of body that can be taken at once.
    pub room: usize,
    /// How it failed, or NULL.
    pub error: *const Error,
    /// What it took.
    pub summary: *const Summary,
    /// A question.
    pub asked: *const Question,
    /// A file or directory.
    pub entry: *const Entry,
    /// The room on a file system.
    pub file_system: *const FileSystem,
    /// Bytes that are there.
    pub offset: u64,
    /// How a command ended (`sockless_exit_kind`).
    pub exit: u32,
    /// Nothing.
    pub reserved: u32,
}

/// What a transfer took. Times in nanoseconds since it was started; `SOCKLESS_NEVER`: it did not
/// get there.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Summary {
    /// The name was resolved.
    pub resolved: u64,
    /// The socket was connected.
    pub connected: u64,
    /// All security handshakes were done.
    pub secured: u64,
    /// The request began to be sent.
    pub started: u64,
    /// The first byte of the answer was there.
    pub first_byte: u64,
    /// The end.
    pub total: u64,
    /// Bytes of request body sent.
    pub body_sent: u64,
    /// Bytes of body delivered.
    pub body_received: u64,
    /// New connections made.
    pub connects: u32,
    /// Redirects followed.
    pub redirects: u32,
    /// 1: a kept connection was used.
    pub reused: u32,
    /// Nothing.
    pub reserved: u32,
}

/// What the program was told last, which owns what the event points to.
#[derive(Default)]
pub(crate) struct Current {
    event: Option<From>,
    error: Option<Box<Held>>,
    summary: Box<Summary>,
    asked: question::Shown,
    entry: Option<Box<Entry>>,
    file_system: Option<Box<FileSystem>>,
}

impl Current {
    /// Shows an event; `None`: it means nothing to C. `question` is the handle of a question.
    pub(crate) fn show(&mut self, event: From, question: u64) -> Option<Event> {
        let mut shown = Event {
            transfer: 0,
            user: core::ptr::null_mut(),
            kind: 0,
            code: 0,
            data: core::ptr::null(),
            length: 0,
            field_count: 0,
            body_length: NEVER,
            room: 0,
            error: core::ptr::null(),
            summary: core::ptr::null(),
            asked: core::ptr::null(),
            entry: core::ptr::null(),
            file_system: core::ptr::null(),
            offset: 0,
            exit: 0,
            reserved: 0,
        };
        let kind = match &event {
            From::Asked(asked) => {
                shown.asked = self.asked.show(question, &asked.ask)?;
                EventKind::Asked
            }
            event => match self.fill(&mut shown, event) {
                Some(kind) => kind,
                None => self.fill_remote(&mut shown, event)?,
            },
        };
        shown.kind = kind as u32;
        // What the event points to is on the heap, and does not move with it.
        self.event = Some(event);
        Some(shown)
    }

    pub(crate) fn clear(&mut self) {
        (self.event, self.error) = (None, None);
        (self.entry, self.file_system) = (None, None);
        self.asked.clear();
    }

    fn fill(&mut self, shown: &mut Event, event: &From) -> Option<EventKind> {
        let head = |shown: &mut Event, head: &sockless::Head| {
            shown.code = u32::from(head.code);
            shown.body_length = head.body_length.unwrap_or(NEVER);
            shown.field_count = head.fields.len();
            shown.bytes(head.fields.raw());
        };
        Some(match event {
            From::Open => EventKind::Open,
            From::Interim(interim) => {
                head(shown, interim);
                EventKind::Interim
            }
            From::Head(answer) => {
                head(shown, answer);
                EventKind::Head
            }
            From::Redirect {
                head: answer,
                location,
            } => {
                head(shown, answer);
                shown.bytes(location.as_bytes());
                EventKind::Redirect
            }
            From::Challenged { head: answer } => {
                head(shown, answer);
                EventKind::Challenged
            }
            From::Data(piece) => {
                shown.bytes(piece);
                EventKind::Data
            }
            From::Trailers(fields) => {
                shown.field_count = fields.len();
                EventKind::Trailers
            }
            From::PeerFinished => EventKind::PeerFinished,
            From::WantBody { room } => {
                shown.room = *room;
                EventKind::WantBody
            }
            From::RewindBody => EventKind::RewindBody,
            From::Note(Note::Info { text, .. }) => {
                shown.bytes(text.as_bytes());
                EventKind::Note
            }
            From::Done { outcome, summary } => {
                self.done(shown, outcome, summary);
                EventKind::Done
            }
            // What is on servers; copies of bytes that crossed the seam, and what later versions tell.
            _ => return None,
        })
    }

    /// What is on servers.
    fn fill_remote(&mut self, shown: &mut Event, event: &From) -> Option<EventKind> {
        Some(match event {
            From::Stderr(piece) => {
                shown.bytes(piece);
                EventKind::Stderr
            }
            From::Entry(entry) => {
                shown.entry = &raw const **self.entry.insert(Box::new(Entry::of(entry)));
                EventKind::Entry
            }
            From::EntryDone(outcome) => {
                if let Err(error) = outcome {
                    shown.error = self.error.insert(Box::new(Held::of(error))).as_ptr();
                }
                EventKind::EntryDone
            }
            From::FileSystem(room) => {
                let room = Box::new(FileSystem::of(room));
                shown.file_system = &raw const **self.file_system.insert(room);
                EventKind::FileSystem
            }
            From::Exited(exit) => {
                shown.exit = match exit {
                    Exit::Code(code) => {
                        shown.code = *code;
                        ExitKind::Code
                    }
                    Exit::Signal(name) => {
                        shown.bytes(name);
                        ExitKind::Signal
                    }
                    Exit::Unknown => ExitKind::Unknown,
                } as u32;
                EventKind::Exited
            }
            From::ResumeAt(offset) => {
                shown.offset = *offset;
                EventKind::ResumeAt
            }
            _ => return None,
        })
    }

    fn done(
        &mut self,
        shown: &mut Event,
        outcome: &Result<(), sockless::Error>,
        summary: &sockless::Summary,
    ) {
        *self.summary = summed(summary);
        shown.summary = &raw const *self.summary;
        if let Err(error) = outcome {
            shown.error = self.error.insert(Box::new(Held::of(error))).as_ptr();
        }
    }

    fn fields(&self) -> Option<&Fields> {
        match self.event.as_ref()? {
            From::Interim(head) | From::Head(head) => Some(&head.fields),
            From::Redirect { head, .. } | From::Challenged { head } => Some(&head.fields),
            From::Trailers(fields) => Some(fields),
            _ => None,
        }
    }
}

impl Event {
    fn bytes(&mut self, bytes: &[u8]) {
        (self.data, self.length) = (bytes.as_ptr().cast(), bytes.len());
    }
}

fn summed(from: &sockless::Summary) -> Summary {
    let nanos = |time: core::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(NEVER - 1);
    let time = |time: Option<core::time::Duration>| time.map_or(NEVER, nanos);
    Summary {
        resolved: time(from.resolved),
        connected: time(from.connected),
        secured: time(from.secured),
        started: time(from.started),
        first_byte: time(from.first_byte),
        total: nanos(from.total),
        body_sent: from.body_sent,
        body_received: from.body_received,
        connects: from.connects,
        redirects: from.redirects,
        reused: u32::from(from.reused),
        reserved: 0,
    }
}

/// A header field, as it came. No NUL follows.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Field {
    /// Its name.
    pub name: *const c_char,
    /// Bytes of the name.
    pub name_length: usize,
    /// Its value.
    pub value: *const c_char,
    /// Bytes of the value.
    pub value_length: usize,
}

/// Shows the header field of that index in the event of the last poll; valid as long as the
/// event is. The thread that uses the engine.
///
/// `SOCKLESS_STATUS_INDEX`: the event has fewer fields, or none.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `field` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_event_field(
    engine: *mut Engine,
    index: usize,
    field: *mut Field,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let place = input::place(field)?;
            let fields = inner.current.fields().ok_or(Status::Index)?;
            let (name, value) = fields.iter().nth(index).ok_or(Status::Index)?;
            place.put(Field {
                name: name.as_ptr().cast(),
                name_length: name.len(),
                value: value.as_ptr().cast(),
                value_length: value.len(),
            });
            Ok(())
        })
    }
}

/// Keeps the data of the Data event of the last poll beyond its time, without a copy: what it
/// points to stays valid until `sockless_data_release`. The thread that uses the engine.
///
/// `SOCKLESS_STATUS_ORDER`: the last poll gave no data, or they are kept already.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `kept` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_event_keep(engine: *mut Engine, kept: *mut u64) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let place = input::place(kept)?;
            let Inner { current, kept, .. } = inner;
            let Some(From::Data(_)) = current.event else {
                return Err(Refusal::Order(
                    "the last poll gave no data, or they are kept",
                ));
            };
            if let Some(From::Data(piece)) = current.event.take() {
                match kept.insert(Kept::Data(piece)) {
                    Ok(handle) => place.put(handle),
                    Err((status, kept)) => {
                        if let Kept::Data(piece) = kept {
                            current.event = Some(From::Data(piece));
                        }
                        return Err(status.into());
                    }
                }
            }
            Ok(())
        })
    }
}

/// Gives kept data back. Works with poisoned and with closed engines. The thread that uses the
/// engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_data_release(engine: *mut Engine, kept: u64) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter_for(engine, Use::GiveBack, |inner| {
            drop(inner.kept.take(kept)?);
            Ok(())
        })
    }
}
