//! Private keys, public keys and certificates, as OpenSSH's and OpenSSL's tools write them.

use proptest::prelude::*;
use sockless_core::{Culprit, Reason};
use sockless_ssh::keys::{
    BadKey, Certificate, Identity, KeyFile, PrivateKey, exposed, read_public,
};
use ssh_key::{Algorithm, HashAlg, PublicKey, Signature};
// What verifies a signature; the crate signs with its counterpart.
use rsa::signature::Verifier as _;

const PASSPHRASE: &[u8] = b"open sesame";

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("fixtures/keys/", $name)).as_slice()
    };
}

/// File, its text, its public half, whether it is encrypted.
const KEYS: [(&str, &[u8], &[u8], bool); 18] = [
    (
        "ed25519",
        fixture!("ed25519"),
        fixture!("ed25519.pub"),
        false,
    ),
    (
        "ed25519_locked",
        fixture!("ed25519_locked"),
        fixture!("ed25519.pub"),
        true,
    ),
    (
        "ed25519_gcm",
        fixture!("ed25519_gcm"),
        fixture!("ed25519.pub"),
        true,
    ),
    (
        "ed25519_chacha",
        fixture!("ed25519_chacha"),
        fixture!("ed25519.pub"),
        true,
    ),
    (
        "ed25519_pkcs8",
        fixture!("ed25519_pkcs8"),
        fixture!("ed25519_pkcs8.pub"),
        false,
    ),
    (
        "ecdsa256",
        fixture!("ecdsa256"),
        fixture!("ecdsa256.pub"),
        false,
    ),
    (
        "ecdsa384",
        fixture!("ecdsa384"),
        fixture!("ecdsa384.pub"),
        false,
    ),
    (
        "ecdsa521",
        fixture!("ecdsa521"),
        fixture!("ecdsa521.pub"),
        false,
    ),
    (
        "ecdsa256_sec1",
        fixture!("ecdsa256_sec1"),
        fixture!("ecdsa256.pub"),
        false,
    ),
    (
        "ecdsa521_sec1",
        fixture!("ecdsa521_sec1"),
        fixture!("ecdsa521.pub"),
        false,
    ),
    (
        "ecdsa384_pkcs8",
        fixture!("ecdsa384_pkcs8"),
        fixture!("ecdsa384.pub"),
        false,
    ),
    (
        "ecdsa384_scrypt",
        fixture!("ecdsa384_scrypt"),
        fixture!("ecdsa384.pub"),
        true,
    ),
    ("rsa", fixture!("rsa"), fixture!("rsa.pub"), false),
    (
        "rsa_pkcs1",
        fixture!("rsa_pkcs1"),
        fixture!("rsa.pub"),
        false,
    ),
    (
        "rsa_pem_locked",
        fixture!("rsa_pem_locked"),
        fixture!("rsa.pub"),
        true,
    ),
    ("rsa_3des", fixture!("rsa_3des"), fixture!("rsa.pub"), true),
    (
        "rsa_pkcs8",
        fixture!("rsa_pkcs8"),
        fixture!("rsa.pub"),
        false,
    ),
    (
        "rsa_pkcs8_locked",
        fixture!("rsa_pkcs8_locked"),
        fixture!("rsa.pub"),
        true,
    ),
];

fn read(text: &[u8], locked: bool) -> Result<PrivateKey, BadKey> {
    KeyFile::new("key", text).read(locked.then_some(PASSPHRASE))
}

/// Checks a signature that is as on the wire.
fn verify(public: &[u8], data: &[u8], signature: &[u8]) -> Algorithm {
    let public = PublicKey::from_bytes(public).expect("it is a key");
    let signature = Signature::try_from(signature).expect("it is a signature");
    public.verify_raw(data, &signature);
    signature.algorithm()
}

trait VerifyRaw {
    fn verify_raw(&self, data: &[u8], signature: &Signature);
}

impl VerifyRaw for PublicKey {
    fn verify_raw(&self, data: &[u8], signature: &Signature) {
        self.key_data()
            .verify(data, signature)
            .expect("the signature is right");
    }
}

#[test]
fn every_format_gives_the_key_and_its_signature_is_right() {
    for (name, text, public, locked) in KEYS {
        let key = read(text, locked).unwrap_or_else(|why| panic!("{name}: {why}"));
        let public = read_public(public).expect("it is a public key");
        assert_eq!(key.public(), public, "{name}");
        let algorithm = match PublicKey::from_bytes(&public).expect("a key").algorithm() {
            Algorithm::Rsa { .. } => "rsa-sha2-512".to_owned(),
            other => other.to_string(),
        };
        let signature = key.sign(b"data", &algorithm).expect("it can do that");
        assert_eq!(
            verify(&public, b"data", &signature).to_string(),
            algorithm,
            "{name}"
        );
    }
}

#[test]
fn rsa_signs_with_sha2_only() {
    let key = read(fixture!("rsa"), false).expect("it is a key");
    let small = key.sign(b"data", "rsa-sha2-256").expect("it can do that");
    let hash = Some(HashAlg::Sha256);
    assert_eq!(
        verify(key.public(), b"data", &small),
        Algorithm::Rsa { hash }
    );
    let certificate = key.sign(b"data", "rsa-sha2-512-cert-v01@openssh.com");
    assert_eq!(certificate, key.sign(b"data", "rsa-sha2-512"));
    for other in ["ssh-rsa", "ssh-ed25519", "rsa-sha2-1024"] {
        assert_eq!(key.sign(b"data", other), None, "{other}");
    }
    let key = read(fixture!("ed25519"), false).expect("it is a key");
    assert_eq!(key.sign(b"data", "rsa-sha2-512"), None);
}

#[test]
fn passphrases_that_are_missing_or_wrong() {
    for (name, text, _, _) in KEYS.iter().filter(|(.., locked)| *locked) {
        let file = KeyFile::new(name, text);
        assert_eq!(file.read(None).unwrap_err(), BadKey::Encrypted, "{name}");
        for wrong in [b"".as_slice(), b"open", b"open sesame "] {
            let why = file.read(Some(wrong)).unwrap_err();
            assert_eq!(why, BadKey::WrongPassphrase, "{name}");
        }
    }
    let fault = BadKey::WrongPassphrase.fault("id_rsa");
    assert_eq!(fault.culprit, Culprit::Misuse);
    assert_eq!(fault.reason, Reason::Authentication);
    assert!(fault.what.contains("id_rsa") && fault.remedy.is_some());
}

#[test]
fn a_passphrase_that_is_not_needed_does_no_harm() {
    for (name, text, _, _) in KEYS.iter().filter(|(.., locked)| !*locked) {
        assert!(read(text, true).is_ok(), "{name}");
    }
}

#[test]
fn short_rsa_keys_are_refused_unless_allowed() {
    let mut file = KeyFile::new("rsa_short", fixture!("rsa_short"));
    assert_eq!(file.read(None).unwrap_err(), BadKey::TooShort(1024));
    file.min_rsa_bits = 1024;
    assert!(file.read(None).is_ok());
}

#[test]
fn secrets_do_not_show() {
    let key = read(fixture!("ed25519"), false).expect("it is a key");
    assert_eq!(format!("{key:?}"), "PrivateKey(key)");
    let file = KeyFile::new("id", fixture!("ed25519"));
    assert_eq!(format!("{file:?}"), "KeyFile(id)");
    let identity = Identity::new(key);
    assert!(
        !format!("{identity:?}").contains("Ed25519Private"),
        "{identity:?}"
    );
}

#[test]
fn encrypted_files_in_openssh_format_show_their_public_half() {
    let public = read_public(fixture!("ed25519.pub")).expect("it is a public key");
    let file = KeyFile::new("f", fixture!("ed25519_locked"));
    assert_eq!(file.public(), Some(public));
    let file = KeyFile::new("f", fixture!("rsa_pem_locked"));
    assert_eq!(file.public(), None);
    assert_eq!(
        Identity::from_file(file, None, None).unwrap_err(),
        BadKey::Encrypted
    );
    assert!(Identity::from_file(file, None, Some(fixture!("rsa.pub"))).is_ok());
}

#[test]
fn certificates_are_users_and_know_their_key() {
    for (certificate, key) in [
        (fixture!("ed25519-cert.pub"), fixture!("ed25519.pub")),
        (fixture!("rsa-cert.pub"), fixture!("rsa.pub")),
    ] {
        let certificate = Certificate::read("c", certificate).expect("it is one");
        assert_eq!(certificate.key(), read_public(key).expect("it is a key"));
    }
    for other in [
        fixture!("host-cert.pub"),
        fixture!("ed25519.pub"),
        b"",
        b"a b c",
    ] {
        assert!(Certificate::read("c", other).is_err());
    }
}

#[test]
fn what_is_no_key_is_an_error() {
    let text = String::from_utf8(fixture!("rsa_pkcs1").to_vec()).expect("it is text");
    for bad in [
        "",
        "ssh-ed25519 AAAA",
        &text.replace("RSA PRIVATE KEY", "DSA PRIVATE KEY"),
        &text.replace("RSA PRIVATE KEY", "OPENSSH PRIVATE KEY"),
        &text.replace("RSA PRIVATE KEY", "EC PRIVATE KEY"),
        &text.replace("-----END", "-----"),
        &text.replace("MII", "M!I"),
    ] {
        let why = KeyFile::new("k", bad.as_bytes()).read(None).unwrap_err();
        assert!(
            matches!(why, BadKey::Malformed(_) | BadKey::Unsupported(_)),
            "{why:?}: {bad:.40}"
        );
    }
}

#[test]
fn open_files_are_pointed_out() {
    assert_eq!(exposed("id", 0o100_600), None);
    assert_eq!(exposed("id", 0o400), None);
    for mode in [0o644, 0o100_640, 0o602] {
        let text = exposed("id", mode).expect("others can reach it");
        assert!(text.contains("id") && text.contains("chmod 600"), "{text}");
    }
}

proptest! {
    #[test]
    fn no_file_is_a_panic(
        which in 0..KEYS.len(), at: prop::sample::Index, byte: u8, passphrase: Option<Vec<u8>>,
    ) {
        let (_, text, _, locked) = KEYS[which];
        // Rounds of encryption take time; those have tests of their own.
        if !locked {
            let mut text = text.to_vec();
            let at = at.index(text.len());
            text[at] = byte;
            let _ = KeyFile::new("k", &text).read(passphrase.as_deref());
            let _ = KeyFile::new("k", &text).public();
        }
    }

    #[test]
    fn no_public_key_is_a_panic(text in any::<Vec<u8>>()) {
        let _ = read_public(&text);
        let _ = Certificate::read("c", &text);
    }
}
