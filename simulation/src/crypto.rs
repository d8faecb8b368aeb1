//! Cryptography in which the seed is the only source of randomness: the same seed gives
//! the same bytes on the wire. For simulations alone, of course.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use fastrand::Rng;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SerialNumber};
use rustls::crypto::kx::{
    ActiveKeyExchange, NamedGroup, SharedSecret, StartedKeyExchange, SupportedKxGroup,
};
use rustls::crypto::{CryptoProvider, GetRandomFailed, Identity, SecureRandom};
use rustls::error::PeerMisbehaved;
use rustls::pki_types::{PrivateKeyDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{Error, ServerConfig};

thread_local! {
    /// A provider is static and shared; a run has one thread to itself.
    static RANDOM: RefCell<Rng> = const { RefCell::new(Rng::with_seed(0)) };
}

/// The wall clock when a simulation begins, in seconds since 1970: January 2027.
pub const WALL: Duration = Duration::from_secs(1_800_000_000);

/// All randomness of this thread's cryptography follows from `seed` from now on.
pub fn seed(seed: u64) {
    RANDOM.with_borrow_mut(|rng| *rng = Rng::with_seed(seed));
}

/// Everything by aws-lc, but for keys and nonces.
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![&Exchange as &dyn SupportedKxGroup].into(),
        secure_random: &Seeded,
        ..rustls_aws_lc_rs::DEFAULT_PROVIDER
    }
}

#[derive(Debug)]
struct Seeded;

impl SecureRandom for Seeded {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        RANDOM.with_borrow_mut(|rng| rng.fill(buf));
        Ok(())
    }
}

/// X25519 with a private key that follows from the seed.
#[derive(Debug)]
struct Exchange;

impl SupportedKxGroup for Exchange {
    fn start(&self) -> Result<StartedKeyExchange, Error> {
        let mut secret = [0; 32];
        Seeded.fill(&mut secret)?;
        let failed = |_| Error::General("no key".to_owned());
        let private = PrivateKey::from_private_key(&X25519, &secret).map_err(failed)?;
        let failed = |_| Error::General("no public key".to_owned());
        let public = private.compute_public_key().map_err(failed)?;
        let public = public.as_ref().to_vec();
        Ok(StartedKeyExchange::Single(Box::new(Started {
            private,
            public,
        })))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct Started {
    private: PrivateKey,
    public: Vec<u8>,
}

impl ActiveKeyExchange for Started {
    fn complete(self: Box<Self>, peer_pub_key: &[u8]) -> Result<SharedSecret, Error> {
        let peer = UnparsedPublicKey::new(&X25519, peer_pub_key);
        let refused: Error = PeerMisbehaved::InvalidKeyShare.into();
        agreement::agree(&self.private, peer, refused, |secret| {
            Ok(SharedSecret::from(secret))
        })
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// A server's clock that stands still: no certificate here is younger than a run is long.
#[derive(Debug)]
struct Still;

impl TimeProvider for Still {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(WALL))
    }
}

/// An authority that never changes, and a certificate of its for [`crate::world::HOST`].
/// Ed25519: its signatures need no randomness.
pub struct Issued {
    /// The authority's certificate, DER.
    pub authority: Vec<u8>,
    identity: Arc<Identity<'static>>,
    key: Vec<u8>,
}

impl Issued {
    /// An authority and a certificate for these names.
    ///
    /// # Errors
    /// A name that cannot be in a certificate.
    pub fn new(names: &[&str]) -> Result<Self, Box<dyn std::error::Error>> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.serial_number = Some(SerialNumber::from(1));
        let name = "simulated authority";
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let authority = CertifiedIssuer::self_signed(params, fixed_key(1)?)?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = fixed_key(2)?;
        let mut params = CertificateParams::new(names)?;
        params.serial_number = Some(SerialNumber::from(2));
        let certificate = params.signed_by(&key, &authority)?;
        let chain = vec![certificate.der().clone()];
        Ok(Self {
            authority: authority.der().to_vec(),
            identity: Arc::new(Identity::from_cert_chain(chain)?),
            key: key.serialize_der(),
        })
    }

    /// A server with this certificate, for the versions that `provider` has.
    ///
    /// # Errors
    /// The provider lacks what the certificate needs.
    pub fn server(&self, provider: CryptoProvider) -> Result<Arc<ServerConfig>, Error> {
        let key = PrivateKeyDer::try_from(self.key.clone());
        let key = key.map_err(|what| Error::General(what.to_owned()))?;
        ServerConfig::builder_with_details(Arc::new(provider), Arc::new(Still))
            .with_no_client_auth()
            .with_single_cert(Arc::clone(&self.identity), key)
            .map(Arc::new)
    }
}

fn fixed_key(number: u8) -> Result<KeyPair, rcgen::Error> {
    // PKCS#8 (RFC 8410 section 7) around 32 bytes of secret.
    let mut der = vec![
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    der.extend([number; 32]);
    KeyPair::from_pkcs8_der_and_sign_algo(&der.as_slice().into(), &rcgen::PKCS_ED25519)
}
