//! Why a connection failed, in words that help.

use core::time::Duration;

use rustls::Error;
use rustls::error::{CertificateError, InvalidMessage, PeerIncompatible};
use rustls::pki_types::UnixTime;
use sockless_core::{Culprit, Fault, Phase, Reason};

use super::verify::{OtherKey, SelfSigned};
use crate::alert;
use crate::record::Broken;
use crate::refusal::Refusal;

/// A broken connection. It is kept, because the fault is reported on each later pump again.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// rustls gave up, in that phase.
    Rustls(Error, Phase),
    /// No record of rustls' is to blame.
    Broken(Broken),
    /// An unfinished handshake message needs more bytes than are kept for one.
    TooLong,
}

impl Failure {
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Rustls(error, phase) => rustls_fault(error, *phase).source(error.clone()),
            Self::Broken(broken) => broken.fault(),
            Self::TooLong => Fault::new(
                Culprit::Limit,
                Reason::Malformed,
                "a TLS handshake message is longer than 128 KiB on the wire",
            ),
        }
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
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
        Error::InvalidCertificate(why) => refusal(why).fault(),
        Error::AlertReceived(alert) => alert::received(alert.0, phase),
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

fn refusal(why: &CertificateError) -> Refusal {
    use CertificateError as E;
    match why {
        E::Expired => Refusal::Expired(None),
        E::ExpiredContext { not_after, .. } => Refusal::Expired(Some(since_epoch(*not_after))),
        E::NotValidYet => Refusal::NotYetValid(None),
        E::NotValidYetContext { not_before, .. } => {
            Refusal::NotYetValid(Some(since_epoch(*not_before)))
        }
        E::UnknownIssuer => Refusal::UnknownIssuer,
        E::Other(other) if is::<SelfSigned>(other) => Refusal::SelfSigned,
        E::Other(other) if is::<OtherKey>(other) => Refusal::Pin,
        E::NotValidForName => Refusal::OtherName(None),
        E::NotValidForNameContext {
            expected,
            presented,
        } => {
            let presented = presented.iter().map(|name| bare(name)).collect();
            Refusal::OtherName(Some((expected.to_str().into_owned(), presented)))
        }
        E::Revoked => Refusal::Revoked,
        E::BadSignature => Refusal::BadSignature,
        E::UnsupportedSignatureAlgorithm { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKey { .. } => Refusal::Weak,
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => Refusal::NotForServers,
        E::UnknownRevocationStatus
        | E::ExpiredRevocationList
        | E::ExpiredRevocationListContext { .. } => Refusal::RevocationUnknown(why.to_string()),
        _ => Refusal::Other(why.to_string()),
    }
}

fn since_epoch(time: UnixTime) -> Duration {
    Duration::from_secs(time.as_secs())
}

fn is<T: std::error::Error + 'static>(other: &rustls::error::OtherError) -> bool {
    std::error::Error::source(other).is_some_and(|error| error.is::<T>())
}

/// A certificate's name without the words that rustls-webpki has around it.
fn bare(name: &str) -> String {
    let inner = ["DnsName(\"", "IpAddress("]
        .iter()
        .find_map(|kind| name.strip_prefix(kind));
    let inner = inner.unwrap_or(name);
    inner.trim_end_matches(['"', ')']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
