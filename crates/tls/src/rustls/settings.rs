//! From a [`Config`] to rustls's settings.

use std::borrow::Cow;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::ServerVerifier;
use rustls::crypto::{CipherSuite, CryptoProvider, Identity};
use rustls::enums::ApplicationProtocol;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use sockless_core::{Culprit, Fault, Filter, Reason};

use super::clock::PumpTime;
use super::filter::TlsFilter;
use super::verify::{Full, Insecure, Pinned};
use crate::config::{Backend, SharedKeyLog, bad, unsupported};
use crate::identity::ClientIdentity;
use crate::{Config, Provider, Roots, Verify, Version};
use crate::{client, suites};

/// What all connections of a client share.
#[derive(Debug)]
pub(crate) struct Settings {
    config: Arc<ClientConfig>,
    unverified: bool,
}

/// rustls counts sessions, and takes a server for that many.
const SESSIONS_PER_SERVER: usize = 8;
/// Servers whose sessions are kept when nobody says for how many.
const SESSIONS: usize = 256;
/// rustls encodes its session values, and decodes them for its own tests only.
const PORTABLE: &str =
    "exporting and importing sessions: its session values cannot be rebuilt from bytes";

impl Settings {
    pub(crate) fn new(from: Config) -> Result<Self, Fault> {
        if from.ocsp {
            return Err(unsupported(
                Backend::Rustls,
                "the demand for a stapled OCSP response",
            ));
        }
        let provider = Arc::new(cryptography(&from)?);
        let inner: Arc<dyn ServerVerifier> = match from.verify {
            Verify::Full => Arc::new(Full::new(
                root_store(&from.roots)?,
                from.roots.given.clone(),
                from.crls.clone(),
                &provider,
            )?),
            Verify::Insecure => Arc::new(Insecure(provider.signature_verification_algorithms)),
        };
        let verifier = Arc::new(Pinned {
            inner,
            pins: from.pins.clone(),
        });
        let builder = ClientConfig::builder_with_details(provider, Arc::new(PumpTime))
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match from.identity {
            Some(ClientIdentity::Encrypted { .. }) => {
                return Err(unsupported(Backend::Rustls, "encrypted private keys"));
            }
            Some(ClientIdentity::Pkcs12 { .. }) => {
                return Err(unsupported(Backend::Rustls, "PKCS#12 files"));
            }
            Some(ClientIdentity::Open { chain, key }) => {
                let identity = Identity::from_cert_chain(chain).map_err(rustls::Error::from);
                identity
                    .and_then(|id| builder.with_client_auth_cert(Arc::new(id), key))
                    .map_err(|error| {
                        bad(format!("the client certificate cannot be used: {error}"))
                            .remedy("check that the key belongs to the chain's first certificate")
                    })
            }
            None => builder
                .with_no_client_auth()
                .map_err(|error| bad(format!("the TLS settings cannot work: {error}"))),
        };
        let mut config = config?;
        config.alpn_protocols = from
            .alpn
            .into_iter()
            .map(|name| ApplicationProtocol::from(&*name).to_owned())
            .collect();
        config.enable_sni = from.sni;
        config.resumption = match from.sessions.unwrap_or(SESSIONS) {
            0 => Resumption::disabled(),
            servers => Resumption::in_memory_sessions(servers.saturating_mul(SESSIONS_PER_SERVER)),
        };
        if let Some(log) = from.key_log {
            config.key_log = Arc::new(log);
        }
        Ok(Self {
            config: Arc::new(config),
            unverified: from.verify == Verify::Insecure,
        })
    }
}

impl client::Settings for Settings {
    fn filter(&self, name: ServerName<'static>) -> Result<Box<dyn Filter>, Fault> {
        let config = Arc::clone(&self.config);
        Ok(Box::new(TlsFilter::new(config, name, self.unverified)))
    }

    fn export_sessions(&self) -> Result<Vec<u8>, Fault> {
        Err(unsupported(Backend::Rustls, PORTABLE))
    }

    fn import_sessions(&self, _: &[u8]) -> Result<usize, Fault> {
        Err(unsupported(Backend::Rustls, PORTABLE))
    }
}

/// The provider, cut down to the versions that are wanted.
fn cryptography(from: &Config) -> Result<CryptoProvider, Fault> {
    let found = match from.provider {
        Some(provider) => built_in(provider),
        None => [Provider::AwsLcRs, Provider::Ring]
            .into_iter()
            .find_map(built_in),
    };
    #[cfg(feature = "custom-provider")]
    let found = from.custom.as_deref().cloned().or(found);
    let mut provider = found.ok_or_else(|| {
        let what = match from.provider {
            Some(provider) => format!("the cryptography provider {provider:?} is not built in"),
            None => "no cryptography provider is built in".to_owned(),
        };
        Fault::new(Culprit::Misuse, Reason::Unsupported, what)
            .remedy("build with the feature aws-lc-rs or ring")
    })?;
    if from.max < Version::Tls13 {
        provider.tls13_cipher_suites = Cow::Borrowed(&[]);
    }
    if from.min > Version::Tls12 {
        provider.tls12_cipher_suites = Cow::Borrowed(&[]);
    }
    choose(from, &mut provider)?;
    Ok(provider)
}

/// Keeps the suites and groups that were asked for, in the order that was asked for.
fn choose(from: &Config, provider: &mut CryptoProvider) -> Result<(), Fault> {
    if let Some(list) = &from.ciphers {
        let known = provider.tls12_cipher_suites.iter();
        let known: Vec<_> = known
            .map(|suite| (name(suite.common.suite), *suite))
            .collect();
        provider.tls12_cipher_suites = pick("cipher suite", list, suites::iana, &known)?.into();
    }
    if let Some(list) = &from.tls13_ciphers {
        let known = provider.tls13_cipher_suites.iter();
        let known: Vec<_> = known
            .map(|suite| (name(suite.common.suite), *suite))
            .collect();
        provider.tls13_cipher_suites = pick("cipher suite", list, |name| name, &known)?.into();
    }
    if let Some(list) = &from.groups {
        let known = provider.kx_groups.iter();
        let known: Vec<_> = known
            .map(|group| (format!("{:?}", group.name()), *group))
            .collect();
        provider.kx_groups = pick("group", list, suites::group, &known)?.into();
    }
    Ok(())
}

/// A suite's name as IANA has it.
pub(super) fn name(suite: CipherSuite) -> String {
    format!("{suite:?}").replacen("TLS13_", "TLS_", 1)
}

fn pick<T: Copy>(
    what: &str,
    list: &str,
    canonical: impl Fn(&str) -> &str,
    known: &[(String, T)],
) -> Result<Vec<T>, Fault> {
    let find = |wanted: &str| {
        let wanted = canonical(wanted);
        let found = known.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<_> = known.iter().map(|(name, _)| name.as_str()).collect();
            let (shown, names) = (wanted.escape_default(), names.join(", "));
            bad(format!("the {what} \"{shown}\" is none of {names}"))
        })
    };
    let picked: Vec<_> = suites::names(list).map(find).collect::<Result<_, _>>()?;
    match picked.is_empty() {
        true => Err(bad(format!("the list of {what}s is empty"))),
        false => Ok(picked),
    }
}

fn built_in(provider: Provider) -> Option<CryptoProvider> {
    match provider {
        Provider::AwsLcRs => aws_lc_rs(),
        Provider::Ring => ring(),
    }
}

#[cfg(feature = "aws-lc-rs")]
fn aws_lc_rs() -> Option<CryptoProvider> {
    Some(rustls_aws_lc_rs::DEFAULT_PROVIDER)
}

#[cfg(not(feature = "aws-lc-rs"))]
fn aws_lc_rs() -> Option<CryptoProvider> {
    None
}

#[cfg(feature = "ring")]
fn ring() -> Option<CryptoProvider> {
    Some(rustls_ring::DEFAULT_PROVIDER)
}

#[cfg(not(feature = "ring"))]
fn ring() -> Option<CryptoProvider> {
    None
}

fn root_store(roots: &Roots) -> Result<RootCertStore, Fault> {
    let mut store = RootCertStore::empty();
    #[cfg(feature = "webpki-roots")]
    if roots.webpki {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    // Large collections hold certificates that no strict parser takes; skipping one
    // of them trusts fewer, never more.
    store.add_parsable_certificates(roots.lenient.iter().cloned());
    for certificate in &roots.given {
        store.add(certificate.clone()).map_err(|error| {
            bad(format!(
                "a certificate given as trusted root cannot be used: {error}"
            ))
        })?;
    }
    Ok(store)
}

impl rustls::KeyLog for SharedKeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        self.0
            .line(&format!("{label} {} {}", hex(client_random), hex(secret)));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
