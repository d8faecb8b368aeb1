//! Why a certificate was refused, in the same words whichever backend refused it.

use core::time::Duration;

use sockless_core::{Culprit, Fault, Reason};

/// What is wrong with the peer's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Since then, if that is known (since the Unix epoch).
    Expired(Option<Duration>),
    /// Until then.
    NotYetValid(Option<Duration>),
    UnknownIssuer,
    SelfSigned,
    /// The name that was asked for, and those that the certificate has.
    OtherName(Option<(String, Vec<String>)>),
    Revoked,
    BadSignature,
    /// Broken hash or short key.
    Weak,
    NotForServers,
    /// Why nobody knows whether it was revoked.
    RevocationUnknown(String),
    /// Not one of the pinned keys.
    Pin,
    Other(String),
}

impl Refusal {
    pub(crate) fn fault(&self) -> Fault {
        let (what, remedy) = self.words();
        let reason = match self {
            Self::Pin => Reason::PinMismatch,
            _ => Reason::Certificate,
        };
        Fault::new(Culprit::Policy, reason, what).remedy(remedy)
    }

    fn words(&self) -> (String, &'static str) {
        match self {
            Self::Expired(None) => ("the certificate has expired".to_owned(), RENEW),
            Self::Expired(Some(at)) => (format!("the certificate expired on {}", date(*at)), RENEW),
            Self::NotYetValid(None) => ("the certificate is not valid yet".to_owned(), CLOCK),
            Self::NotYetValid(Some(at)) => (
                format!("the certificate is not valid before {}", date(*at)),
                CLOCK,
            ),
            Self::UnknownIssuer => (
                "the certificate's issuer is not trusted".to_owned(),
                "add the issuing CA to the trusted roots; a server must send its intermediate certificates",
            ),
            Self::SelfSigned => (
                "the certificate is self-signed".to_owned(),
                "add this certificate, or better the CA that should issue one, to the trusted roots",
            ),
            Self::OtherName(None) => ("the certificate is for another name".to_owned(), NAME),
            Self::OtherName(Some((expected, presented))) => (
                format!(
                    "the certificate is not for {expected}, but for {}",
                    list(presented)
                ),
                NAME,
            ),
            Self::Revoked => (
                "the certificate was revoked".to_owned(),
                "do not use it: the server needs a new certificate",
            ),
            Self::BadSignature => (
                "the certificate's signature is wrong".to_owned(),
                "the certificate was altered, or two authorities share a name: ask the server's operator",
            ),
            Self::Weak => (
                "the certificate is signed with an algorithm that is not accepted".to_owned(),
                "the server needs a certificate signed with SHA-256 or better and RSA of 2048 bits or more, ECDSA or Ed25519",
            ),
            Self::NotForServers => (
                "the certificate is not for servers".to_owned(),
                "the server needs a certificate with the extended key usage serverAuth",
            ),
            Self::RevocationUnknown(why) => (
                format!("whether the certificate was revoked is unknown: {why}"),
                "renew the revocation list",
            ),
            Self::Pin => (
                "the server's public key is none of the pinned ones".to_owned(),
                "if the server has a new key, pin that; if not, somebody is in between",
            ),
            Self::Other(why) => (
                format!("the certificate cannot be used: {why}"),
                "ask the server's operator",
            ),
        }
    }
}

const RENEW: &str = "check the clock; if it is right, the server needs a new certificate";
const CLOCK: &str = "check the clock; if it is right, wait or use another certificate";
const NAME: &str =
    "use one of the certificate's names, or give the server a certificate for this one";

/// The names of a certificate as people write them, the first few.
fn list(presented: &[String]) -> String {
    const SHOWN: usize = 8;
    // The peer chose them: no control characters in a message.
    let shown = presented.iter().take(SHOWN);
    let names: Vec<_> = shown
        .map(|name| name.escape_default().to_string())
        .collect();
    match presented.len() {
        0 => "no name at all".to_owned(),
        n if n > SHOWN => format!("{} and {} more", names.join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}

/// `2026-01-31 23:59:59 UTC`, by the proleptic Gregorian calendar in eras of 400 years from March.
fn date(time: Duration) -> String {
    const DAYS_OF_ERA: u64 = 146_097;
    const DAYS_FROM_YEAR_0_TO_1970: u64 = 719_468;
    let (days, second) = (time.as_secs() / 86_400, time.as_secs() % 86_400);
    let days = days + DAYS_FROM_YEAR_0_TO_1970;
    let (era, day) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * day + 2) / 153;
    let day = day - (153 * month_from_march + 2) / 5 + 1;
    let (month, carry) = match month_from_march {
        0..10 => (month_from_march + 3, 0),
        _ => (month_from_march - 9, 1),
    };
    let year = era * 400 + year + carry;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let shown = |seconds| date(Duration::from_secs(seconds));
        assert_eq!(shown(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(shown(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(shown(1_709_251_199), "2024-02-29 23:59:59 UTC");
        assert_eq!(shown(4_107_542_400), "2100-03-01 00:00:00 UTC");
    }

    #[test]
    fn a_pin_has_a_reason_of_its_own() {
        assert_eq!(Refusal::Pin.fault().reason, Reason::PinMismatch);
        assert_eq!(Refusal::Revoked.fault().reason, Reason::Certificate);
    }
}
