//! Encryption types (RFC 3961): AES with HMAC-SHA1 (RFC 3962) and with HMAC-SHA2 (RFC 8009).
//!
//! ```text
//!   17, 18:  encrypt(confounder | plain) | HMAC(confounder | plain)      keys by n-fold
//!   19, 20:  encrypt(confounder | plain) | HMAC(zeros | ciphertext)      keys by HMAC
//! ```
//!
//! No others: DES and RC4 are broken (RFC 6649, RFC 8429).

#[cfg(test)]
mod tests;

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha384};
use zeroize::{Zeroize as _, Zeroizing};

use super::aes::{Aes, BLOCK};
use super::random::Random;

/// What comes first in what is encrypted, so that nothing is encrypted to the same twice.
pub(super) const CONFOUNDER: usize = BLOCK;

/// Rounds from a password to a key that are taken from a KDC. Nobody vouches for its hint: fewer
/// than the default would help whoever guesses passwords, many more would only keep us busy, in the middle of all that
/// is under way besides. This is three times the larger default.
const MOST_ROUNDS: u32 = 100_000;

/// An encryption type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enctype {
    Aes128Sha1,
    Aes256Sha1,
    Aes128Sha256,
    Aes256Sha384,
}

use Enctype::{Aes128Sha1, Aes128Sha256, Aes256Sha1, Aes256Sha384};

impl Enctype {
    /// All, in order of preference.
    pub(super) const ALL: [Self; 4] = [Aes256Sha1, Aes128Sha1, Aes256Sha384, Aes128Sha256];

    pub(super) fn of(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.number() == number)
    }

    /// Its number (RFC 3962 section 7, RFC 8009 section 7).
    pub(super) fn number(self) -> u16 {
        match self {
            Aes128Sha1 => 17,
            Aes256Sha1 => 18,
            Aes128Sha256 => 19,
            Aes256Sha384 => 20,
        }
    }

    /// The number of its checksums.
    pub(super) fn checksum(self) -> u16 {
        match self {
            Aes128Sha1 => 15,
            Aes256Sha1 => 16,
            Aes128Sha256 => 19,
            Aes256Sha384 => 20,
        }
    }

    fn key_length(self) -> usize {
        match self {
            Aes128Sha1 | Aes128Sha256 => 16,
            Aes256Sha1 | Aes256Sha384 => 32,
        }
    }

    /// Bytes of a checksum.
    pub(super) fn mac_length(self) -> usize {
        match self {
            Aes128Sha1 | Aes256Sha1 => 12,
            Aes128Sha256 => 16,
            Aes256Sha384 => 24,
        }
    }

    /// Rounds where nobody says how many.
    fn rounds(self) -> u32 {
        match self {
            Aes128Sha1 | Aes256Sha1 => 4096,
            Aes128Sha256 | Aes256Sha384 => 32768,
        }
    }

    /// Which rounds are meant by a KDC's parameters (RFC 3962 section 4); `None`: such as are not taken.
    fn rounds_of(self, parameters: Option<&[u8]>) -> Option<u32> {
        let Some(parameters) = parameters else {
            return Some(self.rounds());
        };
        let rounds = u32::from_be_bytes(parameters.try_into().ok()?);
        (self.rounds()..=MOST_ROUNDS)
            .contains(&rounds)
            .then_some(rounds)
    }

    /// HMAC over several pieces, not yet cut to the length of a checksum.
    fn hmac(self, key: &[u8], pieces: &[&[u8]]) -> Zeroizing<Vec<u8>> {
        match self {
            Aes128Sha1 | Aes256Sha1 => hmac::<Hmac<Sha1>>(key, pieces),
            Aes128Sha256 => hmac::<Hmac<Sha256>>(key, pieces),
            Aes256Sha384 => hmac::<Hmac<Sha384>>(key, pieces),
        }
    }
}

/// A key for one encryption type.
#[derive(Clone)]
pub(super) struct Key {
    enctype: Enctype,
    bytes: Zeroizing<Vec<u8>>,
}

impl Key {
    /// `None`: a type that is not taken, or a key of another length than its.
    pub(super) fn new(enctype: u16, bytes: &[u8]) -> Option<Self> {
        let enctype = Enctype::of(enctype)?;
        (bytes.len() == enctype.key_length()).then(|| Self {
            enctype,
            bytes: Zeroizing::new(bytes.to_vec()),
        })
    }

    pub(super) fn drawn(enctype: Enctype, random: &mut Random) -> Self {
        let mut bytes = Zeroizing::new(vec![0; enctype.key_length()]);
        random.fill(&mut bytes);
        Self { enctype, bytes }
    }

    /// From a password (RFC 3962 section 4, RFC 8009 section 4); `None`: the parameters are
    /// not such as are taken.
    pub(super) fn of_password(
        enctype: Enctype,
        password: &str,
        salt: &[u8],
        parameters: Option<&[u8]>,
    ) -> Option<Self> {
        let rounds = enctype.rounds_of(parameters)?;
        Some(Self::stretched(enctype, password, salt, rounds))
    }

    fn stretched(enctype: Enctype, password: &str, salt: &[u8], rounds: u32) -> Self {
        let password = password.as_bytes();
        let mut bytes = Zeroizing::new(vec![0; enctype.key_length()]);
        match enctype {
            Aes128Sha1 | Aes256Sha1 => {
                pbkdf2_hmac::<Sha1>(password, salt, rounds, &mut bytes);
            }
            Aes128Sha256 => {
                let salt = [&b"aes128-cts-hmac-sha256-128\0"[..], salt].concat();
                pbkdf2_hmac::<Sha256>(password, &salt, rounds, &mut bytes);
            }
            Aes256Sha384 => {
                let salt = [&b"aes256-cts-hmac-sha384-192\0"[..], salt].concat();
                pbkdf2_hmac::<Sha384>(password, &salt, rounds, &mut bytes);
            }
        }
        let length = enctype.key_length();
        let bytes = Self { enctype, bytes }.derived(b"kerberos", length);
        Self { enctype, bytes }
    }

    pub(super) fn enctype(&self) -> Enctype {
        self.enctype
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn seal(&self, usage: u32, plain: &[u8], random: &mut Random) -> Vec<u8> {
        let mut out = Vec::new();
        self.sealer(usage).seal(&[plain], random, &mut out);
        out
    }

    /// `None`: it was not sealed with this key for that usage.
    pub(super) fn open(&self, usage: u32, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.sealer(usage).open(sealed)
    }

    /// For many messages of one usage.
    pub(super) fn sealer(&self, usage: u32) -> Sealer {
        let cipher = self.derived(&constant(usage, 0xaa), self.enctype.key_length());
        Sealer {
            enctype: self.enctype,
            // Its length is one that the cipher has.
            cipher: Aes::new(&cipher),
            integrity: self.derived(&constant(usage, 0x55), self.integrity_length()),
        }
    }

    /// For many checksums of one usage.
    pub(super) fn signer(&self, usage: u32) -> Signer {
        Signer {
            enctype: self.enctype,
            key: self.derived(&constant(usage, 0x99), self.integrity_length()),
        }
    }

    /// Of a key for checksums. RFC 8009 section 5: that of the checksum.
    fn integrity_length(&self) -> usize {
        match self.enctype {
            Aes128Sha1 | Aes256Sha1 => self.enctype.key_length(),
            Aes128Sha256 | Aes256Sha384 => self.enctype.mac_length(),
        }
    }

    /// DK of RFC 3961 section 5.1, or KDF-HMAC-SHA2 of RFC 8009 section 3.
    fn derived(&self, constant: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(Vec::with_capacity(64));
        match self.enctype {
            Aes128Sha1 | Aes256Sha1 => {
                let mut block = Zeroizing::new(fold(constant));
                let Some(aes) = Aes::new(&self.bytes) else {
                    return key;
                };
                while key.len() < length {
                    aes.block(&mut block);
                    key.extend_from_slice(&*block);
                }
            }
            Aes128Sha256 | Aes256Sha384 => {
                let bits = (length as u32 * 8).to_be_bytes();
                let pieces = [&[0, 0, 0, 1][..], constant, &[0], &bits];
                key.extend_from_slice(&self.enctype.hmac(&self.bytes, &pieces));
            }
        }
        key.truncate(length);
        key
    }
}

/// No key.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.enctype)
    }
}

/// The keys of one usage, for secrets.
#[derive(Clone)]
pub(super) struct Sealer {
    enctype: Enctype,
    cipher: Option<Aes>,
    integrity: Zeroizing<Vec<u8>>,
}

impl Sealer {
    /// What is added to the plain bytes.
    pub(super) fn overhead(&self) -> usize {
        CONFOUNDER + self.enctype.mac_length()
    }

    /// Appends the pieces, as one message.
    pub(super) fn seal(&self, pieces: &[&[u8]], random: &mut Random, out: &mut Vec<u8>) {
        let begin = out.len();
        let plain = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        out.reserve(plain + self.overhead());
        out.extend_from_slice(&random.array::<CONFOUNDER>());
        for piece in pieces {
            out.extend_from_slice(piece);
        }
        let before = self.is_over_plain().then(|| self.mac(&out[begin..]));
        if let Some(cipher) = &self.cipher {
            cipher.seal(&mut out[begin..]);
        }
        let mac = before.unwrap_or_else(|| self.mac(&out[begin..]));
        out.extend_from_slice(&mac);
    }

    /// `None`: it was changed, or is for somebody else.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let length = sealed.len().checked_sub(self.enctype.mac_length())?;
        let (sealed, mac) = sealed.split_at(length);
        if length < CONFOUNDER {
            return None;
        }
        if !self.is_over_plain() && !same(&self.mac(sealed), mac) {
            return None;
        }
        let mut plain = Zeroizing::new(sealed.to_vec());
        self.cipher.as_ref()?.open(&mut plain);
        if self.is_over_plain() && !same(&self.mac(&plain), mac) {
            return None;
        }
        plain.drain(..CONFOUNDER);
        Some(plain)
    }

    fn is_over_plain(&self) -> bool {
        matches!(self.enctype, Aes128Sha1 | Aes256Sha1)
    }

    fn mac(&self, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
        // RFC 8009 section 5: the initial vector is part of it.
        let vector: &[u8] = match self.is_over_plain() {
            true => &[],
            false => &[0; BLOCK],
        };
        let mut mac = self.enctype.hmac(&self.integrity, &[vector, bytes]);
        mac.truncate(self.enctype.mac_length());
        mac
    }
}

/// The key of one usage, for checksums.
#[derive(Clone)]
pub(super) struct Signer {
    enctype: Enctype,
    key: Zeroizing<Vec<u8>>,
}

impl Signer {
    pub(super) fn length(&self) -> usize {
        self.enctype.mac_length()
    }

    pub(super) fn sign(&self, pieces: &[&[u8]]) -> Zeroizing<Vec<u8>> {
        let mut mac = self.enctype.hmac(&self.key, pieces);
        mac.truncate(self.enctype.mac_length());
        mac
    }

    pub(super) fn is_good(&self, pieces: &[&[u8]], mac: &[u8]) -> bool {
        same(&self.sign(pieces), mac)
    }
}

fn hmac<M: Mac + KeyInit>(key: &[u8], pieces: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else {
        return Zeroizing::default();
    };
    pieces.iter().for_each(|piece| mac.update(piece));
    let mut tag = mac.finalize().into_bytes();
    let out = Zeroizing::new(tag.to_vec());
    tag.as_mut_slice().zeroize();
    out
}

/// A usage, and what the key is for (RFC 3961 section 5.3).
fn constant(usage: u32, purpose: u8) -> [u8; 5] {
    let [a, b, c, d] = usage.to_be_bytes();
    [a, b, c, d, purpose]
}

/// Without telling by its time where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differ = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && core::hint::black_box(differ) == 0
}

/// n-fold to a block (RFC 3961 section 5.1): copies, each turned right by 13 bits more than the one
/// before, are added with the carry going round.
fn fold(input: &[u8]) -> [u8; BLOCK] {
    let length = input.len().max(1);
    let whole = lcm(length, BLOCK);
    let bit = |at: usize| {
        let turned = 13 * (at / (8 * length));
        let from = (at % (8 * length) + 8 * length * 13 - turned % (8 * length)) % (8 * length);
        input
            .get(from / 8)
            .map_or(0, |byte| byte >> (7 - from % 8) & 1)
    };
    let byte = |at: usize| (0..8).fold(0, |sum, n| sum << 1 | u32::from(bit(8 * at + n)));
    let mut sums = [0u32; BLOCK];
    for at in 0..whole {
        sums[at % BLOCK] += byte(at);
    }
    // Carries go to the left, and from the left end back to the right one.
    while sums.iter().any(|sum| *sum > 0xff) {
        let mut carries = [0; BLOCK];
        for at in 0..BLOCK {
            carries[(at + BLOCK - 1) % BLOCK] = sums[at] >> 8;
            sums[at] &= 0xff;
        }
        for (sum, carry) in sums.iter_mut().zip(carries) {
            *sum += carry;
        }
    }
    sums.map(|sum| sum as u8)
}

fn lcm(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}
