//! Channel bindings: what ties an authentication above to this very connection.

use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::x509::{self, SignatureHash};

/// The exporter's label, with an empty context (RFC 9266 section 2), and the secret's length.
pub(crate) const LABEL: &[u8] = b"EXPORTER-Channel-Binding";
pub(crate) const LENGTH: usize = 32;

/// RFC 5929 section 4.1; `None` where the signature has no hash of its own (Ed25519), for
/// which the binding is not defined.
pub(crate) fn server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    Some(match x509::signature_hash(certificate)? {
        SignatureHash::Sha256 => Sha256::digest(certificate).to_vec(),
        SignatureHash::Sha384 => Sha384::digest(certificate).to_vec(),
        SignatureHash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}
