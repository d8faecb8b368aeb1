//! Pinned public keys: who the server has to be, whatever any authority says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use sockless_core::Fault;

use crate::config::bad;
use crate::x509;

/// SHA-256 hashes of the public keys (SubjectPublicKeyInfo) that a server may have; none
/// stands for any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pins(Vec<[u8; 32]>);

impl Pins {
    /// Takes what [`Config::pin`](crate::Config::pin) documents.
    pub(crate) fn add(&mut self, pins: &[u8]) -> Result<(), Fault> {
        if pins.starts_with(HASHED) {
            let each = pins.split(|byte| *byte == b';');
            return each.filter(|pin| !pin.is_empty()).try_for_each(|pin| {
                self.0.push(hash(pin)?);
                Ok(())
            });
        }
        let pem = SubjectPublicKeyInfoDer::from_pem_slice(pins);
        let key = pem.as_ref().map_or(pins, |key| key.as_ref());
        if !x509::is_public_key(key) {
            return Err(
                bad("the pinned public key is neither sha256//, nor PEM, nor DER")
                    .remedy("give sha256//BASE64;sha256//BASE64, or a public key"),
            );
        }
        self.0.push(Sha256::digest(key).into());
        Ok(())
    }

    /// All of them, to tell settings apart.
    #[cfg(feature = "openssl")]
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.concat()
    }

    /// Whether a server with that certificate is one of them.
    pub(crate) fn accept(&self, certificate: &[u8]) -> bool {
        let key = || x509::public_key(certificate);
        self.0.is_empty() || key().is_some_and(|key| self.0.contains(&Sha256::digest(key).into()))
    }
}

const HASHED: &[u8] = b"sha256//";

fn hash(pin: &[u8]) -> Result<[u8; 32], Fault> {
    let digits = pin.strip_prefix(HASHED);
    let hash = digits.and_then(|digits| STANDARD.decode(digits).ok());
    hash.and_then(|hash| hash.try_into().ok()).ok_or_else(|| {
        let shown = pin.escape_ascii();
        bad(format!("the pin \"{shown}\" is no SHA-256 hash"))
            .remedy("give sha256// and the hash of 32 bytes in base64")
    })
}
