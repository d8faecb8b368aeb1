//! What Kerberos' messages are made of, in DER (RFC 4120 section 5).
//!
//! Elements are written from the inside to the outside, and wiped when they are dropped: some have
//! keys in them. What is read is bounded by its message; whatever is not as it should be is `None`.

use zeroize::Zeroizing;

use crate::Principal;
use crate::der::{self, GENERAL_STRING, INTEGER, OCTETS, SEQUENCE, context, element};

const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
const TIME: u8 = 0x18;

/// An element.
pub(super) type Der = Zeroizing<Vec<u8>>;

/// Kinds of names (RFC 4120 section 6.2).
pub(super) const NAME_PRINCIPAL: u8 = 1;
pub(super) const NAME_INSTANCE: u8 = 2;
pub(super) const NAME_HOST: u8 = 3;

/// [APPLICATION n], constructed.
pub(super) const fn application(n: u8) -> u8 {
    0x60 | n
}

pub(super) fn wrap(tag: u8, content: &[u8]) -> Der {
    Zeroizing::new(der::wrap(tag, content))
}

/// Elements one after the other, in an element.
pub(super) fn wrap_all(tag: u8, parts: &[Der]) -> Der {
    // Made in one piece: what grows leaves copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(parts.iter().map(|one| one.len()).sum()));
    for part in parts {
        content.extend_from_slice(part);
    }
    wrap(tag, &content)
}

pub(super) fn sequence(parts: &[Der]) -> Der {
    wrap_all(SEQUENCE, parts)
}

/// A field of a SEQUENCE.
pub(super) fn field(n: u8, content: &[u8]) -> Der {
    wrap(context(n), content)
}

pub(super) fn integer(value: u32) -> Der {
    let bytes = [&[0][..], &value.to_be_bytes()].concat();
    // The shortest form: a leading zero only where the next bit would be a sign.
    let spare = bytes.windows(2).take(4);
    let spare = spare.take_while(|two| two[0] == 0 && two[1] < 0x80).count();
    wrap(INTEGER, &bytes[spare..])
}

pub(super) fn octets(bytes: &[u8]) -> Der {
    wrap(OCTETS, bytes)
}

pub(super) fn flags(flags: u32) -> Der {
    let [a, b, c, d] = flags.to_be_bytes();
    wrap(BIT_STRING, &[0, a, b, c, d])
}

pub(super) fn text(text: &str) -> Der {
    wrap(GENERAL_STRING, text.as_bytes())
}

/// Seconds of the epoch.
pub(super) fn time(seconds: u64) -> Der {
    let (days, rest) = (seconds / 86400, seconds % 86400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    wrap(TIME, text.as_bytes())
}

pub(super) fn name(kind: u8, components: &[String]) -> Der {
    let components: Vec<Der> = components.iter().map(|one| text(one)).collect();
    sequence(&[
        field(0, &integer(kind.into())),
        field(1, &sequence(&components)),
    ])
}

/// `EncryptedData`, `EncryptionKey`, `Checksum` and the like: a number and bytes.
pub(super) fn typed(first: u8, kind: u32, second: u8, bytes: &[u8]) -> Der {
    sequence(&[field(first, &integer(kind)), field(second, &octets(bytes))])
}

/// The content of one element that fills all of `bytes`.
pub(super) fn whole(bytes: &[u8], wanted: u8) -> Option<&[u8]> {
    match element(bytes)? {
        (tag, content, []) if tag == wanted => Some(content),
        _ => None,
    }
}

/// The elements of a SEQUENCE OF, with that tag.
pub(super) fn each(mut elements: &[u8], wanted: u8) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || match element(elements)? {
        (tag, content, rest) if tag == wanted => {
            elements = rest;
            Some(content)
        }
        _ => None,
    })
}

/// The fields of a SEQUENCE.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Those of a SEQUENCE that fills all of `bytes`.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        whole(bytes, SEQUENCE).map(Self)
    }

    /// Those of a SEQUENCE inside `[APPLICATION n]`.
    pub(super) fn of_message(bytes: &'a [u8], n: u8) -> Option<Self> {
        Self::of(whole(bytes, application(n))?)
    }

    /// From what is inside a SEQUENCE.
    pub(super) fn inside(content: &'a [u8]) -> Self {
        Self(content)
    }

    pub(super) fn field(self, n: u8) -> Option<&'a [u8]> {
        der::find(self.0, context(n))
    }

    fn content(self, n: u8, tag: u8) -> Option<&'a [u8]> {
        whole(self.field(n)?, tag)
    }

    pub(super) fn integer(self, n: u8) -> Option<u32> {
        let bytes = self.content(n, INTEGER)?;
        // Sequence numbers and nonces are written as negative ones by some.
        let digits = match bytes {
            [0, rest @ ..] if rest.len() == 4 => rest,
            _ => bytes,
        };
        if digits.is_empty() || digits.len() > 4 {
            return None;
        }
        let sign = if digits[0] >= 0x80 && bytes[0] != 0 {
            u32::MAX
        } else {
            0
        };
        Some(
            digits
                .iter()
                .fold(sign, |n, digit| n << 8 | u32::from(*digit)),
        )
    }

    pub(super) fn octets(self, n: u8) -> Option<&'a [u8]> {
        self.content(n, OCTETS)
    }

    pub(super) fn oid(self, n: u8) -> Option<&'a [u8]> {
        self.content(n, OID)
    }

    pub(super) fn flags(self, n: u8) -> Option<u32> {
        match self.content(n, BIT_STRING)? {
            [_, a, b, c, d, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
            _ => None,
        }
    }

    pub(super) fn text(self, n: u8) -> Option<&'a str> {
        core::str::from_utf8(self.string(n)?).ok()
    }

    /// A string that need not be text.
    pub(super) fn string(self, n: u8) -> Option<&'a [u8]> {
        self.content(n, GENERAL_STRING)
    }

    /// Seconds of the epoch.
    pub(super) fn time(self, n: u8) -> Option<u64> {
        seconds(self.content(n, TIME)?)
    }

    pub(super) fn fields(self, n: u8) -> Option<Self> {
        Self::of(self.field(n)?)
    }

    /// The elements of a SEQUENCE OF.
    pub(super) fn each(self, n: u8, tag: u8) -> Option<impl Iterator<Item = &'a [u8]>> {
        Some(each(whole(self.field(n)?, SEQUENCE)?, tag))
    }

    /// A name in a realm, which stands before it.
    pub(super) fn principal(self, realm: u8, name: u8) -> Option<Principal> {
        let components = self.fields(name)?.each(1, GENERAL_STRING)?;
        let components = components.map(|one| core::str::from_utf8(one).map(str::to_owned));
        let components = components.collect::<Result<_, _>>().ok()?;
        Principal::new(components, self.text(realm)?.to_owned()).ok()
    }

    /// `EncryptedData`: its type, its key's version, and the bytes.
    pub(super) fn encrypted(self, n: u8) -> Option<(u16, Option<u32>, &'a [u8])> {
        let fields = self.fields(n)?;
        let kind = u16::try_from(fields.integer(0)?).ok()?;
        Some((kind, fields.integer(1), fields.octets(2)?))
    }

    /// `EncryptionKey`.
    pub(super) fn key(self, n: u8) -> Option<(u16, &'a [u8])> {
        let fields = self.fields(n)?;
        Some((u16::try_from(fields.integer(0)?).ok()?, fields.octets(1)?))
    }
}

/// `YYYYMMDDHHMMSSZ`, as RFC 4120 section 5.2.3 has it; `None` before 1970.
fn seconds(text: &[u8]) -> Option<u64> {
    let [digits @ .., b'Z'] = text else {
        return None;
    };
    if digits.len() != 14 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = digits[from..to].iter();
        digits.fold(0u64, |n, digit| n * 10 + u64::from(digit - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(4, 6), number(6, 8));
    let (hour, minute, second) = (number(8, 10), number(10, 12), number(12, 14));
    let sound = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !sound || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years begin in March: the leap day is their last.
    let year = if month < 3 {
        year.checked_sub(1)?
    } else {
        year
    };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + of_year;
    let days = days.checked_sub(719_468)?;
    Some(days * 86400 + hour * 3600 + minute * 60 + second)
}

/// Year, month and day of a day of the epoch.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month < 3);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(element: &Der) -> Der {
        sequence(&[field(3, element)])
    }

    #[test]
    fn times_are_written_as_calendars_have_them() {
        for (at, text) in [
            (0, "19700101000000Z"),
            (951_782_400, "20000229000000Z"),
            (1_700_000_000, "20231114221320Z"),
            (4_107_542_399, "21000228235959Z"),
            (4_107_542_400, "21000301000000Z"),
        ] {
            assert_eq!(&time(at)[2..], text.as_bytes());
            assert_eq!(seconds(text.as_bytes()), Some(at));
        }
        for bad in [
            "",
            "Z",
            "20231301000000Z",
            "20230101000000",
            "19691231235959Z",
        ] {
            assert_eq!(seconds(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn numbers_have_their_shortest_form() {
        for (value, wire) in [
            (0, &[2, 1, 0][..]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (256, &[2, 2, 1, 0]),
            (u32::MAX, &[2, 5, 0, 255, 255, 255, 255]),
        ] {
            assert_eq!(&*integer(value), wire);
        }
        // What some write for a number with its highest bit set.
        let negative = read(&wrap(INTEGER, &[0xfe]));
        let fields = Fields::of(&negative).expect("fields");
        assert_eq!(fields.integer(3), Some(0xffff_fffe));
        assert_eq!(fields.integer(2), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in any::<u32>(), at in 0u64..250_000_000_000) {
            let element = read(&integer(value));
            prop_assert_eq!(Fields::of(&element).and_then(|all| all.integer(3)), Some(value));
            let element = read(&flags(value));
            prop_assert_eq!(Fields::of(&element).and_then(|all| all.flags(3)), Some(value));
            let element = read(&time(at));
            prop_assert_eq!(Fields::of(&element).and_then(|all| all.time(3)), Some(at));
        }

        #[test]
        fn garbage_is_none_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let fields = Fields::inside(&bytes);
            for n in 0..4 {
                let _ = (fields.integer(n), fields.flags(n), fields.time(n), fields.text(n));
                let _ = (fields.principal(n, n), fields.encrypted(n), fields.key(n));
            }
        }
    }
}
