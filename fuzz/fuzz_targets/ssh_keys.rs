//! Any bytes as a private key's file, a public key's and a certificate's: no panic. A key that is
//! read signs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless_ssh::keys::{Certificate, KeyFile, read_public};

fuzz_target!(|input: (&[u8], Option<&[u8]>)| {
    let (text, passphrase) = input;
    let mut file = KeyFile::new("key", text);
    file.min_rsa_bits = 0;
    file.public();
    if let Ok(key) = file.read(passphrase) {
        for algorithm in ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"] {
            key.sign(b"data", algorithm);
        }
    }
    let _ = read_public(text);
    let _ = Certificate::read("certificate", text);
});
