//! Why a key cannot be used.

use core::fmt;

use sockless_core::{Culprit, Fault, Reason};

/// Why a key file, or certificate, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadKey {
    /// It is encrypted, and no passphrase is given.
    Encrypted,
    /// The passphrase does not fit.
    WrongPassphrase,
    /// An RSA key of that many bits.
    TooShort(u32),
    /// A kind of key, or encryption, that is not supported.
    Unsupported(String),
    /// It cannot be read.
    Malformed(&'static str),
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encrypted => f.write_str("it is encrypted"),
            Self::WrongPassphrase => f.write_str("the passphrase does not fit"),
            Self::TooShort(bits) => write!(f, "an RSA key of {bits} bits is too short"),
            Self::Unsupported(what) => write!(f, "{} is not supported", what.escape_debug()),
            Self::Malformed(why) => f.write_str(why),
        }
    }
}

impl core::error::Error for BadKey {}

impl BadKey {
    /// As a fault of the file with that name.
    pub fn fault(self, name: &str) -> Fault {
        let remedy = match self {
            Self::Encrypted => "give its passphrase, or load the key into an agent",
            Self::WrongPassphrase => "give the passphrase that the key was encrypted with",
            Self::TooShort(_) => "make a new key, e.g. of type ed25519",
            Self::Unsupported(_) => {
                "ssh-keygen -p writes a key anew; an agent may be able to use it"
            }
            Self::Malformed(_) => "give a private key as ssh-keygen or openssl writes it",
        };
        let what = format!("key {}: {self}", name.escape_debug());
        Fault::new(Culprit::Misuse, Reason::Authentication, what)
            .remedy(remedy)
            .source(self)
    }
}
