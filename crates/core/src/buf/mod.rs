//! Owned buffers: what the kernel may touch, and what travels through the layers.
//!
//! A [`Buf`] is the sole owner of one stretch of a block of memory. Splitting it
//! gives two owners of disjoint stretches, so a TLS record opened in place is
//! handed upward without a copy. When the last stretch is dropped, the block goes
//! back to the [`Pool`] it came from.
//!
//! This module holds all `unsafe` code of the crate.

mod block;
mod pool;

pub use pool::{Memory, Pool, PoolStats};

use core::fmt;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use std::sync::Weak;

use block::Block;

/// Owned, splittable bytes: `len` filled ones followed by spare room.
///
/// Spare room is initialized memory (zeroes, or what an earlier use left there),
/// so every access is safe; what it holds means nothing.
///
/// ```
/// use sockless_core::Buf;
///
/// let mut buf = Buf::with_capacity(16);
/// buf.extend_from_slice(b"head|body");
/// let head = buf.split_to(4);
/// buf.advance(1);
/// assert_eq!(&*head, b"head");
/// assert_eq!(&*buf, b"body");
/// ```
pub struct Buf {
    block: Block,
    start: NonNull<u8>,
    len: usize,
    capacity: usize,
}

// SAFETY: a Buf is the only owner of its stretch of the block (split_to makes
// disjoint stretches, nothing else duplicates one), and the block's count is atomic.
unsafe impl Send for Buf {}
// SAFETY: a shared Buf gives out shared slices only.
unsafe impl Sync for Buf {}

impl Buf {
    /// An empty buffer with room for at least `capacity` bytes, outside any pool.
    pub fn with_capacity(capacity: usize) -> Self {
        Self::over(Block::allocate(capacity))
    }

    /// A buffer over memory that somebody else owns, e.g. registered with a kernel ring.
    ///
    /// The buffer is empty and has room for `len` bytes; `owner` is dropped with
    /// the last stretch of it.
    ///
    /// # Safety
    /// `start` must be valid for reads and writes of `len` initialized bytes until
    /// `owner` is dropped, and nothing else may touch them before that.
    pub unsafe fn from_foreign(
        start: NonNull<u8>,
        len: usize,
        owner: Box<dyn core::any::Any + Send>,
    ) -> Self {
        Self::over(Block::foreign(start, len, owner, Weak::new()))
    }

    fn over(block: Block) -> Self {
        let (start, capacity) = block.memory();
        Self {
            block,
            start,
            len: 0,
            capacity,
        }
    }

    /// Filled bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is filled.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Filled bytes plus spare room.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Room after the filled bytes.
    #[inline]
    pub fn spare(&self) -> usize {
        self.capacity - self.len
    }

    /// The room after the filled bytes, to be written by a driver or a filter.
    #[inline]
    pub fn spare_mut(&mut self) -> &mut [u8] {
        // SAFETY: `start + len .. start + capacity` lies in our own stretch, which
        // is initialized (blocks are allocated zeroed, foreign ones by contract).
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr().add(self.len), self.spare()) }
    }

    /// Counts the first `n` bytes of the spare room as filled.
    ///
    /// # Panics
    /// If `n` is more than [`Buf::spare`].
    #[inline]
    pub fn grow(&mut self, n: usize) {
        assert!(n <= self.spare(), "Buf::grow beyond the buffer's room");
        self.len += n;
    }

    /// Drops the first `n` filled bytes.
    ///
    /// # Panics
    /// If `n` is more than [`Buf::len`].
    #[inline]
    pub fn advance(&mut self, n: usize) {
        assert!(n <= self.len, "Buf::advance beyond the filled bytes");
        // SAFETY: n <= len <= capacity, so the result is in, or one past, our stretch.
        self.start = unsafe { self.start.add(n) };
        self.len -= n;
        self.capacity -= n;
    }

    /// Forgets what is filled beyond `len`; the room stays.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Takes the first `n` filled bytes off as a buffer of their own, without a copy.
    ///
    /// # Panics
    /// If `n` is more than [`Buf::len`].
    #[inline]
    pub fn split_to(&mut self, n: usize) -> Self {
        assert!(n <= self.len, "Buf::split_to beyond the filled bytes");
        let front = Self {
            block: self.block.share(),
            start: self.start,
            len: n,
            capacity: n,
        };
        self.advance(n);
        front
    }

    /// Gives back the spare room beyond `room` bytes, so that a read is no longer than that.
    #[inline]
    pub fn limit_spare(&mut self, room: usize) {
        self.capacity = self.capacity.min(self.len.saturating_add(room));
    }

    /// Makes an empty buffer span its whole block again, if no other stretch of it is alive.
    ///
    /// Returns whether it did.
    pub fn reclaim(&mut self) -> bool {
        if self.len != 0 || !self.block.is_unique() {
            return false;
        }
        (self.start, self.capacity) = self.block.memory();
        true
    }

    /// Copies as much of `bytes` as fits into the spare room and says how much that was.
    pub fn fill_from(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.spare());
        self.spare_mut()[..n].copy_from_slice(&bytes[..n]);
        self.len += n;
        n
    }

    /// Lends the buffer as a `Vec<u8>`, for libraries that can only append to one.
    ///
    /// Without a copy or an allocation where the buffer owns its whole block; as
    /// long as the vector does not outgrow it, the block stays what it was. If
    /// `append` panics, the buffer is empty and without room.
    pub fn append_with<R>(&mut self, append: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let (start, capacity) = self.block.memory();
        if self.start != start || self.capacity != capacity || !self.block.is_lendable() {
            let mut fresh = Self::with_capacity(self.len);
            fresh.extend_from_slice(self);
            *self = fresh;
        }
        let filled = core::mem::take(&mut self.len);
        // The vector owns the memory meanwhile, and frees it should `append` panic:
        // then this buffer must not reach it any more.
        (self.start, self.capacity) = (NonNull::dangling(), 0);
        let (result, len) = self.block.lend(filled, append);
        (self.start, self.capacity) = self.block.memory();
        self.len = len;
        result
    }

    /// Appends `bytes`.
    ///
    /// # Panics
    /// If they do not fit into the spare room.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        assert!(
            bytes.len() <= self.spare(),
            "Buf::extend_from_slice beyond the buffer's room"
        );
        self.fill_from(bytes);
    }
}

impl Deref for Buf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: our own stretch, initialized, `len <= capacity`.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Buf {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: our own stretch, initialized, `len <= capacity`, borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl AsRef<[u8]> for Buf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<&[u8]> for Buf {
    fn from(bytes: &[u8]) -> Self {
        let mut buf = Self::with_capacity(bytes.len());
        buf.extend_from_slice(bytes);
        buf
    }
}

impl From<Vec<u8>> for Buf {
    /// Takes the vector's memory over, without a copy.
    fn from(mut bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        let Some(start) = NonNull::new(bytes.as_mut_ptr()) else {
            return Self::with_capacity(0);
        };
        // SAFETY: the vector's heap memory stays where it is while the box owns it,
        // its first `len` bytes are initialized, and nobody else can reach them.
        let mut buf = unsafe { Self::from_foreign(start, len, Box::new(bytes)) };
        buf.grow(len);
        buf
    }
}

/// Shows lengths only: contents may be secret.
impl fmt::Debug for Buf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buf({} of {})", self.len, self.capacity)
    }
}

#[cfg(test)]
mod tests;
