//! Private keys in ASN.1: PKCS#1, SEC1, PKCS#8.

use der::asn1::UintRef;
use der::{Decode as _, Reader as _, SliceReader};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::Kdf;
use pkcs8::{EncryptedPrivateKeyInfoRef, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument};
use sec1::EcPrivateKey;
use ssh_key::Mpint;
use ssh_key::private::{
    EcdsaKeypair, Ed25519Keypair, KeypairData, RsaKeypair, RsaPrivateKey as SshRsaPrivateKey,
};
use ssh_key::public::RsaPublicKey;

use super::BadKey;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// Rounds of PBKDF2, at most: some seconds.
const MAX_ROUNDS: u32 = 10_000_000;
/// scrypt's N times r times p, at most: 1 GiB of memory, some seconds.
const MAX_SCRYPT: u64 = 1 << 23;

/// `PRIVATE KEY` (RFC 5958).
pub(super) fn pkcs8(body: &[u8]) -> Result<KeypairData, BadKey> {
    let info = PrivateKeyInfoRef::try_from(body).map_err(|_| MALFORMED)?;
    let key = info.private_key.as_bytes();
    match info.algorithm.oid {
        RSA => pkcs1(key),
        EC => {
            let curve = info.algorithm.parameters_oid().map_err(|_| MALFORMED)?;
            sec1(key, Some(curve))
        }
        // The seed is an octet string of its own inside (RFC 8410 section 7).
        ED25519 => match key {
            [4, 32, seed @ ..] => {
                let seed = seed.try_into().map_err(|_| MALFORMED)?;
                Ok(Ed25519Keypair::from_seed(seed).into())
            }
            _ => Err(MALFORMED),
        },
        other => Err(BadKey::Unsupported(format!("key of algorithm {other}"))),
    }
}

/// `ENCRYPTED PRIVATE KEY` (RFC 5958 section 3).
pub(super) fn decrypt(body: &[u8], passphrase: &[u8]) -> Result<SecretDocument, BadKey> {
    let info = EncryptedPrivateKeyInfoRef::try_from(body);
    let info = info.map_err(|_| BadKey::Unsupported("encryption of PKCS#8".to_owned()))?;
    if !is_bearable(&info.encryption_algorithm) {
        return Err(BadKey::Unsupported(
            "so many rounds of encryption".to_owned(),
        ));
    }
    info.decrypt(passphrase).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::DecryptFailed)
        | pkcs8::Error::Asn1(_) => BadKey::WrongPassphrase,
        _ => BadKey::Unsupported("encryption of PKCS#8".to_owned()),
    })
}

fn is_bearable(scheme: &EncryptionScheme) -> bool {
    match scheme.pbes2().map(|parameters| &parameters.kdf) {
        Some(Kdf::Pbkdf2(pbkdf2)) => pbkdf2.iteration_count <= MAX_ROUNDS,
        Some(Kdf::Scrypt(scrypt)) => {
            let factors = [scrypt.block_size, scrypt.parallelization];
            let work = factors
                .iter()
                .try_fold(scrypt.cost_parameter, |work, factor| {
                    work.checked_mul(u64::from(*factor))
                });
            work.is_some_and(|work| work <= MAX_SCRYPT)
        }
        _ => true,
    }
}

/// `RSA PRIVATE KEY` (RFC 8017 appendix A.1.2).
pub(super) fn pkcs1(body: &[u8]) -> Result<KeypairData, BadKey> {
    let mut reader = SliceReader::new(body).map_err(|_| MALFORMED)?;
    let numbers = reader.sequence(|numbers| {
        // Version, modulus, exponents, primes, two more exponents, coefficient.
        let mut found = [UintRef::new(&[])?; 9];
        for number in &mut found {
            *number = UintRef::decode(numbers)?;
        }
        Ok::<_, der::Error>(found)
    });
    let number = numbers
        .map_err(|_| MALFORMED)?
        .map(|number| Mpint::from_positive_bytes(number.as_bytes()));
    let [_, n, e, d, p, q, _, _, inverse] = number;
    let public = RsaPublicKey::new(e, n).map_err(|_| MALFORMED)?;
    let private = SshRsaPrivateKey::new(d, inverse, p, q).map_err(|_| MALFORMED)?;
    let pair = RsaKeypair::new(public, private).map_err(|_| MALFORMED)?;
    Ok(pair.into())
}

/// `EC PRIVATE KEY` (RFC 5915); the curve is inside if it is not known from outside.
pub(super) fn sec1(body: &[u8], curve: Option<ObjectIdentifier>) -> Result<KeypairData, BadKey> {
    let key = EcPrivateKey::try_from(body).map_err(|_| MALFORMED)?;
    let inside = key
        .parameters
        .and_then(|parameters| parameters.named_curve());
    let curve = curve.or(inside).ok_or(MALFORMED)?;
    let secret = key.private_key;
    let pair = match curve {
        P256 => {
            let private = p256::SecretKey::from_slice(secret).map_err(|_| MALFORMED)?;
            EcdsaKeypair::NistP256 {
                public: private.public_key().into(),
                private: private.into(),
            }
        }
        P384 => {
            let private = p384::SecretKey::from_slice(secret).map_err(|_| MALFORMED)?;
            EcdsaKeypair::NistP384 {
                public: private.public_key().into(),
                private: private.into(),
            }
        }
        P521 => {
            let private = p521::SecretKey::from_slice(secret).map_err(|_| MALFORMED)?;
            EcdsaKeypair::NistP521 {
                public: private.public_key().into(),
                private: private.into(),
            }
        }
        other => return Err(BadKey::Unsupported(format!("curve {other}"))),
    };
    Ok(pair.into())
}

const MALFORMED: BadKey = BadKey::Malformed("its ASN.1 cannot be read");
