//! Which algorithms are offered, by OpenSSH's names.

use sockless_core::{Culprit, Fault, Reason};

use crate::patterns::matches;

/// What an algorithm is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Key exchange: `KexAlgorithms`.
    Kex,
    /// The host's proof: `HostKeyAlgorithms`.
    HostKey,
    /// Encryption: `Ciphers`.
    Cipher,
    /// Integrity, for ciphers that do not have their own: `MACs`.
    Mac,
    /// Compression.
    Compression,
}

impl Kind {
    /// What it is called in errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kex => "key exchange",
            Self::HostKey => "host key",
            Self::Cipher => "cipher",
            Self::Mac => "MAC",
            Self::Compression => "compression",
        }
    }
}

/// The algorithms on offer, best first. Weak ones (SHA-1, CBC, `ssh-rsa`, groups of 1024 bits) are not
/// among the defaults; whoever needs them for an old peer names them.
///
/// ```
/// use sockless_ssh::{Algorithms, Kind};
///
/// let mut algorithms = Algorithms::default();
/// algorithms.set(Kind::Cipher, "aes256-gcm@openssh.com,aes256-ctr");
/// algorithms.set(Kind::Kex, "+diffie-hellman-group14-sha1");
/// assert_eq!(algorithms.of(Kind::Cipher).len(), 2);
/// assert_eq!(algorithms.of(Kind::Kex).last().unwrap(), "diffie-hellman-group14-sha1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Algorithms {
    kex: Vec<String>,
    host_key: Vec<String>,
    cipher: Vec<String>,
    mac: Vec<String>,
    compression: Vec<String>,
}

impl Default for Algorithms {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            kex: owned(KEX),
            host_key: owned(HOST_KEY),
            cipher: owned(CIPHER),
            mac: owned(MAC),
            compression: owned(&["none"]),
        }
    }
}

const KEX: &[&str] = &[
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
];

const HOST_KEY: &[&str] = &[
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// GCM first: it is the fastest where the processor helps, which is nearly everywhere.
const CIPHER: &[&str] = &[
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
];

const MAC: &[&str] = &[
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
];

impl Algorithms {
    /// The names on offer, best first.
    pub fn of(&self, kind: Kind) -> &[String] {
        match kind {
            Kind::Kex => &self.kex,
            Kind::HostKey => &self.host_key,
            Kind::Cipher => &self.cipher,
            Kind::Mac => &self.mac,
            Kind::Compression => &self.compression,
        }
    }

    /// Takes a list as OpenSSH's options have it: names with commas, which replace those there
    /// are; after a `+` they are appended, after a `^` put in front, after a `-` those that match
    /// the patterns are taken out.
    /// Names that no backend knows are reported when a client is made.
    pub fn set(&mut self, kind: Kind, list: &str) {
        let names = match kind {
            Kind::Kex => &mut self.kex,
            Kind::HostKey => &mut self.host_key,
            Kind::Cipher => &mut self.cipher,
            Kind::Mac => &mut self.mac,
            Kind::Compression => &mut self.compression,
        };
        let (sign, list) = match list.strip_prefix(['+', '-', '^']) {
            Some(rest) => (list.chars().next(), rest),
            None => (None, list),
        };
        let given: Vec<String> = list
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        match sign {
            None => *names = given,
            Some('-') => {
                names.retain(|name| !given.iter().any(|pattern| matches(pattern, name)));
            }
            Some('^') => {
                names.retain(|name| !given.contains(name));
                names.splice(0..0, given);
            }
            Some(_) => {
                for name in given {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
            }
        }
    }

    /// Offers compression first, and none as well.
    pub fn compress(&mut self) {
        self.set(Kind::Compression, "zlib@openssh.com,zlib,none");
    }

    /// Whether what is agreed on may be compression.
    pub(crate) fn may_compress(&self) -> bool {
        self.compression.iter().any(|name| name != "none")
    }

    /// Puts those host key algorithms in front that a key is known for, as far as they are on offer.
    pub(crate) fn prefer_host_keys(&mut self, known: &[String]) {
        let mut known: Vec<String> = known
            .iter()
            .filter(|name| self.host_key.contains(name))
            .cloned()
            .collect();
        self.host_key.retain(|name| !known.contains(name));
        known.append(&mut self.host_key);
        self.host_key = known;
    }
}

/// A name that a backend does not have.
pub(crate) fn unknown(kind: Kind, name: &str, has: impl IntoIterator<Item = String>) -> Fault {
    let shown = name.escape_default();
    let has = has.into_iter().collect::<Vec<_>>().join(", ");
    let what = format!("no {} algorithm \"{shown}\"; there are: {has}", kind.name());
    Fault::new(Culprit::Misuse, Reason::BadRequest, what)
}

/// Both sides' lists have nothing in common.
pub(crate) fn nothing_in_common(kind: &str, ours: &[String], theirs: &[String]) -> Fault {
    let shown = |names: &[String]| match names {
        [] => "nothing".to_owned(),
        names => names.join(", ").escape_default().to_string(),
    };
    let what = format!(
        "no {kind} algorithm in common: we offer {}; the peer offers {}",
        shown(ours),
        shown(theirs)
    );
    Fault::new(Culprit::PeerIncompatible, Reason::Handshake, what)
        .remedy("name one of the peer's algorithms in the settings, if it is strong enough for you")
}
