//! What the application decides, and the settings object that comes of it.

use std::sync::Arc;

use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use sockless_core::{Culprit, Fault, Reason};

use crate::Roots;
#[cfg(any(feature = "rustls", feature = "openssl"))]
use crate::client::Client;
use crate::identity::ClientIdentity;
use crate::pin::Pins;

/// Everything about TLS that an application may choose; [`Config::build`] checks it.
///
/// Defaults: TLS 1.2 and 1.3, full verification, no ALPN, no client certificate,
/// resumption for up to 256 servers, server name indication on. What
/// a backend cannot do is refused by `Config::build`, never left out in silence.
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
    /// `None`: nobody said.
    pub(crate) sessions: Option<usize>,
    pub(crate) backend: Option<Backend>,
    pub(crate) provider: Option<Provider>,
    pub(crate) sni: bool,
    #[cfg(feature = "custom-provider")]
    pub(crate) custom: Option<Arc<rustls::crypto::CryptoProvider>>,
    pub(crate) crls: Vec<CertificateRevocationListDer<'static>>,
    pub(crate) pins: Pins,
    /// Names of suites of TLS 1.2, of suites of TLS 1.3, and of groups, best first.
    pub(crate) ciphers: Option<String>,
    pub(crate) tls13_ciphers: Option<String>,
    pub(crate) groups: Option<String>,
    pub(crate) ocsp: bool,
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
            sessions: None,
            backend: None,
            provider: None,
            sni: true,
            #[cfg(feature = "custom-provider")]
            custom: None,
            crls: Vec::new(),
            pins: Pins::default(),
            ciphers: None,
            tls13_ciphers: None,
            groups: None,
            ocsp: false,
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
        self.identity = Some(ClientIdentity::open(chain, key)?);
        Ok(self)
    }

    /// The same with a key that `password` opens (PEM, encrypted). Backend openssl only.
    ///
    /// # Errors
    /// [`Reason::BadRequest`] if there is no certificate in the text.
    pub fn client_certificate_encrypted(
        mut self,
        chain: &[u8],
        key: &[u8],
        password: &str,
    ) -> Result<Self, Fault> {
        self.identity = Some(ClientIdentity::encrypted(chain, key, password)?);
        Ok(self)
    }

    /// A certificate chain and its key in one PKCS#12 file (RFC 7292) that `password` opens.
    /// Backend openssl only.
    pub fn client_pkcs12(mut self, file: &[u8], password: &str) -> Self {
        self.identity = Some(ClientIdentity::pkcs12(file, password));
        self
    }

    /// Certificate revocation lists (RFC 5280 section 5), PEM. Once there is one, every
    /// certificate of a chain, the root's excepted, needs a current list of its issuer.
    ///
    /// # Errors
    /// [`Reason::BadRequest`] if the text is broken or holds no list.
    pub fn crl_pem(mut self, pem: &[u8]) -> Result<Self, Fault> {
        let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
        let lists =
            lists.map_err(|error| bad(format!("the revocation list is not valid PEM: {error}")))?;
        if lists.is_empty() {
            return Err(bad("the text holds no revocation list")
                .remedy("give a PEM text with a BEGIN X509 CRL line"));
        }
        self.crls.extend(lists);
        Ok(self)
    }

    /// Public keys of which the server must have one, besides everything else that is
    /// checked; they are checked with [`Verify::Insecure`] too.
    ///
    /// Either `sha256//BASE64;sha256//BASE64…`, the hashes of SubjectPublicKeyInfos, or one
    /// public key, PEM or DER. Another key is refused with [`Reason::PinMismatch`].
    ///
    /// # Errors
    /// [`Reason::BadRequest`] if it is none of these.
    pub fn pin(mut self, pins: &[u8]) -> Result<Self, Fault> {
        self.pins.add(pins)?;
        Ok(self)
    }

    /// Cipher suites of TLS 1.2, best first, with colons between them; by the names of IANA
    /// or OpenSSL, and with the backend openssl anything that its cipher strings know.
    pub fn ciphers(mut self, list: &str) -> Self {
        self.ciphers = Some(list.to_owned());
        self
    }

    /// Cipher suites of TLS 1.3, best first, with colons between them.
    pub fn tls13_ciphers(mut self, list: &str) -> Self {
        self.tls13_ciphers = Some(list.to_owned());
        self
    }

    /// Groups for the key exchange, best first, with colons between them.
    pub fn groups(mut self, list: &str) -> Self {
        self.groups = Some(list.to_owned());
        self
    }

    /// Refuses servers that do not bring the proof that their certificate is not revoked
    /// (OCSP stapling, RFC 6066 section 8). Backend openssl only.
    pub fn require_ocsp(mut self, require: bool) -> Self {
        self.ocsp = require;
        self
    }

    /// Where to write the connections' secrets, for tools that decrypt captures.
    pub fn key_log(mut self, log: Arc<dyn KeyLog>) -> Self {
        self.key_log = Some(SharedKeyLog(log));
        self
    }

    /// For how many servers sessions are kept to be resumed (default 256); 0 turns resumption
    /// off. Those of the server that was longest unused give way.
    ///
    /// They are kept by the verified name and belong to the [`Client`]: no other settings
    /// resume them. A resumed connection is not verified again, so with the backend openssl
    /// none is resumed after the server's certificates have ended or a day has passed since
    /// they were verified, and with revocation lists or [`Config::require_ocsp`] none at all:
    /// asking for it nevertheless is refused.
    pub fn resumption(mut self, servers: usize) -> Self {
        self.sessions = Some(servers);
        self
    }

    /// Which library does it; by default the first that is compiled in, rustls before openssl.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// Whose cryptography rustls uses; by default the first that is compiled in, aws-lc-rs before ring.
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
    /// certificate. [`Reason::Unsupported`] for a backend or provider that is not compiled
    /// in, and for what the backend cannot do.
    #[cfg(any(feature = "rustls", feature = "openssl"))]
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
        Client::new(self).map(Arc::new)
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

/// Which library speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// rustls, in Rust.
    Rustls,
    /// OpenSSL, the system's.
    Openssl,
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

/// For what a backend cannot do.
#[cfg(any(feature = "rustls", feature = "openssl"))]
pub(crate) fn unsupported(backend: Backend, option: &str) -> Fault {
    let (name, remedy) = match backend {
        Backend::Rustls => ("rustls", "use the backend openssl, or leave the option out"),
        Backend::Openssl => ("openssl", "use the backend rustls, or leave the option out"),
    };
    let what = format!("the TLS backend {name} does not support {option}");
    Fault::new(Culprit::Misuse, Reason::Unsupported, what).remedy(remedy)
}
