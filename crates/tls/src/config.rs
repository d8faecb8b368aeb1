//! What the application decides, and the settings object that comes of it.

use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sockless_core::{Culprit, Fault, Reason};

use crate::Roots;

/// Everything about TLS that an application may choose; [`Config::build`] checks it.
///
/// Defaults: TLS 1.2 and 1.3, full verification, no ALPN, no client certificate,
/// resumption for up to 256 servers, server name indication on.
#[derive(Debug)]
#[must_use = "a Config does nothing until it is built"]
pub struct Config {
    pub(crate) roots: Roots,
    pub(crate) verify: Verify,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) min: Version,
    pub(crate) max: Version,
    pub(crate) identity: Option<ClientIdentity>,
    pub(crate) key_log: Option<SharedKeyLog>,
    pub(crate) sessions: usize,
    pub(crate) provider: Option<Provider>,
    pub(crate) sni: bool,
    #[cfg(feature = "custom-provider")]
    pub(crate) custom: Option<Arc<rustls::crypto::CryptoProvider>>,
}

/// A client's certificate chain, leaf first, and the leaf's key.
#[derive(Debug)]
pub(crate) struct ClientIdentity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Config {
    /// A configuration that trusts `roots`.
    pub fn new(roots: Roots) -> Self {
        Self {
            roots,
            verify: Verify::Full,
            alpn: Vec::new(),
            min: Version::Tls12,
            max: Version::Tls13,
            identity: None,
            key_log: None,
            sessions: 256,
            provider: None,
            sni: true,
            #[cfg(feature = "custom-provider")]
            custom: None,
        }
    }

    /// How the server's certificate is checked.
    pub fn verify(mut self, verify: Verify) -> Self {
        self.verify = verify;
        self
    }

    /// Protocols to offer by ALPN (RFC 7301), best first; none: the extension is left out.
    pub fn alpn<T: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = T>) -> Self {
        self.alpn = protocols
            .into_iter()
            .map(|name| name.as_ref().to_vec())
            .collect();
        self
    }

    /// The lowest and the highest version to agree on.
    pub fn versions(mut self, min: Version, max: Version) -> Self {
        (self.min, self.max) = (min, max);
        self
    }

    /// A certificate chain (leaf first) and its private key, both PEM, for servers that ask for one.
    ///
    /// The key may be PKCS#8, PKCS#1 or SEC1, not encrypted; both arguments may be the same file.
    ///
    /// # Errors
    /// [`Reason::BadRequest`] if there is no certificate or no usable key in the text.
    pub fn client_certificate(mut self, chain: &[u8], key: &[u8]) -> Result<Self, Fault> {
        let chain = crate::roots::certificates(chain, "the client certificate")?;
        let key = private_key(key)?;
        self.identity = Some(ClientIdentity { chain, key });
        Ok(self)
    }

    /// Where to write the connections' secrets, for tools that decrypt captures.
    pub fn key_log(mut self, log: Arc<dyn KeyLog>) -> Self {
        self.key_log = Some(SharedKeyLog(log));
        self
    }

    /// For how many servers sessions are kept to be resumed; 0 turns resumption off.
    pub fn resumption(mut self, servers: usize) -> Self {
        self.sessions = servers;
        self
    }

    /// Whose cryptography to use; by default the first that is compiled in, aws-lc-rs before ring.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Cryptography of the application's own, e.g. one whose randomness a simulator gives.
    ///
    /// The one place where rustls shows in this interface: it ties the application to the
    /// version of rustls that is behind it, and so it is a feature of its own.
    #[cfg(feature = "custom-provider")]
    pub fn custom_provider(mut self, provider: Arc<rustls::crypto::CryptoProvider>) -> Self {
        self.custom = Some(provider);
        self
    }

    /// Whether to say the server's name in the clear (RFC 6066 section 3). Addresses are never said.
    pub fn sni(mut self, sni: bool) -> Self {
        self.sni = sni;
        self
    }

    /// Checks everything and makes the settings object that connections share.
    ///
    /// # Errors
    /// [`Reason::BadRequest`] for settings that cannot work: no roots, no version left, an ALPN
    /// name that is empty or longer than 255 bytes, a key that does not belong to its
    /// certificate. [`Reason::Unsupported`] for a provider that is not compiled in.
    #[cfg(feature = "rustls")]
    pub fn build(self) -> Result<Arc<Client>, Fault> {
        if self.min > self.max {
            return Err(bad("the lowest TLS version is above the highest"));
        }
        if self
            .alpn
            .iter()
            .any(|name| name.is_empty() || name.len() > 255)
        {
            return Err(bad("an ALPN protocol name must have 1 to 255 bytes"));
        }
        if self.verify == Verify::Full && self.roots.is_empty() {
            return Err(
                bad("no certificate authority is trusted, so no server can be")
                    .remedy("add the issuing CA to the trusted roots"),
            );
        }
        let settings = crate::rustls::Settings::new(self)?;
        Ok(Arc::new(Client {
            id: next_id(),
            settings,
        }))
    }
}

/// Settings that many connections share, with their session cache.
#[cfg(feature = "rustls")]
#[derive(Debug)]
pub struct Client {
    id: u64,
    settings: crate::rustls::Settings,
}

#[cfg(feature = "rustls")]
impl Client {
    /// A filter for one connection to the server of that name.
    ///
    /// A name is a host name (a trailing dot is dropped) or a literal IPv4 or IPv6 address
    /// without brackets; an address must be in the certificate as such.
    ///
    /// # Errors
    /// [`Reason::BadUrl`] if no certificate could name it.
    pub fn filter(&self, server_name: &str) -> Result<Box<dyn sockless_core::Filter>, Fault> {
        self.settings.filter(server_name)
    }

    /// What tells these settings from all others in this process.
    pub fn settings_id(&self) -> u64 {
        self.id
    }

    /// This layer's part of a connection's key: equal only for the same settings and the same name.
    pub fn layer_key(&self, server_name: &str) -> sockless_core::LayerKey {
        let name = server_name.strip_suffix('.').unwrap_or(server_name);
        sockless_core::LayerKey {
            layer: crate::rustls::LAYER,
            settings: self.id,
            verified_name: name.to_ascii_lowercase().into(),
        }
    }
}

/// How a server's certificate is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verify {
    /// Chain to a trusted root, validity period, purpose and name.
    #[default]
    Full,
    /// Not at all: whoever answers is believed. The handshake's signature is still checked.
    Insecure,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Version {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// Whose cryptography is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Provider {
    /// AWS-LC; offers the post-quantum X25519MLKEM768 first.
    AwsLcRs,
    /// ring.
    Ring,
}

/// Takes the secrets of connections, in the format that capture tools read (RFC 9850).
pub trait KeyLog: Send + Sync {
    /// One line, without its line end: label, client random and secret in hexadecimal.
    ///
    /// Whoever has it can read the connection.
    fn line(&self, line: &str);
}

#[derive(Clone)]
pub(crate) struct SharedKeyLog(pub(crate) Arc<dyn KeyLog>);

impl core::fmt::Debug for SharedKeyLog {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KeyLog")
    }
}

pub(crate) fn bad(what: impl Into<String>) -> Fault {
    Fault::new(Culprit::Misuse, Reason::BadRequest, what)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Fault> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        let encrypted = b"ENCRYPTED PRIVATE KEY";
        if pem
            .windows(encrypted.len())
            .any(|window| window == encrypted)
        {
            return bad("the client's private key is encrypted").remedy("decrypt it first");
        }
        bad(format!("no private key in the client's key text: {error}"))
            .remedy("give a PEM text with a PKCS#8, PKCS#1 or SEC1 private key")
    })
}

#[cfg(feature = "rustls")]
fn next_id() -> u64 {
    use core::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
