//! Challenges and their answers: who we are to each server and proxy of a session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use sockless_core::{Cx, Error, Fault, Head, Note, Pool, SecurityProvider};
use sockless_http::{Authenticator, Dialog, Party, Prover, Subject, Verdict};
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
    dialog: Arc<Mutex<Dialog>>,
    /// Its proof is made for a connection, when that is known.
    late: bool,
}

/// The time of a call.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    now: Instant,
    started: Instant,
    /// The wall clock at `started`.
    wall: SystemTime,
}

impl Moment {
    /// The wall clock.
    pub(crate) fn wall(self) -> SystemTime {
        self.wall + self.now.saturating_duration_since(self.started)
    }
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
        Ok(Side {
            authenticator,
            dialog: Arc::default(),
            late: auth.may_negotiate(),
        })
    }
}

impl Sides {
    /// What the request is sent with.
    ///
    /// # Errors
    /// The only scheme left cannot be used.
    pub(crate) fn proofs(
        &self,
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
        let prove = |side: &Option<Side>| match side {
            Some(side) if !side.late => side.prove(&subject, moment, pool),
            _ => Ok(None),
        };
        Ok(Proofs {
            server: prove(&self.server)?,
            proxy: prove(&self.proxy)?,
            late: self.late(request),
        })
    }

    /// What proves who we are on a connection, where that depends on the connection.
    fn late(&self, request: &Request) -> Option<Box<dyn Prover>> {
        let has = |name: &str, fields: &[(String, Vec<u8>)]| {
            let mut names = fields.iter().map(|(have, _)| have);
            names.any(|have| have.eq_ignore_ascii_case(name))
        };
        let own = [
            has("authorization", &request.fields),
            has(
                "proxy-authorization",
                self.forwarded(request).unwrap_or_default(),
            ),
        ];
        let sides = [&self.server, &self.proxy].into_iter().zip(own);
        let sides = sides.filter_map(|(side, own)| {
            let side = side.as_ref().filter(|side| side.late && !own)?;
            Some((Arc::clone(&side.authenticator), Arc::clone(&side.dialog)))
        });
        let sides: Vec<_> = sides.collect();
        (!sides.is_empty()).then(|| {
            Box::new(Late {
                sides,
                forwarded: self.forwarded,
                method: request.method.clone(),
                target: plan::target(&request.url, self.forwarded).to_owned(),
                body: match &request.body {
                    Body::Empty => Some([].into()),
                    Body::Bytes(bytes) => Some(Arc::clone(bytes)),
                    _ => None,
                },
            }) as Box<dyn Prover>
        })
    }

    /// The contexts that the next request begins: provider, service and host.
    pub(crate) fn contexts(&self) -> Vec<Wanted> {
        let sides = [&self.server, &self.proxy].into_iter().flatten();
        let sides = sides.filter(|side| side.late);
        let wanted = sides.filter_map(|side| {
            let authenticator = lock(&side.authenticator);
            let (provider, service, host) = authenticator.begins(&lock(&side.dialog))?;
            Some(Wanted::new(provider, service, host))
        });
        wanted.collect()
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
        &self,
        head: &Head,
        moment: Moment,
        pool: &Pool,
        notes: &mut Vec<Note>,
    ) -> Result<bool, Error> {
        let parties = [(&self.server, Party::Origin), (&self.proxy, Party::Proxy)];
        for (side, party) in parties {
            let Some(side) = side else { continue };
            if head.code == party.status() {
                if side.challenged(head, moment, pool, notes) {
                    return Ok(true);
                }
            } else if !matches!(head.code, 401 | 407) {
                side.accepted(head, moment, pool, notes)?;
            }
        }
        Ok(false)
    }
}

impl Side {
    fn prove(
        &self,
        subject: &Subject<'_>,
        moment: Moment,
        pool: &Pool,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.with(
            moment,
            pool,
            &mut Vec::new(),
            |authenticator, dialog, cx| authenticator.authorize(dialog, subject, cx),
        )
        .map_err(|fault| fault.at("auth"))
    }

    /// `false`: the answer is delivered as it is, as there is nothing else to try.
    fn challenged(&self, head: &Head, moment: Moment, pool: &Pool, notes: &mut Vec<Note>) -> bool {
        self.with(
            moment,
            pool,
            notes,
            |authenticator, dialog, cx| match authenticator.challenged(dialog, &head.fields, cx) {
                Verdict::Retry => true,
                Verdict::GiveUp(why) => {
                    cx.note("auth", || why.what);
                    false
                }
            },
        )
    }

    fn accepted(
        &self,
        head: &Head,
        moment: Moment,
        pool: &Pool,
        notes: &mut Vec<Note>,
    ) -> Result<(), Error> {
        self.with(moment, pool, notes, |authenticator, dialog, cx| {
            authenticator.accepted(dialog, &head.fields, None, cx)
        })
        .map_err(|fault| fault.at("auth"))
    }

    fn with<R>(
        &self,
        moment: Moment,
        pool: &Pool,
        notes: &mut Vec<Note>,
        work: impl FnOnce(&mut Authenticator, &mut Dialog, &mut Cx<'_>) -> R,
    ) -> R {
        let mut copied = 0;
        let mut cx = Cx::new(moment.now, moment.wall(), pool, &mut copied, Some(notes));
        work(
            &mut lock(&self.authenticator),
            &mut lock(&self.dialog),
            &mut cx,
        )
    }
}

/// A context that will be made, towards a service on a host.
pub(crate) struct Wanted {
    pub(crate) provider: Arc<dyn SecurityProvider>,
    pub(crate) service: String,
    pub(crate) host: String,
}

impl Wanted {
    pub(crate) fn new(provider: &Arc<dyn SecurityProvider>, service: &str, host: &str) -> Self {
        Self {
            provider: Arc::clone(provider),
            service: service.to_owned(),
            host: host.to_owned(),
        }
    }
}

/// Proofs that are made for a connection.
struct Late {
    sides: Vec<(Shared, Arc<Mutex<Dialog>>)>,
    forwarded: bool,
    method: String,
    target: String,
    body: Option<Arc<[u8]>>,
}

impl Prover for Late {
    fn prove(
        &mut self,
        channel: Option<Vec<u8>>,
        cx: &mut Cx<'_>,
    ) -> Result<sockless_http::Proofs, Fault> {
        let subject = Subject {
            method: &self.method,
            target: &self.target,
            body: self.body.as_deref(),
        };
        let mut fields = Vec::new();
        for (authenticator, dialog) in &self.sides {
            let (mut authenticator, mut dialog) = (lock(authenticator), lock(dialog));
            // The channel's other end is the proxy that is handed the request, or the server.
            let is_its_end = (authenticator.party() == Party::Proxy) == self.forwarded;
            let channel = channel.clone().filter(|_| is_its_end);
            dialog.bind(channel);
            if let Some(value) = authenticator.authorize(&mut dialog, &subject, cx)? {
                fields.push((authenticator.party().request_field(), value));
            }
        }
        Ok(fields)
    }
}

/// A panic elsewhere leaves nothing half done in it.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
