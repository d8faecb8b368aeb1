//! Memory whose use after its time can be seen.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sockless_core::Buf;

/// Memory for a buffer that tells when its owner lets go. It is only really freed with
/// this, so that writes to it after that moment can be seen.
pub(crate) struct Watched {
    start: NonNull<u8>,
    released: Arc<AtomicBool>,
}

struct Owner(Arc<AtomicBool>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Watched {
    const LAYOUT: Layout = Layout::new::<[u8; 4096]>();

    pub(crate) fn new() -> (Self, Buf) {
        // SAFETY: the layout's size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(Self::LAYOUT) }).expect("memory");
        let released = Arc::new(AtomicBool::new(false));
        let owner = Box::new(Owner(Arc::clone(&released)));
        // SAFETY: valid for its size until `Watched` frees it, which does so, and looks
        // at it, only after the owner is gone.
        let buf = unsafe { Buf::from_foreign(start, Self::LAYOUT.size(), owner) };
        (Self { start, released }, buf)
    }

    /// Whether the buffer's owner has let go.
    pub(crate) fn is_released(&self) -> bool {
        self.released.load(Ordering::Acquire)
    }

    /// Does what the memory's next owner would.
    pub(crate) fn reuse(&self) {
        assert!(self.is_released());
        // SAFETY: our own memory, whose buffer is gone.
        unsafe { self.start.write_bytes(0xA5, Self::LAYOUT.size()) };
    }

    /// Whether the next owner's bytes are still there.
    pub(crate) fn is_untouched(&self) -> bool {
        // SAFETY: as above; volatile, because the kernel is what we watch.
        let byte = |at| unsafe { self.start.add(at).read_volatile() };
        (0..Self::LAYOUT.size()).all(|at| byte(at) == 0xA5)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.is_released() {
            // SAFETY: allocated in `new` with this layout, and its buffer is gone.
            unsafe { dealloc(self.start.as_ptr(), Self::LAYOUT) };
        }
    }
}
