//! Transfers that run.

use core::ffi::c_void;

use crate::Status;
use crate::engine::{Engine, enter};
use crate::inner::{Inner, Refusal};
use crate::input;
use crate::poll::NEVER;
use sockless::TransferId;

/// Gives body to a transfer that asked for it (`SOCKLESS_EVENT_KIND_WANT_BODY`), or bytes to a
/// tunnel. They are copied; more than the room stated is taken as a whole. The thread that uses the engine.
///
/// `SOCKLESS_STATUS_REFUSED`: nothing was asked for and no room is left, or it is finished.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `data` is NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_transfer_send(
    engine: *mut Engine,
    transfer: u64,
    data: *const c_void,
    length: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let data = input::bytes(data, length)?;
            if length > input::MAX_TEXT {
                return Err(Status::TooLong.into());
            }
            let id = id(inner, transfer)?;
            let session = inner.session()?;
            let mut piece = session.pool().take(length);
            piece.extend_from_slice(data);
            let given = session.send_body(id, piece);
            given.map_err(|(error, _)| Refusal::Sockless(error))
        })
    }
}

/// Gives the head of a file or directory to a transfer that puts many (`SOCKLESS_REQUEST_NUMBER_RECURSIVE`): behind
/// a file's, exactly `size` bytes are to be given; a directory comes before what is in it. The thread that uses
/// the engine.
///
/// `path`: below the target, with `/` between names. `size`: `SOCKLESS_NEVER` for a directory. `mode`: its
/// permissions, or `SOCKLESS_NEVER`. `SOCKLESS_STATUS_REFUSED`: as of `sockless_transfer_send`.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `path` is NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_transfer_send_item(
    engine: *mut Engine,
    transfer: u64,
    path: *const c_void,
    length: usize,
    size: u64,
    mode: u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let path = input::data(path, length)?;
            let mode = match mode {
                NEVER => None,
                mode => Some(u32::try_from(mode).map_err(|_| Status::Range)?),
            };
            let id = id(inner, transfer)?;
            let item = item(path, (size != NEVER).then_some(size), mode)?;
            let given = inner.session()?.send_body(id, item);
            given.map_err(|(error, _)| Refusal::Sockless(error))
        })
    }
}

#[cfg(feature = "ssh")]
fn item(path: &[u8], size: Option<u64>, mode: Option<u32>) -> Result<sockless::Buf, Refusal> {
    use sockless::ssh::feed::Item;
    let item = match size {
        Some(size) => Item::file(path, size),
        None => Item::directory(path),
    };
    Ok(match mode {
        Some(mode) => item.mode(mode),
        None => item,
    }
    .encode())
}

#[cfg(not(feature = "ssh"))]
fn item(_path: &[u8], _size: Option<u64>, _mode: Option<u32>) -> Result<sockless::Buf, Refusal> {
    Err(Refusal::Order(
        "no transfer puts many files: SSH is not built in",
    ))
}

/// Says that the body is complete, or ends a tunnel's own direction. The thread that uses the
/// engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_transfer_finish(engine: *mut Engine, transfer: u64) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let id = id(inner, transfer)?;
            Ok(inner.session()?.finish_body(id)?)
        })
    }
}

/// Holds a transfer's answer back (`paused` 1): no head, data or end comes, and soon nothing more
/// is received for it. 0 lets it go on. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_transfer_pause(
    engine: *mut Engine,
    transfer: u64,
    paused: u32,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let id = id(inner, transfer)?;
            match crate::convert::flag(u64::from(paused))? {
                true => inner.session()?.pause(id),
                false => inner.session()?.resume(id),
            }
            Ok(())
        })
    }
}

/// Ends a transfer; its Done event follows, and its operations in flight still have to be
/// completed. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_transfer_cancel(engine: *mut Engine, transfer: u64) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let id = id(inner, transfer)?;
            inner.session()?.cancel(id);
            Ok(())
        })
    }
}

/// Closes all connections that are kept for reuse. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_engine_close_idle(engine: *mut Engine) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            inner.session()?.close_idle();
            Ok(())
        })
    }
}

/// What an engine holds and has done.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Stats {
    /// Operations submitted.
    pub submitted: u64,
    /// Bytes received by the program's sockets.
    pub received: u64,
    /// Bytes sent by the program's sockets.
    pub sent: u64,
    /// Body or record bytes that were copied because they straddled two buffers.
    pub copied: u64,
    /// Operations in flight.
    pub in_flight: usize,
    /// Transfers that have not ended.
    pub transfers: usize,
    /// Connections, idle ones included.
    pub connections: usize,
    /// Connections kept for reuse.
    pub idle: usize,
    /// Sockets that are not closed yet though nobody uses them any more.
    pub closing: usize,
}

/// What an engine holds and has done. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `stats` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_engine_stats(engine: *mut Engine, stats: *mut Stats) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let place = input::place(stats)?;
            let session = inner.session()?;
            let (stats, transfers) = (session.stats(), session.active());
            place.put(Stats {
                submitted: stats.submitted,
                received: stats.received,
                sent: stats.sent,
                copied: stats.copied,
                in_flight: stats.in_flight,
                transfers,
                connections: stats.connections,
                idle: stats.idle,
                closing: stats.closing,
            });
            Ok(())
        })
    }
}

fn id(inner: &mut Inner, transfer: u64) -> Result<TransferId, Status> {
    Ok(inner.transfers.table.find(transfer)?.id)
}
