//! Sessions that servers offered to resume, until a connection does.
//!
//! OpenSSL does not verify again when it resumes, so a session speaks for the
//! verification of its first connection. That holds because it never leaves its client's
//! settings, is found by the verified name alone, and ends with the certificates that were
//! verified. Where verification can change its mind meanwhile (revocation lists, OCSP),
//! settings have no cache at all.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use openssl::error::ErrorStack;
use openssl::ssl::{
    SslContextBuilder, SslOptions, SslRef, SslSession, SslSessionCacheMode, SslSessionRef,
    SslVersion,
};
use sockless_core::Fault;
use zeroize::Zeroizing;

use super::export;
use super::verify::{self, Judge};
use crate::x509;

/// Tickets of TLS 1.3 that are kept of one server.
const PER_SERVER: usize = 8;
/// Longest session in bytes of DER, the server's certificate included.
pub(super) const LARGEST: usize = 16 * 1024;
/// How long one verification of a server counts at most, in however many resumptions.
const DAY: Duration = Duration::from_secs(86_400);

/// A client's sessions by the verified name, of at most so many servers.
pub(super) struct Sessions {
    servers: usize,
    /// What tells exported sessions of these settings from others.
    settings: [u8; 32],
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    by_name: BTreeMap<Box<str>, Server>,
    /// By when a session was last kept or offered: the first gives way.
    by_use: BTreeMap<u64, Box<str>>,
    uses: u64,
}

struct Server {
    used: u64,
    sessions: VecDeque<Session>,
}

/// A session, and until when. Times are since the Unix epoch, by the wall clock of pumps.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) der: Zeroizing<Vec<u8>>,
    /// RFC 8446 appendix C.4: tickets of TLS 1.3 are for one connection each.
    pub(super) is_ticket: bool,
    /// The end that the server gave it.
    pub(super) not_after: Duration,
    /// The end of the verification that it speaks for, which resumed connections hand on.
    pub(super) verified_until: Duration,
}

impl Sessions {
    pub(super) fn new(servers: usize, settings: [u8; 32]) -> Self {
        Self {
            servers,
            settings,
            held: Mutex::default(),
        }
    }

    /// A session for a connection to the server of that name; a ticket is gone then.
    pub(super) fn offer(&self, name: &str, now: Duration) -> Option<Session> {
        let name = name.to_ascii_lowercase();
        self.held(|held| {
            let server = held.by_name.get_mut(name.as_str())?;
            server.sessions.retain(|session| session.counts(now));
            let newest = server.sessions.back().cloned();
            if newest.as_ref().is_none_or(|session| session.is_ticket) {
                server.sessions.pop_back();
            }
            match server.sessions.is_empty() {
                true => held.forget(&name),
                false => held.touch(&name),
            }
            newest
        })
    }

    /// Keeps a session; the server that was longest unused gives way.
    pub(super) fn keep(&self, name: &str, session: Session) {
        let name = name.to_ascii_lowercase();
        self.held(|held| {
            let server = held.by_name.entry(name.clone().into());
            let sessions = &mut server.or_insert_with(Server::new).sessions;
            // A session of TLS 1.2 is for any number of connections: the newest is enough.
            sessions.retain(|other| other.is_ticket && session.is_ticket);
            if sessions.len() == PER_SERVER {
                sessions.pop_front();
            }
            sessions.push_back(session);
            held.touch(&name);
            while held.by_name.len() > self.servers {
                let Some((_, oldest)) = held.by_use.pop_first() else {
                    return;
                };
                held.by_name.remove(&oldest);
            }
        });
    }

    /// A handshake failed: the next one shall not depend on what the server remembers.
    pub(super) fn forget(&self, name: &str) {
        self.held(|held| held.forget(&name.to_ascii_lowercase()));
    }

    /// All sessions as bytes; the tickets among them are no longer here.
    pub(super) fn export(&self) -> Vec<u8> {
        let mut all = Vec::new();
        self.held(|held| {
            let names: Vec<_> = held.by_use.values().cloned().collect();
            for name in names {
                let Some(server) = held.by_name.get_mut(&name) else {
                    continue;
                };
                let sessions = server.sessions.iter();
                all.extend(sessions.map(|session| (name.clone(), session.clone())));
                server.sessions.retain(|session| !session.is_ticket);
                if server.sessions.is_empty() {
                    held.forget(&name);
                }
            }
        });
        export::encode(&self.settings, &all)
    }

    /// Keeps what another client exported, all of it or nothing.
    pub(super) fn import(&self, bytes: &[u8]) -> Result<usize, Fault> {
        let all = export::decode(&self.settings, bytes)?;
        let count = all.len();
        for (name, session) in all {
            self.keep(&name, session);
        }
        Ok(count)
    }

    fn held<R>(&self, look: impl FnOnce(&mut Held) -> R) -> R {
        look(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Held {
    fn touch(&mut self, name: &str) {
        if let Some(server) = self.by_name.get_mut(name) {
            self.by_use.remove(&server.used);
            self.uses += 1;
            server.used = self.uses;
            self.by_use.insert(self.uses, name.into());
        }
    }

    fn forget(&mut self, name: &str) {
        if let Some(server) = self.by_name.remove(name) {
            self.by_use.remove(&server.used);
        }
    }
}

impl Server {
    fn new() -> Self {
        Self {
            used: 0,
            sessions: VecDeque::new(),
        }
    }
}

impl Session {
    /// What a connection was given, if it is worth keeping.
    fn of(ssl: &SslRef, session: &SslSessionRef, judge: &Judge) -> Option<Self> {
        let der = Zeroizing::new(session.to_der().ok()?);
        if der.len() > LARGEST {
            return None;
        }
        let lifetime = lifetime(session, &der)?;
        let verified_until = match ssl.session_reused() {
            true => judge.verified_until?,
            false => verified_until(ssl, judge)?,
        };
        Some(Self {
            der,
            is_ticket: is_ticket(session)?,
            not_after: judge.now + lifetime,
            verified_until,
        })
    }

    /// The third condition holds unless clocks went back, or an import came from tomorrow.
    fn counts(&self, now: Duration) -> bool {
        now < self.not_after && now < self.verified_until && self.verified_until <= now + DAY
    }
}

/// Keeps the sessions that the context's connections are given.
pub(super) fn collect(
    context: &mut SslContextBuilder,
    sessions: &Arc<Sessions>,
) -> Result<(), ErrorStack> {
    let (index, sessions) = (verify::index()?, Arc::clone(sessions));
    context.clear_options(SslOptions::NO_TICKET);
    context.set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
    context.set_new_session_callback(move |ssl, session: SslSession| {
        let judge = ssl.ex_data(index);
        if let Some(judge) = judge
            && let Some(session) = Session::of(ssl, &session, judge)
        {
            sessions.keep(&judge.name, session);
        }
    });
    Ok(())
}

/// Whether it is for one connection; `None` for versions that nobody speaks here.
pub(super) fn is_ticket(session: &SslSessionRef) -> Option<bool> {
    match session.protocol_version() {
        SslVersion::TLS1_3 => Some(true),
        SslVersion::TLS1_2 => Some(false),
        _ => None,
    }
}

/// The shorter of OpenSSL's limit and the server's, which with TLS 1.3 is a must
/// (RFC 8446 section 4.6.1) and absent when it is 0.
fn lifetime(session: &SslSessionRef, der: &[u8]) -> Option<Duration> {
    let own = u64::try_from(session.timeout()).ok()?;
    let theirs = x509::session_lifetime(der);
    let seconds = match is_ticket(session)? {
        true => own.min(theirs.unwrap_or(0)),
        false => own.min(theirs.unwrap_or(own)),
    };
    Some(Duration::from_secs(seconds))
}

/// Until the first certificate of the verified chain ends, and no longer than a day.
fn verified_until(ssl: &SslRef, judge: &Judge) -> Option<Duration> {
    let mut until = judge.now + DAY;
    if judge.is_full {
        for certificate in ssl.verified_chain()? {
            let (_, end) = x509::validity(&certificate.to_der().ok()?)?;
            until = until.min(end);
        }
    }
    Some(until)
}
