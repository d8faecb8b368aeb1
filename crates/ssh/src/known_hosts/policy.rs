//! What is done about a host's key: files, policy, pins.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use md5::Md5;
use sha2::{Digest as _, Sha256};
use sockless_core::{Culprit, Fault, Reason};

use super::authority::HostCertificate;
use super::{Finding, KnownHosts, new_line};
use crate::fingerprint;
use crate::login::{HostKeys, Verdict};
use crate::wire::algorithm;

/// What is done about keys that the files do not know (OpenSSH's StrictHostKeyChecking).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// They are refused.
    #[default]
    Strict,
    /// A new host's key is accepted, and reported in [`Learned`]; a changed one is refused.
    AcceptNew,
    /// The application is asked about a new host's key; a changed one is refused.
    Ask,
    /// Every key is accepted that is not revoked: anybody can pose as the host.
    Off,
}

/// Fingerprints that a host's key must have, as curl's `--hostpubsha256` and `--hostpubmd5` give
/// them. With a pin the files do not matter, but for revoked keys; all that are given must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pins {
    sha256: Option<[u8; 32]>,
    md5: Option<[u8; 16]>,
}

impl Pins {
    /// Pins the SHA-256 fingerprint: base64, with or without padding and `SHA256:` in front.
    ///
    /// # Errors
    /// It is no fingerprint of that kind.
    pub fn sha256(mut self, pin: &str) -> Result<Self, Fault> {
        let bare = pin.strip_prefix("SHA256:").unwrap_or(pin);
        let bytes = STANDARD_NO_PAD.decode(bare.trim_end_matches('=')).ok();
        let hash = bytes.and_then(|bytes| bytes.try_into().ok());
        let what = "the SHA-256 fingerprint of a host key is 32 bytes in base64";
        self.sha256 = Some(hash.ok_or_else(|| misuse(what))?);
        Ok(self)
    }

    /// Pins the MD5 fingerprint: 32 hexadecimal digits, with or without colons.
    ///
    /// # Errors
    /// It is no fingerprint of that kind.
    pub fn md5(mut self, pin: &str) -> Result<Self, Fault> {
        let what = "the MD5 fingerprint of a host key is 32 hexadecimal digits";
        let digits: Vec<u8> = pin.bytes().filter(|byte| *byte != b':').collect();
        let mut hash = [0; 16];
        if digits.len() != 2 * hash.len() {
            return Err(misuse(what));
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            let (Some(high), Some(low)) = (digit(0), digit(1)) else {
                return Err(misuse(what));
            };
            *byte = (high * 16 + low) as u8;
        }
        self.md5 = Some(hash);
        Ok(self)
    }

    fn are_given(&self) -> bool {
        self.sha256.is_some() || self.md5.is_some()
    }

    fn fit(&self, key: &[u8]) -> bool {
        let sha256 = self.sha256.is_none_or(|pin| pin == *Sha256::digest(key));
        sha256 && self.md5.is_none_or(|pin| pin == *Md5::digest(key))
    }
}

fn misuse(what: &str) -> Fault {
    Fault::new(Culprit::Misuse, Reason::BadRequest, what)
        .remedy("ssh-keygen -l -f shows the fingerprint of a key file")
}

/// Signature algorithms of certificates, best first.
const CERTIFICATES: [&str; 6] = [
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
];

/// A host whose key has been accepted, and that the files do not know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewHost {
    /// The host.
    pub host: Arc<str>,
    /// Its port.
    pub port: u16,
    /// Its key, as it is on the wire.
    pub key: Vec<u8>,
}

impl NewHost {
    /// The line for a known_hosts file, without line end.
    pub fn line(&self) -> String {
        new_line(&self.host, self.port, &self.key, None)
    }

    /// The line with the host's name hashed; `salt` is drawn at random.
    pub fn hashed_line(&self, salt: [u8; 20]) -> String {
        new_line(&self.host, self.port, &self.key, Some(salt))
    }
}

/// The hosts that became known while connections were made. Clones share them; the application
/// takes them out, and stores their lines.
#[derive(Clone, Debug, Default)]
pub struct Learned(Arc<Mutex<Vec<NewHost>>>);

impl Learned {
    /// Takes out what is there.
    pub fn take(&self) -> Vec<NewHost> {
        core::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, new: NewHost) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !hosts.contains(&new) {
            hosts.push(new);
        }
    }
}

/// Decides by files, policy and pins. Whoever wants it otherwise implements [`HostKeys`], and
/// asks [`KnownHosts::check`] where that helps.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct HostKeyRules {
    /// The files.
    pub known: Arc<KnownHosts>,
    /// What is done about unknown keys. Default: they are refused.
    pub policy: Policy,
    /// Fingerprints instead of files.
    pub pins: Pins,
    /// Where accepted new keys are.
    pub learned: Learned,
}

impl fmt::Debug for HostKeyRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostKeyRules")
            .field("known", &self.known.entries.len())
            .field("policy", &self.policy)
            .field("pins", &self.pins)
            .finish_non_exhaustive()
    }
}

impl HostKeys for HostKeyRules {
    fn judge(&self, host: &str, port: u16, key: &[u8], wall: SystemTime) -> Verdict {
        let finding = self.known.check(host, port, key, wall);
        if self.pins.are_given() && !matches!(finding, Finding::Revoked(_)) {
            return self.pinned(key);
        }
        match (&finding, self.policy) {
            (Finding::Known(_) | Finding::Certified(_), _) => Verdict::Trust,
            (Finding::Unknown, Policy::Ask) => Verdict::Ask,
            (Finding::Unknown, Policy::AcceptNew) => {
                self.confirmed(host, port, key);
                Verdict::Trust
            }
            (Finding::Revoked(_), _) => Verdict::Refuse(objection(&finding, key)),
            (_, Policy::Off) => Verdict::Trust,
            _ => Verdict::Refuse(objection(&finding, key)),
        }
    }

    fn preferred(&self, host: &str, port: u16) -> Vec<String> {
        let known = self.known.algorithms(host, port);
        let mut wanted: Vec<&str> = Vec::new();
        if self.known.has_authority(host, port) {
            wanted.extend(CERTIFICATES);
        }
        for name in &known {
            match name.as_str() {
                // The key's name says nothing about the signature (RFC 8332).
                "ssh-rsa" => wanted.extend(["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"]),
                name => wanted.push(name),
            }
        }
        wanted.into_iter().map(str::to_owned).collect()
    }

    fn confirmed(&self, host: &str, port: u16, key: &[u8]) {
        // In a file, such a name would be a pattern, a comment, or a line of its own.
        let special = |byte: u8| !byte.is_ascii_graphic() || b",*?!|#@".contains(&byte);
        if host.bytes().any(special) {
            return;
        }
        self.learned.add(NewHost {
            host: Arc::from(host),
            port,
            key: plain(key),
        });
    }
}

impl HostKeyRules {
    /// Nothing is known, and nothing unknown is accepted.
    pub fn new() -> Self {
        Self::default()
    }

    fn pinned(&self, key: &[u8]) -> Verdict {
        let key = plain(key);
        if self.pins.fit(&key) {
            return Verdict::Trust;
        }
        let what = format!("the {} has not the fingerprint that is pinned", shown(&key));
        Verdict::Refuse(
            Fault::new(Culprit::Policy, Reason::PinMismatch, what).remedy(
                "ask the host's administrator for its fingerprint before you change the pin",
            ),
        )
    }
}

/// The key itself, also if it is in a certificate.
pub(crate) fn plain(key: &[u8]) -> Vec<u8> {
    HostCertificate::read(key).map_or_else(|| key.to_vec(), |certificate| certificate.key)
}

/// A key in messages.
fn shown(key: &[u8]) -> String {
    let key = plain(key);
    let name = algorithm(&key).unwrap_or("unreadable");
    let name: String = name.chars().take(64).collect();
    format!("host key {name} {}", fingerprint::sha256(&key))
}

/// Why a finding is not enough.
fn objection(finding: &Finding, key: &[u8]) -> Fault {
    let shown = shown(key);
    match finding {
        Finding::Changed {
            offending,
            algorithms,
        } => {
            let known = algorithms.join(", ");
            let what = format!(
                "the host key has changed: the {shown} is not the one ({known}) in {offending}"
            );
            refused(what).remedy(
                "somebody may be in between; if the host has a new key, remove the old line",
            )
        }
        Finding::Revoked(place) => refused(format!("the {shown} is revoked by {place}"))
            .remedy("do not use the host until it has a new key"),
        Finding::BadCertificate { authority, why } => {
            let what = format!(
                "the certificate with the {shown} of the authority in {authority} is not valid: {why}"
            );
            refused(what).remedy("the host needs a new certificate")
        }
        Finding::Unknown | Finding::Known(_) | Finding::Certified(_) => refused(format!(
            "the {shown} is unknown"
        ))
        .remedy("compare its fingerprint, then add it to known_hosts, pin it, or accept new keys"),
    }
}

fn refused(what: impl Into<String>) -> Fault {
    Fault::new(Culprit::Policy, Reason::HostKey, what)
}
