//! Why a connection failed, in words that help.

use core::fmt;

use openssl::error::ErrorStack;
use openssl::ssl::{Error, ErrorCode};
use sockless_core::{Culprit, Fault, Phase, Reason};

use crate::alert;
use crate::record::Broken;
use crate::refusal::Refusal;

/// A broken connection. It is kept, because the fault is reported on each later pump again.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// No record of OpenSSL's is to blame.
    Broken(Broken),
    /// The certificate was refused; OpenSSL's words for it.
    Refused(Refusal, Words),
    /// OpenSSL gave up, for that reason (of `SSL_R_…`), in that phase.
    Ssl(Option<u16>, Words, Phase),
    /// A record's header cannot be right.
    BadRecord(Phase),
    /// The server chose a protocol that was not offered.
    Alpn(String),
    /// The wall clock is before 1970.
    Clock,
    /// OpenSSL does not even begin.
    Setup(Words),
}

/// What OpenSSL said.
#[derive(Clone, Debug)]
pub(super) struct Words(String);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Words {}

/// OpenSSL's number for its TLS part (`ERR_LIB_SSL`).
const LIBRARY: i32 = 20;
/// The peer's alerts are reasons from here on.
const ALERTS: u16 = 1000;

/// `SSL_R_…`, of `openssl/sslerr.h`; they have been the same since 1.1.1.
mod reason {
    pub(super) const BAD_SIGNATURE: u16 = 123;
    pub(super) const CERTIFICATE_VERIFY_FAILED: u16 = 134;
    pub(super) const NO_PROTOCOLS_AVAILABLE: u16 = 191;
    pub(super) const NO_SHARED_CIPHER: u16 = 193;
    pub(super) const UNKNOWN_PROTOCOL: u16 = 252;
    pub(super) const UNSUPPORTED_PROTOCOL: u16 = 258;
    pub(super) const WRONG_CIPHER_RETURNED: u16 = 261;
    pub(super) const WRONG_VERSION_NUMBER: u16 = 267;
    pub(super) const BAD_RECORD_MAC: u16 = 281;
    pub(super) const INVALID_STATUS_RESPONSE: u16 = 328;
    pub(super) const WRONG_SIGNATURE_TYPE: u16 = 370;
    pub(super) const DH_KEY_TOO_SMALL: u16 = 394;
    pub(super) const VERSION_TOO_LOW: u16 = 396;
    pub(super) const CA_KEY_TOO_SMALL: u16 = 397;
    pub(super) const CA_MD_TOO_WEAK: u16 = 398;
    pub(super) const EE_KEY_TOO_SMALL: u16 = 399;
}

impl Failure {
    pub(super) fn new(error: &Error, verdict: Option<Refusal>, phase: Phase) -> Self {
        let words = |stack: Option<&ErrorStack>| match stack {
            Some(stack) if !stack.errors().is_empty() => {
                let all = stack.errors().iter().map(said);
                Words(all.collect::<Vec<_>>().join("; "))
            }
            _ => Words("OpenSSL gives no reason".to_owned()),
        };
        let stack = error.ssl_error();
        let first = stack.and_then(|stack| {
            let mut ours = stack
                .errors()
                .iter()
                .filter(|e| e.library_code() == LIBRARY);
            ours.find_map(|e| u16::try_from(e.reason_code()).ok())
        });
        let words = match error.code() {
            ErrorCode::SSL => words(stack),
            code => Words(format!(
                "OpenSSL wants what it cannot get (code {})",
                code.as_raw()
            )),
        };
        match (first, verdict) {
            (
                Some(reason::CERTIFICATE_VERIFY_FAILED | reason::INVALID_STATUS_RESPONSE),
                Some(refusal),
            ) => Self::Refused(refusal, words),
            (Some(reason), _) => match refusal(reason, &words) {
                Some(refusal) => Self::Refused(refusal, words),
                None => Self::Ssl(Some(reason), words, phase),
            },
            (None, _) => Self::Ssl(None, words, phase),
        }
    }

    pub(super) fn setup(error: ErrorStack) -> Self {
        Self::Setup(Words(error.to_string().replace('\n', " ")))
    }

    pub(super) fn refused(refusal: Refusal) -> Self {
        Self::Refused(refusal, Words("refused after the handshake".to_owned()))
    }

    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Broken(broken) => broken.fault(),
            Self::Refused(refusal, words) => refusal.fault().source(words.clone()),
            Self::Ssl(reason, words, phase) => ssl(*reason, words, *phase).source(words.clone()),
            Self::BadRecord(phase) => {
                Fault::misbehaved(broken(*phase), "a TLS record has an impossible header")
            }
            Self::Alpn(name) => Fault::misbehaved(
                Reason::Handshake,
                format!("the server chose the protocol \"{name}\", which was not offered"),
            ),
            Self::Clock => Fault::new(
                Culprit::Misuse,
                Reason::BadRequest,
                "the wall clock is before 1970",
            )
            .remedy("set the clock"),
            Self::Setup(words) => Fault::new(
                Culprit::Misuse,
                Reason::BadRequest,
                format!("OpenSSL makes no connection: {words}"),
            ),
        }
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Without file names and line numbers of OpenSSL's own source.
fn said(error: &openssl::error::Error) -> String {
    let reason = error.reason().unwrap_or("unknown");
    match error.data() {
        Some(data) => format!("{reason} ({})", data.escape_default()),
        None => reason.to_owned(),
    }
}

fn refusal(reason: u16, words: &Words) -> Option<Refusal> {
    Some(match reason {
        reason::BAD_SIGNATURE => Refusal::BadSignature,
        reason::EE_KEY_TOO_SMALL | reason::CA_KEY_TOO_SMALL | reason::CA_MD_TOO_WEAK => {
            Refusal::Weak
        }
        reason::INVALID_STATUS_RESPONSE => Refusal::RevocationUnknown(
            "the server brought no valid proof (OCSP stapling)".to_owned(),
        ),
        reason::CERTIFICATE_VERIFY_FAILED => Refusal::Other(words.to_string()),
        _ => return None,
    })
}

fn broken(phase: Phase) -> Reason {
    match phase {
        Phase::Handshake => Reason::Handshake,
        Phase::Open => Reason::Malformed,
    }
}

fn ssl(reason: Option<u16>, words: &Words, phase: Phase) -> Fault {
    let incompatible = |what| Fault::new(Culprit::PeerIncompatible, Reason::Handshake, what);
    let alert = reason.and_then(|reason| u8::try_from(reason.checked_sub(ALERTS)?).ok());
    if let Some(alert) = alert {
        return alert::received(alert, phase);
    }
    match reason {
        Some(
            reason::NO_PROTOCOLS_AVAILABLE
            | reason::UNKNOWN_PROTOCOL
            | reason::UNSUPPORTED_PROTOCOL
            | reason::VERSION_TOO_LOW,
        ) if phase == Phase::Handshake => {
            incompatible(format!("no TLS version in common ({words})"))
                .remedy("allow the version that the server speaks; below TLS 1.2 there is none")
        }
        Some(
            reason::NO_SHARED_CIPHER
            | reason::WRONG_CIPHER_RETURNED
            | reason::WRONG_SIGNATURE_TYPE
            | reason::DH_KEY_TOO_SMALL,
        ) => incompatible(format!("nothing acceptable in common ({words})")),
        Some(reason::BAD_RECORD_MAC) => Fault::misbehaved(
            broken(phase),
            "a TLS record does not decrypt: it was changed on the way",
        ),
        Some(reason::WRONG_VERSION_NUMBER) => Fault::misbehaved(
            broken(phase),
            "a TLS record has another version than was agreed on",
        ),
        _ => Fault::misbehaved(
            broken(phase),
            format!("the peer broke the TLS protocol: {words}"),
        ),
    }
}
