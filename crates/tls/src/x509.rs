//! The few fields of a certificate that verification does not give (RFC 5280 section 4.1).

use core::str;
use core::time::Duration;

/// Whether issuer and subject are the same name.
pub(crate) fn is_self_issued(certificate: &[u8]) -> bool {
    fields(certificate).is_some_and(|fields| fields.issuer == fields.subject)
}

/// From when to when a certificate is valid, both inclusive, since the Unix epoch.
pub(crate) fn validity(certificate: &[u8]) -> Option<(Duration, Duration)> {
    let (from, rest) = time(fields(certificate)?.validity)?;
    let (to, _) = time(rest)?;
    Some((from, to))
}

/// Whether it may be a TLS server's: extended key usage (RFC 5280 section 4.2.1.12)
/// is absent, or names servers or any purpose.
#[cfg(feature = "rustls")]
pub(crate) fn may_be_a_server(certificate: &[u8]) -> bool {
    let Some(extensions) = fields(certificate).map(|fields| fields.extensions) else {
        return false;
    };
    let Some(extensions) = extensions else {
        return true;
    };
    match extension(extensions, EXTENDED_KEY_USAGE) {
        Some(Some(purposes)) => names_servers(purposes),
        Some(None) => true,
        None => false,
    }
}

#[cfg(feature = "rustls")]
fn names_servers(value: &[u8]) -> bool {
    let Some((mut purposes, _)) = element(value, SEQUENCE) else {
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

/// The public key, as the whole SubjectPublicKeyInfo element.
pub(crate) fn public_key(certificate: &[u8]) -> Option<&[u8]> {
    fields(certificate).map(|fields| fields.public_key)
}

/// Whether it has the shape of a SubjectPublicKeyInfo, and nothing behind it.
pub(crate) fn is_public_key(der: &[u8]) -> bool {
    let parts = element(der, SEQUENCE).filter(|(_, behind)| behind.is_empty());
    let key = parts.and_then(|(inner, _)| element(inner, SEQUENCE));
    key.and_then(|(_, key)| element(key, BIT_STRING)).is_some()
}

/// Whether basic constraints (RFC 5280 section 4.2.1.9) mark an authority.
#[cfg(feature = "openssl")]
pub(crate) fn is_authority(certificate: &[u8]) -> bool {
    let extensions = fields(certificate).and_then(|fields| fields.extensions);
    let value = extensions.and_then(|all| extension(all, BASIC_CONSTRAINTS).flatten());
    let inner = value.and_then(|value| element(value, SEQUENCE));
    inner
        .and_then(|(inner, _)| element(inner, BOOLEAN))
        .is_some_and(|(is, _)| is != [0])
}

/// The hash that the certificate was signed with.
pub(crate) fn signature_hash(certificate: &[u8]) -> Option<SignatureHash> {
    let (outer, _) = element(certificate, SEQUENCE)?;
    let (_, rest) = element(outer, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (id, parameters) = element(algorithm, OBJECT_IDENTIFIER)?;
    if id == RSA_PSS {
        return pss_hash(parameters);
    }
    let rsa = id.strip_prefix(PKCS_1).and_then(|last| match last {
        [4 | 5 | 11] => Some(SignatureHash::Sha256), // MD5 and SHA-1 among them
        [12] => Some(SignatureHash::Sha384),
        [13] => Some(SignatureHash::Sha512),
        _ => None,
    });
    let ecdsa = || match id {
        ECDSA_SHA1 => Some(SignatureHash::Sha256),
        _ => id.strip_prefix(ECDSA_SHA2).and_then(|last| match last {
            [2] => Some(SignatureHash::Sha256),
            [3] => Some(SignatureHash::Sha384),
            [4] => Some(SignatureHash::Sha512),
            _ => None,
        }),
    };
    rsa.or_else(ecdsa)
}

/// RFC 4055 section 3.1: the hash is in the parameters; without them it is SHA-1.
fn pss_hash(parameters: &[u8]) -> Option<SignatureHash> {
    let (parameters, _) = element(parameters, SEQUENCE)?;
    if parameters.first() != Some(&EXPLICIT_PSS_HASH) {
        return Some(SignatureHash::Sha256);
    }
    let (hash, _) = element(parameters, EXPLICIT_PSS_HASH)?;
    let (hash, _) = element(hash, SEQUENCE)?;
    let (id, _) = element(hash, OBJECT_IDENTIFIER)?;
    match id.strip_prefix(NIST_HASHES) {
        Some([1]) => Some(SignatureHash::Sha256),
        Some([2]) => Some(SignatureHash::Sha384),
        Some([3]) => Some(SignatureHash::Sha512),
        Some(_) => None,
        None => Some(SignatureHash::Sha256),
    }
}

/// What `tls-server-end-point` hashes a certificate with: MD5 and SHA-1 give way to
/// SHA-256 (RFC 5929 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureHash {
    Sha256,
    Sha384,
    Sha512,
}

/// The value of the extension of that name, if there is one; `None` if they do not parse.
fn extension<'a>(mut all: &'a [u8], name: &[u8]) -> Option<Option<&'a [u8]>> {
    while !all.is_empty() {
        let (one, rest) = element(all, SEQUENCE)?;
        let (id, value) = element(one, OBJECT_IDENTIFIER)?;
        if id == name {
            let value = element(value, BOOLEAN).map_or(value, |(_critical, value)| value);
            return element(value, OCTET_STRING).map(|(inner, _)| Some(inner));
        }
        all = rest;
    }
    Some(None)
}

/// Whether it may sign revocation lists: key usage (RFC 5280 section 4.2.1.3) is absent,
/// or has `cRLSign`.
#[cfg(feature = "openssl")]
pub(crate) fn may_sign_lists(certificate: &[u8]) -> bool {
    let Some(Some(extensions)) = fields(certificate).map(|fields| fields.extensions) else {
        return fields(certificate).is_some();
    };
    match extension(extensions, KEY_USAGE) {
        // Bits count from the highest; the first byte says how many are unused.
        Some(Some(usage)) => matches!(element(usage, BIT_STRING), Some((&[_, bits, ..], _))
            if bits & 0b10 != 0),
        Some(None) => true,
        None => false,
    }
}

/// What has to be known of a revocation list (RFC 5280 section 5.1).
#[cfg(feature = "openssl")]
pub(crate) struct RevocationList {
    /// Until when it counts, since the Unix epoch.
    pub(crate) not_after: Option<Duration>,
    /// Whether it speaks for some of its issuer's certificates only: those that do
    /// (sections 5.2.4 and 5.2.5) say so in critical extensions.
    pub(crate) is_partial: bool,
}

#[cfg(feature = "openssl")]
pub(crate) fn revocation_list(der: &[u8]) -> Option<RevocationList> {
    let (list, _) = element(der, SEQUENCE)?;
    let (mut rest, _) = element(list, SEQUENCE)?;
    if rest.first() == Some(&INTEGER) {
        (_, rest) = element(rest, INTEGER)?; // version
    }
    (_, rest) = element(rest, SEQUENCE)?; // signature algorithm
    (_, rest) = element(rest, SEQUENCE)?; // issuer
    (_, rest) = time(rest)?; // this update
    let mut not_after = None;
    if matches!(rest.first(), Some(&(UTC_TIME | GENERALIZED_TIME))) {
        let (end, behind) = time(rest)?;
        (not_after, rest) = (Some(end), behind);
    }
    if rest.first() == Some(&SEQUENCE) {
        (_, rest) = element(rest, SEQUENCE)?; // the revoked
    }
    let mut is_partial = false;
    if !rest.is_empty() {
        let (mut extensions, _) = element(element(rest, EXPLICIT_LIST_EXTENSIONS)?.0, SEQUENCE)?;
        while !extensions.is_empty() {
            let (one, behind) = element(extensions, SEQUENCE)?;
            let (_, value) = element(one, OBJECT_IDENTIFIER)?;
            is_partial |= element(value, BOOLEAN).is_some_and(|(is, _)| is != [0]);
            extensions = behind;
        }
    }
    Some(RevocationList {
        not_after,
        is_partial,
    })
}

/// The lifetime in seconds that a server gave its ticket, of OpenSSL's encoding of a session.
#[cfg(feature = "openssl")]
pub(crate) fn session_lifetime(session: &[u8]) -> Option<u64> {
    let (mut rest, _) = element(session, SEQUENCE)?;
    while *rest.first()? != EXPLICIT_LIFETIME {
        (_, rest) = element(rest, *rest.first()?)?;
    }
    let (digits, _) = element(element(rest, EXPLICIT_LIFETIME)?.0, INTEGER)?;
    let fits = digits.len() <= 8;
    let number = digits.iter().fold(0, |n, digit| n << 8 | u64::from(*digit));
    Some(number).filter(|_| fits)
}

/// 1.2.840.113549.1.1, and the last number of it for RSASSA-PSS.
const PKCS_1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
/// 1.2.840.10045.4.1
const ECDSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];
/// 1.2.840.10045.4.3
const ECDSA_SHA2: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
/// 2.16.840.1.101.3.4.2
const NIST_HASHES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
/// 2.5.29.15
#[cfg(feature = "openssl")]
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// 2.5.29.19
#[cfg(feature = "openssl")]
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// 2.5.29.37
#[cfg(feature = "rustls")]
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// 2.5.29.37.0
#[cfg(feature = "rustls")]
const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];
/// 1.3.6.1.5.5.7.3.1
#[cfg(feature = "rustls")]
const SERVER_AUTHENTICATION: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
#[cfg(feature = "openssl")]
const EXPLICIT_LIST_EXTENSIONS: u8 = 0xa0;
#[cfg(feature = "openssl")]
const EXPLICIT_LIFETIME: u8 = 0xa9;
const EXPLICIT_PSS_HASH: u8 = 0xa0;
const EXPLICIT_VERSION: u8 = 0xa0;
const EXPLICIT_EXTENSIONS: u8 = 0xa3;

struct Fields<'a> {
    issuer: &'a [u8],
    validity: &'a [u8],
    subject: &'a [u8],
    public_key: &'a [u8],
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
    let from_key = rest;
    let (_, mut rest) = element(from_key, SEQUENCE)?;
    let public_key = &from_key[..from_key.len() - rest.len()];
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
        public_key,
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
pub(crate) fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
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
