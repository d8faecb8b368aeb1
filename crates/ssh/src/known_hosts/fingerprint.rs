//! Fingerprints of keys, as people and files compare them.

use core::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use md5::Md5;
use sha2::{Digest as _, Sha256};

/// `SHA256:` and the hash in base64 without padding, as `ssh-keygen -l` shows it.
pub fn sha256(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// The MD5 hash in hexadecimal with colons, as `ssh-keygen -l -E md5` shows it behind `MD5:`.
pub fn md5(key: &[u8]) -> String {
    let mut text = String::with_capacity(47);
    for (index, byte) in Md5::digest(key).iter().enumerate() {
        let colon = if index == 0 { "" } else { ":" };
        let _ = write!(text, "{colon}{byte:02x}");
    }
    text
}
