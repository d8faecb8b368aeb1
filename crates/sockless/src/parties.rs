//! Challenges and their answers: who we are to each server and proxy of a session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use sockless_core::{Cx, Error, Head, Pool};
use sockless_http::{Authenticator, Dialog, Party, Subject, Verdict};
use zeroize::Zeroizing;

use crate::plan::{self, Proofs};
use crate::request::Body;
use crate::way::bare;
use crate::{Auth, Proxy, Request};

/// What is known about each party, shared by the requests to it; bounded.
pub(crate) struct Parties {
    known: HashMap<Name, Shared>,
    started: Instant,
    wall: SystemTime,
    seed: u64,
    made: u64,
}

type Shared = Arc<Mutex<Authenticator>>;

/// Parties that are remembered; beyond, all are met anew.
const MOST: usize = 1024;

/// A party and our credentials there. An origin's credentials are for that origin alone.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Name {
    Origin {
        secure: bool,
        host: String,
        port: u16,
        auth: Auth,
    },
    Proxy(Proxy),
}

/// The parties of one request: the server, and a proxy that is handed it.
#[derive(Default)]
pub(crate) struct Sides {
    server: Option<Side>,
    proxy: Option<Side>,
    forwarded: bool,
}

struct Side {
    authenticator: Shared,
    dialog: Dialog,
}

/// The time of a call.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    now: Instant,
    started: Instant,
    /// The wall clock at `started`.
    wall: SystemTime,
}

impl Parties {
    pub(crate) fn new(now: Instant, wall: SystemTime, seed: u64) -> Self {
        Self {
            known: HashMap::new(),
            started: now,
            wall,
            seed,
            made: 0,
        }
    }

    pub(crate) fn at(&self, now: Instant) -> Moment {
        let Self { started, wall, .. } = *self;
        Moment { now, started, wall }
    }

    /// The parties of a request, as far as we have credentials for them.
    ///
    /// # Errors
    /// Credentials that no scheme can carry.
    pub(crate) fn sides(&mut self, request: &Request) -> Result<Sides, Error> {
        let secure = request.url.scheme() == "https";
        let host = bare(request.url.host_str().unwrap_or_default());
        let port = request.url.port_or_known_default().unwrap_or(80);
        let last = request.proxies.chain(secure, host, port).last();
        let forwarding = last.filter(|proxy| !secure && request.unix.is_none() && proxy.forwards());
        let mut sides = Sides {
            forwarded: forwarding.is_some(),
            ..Sides::default()
        };
        if let Some(auth) = &request.auth {
            let name = Name::Origin {
                secure,
                host: host.to_owned(),
                port,
                auth: auth.clone(),
            };
            sides.server = Some(self.side(name, auth, Party::Origin, host)?);
        }
        if let Some(proxy) = forwarding
            && let Some(auth) = &proxy.auth
        {
            let name = Name::Proxy(proxy.clone());
            sides.proxy = Some(self.side(name, auth, Party::Proxy, &proxy.host)?);
        }
        Ok(sides)
    }

    fn side(&mut self, name: Name, auth: &Auth, party: Party, host: &str) -> Result<Side, Error> {
        let authenticator = match self.known.get(&name) {
            Some(known) => Arc::clone(known),
            None => {
                self.made += 1;
                let seed = self.seed.rotate_left(17) ^ self.made;
                let made = auth.authenticator(party, host, seed)?;
                let made = Arc::new(Mutex::new(made));
                if self.known.len() >= MOST {
                    self.known.clear();
                }
                self.known.insert(name, Arc::clone(&made));
                made
            }
        };
        let dialog = Dialog::new();
        Ok(Side {
            authenticator,
            dialog,
        })
    }
}

impl Sides {
    /// What the request is sent with.
    ///
    /// # Errors
    /// The only scheme left cannot be used.
    pub(crate) fn proofs(
        &mut self,
        request: &Request,
        moment: Moment,
        pool: &Pool,
    ) -> Result<Proofs, Error> {
        if self.server.is_none() && self.proxy.is_none() {
            return Ok(Proofs::default());
        }
        let subject = Subject {
            method: &request.method,
            target: plan::target(&request.url, self.forwarded),
            body: match &request.body {
                Body::Empty => Some(&[]),
                Body::Bytes(bytes) => Some(bytes),
                _ => None,
            },
        };
        let prove = |side: &mut Option<Side>| match side {
            Some(side) => side.prove(&subject, moment, pool),
            None => Ok(None),
        };
        Ok(Proofs {
            server: prove(&mut self.server)?,
            proxy: prove(&mut self.proxy)?,
        })
    }

    /// The fields that a proxy that is handed the request gets of its own.
    pub(crate) fn forwarded<'a>(&self, request: &'a Request) -> Option<&'a [(String, Vec<u8>)]> {
        let last = request.proxies.http.last().filter(|_| self.forwarded)?;
        Some(&last.fields)
    }

    /// Which authenticators they have, to tell them apart.
    #[cfg(test)]
    pub(crate) fn authenticators(&self) -> [Option<*const Mutex<Authenticator>>; 2] {
        [&self.server, &self.proxy]
            .map(|side| side.as_ref().map(|one| Arc::as_ptr(&one.authenticator)))
    }

    /// Looks at an answer; says whether the request is to be sent again.
    ///
    /// # Errors
    /// The answer comes from somebody who does not know the secret.
    pub(crate) fn heard(
        &mut self,
        head: &Head,
        moment: Moment,
        pool: &Pool,
    ) -> Result<bool, Error> {
        let parties = [
            (&mut self.server, Party::Origin),
            (&mut self.proxy, Party::Proxy),
        ];
        for (side, party) in parties {
            let Some(side) = side else { continue };
            if head.code == party.status() {
                if side.challenged(head, moment, pool) {
                    return Ok(true);
                }
            } else if !matches!(head.code, 401 | 407) {
                side.accepted(head, moment, pool)?;
            }
        }
        Ok(false)
    }
}

impl Side {
    fn prove(
        &mut self,
        subject: &Subject<'_>,
        moment: Moment,
        pool: &Pool,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.with(moment, pool, |authenticator, dialog, cx| {
            authenticator.authorize(dialog, subject, cx)
        })
        .map_err(|fault| fault.at("auth"))
    }

    /// `false`: the answer is delivered as it is, as there is nothing else to try.
    fn challenged(&mut self, head: &Head, moment: Moment, pool: &Pool) -> bool {
        self.with(moment, pool, |authenticator, dialog, cx| {
            matches!(
                authenticator.challenged(dialog, &head.fields, cx),
                Verdict::Retry
            )
        })
    }

    fn accepted(&mut self, head: &Head, moment: Moment, pool: &Pool) -> Result<(), Error> {
        self.with(moment, pool, |authenticator, dialog, cx| {
            authenticator.accepted(dialog, &head.fields, None, cx)
        })
        .map_err(|fault| fault.at("auth"))
    }

    fn with<R>(
        &mut self,
        moment: Moment,
        pool: &Pool,
        work: impl FnOnce(&mut Authenticator, &mut Dialog, &mut Cx<'_>) -> R,
    ) -> R {
        let mut copied = 0;
        let Moment { now, started, wall } = moment;
        let wall = wall + now.saturating_duration_since(started);
        let mut cx = Cx::new(now, wall, pool, &mut copied, None);
        work(&mut lock(&self.authenticator), &mut self.dialog, &mut cx)
    }
}

/// A panic elsewhere leaves nothing half done in it.
fn lock(shared: &Shared) -> MutexGuard<'_, Authenticator> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
