//! Encryption types (RFC 3961): AES with HMAC-SHA1 (RFC 3962) and with HMAC-SHA2 (RFC 8009).
//!
//! ```text
//!   17, 18:  encrypt(confounder | plain) | HMAC(confounder | plain)      keys by n-fold
//!   19, 20:  encrypt(confounder | plain) | HMAC(zeros | ciphertext)      keys by HMAC
//! ```
//!
//! No others: DES and RC4 are broken (RFC 6649, RFC 8429).

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
/// than the default would help whoever guesses passwords, many more would only keep us busy.
const MOST_ROUNDS: u32 = 1_000_000;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits = text
            .bytes()
            .filter_map(|digit| (digit as char).to_digit(16));
        let digits: Vec<u8> = digits.map(|digit| digit as u8).collect();
        digits.chunks(2).map(|two| two[0] << 4 | two[1]).collect()
    }

    fn random() -> Random {
        Random::new(Zeroizing::new([1; 32]))
    }

    /// RFC 3961 appendix A.1.
    #[test]
    fn folding_is_that_of_the_specification() {
        assert_eq!(
            fold(b"kerberos")[..],
            hex("6b65726265726f737b9b5b2b93132b93")
        );
    }

    /// RFC 3962 appendix B: CBC with stealing, and lengths about the block.
    #[test]
    fn ciphertext_is_stolen_as_specified() {
        let aes = Aes::new(b"chicken teriyaki").expect("a key");
        let plain = b"I would like the General Gau's Chicken, please, and wonton soup.";
        for (length, sealed) in [
            (17, "c6353568f2bf8cb4d8a580362da7ff7f 97"),
            (
                31,
                "fc00783e0efdb2c1d445d4c8eff7ed22 97687268d6ecccc0c07b25e25ecfe5",
            ),
            (
                32,
                "39312523a78662d5be7fcbcc98ebf5a8 97687268d6ecccc0c07b25e25ecfe584",
            ),
            (
                47,
                "97687268d6ecccc0c07b25e25ecfe584 b3fffd940c16a18c1b5549d2f838029e \
                 39312523a78662d5be7fcbcc98ebf5",
            ),
            (
                64,
                "97687268d6ecccc0c07b25e25ecfe584 39312523a78662d5be7fcbcc98ebf5a8 \
                 4807efe836ee89a526730dbc2f7bc840 9dad8bbb96c4cdc03bc103e1a194bbd8",
            ),
        ] {
            let mut bytes = plain[..length].to_vec();
            aes.seal(&mut bytes);
            assert_eq!(bytes, hex(sealed), "{length}");
            aes.open(&mut bytes);
            assert_eq!(bytes, &plain[..length]);
        }
    }

    /// RFC 3962 appendix B, RFC 8009 appendix A.
    #[test]
    fn passwords_become_the_keys_of_the_specification() {
        let salt = b"ATHENA.MIT.EDUraeburn";
        let random = hex("10df9dd783e5bc8acea1730e74355f61");
        let salted = [&random, &salt[..]].concat();
        for (enctype, salt, rounds, key) in [
            (Aes128Sha1, &salt[..], 1, "42263c6e89f4fc28b8df68ee09799f15"),
            (
                Aes256Sha1,
                salt,
                1,
                "fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161",
            ),
            (Aes128Sha1, salt, 1200, "4c01cd46d632d01e6dbe230a01ed642a"),
            (
                Aes256Sha1,
                salt,
                1200,
                "55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a",
            ),
            (
                Aes128Sha256,
                &salted,
                32768,
                "089bca48b105ea6ea77ca5d2f39dc5e7",
            ),
            (
                Aes256Sha384,
                &salted,
                32768,
                "45bd806dbf6a833a9cffc1c94589a222367a79bc21c413718906e9f578a78467",
            ),
        ] {
            let made = Key::stretched(enctype, "password", salt, rounds);
            assert_eq!(made.bytes(), hex(key), "{enctype:?}, {rounds}");
        }
    }

    #[test]
    fn rounds_are_bounded() {
        let rounds = |enctype: Enctype, rounds: u32| enctype.rounds_of(Some(&rounds.to_be_bytes()));
        assert_eq!(rounds(Aes256Sha1, 4096), Some(4096));
        assert_eq!(Aes256Sha384.rounds_of(None), Some(32768));
        // 0 stands for 2^32.
        for bad in [0, 1, 4095, MOST_ROUNDS + 1, u32::MAX] {
            assert_eq!(rounds(Aes256Sha1, bad), None, "{bad}");
        }
        assert_eq!(rounds(Aes256Sha384, 4096), None);
        assert_eq!(Aes256Sha1.rounds_of(Some(b"abc")), None);
    }

    /// RFC 8009 appendix A, with their confounders in front.
    #[test]
    fn what_others_have_sealed_opens() {
        let plain = hex("000102030405060708090a0b0c0d0e0f1011121314");
        let of_128 = "3705d96080c17728a0e800eab6e0d23c";
        let of_256 = "6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52";
        for (enctype, key, length, sealed) in [
            (
                19,
                of_128,
                0,
                "ef85fb890bb8472f4dab20394dca781dad877eda39d50c870c0d5a0a8e48c718",
            ),
            (
                19,
                of_128,
                6,
                "84d7f30754ed987bab0bf3506beb09cfb55402cef7e6877ce99e247e52d16ed4421dfdf8976c",
            ),
            (
                19,
                of_128,
                16,
                "3517d640f50ddc8ad3628722b3569d2ae07493fa8263254080ea65c1008e8fc2\
                 95fb4852e7d83e1e7c48c37eebe6b0d3",
            ),
            (
                19,
                of_128,
                21,
                "720f73b18d9859cd6ccb4346115cd336c70f58edc0c4437c5573544c31c813bc\
                 e1e6d072c186b39a413c2f92ca9b8334a287ffcbfc",
            ),
            (
                20,
                of_256,
                6,
                "4ed7b37c2bcac8f74f23c1cf07e62bc7b75fb3f637b9f559c7f664f69eab7b60\
                 92237526ea0d1f61cb20d69d10f2",
            ),
            (
                20,
                of_256,
                21,
                "40013e2df58e8751957d2878bcd2d6fe101ccfd556cb1eae79db3c3ee86429f2\
                 b2a602ac86fef6ecb647d6295fae077a1feb517508d2c16b4192e01f62",
            ),
        ] {
            let key = Key::new(enctype, &hex(key)).expect("a key");
            let opened = key.open(2, &hex(sealed)).expect("theirs");
            assert_eq!(*opened, plain[..length]);
            assert_eq!(key.open(3, &hex(sealed)), None, "another usage");
        }
    }

    /// Checksums that other implementations have: RFC 8009 appendix A, and MIT's own tests.
    #[test]
    fn checksums_are_those_of_others() {
        let bytes = hex("000102030405060708090a0b0c0d0e0f1011121314");
        for (enctype, key, usage, text, mac) in [
            (
                17,
                "9062430c8cda3388922e6d6a509f5b7a",
                3,
                &b"eight nine ten eleven twelve thirteen"[..],
                "01a4b088d45628f6946614e3",
            ),
            (
                18,
                "b1ae4cd8462aff1677053cc9279aac30b796fb81ce21474dd3ddbcfea4ec76d7",
                4,
                b"fourteen",
                "e08739e3279e2903ec8e3836",
            ),
            (
                19,
                "3705d96080c17728a0e800eab6e0d23c",
                2,
                &bytes,
                "d78367186643d67b411cba9139fc1dee",
            ),
            (
                20,
                "6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52",
                2,
                &bytes,
                "45ee791567eefca37f4ac1e0222de80d43c3bfa06699672a",
            ),
        ] {
            let signer = Key::new(enctype, &hex(key)).expect("a key").signer(usage);
            let (front, back) = text.split_at(5);
            assert_eq!(*signer.sign(&[front, back]), hex(mac), "{enctype}");
            assert!(signer.is_good(&[text], &hex(mac)));
            assert!(!signer.is_good(&[text], &hex(mac)[1..]));
        }
    }

    #[test]
    fn other_types_and_lengths_are_no_keys() {
        for enctype in [1, 3, 16, 23, 24, 0xffff] {
            assert!(Key::new(enctype, &[0; 16]).is_none(), "{enctype}");
        }
        assert!(Key::new(18, &[0; 16]).is_none());
        let key = Key::new(18, &[0x41; 32]).expect("a key");
        assert_eq!(format!("{key:?}"), "Key(Aes256Sha1)");
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_and_nothing_else_does(
            at in 0usize..4,
            plain in proptest::collection::vec(any::<u8>(), 0..200),
            change in any::<usize>(),
        ) {
            let key = Key::drawn(Enctype::ALL[at], &mut random());
            let mut sealed = key.seal(7, &plain, &mut random());
            prop_assert_eq!(sealed.len(), plain.len() + key.sealer(7).overhead());
            let opened = key.open(7, &sealed);
            prop_assert_eq!(opened.as_ref().map(|opened| &opened[..]), Some(&plain[..]));
            let at = change % sealed.len();
            prop_assert!(key.open(7, &sealed[..at]).is_none());
            sealed[at] ^= 1;
            prop_assert!(key.open(7, &sealed).is_none());
        }
    }
}
