//! Keys and what is done with them (RFC 3961, 3962 and 8009), apart from the library's own: what
//! one side gets wrong the other one does not understand.

use aws_lc_rs::cipher::{
    AES_128, AES_256, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::{hmac, pbkdf2};
use core::num::NonZeroU32;
use fastrand::Rng;

use super::der;

const BLOCK: usize = 16;

/// An encryption type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Etype {
    /// aes128-cts-hmac-sha1-96.
    Aes128Sha1 = 17,
    /// aes256-cts-hmac-sha1-96.
    Aes256Sha1 = 18,
    /// aes128-cts-hmac-sha256-128.
    Aes128Sha2 = 19,
    /// aes256-cts-hmac-sha384-192.
    Aes256Sha2 = 20,
}

use Etype::{Aes128Sha1, Aes128Sha2, Aes256Sha1, Aes256Sha2};

/// All of them.
pub const ETYPES: [Etype; 4] = [Aes128Sha1, Aes256Sha1, Aes128Sha2, Aes256Sha2];

impl Etype {
    /// That of this number.
    pub fn of(number: i64) -> Option<Self> {
        ETYPES.into_iter().find(|etype| etype.number() == number)
    }

    /// Its number.
    pub fn number(self) -> i64 {
        self as i64
    }

    /// How often passwords are hashed: clients take no fewer rounds than usual.
    pub(super) fn rounds(self) -> NonZeroU32 {
        let rounds = if self.is_sha1() { 4095 } else { 32_767 };
        NonZeroU32::MIN.saturating_add(rounds)
    }

    fn length(self) -> usize {
        match self {
            Aes128Sha1 | Aes128Sha2 => 16,
            Aes256Sha1 | Aes256Sha2 => 32,
        }
    }

    fn is_sha1(self) -> bool {
        matches!(self, Aes128Sha1 | Aes256Sha1)
    }

    fn hash(self) -> hmac::Algorithm {
        match self {
            Aes128Sha1 | Aes256Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Aes128Sha2 => hmac::HMAC_SHA256,
            Aes256Sha2 => hmac::HMAC_SHA384,
        }
    }

    /// Bytes of a checksum.
    fn tag(self) -> usize {
        match self {
            Aes128Sha1 | Aes256Sha1 => 12,
            Aes128Sha2 => 16,
            Aes256Sha2 => 24,
        }
    }

    /// The number of its checksum type.
    pub fn checksum(self) -> i64 {
        match self {
            Aes128Sha1 => 15,
            Aes256Sha1 => 16,
            Aes128Sha2 => 19,
            Aes256Sha2 => 20,
        }
    }
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub(super) etype: Etype,
    pub(super) bytes: Vec<u8>,
}

impl Key {
    /// A new one.
    pub fn random(etype: Etype, rng: &mut Rng) -> Self {
        let mut bytes = vec![0; etype.length()];
        rng.fill(&mut bytes);
        Self { etype, bytes }
    }

    /// From a password.
    pub fn of_password(etype: Etype, password: &str, salt: &str, rounds: NonZeroU32) -> Self {
        let mut bytes = vec![0; etype.length()];
        let (algorithm, prefix): (_, &[u8]) = match etype {
            Aes128Sha1 | Aes256Sha1 => (pbkdf2::PBKDF2_HMAC_SHA1, b""),
            Aes128Sha2 => (pbkdf2::PBKDF2_HMAC_SHA256, b"aes128-cts-hmac-sha256-128\0"),
            Aes256Sha2 => (pbkdf2::PBKDF2_HMAC_SHA384, b"aes256-cts-hmac-sha384-192\0"),
        };
        let salt = [prefix, salt.as_bytes()].concat();
        pbkdf2::derive(algorithm, rounds, &salt, password.as_bytes(), &mut bytes);
        let first = Self { etype, bytes };
        let bytes = first.derive(b"kerberos", etype.length());
        Self { etype, bytes }
    }

    /// A keytab with it, as that of a user (version 2: lengths, and everything big-endian).
    pub fn keytab(&self, realm: &str, user: &str) -> Vec<u8> {
        let counted = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
        let entry = [
            &[0, 1][..],
            &counted(realm.as_bytes()),
            &counted(user.as_bytes()),
            // A plain name, written in 1970, key version 1.
            &[0, 0, 0, 1, 0, 0, 0, 0, 1],
            &[0, self.etype as u8],
            &counted(&self.bytes),
        ];
        let entry = entry.concat();
        [&[5, 2][..], &(entry.len() as u32).to_be_bytes(), &entry].concat()
    }

    /// EncryptionKey.
    pub(super) fn encode(&self) -> Vec<u8> {
        let etype = der::integer(self.etype.number());
        der::fields(&[(0, etype), (1, der::octets(&self.bytes))])
    }

    pub(super) fn decode(der: &[u8]) -> Option<Self> {
        let etype = Etype::of(der::read_integer(der::field(der, 0)?)?)?;
        let bytes = der::within(der::field(der, 1)?, der::OCTETS)?.to_vec();
        (bytes.len() == etype.length()).then_some(Self { etype, bytes })
    }

    /// EncryptedData.
    pub(super) fn seal(&self, usage: u32, plain: &[u8], rng: &mut Rng) -> Vec<u8> {
        let etype = der::integer(self.etype.number());
        let cipher = der::octets(&self.encrypt(usage, plain, rng));
        der::fields(&[(0, etype), (1, der::integer(1)), (2, cipher)])
    }

    /// What is in EncryptedData.
    pub(super) fn open(&self, usage: u32, sealed: &[u8]) -> Option<Vec<u8>> {
        let etype = der::read_integer(der::field(sealed, 0)?)?;
        let cipher = der::within(der::field(sealed, 2)?, der::OCTETS)?;
        (etype == self.etype.number()).then_some(())?;
        self.decrypt(usage, cipher)
    }

    fn encrypt(&self, usage: u32, plain: &[u8], rng: &mut Rng) -> Vec<u8> {
        let mut message = vec![0; BLOCK];
        rng.fill(&mut message);
        message.extend_from_slice(plain);
        let mut cipher = message.clone();
        stolen(&self.sealing(usage), &mut cipher);
        let tag = self.tag(usage, &message, &cipher);
        cipher.extend(tag);
        cipher
    }

    fn decrypt(&self, usage: u32, sealed: &[u8]) -> Option<Vec<u8>> {
        let length = sealed.len().checked_sub(self.etype.tag())?;
        let (cipher, tag) = sealed.split_at_checked(length.max(BLOCK))?;
        let mut message = cipher.to_vec();
        unstolen(&self.sealing(usage), &mut message);
        (self.tag(usage, &message, cipher) == tag).then(|| message.split_off(BLOCK))
    }

    /// The checksum of a message, and nothing else.
    pub(super) fn sign(&self, usage: u32, message: &[u8]) -> Vec<u8> {
        let key = self.derive(&constant(usage, 0x99), self.signing());
        self.hmac(&key, message)
    }

    /// The key to encrypt with.
    fn sealing(&self, usage: u32) -> Vec<u8> {
        self.derive(&constant(usage, 0xaa), self.etype.length())
    }

    fn tag(&self, usage: u32, message: &[u8], cipher: &[u8]) -> Vec<u8> {
        let key = self.derive(&constant(usage, 0x55), self.signing());
        match self.etype.is_sha1() {
            true => self.hmac(&key, message),
            false => self.hmac(&key, &[&[0; BLOCK], cipher].concat()),
        }
    }

    /// Bytes of a key for checksums.
    fn signing(&self) -> usize {
        match self.etype.is_sha1() {
            true => self.etype.length(),
            false => self.etype.tag(),
        }
    }

    fn hmac(&self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let key = hmac::Key::new(self.etype.hash(), key);
        hmac::sign(&key, message).as_ref()[..self.etype.tag()].to_vec()
    }

    fn derive(&self, constant: &[u8], length: usize) -> Vec<u8> {
        if self.etype.is_sha1() {
            let mut block = fold(constant);
            let mut out = Vec::new();
            while out.len() < length {
                encrypt_block(&self.bytes, &mut block);
                out.extend_from_slice(&block);
            }
            return out;
        }
        let bits = (length as u32 * 8).to_be_bytes();
        let input = [&1u32.to_be_bytes(), constant, &[0], &bits].concat();
        let key = hmac::Key::new(self.etype.hash(), &self.bytes);
        hmac::sign(&key, &input).as_ref()[..length].to_vec()
    }
}

fn constant(usage: u32, kind: u8) -> [u8; 5] {
    let [a, b, c, d] = usage.to_be_bytes();
    [a, b, c, d, kind]
}

/// The n-fold of RFC 3961 section 5.1, to one block: copies, each turned by 13 bits more, added in
/// ones' complement.
fn fold(input: &[u8]) -> [u8; BLOCK] {
    let bits = input.len() * 8;
    let mut copies = Vec::new();
    for copy in 0.. {
        let whole = copies.len().is_multiple_of(BLOCK) && copy > 0;
        if whole {
            break;
        }
        for byte in 0..input.len() {
            let bit = |at: usize| {
                let at = (byte * 8 + at + bits * 13 - copy * 13 % bits) % bits;
                input[at / 8] >> (7 - at % 8) & 1
            };
            copies.push((0..8).fold(0, |out, at| out << 1 | bit(at)));
        }
    }
    let mut sum = [0; BLOCK];
    for block in copies.chunks(BLOCK) {
        let mut carry = 0;
        // Once more for the carry that leaves at the front and comes in again at the back.
        for addend in [block, &[0; BLOCK]] {
            for (byte, add) in sum.iter_mut().zip(addend).rev() {
                carry += u16::from(*byte) + u16::from(*add);
                *byte = carry as u8;
                carry >>= 8;
            }
        }
    }
    sum
}

fn cipher_key(key: &[u8]) -> Option<UnboundCipherKey> {
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    UnboundCipherKey::new(algorithm, key).ok()
}

/// # Panics
/// If AES refuses a key or a block of the right length.
fn encrypt_block(key: &[u8], block: &mut [u8]) {
    let key = cipher_key(key).and_then(|key| EncryptingKey::ecb(key).ok());
    let done = key.and_then(|key| key.encrypt(block).ok());
    assert!(done.is_some(), "AES takes a block");
}

/// # Panics
/// As [`encrypt_block`].
fn decrypt_block(key: &[u8], block: &mut [u8]) {
    let key = cipher_key(key).and_then(|key| DecryptingKey::ecb(key).ok());
    let done = key.and_then(|key| key.decrypt(block, DecryptionContext::None).ok().map(drop));
    assert!(done.is_some(), "AES takes a block");
}

fn xor(to: &mut [u8], with: &[u8]) {
    to.iter_mut().zip(with).for_each(|(to, with)| *to ^= with);
}

/// CBC with ciphertext stealing and no vector: the last two blocks are exchanged.
fn stolen(key: &[u8], message: &mut Vec<u8>) {
    let length = message.len();
    message.resize(length.next_multiple_of(BLOCK), 0);
    let mut before = [0; BLOCK];
    for block in message.chunks_mut(BLOCK) {
        xor(block, &before);
        encrypt_block(key, block);
        before.copy_from_slice(block);
    }
    if length > BLOCK {
        let last = message.len() - BLOCK;
        message[last - BLOCK..].rotate_left(BLOCK);
    }
    message.truncate(length);
}

fn unstolen(key: &[u8], message: &mut Vec<u8>) {
    let length = message.len();
    if length > BLOCK {
        let whole = length.next_multiple_of(BLOCK);
        let last = whole - BLOCK;
        // What was stolen is in the block that stands before.
        let mut lender = message[last - BLOCK..last].to_vec();
        decrypt_block(key, &mut lender);
        message.extend_from_slice(&lender[length - last..]);
        message[last - BLOCK..].rotate_left(BLOCK);
    }
    let mut before = [0; BLOCK];
    for block in message.chunks_mut(BLOCK) {
        let this: [u8; BLOCK] = block.try_into().unwrap_or_default();
        decrypt_block(key, block);
        xor(block, &before);
        before = this;
    }
    message.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn passwords_make_the_keys_of_the_specifications() {
        // RFC 3962 appendix B.
        let salt = "ATHENA.MIT.EDUraeburn";
        let of = |etype, rounds| {
            let rounds = NonZeroU32::new(rounds).expect("not none");
            hex(&Key::of_password(etype, "password", salt, rounds).bytes)
        };
        assert_eq!(of(Aes128Sha1, 1), "42263c6e89f4fc28b8df68ee09799f15");
        assert_eq!(
            of(Aes256Sha1, 1),
            "fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161"
        );
        assert_eq!(of(Aes128Sha1, 2), "c651bf29e2300ac27fa469d693bdda13");
    }

    #[test]
    fn what_is_sealed_is_opened_and_damage_seen() {
        let mut rng = Rng::with_seed(1);
        for etype in ETYPES {
            let key = Key::random(etype, &mut rng);
            for length in [0, 1, 15, 16, 17, 31, 32, 33, 500] {
                let plain = vec![7; length];
                let mut sealed = key.encrypt(3, &plain, &mut rng);
                assert_eq!(key.decrypt(3, &sealed).as_ref(), Some(&plain), "{etype:?}");
                assert_eq!(key.decrypt(4, &sealed), None);
                let at = rng.usize(0..sealed.len());
                sealed[at] ^= 1;
                assert_eq!(key.decrypt(3, &sealed), None);
            }
        }
    }

    #[test]
    fn keys_are_derived_as_the_specification_says() {
        // RFC 8009 appendix A.
        let bytes = [
            0x37, 0x05, 0xd9, 0x60, 0x80, 0xc1, 0x77, 0x28, 0xa0, 0xe8, 0x00, 0xea, 0xb6, 0xe0,
            0xd2, 0x3c,
        ];
        let key = Key {
            etype: Aes128Sha2,
            bytes: bytes.to_vec(),
        };
        let of = |kind| hex(&key.derive(&constant(2, kind), 16));
        assert_eq!(of(0x99), "b31a018a48f54776f403e9a396325dc3");
        assert_eq!(of(0xaa), "9b197dd1e8c5609d6e67c3e37c62c72e");
        assert_eq!(of(0x55), "9fda0e56ab2d85e1569a688696c26a6c");
    }

    #[test]
    fn folds_are_those_of_the_specification() {
        // RFC 3961 appendix A.1: "kerberos" in 128 bits.
        assert_eq!(hex(&fold(b"kerberos")), "6b65726265726f737b9b5b2b93132b93");
    }
}
