//! Fingerprints of keys, as people compare them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

/// `SHA256:` and the hash in base64 without padding.
pub(crate) fn sha256(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// The MD5 hash in hexadecimal, with colons.
pub(crate) fn md5(key: &[u8]) -> String {
    let hash = md5::Md5::digest(key);
    let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}

/// The name at the beginning of a key or certificate on the wire (RFC 4253 section 6.6).
pub(crate) fn algorithm(key: &[u8]) -> String {
    let name = key
        .split_first_chunk::<4>()
        .and_then(|(len, rest)| rest.get(..u32::from_be_bytes(*len) as usize));
    String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
}
