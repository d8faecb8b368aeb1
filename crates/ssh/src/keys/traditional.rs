//! PEM encrypted the traditional way: a cipher and an IV in `DEK-Info`, the key by one round of
//! MD5 over passphrase and IV. It is weak; OpenSSH still reads it.

use md5::{Digest as _, Md5};
use ssh_key::Cipher;
use zeroize::Zeroizing;

use super::BadKey;

/// Decrypts in place, and takes the padding off.
pub(super) fn decrypt(
    body: &mut Zeroizing<Vec<u8>>,
    (cipher, iv): (&str, &str),
    passphrase: &[u8],
) -> Result<(), BadKey> {
    let cipher = match cipher {
        "AES-128-CBC" => Cipher::Aes128Cbc,
        "AES-192-CBC" => Cipher::Aes192Cbc,
        "AES-256-CBC" => Cipher::Aes256Cbc,
        "DES-EDE3-CBC" => Cipher::TdesCbc,
        other => return Err(BadKey::Unsupported(format!("cipher {other:.32}"))),
    };
    let iv = bytes(iv).ok_or(BadKey::Malformed("its IV is not hexadecimal"))?;
    let block = cipher.block_size();
    if iv.len() != block || body.is_empty() || !body.len().is_multiple_of(block) {
        return Err(BadKey::Malformed("it is not whole blocks of its cipher"));
    }
    let (size, _) = cipher.key_and_iv_size().unwrap_or_default();
    let key = stretch(passphrase, &iv[..8], size);
    let done = cipher.decrypt(&key, &iv, body, None);
    done.map_err(|_| BadKey::WrongPassphrase)?;
    let padding = usize::from(*body.last().unwrap_or(&0));
    let len = body.len().saturating_sub(padding);
    let is_padding = (1..=block).contains(&padding);
    if !is_padding || body[len..].iter().any(|byte| usize::from(*byte) != padding) {
        return Err(BadKey::WrongPassphrase);
    }
    body.truncate(len);
    Ok(())
}

/// OpenSSL's EVP_BytesToKey with MD5 and one round.
fn stretch(passphrase: &[u8], salt: &[u8], size: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(size + 16));
    let mut last = Zeroizing::new(Vec::new());
    while key.len() < size {
        let hash = Md5::new()
            .chain_update(last.as_slice())
            .chain_update(passphrase)
            .chain_update(salt);
        last = Zeroizing::new(hash.finalize().to_vec());
        key.extend_from_slice(&last);
    }
    key.truncate(size);
    key
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.trim().as_bytes();
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
        _ => None,
    };
    digits.chunks(2).map(pair).collect()
}
