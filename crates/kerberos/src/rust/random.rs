//! What nobody can guess, from a seed that was given.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

/// A generator in the manner of HMAC_DRBG (NIST SP 800-90A section 10.1.2): the key is replaced after each draw, so
/// that who learns it later does not learn what was drawn before. The same seed draws the same.
pub(super) struct Random {
    key: Zeroizing<[u8; 32]>,
}

impl Random {
    pub(super) fn new(seed: Zeroizing<[u8; 32]>) -> Self {
        Self { key: seed }
    }

    pub(super) fn fill(&mut self, out: &mut [u8]) {
        for (at, piece) in out.chunks_mut(32).enumerate() {
            let block = self.block(&[&[1][..], &(at as u64).to_be_bytes()].concat());
            piece.copy_from_slice(&block[..piece.len()]);
        }
        *self.key = *self.block(&[0]);
    }

    /// As many bytes as somebody needs to be random on their own.
    pub(super) fn fork(&mut self) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        self.fill(&mut *key);
        Self { key }
    }

    /// The same from the seed alone, for another purpose: nothing that is drawn depends on it, or tells it.
    pub(super) fn apart(&self) -> Zeroizing<[u8; 32]> {
        self.block(&[2])
    }

    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// A nonce, or a number to count from: 30 bits, which no peer takes for negative.
    pub(super) fn number(&mut self) -> u32 {
        u32::from_be_bytes(self.array()) & 0x3fff_ffff
    }

    fn block(&self, input: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut block = Zeroizing::new([0; 32]);
        // HMAC takes keys of any length.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*self.key) {
            mac.update(input);
            let mut tag = mac.finalize().into_bytes();
            block.copy_from_slice(&tag);
            tag.as_mut_slice().zeroize();
        }
        block
    }
}

/// No state.
impl core::fmt::Debug for Random {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Random")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_and_nothing_twice() {
        let new = |seed| Random::new(Zeroizing::new([seed; 32]));
        let (mut one, mut same, mut other) = (new(7), new(7), new(8));
        let drawn: [u8; 100] = one.array();
        assert_eq!(drawn, same.array::<100>());
        assert_ne!(drawn, other.array::<100>());
        assert_ne!(drawn, one.array::<100>());
        assert_ne!(drawn[..32], drawn[32..64]);
        let mut fork = one.fork();
        assert_ne!(fork.array::<32>(), one.array::<32>());
        assert_ne!(*one.apart(), one.array::<32>());
        assert!((0..100).all(|_| one.number() < 1 << 30));
        assert_eq!(format!("{one:?}"), "Random");
    }
}
