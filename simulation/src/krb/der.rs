//! As much of DER (X.690) as Kerberos' messages take, written and read.

/// SEQUENCE, constructed.
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BITS: u8 = 0x03;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const TIME: u8 = 0x18;
pub(super) const TEXT: u8 = 0x1b;

/// [n], constructed.
pub(super) const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// [APPLICATION n], constructed.
pub(super) const fn application(n: u8) -> u8 {
    0x60 | n
}

/// An element around `content`.
pub(super) fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..0x80 => out.push(short as u8),
        long => {
            let bytes = (long as u32).to_be_bytes();
            let digits = &bytes[(long as u32).leading_zeros() as usize / 8..];
            out.push(0x80 | digits.len() as u8);
            out.extend_from_slice(digits);
        }
    }
    out.extend_from_slice(content);
    out
}

/// A SEQUENCE of these elements.
pub(super) fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    wrap(SEQUENCE, &elements.concat())
}

/// A SEQUENCE with tagged fields.
pub(super) fn fields(fields: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let fields = fields.iter().map(|(n, one)| wrap(context(*n), one));
    sequence(&fields.collect::<Vec<_>>())
}

pub(super) fn integer(n: i64) -> Vec<u8> {
    let bytes = n.to_be_bytes();
    let redundant = |at: &usize| {
        let (byte, next) = (bytes[*at], bytes[at + 1] & 0x80);
        (byte == 0 && next == 0) || (byte == 0xff && next != 0)
    };
    let skipped = (0..7).take_while(redundant).count();
    wrap(INTEGER, &bytes[skipped..])
}

pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
    wrap(OCTETS, bytes)
}

pub(super) fn text(text: &str) -> Vec<u8> {
    wrap(TEXT, text.as_bytes())
}

/// 32 flags, the first one highest.
pub(super) fn flags(flags: u32) -> Vec<u8> {
    wrap(BITS, &[&[0][..], &flags.to_be_bytes()].concat())
}

/// KerberosTime, from seconds since 1970.
pub(super) fn time(seconds: u64) -> Vec<u8> {
    let (year, month, day) = date(seconds / 86_400);
    let left = seconds % 86_400;
    let (hour, minute, second) = (left / 3600, left / 60 % 60, left % 60);
    let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    wrap(TIME, text.as_bytes())
}

/// PrincipalName of that type.
pub(super) fn name(kind: i64, parts: &[&str]) -> Vec<u8> {
    let parts: Vec<_> = parts.iter().map(|part| text(part)).collect();
    fields(&[(0, integer(kind)), (1, sequence(&parts))])
}

/// The first element: its tag, what is in it, and what follows.
pub(super) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let digit = |n: usize, digit: &u8| n << 8 | usize::from(*digit);
            (digits.iter().fold(0, digit), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// What is in the one element that is there, and has that tag.
pub(super) fn within(bytes: &[u8], wanted: u8) -> Option<&[u8]> {
    match element(bytes)? {
        (tag, content, []) if tag == wanted => Some(content),
        _ => None,
    }
}

/// The elements of a SEQUENCE, each whole.
pub(super) fn elements(sequence: &[u8]) -> Option<Vec<&[u8]>> {
    let mut left = within(sequence, SEQUENCE)?;
    let mut found = Vec::new();
    while !left.is_empty() {
        let (_, _, rest) = element(left)?;
        found.push(&left[..left.len() - rest.len()]);
        left = rest;
    }
    Some(found)
}

/// The field [n] of a SEQUENCE.
pub(super) fn field(sequence: &[u8], n: u8) -> Option<&[u8]> {
    let found = elements(sequence)?;
    found.into_iter().find_map(|one| within(one, context(n)))
}

pub(super) fn read_integer(bytes: &[u8]) -> Option<i64> {
    let content = within(bytes, INTEGER)?;
    let first = *content.first().filter(|_| content.len() <= 8)?;
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    Some(
        content
            .iter()
            .fold(sign, |n, byte| n << 8 | i64::from(*byte)),
    )
}

pub(super) fn read_text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(within(bytes, TEXT)?.to_vec()).ok()
}

pub(super) fn read_flags(bytes: &[u8]) -> Option<u32> {
    let (0, flags) = within(bytes, BITS)?
        .split_first()
        .map(|(n, rest)| (*n, rest))?
    else {
        return None;
    };
    Some(u32::from_be_bytes(*flags.first_chunk()?))
}

/// Seconds since 1970.
pub(super) fn read_time(bytes: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(within(bytes, TIME)?).ok()?;
    let digits = text.strip_suffix('Z').filter(|digits| digits.len() == 14)?;
    let number = |from: usize, to: usize| digits[from..to].parse::<u64>().ok();
    let days = days(number(0, 4)?, number(4, 6)?, number(6, 8)?);
    Some(days * 86_400 + number(8, 10)? * 3600 + number(10, 12)? * 60 + number(12, 14)?)
}

/// The parts of a PrincipalName, with slashes between them.
pub(super) fn read_name(bytes: &[u8]) -> Option<String> {
    let parts = elements(field(bytes, 1)?)?;
    let parts: Option<Vec<String>> = parts.into_iter().map(read_text).collect();
    Some(parts?.join("/"))
}

/// Year, month and day of that day since 1970 (which begins 719,468 days after March of year 0).
fn date(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_are_read_as_they_are_written() {
        assert_eq!(&time(1_800_000_000)[2..], b"20270115080000Z");
        assert_eq!(&time(951_827_696)[2..], b"20000229123456Z");
        for seconds in [0, 951_827_696, 1_800_000_000, 4_102_444_800] {
            assert_eq!(read_time(&time(seconds)), Some(seconds));
        }
        for n in [0, 1, 127, 128, 255, 256, 1 << 31, -1, -128, -129, -138] {
            assert_eq!(read_integer(&integer(n)), Some(n));
        }
        assert_eq!(integer(128), [2, 2, 0, 128]);
    }
}
