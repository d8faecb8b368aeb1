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

/// Whether it may be a TLS server's: extended key usage (RFC 5280 section 4.2.1.12)
/// is absent, or names servers or any purpose.
pub(super) fn may_be_a_server(certificate: &[u8]) -> bool {
    let Some(extensions) = fields(certificate).map(|fields| fields.extensions) else {
        return false;
    };
    let Some(mut rest) = extensions else {
        return true;
    };
    while !rest.is_empty() {
        let Some((extension, after)) = element(rest, SEQUENCE) else {
            return false;
        };
        match element(extension, OBJECT_IDENTIFIER) {
            Some((id, value)) if id == EXTENDED_KEY_USAGE => return names_servers(value),
            Some(_) => rest = after,
            None => return false,
        }
    }
    true
}

fn names_servers(value: &[u8]) -> bool {
    let value = element(value, BOOLEAN).map_or(value, |(_critical, value)| value);
    let purposes = element(value, OCTET_STRING).and_then(|(inner, _)| element(inner, SEQUENCE));
    let Some((mut purposes, _)) = purposes else {
        return false;
    };
    while let Some((purpose, rest)) = element(purposes, OBJECT_IDENTIFIER) {
        if purpose == SERVER_AUTHENTICATION || purpose == ANY_PURPOSE {
            return true;
        }
        purposes = rest;
    }
    false
}

/// 2.5.29.37
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// 2.5.29.37.0
const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];
/// 1.3.6.1.5.5.7.3.1
const SERVER_AUTHENTICATION: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;
const EXPLICIT_EXTENSIONS: u8 = 0xa3;

struct Fields<'a> {
    issuer: &'a [u8],
    validity: &'a [u8],
    subject: &'a [u8],
    extensions: Option<&'a [u8]>,
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
    let (subject, rest) = element(rest, SEQUENCE)?;
    let (_, mut rest) = element(rest, SEQUENCE)?; // public key
    // The two unique identifiers in between are of no use to anybody.
    while rest.first().is_some_and(|tag| *tag != EXPLICIT_EXTENSIONS) {
        (_, rest) = element(rest, *rest.first()?)?;
    }
    let extensions = match rest.is_empty() {
        true => None,
        false => Some(element(element(rest, EXPLICIT_EXTENSIONS)?.0, SEQUENCE)?.0),
    };
    Some(Fields {
        issuer,
        validity,
        subject,
        extensions,
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
