//! MIT Kerberos, without its network: logins and tickets by the step-by-step interface of
//! libkrb5, contexts by libgssapi_krb5 from a cache in memory.
//!
//! The library reads its own `krb5.conf` and the system's clock, as OpenSSL reads its
//! `openssl.cnf`: encryption types and the like are set there. It is never given a reason to talk
//! to a KDC: a context is made only from a ticket that is in the cache.
//!
//! The declarations (`ffi.rs`) are our own. `libgssapi` has none of what is needed besides contexts (the
//! step-by-step interface, credentials from a cache, whether a message was confidential, the mechanisms
//! that SPNEGO offers), and its sys crate needs libclang to be built.

mod context;
mod conversation;
mod ffi;
mod library;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sockless_core::{Culprit, Fault, Reason, SecurityContext};

use crate::credentials::Proof;
use crate::provider::{self, Conversation, Delegation, Ticket, Validity};
use crate::{Credentials, Principal};
use library::{Cred, Krb5};

/// One user's credentials in the library.
struct Mit {
    krb5: Arc<Mutex<Krb5>>,
    /// Made from the cache of that number.
    cred: Option<(u64, Arc<Cred>)>,
    /// Whether there is something to log in with.
    logs_in: bool,
}

/// The library, and until when the user is logged in already.
pub(crate) fn open(
    credentials: Credentials,
    delegation: Delegation,
    tickets: &mut BTreeMap<String, Ticket>,
) -> Result<(Box<dyn provider::Library>, Option<Validity>), Fault> {
    if delegation != Delegation::None {
        let what = "MIT Kerberos fetches the tickets to delegate by itself, which blocks: \
                    this backend does not delegate";
        return Err(Fault::new(Culprit::Misuse, Reason::Unsupported, what)
            .remedy("choose the backend rust, which has them fetched, or do without delegation"));
    }
    let client = credentials.client().clone();
    let mut krb5 = Krb5::open(&client)?;
    let mut login = None;
    let mut logs_in = true;
    match credentials.into_proof() {
        Proof::Password(password) => krb5.keep_password(password)?,
        Proof::Keys(keys) => krb5.keep_keys(&keys)?,
        Proof::Tickets(ccache) => {
            logs_in = false;
            for stored in &ccache.tickets {
                krb5.store(stored)?;
                if stored.server.grants_tickets_of(client.realm()) {
                    login = Some(stored.validity());
                } else if let [service, host] = stored.server.components() {
                    let ticket = Ticket {
                        service: stored.server.clone(),
                        validity: stored.validity(),
                        stored: None,
                    };
                    tickets.insert(provider::key(service, host), ticket);
                }
            }
        }
    }
    let mit = Mit {
        krb5: Arc::new(Mutex::new(krb5)),
        cred: None,
        logs_in,
    };
    Ok((Box::new(mit), login))
}

impl provider::Library for Mit {
    fn log_in(&mut self) -> Result<Option<Box<dyn Conversation>>, Fault> {
        if !self.logs_in {
            return Ok(None);
        }
        let login = conversation::Login::begin(Arc::clone(&self.krb5))?;
        Ok(Some(Box::new(login)))
    }

    fn fetch(&mut self, service: &Principal) -> Result<Box<dyn Conversation>, Fault> {
        let fetch = conversation::Fetch::begin(Arc::clone(&self.krb5), service)?;
        Ok(Box::new(fetch))
    }

    fn context(
        &mut self,
        ticket: &Ticket,
        negotiated: bool,
    ) -> Result<Box<dyn SecurityContext>, Fault> {
        let krb5 = lock(&self.krb5);
        let cred = match &self.cred {
            Some((cache, cred)) if *cache == krb5.caches => Arc::clone(cred),
            _ => {
                let cred = Arc::new(Cred::acquire(&krb5)?);
                self.cred = Some((krb5.caches, Arc::clone(&cred)));
                cred
            }
        };
        drop(krb5);
        let context = context::Context::new(cred, &ticket.service, negotiated)?;
        Ok(Box::new(context))
    }
}

/// A panic elsewhere leaves nothing half done in it.
fn lock(krb5: &Mutex<Krb5>) -> MutexGuard<'_, Krb5> {
    krb5.lock().unwrap_or_else(PoisonError::into_inner)
}
