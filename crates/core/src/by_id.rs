//! Maps by ids that the engine has made, without a hash that withstands chosen keys: nobody outside
//! chooses these.

use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

/// A map by [`TransferId`](crate::TransferId), [`OpId::as_u64`](crate::OpId::as_u64) or the like.
///
/// ```
/// use sockless_core::ById;
///
/// let mut places = ById::<u64, &str>::default();
/// places.insert(7, "here");
/// assert_eq!(places.get(&7), Some(&"here"));
/// ```
pub type ById<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// One multiplication: an id is a slot and its generation, unique in its engine.
#[derive(Debug, Default)]
pub struct IdHasher(u64);

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
