//! Messages under a context (RFC 4121 section 4.2): wrapped, or signed apart.
//!
//! ```text
//!   04 04 flags ff*5      number                 checksum(message | header)
//!   05 04 flags ff EC RRC number  confidential:  encrypt(message | header)
//!                                 otherwise:     message | checksum(message | header)
//! ```
//!
//! What comes behind a wrap's header may be turned right by RRC bytes.

use super::crypto::{Key, Sealer, Signer};
use super::random::Random;

/// The header of a token.
const HEADER: usize = 16;

const BY_ACCEPTOR: u8 = 1;
const SEALED: u8 = 2;
const BY_ITS_KEY: u8 = 4;

/// RFC 4121 section 2.
mod usage {
    pub(super) const ACCEPTOR_SEAL: u32 = 22;
    pub(super) const ACCEPTOR_SIGN: u32 = 23;
    pub(super) const INITIATOR_SEAL: u32 = 24;
    pub(super) const INITIATOR_SIGN: u32 = 25;
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is none of this context's.
    Malformed,
    /// It is not what the peer has made.
    Changed,
    /// It came before, or one before it did not come.
    OutOfOrder,
}

/// One direction's keys and number.
struct Direction {
    flags: u8,
    sealer: Sealer,
    /// For wraps that are not confidential.
    wrapper: Signer,
    signer: Signer,
    number: u64,
}

/// Both directions, from one side.
pub(super) struct Messages {
    ours: Direction,
    theirs: Direction,
    random: Random,
}

impl Messages {
    /// Of an initiator; `its`: whether the key is one that the acceptor has made.
    pub(super) fn new(key: &Key, its: bool, numbers: [u32; 2], random: Random) -> Self {
        let key_flag = if its { BY_ITS_KEY } else { 0 };
        let [ours, theirs] = numbers.map(u64::from);
        Self {
            ours: Direction {
                flags: key_flag,
                sealer: key.sealer(usage::INITIATOR_SEAL),
                wrapper: key.signer(usage::INITIATOR_SEAL),
                signer: key.signer(usage::INITIATOR_SIGN),
                number: ours,
            },
            theirs: Direction {
                flags: key_flag | BY_ACCEPTOR,
                sealer: key.sealer(usage::ACCEPTOR_SEAL),
                wrapper: key.signer(usage::ACCEPTOR_SEAL),
                signer: key.signer(usage::ACCEPTOR_SIGN),
                number: theirs,
            },
            random,
        }
    }

    /// The other side of it.
    #[cfg(test)]
    pub(super) fn turned(self) -> Self {
        Self {
            ours: self.theirs,
            theirs: self.ours,
            random: self.random,
        }
    }

    pub(super) fn wrap(&mut self, plain: &[u8], confidential: bool, out: &mut Vec<u8>) {
        let own = &mut self.ours;
        let flags = own.flags | if confidential { SEALED } else { 0 };
        // EC and RRC are zero where they are protected.
        let number = own.number;
        let header = header(0x05, flags, 0, 0, number);
        own.number = number.wrapping_add(1);
        if confidential {
            out.extend_from_slice(&header);
            own.sealer.seal(&[plain, &header], &mut self.random, out);
        } else {
            let mac = own.wrapper.sign(&[plain, &header]);
            let extra = mac.len() as u16;
            out.extend_from_slice(&self::header(0x05, flags, extra, 0, number));
            out.extend_from_slice(plain);
            out.extend_from_slice(&mac);
        }
    }

    /// Appends what the peer has wrapped; gives whether it was confidential.
    pub(super) fn unwrap(&mut self, token: &[u8], out: &mut Vec<u8>) -> Result<bool, Refused> {
        let (head, sealed) = token.split_at_checked(HEADER).ok_or(Refused::Malformed)?;
        let [0x05, 0x04, flags, 0xff, ec0, ec1, rrc0, rrc1, ..] = *head else {
            return Err(Refused::Malformed);
        };
        let own = &mut self.theirs;
        if flags & !SEALED != own.flags {
            return Err(Refused::Malformed);
        }
        let number = number(head);
        let extra = u16::from_be_bytes([ec0, ec1]);
        let turned = usize::from(u16::from_be_bytes([rrc0, rrc1]));
        let mut body = zeroize::Zeroizing::new(sealed.to_vec());
        if let Some(by) = turned.checked_rem(body.len()) {
            body.rotate_left(by);
        }
        let confidential = flags & SEALED != 0;
        if confidential {
            let plain = own.sealer.open(&body).ok_or(Refused::Changed)?;
            let inside = header(0x05, flags, extra, 0, number);
            let length = plain.len().checked_sub(HEADER + usize::from(extra));
            let length = length.ok_or(Refused::Malformed)?;
            if plain[plain.len() - HEADER..] != inside {
                return Err(Refused::Changed);
            }
            own.take(number)?;
            out.extend_from_slice(&plain[..length]);
        } else {
            let length = body.len().checked_sub(usize::from(extra));
            let length = length.ok_or(Refused::Malformed)?;
            let (plain, mac) = body.split_at(length);
            let signed = header(0x05, flags, 0, 0, number);
            if !own.wrapper.is_good(&[plain, &signed], mac) {
                return Err(Refused::Changed);
            }
            own.take(number)?;
            out.extend_from_slice(plain);
        }
        Ok(confidential)
    }

    pub(super) fn wrap_limit(&self, sealed: usize, confidential: bool) -> usize {
        let overhead = match confidential {
            true => 2 * HEADER + self.ours.sealer.overhead(),
            false => HEADER + self.ours.wrapper.length(),
        };
        sealed.saturating_sub(overhead)
    }

    pub(super) fn sign(&mut self, message: &[u8]) -> Vec<u8> {
        let own = &mut self.ours;
        let header = mic_header(own.flags, own.number);
        own.number = own.number.wrapping_add(1);
        let mac = own.signer.sign(&[message, &header]);
        [&header[..], &mac].concat()
    }

    pub(super) fn verify(&mut self, message: &[u8], token: &[u8]) -> Result<(), Refused> {
        let (head, mac) = token.split_at_checked(HEADER).ok_or(Refused::Malformed)?;
        let own = &mut self.theirs;
        let number = number(head);
        if *head != mic_header(own.flags, number) {
            return Err(Refused::Malformed);
        }
        if !own.signer.is_good(&[message, head], mac) {
            return Err(Refused::Changed);
        }
        own.take(number)
    }
}

impl Direction {
    /// On a stream each comes once, and in order.
    fn take(&mut self, number: u64) -> Result<(), Refused> {
        if number != self.number {
            return Err(Refused::OutOfOrder);
        }
        self.number = self.number.wrapping_add(1);
        Ok(())
    }
}

fn header(kind: u8, flags: u8, extra: u16, turned: u16, number: u64) -> [u8; HEADER] {
    let ([a, b], [c, d]) = (extra.to_be_bytes(), turned.to_be_bytes());
    numbered([kind, 0x04, flags, 0xff, a, b, c, d], number)
}

fn mic_header(flags: u8, number: u64) -> [u8; HEADER] {
    numbered([0x04, 0x04, flags, 0xff, 0xff, 0xff, 0xff, 0xff], number)
}

fn numbered(front: [u8; 8], number: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&front);
    header[8..].copy_from_slice(&number.to_be_bytes());
    header
}

fn number(head: &[u8]) -> u64 {
    head[8..]
        .iter()
        .fold(0, |n, byte| n << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    use super::*;
    use crate::rust::crypto::Enctype;

    /// Both sides of a context; `its`: by the acceptor's key.
    fn pair(enctype: Enctype, its: bool) -> (Messages, Messages) {
        let random = || Random::new(Zeroizing::new([3; 32]));
        let key = Key::drawn(enctype, &mut random());
        let side = || Messages::new(&key, its, [7, u32::MAX], random());
        (side(), side().turned())
    }

    /// What an acceptor may do to a token: any turn is the same token.
    fn turn(token: &mut [u8], by: u16) {
        let body = &mut token[HEADER..];
        body.rotate_right(usize::from(by) % body.len());
        token[6..8].copy_from_slice(&by.to_be_bytes());
    }

    #[test]
    fn headers_are_those_of_the_specification() {
        let (mut ours, _) = pair(Enctype::Aes256Sha1, true);
        let mut token = Vec::new();
        ours.wrap(b"plain", false, &mut token);
        assert_eq!(
            token[..16],
            *b"\x05\x04\x04\xff\0\x0c\0\0\0\0\0\0\0\0\0\x07"
        );
        assert_eq!(token[16..21], *b"plain");
        assert_eq!(token.len(), 16 + 5 + 12);
        token.clear();
        ours.wrap(b"plain", true, &mut token);
        assert_eq!(token[..16], *b"\x05\x04\x06\xff\0\0\0\0\0\0\0\0\0\0\0\x08");
        assert_eq!(token.len(), 16 + 16 + 5 + 16 + 12);
        let mic = ours.sign(b"plain");
        assert_eq!(mic[..8], *b"\x04\x04\x04\xff\xff\xff\xff\xff");
        assert_eq!(mic.len(), 16 + 12);
        let (mut theirs, _) = pair(Enctype::Aes256Sha1, false);
        assert_eq!(theirs.sign(b"")[2], 0);
    }

    #[test]
    fn each_comes_once_and_in_order() {
        let (mut ours, mut theirs) = pair(Enctype::Aes128Sha1, false);
        let mut tokens: [Vec<u8>; 3] = Default::default();
        for (at, token) in tokens.iter_mut().enumerate() {
            ours.wrap(&[at as u8], at == 1, token);
        }
        let mut out = Vec::new();
        assert_eq!(theirs.unwrap(&tokens[0], &mut out), Ok(false));
        assert_eq!(
            theirs.unwrap(&tokens[0], &mut out),
            Err(Refused::OutOfOrder)
        );
        assert_eq!(
            theirs.unwrap(&tokens[2], &mut out),
            Err(Refused::OutOfOrder)
        );
        assert_eq!(theirs.unwrap(&tokens[1], &mut out), Ok(true));
        assert_eq!(theirs.unwrap(&tokens[2], &mut out), Ok(false));
        assert_eq!(out, [0, 1, 2]);
        // Signatures count with them.
        let mic = ours.sign(b"m");
        assert_eq!(theirs.verify(b"n", &mic), Err(Refused::Changed));
        assert_eq!(theirs.verify(b"m", &mic), Ok(()));
        assert_eq!(theirs.verify(b"m", &mic), Err(Refused::OutOfOrder));
        // What we have made ourselves does not come from the peer.
        assert_eq!(ours.unwrap(&tokens[0], &mut out), Err(Refused::Malformed));
        assert_eq!(ours.verify(b"m", &mic), Err(Refused::Malformed));
        let (_, mut other) = pair(Enctype::Aes128Sha1, true);
        assert_eq!(other.unwrap(&tokens[0], &mut out), Err(Refused::Malformed));
    }

    #[test]
    fn numbers_go_on_behind_the_last_one_of_32_bits() {
        let (mut ours, mut theirs) = pair(Enctype::Aes256Sha384, false);
        for _ in 0..3 {
            let (mut token, mut out) = (Vec::new(), Vec::new());
            theirs.wrap(b"x", true, &mut token);
            assert_eq!(ours.unwrap(&token, &mut out), Ok(true));
        }
    }

    proptest! {
        #[test]
        fn any_turn_opens_and_any_change_does_not(
            at in 0usize..4,
            confidential in any::<bool>(),
            by in any::<u16>(),
            plain in proptest::collection::vec(any::<u8>(), 0..100),
            change in any::<usize>(),
        ) {
            let (mut ours, mut theirs) = pair(Enctype::ALL[at], true);
            let (mut token, mut out) = (Vec::new(), vec![9]);
            ours.wrap(&plain, confidential, &mut token);
            let limit = ours.wrap_limit(token.len(), confidential);
            prop_assert_eq!(limit, plain.len());
            turn(&mut token, by);
            let mut bad = token.clone();
            // The turn itself is protected by what it does to the rest.
            let at = change % bad.len();
            bad[at] ^= 0x10;
            if at == 6 || at == 7 {
                let (turned, length) = (u16::from_be_bytes([bad[6], bad[7]]), bad.len() - HEADER);
                prop_assume!(usize::from(turned) % length != usize::from(by) % length);
            }
            prop_assert!(theirs.unwrap(&bad, &mut out).is_err());
            prop_assert!(theirs.unwrap(&token[..at], &mut out).is_err());
            prop_assert_eq!(&out, &[9]);
            prop_assert_eq!(theirs.unwrap(&token, &mut out), Ok(confidential));
            prop_assert_eq!(&out[1..], &plain[..]);
        }

        #[test]
        fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let (mut ours, _) = pair(Enctype::Aes256Sha1, false);
            let front: [&[u8]; 3] = [&[], &[5, 4, 1, 0xff], &[5, 4, 3, 0xff]];
            for front in front {
                let token = [front, &bytes].concat();
                prop_assert!(ours.unwrap(&token, &mut Vec::new()).is_err());
                prop_assert!(ours.verify(b"", &token).is_err());
            }
        }
    }
}
