//! Recycled blocks in a few sizes.

use core::fmt;
use core::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Buf;
use super::block::Block;

/// Sizes of recycled blocks, in bytes. The largest holds a bulk receive of 256 KiB
/// behind the beginning of a TLS record (at most 16384 + 256 + 5), which travels along.
const SIZES: [usize; 4] = [2048, 16 * 1024 + 512, 64 * 1024, 273 * 1024];

/// Where a pool's memory comes from, where that is not the global allocator: a region that is
/// registered with a kernel ring, say.
///
/// # Safety
/// What `allocate` gives is valid for reads and writes of `size` bytes, and nobody else's, until
/// it is given to `free`.
pub unsafe trait Memory: Send + Sync {
    /// `size` bytes, which may hold anything; `None`: the pool takes ordinary memory instead.
    fn allocate(&self, size: usize) -> Option<NonNull<u8>>;

    /// Takes memory back.
    ///
    /// # Safety
    /// `start` came from `allocate` of the same value, for the same `size`, and nobody uses it.
    unsafe fn free(&self, start: NonNull<u8>, size: usize);
}

/// Memory of a [`Memory`], which goes back there.
struct Piece {
    start: NonNull<u8>,
    size: usize,
    from: Arc<dyn Memory>,
}

// SAFETY: a piece is the only owner of its memory, and its source may be used from any thread.
unsafe impl Send for Piece {}

impl Drop for Piece {
    fn drop(&mut self) {
        // SAFETY: it came from there with this size, and its last user drops it.
        unsafe { self.from.free(self.start, self.size) };
    }
}

/// Keeps and hands out buffers; cheap to clone, all clones share the same memory.
///
/// Buffers return by themselves when they are dropped, from any thread. What a
/// pool keeps is bounded (8 MiB by default): beyond that, memory is freed.
///
/// ```
/// let pool = sockless_core::Pool::new(1 << 20);
/// let buf = pool.take(1000);
/// assert!(buf.capacity() >= 1000);
/// drop(buf);
/// assert_eq!(pool.stats().kept_blocks, 1);
/// ```
#[derive(Clone, Debug)]
pub struct Pool {
    shelves: Arc<Shelves>,
}

/// What a pool holds at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStats {
    /// Blocks waiting to be reused.
    pub kept_blocks: usize,
    /// Their bytes.
    pub kept_bytes: usize,
    /// Blocks ever allocated; stands still in steady state.
    pub allocated: u64,
}

impl Pool {
    /// The largest buffer that is recycled, in bytes; larger ones are allocated and freed.
    pub const LARGEST: usize = SIZES[SIZES.len() - 1];

    /// A pool that keeps at most `max_kept` bytes for reuse.
    pub fn new(max_kept: usize) -> Self {
        Self::make(max_kept, None)
    }

    /// The same with the application's memory. A few buffers are ordinary memory all the same:
    /// those that a library fills which can only append to a vector (sealed TLS records).
    pub fn over(max_kept: usize, memory: Arc<dyn Memory>) -> Self {
        Self::make(max_kept, Some(memory))
    }

    fn make(max_kept: usize, memory: Option<Arc<dyn Memory>>) -> Self {
        let shelves = Shelves {
            max_kept,
            memory,
            state: Mutex::new(State::default()),
        };
        Self {
            shelves: Arc::new(shelves),
        }
    }

    /// An empty buffer with room for at least `capacity` bytes.
    pub fn take(&self, capacity: usize) -> Buf {
        let Some(class) = SIZES.iter().position(|size| *size >= capacity) else {
            return Buf::over(self.shelves.allocate(capacity, Weak::new()));
        };
        let recycled = {
            let mut state = self.shelves.lock();
            let recycled = state.free[class].pop();
            match recycled {
                Some(_) => state.kept_bytes -= SIZES[class],
                None => state.allocated += 1,
            }
            recycled
        };
        let home = || Arc::downgrade(&self.shelves);
        Buf::over(recycled.unwrap_or_else(|| self.shelves.allocate(SIZES[class], home())))
    }

    /// What it holds at the moment.
    pub fn stats(&self) -> PoolStats {
        let state = self.shelves.lock();
        PoolStats {
            kept_blocks: state.free.iter().map(Vec::len).sum(),
            kept_bytes: state.kept_bytes,
            allocated: state.allocated,
        }
    }
}

impl Default for Pool {
    /// Keeps at most 8 MiB.
    fn default() -> Self {
        Self::new(8 * 1024 * 1024)
    }
}

pub(super) struct Shelves {
    max_kept: usize,
    memory: Option<Arc<dyn Memory>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    free: [Vec<Block>; SIZES.len()],
    kept_bytes: usize,
    allocated: u64,
}

impl Shelves {
    /// A block of `size` bytes that returns to `home`.
    fn allocate(&self, size: usize, home: Weak<Self>) -> Block {
        let given = self.memory.as_ref().filter(|_| size > 0);
        let piece = given.and_then(|from| {
            let start = from.allocate(size)?;
            // SAFETY: just given to us, `size` bytes; a buffer's memory is always initialized.
            unsafe { start.write_bytes(0, size) };
            let from = Arc::clone(from);
            Some(Piece { start, size, from })
        });
        match piece {
            Some(piece) => Block::foreign(piece.start, size, Box::new(piece), home),
            None => Block::at_home(size, home),
        }
    }

    /// Keeps the block for the next taker, or gives it back when there is enough.
    pub(super) fn put_back(&self, block: Block) -> Result<(), Block> {
        let (_, capacity) = block.memory();
        let mut state = self.lock();
        match SIZES.iter().position(|size| *size == capacity) {
            Some(class) if state.kept_bytes + capacity <= self.max_kept => {
                state.kept_bytes += capacity;
                state.free[class].push(block);
                Ok(())
            }
            _ => Err(block),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing in here can panic between two halves of a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // The pool is gone: a block must not try to go home, it would find a dead
        // Weak anyway, but freeing here says so.
        self.free
            .iter_mut()
            .flat_map(|shelf| shelf.drain(..))
            .for_each(Block::free);
    }
}

impl fmt::Debug for Shelves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelves")
            .field("max_kept", &self.max_kept)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("kept_bytes", &self.kept_bytes)
            .finish_non_exhaustive()
    }
}
