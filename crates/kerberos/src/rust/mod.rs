//! Kerberos of our own: no library of the system's, no clock and no chance but what is given.
//!
//! ```text
//!   login, fetch            conversations with KDCs: messages out, answers in
//!   context                 AP-REQ, AP-REP and what follows, a message at a time (tokens), inside SPNEGO (spnego)
//!   messages, asn1          what they are made of
//!   crypto, aes, random     on RustCrypto's hashes and block cipher
//! ```

mod aes;
mod asn1;
mod context;
mod crypto;
mod fetch;
mod login;
mod messages;
mod random;
mod spnego;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use sockless_core::{Culprit, Fault, Reason, SecurityContext};
use zeroize::Zeroizing;

use crate::ccache::Stored;
use crate::credentials::Proof;
use crate::provider::{self, Conversation, Delegation, Ticket, Turn, Validity};
use crate::{Credentials, Principal};
use crypto::Key;
use messages::Stamp;
use random::Random;

/// Realms whose tickets to get tickets with are kept.
const REALMS: usize = 64;

/// What times may be ahead by so that none is told twice, in microseconds.
const NEAR: u64 = 60_000_000;

/// One user's credentials.
struct Own {
    client: Principal,
    proof: Proof,
    /// The tickets to get tickets with, by the realm that they are for.
    granting: BTreeMap<String, Arc<Stored>>,
    /// The one to hand on.
    forwarded: Option<Arc<Stored>>,
    delegation: Delegation,
    /// What our own realm's clock is ahead of the one given, in microseconds, as its KDC has proven.
    ahead: i64,
    /// The last time that was told: none is told twice, for services take the second for a replay.
    told: u64,
    /// The same of times that conversations only suppose.
    supposed: u64,
    /// Logins so far.
    logins: u64,
    random: Random,
}

/// They, shared with the conversations about them.
type Shared = Arc<Mutex<Own>>;

struct Library(Shared);

/// The library, and until when the user is logged in already.
pub(crate) fn open(
    credentials: Credentials,
    delegation: Delegation,
    seed: Option<Zeroizing<[u8; 32]>>,
    tickets: &mut BTreeMap<String, Ticket>,
) -> Result<(Box<dyn provider::Library>, Option<Validity>), Fault> {
    let Some(seed) = seed else {
        let what = "this backend for Kerberos draws keys and nonces from what it is given, and was given nothing";
        return Err(Fault::new(Culprit::Misuse, Reason::BadRequest, what)
            .remedy("give Config::random 32 bytes of the system's random generator"));
    };
    let client = credentials.client().clone();
    let mut proof = credentials.into_proof();
    let kept = match &mut proof {
        Proof::Tickets(ccache) => core::mem::take(&mut ccache.tickets),
        Proof::Password(_) | Proof::Keys(_) => Vec::new(),
    };
    let mut own = Own {
        client,
        proof,
        granting: BTreeMap::new(),
        forwarded: None,
        delegation,
        ahead: 0,
        told: 0,
        supposed: 0,
        logins: 0,
        random: Random::new(seed),
    };
    let mut login = None;
    // Later ones replace earlier ones: that is how files of tickets grow.
    for stored in kept {
        // Files have tickets as well that a service got for somebody else, and with keys that are not taken here.
        if stored.client != own.client || Key::new(stored.enctype, &stored.key).is_none() {
            continue;
        }
        let validity = stored.validity();
        let stored = Arc::new(stored);
        let [service, host] = stored.server.components() else {
            continue;
        };
        if service == "krbtgt" {
            if stored.server.grants_tickets_of(own.client.realm()) {
                login = Some(validity);
            }
            own.keep(host, &stored);
        } else if own.delegation == Delegation::None {
            // Otherwise they are fetched, and with them the one to hand on.
            let ticket = Ticket {
                service: stored.server.clone(),
                validity,
                stored: Some(Arc::clone(&stored)),
            };
            tickets.insert(provider::key(service, host), ticket);
        }
    }
    Ok((Box::new(Library(Arc::new(Mutex::new(own)))), login))
}

/// What is drawn for something else than messages, and tells nothing about what is drawn for them.
pub(crate) fn apart(seed: &Zeroizing<[u8; 32]>) -> Zeroizing<[u8; 32]> {
    Random::new(seed.clone()).apart()
}

impl provider::Library for Library {
    fn log_in(&mut self) -> Result<Option<Box<dyn Conversation>>, Fault> {
        if matches!(lock(&self.0).proof, Proof::Tickets(_)) {
            return Ok(None);
        }
        Ok(Some(Box::new(login::Login::new(Arc::clone(&self.0)))))
    }

    fn fetch(&mut self, service: &Principal) -> Result<Box<dyn Conversation>, Fault> {
        let fetch = fetch::Fetch::new(Arc::clone(&self.0), service.clone());
        Ok(Box::new(fetch))
    }

    fn context(
        &mut self,
        ticket: &Ticket,
        negotiated: bool,
    ) -> Result<Box<dyn SecurityContext>, Fault> {
        let Some(stored) = &ticket.stored else {
            let what = format!("the ticket {} is another backend's", ticket.service);
            return Err(Fault::new(Culprit::Misuse, Reason::Misuse, what));
        };
        let context = context::Context::new(Arc::clone(&self.0), Arc::clone(stored))?;
        Ok(match negotiated {
            true => Box::new(spnego::Negotiated::new(context)),
            false => Box::new(context),
        })
    }
}

impl Own {
    /// The time, and never the same twice: as our realm has it, or as a conversation supposes, which knows it from
    /// a refusal that nobody vouches for.
    fn now(&mut self, wall: SystemTime, supposed: Option<i64>) -> Stamp {
        let now = micros(wall).saturating_add_signed(supposed.unwrap_or(self.ahead));
        let told = match supposed {
            Some(_) => &mut self.supposed,
            None => &mut self.told,
        };
        // A clock that was wrong is not held on to.
        if *told > now.saturating_add(NEAR) {
            *told = 0;
        }
        *told = now.max(told.saturating_add(1));
        Stamp {
            seconds: *told / 1_000_000,
            micros: (*told % 1_000_000) as u32,
        }
    }

    /// Learns our realm's time, which its KDC has proven.
    fn correct(&mut self, ahead: i64, wall: SystemTime) {
        self.ahead = ahead;
        // What was supposed may have been the same.
        let now = micros(wall).saturating_add_signed(ahead);
        if self.supposed <= now.saturating_add(NEAR) {
            self.told = self.told.max(self.supposed);
        }
    }

    /// Whether a ticket is still good for a while.
    fn is_good(&self, ticket: &Stored, wall: SystemTime) -> bool {
        let now = micros(wall).saturating_add_signed(self.ahead) / 1_000_000;
        u64::from(ticket.times[2]) > now + 10
    }

    /// Keeps a ticket to get tickets with, if it is of our own realm's KDC: what other realms say
    /// is good for the way that led there, and for no other.
    fn keep(&mut self, realm: &str, ticket: &Arc<Stored>) {
        let home = self.client.realm();
        if ticket.server.realm() != home {
            return;
        }
        if self.granting.len() >= REALMS && !self.granting.contains_key(realm) {
            self.granting.retain(|of, _| of == home);
        }
        self.granting.insert(realm.to_owned(), Arc::clone(ticket));
    }
}

/// What a time is ahead of the one given by, in microseconds.
fn ahead(time: Stamp, wall: SystemTime) -> i64 {
    let seconds = time.seconds.saturating_mul(1_000_000);
    let time = seconds.saturating_add(time.micros.into());
    // Not beyond what a signed number can be: the sum has to fit.
    let time = time.min(i64::MAX as u64).cast_signed();
    time.saturating_sub(micros(wall).cast_signed())
}

fn micros(wall: SystemTime) -> u64 {
    let since = wall.duration_since(SystemTime::UNIX_EPOCH);
    let micros = since.unwrap_or_default().as_micros();
    // Far beyond what a signed number of them can be.
    u64::try_from(micros).map_or(i64::MAX as u64, |micros| micros.min(i64::MAX as u64))
}

/// What a conversation has come to.
fn done(stored: Arc<Stored>) -> Turn {
    let [issued, begins, ends, _] = stored.times;
    let lifetime = ends.saturating_sub(begins.max(issued));
    Turn::Done {
        service: stored.server.clone(),
        lifetime: Duration::from_secs(lifetime.into()),
        stored: Some(stored),
    }
}

/// A panic elsewhere leaves nothing half done in it.
fn lock(own: &Mutex<Own>) -> MutexGuard<'_, Own> {
    own.lock().unwrap_or_else(PoisonError::into_inner)
}
