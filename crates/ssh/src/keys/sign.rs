//! Signatures: which algorithms a key can do, and making one.

use rsa::pkcs1v15::SigningKey;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use sha2::{Sha256, Sha512};
use ssh_key::Signature;
use ssh_key::private::{KeypairData, RsaKeypair};

use crate::wire::{algorithm, put_string};

/// What the names of certificates' algorithms end with.
const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// Signature algorithms that go with a public key or certificate, best first.
///
/// RSA keys sign with SHA-2 (RFC 8332); SHA-1 is broken.
pub(super) fn algorithms(public: &[u8]) -> &'static [&'static str] {
    match algorithm(public).unwrap_or_default() {
        "ssh-ed25519" => &["ssh-ed25519"],
        "ecdsa-sha2-nistp256" => &["ecdsa-sha2-nistp256"],
        "ecdsa-sha2-nistp384" => &["ecdsa-sha2-nistp384"],
        "ecdsa-sha2-nistp521" => &["ecdsa-sha2-nistp521"],
        "ssh-rsa" => &["rsa-sha2-512", "rsa-sha2-256"],
        "sk-ssh-ed25519@openssh.com" => &["sk-ssh-ed25519@openssh.com"],
        "sk-ecdsa-sha2-nistp256@openssh.com" => &["sk-ecdsa-sha2-nistp256@openssh.com"],
        "ssh-ed25519-cert-v01@openssh.com" => &["ssh-ed25519-cert-v01@openssh.com"],
        "ecdsa-sha2-nistp256-cert-v01@openssh.com" => &["ecdsa-sha2-nistp256-cert-v01@openssh.com"],
        "ecdsa-sha2-nistp384-cert-v01@openssh.com" => &["ecdsa-sha2-nistp384-cert-v01@openssh.com"],
        "ecdsa-sha2-nistp521-cert-v01@openssh.com" => &["ecdsa-sha2-nistp521-cert-v01@openssh.com"],
        "ssh-rsa-cert-v01@openssh.com" => &[
            "rsa-sha2-512-cert-v01@openssh.com",
            "rsa-sha2-256-cert-v01@openssh.com",
        ],
        "sk-ssh-ed25519-cert-v01@openssh.com" => &["sk-ssh-ed25519-cert-v01@openssh.com"],
        "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com" => {
            &["sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"]
        }
        _ => &[],
    }
}

/// The algorithm that the signature itself names: a certificate's key signs as without it.
pub(super) fn plain(algorithm: &str) -> String {
    match algorithm.strip_suffix(CERTIFICATE) {
        Some(sk) if sk.starts_with("sk-") => format!("{sk}@openssh.com"),
        Some(plain) => plain.to_owned(),
        None => algorithm.to_owned(),
    }
}

/// Signs; `None`: the key cannot do that algorithm.
pub(super) fn sign(key: &KeypairData, data: &[u8], algorithm: &str) -> Option<Vec<u8>> {
    let algorithm = plain(algorithm);
    let signature = match key {
        KeypairData::Rsa(rsa) => rsa_signature(rsa, data, &algorithm)?,
        _ => {
            let signature: Signature = key.try_sign(data).ok()?;
            if signature.algorithm().as_str() != algorithm {
                return None;
            }
            signature.as_bytes().to_vec()
        }
    };
    let mut wire = Vec::with_capacity(algorithm.len() + signature.len() + 8);
    put_string(&mut wire, algorithm.as_bytes());
    put_string(&mut wire, &signature);
    Some(wire)
}

fn rsa_signature(key: &RsaKeypair, data: &[u8], algorithm: &str) -> Option<Vec<u8>> {
    let signature = match algorithm {
        "rsa-sha2-512" => SigningKey::<Sha512>::try_from(key).ok()?.try_sign(data),
        "rsa-sha2-256" => SigningKey::<Sha256>::try_from(key).ok()?.try_sign(data),
        _ => return None,
    };
    Some(signature.ok()?.to_vec())
}
