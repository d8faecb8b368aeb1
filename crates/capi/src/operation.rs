//! Operations: what the program carries out on its own sockets, and how it brings them back.

use core::ffi::{c_char, c_int, c_void};
use std::io;

use sockless::{Buf, Endpoint, Op, OpId, OpKind};
use sockless_core::MAX_SEND_BUFS;

use crate::Status;
use crate::engine::{Engine, Use, enter, enter_for};
use crate::handles::{Kind, Table};
use crate::inner::{Inner, Refusal, Stage};
use crate::input;

mod address;

use address::Address;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum OperationKind {
    /// Look `host` up, for `port`: `sockless_operation_add_address` for each address found, then
    /// complete with 0.
    Resolve = 1,
    /// Make a socket of `family` and `socket_type`, bind it to `local` if that is not NULL, and
    /// connect it to `address`; complete with 0.
    Connect = 2,
    /// Receive into `buffers[0]`, and complete with the number of bytes; 0 is the peer's end.
    Receive = 3,
    /// Send the bytes of `buffers` in order, and complete with how many were taken.
    Send = 4,
    /// Shut the sending direction down; complete with 0.
    Shutdown = 5,
    /// Close the socket; complete with 0. Nothing else of it is in flight then.
    Close = 6,
}

/// A stretch of memory, laid out as a `struct iovec`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Buffer {
    /// Where it begins.
    pub data: *mut c_void,
    /// Its bytes.
    pub length: usize,
}

/// An operation. What it points to is valid, and stays where it is, until the operation
/// is completed; fields that its kind does not name mean nothing.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Operation {
    /// The handle to complete it with; never 0, and fit for a kernel's `user_data`.
    pub id: u64,
    /// The socket's name, from its Connect to the completion of its Close.
    pub connection: u64,
    /// The same as a small number, for tables; used again after Close.
    pub slot: u32,
    /// What to do (`sockless_operation_kind`).
    pub kind: u32,
    /// Receive: one, or with `SOCKLESS_ENGINE_OPTION_LAZY_BUFFERS` none. Send: up to 16.
    pub buffers: *const Buffer,
    /// How many there are.
    pub buffer_count: usize,
    /// Receive: a hint, at least 1. Waking up before this many bytes are there is not worth it.
    pub min: usize,
    /// Resolve: the host's name, with a NUL at its end.
    pub host: *const c_char,
    /// Connect: a `struct sockaddr` of `address_length` bytes.
    pub address: *const c_void,
    /// Connect: the local address to bind to, of `local_length` bytes, or NULL.
    pub local: *const c_void,
    /// Bytes of `address`.
    pub address_length: u32,
    /// Bytes of `local`.
    pub local_length: u32,
    /// Connect: `AF_INET`, `AF_INET6` or `AF_UNIX`.
    pub family: c_int,
    /// Connect: `SOCK_STREAM` or `SOCK_DGRAM`.
    pub socket_type: c_int,
    /// Resolve: the port that the addresses are wanted for.
    pub port: u16,
}

/// Addresses that a program may give for one name.
const MAX_ADDRESSES: usize = 256;

/// What a receive gets when nobody chose: room for a small answer and its TLS records.
const ANY_BUFFER: usize = 16 * 1024;

/// Boxes kept for the next operations.
const SPARE: usize = 64;

/// Operations in the program's hands.
pub(crate) struct Flights {
    table: Table<Box<Flight>>,
    /// Handles by the slots of the engine's own ids.
    by_slot: Vec<u64>,
    #[allow(
        clippy::vec_box,
        reason = "what C points to must not move, so the boxes are kept"
    )]
    spare: Vec<Box<Flight>>,
}

/// An operation and what C needs to carry it out; boxed, so that it stays where it is.
pub(crate) struct Flight {
    /// None only while it is spare.
    op: Option<Op>,
    buffers: [Buffer; MAX_SEND_BUFS],
    count: usize,
    to: Address,
    from: Address,
    host: Vec<u8>,
}

impl Flights {
    pub(crate) fn new(tag: u16) -> Self {
        Self {
            table: Table::new(Kind::Operation, tag),
            by_slot: Vec::new(),
            spare: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Hands an operation out.
    ///
    /// # Errors
    /// It cannot be said in C, and comes back with the reason.
    pub(crate) fn start(&mut self, op: Op) -> Result<Operation, (Op, io::Error)> {
        let mut flight = self.spare.pop().unwrap_or_else(Flight::empty);
        if let Err(error) = flight.load(&op) {
            return Err((op, error));
        }
        let slot = op.id.as_u64() as u32 as usize;
        let mut shown = flight.shown(&op);
        flight.op = Some(op);
        shown.id = match self.table.insert(flight) {
            Ok(handle) => handle,
            Err((_, mut flight)) => {
                let op = flight.op.take().expect("put in just now");
                return Err((op, io::Error::from_raw_os_error(libc::ENOBUFS)));
            }
        };
        if self.by_slot.len() <= slot {
            self.by_slot.resize(slot + 1, 0);
        }
        self.by_slot[slot] = shown.id;
        Ok(shown)
    }

    /// The handle of an operation in flight, its socket's name and slot.
    pub(crate) fn named(&mut self, id: OpId) -> Option<(u64, u64, u32)> {
        let handle = *self.by_slot.get(id.as_u64() as u32 as usize)?;
        let op = self.table.find(handle).ok()?.op.as_ref()?;
        let found = (handle, op.conn.as_u64(), op.conn.slot() as u32);
        (op.id == id).then_some(found)
    }

    fn end(&mut self, handle: u64) -> Result<Op, Status> {
        let mut flight = self.table.take(handle)?;
        let op = flight.op.take().ok_or(Status::Stale)?;
        if self.spare.len() < SPARE {
            self.spare.push(flight);
        }
        Ok(op)
    }
}

impl Flight {
    fn empty() -> Box<Self> {
        let none = Buffer {
            data: core::ptr::null_mut(),
            length: 0,
        };
        Box::new(Self {
            op: None,
            buffers: [none; MAX_SEND_BUFS],
            count: 0,
            to: Address::none(),
            from: Address::none(),
            host: Vec::new(),
        })
    }

    /// Writes down what C needs of it. Buffers stay where they are when the operation moves.
    fn load(&mut self, op: &Op) -> io::Result<()> {
        self.count = 0;
        (self.to, self.from) = (Address::none(), Address::none());
        match &op.kind {
            OpKind::Resolve { host, .. } => {
                self.host.clear();
                self.host.extend_from_slice(host.as_bytes());
                self.host.push(0);
            }
            OpKind::Connect { to, from } => {
                self.to = Address::of(to)?;
                if let Some(from) = from {
                    self.from = Address::of(&Endpoint::Tcp((*from, 0).into()))?;
                }
            }
            OpKind::Send { bufs } => {
                for buf in bufs {
                    self.buffers[self.count] = Buffer {
                        data: buf.as_ptr().cast_mut().cast(),
                        length: buf.len(),
                    };
                    self.count += 1;
                }
            }
            OpKind::Recv { .. } | OpKind::Shutdown | OpKind::Close => {}
            _ => return Err(io::ErrorKind::Unsupported.into()),
        }
        Ok(())
    }

    fn shown(&self, op: &Op) -> Operation {
        let kind = match op.kind {
            OpKind::Resolve { .. } => OperationKind::Resolve,
            OpKind::Connect { .. } => OperationKind::Connect,
            OpKind::Recv { .. } => OperationKind::Receive,
            OpKind::Send { .. } => OperationKind::Send,
            OpKind::Shutdown => OperationKind::Shutdown,
            _ => OperationKind::Close,
        };
        let (min, port) = match op.kind {
            OpKind::Recv { min, .. } => (min, 0),
            OpKind::Resolve { port, .. } => (0, port),
            _ => (0, 0),
        };
        Operation {
            id: 0,
            connection: op.conn.as_u64(),
            slot: op.conn.slot() as u32,
            kind: kind as u32,
            buffers: self.buffers.as_ptr(),
            buffer_count: self.count,
            min,
            host: self.host.as_ptr().cast(),
            address: self.to.as_ptr(),
            local: self.from.as_ptr(),
            address_length: self.to.length(),
            local_length: self.from.length(),
            family: self.to.family(),
            socket_type: self.to.socket_type(),
            port,
        }
    }
}

/// The room of a receive, before anything has come.
fn room(buf: &mut Buf) -> Buffer {
    let room = buf.spare_mut();
    Buffer {
        data: room.as_mut_ptr().cast(),
        length: room.len(),
    }
}

/// Hands an operation out, a receive with its buffer.
pub(crate) fn start(inner: &mut Inner, mut op: Op) -> Result<Operation, (Op, io::Error)> {
    let mut given = None;
    if let OpKind::Recv { buf, .. } = &mut op.kind {
        if let (None, false, Stage::Running(session)) =
            (&buf, inner.settings.lazy_buffers, &inner.stage)
        {
            *buf = Some(session.pool().take(ANY_BUFFER));
        }
        given = buf.as_mut().map(room);
    }
    let mut shown = inner.flights.start(op)?;
    if let (Some(buffer), Ok(flight)) = (given, inner.flights.table.find(shown.id)) {
        (flight.buffers[0], flight.count) = (buffer, 1);
        shown.buffer_count = 1;
    }
    Ok(shown)
}

/// Gives a receive that came without a buffer one of `size` bytes or more (1 to 64 MiB), so that
/// the bytes that are there can be received. It belongs to the operation. The thread that
/// uses the engine.
///
/// `SOCKLESS_STATUS_ORDER`: it has a buffer, or is no receive.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `buffer` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_operation_take_buffer(
    engine: *mut Engine,
    operation: u64,
    size: usize,
    buffer: *mut Buffer,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let place = input::place(buffer)?;
            let size = crate::convert::buffer_size(size as u64)?.max(1);
            let flight = inner.flights.table.find(operation)?;
            let Some(OpKind::Recv {
                buf: buf @ None, ..
            }) = flight.op.as_mut().map(|op| &mut op.kind)
            else {
                return Err(Refusal::Order("it is no receive without a buffer"));
            };
            let Stage::Running(session) = &inner.stage else {
                return Err(Status::Closed.into());
            };
            let shown = room(buf.insert(session.pool().take(size)));
            (flight.buffers[0], flight.count) = (shown, 1);
            place.put(shown);
            Ok(())
        })
    }
}

/// Adds an address to a Resolve, in the resolver's order; at most 256. The thread that uses the
/// engine.
///
/// `address`: a `struct sockaddr_in` or `sockaddr_in6`, of which only the address counts.
/// `SOCKLESS_STATUS_ORDER`: it is no Resolve.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `address` is NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_operation_add_address(
    engine: *mut Engine,
    operation: u64,
    address: *const c_void,
    address_length: u32,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let address = input::address(address, address_length)?;
            let flight = inner.flights.table.find(operation)?;
            let Some(OpKind::Resolve { found, .. }) = flight.op.as_mut().map(|op| &mut op.kind)
            else {
                return Err(Refusal::Order("it is no resolve"));
            };
            if found.len() >= MAX_ADDRESSES {
                return Err(Status::Full.into());
            }
            found.push(address);
            Ok(())
        })
    }
}

/// Brings an operation back, exactly once, also one that was to be cancelled; its memory is not
/// the program's any more. It only queues: all work happens in `sockless_engine_poll`. The
/// thread that uses the engine.
///
/// `result`: bytes of a Receive or Send, 0 of the others; a negative error number of the
/// system's, `-ECANCELED` where a cancel ended it. `SOCKLESS_STATUS_RESULT`: it cannot be
/// that operation's; the operation is still in flight.
///
/// Works with poisoned and with closed engines: then it only frees.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_engine_complete(
    engine: *mut Engine,
    operation: u64,
    result: i64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter_for(engine, Use::GiveBack, |inner| {
            let flight = inner.flights.table.find(operation)?;
            let result = checked(flight, result)?;
            let op = inner.flights.end(operation)?;
            if let (Stage::Running(session), false) = (&mut inner.stage, inner.poisoned) {
                // The next poll says what time it is.
                session.complete(inner.clock.origin(), op, result);
            }
            Ok(())
        })
    }
}

/// The largest error number of any system's.
const MAX_ERROR: i64 = 4095;

fn checked(flight: &Flight, result: i64) -> Result<io::Result<usize>, Status> {
    if result < 0 {
        let error = result.checked_neg().filter(|error| *error <= MAX_ERROR);
        let error = error.ok_or(Status::Result)?;
        return Ok(Err(io::Error::from_raw_os_error(error as i32)));
    }
    let buffers = &flight.buffers[..flight.count];
    let most = match flight.op.as_ref().map(|op| &op.kind) {
        Some(OpKind::Recv { .. } | OpKind::Send { .. }) => {
            buffers.iter().map(|buffer| buffer.length).sum()
        }
        _ => 0,
    };
    match usize::try_from(result) {
        Ok(moved) if moved <= most => Ok(Ok(moved)),
        _ => Err(Status::Result),
    }
}
