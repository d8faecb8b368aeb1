//! AES in CBC mode with ciphertext stealing (RFC 3962 section 5): as many bytes out as in.

use aes::cipher::{
    BlockCipherDecrypt as _, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt as _,
    BlockSizeUser, KeyInit as _, typenum::U16,
};
use aes::{Aes128, Aes256, Block};

/// The bytes of a block.
pub(super) const BLOCK: usize = 16;

/// A key, expanded.
#[derive(Clone)]
pub(super) enum Aes {
    Of128(Box<Aes128>),
    Of256(Box<Aes256>),
}

impl Aes {
    /// From 16 or 32 bytes.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Some(Self::Of128(Box::new(Aes128::new_from_slice(key).ok()?))),
            32 => Some(Self::Of256(Box::new(Aes256::new_from_slice(key).ok()?))),
            _ => None,
        }
    }

    /// One block alone.
    pub(super) fn block(&self, block: &mut [u8; BLOCK]) {
        self.encrypt(block.into());
    }

    /// With an initial vector of zeros; at least one block.
    pub(super) fn seal(&self, bytes: &mut [u8]) {
        let (blocks, rest) = Block::slice_as_chunks_mut(bytes);
        let mut last = Block::default();
        let chain = Chain {
            blocks,
            last: &mut last,
        };
        match self {
            Self::Of128(aes) => aes.encrypt_with_backend(chain),
            Self::Of256(aes) => aes.encrypt_with_backend(chain),
        }
        match blocks {
            [.., block] if !rest.is_empty() => {
                // The last block but one lends its end to fill the last one up.
                *block = Block::default();
                block[..rest.len()].copy_from_slice(rest);
                xor(block, &last);
                self.encrypt(block);
                rest.copy_from_slice(&last[..rest.len()]);
            }
            [.., one, other] => core::mem::swap(one, other),
            _ => {}
        }
    }

    /// Undoes [`Aes::seal`].
    pub(super) fn open(&self, bytes: &mut [u8]) {
        let length = bytes.len();
        if length <= BLOCK {
            if length == BLOCK {
                self.decrypt(bytes);
            }
            return;
        }
        // The last two, of which the last may be short: Cn-1 is the last one's, Cn the one before.
        let tail = (length - 1) / BLOCK * BLOCK - BLOCK;
        let (front, end) = bytes.split_at_mut(tail);
        let (last, short) = end.split_at_mut(BLOCK);
        let mut before = [0; BLOCK];
        if let Some(at) = tail.checked_sub(BLOCK) {
            before.copy_from_slice(&front[at..]);
        }
        let sealed = front.to_vec();
        self.decrypt(front);
        if let Some(rest) = front.get_mut(BLOCK..) {
            xor(rest, &sealed);
        }
        let mut opened = [0; BLOCK];
        opened.copy_from_slice(last);
        self.decrypt(&mut opened);
        // What was lent is what the opened last block still has behind its plain bytes.
        let mut lent = opened;
        lent[..short.len()].copy_from_slice(short);
        xor(&mut opened, &lent);
        short.copy_from_slice(&opened[..short.len()]);
        self.decrypt(&mut lent);
        xor(&mut lent, &before);
        last.copy_from_slice(&lent);
    }

    fn encrypt(&self, block: &mut Block) {
        match self {
            Self::Of128(aes) => aes.encrypt_block(block),
            Self::Of256(aes) => aes.encrypt_block(block),
        }
    }

    /// Whole blocks, each on its own, several at once where the processor can.
    fn decrypt(&self, bytes: &mut [u8]) {
        let (blocks, _) = Block::slice_as_chunks_mut(bytes);
        match self {
            Self::Of128(aes) => aes.decrypt_blocks(blocks),
            Self::Of256(aes) => aes.decrypt_blocks(blocks),
        }
    }
}

/// Blocks one after the other, with the keys held ready: it is most of the work of long messages.
struct Chain<'a> {
    blocks: &'a mut [Block],
    last: &'a mut Block,
}

impl BlockSizeUser for Chain<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Chain<'_> {
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        for block in self.blocks {
            xor(block, self.last);
            backend.encrypt_block_inplace(block);
            *self.last = *block;
        }
    }
}

fn xor(bytes: &mut [u8], with: &[u8]) {
    for (byte, other) in bytes.iter_mut().zip(with) {
        *byte ^= other;
    }
}
