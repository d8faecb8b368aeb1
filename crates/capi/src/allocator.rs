//! The program's memory for what its kernel touches.

use core::ffi::c_void;
use core::ptr::NonNull;

use sockless_core::Memory;

/// Where the buffers of operations come from: a region that is registered with a kernel, say.
///
/// Both functions are called inside of calls of the engine's, by the thread that makes these, and
/// `free` also by the thread that brings the last piece back. They must not
/// call sockless with that engine (they get `SOCKLESS_STATUS_BUSY`), and no exception and no
/// longjmp may leave them.
///
/// All else that an engine needs comes from malloc. So do a few buffers: sealed TLS records, and
/// all for which `allocate` gives NULL.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Allocator {
    /// `size` bytes, which may hold anything and need no alignment; NULL: take ordinary memory.
    pub allocate: Option<extern "C" fn(user: *mut c_void, size: usize) -> *mut c_void>,
    /// Takes back what `allocate` gave for that size.
    pub free: Option<extern "C" fn(user: *mut c_void, start: *mut c_void, size: usize)>,
    /// Passed to both.
    pub user: *mut c_void,
}

/// An [`Allocator`] that has both functions.
pub(crate) struct Hooked {
    allocate: extern "C" fn(*mut c_void, usize) -> *mut c_void,
    free: extern "C" fn(*mut c_void, *mut c_void, usize),
    user: *mut c_void,
}

impl Hooked {
    pub(crate) fn new(hooks: &Allocator) -> Option<Self> {
        Some(Self {
            allocate: hooks.allocate?,
            free: hooks.free?,
            user: hooks.user,
        })
    }
}

// SAFETY: `user` is only passed on, and the program promises that its two functions may be
// called from the threads that use its engine.
unsafe impl Send for Hooked {}
// SAFETY: as above.
unsafe impl Sync for Hooked {}

// SAFETY: the program promises it of its own memory (see `Allocator`).
unsafe impl Memory for Hooked {
    fn allocate(&self, size: usize) -> Option<NonNull<u8>> {
        NonNull::new((self.allocate)(self.user, size).cast())
    }

    unsafe fn free(&self, start: NonNull<u8>, size: usize) {
        (self.free)(self.user, start.as_ptr().cast(), size);
    }
}
