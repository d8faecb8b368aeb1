//! Sessions as bytes.
//!
//! ```text
//! "SKLS" | format: u16 | settings: 32 | count: u32 | count sessions | SHA-256 of all before
//! session: name length: u16 | name | not after: u64 | verified until: u64 | DER length: u32 | DER
//! ```
//!
//! Numbers are big-endian, times in seconds since the Unix epoch. The hash finds damage; it
//! does not prove who wrote them.

use core::time::Duration;

use openssl::ssl::SslSession;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use sockless_core::{Culprit, Fault, Reason};

use super::sessions::{self, LARGEST, Session};
use crate::config::bad;
use crate::identity::ClientIdentity;
use crate::{Config, Verify};

const MAGIC: &[u8] = b"SKLS";
const FORMAT: u16 = 1;
const HASH: usize = 32;
/// Magic, format, settings, count.
const HEAD: usize = 4 + 2 + HASH + 4;
/// A session without its name and DER.
const FIELDS: usize = 2 + 8 + 8 + 4;
/// Most bytes of one export; what does not fit any more is left out, the oldest first.
const LARGEST_EXPORT: usize = 64 << 20;

type Named = (Box<str>, Session);

/// `all` from the one that was longest unused to the newest.
pub(super) fn encode(settings: &[u8; HASH], all: &[Named]) -> Vec<u8> {
    let size = |(name, session): &Named| FIELDS + name.len() + session.der.len();
    let mut total = HEAD + HASH;
    let fits = all.iter().rev().take_while(|named| {
        let with = total + size(named);
        let fits = with <= LARGEST_EXPORT;
        total = if fits { with } else { total };
        fits
    });
    let left_out = all.len() - fits.count();
    let all = &all[left_out..];
    // All at once: growing would leave copies of keys behind.
    let mut out = Vec::with_capacity(total);
    out.extend_from_slice(MAGIC);
    out.extend(FORMAT.to_be_bytes());
    out.extend_from_slice(settings);
    out.extend((all.len() as u32).to_be_bytes());
    for (name, session) in all {
        out.extend((name.len() as u16).to_be_bytes());
        out.extend_from_slice(name.as_bytes());
        out.extend(session.not_after.as_secs().to_be_bytes());
        out.extend(session.verified_until.as_secs().to_be_bytes());
        out.extend((session.der.len() as u32).to_be_bytes());
        out.extend_from_slice(&session.der);
    }
    let hash = Sha256::digest(&out);
    out.extend_from_slice(&hash);
    out
}

pub(super) fn decode(settings: &[u8; HASH], bytes: &[u8]) -> Result<Vec<Named>, Fault> {
    if bytes.len() > LARGEST_EXPORT {
        return Err(bad("more than 64 MiB of exported sessions"));
    }
    let strange = || {
        bad("these bytes are no exported TLS sessions")
            .remedy("give what Client::export_sessions returned")
    };
    let mut rest = Rest(bytes);
    if rest.take(MAGIC.len()) != Some(MAGIC) {
        return Err(strange());
    }
    let format = rest.number(2).ok_or_else(strange)?;
    if format != u64::from(FORMAT) {
        let what =
            format!("the exported TLS sessions are in format {format}, and {FORMAT} is known");
        return Err(Fault::new(Culprit::Misuse, Reason::Unsupported, what)
            .remedy("export them with this version, or connect without them"));
    }
    let damaged = || {
        bad("the exported TLS sessions are damaged or cut short")
            .remedy("export them again, or connect without them")
    };
    let (body, hash) = bytes
        .split_last_chunk::<HASH>()
        .filter(|(body, _)| body.len() >= HEAD)
        .ok_or_else(damaged)?;
    if Sha256::digest(body)[..] != hash[..] {
        return Err(damaged());
    }
    if rest.take(HASH) != Some(settings) {
        return Err(bad("the exported TLS sessions are from other TLS settings")
            .remedy("import them with the settings that they were exported with"));
    }
    let mut rest = Rest(&body[HEAD - 4..]);
    let count = rest.number(4).ok_or_else(damaged)?;
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(rest.session().ok_or_else(damaged)?);
    }
    match rest.0.is_empty() {
        true => Ok(all),
        false => Err(damaged()),
    }
}

/// What was not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, len: usize) -> Option<u64> {
        let digits = self.take(len)?.iter();
        Some(digits.fold(0, |number, digit| number << 8 | u64::from(*digit)))
    }

    fn session(&mut self) -> Option<Named> {
        let len = self.number(2)?;
        let name = self.take(usize::try_from(len).ok()?)?;
        let not_after = Duration::from_secs(self.number(8)?);
        let verified_until = Duration::from_secs(self.number(8)?);
        let len = usize::try_from(self.number(4)?).ok()?;
        let der = self.take(len).filter(|_| len <= LARGEST)?;
        let session = Session {
            is_ticket: sessions::is_ticket(&*SslSession::from_der(der).ok()?)?,
            der: der.to_vec().into(),
            not_after,
            verified_until,
        };
        Some((str::from_utf8(name).ok()?.into(), session))
    }
}

/// A hash of what a session depends on: who was trusted and for whom the client was taken.
pub(super) fn fingerprint(config: &Config) -> [u8; HASH] {
    let mut hash = Sha256::new();
    let mut list = |label: &str, items: &[&[u8]]| {
        hash.update(label);
        hash.update((items.len() as u64).to_be_bytes());
        for item in items {
            hash.update((item.len() as u64).to_be_bytes());
            hash.update(item);
        }
    };
    #[cfg(feature = "webpki-roots")]
    if config.roots.webpki {
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
        list("webpki", &roots.map(AsRef::as_ref).collect::<Vec<_>>());
    }
    let mut certificates = |label, all: &[CertificateDer<'static>]| {
        list(label, &all.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    };
    certificates("given", &config.roots.given);
    certificates("lenient", &config.roots.lenient);
    match &config.identity {
        None => {}
        Some(ClientIdentity::Open { chain, .. } | ClientIdentity::Encrypted { chain, .. }) => {
            certificates("client", chain);
        }
        Some(ClientIdentity::Pkcs12 { file, .. }) => list("pkcs12", &[file]),
    }
    let insecure = [u8::from(config.verify == Verify::Insecure)];
    let versions = [config.min as u8, config.max as u8];
    list("rules", &[&insecure, &versions, &config.pins.bytes()]);
    let names = [&config.ciphers, &config.tls13_ciphers, &config.groups];
    let names = names.map(|list| list.as_deref().unwrap_or_default().as_bytes());
    list("names", &names);
    hash.finalize().into()
}
