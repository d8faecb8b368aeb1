//! The few fields of a certificate that verification does not give (RFC 5280 section 4.1).

use core::str;
use core::time::Duration;

/// Whether issuer and subject are the same name.
pub(super) fn is_self_issued(certificate: &[u8]) -> bool {
    fields(certificate).is_some_and(|fields| fields.issuer == fields.subject)
}

/// From when to when a certificate is valid, both inclusive, since the Unix epoch.
pub(super) fn validity(certificate: &[u8]) -> Option<(Duration, Duration)> {
    let (from, rest) = time(fields(certificate)?.validity)?;
    let (to, _) = time(rest)?;
    Some((from, to))
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;

struct Fields<'a> {
    issuer: &'a [u8],
    validity: &'a [u8],
    subject: &'a [u8],
}

fn fields(certificate: &[u8]) -> Option<Fields<'_>> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if rest.first() == Some(&EXPLICIT_VERSION) {
        (_, rest) = element(rest, EXPLICIT_VERSION)?;
    }
    (_, rest) = element(rest, INTEGER)?; // serial number
    (_, rest) = element(rest, SEQUENCE)?; // signature algorithm
    let (issuer, rest) = element(rest, SEQUENCE)?;
    let (validity, rest) = element(rest, SEQUENCE)?;
    let (subject, _) = element(rest, SEQUENCE)?;
    Some(Fields {
        issuer,
        validity,
        subject,
    })
}

/// A time at the front, and what follows it: `YYMMDDHHMMSSZ` up to 2049, `YYYYMMDDHHMMSSZ`
/// from then on (RFC 5280 section 4.1.2.5).
fn time(der: &[u8]) -> Option<(Duration, &[u8])> {
    let (text, rest, year_digits) = match *der.first()? {
        UTC_TIME => {
            let (text, rest) = element(der, UTC_TIME)?;
            (text, rest, 2)
        }
        _ => {
            let (text, rest) = element(der, GENERALIZED_TIME)?;
            (text, rest, 4)
        }
    };
    let (year, text) = text.split_at_checked(year_digits)?;
    let year = match (number(year)?, year_digits) {
        (year, 2) if year < 50 => 2000 + year,
        (year, 2) => 1900 + year,
        (year, _) => year,
    };
    let digits = text
        .strip_suffix(b"Z")
        .filter(|digits| digits.len() == 10)?;
    let mut two = digits.chunks(2).map(number);
    let mut next = || two.next().flatten();
    let (month, day, hour, minute, second) = (next()?, next()?, next()?, next()?, next()?);
    let days = days_since_epoch(year, month, day)?;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some((Duration::from_secs(seconds), rest))
}

fn number(digits: &[u8]) -> Option<u64> {
    let all = digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits).ok().filter(|_| all)?.parse().ok()
}

/// Days from 1970-01-01 in the Gregorian calendar.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let before = *BEFORE.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let past = year.checked_sub(1)?;
    let leap_days = past / 4 - past / 100 + past / 400;
    const LEAP_DAYS_BEFORE_1970: u64 = 477;
    let days = (year.checked_sub(1970)?) * 365 + leap_days - LEAP_DAYS_BEFORE_1970;
    Some(days + before + u64::from(leap && month > 2) + day.checked_sub(1)?)
}

/// Contents of the DER element of that tag at the front, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
            (
                digits
                    .iter()
                    .fold(0, |len, digit| len << 8 | usize::from(*digit)),
                rest,
            )
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}
