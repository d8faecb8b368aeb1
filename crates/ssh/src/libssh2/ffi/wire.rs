//! What libssh2's callbacks work on: bytes in, bytes out, and memory with a bound.

use core::ffi::{c_char, c_int, c_void};
use core::{ptr, slice};
use std::alloc::{Layout, alloc, dealloc};

use libssh2_sys::LIBSSH2_SESSION;
use sockless_core::{Buf, Pipe, Pool};

/// Bytes in front of each allocation, for its size; keeps the strictest alignment.
const FRONT: usize = 16;

/// One session's surroundings. libssh2 holds its address and gives it to each callback.
#[derive(Debug)]
pub(super) struct Wire {
    /// From the peer, not read by libssh2 yet.
    pub(super) input: Pipe,
    /// Nothing comes after `input`.
    pub(super) ended: bool,
    /// Sealed, on its way to the peer. Takes everything: a send that is never partial leaves no
    /// call that has to be repeated because of it.
    pub(super) output: Pipe,
    /// What libssh2 makes is not sent any more.
    pub(super) mute: bool,
    /// The peer's reason for a disconnect.
    pub(super) disconnect: Option<(u32, String)>,
    /// Where the callback for prompts suspends, while a dialogue runs.
    pub(super) yielder: *const c_void,
    pool: Option<Pool>,
    memory: usize,
    most_memory: usize,
}

impl Wire {
    pub(super) fn new(most_memory: usize) -> Self {
        Self {
            input: Pipe::new(usize::MAX),
            ended: false,
            output: Pipe::new(usize::MAX),
            mute: false,
            disconnect: None,
            yielder: ptr::null(),
            pool: None,
            memory: 0,
            most_memory,
        }
    }

    /// Memory that libssh2 has, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    pub(super) fn allow_memory(&mut self, most: usize) {
        self.most_memory = most;
    }

    pub(super) fn use_pool(&mut self, pool: &Pool) {
        if self.pool.is_none() {
            self.pool = Some(pool.clone());
        }
    }

    fn read(&mut self, into: &mut [u8]) -> isize {
        let mut n = 0;
        while n < into.len()
            && let Some(front) = self.input.front()
        {
            let some = front.len().min(into.len() - n);
            into[n..n + some].copy_from_slice(&front[..some]);
            self.input.consume(some);
            n += some;
        }
        match n {
            0 if !self.ended => -(libc::EAGAIN as isize),
            n => n as isize,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> isize {
        if !self.mute {
            let pool = &self.pool;
            let make = |n: usize| match pool {
                Some(pool) => pool.take(n),
                None => Buf::with_capacity(n),
            };
            self.output.write(bytes, make);
        }
        bytes.len() as isize
    }
}

/// The wire behind a callback's last argument.
///
/// # Safety
/// `context` is what libssh2 gave to a callback of a session that `Session::new` made, and no
/// other reference to its wire is alive: no function of `Session` holds one over a call of libssh2's.
pub(super) unsafe fn of<'a>(context: *mut *mut c_void) -> &'a mut Wire {
    // SAFETY: libssh2 gives the address of the pointer that the session was made with.
    unsafe { &mut *(*context).cast::<Wire>() }
}

pub(super) unsafe extern "C" fn recv(
    _: c_int,
    buffer: *mut c_void,
    len: usize,
    _: c_int,
    context: *mut *mut c_void,
) -> isize {
    // SAFETY: a callback's argument.
    let wire = unsafe { of(context) };
    // SAFETY: libssh2 gives `len` bytes of its own to be filled, and reads as many as it is told.
    wire.read(unsafe { slice::from_raw_parts_mut(buffer.cast::<u8>(), len) })
}

pub(super) unsafe extern "C" fn send(
    _: c_int,
    buffer: *const c_void,
    len: usize,
    _: c_int,
    context: *mut *mut c_void,
) -> isize {
    // SAFETY: a callback's argument.
    let wire = unsafe { of(context) };
    // SAFETY: libssh2 gives `len` bytes of its own.
    wire.write(unsafe { slice::from_raw_parts(buffer.cast::<u8>(), len) })
}

pub(super) unsafe extern "C" fn disconnected(
    _: *mut LIBSSH2_SESSION,
    reason: c_int,
    message: *const c_char,
    message_len: c_int,
    _: *const c_char,
    _: c_int,
    context: *mut *mut c_void,
) {
    // SAFETY: a callback's argument.
    let wire = unsafe { of(context) };
    let text = match usize::try_from(message_len) {
        Ok(len) if !message.is_null() && len > 0 => {
            // SAFETY: libssh2 gives `message_len` bytes of the packet.
            let bytes = unsafe { slice::from_raw_parts(message.cast::<u8>(), len) };
            String::from_utf8_lossy(bytes).into_owned()
        }
        _ => String::new(),
    };
    wire.disconnect = Some((reason.cast_unsigned(), text));
}

/// Gives libssh2 memory, unless it has as much as it may have: a peer cannot fill its queue.
pub(super) extern "C" fn allocate(len: usize, context: *mut *mut c_void) -> *mut c_void {
    // SAFETY: a callback's argument.
    let wire = unsafe { of(context) };
    let Some(layout) = layout(len) else {
        return ptr::null_mut();
    };
    if wire.memory + layout.size() > wire.most_memory {
        return ptr::null_mut();
    }
    // SAFETY: the size is not zero.
    let block = unsafe { alloc(layout) };
    if block.is_null() {
        return ptr::null_mut();
    }
    wire.memory += layout.size();
    // SAFETY: the block is aligned to 16 bytes and at least as long, so the size fits in front.
    unsafe {
        block.cast::<usize>().write(len);
        block.add(FRONT).cast()
    }
}

/// Takes memory back, and overwrites it: passwords and keys go through it.
pub(super) extern "C" fn release(memory: *mut c_void, context: *mut *mut c_void) {
    if memory.is_null() {
        return;
    }
    // SAFETY: what libssh2 gives back came from `allocate`, whose length stands in front.
    let (block, len) = unsafe {
        let block = memory.cast::<u8>().sub(FRONT);
        (block, block.cast::<usize>().read())
    };
    let Some(layout) = layout(len) else { return };
    // SAFETY: a callback's argument.
    unsafe { of(context) }.memory -= layout.size();
    // SAFETY: the block is ours and as long as it was when it was made.
    unsafe {
        ptr::write_bytes(block, 0, layout.size());
        // The block is seen by what nothing is known of, so the zeros are written.
        core::hint::black_box(block);
        dealloc(block, layout);
    }
}

pub(super) extern "C" fn resize(
    memory: *mut c_void,
    len: usize,
    context: *mut *mut c_void,
) -> *mut c_void {
    let fresh = allocate(len, context);
    if fresh.is_null() || memory.is_null() {
        return fresh;
    }
    // SAFETY: what libssh2 gives came from `allocate`, whose length stands in front; both blocks
    // have the bytes that are copied and do not overlap.
    unsafe {
        let old = memory.cast::<u8>().sub(FRONT).cast::<usize>().read();
        ptr::copy_nonoverlapping(memory.cast::<u8>(), fresh.cast::<u8>(), old.min(len));
    }
    release(memory, context);
    fresh
}

fn layout(len: usize) -> Option<Layout> {
    Layout::from_size_align(len.checked_add(FRONT)?, FRONT).ok()
}
