//! Fingerprints of keys, as people compare them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

/// `SHA256:` and the hash in base64 without padding, as `ssh-keygen -l` shows it.
pub fn sha256(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// The MD5 hash in hexadecimal with colons, as `ssh-keygen -l -E md5` shows it behind `MD5:`.
pub fn md5(key: &[u8]) -> String {
    let hash = md5::Md5::digest(key);
    let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}
