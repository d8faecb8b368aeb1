//! Certificates of hosts (OpenSSH's PROTOCOL.certkeys).

use core::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use ssh_key::Algorithm;
use ssh_key::certificate::{CertType, Certificate};
use ssh_key::public::KeyData;

use crate::patterns::matches;
use crate::wire::algorithm;

/// What the names of certificates' algorithms end with.
const SUFFIX: &str = "-cert-v01@openssh.com";

/// Whether it is a certificate, by the algorithm that it names.
pub fn is_certificate(key: &[u8]) -> bool {
    algorithm(key).is_some_and(|name| name.ends_with(SUFFIX))
}

/// Why a host's certificate is not valid, though its authority is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadCertificate {
    /// It is a user's.
    NotForHosts,
    /// It is for other hosts: these.
    OtherHosts(Vec<String>),
    /// It is valid only from that second on, counted from 1970.
    NotYetValid(u64),
    /// It was valid only before that second, counted from 1970.
    Expired(u64),
    /// It has a critical option; none is known for hosts.
    CriticalOption(String),
    /// It is signed with an algorithm that is too weak.
    WeakSignature(String),
    /// Its authority is itself a certificate.
    NestedAuthority,
    /// It was not signed by its authority.
    BadSignature,
}

impl fmt::Display for BadCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotForHosts => f.write_str("it is a user's certificate"),
            Self::OtherHosts(names) => {
                f.write_str("it is for other hosts:")?;
                // Names come from the peer: few, short, and without control characters.
                names.iter().take(8).try_for_each(|name| {
                    let short: String = name.chars().take(64).collect();
                    write!(f, " {}", short.escape_debug())
                })
            }
            Self::NotYetValid(from) => write!(f, "it is valid from {from} on (seconds since 1970)"),
            Self::Expired(end) => write!(f, "it was valid until {end} (seconds since 1970)"),
            Self::CriticalOption(name) => {
                let short: String = name.chars().take(64).collect();
                write!(f, "its critical option {} is unknown", short.escape_debug())
            }
            Self::WeakSignature(name) => write!(f, "it is signed with {name}, which is too weak"),
            Self::NestedAuthority => f.write_str("its authority is a certificate itself"),
            Self::BadSignature => f.write_str("its authority has not signed it"),
        }
    }
}

/// A certificate that a host has shown.
pub(super) struct HostCertificate {
    certificate: Certificate,
    /// The host's key in it, as it is on the wire.
    pub(super) key: Vec<u8>,
    /// The key of the authority that has signed it.
    pub(super) authority: Vec<u8>,
}

impl HostCertificate {
    /// Reads one; `None`: it is a plain key, or broken.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        if !is_certificate(bytes) {
            return None;
        }
        let certificate = Certificate::from_bytes(bytes).ok()?;
        let key = blob(certificate.public_key())?;
        let authority = blob(certificate.signature_key())?;
        Some(Self {
            certificate,
            key,
            authority,
        })
    }

    /// Whether it is valid for that host now; that the authority is trusted is known already.
    pub(super) fn check(&self, host: &str, now: SystemTime) -> Result<(), BadCertificate> {
        let certificate = &self.certificate;
        if is_certificate(&self.authority) {
            return Err(BadCertificate::NestedAuthority);
        }
        match certificate.signature().algorithm() {
            Algorithm::Rsa { hash: None } | Algorithm::Dsa => {
                let name = certificate.signature().algorithm().to_string();
                return Err(BadCertificate::WeakSignature(name));
            }
            _ => {}
        }
        // The method is meant for tests only because it does not say whom to trust; the caller does.
        if certificate.verify_signature().is_err() {
            return Err(BadCertificate::BadSignature);
        }
        if certificate.cert_type() != CertType::Host {
            return Err(BadCertificate::NotForHosts);
        }
        if let Some(name) = certificate.critical_options().keys().next() {
            return Err(BadCertificate::CriticalOption(name.clone()));
        }
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        if now < certificate.valid_after() {
            return Err(BadCertificate::NotYetValid(certificate.valid_after()));
        }
        if now >= certificate.valid_before() {
            return Err(BadCertificate::Expired(certificate.valid_before()));
        }
        // None at all: valid for every host (PROTOCOL.certkeys).
        let names = certificate.valid_principals();
        if names.is_empty() || names.iter().any(|name| matches(name, host)) {
            return Ok(());
        }
        Err(BadCertificate::OtherHosts(names.to_vec()))
    }
}

/// A key as it is on the wire.
fn blob(key: &KeyData) -> Option<Vec<u8>> {
    ssh_key::PublicKey::from(key.clone()).to_bytes().ok()
}
