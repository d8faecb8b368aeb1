//! The C functions and the Rust interface below them, doing the same with the same scripted peer: what
//! the C interface itself costs.

use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::time::{Instant, SystemTime};

use sockless::{Config, Event, Op, OpKind, Output, Request, Session};
use sockless_capi::engine::{Engine, sockless_engine_close, sockless_engine_open};
use sockless_capi::event::EventKind;
use sockless_capi::operation::{Operation, OperationKind, sockless_engine_complete};
use sockless_capi::poll::{self, OutputKind, sockless_engine_poll};
use sockless_capi::request::{
    RequestText, sockless_request_new, sockless_request_set_text, sockless_request_start,
};

use super::Task;
use crate::measure::{self, Figures};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: script\r\nContent-Length: 32\r\n\r\n0123456789abcdef0123456789abcdef";
const URL: &str = "http://127.0.0.1:80/";

pub(super) fn run(work: &str, task: &Task) -> io::Result<Figures> {
    match work {
        "c" => measured(task, &mut InC::new()?),
        "rust" => measured(task, &mut InRust::new()?),
        _ => Err(super::unknown(work)),
    }
}

/// A program that does so many requests, one after the other on each connection.
trait Program {
    fn requests(&mut self, count: usize, at_once: usize) -> io::Result<()>;
}

fn measured(task: &Task, program: &mut dyn Program) -> io::Result<Figures> {
    program.requests(1000, task.connections)?;
    let (began, before) = (Instant::now(), measure::cpu_seconds(libc::RUSAGE_SELF));
    program.requests(task.count, task.connections)?;
    let cpu = measure::cpu_seconds(libc::RUSAGE_SELF) - before;
    let mut figures = Figures::new();
    figures.insert("nanoseconds".to_owned(), cpu * 1e9 / task.count as f64);
    figures.insert("wall".to_owned(), began.elapsed().as_secs_f64());
    Ok(figures)
}

/// Who waits for an answer, by connection.
struct Peer<T> {
    waiting: Vec<Option<T>>,
    asked: Vec<bool>,
    done: VecDeque<(T, usize)>,
}

impl<T> Peer<T> {
    fn new() -> Self {
        Self {
            waiting: Vec::new(),
            asked: Vec::new(),
            done: VecDeque::new(),
        }
    }

    fn reach(&mut self, slot: usize) {
        if self.waiting.len() <= slot {
            self.waiting.resize_with(slot + 1, || None);
            self.asked.resize(slot + 1, false);
        }
    }

    /// `fill` puts the answer where the receive wants it.
    fn receives(&mut self, slot: usize, op: T, fill: impl FnOnce(&mut T)) {
        self.reach(slot);
        self.waiting[slot] = Some(op);
        self.answer(slot, fill);
    }

    fn sends(&mut self, slot: usize, op: T, length: usize, fill: impl FnOnce(&mut T)) {
        self.reach(slot);
        self.asked[slot] = true;
        self.done.push_back((op, length));
        self.answer(slot, fill);
    }

    fn answer(&mut self, slot: usize, fill: impl FnOnce(&mut T)) {
        if !self.asked[slot] {
            return;
        }
        if let Some(mut op) = self.waiting[slot].take() {
            self.asked[slot] = false;
            fill(&mut op);
            self.done.push_back((op, ANSWER.len()));
        }
    }
}

struct InRust {
    session: Session,
    peer: Peer<Op>,
}

impl InRust {
    fn new() -> io::Result<Self> {
        let session = Session::new(Config::default(), Instant::now(), SystemTime::now(), 1);
        Ok(Self {
            session: session.map_err(io::Error::other)?,
            peer: Peer::new(),
        })
    }

    fn submit(&mut self, op: Op) {
        let slot = op.conn.slot();
        let pool = self.session.pool();
        let fill = |op: &mut Op| {
            if let OpKind::Recv { buf, .. } = &mut op.kind {
                let buf = buf.get_or_insert_with(|| pool.take(16 * 1024));
                buf.spare_mut()[..ANSWER.len()].copy_from_slice(ANSWER);
            }
        };
        match &op.kind {
            OpKind::Recv { .. } => self.peer.receives(slot, op, fill),
            OpKind::Send { bufs } => {
                let length = bufs.iter().map(|buf| buf.len()).sum();
                self.peer.sends(slot, op, length, fill);
            }
            _ => self.peer.done.push_back((op, 0)),
        }
    }
}

impl Program for InRust {
    fn requests(&mut self, count: usize, at_once: usize) -> io::Result<()> {
        let request = Request::get(URL).map_err(io::Error::other)?;
        let (mut left, mut active) = (count, 0);
        while left > 0 || active > 0 {
            let now = Instant::now();
            while active < at_once && left > 0 {
                (left, active) = (left - 1, active + 1);
                let started = self.session.start(now, request.clone());
                started.map_err(io::Error::other)?;
            }
            loop {
                match self.session.poll(now) {
                    Output::Submit(op) => self.submit(op),
                    Output::Event(_, Event::Done { outcome, .. }) => {
                        outcome.map_err(io::Error::other)?;
                        active -= 1;
                    }
                    Output::Wait(_) => break,
                    _ => {}
                }
            }
            while let Some((op, length)) = self.peer.done.pop_front() {
                self.session.complete(now, op, Ok(length));
            }
        }
        Ok(())
    }
}

struct InC {
    engine: Box<Engine>,
    request: u64,
    start: Instant,
    peer: Peer<Operation>,
}

impl InC {
    fn new() -> io::Result<Self> {
        let mut engine = Box::new(Engine { opaque: [0; 8] });
        let mut request = 0;
        // SAFETY: storage of this function's, which stays where it is.
        let status = unsafe {
            let engine = &raw mut *engine;
            sockless_engine_open(engine, 1, 1_700_000_000, 1);
            sockless_request_new(engine, &raw mut request);
            let (url, option) = (URL.as_ptr().cast(), RequestText::Url as u32);
            sockless_request_set_text(engine, request, option, url, URL.len())
        };
        done(status)?;
        Ok(Self {
            engine,
            request,
            start: Instant::now(),
            peer: Peer::new(),
        })
    }

    fn submit(&mut self, operation: Operation) {
        let slot = operation.slot as usize;
        let fill = |operation: &mut Operation| {
            // SAFETY: the operation's own room, which is larger than the answer.
            unsafe {
                let room = *operation.buffers;
                room.data
                    .cast::<u8>()
                    .copy_from(ANSWER.as_ptr(), ANSWER.len());
            }
        };
        match operation.kind {
            kind if kind == OperationKind::Receive as u32 => {
                self.peer.receives(slot, operation, fill);
            }
            kind if kind == OperationKind::Send as u32 => {
                // SAFETY: the operation's own buffers.
                let pieces = unsafe {
                    core::slice::from_raw_parts(operation.buffers, operation.buffer_count)
                };
                let length = pieces.iter().map(|piece| piece.length).sum();
                self.peer.sends(slot, operation, length, fill);
            }
            _ => self.peer.done.push_back((operation, 0)),
        }
    }
}

impl Program for InC {
    fn requests(&mut self, count: usize, at_once: usize) -> io::Result<()> {
        let engine = &raw mut *self.engine;
        let mut output = MaybeUninit::<poll::Output>::zeroed();
        let (mut left, mut active, mut transfer) = (count, 0, 0);
        while left > 0 || active > 0 {
            let now = 1 + self.start.elapsed().as_nanos() as u64;
            while active < at_once && left > 0 {
                (left, active) = (left - 1, active + 1);
                let user = core::ptr::null_mut();
                // SAFETY: storage of this program's.
                done(unsafe {
                    sockless_request_start(engine, now, self.request, user, &raw mut transfer)
                })?;
            }
            loop {
                // SAFETY: storage of this program's; all of it is initialized, with zeroes at least.
                let next = unsafe {
                    done(sockless_engine_poll(engine, now, output.as_mut_ptr()))?;
                    output.assume_init_ref()
                };
                if next.kind == OutputKind::Submit as u32 {
                    let operation = next.operation;
                    self.submit(operation);
                } else if next.kind == OutputKind::Event as u32 {
                    let ended = next.event.kind == EventKind::Done as u32;
                    if ended && !next.event.error.is_null() {
                        return Err(io::Error::other("a request failed"));
                    }
                    active -= usize::from(ended);
                } else if next.kind == OutputKind::Wait as u32 {
                    break;
                }
            }
            while let Some((operation, length)) = self.peer.done.pop_front() {
                // SAFETY: storage of this program's.
                done(unsafe { sockless_engine_complete(engine, operation.id, length as i64) })?;
            }
        }
        Ok(())
    }
}

impl Drop for InC {
    fn drop(&mut self) {
        // SAFETY: storage of this program's; what is in flight stays allocated, as the process ends.
        unsafe { sockless_engine_close(&raw mut *self.engine) };
    }
}

pub(super) fn done(status: i32) -> io::Result<()> {
    match status {
        0.. => Ok(()),
        _ => Err(io::Error::other(format!("status {status}"))),
    }
}
