//! Verification of servers, with better answers than yes and no.

use core::fmt;
use core::hash::Hasher;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{
    HandshakeSignatureValid, ServerIdentity, ServerVerifier, SignatureVerificationInput,
};
use rustls::crypto::{
    CryptoProvider, Identity, SignatureScheme, VerifiedIdentity, WebPkiSupportedAlgorithms,
    verify_tls12_signature, verify_tls13_signature,
};
use rustls::error::{CertificateError, OtherError};
use rustls::{Error, RootCertStore};

use crate::config::bad;

/// The usual verification; it also tells a self-signed certificate from one of an unknown authority.
#[derive(Debug)]
pub(super) struct Full(WebPkiServerVerifier);

impl Full {
    pub(super) fn new(
        roots: RootCertStore,
        provider: &CryptoProvider,
    ) -> Result<Self, sockless_core::Fault> {
        let verifier = WebPkiServerVerifier::builder(Arc::new(roots), provider).build();
        verifier
            .map(Self)
            .map_err(|error| bad(format!("the trusted roots cannot be used: {error}")))
    }
}

impl ServerVerifier for Full {
    fn verify_identity<'a>(
        &self,
        server: &ServerIdentity<'a, '_>,
    ) -> Result<VerifiedIdentity<'a>, Error> {
        self.0
            .verify_identity(server)
            .map_err(|error| match (&error, server.identity) {
                // `Other`: an authority's own certificate that is presented as a server's.
                (
                    Error::InvalidCertificate(
                        CertificateError::UnknownIssuer | CertificateError::Other(_),
                    ),
                    Identity::X509(chain),
                ) if is_self_issued(&chain.end_entity) => {
                    CertificateError::Other(OtherError::new(SelfSigned)).into()
                }
                _ => error,
            })
    }

    fn verify_tls12_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(input)
    }

    fn verify_tls13_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(input)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }

    fn request_ocsp_response(&self) -> bool {
        self.0.request_ocsp_response()
    }

    fn hash_config(&self, h: &mut dyn Hasher) {
        self.0.hash_config(h);
    }
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

/// The peer vouches for itself, and nobody else does.
#[derive(Debug)]
pub(super) struct SelfSigned;

impl fmt::Display for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate is self-signed")
    }
}

impl std::error::Error for SelfSigned {}

/// Whether issuer and subject are the same name (RFC 5280 section 4.1).
fn is_self_issued(certificate: &[u8]) -> bool {
    names(certificate).is_some_and(|(issuer, subject)| issuer == subject)
}

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;

fn names(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if rest.first() == Some(&EXPLICIT_VERSION) {
        (_, rest) = element(rest, EXPLICIT_VERSION)?;
    }
    (_, rest) = element(rest, INTEGER)?; // serial number
    (_, rest) = element(rest, SEQUENCE)?; // signature algorithm
    let (issuer, rest) = element(rest, SEQUENCE)?;
    let (_, rest) = element(rest, SEQUENCE)?; // validity
    let (subject, _) = element(rest, SEQUENCE)?;
    Some((issuer, subject))
}

/// Contents of the DER element of that tag at the front, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
            (
                digits
                    .iter()
                    .fold(0, |len, digit| len << 8 | usize::from(*digit)),
                rest,
            )
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}
