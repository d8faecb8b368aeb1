//! From a [`Config`] to OpenSSL's settings.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslRef,
    SslSessionCacheMode, SslVerifyMode, SslVersion, StatusType,
};
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags};
use openssl::x509::{X509, X509Crl, X509VerifyResult};
use rustls_pki_types::{CertificateDer, ServerName};
use sockless_core::{Fault, Filter};
use zeroize::Zeroizing;

use super::error::Failure;
use super::filter::TlsFilter;
use super::sessions::{self, Sessions};
use super::verify::{Judge, List, Rules};
use super::{export, resume, staple};
use crate::config::{Backend, bad, unsupported};
use crate::identity::ClientIdentity;
use crate::refusal::Refusal;
use crate::{Config, Roots, Verify, Version, client, suites, x509};

/// What all connections of a client share.
#[derive(Debug)]
pub(crate) struct Settings(Arc<Shared>);

pub(super) struct Shared {
    context: SslContext,
    rules: Arc<Rules>,
    alpn: Vec<Vec<u8>>,
    sni: bool,
    ocsp: bool,
    /// `None`: nothing is resumed.
    sessions: Option<Arc<Sessions>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// 112 bits: RSA of 2048 bits, SHA-2. It is what rustls accepts at least.
const SECURITY_LEVEL: u32 = 2;
/// Servers whose sessions are kept when nobody says for how many.
const SESSIONS: usize = 256;
/// With the post-quantum group that OpenSSL has from 3.5 on, and without.
const GROUPS: [&str; 2] = ["X25519MLKEM768:X25519:P-256:P-384", "X25519:P-256:P-384"];

impl Settings {
    pub(crate) fn new(from: Config) -> Result<Self, Fault> {
        if from.provider.is_some() {
            return Err(unsupported(
                Backend::Openssl,
                "a choice of cryptography provider",
            ));
        }
        let sessions = resumable(&from)?;
        let mut context = base(&from).map_err(|error| cannot("OpenSSL cannot be used", error))?;
        negotiable(&from, &mut context)?;
        trust(&from.roots, &mut context)?;
        if let Some(identity) = &from.identity {
            identify(identity, &mut context)?;
        }
        if let Some(log) = from.key_log {
            context.set_keylog_callback(move |_, line| log.0.line(line));
        }
        if let Some(sessions) = &sessions {
            sessions::collect(&mut context, sessions)
                .map_err(|error| cannot("sessions cannot be resumed", error))?;
        }
        if from.ocsp {
            staple::require(&mut context)
                .map_err(|error| cannot("OCSP stapling cannot be required", error))?;
        }
        let rules = Rules {
            verify: from.verify,
            crls: from
                .crls
                .iter()
                .map(|list| parse(list))
                .collect::<Result<_, _>>()?,
            pins: from.pins,
        };
        Ok(Self(Arc::new(Shared {
            context: context.build(),
            rules: Arc::new(rules),
            alpn: from.alpn,
            sni: from.sni,
            ocsp: from.ocsp,
            sessions,
        })))
    }
}

impl client::Settings for Settings {
    fn filter(&self, name: ServerName<'static>) -> Result<Box<dyn Filter>, Fault> {
        Ok(Box::new(TlsFilter::new(Arc::clone(&self.0), name)))
    }

    fn export_sessions(&self) -> Result<Vec<u8>, Fault> {
        Ok(self.sessions()?.export())
    }

    fn import_sessions(&self, exported: &[u8]) -> Result<usize, Fault> {
        self.sessions()?.import(exported)
    }
}

impl Settings {
    fn sessions(&self) -> Result<&Sessions, Fault> {
        self.0.sessions.as_deref().ok_or_else(|| {
            bad("these TLS settings keep no sessions").remedy(
                "do without revocation lists and required OCSP, and do not turn resumption off",
            )
        })
    }
}

impl Shared {
    /// OpenSSL's side of a connection to `name`, at the time `now` since the Unix epoch.
    pub(super) fn ssl(
        &self,
        name: &ServerName<'static>,
        now: Duration,
    ) -> Result<(Ssl, Arc<Judge>), ErrorStack> {
        let mut ssl = Ssl::new(&self.context)?;
        let shown = name.to_str();
        let host = shown.strip_suffix('.').unwrap_or(&shown);
        let is_full = self.rules.verify == Verify::Full;
        let offered = self.sessions.as_ref();
        let offered = offered.and_then(|sessions| sessions.offer(host, now));
        let until = offered.as_ref().map(|session| session.verified_until);
        let judge = Arc::new(Judge::new(host.to_owned(), now, is_full, until));
        judge.attach(&mut ssl)?;
        if let Some(session) = offered {
            // One that OpenSSL does not take is one full handshake more.
            let _taken = resume::resume(&mut ssl, &session.der);
        }
        let param = ssl.param_mut();
        param.set_time(now.as_secs().try_into().unwrap_or_default());
        if is_full {
            param.set_hostflags(
                X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT,
            );
            match name {
                ServerName::IpAddress(address) => {
                    param.set_ip(core::net::IpAddr::from(*address))?;
                }
                _ => param.set_host(host)?,
            }
        }
        if self.sni && matches!(name, ServerName::DnsName(_)) {
            ssl.set_hostname(host)?;
        }
        if self.ocsp {
            ssl.set_status_type(StatusType::OCSP)?;
        }
        let (rules, asked) = (Arc::clone(&self.rules), Arc::clone(&judge));
        ssl.set_verify_callback(SslVerifyMode::PEER, move |good, at| {
            asked.judge(&rules, good, at)
        });
        Ok((ssl, judge))
    }

    /// What has to hold once hands are shaken.
    pub(super) fn check(&self, ssl: &SslRef, judge: &Judge) -> Result<(), Failure> {
        match ssl.session_reused() {
            true => self.still_holds(ssl).map_err(Failure::refused)?,
            // No certificate was ever seen: there is none without one, but who knows.
            false if !judge.is_pinned() => return Err(Failure::refused(Refusal::Pin)),
            false => {}
        }
        match ssl.selected_alpn_protocol() {
            Some(chosen) if !self.alpn.iter().any(|offered| offered == chosen) => {
                Err(Failure::Alpn(chosen.escape_ascii().to_string()))
            }
            _ => Ok(()),
        }
    }

    /// What can be checked again of a resumed session's server: OpenSSL does not ask then.
    fn still_holds(&self, ssl: &SslRef) -> Result<(), Refusal> {
        let is_verified = ssl.verify_result() == X509VerifyResult::OK;
        if self.rules.verify == Verify::Full && !is_verified {
            let why = "its session is of a connection that did not verify it";
            return Err(Refusal::Other(why.to_owned()));
        }
        let certificate = ssl.peer_certificate().and_then(|it| it.to_der().ok());
        let is_pinned = certificate.is_some_and(|der| self.rules.pins.accept(&der));
        is_pinned.then_some(()).ok_or(Refusal::Pin)
    }

    /// A handshake with that server failed.
    pub(super) fn forget(&self, judge: &Judge) {
        if let Some(sessions) = &self.sessions {
            sessions.forget(&judge.name);
        }
    }

    pub(super) fn is_unverified(&self) -> bool {
        self.rules.verify == Verify::Insecure
    }
}

/// The cache, if there is to be one: revocation lists and stapled answers speak of a day, and
/// a resumed connection is not held to those of its own.
fn resumable(from: &Config) -> Result<Option<Arc<Sessions>>, Fault> {
    let may = from.crls.is_empty() && !from.ocsp;
    match from.sessions {
        Some(1..) if !may => Err(unsupported(
            Backend::Openssl,
            "resumption together with revocation lists or required OCSP",
        )),
        None if !may => Ok(None),
        Some(0) => Ok(None),
        servers => {
            let servers = servers.unwrap_or(SESSIONS);
            let settings = export::fingerprint(from);
            Ok(Some(Arc::new(Sessions::new(servers, settings))))
        }
    }
}

fn base(from: &Config) -> Result<SslContextBuilder, ErrorStack> {
    let version = |version| match version {
        Version::Tls12 => SslVersion::TLS1_2,
        Version::Tls13 => SslVersion::TLS1_3,
    };
    let mut context = SslContextBuilder::new(SslMethod::tls_client())?;
    context.set_security_level(SECURITY_LEVEL);
    context.set_min_proto_version(Some(version(from.min)))?;
    context.set_max_proto_version(Some(version(from.max)))?;
    context.set_options(
        SslOptions::NO_RENEGOTIATION | SslOptions::NO_COMPRESSION | SslOptions::NO_TICKET,
    );
    // What the system's openssl.cnf may have set.
    context.clear_options(SslOptions::IGNORE_UNEXPECTED_EOF);
    context.set_mode(
        SslMode::AUTO_RETRY | SslMode::RELEASE_BUFFERS | SslMode::ACCEPT_MOVING_WRITE_BUFFER,
    );
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    // Whoever is trusted is trusted as such, an intermediate authority too.
    let param = context.verify_param_mut();
    param.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::TRUSTED_FIRST)?;
    Ok(context)
}

/// Ciphers, groups and protocols.
fn negotiable(from: &Config, context: &mut SslContextBuilder) -> Result<(), Fault> {
    let join = |names: Vec<&str>| names.join(":");
    let ciphers = match &from.ciphers {
        Some(list) => join(suites::names(list).map(suites::openssl).collect()),
        None => join(suites::defaults().collect()),
    };
    context
        .set_cipher_list(&ciphers)
        .map_err(|error| refused("cipher suites of TLS 1.2", &ciphers, error))?;
    if let Some(list) = &from.tls13_ciphers {
        let list = join(suites::names(list).collect());
        context
            .set_ciphersuites(&list)
            .map_err(|error| refused("cipher suites of TLS 1.3", &list, error))?;
    }
    match &from.groups {
        Some(list) => {
            let list = join(suites::names(list).collect());
            context
                .set_groups_list(&list)
                .map_err(|error| refused("groups", &list, error))?;
        }
        None => {
            let mut known = GROUPS.iter().map(|list| context.set_groups_list(list));
            let taken = known.find_map(Result::ok);
            taken.ok_or_else(|| bad("OpenSSL knows none of the usual groups"))?;
        }
    }
    let mut wire = Vec::new();
    for name in &from.alpn {
        wire.extend(u8::try_from(name.len()));
        wire.extend_from_slice(name);
    }
    if !wire.is_empty() {
        context
            .set_alpn_protos(&wire)
            .map_err(|error| cannot("the ALPN protocols cannot be offered", error))?;
    }
    Ok(())
}

fn trust(roots: &Roots, context: &mut SslContextBuilder) -> Result<(), Fault> {
    let store = context.cert_store_mut();
    #[cfg(feature = "webpki-roots")]
    if roots.webpki {
        for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
            let added = X509::from_der(root).and_then(|root| store.add_cert(root));
            added.map_err(|error| cannot("a compiled in root cannot be used", error))?;
        }
    }
    // Large collections hold certificates that no strict parser takes; skipping one
    // of them trusts fewer, never more.
    for root in &roots.lenient {
        let _skipped = X509::from_der(root).and_then(|root| store.add_cert(root));
    }
    for root in &roots.given {
        let added = X509::from_der(root).and_then(|root| store.add_cert(root));
        added
            .map_err(|error| cannot("a certificate given as trusted root cannot be used", error))?;
    }
    Ok(())
}

fn identify(identity: &ClientIdentity, context: &mut SslContextBuilder) -> Result<(), Fault> {
    let unusable = |error| {
        cannot("the client certificate cannot be used", error)
            .remedy("check that the key belongs to the chain's first certificate")
    };
    let locked = |what: &str, error| {
        cannot(&format!("{what} does not open"), error).remedy("check its password")
    };
    match identity {
        ClientIdentity::Open { chain, key } => {
            let key = PKey::private_key_from_der(key.secret_der()).map_err(unusable)?;
            show(&certificates(chain).map_err(unusable)?, &key, context).map_err(unusable)
        }
        ClientIdentity::Encrypted {
            chain,
            key,
            password,
        } => {
            let key = PKey::private_key_from_pem_passphrase(key, password.as_bytes())
                .map_err(|error| locked("the client's private key", error))?;
            show(&certificates(chain).map_err(unusable)?, &key, context).map_err(unusable)
        }
        ClientIdentity::Pkcs12 { file, password } => {
            let (chain, key) = unpack(file, password)
                .map_err(|error| locked("the client's PKCS#12 file", error))?;
            let Some(key) = key.filter(|_| !chain.is_empty()) else {
                return Err(bad("the client's PKCS#12 file lacks certificate or key"));
            };
            show(&chain, &key, context).map_err(unusable)
        }
    }
}

type Unpacked = (Vec<X509>, Option<PKey<Private>>);

fn unpack(file: &[u8], password: &Zeroizing<String>) -> Result<Unpacked, ErrorStack> {
    let parsed = Pkcs12::from_der(file)?.parse2(password)?;
    let mut chain = Vec::from_iter(parsed.cert);
    chain.extend(parsed.ca.into_iter().flatten());
    Ok((chain, parsed.pkey))
}

fn certificates(chain: &[CertificateDer<'static>]) -> Result<Vec<X509>, ErrorStack> {
    chain.iter().map(|der| X509::from_der(der)).collect()
}

fn show(
    chain: &[X509],
    key: &PKey<Private>,
    context: &mut SslContextBuilder,
) -> Result<(), ErrorStack> {
    if let Some((leaf, above)) = chain.split_first() {
        context.set_certificate(leaf)?;
        for issuer in above {
            context.add_extra_chain_cert(issuer.clone())?;
        }
    }
    context.set_private_key(key)?;
    context.check_private_key()
}

fn parse(der: &[u8]) -> Result<List, Fault> {
    let list = X509Crl::from_der(der)
        .map_err(|error| cannot("the revocation list cannot be used", error))?;
    let facts = x509::revocation_list(der)
        .ok_or_else(|| bad("the revocation list cannot be used: its fields are unclear"))?;
    if facts.is_partial {
        return Err(unsupported(
            Backend::Openssl,
            "revocation lists for a part of an authority's certificates",
        ));
    }
    Ok(List {
        list,
        not_after: facts.not_after,
    })
}

fn cannot(what: &str, error: ErrorStack) -> Fault {
    let first = error.errors().first();
    let why = first
        .and_then(|error| error.reason())
        .unwrap_or("no reason given");
    bad(format!("{what}: {why}")).source(error)
}

fn refused(what: &str, list: &str, error: ErrorStack) -> Fault {
    let shown = list.escape_default();
    cannot(&format!("OpenSSL takes no {what} from \"{shown}\""), error)
}
