//! Which certificate authorities are trusted.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sockless_core::Fault;

use crate::config::bad;

/// Certificate authorities to trust, from any number of sources.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    pub(crate) webpki: bool,
    /// From the system's store, which may hold what no parser of today takes.
    pub(crate) lenient: Vec<CertificateDer<'static>>,
    pub(crate) given: Vec<CertificateDer<'static>>,
}

impl Roots {
    /// Nobody is trusted, to begin with.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Mozilla's authorities, as compiled in.
    #[cfg(feature = "webpki-roots")]
    pub fn webpki() -> Self {
        Self {
            webpki: true,
            ..Self::default()
        }
    }

    /// The system's authorities, read from its files or stores now.
    ///
    /// This is the one call of this crate that reads files (and `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` from the environment), and only the application makes it.
    ///
    /// # Errors
    /// [`Reason::BadRequest`](sockless_core::Reason::BadRequest) if not one certificate was found.
    #[cfg(feature = "native-roots")]
    pub fn native() -> Result<Self, Fault> {
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            let why = found
                .errors
                .first()
                .map_or_else(String::new, |error| format!(": {error}"));
            return Err(bad(format!("the system has no trusted certificates{why}"))
                .remedy("install the system's CA certificates, or give the CA as a file"));
        }
        Ok(Self {
            lenient: found.certs,
            ..Self::default()
        })
    }

    /// Trusts every certificate in a PEM text as well; returns how many there were.
    ///
    /// # Errors
    /// [`Reason::BadRequest`](sockless_core::Reason::BadRequest) if the text is broken or holds no certificate.
    pub fn add_pem(&mut self, pem: &[u8]) -> Result<usize, Fault> {
        let certificates = certificates(pem, "the CA file")?;
        let count = certificates.len();
        self.given.extend(certificates);
        Ok(count)
    }

    /// Trusts one DER certificate as well; it is parsed when the configuration is built.
    pub fn add_der(&mut self, der: &[u8]) {
        self.given.push(CertificateDer::from(der.to_vec()));
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        !self.webpki && self.lenient.is_empty() && self.given.is_empty()
    }
}

/// All certificates of a PEM text; `whose` names it in faults.
pub(crate) fn certificates(pem: &[u8], whose: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| bad(format!("{whose} is not valid PEM: {error}")))?;
    if found.is_empty() {
        return Err(bad(format!("{whose} holds no certificate"))
            .remedy("give a PEM text with a BEGIN CERTIFICATE line"));
    }
    Ok(found)
}
