//! What is transferred: bytes that both ends know by their place.

use core::fmt;

/// The byte at a place; neighbours differ, and so do stretches one record apart.
fn byte(at: u64) -> u8 {
    (at.wrapping_mul(31) ^ (at >> 8).wrapping_mul(17) ^ (at >> 16)) as u8
}

/// Appends `n` bytes from `from` on.
pub fn append(to: &mut Vec<u8>, from: u64, n: u64) {
    to.extend((from..from + n).map(byte));
}

/// Whether `bytes` are those from `from` on.
pub fn is(bytes: &[u8], from: u64) -> bool {
    bytes.iter().zip(from..).all(|(have, at)| *have == byte(at))
}

/// Length of what has come, and whether it was the pattern.
#[derive(Debug, Default)]
pub struct Sum {
    length: u64,
    wrong: bool,
}

impl Sum {
    /// Takes the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.wrong |= !is(bytes, self.length);
        self.length += bytes.len() as u64;
    }
}

/// What a server says about an upload.
impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.wrong { "wrong" } else { "right" };
        write!(f, "{} bytes, {what}", self.length)
    }
}
