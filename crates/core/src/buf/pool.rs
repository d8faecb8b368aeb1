//! Recycled blocks in a few sizes.

use std::sync::{Arc, Mutex, PoisonError};

use super::Buf;
use super::block::Block;

/// Sizes of recycled blocks, in bytes. The largest holds a bulk receive of 256 KiB
/// behind the beginning of a TLS record (at most 16384 + 256 + 5), which travels along.
const SIZES: [usize; 4] = [2048, 16 * 1024 + 512, 64 * 1024, 273 * 1024];

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
        let shelves = Shelves {
            max_kept,
            state: Mutex::new(State::default()),
        };
        Self {
            shelves: Arc::new(shelves),
        }
    }

    /// An empty buffer with room for at least `capacity` bytes.
    pub fn take(&self, capacity: usize) -> Buf {
        let Some(class) = SIZES.iter().position(|size| *size >= capacity) else {
            return Buf::with_capacity(capacity);
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
        Buf::over(recycled.unwrap_or_else(|| Block::at_home(SIZES[class], home())))
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

#[derive(Debug)]
pub(super) struct Shelves {
    max_kept: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    free: [Vec<Block>; SIZES.len()],
    kept_bytes: usize,
    allocated: u64,
}

impl Shelves {
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

impl core::fmt::Debug for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("State")
            .field("kept_bytes", &self.kept_bytes)
            .finish_non_exhaustive()
    }
}
