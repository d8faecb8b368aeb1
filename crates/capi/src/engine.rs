//! The engine's storage: open and closed, one call at a time, and no panic out of it.

use core::ffi::c_void;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Status;
use crate::allocator::{Allocator, Hooked};
use crate::convert;
use crate::error::Held;
use crate::inner::{Inner, Refusal, Stage};
use crate::input;

/// An engine. It lives in memory of the program's, which must be zeroed before it is opened
/// for the first time (`sockless_engine engine = {0};`, or `static`) and must stay where it is
/// until it is closed. What is in it is nobody's business.
///
/// Threads: one call at a time. Two at once are no race, the second one gets
/// `SOCKLESS_STATUS_BUSY`. An engine may move from thread to thread, and different engines
/// have nothing to do with each other.
#[derive(Debug)]
#[repr(C)]
pub struct Engine {
    /// Whether it is open; whether it is in a call; where the rest is; reserved.
    pub opaque: [u64; 8],
}

/// The state of an open engine, but for its own address: a copy is not open.
const OPEN: u64 = u64::from_be_bytes(*b"sockless");
const CLOSED: u64 = u64::from_be_bytes(*b"closed\0\0");

/// Opens an engine. Any thread.
///
/// `now`: the program's monotonic clock, in nanoseconds; every later `now` is of the same clock.
/// `wall`: seconds since 1970, for certificates. `seed`: a number that nobody outside can
/// guess, from `getrandom()` for example. Nothing of these is read by the library itself.
///
/// `SOCKLESS_STATUS_ORDER`: it is open already.
///
/// # Safety
/// `engine` is NULL or points to zeroed storage, or to storage that was opened before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_engine_open(
    engine: *mut Engine,
    now: u64,
    wall: i64,
    seed: u64,
) -> i32 {
    // SAFETY: the caller's promise.
    let lock = match unsafe { Lock::take(engine, |state, open| state != open) } {
        Ok(lock) => lock,
        Err(Status::Closed) => return Status::Order as i32,
        Err(status) => return status as i32,
    };
    let made = catch_unwind(|| Box::new(Inner::new(engine as usize, now, wall, seed)));
    match made {
        Ok(inner) => {
            lock.inner.store(Box::into_raw(inner), Ordering::Relaxed);
            lock.state.store(lock.open, Ordering::Release);
            Status::Ok as i32
        }
        Err(_) => Status::Panic as i32,
    }
}

/// Closes an engine; its transfers end without further events, and all handles are void but those
/// of operations in flight and of kept data. The thread that uses the engine.
///
/// 0: it is closed, and everything that it had is freed. `SOCKLESS_STATUS_IN_FLIGHT`:
/// the kernel or the program still has memory of it. Complete the operations and release the
/// data as always (nothing else works any more); with the last of them it is closed. The
/// program's sockets are the program's to close, after their operations.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_engine_close(engine: *mut Engine) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter_for(engine, Use::GiveBack, |inner| {
            inner.shut();
            match inner.owes() {
                true => Err(Status::InFlight.into()),
                false => Ok(()),
            }
        })
    }
}

/// Sets a number of the engine's (`sockless_engine_option`), before its first transfer and poll.
/// The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_engine_set_number(
    engine: *mut Engine,
    option: u32,
    value: u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            set_number(inner.settings()?, option, value)?;
            Ok(())
        })
    }
}

/// Sets where the buffers of operations come from, before the engine's first transfer and poll.
/// The functions must work until the engine is closed. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `allocator` is NULL or can be read.
/// Its functions do what [`Allocator`] says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_engine_set_allocator(
    engine: *mut Engine,
    allocator: *const Allocator,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            if allocator.is_null() || !allocator.is_aligned() {
                return Err(Status::Null.into());
            }
            let hooks = Hooked::new(&allocator.read()).ok_or(Status::Null)?;
            inner.settings()?.allocator = Some(hooks);
            Ok(())
        })
    }
}

/// Gives an address for host and port, instead of a Resolve operation; several are several. Before
/// the engine's first transfer and poll. The thread that uses the engine.
///
/// `address`: a `struct sockaddr_in` or `sockaddr_in6`, of which only the address counts.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, the others can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_engine_add_address(
    engine: *mut Engine,
    host: *const c_void,
    host_length: usize,
    port: u16,
    address: *const c_void,
    address_length: u32,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let host = input::text(host, host_length)?.to_ascii_lowercase();
            let address = input::address(address, address_length)?;
            let known = &mut inner.settings()?.config.resolve;
            known.entry((host, port)).or_default().push(address);
            Ok(())
        })
    }
}

/// Adds a proxy on the way to Kerberos' KDCs, as `sockless_request_add_proxy` has them; the first one is
/// connected to. Before the engine's first transfer and poll. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `proxy` is NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_engine_add_kdc_proxy(
    engine: *mut Engine,
    proxy: *const c_void,
    length: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let proxy = sockless::Proxy::parse(input::text(proxy, length)?)?;
            inner.settings()?.config.kdc_proxies.push(proxy);
            Ok(())
        })
    }
}

/// Numbers of an engine's. Sizes in bytes, times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EngineOption {
    /// Connections to one host, port and set of options; 0: no bound. Default 0.
    ConnectionsPerHost = 1,
    /// Connections in all; 0: no bound. Default 1000.
    Connections = 2,
    /// Idle connections kept for reuse. Default 100.
    IdleConnections = 3,
    /// How long an idle connection is kept. Default 118 s.
    IdleKeep = 4,
    /// Bound of each pipe between two layers. Default 64 KiB.
    Pipe = 5,
    /// Size of a bulk receive buffer. Default 256 KiB.
    BulkReceive = 6,
    /// The highest `min` of a receive. Default 128 KiB; 1 turns the hint off.
    MaxMin = 7,
    /// Addresses tried for one name. Default 8.
    Addresses = 8,
    /// Memory that the buffer pool keeps. Default 8 MiB.
    PooledMemory = 9,
    /// 1: receives for which any memory will do come without a buffer, so that an idle connection
    /// holds none; `sockless_operation_take_buffer` gives one when bytes are there. Default 0.
    LazyBuffers = 10,
}

fn set_number(
    settings: &mut crate::inner::EngineSettings,
    option: u32,
    value: u64,
) -> Result<(), Status> {
    use EngineOption as Of;
    let limits = &mut settings.config.limits;
    let size = || usize::try_from(value).map_err(|_| Status::Range);
    match option {
        at if at == Of::ConnectionsPerHost as u32 => limits.connections_per_host = size()?,
        at if at == Of::Connections as u32 => limits.connections = size()?,
        at if at == Of::IdleConnections as u32 => limits.idle_connections = size()?,
        at if at == Of::IdleKeep as u32 => limits.idle_keep = convert::duration(value),
        at if at == Of::Pipe as u32 => limits.pipe = convert::buffer_size(value)?,
        at if at == Of::BulkReceive as u32 => limits.bulk_recv = convert::buffer_size(value)?,
        at if at == Of::MaxMin as u32 => limits.max_min = convert::buffer_size(value)?,
        at if at == Of::Addresses as u32 => limits.addresses = size()?,
        at if at == Of::PooledMemory as u32 => limits.pooled_memory = size()?,
        at if at == Of::LazyBuffers as u32 => settings.lazy_buffers = convert::flag(value)?,
        _ => return Err(Status::Option),
    }
    Ok(())
}

/// What a call needs of its engine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// All of it.
    Whole,
    /// Only to give something back, which always works.
    GiveBack,
}

/// One call that needs a whole engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed storage, or to storage that was opened before.
pub(crate) unsafe fn enter(
    engine: *mut Engine,
    work: impl FnOnce(&mut Inner) -> Result<(), Refusal>,
) -> i32 {
    // SAFETY: passed on.
    unsafe { enter_for(engine, Use::Whole, work) }
}

/// One call: the engine is locked, what it does is caught, why it fails is kept.
///
/// # Safety
/// As [`enter`].
pub(crate) unsafe fn enter_for(
    engine: *mut Engine,
    need: Use,
    work: impl FnOnce(&mut Inner) -> Result<(), Refusal>,
) -> i32 {
    // SAFETY: passed on.
    let lock = match unsafe { Lock::take(engine, |state, open| state == open) } {
        Ok(lock) => lock,
        Err(status) => return status as i32,
    };
    let at = lock.inner.load(Ordering::Relaxed);
    // SAFETY: the state says that `open` put a leaked box here, the lock that nobody else uses it.
    let inner = unsafe { &mut *at };
    let status = run(inner, need, work);
    if matches!(inner.stage, Stage::Closing) && !inner.owes() {
        lock.state.store(CLOSED, Ordering::Relaxed);
        lock.inner.store(core::ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: the box that `open` leaked; nobody finds it any more, and `inner` is not used again.
        let inner = unsafe { Box::from_raw(at) };
        // A panic while it is freed has nobody left to be told.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(inner)));
    }
    status as i32
}

fn run(
    inner: &mut Inner,
    need: Use,
    work: impl FnOnce(&mut Inner) -> Result<(), Refusal>,
) -> Status {
    if need == Use::Whole {
        if matches!(inner.stage, Stage::Closing) {
            return Status::Closed;
        }
        if inner.poisoned {
            return Status::Poisoned;
        }
    }
    match catch_unwind(AssertUnwindSafe(|| {
        work(inner).map_err(|refusal| (refusal.status(), Held::new(&refusal)))
    })) {
        Ok(Ok(())) => Status::Ok,
        Ok(Err((status, held))) => {
            inner.last = Some(held);
            status
        }
        Err(_) => {
            inner.poisoned = true;
            Status::Panic
        }
    }
}

/// The engine's storage for the length of one call.
struct Lock<'a> {
    state: &'a AtomicU64,
    busy: &'a AtomicU64,
    inner: &'a AtomicPtr<Inner>,
    /// What `state` is when this engine is open.
    open: u64,
}

impl Lock<'_> {
    /// `fits`: whether the state found, and the one of an open engine, are what is wanted;
    /// otherwise it is [`Status::Closed`].
    ///
    /// # Safety
    /// As [`enter`].
    unsafe fn take(engine: *mut Engine, fits: impl Fn(u64, u64) -> bool) -> Result<Self, Status> {
        if engine.is_null() || !engine.is_aligned() {
            return Err(Status::Null);
        }
        let words = engine.cast::<u64>();
        // SAFETY: three words of the storage, aligned, which are accessed in no other way.
        let (state, busy, inner) = unsafe {
            (
                AtomicU64::from_ptr(words),
                AtomicU64::from_ptr(words.add(1)),
                AtomicPtr::from_ptr(words.add(2).cast()),
            )
        };
        let open = OPEN ^ (engine as u64).rotate_left(32);
        if !fits(state.load(Ordering::Acquire), open) {
            return Err(Status::Closed);
        }
        if busy.swap(1, Ordering::Acquire) != 0 {
            return Err(Status::Busy);
        }
        let lock = Self {
            state,
            busy,
            inner,
            open,
        };
        // Another thread may have opened or closed it in between.
        match fits(lock.state.load(Ordering::Relaxed), open) {
            true => Ok(lock),
            false => Err(Status::Closed),
        }
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        self.busy.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_poisons_and_does_not_cross() {
        let mut storage = Engine { opaque: [0; 8] };
        let engine = &raw mut storage;
        // SAFETY: storage of this function's.
        unsafe {
            assert_eq!(sockless_engine_open(engine, 0, 0, 1), 0);
            let status = enter(engine, |_| panic!("a bug, on purpose"));
            assert_eq!(status, Status::Panic as i32);
            let status = sockless_engine_set_number(engine, 1, 1);
            assert_eq!(status, Status::Poisoned as i32);
            assert_eq!(sockless_engine_close(engine), 0);
            assert_eq!(sockless_engine_close(engine), Status::Closed as i32);
        }
    }

    #[test]
    fn a_call_within_a_call_is_refused() {
        let mut storage = Engine { opaque: [0; 8] };
        let engine = &raw mut storage;
        // SAFETY: storage of this function's.
        unsafe {
            assert_eq!(sockless_engine_open(engine, 0, 0, 1), 0);
            let mut within = 0;
            let status = enter(engine, |_| {
                within = sockless_engine_close(engine);
                Ok(())
            });
            assert_eq!((status, within), (0, Status::Busy as i32));
            assert_eq!(sockless_engine_close(engine), 0);
        }
    }
}
