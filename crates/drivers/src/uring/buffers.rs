//! A ring of buffers that the kernel picks from when something arrives.

use core::mem;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, Ordering};
use std::io;

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use sockless_core::{Buf, Pool};

/// Names the one group of buffers.
pub(super) const GROUP: u16 = 0;

/// The kernel's bound.
const MAX_BUFFERS: u16 = 1 << 15;

/// Buffers that the kernel may write to at any time, and the ring that tells it where
/// they are. A used buffer is swapped for a fresh one of the pool, so nothing is copied. They
/// are made as receives want them: a program that makes one transfer needs no more than two.
pub(super) struct BufferRing {
    entries: Entries,
    /// Receives in the kernel that will pick one.
    wanted: usize,
    /// By buffer id. The kernel may write to their spare room, so nothing else touches it.
    bufs: Vec<Buf>,
    tail: u16,
    pool: Pool,
    size: usize,
}

impl BufferRing {
    /// Registers a ring for `count` buffers (rounded up to a power of two) of `size` bytes each.
    ///
    /// # Errors
    /// As from the kernel; `EINVAL` before Linux 5.19.
    pub(super) fn register(
        ring: &IoUring,
        pool: Pool,
        count: u16,
        size: usize,
    ) -> io::Result<Self> {
        let count = count.clamp(1, MAX_BUFFERS).next_power_of_two();
        let entries = Entries::map(count)?;
        let address = entries.start.as_ptr() as u64;
        // SAFETY: the mapping has room for `count` entries and is unmapped only after
        // the kernel has let go of it (`unregister`), or never (`leak`).
        unsafe {
            ring.submitter()
                .register_buf_ring_with_flags(address, count, GROUP, 0)
        }?;
        Ok(Self {
            entries,
            wanted: 0,
            bufs: Vec::new(),
            tail: 0,
            pool,
            size,
        })
    }

    /// How many buffers there are.
    pub(super) fn count(&self) -> usize {
        self.bufs.len()
    }

    /// A receive that will pick a buffer is about to be submitted: there is one for it, or as
    /// many as there may be.
    pub(super) fn want(&mut self) {
        self.wanted += 1;
        let count = self.bufs.len();
        if count < self.wanted.min(self.entries.count) {
            self.bufs.push(self.pool.take(self.size));
            self.provide(count as u16);
        }
    }

    /// Such a receive has come back.
    pub(super) fn done(&mut self) {
        self.wanted = self.wanted.saturating_sub(1);
    }

    /// Takes the buffer that the kernel has filled, and provides a fresh one in its place.
    pub(super) fn swap(&mut self, id: u16) -> Option<Buf> {
        let fresh = self.pool.take(self.size);
        let filled = mem::replace(self.bufs.get_mut(usize::from(id))?, fresh);
        self.provide(id);
        Some(filled)
    }

    fn provide(&mut self, id: u16) {
        let room = self.bufs[usize::from(id)].spare_mut();
        let at = usize::from(self.tail) & (self.entries.count - 1);
        // SAFETY: the kernel reads entries between its head and our tail. There are as
        // many entries as buffers and this buffer is with us, so the entry at the tail is
        // outside, until the tail moves below. (The setters leave the tail, which shares
        // the first entry's memory, alone.)
        let entry = unsafe { self.entries.entry(at) };
        entry.set_addr(room.as_mut_ptr() as u64);
        entry.set_len(room.len() as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        self.entries.tail().store(self.tail, Ordering::Release);
    }

    /// Makes the kernel forget the buffers; no receive may be in flight.
    ///
    /// # Errors
    /// As from the kernel: then the buffers must be leaked.
    pub(super) fn unregister(&self, ring: &IoUring) -> io::Result<()> {
        ring.submitter().unregister_buf_ring(GROUP)
    }
}

/// The memory that the kernel reads buffers' addresses from: whole pages.
struct Entries {
    start: NonNull<BufRingEntry>,
    count: usize,
}

impl Entries {
    fn map(count: u16) -> io::Result<Self> {
        let count = usize::from(count);
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a fresh anonymous mapping; no existing memory is involved.
        let start = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                Self::size(count),
                access,
                kind,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, count })
    }

    fn size(count: usize) -> usize {
        count * size_of::<BufRingEntry>()
    }

    /// # Safety
    /// The kernel must not read the entry while the reference lives: it is beyond the tail.
    unsafe fn entry(&mut self, at: usize) -> &mut BufRingEntry {
        assert!(at < self.count, "an entry of the ring");
        // SAFETY: in bounds of our mapping, which is zeroed and so holds valid entries.
        unsafe { self.start.add(at).as_mut() }
    }

    fn tail(&self) -> &AtomicU16 {
        // SAFETY: `start` is the first entry of a mapped ring, as `tail` demands; the
        // place is aligned for a u16 and lives as long as the mapping. The kernel only
        // reads it.
        unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.start.as_ptr()).cast_mut()) }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        // SAFETY: our own mapping, which the kernel was told to forget, or never knew.
        unsafe { libc::munmap(self.start.as_ptr().cast(), Self::size(self.count)) };
    }
}
