//! Verification of servers, with better answers than yes and no.

use core::fmt;
use core::hash::Hasher;
use std::sync::Arc;

use rustls::client::danger::{
    HandshakeSignatureValid, ServerIdentity, ServerVerifier, SignatureVerificationInput,
};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{
    CryptoProvider, Identity, SignatureScheme, VerifiedIdentity, WebPkiSupportedAlgorithms,
    verify_tls12_signature, verify_tls13_signature,
};
use rustls::error::{CertificateError, OtherError};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{Error, RootCertStore};

use crate::config::bad;
use crate::pin::Pins;
use crate::x509;

/// The usual verification; it also tells a self-signed certificate from one of an unknown authority.
#[derive(Debug)]
pub(super) struct Full {
    webpki: WebPkiServerVerifier,
    /// Trusted by the application itself, one by one.
    given: Vec<CertificateDer<'static>>,
}

impl Full {
    pub(super) fn new(
        roots: RootCertStore,
        given: Vec<CertificateDer<'static>>,
        crls: Vec<CertificateRevocationListDer<'static>>,
        provider: &CryptoProvider,
    ) -> Result<Self, sockless_core::Fault> {
        let verifier = WebPkiServerVerifier::builder(Arc::new(roots), provider)
            .with_crls(crls)
            .enforce_revocation_expiration()
            .build();
        verifier
            .map(|webpki| Self { webpki, given })
            .map_err(|error| {
                bad(format!(
                    "the roots or revocation lists cannot be used: {error}"
                ))
            })
    }

    /// `openssl req -x509` marks what it makes as an authority, which no chain of RFC 5280
    /// may end with. Whoever trusts that very certificate means this server: its name
    /// and time still have to be right, and the handshake proves that it holds the key.
    fn is_given(&self, server: &ServerIdentity<'_, '_>) -> Result<bool, Error> {
        let Identity::X509(chain) = server.identity else {
            return Ok(false);
        };
        if !self.given.contains(&chain.end_entity) || !x509::may_be_a_server(&chain.end_entity) {
            return Ok(false);
        }
        let parsed = ParsedCertificate::try_from(&chain.end_entity)?;
        verify_server_name(&parsed, server.server_name)?;
        let (time, validity) = (server.now, x509::validity(&chain.end_entity));
        match validity.map(|(from, to)| {
            (
                UnixTime::since_unix_epoch(from),
                UnixTime::since_unix_epoch(to),
            )
        }) {
            None => Err(CertificateError::BadEncoding.into()),
            Some((not_before, _)) if time < not_before => {
                Err(CertificateError::NotValidYetContext { time, not_before }.into())
            }
            Some((_, not_after)) if time > not_after => {
                Err(CertificateError::ExpiredContext { time, not_after }.into())
            }
            Some(_) => Ok(true),
        }
    }
}

impl ServerVerifier for Full {
    fn verify_identity<'a>(
        &self,
        server: &ServerIdentity<'a, '_>,
    ) -> Result<VerifiedIdentity<'a>, Error> {
        let error = match self.webpki.verify_identity(server) {
            Err(Error::InvalidCertificate(CertificateError::Other(why)))
                if is_authority(&why) && self.is_given(server)? =>
            {
                return Ok(VerifiedIdentity::assertion(server.identity.clone()));
            }
            // A list that is not its issuer's is none: it says nothing.
            Err(Error::InvalidCertRevocationList(_)) => {
                CertificateError::UnknownRevocationStatus.into()
            }
            Err(error) => error,
            verified => return verified,
        };
        Err(match (&error, server.identity) {
            (
                Error::InvalidCertificate(
                    CertificateError::UnknownIssuer | CertificateError::Other(_),
                ),
                Identity::X509(chain),
            ) if x509::is_self_issued(&chain.end_entity) => {
                CertificateError::Other(OtherError::new(SelfSigned)).into()
            }
            _ => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(input)
    }

    fn verify_tls13_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(input)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }

    fn request_ocsp_response(&self) -> bool {
        self.webpki.request_ocsp_response()
    }

    fn hash_config(&self, h: &mut dyn Hasher) {
        self.webpki.hash_config(h);
    }
}

/// Whether it is an authority's own certificate that is presented as a server's.
fn is_authority(why: &OtherError) -> bool {
    let webpki = std::error::Error::source(why).and_then(|error| error.downcast_ref());
    matches!(webpki, Some(webpki::Error::CaUsedAsEndEntity))
}

/// No verification of who it is; that the peer holds the certificate's key still is.
#[derive(Debug)]
pub(super) struct Insecure(pub(super) WebPkiSupportedAlgorithms);

impl ServerVerifier for Insecure {
    fn verify_identity<'a>(
        &self,
        server: &ServerIdentity<'a, '_>,
    ) -> Result<VerifiedIdentity<'a>, Error> {
        Ok(VerifiedIdentity::assertion(server.identity.clone()))
    }

    fn verify_tls12_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(input, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(input, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }

    fn request_ocsp_response(&self) -> bool {
        false
    }

    fn hash_config(&self, _: &mut dyn Hasher) {}
}

/// Another verification, and then the pins.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) inner: Arc<dyn ServerVerifier>,
    pub(super) pins: Pins,
}

impl ServerVerifier for Pinned {
    fn verify_identity<'a>(
        &self,
        server: &ServerIdentity<'a, '_>,
    ) -> Result<VerifiedIdentity<'a>, Error> {
        let verified = self.inner.verify_identity(server)?;
        match server.identity {
            Identity::X509(chain) if self.pins.accept(&chain.end_entity) => Ok(verified),
            _ => Err(CertificateError::Other(OtherError::new(OtherKey)).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(input)
    }

    fn verify_tls13_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(input)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }

    fn request_ocsp_response(&self) -> bool {
        self.inner.request_ocsp_response()
    }

    /// Sessions are never shared between settings, so that there is nothing to tell apart.
    fn hash_config(&self, h: &mut dyn Hasher) {
        self.inner.hash_config(h);
    }
}

/// The peer's key is none of the pinned ones.
#[derive(Debug)]
pub(super) struct OtherKey;

impl fmt::Display for OtherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the public key is not pinned")
    }
}

impl std::error::Error for OtherKey {}

/// The peer vouches for itself, and nobody else does.
#[derive(Debug)]
pub(super) struct SelfSigned;

impl fmt::Display for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate is self-signed")
    }
}

impl std::error::Error for SelfSigned {}
