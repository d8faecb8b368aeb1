//! Public keys and certificates of users, as lines of text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh_key::certificate::CertType;

use super::BadKey;
use crate::wire::algorithm;

/// A public key's or certificate's bytes, out of a file like `id_ed25519.pub`: algorithm, base64,
/// comment.
///
/// # Errors
/// It is no such file.
pub fn read_public(text: &[u8]) -> Result<Vec<u8>, BadKey> {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    let mut words = line.unwrap_or_default().split_ascii_whitespace();
    let (Some(name), Some(key)) = (words.next(), words.next()) else {
        return Err(BadKey::Malformed("it is no public key"));
    };
    let key = STANDARD.decode(key);
    let key = key.map_err(|_| BadKey::Malformed("its base64 cannot be read"))?;
    match algorithm(&key) {
        Some(named) if named == name => Ok(key),
        _ => Err(BadKey::Malformed("it is of another algorithm than it says")),
    }
}

/// A user's certificate: a key, and an authority's signature on whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) key: Vec<u8>,
}

impl Certificate {
    /// Reads a file like `id_ed25519-cert.pub`; `name` is for messages. It is the server that
    /// checks whether the certificate is valid.
    ///
    /// # Errors
    /// It is no certificate, or a host's.
    pub fn read(name: &str, text: &[u8]) -> Result<Self, BadKey> {
        let bytes = read_public(text)?;
        let parsed = ssh_key::Certificate::from_bytes(&bytes);
        let parsed = parsed.map_err(|_| BadKey::Malformed("it is no certificate"))?;
        if parsed.cert_type() != CertType::User {
            return Err(BadKey::Malformed(
                "it is a host's certificate, not a user's",
            ));
        }
        let key = ssh_key::PublicKey::from(parsed.public_key().clone()).to_bytes();
        let key = key.map_err(|_| BadKey::Malformed("its key cannot be read"))?;
        Ok(Self {
            name: name.to_owned(),
            bytes,
            key,
        })
    }

    /// The certificate as it is on the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The public key in it, as it is on the wire.
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}
