//! Tables keyed by operations' ids.

use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

/// A table by [`OpId::as_u64`](sockless_core::OpId::as_u64).
pub(crate) type ById<V> = HashMap<u64, V, BuildHasherDefault<IdHasher>>;

/// For keys that are unique small numbers of our own engine's making: one multiplication.
#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        // Fibonacci hashing; the rotation brings the well-mixed upper half to where
        // the table looks.
        self.0 = (self.0 ^ id)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_right(32);
    }
}
