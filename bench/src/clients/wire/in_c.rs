//! The C functions, called as a program in C calls them.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sockless_capi::engine::{
    Engine, EngineOption, sockless_engine_close, sockless_engine_open, sockless_engine_set_number,
};
use sockless_capi::event::EventKind;
use sockless_capi::operation::{Operation, OperationKind, sockless_engine_complete};
use sockless_capi::poll::{self, NEVER, OutputKind, sockless_engine_poll};
use sockless_capi::request::{
    RequestText, sockless_request_new, sockless_request_set_text, sockless_request_start,
};
use sockless_capi::tls::{
    TlsText, sockless_engine_set_tls, sockless_tls_new, sockless_tls_set_text,
};

use super::{Interface, Next, Wanted};
use crate::clients::Task;
use crate::clients::abi::done;

pub(super) struct InC {
    engine: Box<Engine>,
    request: u64,
    origin: Instant,
    output: Box<MaybeUninit<poll::Output>>,
}

impl InC {
    pub(super) fn new(task: &Task) -> io::Result<Self> {
        let mut engine = Box::new(Engine { opaque: [0; 8] });
        let mut request = 0;
        let place = &raw mut *engine;
        let connections = task.connections.max(1) as u64;
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let wall = wall.map_err(io::Error::other)?.as_secs();
        // SAFETY: storage of this function's, which stays where it is.
        unsafe {
            done(sockless_engine_open(place, 1, wall as i64, 1))?;
            for (option, number) in [
                (EngineOption::Connections, connections),
                (EngineOption::IdleConnections, connections),
                (EngineOption::MaxMin, task.min as u64),
            ] {
                if number > 0 {
                    done(sockless_engine_set_number(place, option as u32, number))?;
                }
            }
            done(sockless_request_new(place, &raw mut request))?;
            let (url, option) = (&task.url, RequestText::Url as u32);
            let text = url.as_ptr().cast();
            done(sockless_request_set_text(
                place,
                request,
                option,
                text,
                url.len(),
            ))?;
        }
        let mut new = Self {
            engine,
            request,
            origin: Instant::now(),
            output: Box::new(MaybeUninit::zeroed()),
        };
        if task.is_tls() {
            new.trust(&std::fs::read(&task.ca)?)?;
        }
        Ok(new)
    }

    fn trust(&mut self, pem: &[u8]) -> io::Result<()> {
        let (engine, mut tls) = (&raw mut *self.engine, 0);
        // SAFETY: storage of this program's.
        unsafe {
            done(sockless_tls_new(engine, &raw mut tls))?;
            let (option, text) = (TlsText::CaPem as u32, pem.as_ptr().cast());
            done(sockless_tls_set_text(engine, tls, option, text, pem.len()))?;
            done(sockless_engine_set_tls(engine, tls))
        }
    }

    fn clock(&self, now: Instant) -> u64 {
        1 + (now - self.origin).as_nanos() as u64
    }
}

impl Interface for InC {
    type Op = Operation;

    fn start(&mut self, now: Instant) -> io::Result<()> {
        let (now, mut transfer) = (self.clock(now), 0);
        let user = core::ptr::null_mut();
        // SAFETY: storage of this program's.
        done(unsafe {
            let engine = &raw mut *self.engine;
            sockless_request_start(engine, now, self.request, user, &raw mut transfer)
        })
    }

    fn next(&mut self, now: Instant) -> io::Result<Next<Operation>> {
        let now = self.clock(now);
        // SAFETY: storage of this program's; all of it is initialized, with zeroes at least.
        let next = unsafe {
            let output = self.output.as_mut_ptr();
            done(sockless_engine_poll(&raw mut *self.engine, now, output))?;
            self.output.assume_init_ref()
        };
        Ok(match next.kind {
            kind if kind == OutputKind::Submit as u32 => Next::Submit(next.operation),
            kind if kind == OutputKind::Cancel as u32 => Next::Cancel(next.operation.id),
            kind if kind == OutputKind::Wait as u32 => Next::Wait(
                (next.deadline != NEVER)
                    .then(|| self.origin + Duration::from_nanos(next.deadline - 1)),
            ),
            _ if next.event.kind == EventKind::Data as u32 => Next::Data(next.event.length),
            _ if next.event.kind == EventKind::Done as u32 => match next.event.error.is_null() {
                true => Next::Done,
                false => {
                    // SAFETY: it is not null, and valid until the next poll.
                    let text = unsafe { CStr::from_ptr((*next.event.error).text) };
                    return Err(io::Error::other(text.to_string_lossy().into_owned()));
                }
            },
            _ => Next::Other,
        })
    }

    fn complete(
        &mut self,
        _now: Instant,
        op: Operation,
        result: Result<usize, i32>,
    ) -> io::Result<()> {
        let result = result.map_or_else(|error| -i64::from(error), |n| n as i64);
        // SAFETY: storage of this program's.
        done(unsafe { sockless_engine_complete(&raw mut *self.engine, op.id, result) })
    }

    fn wanted(&mut self, op: &mut Operation) -> (usize, Wanted) {
        // SAFETY: what the operation points to is valid until it is completed, and laid out as
        // the system has it.
        let wanted = unsafe {
            match op.kind {
                kind if kind == OperationKind::Connect as u32 && op.family == libc::AF_INET => {
                    Wanted::Connect(op.address.cast::<libc::sockaddr_in>().read_unaligned())
                }
                kind if kind == OperationKind::Receive as u32 => {
                    let room = *op.buffers;
                    Wanted::Receive(room.data.cast(), room.length)
                }
                kind if kind == OperationKind::Send as u32 => {
                    Wanted::Send(op.buffers.cast(), op.buffer_count)
                }
                kind if kind == OperationKind::Shutdown as u32 => Wanted::Shutdown,
                kind if kind == OperationKind::Close as u32 => Wanted::Close,
                _ => Wanted::Unknown,
            }
        };
        (op.slot as usize, wanted)
    }

    fn id(op: &Operation) -> u64 {
        op.id
    }
}

impl Drop for InC {
    fn drop(&mut self) {
        // SAFETY: storage of this program's; what is in flight stays allocated, as the process ends.
        unsafe { sockless_engine_close(&raw mut *self.engine) };
    }
}
