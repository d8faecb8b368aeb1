//! What is transferred: bytes that both ends can make, and their checksum.

/// Bytes after which it repeats; what the pool keeps as its largest size.
const PERIOD: usize = 256 * 1024;

/// One period of it.
pub(crate) struct Pattern(Vec<u8>);

impl Pattern {
    pub(crate) fn new() -> Self {
        // xorshift64: no two neighbours are alike, and no record is like another.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let words = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        Self(words.take(PERIOD / 8).flatten().collect())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn period(&self) -> usize {
        self.0.len()
    }

    /// The CRC-32 of its first `size` bytes.
    pub(crate) fn checksum(&self, size: u64) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        let mut left = size;
        while left > 0 {
            let n = left.min(PERIOD as u64);
            hasher.update(&self.0[..n as usize]);
            left -= n;
        }
        hasher.finalize()
    }
}
