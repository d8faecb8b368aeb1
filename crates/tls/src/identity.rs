//! The client's own certificate, and what it takes to use its key.

use core::fmt;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sockless_core::Fault;
use zeroize::Zeroizing;

use crate::config::bad;

/// A client's certificate chain, leaf first, and the leaf's key.
pub(crate) enum ClientIdentity {
    Open {
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    },
    #[cfg_attr(
        not(feature = "openssl"),
        allow(dead_code, reason = "refused by rustls as it is")
    )]
    Encrypted {
        chain: Vec<CertificateDer<'static>>,
        /// PEM.
        key: Zeroizing<Vec<u8>>,
        password: Zeroizing<String>,
    },
    #[cfg_attr(
        not(feature = "openssl"),
        allow(dead_code, reason = "refused by rustls as it is")
    )]
    Pkcs12 {
        file: Zeroizing<Vec<u8>>,
        password: Zeroizing<String>,
    },
}

impl ClientIdentity {
    pub(crate) fn open(chain: &[u8], key: &[u8]) -> Result<Self, Fault> {
        Ok(Self::Open {
            chain: chain_of(chain)?,
            key: private_key(key)?,
        })
    }

    pub(crate) fn encrypted(chain: &[u8], key: &[u8], password: &str) -> Result<Self, Fault> {
        Ok(Self::Encrypted {
            chain: chain_of(chain)?,
            key: key.to_vec().into(),
            password: password.to_owned().into(),
        })
    }

    pub(crate) fn pkcs12(file: &[u8], password: &str) -> Self {
        Self::Pkcs12 {
            file: file.to_vec().into(),
            password: password.to_owned().into(),
        }
    }
}

/// No secrets.
impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity").finish_non_exhaustive()
    }
}

fn chain_of(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    crate::roots::certificates(pem, "the client certificate")
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Fault> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        let encrypted = b"ENCRYPTED PRIVATE KEY";
        if pem
            .windows(encrypted.len())
            .any(|window| window == encrypted)
        {
            return bad("the client's private key is encrypted")
                .remedy("decrypt it first, or give its password to the backend openssl");
        }
        bad(format!("no private key in the client's key text: {error}"))
            .remedy("give a PEM text with a PKCS#8, PKCS#1 or SEC1 private key")
    })
}
