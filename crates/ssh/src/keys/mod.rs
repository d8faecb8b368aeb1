//! Keys that a user logs in with: private keys, public keys, certificates.
//!
//! Files are the application's; here is what to make of their bytes.
//!
//! - Private keys: OpenSSH's format, PEM (PKCS#1, SEC1; also encrypted the traditional way),
//!   PKCS#8 (also encrypted). Of type ed25519, ecdsa on nistp256, nistp384 and nistp521, and RSA.
//! - Public keys and certificates: one line, as in `id_ed25519.pub` and `id_ed25519-cert.pub`.
//!
//! ```
//! use sockless_ssh::keys::{BadKey, KeyFile};
//!
//! let file = KeyFile::new("id_ed25519", b"-----BEGIN OPENSSH PRIVATE KEY-----");
//! assert_eq!(file.read(None).unwrap_err(), BadKey::Malformed("its end is missing"));
//! ```

mod der;
mod error;
mod identities;
mod offers;
mod pem;
mod public;
mod sign;
mod traditional;

use core::fmt;

use ssh_key::Kdf;
use ssh_key::private::KeypairData;

use pem::Pem;

pub use error::BadKey;
pub use identities::{Identities, Identity};
pub use public::{Certificate, read_public};

/// RSA keys below that are refused, if nothing else is said.
const MIN_RSA_BITS: u32 = 2048;
/// Rounds of bcrypt, at most: some seconds. `ssh-keygen -a` sets them; its default is 16 or 24.
const MAX_ROUNDS: u32 = 2048;
/// A key file's bytes, at most.
const MAX_FILE: usize = 1 << 20;

/// A file with a private key.
#[derive(Clone, Copy)]
pub struct KeyFile<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// What is in it.
    pub text: &'a [u8],
    /// How long an RSA key has to be at least, in bits. Default: 2048.
    pub min_rsa_bits: u32,
}

impl fmt::Debug for KeyFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyFile({})", self.name)
    }
}

impl<'a> KeyFile<'a> {
    /// A file's name and bytes.
    pub fn new(name: &'a str, text: &'a [u8]) -> Self {
        Self {
            name,
            text,
            min_rsa_bits: MIN_RSA_BITS,
        }
    }

    /// Reads the key. With many rounds of its encryption this takes a while: they are meant to.
    ///
    /// # Errors
    /// [`BadKey::Encrypted`] without a passphrase, [`BadKey::WrongPassphrase`] with another one;
    /// a key that is no use.
    pub fn read(&self, passphrase: Option<&[u8]>) -> Result<PrivateKey, BadKey> {
        let pem = self.pem()?;
        let key = keypair(pem, passphrase)?;
        if let KeypairData::Rsa(rsa) = &key
            && rsa.key_size() < self.min_rsa_bits
        {
            return Err(BadKey::TooShort(rsa.key_size()));
        }
        PrivateKey::new(self.name, key)
    }

    /// The public half, if the file has it in clear: those in OpenSSH's format do, also
    /// when they are encrypted.
    pub fn public(&self) -> Option<Vec<u8>> {
        let pem = self.pem().ok()?;
        if pem.label != OPENSSH {
            return None;
        }
        let key = ssh_key::PrivateKey::from_bytes(&pem.body).ok()?;
        key.public_key().to_bytes().ok()
    }

    fn pem(&self) -> Result<Pem<'a>, BadKey> {
        if self.text.len() > MAX_FILE {
            return Err(BadKey::Malformed("it is too long for a key"));
        }
        let text = core::str::from_utf8(self.text);
        Pem::read(text.map_err(|_| BadKey::Malformed("it is no text"))?)
    }
}

const OPENSSH: &str = "OPENSSH PRIVATE KEY";

fn keypair(mut pem: Pem<'_>, passphrase: Option<&[u8]>) -> Result<KeypairData, BadKey> {
    let mut was_encrypted = false;
    if let Some(encryption) = pem.encryption {
        let passphrase = passphrase.ok_or(BadKey::Encrypted)?;
        traditional::decrypt(&mut pem.body, encryption, passphrase)?;
        was_encrypted = true;
    }
    let key = match pem.label {
        OPENSSH => openssh(&pem.body, passphrase),
        "RSA PRIVATE KEY" => der::pkcs1(&pem.body),
        "EC PRIVATE KEY" => der::sec1(&pem.body, None),
        "PRIVATE KEY" => der::pkcs8(&pem.body),
        "ENCRYPTED PRIVATE KEY" => {
            let passphrase = passphrase.ok_or(BadKey::Encrypted)?;
            der::pkcs8(der::decrypt(&pem.body, passphrase)?.as_bytes())
        }
        other => Err(BadKey::Unsupported(format!("{other:.40}"))),
    };
    match key {
        // Padding fits a wrong key once in 256 times; what comes out is no ASN.1.
        Err(BadKey::Malformed(_)) if was_encrypted => Err(BadKey::WrongPassphrase),
        key => key,
    }
}

fn openssh(body: &[u8], passphrase: Option<&[u8]>) -> Result<KeypairData, BadKey> {
    let malformed = BadKey::Malformed("its OpenSSH format cannot be read");
    let mut key = ssh_key::PrivateKey::from_bytes(body).map_err(|_| malformed)?;
    if key.is_encrypted() {
        let passphrase = passphrase.ok_or(BadKey::Encrypted)?;
        if matches!(key.kdf(), Kdf::Bcrypt { rounds, .. } if *rounds > MAX_ROUNDS) {
            return Err(BadKey::Unsupported(
                "so many rounds of encryption".to_owned(),
            ));
        }
        key = key
            .decrypt(passphrase)
            .map_err(|_| BadKey::WrongPassphrase)?;
    }
    Ok(key.key_data().clone())
}

/// A private key. Its secret is wiped from memory when it is dropped, and never shown.
#[derive(Clone)]
pub struct PrivateKey {
    name: String,
    key: KeypairData,
    public: Vec<u8>,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.name)
    }
}

impl PrivateKey {
    fn new(name: &str, key: KeypairData) -> Result<Self, BadKey> {
        let kind = match &key {
            KeypairData::Ed25519(_) | KeypairData::Ecdsa(_) | KeypairData::Rsa(_) => None,
            KeypairData::SkEd25519(_) | KeypairData::SkEcdsaSha2NistP256(_) => {
                Some("a key in a security token, without an agent,")
            }
            _ => Some("its type of key"),
        };
        if let Some(kind) = kind {
            return Err(BadKey::Unsupported(kind.to_owned()));
        }
        let public = ssh_key::public::KeyData::try_from(&key).ok();
        let public = public.and_then(|key| ssh_key::PublicKey::from(key).to_bytes().ok());
        Ok(Self {
            name: name.to_owned(),
            key,
            public: public.ok_or(BadKey::Malformed("its public half is missing"))?,
        })
    }

    /// Its file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public half as it is on the wire.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// Signs `data`; the signature is as it is on the wire: `string algorithm, string signature`
    /// (RFC 4253 section 6.6). `None`: the key cannot do that algorithm.
    pub fn sign(&self, data: &[u8], algorithm: &str) -> Option<Vec<u8>> {
        sign::sign(&self.key, data, algorithm)
    }
}

/// What to tell the user about a private key's file with that mode (of `stat`); `None`: nothing.
pub fn exposed(name: &str, mode: u32) -> Option<String> {
    (mode & 0o077 != 0).then(|| {
        let name = name.escape_debug();
        let mode = mode & 0o7777;
        format!("key {name}: others can read or change it (mode {mode:04o}); chmod 600 it")
    })
}
