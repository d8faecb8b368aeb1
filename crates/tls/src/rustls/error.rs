//! Why a connection failed, in words that help.

use rustls::Error;
use rustls::error::{
    AlertDescription as Alert, CertificateError, InvalidMessage, PeerIncompatible,
};
use rustls::pki_types::UnixTime;
use sockless_core::{Culprit, Fault, Phase, Reason};

use super::verify::SelfSigned;

/// A broken connection. It is kept, because the fault is reported on each later pump again.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// rustls gave up, in that phase.
    Rustls(Error, Phase),
    /// The very first bytes are no TLS; they look like this.
    NotTls(String),
    /// The stream ended during the handshake.
    ClosedInHandshake,
    /// The stream ended without close_notify (RFC 8446 section 6.1).
    Truncated,
    /// An unfinished handshake message needs more bytes than are kept for one.
    TooLong,
}

impl Failure {
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Rustls(error, phase) => rustls_fault(error, *phase).source(error.clone()),
            Self::NotTls(answer) => Fault::misbehaved(
                Reason::WrongProtocol,
                format!("the peer does not speak TLS: it answered \"{answer}\""),
            )
            .remedy("check that scheme and port belong together"),
            Self::ClosedInHandshake => Fault::new(
                Culprit::Transport,
                Reason::Handshake,
                "the peer closed the connection during the TLS handshake",
            )
            .remedy("check that the port speaks TLS and that nothing on the way refuses it"),
            Self::Truncated => Fault::misbehaved(
                Reason::Truncated,
                "the connection ended without a TLS close_notify: bytes may be missing",
            )
            .remedy("try again; do not take what has come for the whole"),
            Self::TooLong => Fault::new(
                Culprit::Limit,
                Reason::Malformed,
                "a TLS handshake message is longer than 128 KiB on the wire",
            ),
        }
    }
}

/// Whether rustls refused a record's header, not what is in the record.
pub(super) fn is_no_record(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge
                | InvalidMessage::InvalidEmptyPayload
        )
    )
}

fn rustls_fault(error: &Error, phase: Phase) -> Fault {
    let broken = match phase {
        Phase::Handshake => Reason::Handshake,
        Phase::Open => Reason::Malformed,
    };
    let misuse = || Fault::new(Culprit::Misuse, Reason::BadRequest, error.to_string());
    match error {
        Error::InvalidCertificate(why) => certificate(why),
        Error::AlertReceived(alert) => alert_received(*alert, phase),
        Error::PeerIncompatible(why) => incompatible(error, *why),
        Error::NoApplicationProtocol => incompatible_fault(error.to_string()),
        Error::InvalidEncryptedClientHello(_) | Error::RejectedEch(_) => {
            incompatible_fault(error.to_string())
        }
        Error::DecryptError => Fault::misbehaved(
            broken,
            "a TLS record does not decrypt: it was changed on the way",
        ),
        Error::InvalidMessage(_)
        | Error::PeerMisbehaved(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerSentOversizedRecord => Fault::misbehaved(broken, error.to_string()),
        Error::EncryptError => Fault::new(
            Culprit::Limit,
            Reason::Send,
            "the connection's keys have encrypted as much as they safely can",
        )
        .remedy("use a new connection"),
        Error::FailedToGetCurrentTime => Fault::new(
            Culprit::Misuse,
            Reason::BadRequest,
            "the wall clock is before 1970",
        )
        .remedy("set the clock"),
        Error::FailedToGetRandomBytes => Fault::new(
            Culprit::Transport,
            Reason::Handshake,
            "the operating system gave no random bytes",
        ),
        Error::UnsupportedNameType
        | Error::InvalidCertRevocationList(_)
        | Error::NoSuitableCertificate
        | Error::BadMaxFragmentSize
        | Error::InconsistentKeys(_)
        | Error::HandshakeNotComplete
        | Error::ApiMisuse(_) => misuse(),
        _ => Fault::misbehaved(broken, error.to_string()),
    }
}

fn incompatible(error: &Error, why: PeerIncompatible) -> Fault {
    match why {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled => {
            incompatible_fault(format!("no TLS version in common ({why:?})"))
                .remedy("allow the version that the server speaks; below TLS 1.2 there is none")
        }
        _ => incompatible_fault(error.to_string()),
    }
}

fn incompatible_fault(what: String) -> Fault {
    Fault::new(Culprit::PeerIncompatible, Reason::Handshake, what)
}

/// RFC 8446 section 6.2: which of us the peer's last word is about.
fn alert_received(alert: Alert, phase: Phase) -> Fault {
    let what = format!("the peer {alert} (TLS alert {alert:?})");
    match alert {
        Alert::HandshakeFailure
        | Alert::ProtocolVersion
        | Alert::InsufficientSecurity
        | Alert::NoApplicationProtocol
        | Alert::InappropriateFallback
        | Alert::MissingExtension
        | Alert::UnsupportedExtension => incompatible_fault(what)
            .remedy("compare the offered versions, ciphers and ALPN protocols with the server's"),
        Alert::UnrecognizedName => {
            incompatible_fault(what).remedy("check the host name: the server does not serve it")
        }
        Alert::CertificateRequired
        | Alert::AccessDenied
        | Alert::NoCertificate
        | Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCa => {
            incompatible_fault(what).remedy("give a client certificate that the server accepts")
        }
        _ => match phase {
            Phase::Handshake => Fault::misbehaved(Reason::Handshake, what),
            Phase::Open => Fault::misbehaved(Reason::Truncated, what),
        },
    }
}

fn certificate(why: &CertificateError) -> Fault {
    use CertificateError as E;
    let (what, remedy) = match why {
        E::Expired => ("the certificate has expired".to_owned(), RENEW),
        E::ExpiredContext { not_after, .. } => (
            format!("the certificate expired on {}", date(*not_after)),
            RENEW,
        ),
        E::NotValidYet => ("the certificate is not valid yet".to_owned(), CLOCK),
        E::NotValidYetContext { not_before, .. } => (
            format!("the certificate is not valid before {}", date(*not_before)),
            CLOCK,
        ),
        E::UnknownIssuer => (
            "the certificate's issuer is not trusted".to_owned(),
            "add the issuing CA to the trusted roots; a server must send its intermediate certificates",
        ),
        E::Other(other) if is_self_signed(other) => (
            "the certificate is self-signed".to_owned(),
            "add this certificate, or better the CA that should issue one, to the trusted roots",
        ),
        E::NotValidForName => ("the certificate is for another name".to_owned(), NAME),
        E::NotValidForNameContext {
            expected,
            presented,
        } => (
            format!(
                "the certificate is not for {}, but for {}",
                expected.to_str(),
                list(presented)
            ),
            NAME,
        ),
        E::Revoked => (
            "the certificate was revoked".to_owned(),
            "do not use it: the server needs a new certificate",
        ),
        E::BadSignature => (
            "the certificate's signature is wrong".to_owned(),
            "the certificate was altered, or two authorities share a name: ask the server's operator",
        ),
        E::UnsupportedSignatureAlgorithm { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKey { .. } => (
            "the certificate is signed with an algorithm that is not accepted".to_owned(),
            "the server needs a certificate signed with SHA-256 or better and RSA of 2048 bits or more, ECDSA or Ed25519",
        ),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => (
            "the certificate is not for servers".to_owned(),
            "the server needs a certificate with the extended key usage serverAuth",
        ),
        E::UnknownRevocationStatus
        | E::ExpiredRevocationList
        | E::ExpiredRevocationListContext { .. } => (
            format!("whether the certificate was revoked is unknown: {why}"),
            "renew the revocation list",
        ),
        _ => (
            format!("the certificate cannot be used: {why}"),
            "ask the server's operator",
        ),
    };
    Fault::new(Culprit::Policy, Reason::Certificate, what).remedy(remedy)
}

const RENEW: &str = "check the clock; if it is right, the server needs a new certificate";
const CLOCK: &str = "check the clock; if it is right, wait or use another certificate";
const NAME: &str =
    "use one of the certificate's names, or give the server a certificate for this one";

fn is_self_signed(other: &rustls::error::OtherError) -> bool {
    std::error::Error::source(other).is_some_and(|error| error.is::<SelfSigned>())
}

/// The names of a certificate as people write them, the first few.
fn list(presented: &[String]) -> String {
    const SHOWN: usize = 8;
    let bare = |name: &String| {
        let inner = ["DnsName(\"", "IpAddress("]
            .iter()
            .find_map(|kind| name.strip_prefix(kind));
        let inner = inner.unwrap_or(name).trim_end_matches(['"', ')']);
        // The peer chose it: no control characters in a message.
        inner.escape_default().to_string()
    };
    let names: Vec<_> = presented.iter().take(SHOWN).map(bare).collect();
    match presented.len() {
        0 => "no name at all".to_owned(),
        n if n > SHOWN => format!("{} and {} more", names.join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}

/// `2026-01-31 23:59:59 UTC`, by the proleptic Gregorian calendar in eras of 400 years from March.
fn date(time: UnixTime) -> String {
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
    use core::time::Duration;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let shown = |seconds| date(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
        assert_eq!(shown(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(shown(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(shown(1_709_251_199), "2024-02-29 23:59:59 UTC");
        assert_eq!(shown(4_107_542_400), "2100-03-01 00:00:00 UTC");
    }

    #[test]
    fn each_kind_of_certificate_problem_has_a_remedy() {
        for why in [
            CertificateError::Revoked,
            CertificateError::BadSignature,
            CertificateError::InvalidPurpose,
            CertificateError::BadEncoding,
            CertificateError::UnknownIssuer,
        ] {
            let fault = Failure::Rustls(why.into(), Phase::Handshake).fault();
            assert_eq!(
                (fault.culprit, fault.reason),
                (Culprit::Policy, Reason::Certificate)
            );
            assert!(fault.remedy.is_some() && fault.source.is_some());
        }
    }

    #[test]
    fn an_alert_blames_who_it_is_about() {
        let culprit = |alert| Failure::Rustls(Error::AlertReceived(alert), Phase::Open).fault();
        assert_eq!(
            culprit(Alert::CertificateRequired).culprit,
            Culprit::PeerIncompatible
        );
        assert_eq!(
            culprit(Alert::InternalError).culprit,
            Culprit::PeerMisbehaved
        );
        assert_eq!(culprit(Alert::InternalError).reason, Reason::Truncated);
    }
}
