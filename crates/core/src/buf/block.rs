//! The memory behind one or more [`super::Buf`]s: a counted header and its bytes.

use core::any::Any;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering, fence};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::sync::Weak;

use super::pool::Shelves;

/// A counted reference to a block. It is not `Clone`, so that only `share` can
/// make another one and the owner of a stretch stays unique by construction.
pub(super) struct Block {
    header: NonNull<Header>,
}

struct Header {
    owners: AtomicUsize,
    memory: NonNull<u8>,
    capacity: usize,
    home: Weak<Shelves>,
    /// Keeps memory alive that we did not allocate; `None` for our own.
    foreign: Option<Box<dyn Any + Send>>,
}

impl Block {
    /// Our own memory, zeroed, outside any pool.
    pub(super) fn allocate(capacity: usize) -> Self {
        Self::at_home(capacity, Weak::new())
    }

    /// Our own memory, zeroed, which returns to `home` when its last owner goes.
    pub(super) fn at_home(capacity: usize, home: Weak<Shelves>) -> Self {
        let memory = if capacity == 0 {
            NonNull::dangling()
        } else {
            let layout = layout(capacity);
            // SAFETY: the layout's size is not zero.
            let raw = unsafe { alloc_zeroed(layout) };
            NonNull::new(raw).unwrap_or_else(|| handle_alloc_error(layout))
        };
        Self::new(Header {
            owners: AtomicUsize::new(1),
            memory,
            capacity,
            home,
            foreign: None,
        })
    }

    /// Memory that `owner` keeps alive; the block returns to `home` when its last owner goes.
    pub(super) fn foreign(
        memory: NonNull<u8>,
        capacity: usize,
        owner: Box<dyn Any + Send>,
        home: Weak<Shelves>,
    ) -> Self {
        Self::new(Header {
            owners: AtomicUsize::new(1),
            memory,
            capacity,
            home,
            foreign: Some(owner),
        })
    }

    fn new(header: Header) -> Self {
        Self {
            header: NonNull::from(Box::leak(Box::new(header))),
        }
    }

    fn header(&self) -> &Header {
        // SAFETY: the header lives until the last Block goes, and we are one.
        unsafe { self.header.as_ref() }
    }

    /// Start and size of the whole block.
    pub(super) fn memory(&self) -> (NonNull<u8>, usize) {
        let header = self.header();
        (header.memory, header.capacity)
    }

    /// One more reference to the same block.
    pub(super) fn share(&self) -> Self {
        // A count near the top of usize needs more Bufs than memory can hold.
        self.header().owners.fetch_add(1, Ordering::Relaxed);
        Self {
            header: self.header,
        }
    }

    /// Whether this is the only reference to memory of our own.
    pub(super) fn is_lendable(&self) -> bool {
        self.is_unique() && self.header().foreign.is_none()
    }

    /// Lends the memory as a vector of `filled` bytes; returns its length afterwards.
    ///
    /// # Panics
    /// If the block is not lendable.
    pub(super) fn lend<R>(
        &mut self,
        filled: usize,
        append: impl FnOnce(&mut Vec<u8>) -> R,
    ) -> (R, usize) {
        assert!(self.is_lendable(), "only a sole owner lends");
        let (memory, capacity) = self.memory();
        // SAFETY: we are the only reference, and hold it mutably.
        let header = unsafe { self.header.as_mut() };
        // The block is empty while the vector owns the memory: a panic in `append`
        // frees it once, with the vector.
        (header.memory, header.capacity) = (NonNull::dangling(), 0);
        // SAFETY: `memory` was allocated by the global allocator for `capacity` bytes
        // of alignment 1 (capacity 0 is dangling, as a vector's), all initialized.
        let mut vec =
            unsafe { Vec::from_raw_parts(memory.as_ptr(), filled.min(capacity), capacity) };
        let result = append(&mut vec);
        let len = vec.len();
        if vec.capacity() != capacity {
            // Grown: what the allocator added is not initialized yet.
            vec.resize(vec.capacity(), 0);
        }
        let mut vec = core::mem::ManuallyDrop::new(vec);
        header.capacity = vec.capacity();
        header.memory = NonNull::new(vec.as_mut_ptr()).unwrap_or(NonNull::dangling());
        (result, len)
    }

    /// Whether this is the only reference.
    pub(super) fn is_unique(&self) -> bool {
        // Acquire pairs with the Release in drop: what other owners wrote is visible.
        self.header().owners.load(Ordering::Acquire) == 1
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.header().owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        fence(Ordering::Acquire);
        if let Some(shelves) = self.header().home.upgrade() {
            self.header().owners.store(1, Ordering::Relaxed);
            // Ownership moves into a fresh Block; this one ends without touching the count again.
            let revived = Self {
                header: self.header,
            };
            if let Err(full) = shelves.put_back(revived) {
                full.free();
            }
            return;
        }
        Self {
            header: self.header,
        }
        .free();
    }
}

impl Block {
    /// Frees header and memory of a block that has no other owner.
    pub(super) fn free(self) {
        let header = self.header;
        core::mem::forget(self);
        // SAFETY: the header came from Box::leak in `new`, and its last owner frees it here once.
        let header = unsafe { Box::from_raw(header.as_ptr()) };
        if header.foreign.is_none() && header.capacity != 0 {
            // SAFETY: allocated in `at_home` with this very layout.
            unsafe { dealloc(header.memory.as_ptr(), layout(header.capacity)) };
        }
    }
}

/// # Panics
/// If the size overflows `isize`: no machine has that memory.
fn layout(capacity: usize) -> Layout {
    Layout::array::<u8>(capacity).expect("a buffer smaller than isize::MAX")
}

// SAFETY: the header is reached through an atomic count only; memory is handed out
// by Buf, which keeps stretches disjoint; `foreign` is Send and dropped once.
unsafe impl Send for Block {}
// SAFETY: as above; no method of a shared Block writes other than to the count.
unsafe impl Sync for Block {}
