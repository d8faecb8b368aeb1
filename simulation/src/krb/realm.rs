//! A realm (RFC 4120): whom it knows, and what it answers when it is honest.

use core::num::NonZeroU32;
use std::collections::BTreeMap;

use fastrand::Rng;

use super::clock::Wall;
use super::der;
use super::keys::{Etype, Key};

/// Error codes.
pub(super) const UNKNOWN_CLIENT: i64 = 6;
pub(super) const UNKNOWN_SERVICE: i64 = 7;
const NO_ETYPE: i64 = 14;
const PREAUTH_FAILED: i64 = 24;
const PREAUTH_REQUIRED: i64 = 25;
pub(super) const UNAVAILABLE: i64 = 29;
pub(super) const BAD_INTEGRITY: i64 = 31;
pub(super) const EXPIRED: i64 = 32;
pub(super) const SKEW: i64 = 37;
pub(super) const TOO_BIG: i64 = 52;
const GENERIC: i64 = 60;

/// How far clocks may be apart, in seconds.
pub(super) const TOLERANCE: u64 = 300;

/// Flags of tickets: initial, with pre-authentication.
const INITIAL: u32 = 1 << (31 - 9);
const PREAUTH: u32 = 1 << (31 - 10);
/// The option that lets a KDC answer with another name than was asked for.
const CANONICALIZE: u32 = 1 << (31 - 15);

const AS_REQ: u8 = 10;
const AS_REP: u8 = 11;
const TGS_REQ: u8 = 12;
const TGS_REP: u8 = 13;

/// What all KDCs of a realm have.
pub struct Realm {
    name: String,
    rng: Rng,
    users: BTreeMap<String, User>,
    /// Keys by name; those of other realms as `krbtgt/OTHER`.
    services: BTreeMap<String, Key>,
    /// `krbtgt` keys that other realms issue tickets to this one with, by their names.
    trusted: BTreeMap<String, Key>,
    /// The realms of hosts that are not here.
    elsewhere: BTreeMap<String, String>,
    /// Of tickets, in seconds.
    lifetime: u64,
}

struct User {
    key: Key,
    salt: String,
    rounds: NonZeroU32,
}

/// A question to a KDC, as far as it can be read.
pub(super) struct Request {
    login: bool,
    padata: Vec<(i64, Vec<u8>)>,
    /// With its tag, as the checksum has it.
    body: Vec<u8>,
    options: u32,
    client: Option<String>,
    pub(super) service: String,
    /// With its tag, as tickets repeat it.
    service_name: Vec<u8>,
    realm: String,
    pub(super) nonce: i64,
    etypes: Vec<Etype>,
}

/// A ticket's inside.
struct Inside {
    session: Key,
    realm: String,
    client: String,
    authenticated: u64,
    ends: u64,
    flags: u32,
}

/// A refusal: its code, and what is said besides.
pub(super) type Refusal = (i64, Option<Vec<u8>>);

impl Request {
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let (tag, request, []) = der::element(message)? else {
            return None;
        };
        let login = tag == der::application(AS_REQ);
        (login || tag == der::application(TGS_REQ)).then_some(())?;
        let body = der::field(request, 4)?;
        let padata = match der::field(request, 3) {
            Some(list) => der::elements(list)?,
            None => Vec::new(),
        };
        let padata = padata.into_iter().map(|one| {
            let value = der::within(der::field(one, 2)?, der::OCTETS)?;
            Some((der::read_integer(der::field(one, 1)?)?, value.to_vec()))
        });
        let etypes = der::elements(der::field(body, 8)?)?.into_iter();
        Some(Self {
            login,
            padata: padata.collect::<Option<_>>()?,
            body: body.to_vec(),
            options: der::read_flags(der::field(body, 0)?)?,
            client: der::field(body, 1).and_then(der::read_name),
            service: der::read_name(der::field(body, 3)?)?,
            service_name: der::field(body, 3)?.to_vec(),
            realm: der::read_text(der::field(body, 2)?)?,
            nonce: der::read_integer(der::field(body, 7)?)?,
            etypes: etypes
                .filter_map(|one| Etype::of(der::read_integer(one)?))
                .collect(),
        })
    }

    /// Whether it asks to be let in, and proves who it is.
    pub(super) fn is_login(&self) -> bool {
        self.login && self.padata(2).is_some()
    }

    /// Whether it asks for a ticket.
    pub(super) fn is_for_ticket(&self) -> bool {
        !self.login
    }

    fn padata(&self, kind: i64) -> Option<&[u8]> {
        let mut all = self.padata.iter();
        all.find(|(have, _)| *have == kind)
            .map(|(_, value)| &value[..])
    }
}

impl Realm {
    /// Without users and services.
    pub fn new(name: &str, mut rng: Rng, lifetime: u64) -> Self {
        let key = Key::random(Etype::Aes256Sha1, &mut rng);
        Self {
            name: name.to_owned(),
            rng,
            users: BTreeMap::new(),
            services: BTreeMap::from([(format!("krbtgt/{name}"), key.clone())]),
            trusted: BTreeMap::from([(name.to_owned(), key)]),
            elsewhere: BTreeMap::new(),
            lifetime,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A user, with a password or a key of its own; gives the key.
    pub fn user(&mut self, name: &str, password: Option<&str>, etype: Etype) -> Key {
        let salt = format!("{}{name}", self.name);
        let rounds = etype.rounds();
        let key = match password {
            Some(password) => Key::of_password(etype, password, &salt, rounds),
            None => Key::random(etype, &mut self.rng),
        };
        let user = User {
            key: key.clone(),
            salt,
            rounds,
        };
        self.users.insert(name.to_owned(), user);
        key
    }

    /// A service; gives its key.
    pub fn service(&mut self, name: &str, etype: Etype) -> Key {
        let key = Key::random(etype, &mut self.rng);
        self.services.insert(name.to_owned(), key.clone());
        key
    }

    /// Another realm takes its tickets, and this host is there.
    pub fn trusted_by(&mut self, other: &mut Self, host: &str) {
        let key = Key::random(Etype::Aes256Sha2, &mut self.rng);
        self.services
            .insert(format!("krbtgt/{}", other.name), key.clone());
        other.trusted.insert(self.name.clone(), key);
        self.elsewhere.insert(host.to_owned(), other.name.clone());
    }

    /// The honest answer.
    pub(super) fn answer(&mut self, request: &Request, wall: Wall) -> Vec<u8> {
        let answer = match request.login {
            _ if request.realm != self.name => Err((68, None)),
            true => self.log_in(request, wall),
            false => self.grant(request, wall),
        };
        answer.unwrap_or_else(|refusal| self.refuse(request, refusal, wall))
    }

    /// Whether an answer has a ticket in it, and is no error.
    pub(super) fn has_granted(answer: &[u8]) -> bool {
        let kinds = [AS_REP, TGS_REP].map(der::application);
        answer.first().is_some_and(|tag| kinds.contains(tag))
    }

    /// KRB-ERROR.
    pub(super) fn refuse(&self, request: &Request, (code, data): Refusal, wall: Wall) -> Vec<u8> {
        let mut fields = error(code, wall);
        fields.push((9, der::text(&self.name)));
        fields.push((10, request.service_name.clone()));
        fields.extend(data.map(|data| (12, der::octets(&data))));
        der::wrap(der::application(30), &der::fields(&fields))
    }

    /// A demand for four billion rounds of hashing.
    pub(super) fn grinding(&self, request: &Request, wall: Wall) -> Vec<u8> {
        let client = request.client.as_deref().unwrap_or_default();
        let methods = self.users.get(client).map(|user| {
            let user = User {
                key: user.key.clone(),
                salt: user.salt.clone(),
                rounds: NonZeroU32::MAX,
            };
            der::sequence(&[padata(19, &salted(&user)), padata(2, &[])])
        });
        self.refuse(request, (PREAUTH_REQUIRED, methods), wall)
    }

    /// The AS exchange (RFC 4120 section 3.1).
    fn log_in(&mut self, request: &Request, wall: Wall) -> Result<Vec<u8>, Refusal> {
        let client = request.client.clone().ok_or((UNKNOWN_CLIENT, None))?;
        let user = self.users.get(&client).ok_or((UNKNOWN_CLIENT, None))?;
        let key = user.key.clone();
        if !request.etypes.contains(&key.etype) {
            return Err((NO_ETYPE, None));
        }
        let salted = salted(user);
        let Some(stamp) = request.padata(2) else {
            let methods = der::sequence(&[padata(19, &salted), padata(2, &[])]);
            return Err((PREAUTH_REQUIRED, Some(methods)));
        };
        let stamp = key.open(1, stamp).ok_or((PREAUTH_FAILED, None))?;
        let stamp = der::field(&stamp, 0).and_then(der::read_time);
        let stamp = stamp.ok_or((PREAUTH_FAILED, None))?;
        if stamp.abs_diff(wall.seconds()) > TOLERANCE {
            return Err((SKEW, None));
        }
        let inside = Inside {
            session: self.session(request)?,
            realm: self.name.clone(),
            client,
            authenticated: wall.seconds(),
            ends: wall.seconds() + self.lifetime,
            flags: INITIAL | PREAUTH,
        };
        self.issue(request, &inside, (&key, 3), Some(padata(19, &salted)), wall)
    }

    /// The TGS exchange (RFC 4120 section 3.3).
    fn grant(&mut self, request: &Request, wall: Wall) -> Result<Vec<u8>, Refusal> {
        let bad = (BAD_INTEGRITY, None);
        let shown = request.padata(1).ok_or((GENERIC, None))?;
        let shown = der::within(shown, der::application(14)).ok_or((GENERIC, None))?;
        let ticket = der::field(shown, 3).ok_or((GENERIC, None))?;
        let issuer = der::within(ticket, der::application(1))
            .and_then(|ticket| der::field(ticket, 1))
            .and_then(der::read_text);
        let key = issuer.and_then(|issuer| self.trusted.get(&issuer));
        let inside = key
            .and_then(|key| Inside::open(key, ticket))
            .ok_or(bad.clone())?;
        if inside.ends < wall.seconds() {
            return Err((EXPIRED, None));
        }
        let sealed = der::field(shown, 4).ok_or(bad.clone())?;
        let proof = Authenticator::open(&inside.session, 7, sealed).ok_or(bad.clone())?;
        let (kind, sum) = proof.checksum.ok_or((50, None))?;
        let right = inside.session.sign(6, &request.body);
        if (kind, &sum) != (inside.session.etype.checksum(), &right) {
            return Err((41, None));
        }
        if proof.seconds.abs_diff(wall.seconds()) > TOLERANCE {
            return Err((SKEW, None));
        }
        let (key, usage) = match &proof.subkey {
            Some(subkey) => (subkey.clone(), 9),
            None => (inside.session.clone(), 8),
        };
        let inside = Inside {
            session: self.session(request)?,
            ends: inside.ends.min(wall.seconds() + self.lifetime),
            flags: PREAUTH,
            ..inside
        };
        self.issue(request, &inside, (&key, usage), None, wall)
    }

    /// The name of the ticket that is given: the service's, or that of a realm that knows more.
    fn led_to(&self, request: &Request) -> Option<String> {
        if self.services.contains_key(&request.service) {
            return Some(request.service.clone());
        }
        let host = request.service.split_once('/')?.1;
        let other = self.elsewhere.get(host)?;
        (request.options & CANONICALIZE != 0).then(|| format!("krbtgt/{other}"))
    }

    /// A new session key, of a type that both have: its first choice.
    fn session(&mut self, request: &Request) -> Result<Key, Refusal> {
        let etype = request.etypes.first().ok_or((NO_ETYPE, None))?;
        Ok(Key::random(*etype, &mut self.rng))
    }

    /// The ticket and what its owner has to know, AS-REP or TGS-REP.
    fn issue(
        &mut self,
        request: &Request,
        inside: &Inside,
        (key, usage): (&Key, u32),
        data: Option<Vec<u8>>,
        wall: Wall,
    ) -> Result<Vec<u8>, Refusal> {
        let service = match request.login {
            true => request.service.clone(),
            false => self.led_to(request).ok_or((UNKNOWN_SERVICE, None))?,
        };
        let name = match service == request.service {
            true => request.service_name.clone(),
            false => der::name(2, &service.split('/').collect::<Vec<_>>()),
        };
        let secret = self.services.get(&service).ok_or((UNKNOWN_SERVICE, None))?;
        let ticket = inside.seal(&self.name, &name, secret, &mut self.rng);
        let last = der::fields(&[(0, der::integer(0)), (1, der::time(wall.seconds()))]);
        let told = der::fields(&[
            (0, inside.session.encode()),
            (1, der::sequence(&[last])),
            (2, der::integer(request.nonce)),
            (4, der::flags(inside.flags)),
            (5, der::time(inside.authenticated)),
            (6, der::time(wall.seconds())),
            (7, der::time(inside.ends)),
            (9, der::text(&self.name)),
            (10, name),
        ]);
        let (inner, outer) = if request.login {
            (25, AS_REP)
        } else {
            (26, TGS_REP)
        };
        let told = der::wrap(der::application(inner), &told);
        let mut answer = vec![(0, der::integer(5)), (1, der::integer(outer.into()))];
        answer.extend(data.map(|data| (2, der::sequence(&[data]))));
        answer.extend([
            (3, der::text(&inside.realm)),
            (4, der::name(1, &[&inside.client])),
            (5, ticket),
            (6, key.seal(usage, &told, &mut self.rng)),
        ]);
        Ok(der::wrap(der::application(outer), &der::fields(&answer)))
    }
}

impl Inside {
    fn seal(&self, realm: &str, service: &[u8], key: &Key, rng: &mut Rng) -> Vec<u8> {
        let transited = der::fields(&[(0, der::integer(1)), (1, der::octets(&[]))]);
        let inside = der::fields(&[
            (0, der::flags(self.flags)),
            (1, self.session.encode()),
            (2, der::text(&self.realm)),
            (3, der::name(1, &[&self.client])),
            (4, transited),
            (5, der::time(self.authenticated)),
            (7, der::time(self.ends)),
        ]);
        let inside = der::wrap(der::application(3), &inside);
        let ticket = der::fields(&[
            (0, der::integer(5)),
            (1, der::text(realm)),
            (2, service.to_vec()),
            (3, key.seal(2, &inside, rng)),
        ]);
        der::wrap(der::application(1), &ticket)
    }

    fn open(key: &Key, ticket: &[u8]) -> Option<Self> {
        let ticket = der::within(ticket, der::application(1))?;
        let inside = key.open(2, der::field(ticket, 3)?)?;
        let inside = der::within(&inside, der::application(3))?;
        Some(Self {
            session: Key::decode(der::field(inside, 1)?)?,
            realm: der::read_text(der::field(inside, 2)?)?,
            client: der::read_name(der::field(inside, 3)?)?,
            authenticated: der::read_time(der::field(inside, 5)?)?,
            ends: der::read_time(der::field(inside, 7)?)?,
            flags: der::read_flags(der::field(inside, 0)?)?,
        })
    }
}

/// What somebody shows with a ticket (RFC 4120 section 5.5.1).
pub(super) struct Authenticator {
    pub(super) checksum: Option<(i64, Vec<u8>)>,
    pub(super) subkey: Option<Key>,
    pub(super) sequence: Option<i64>,
    pub(super) seconds: u64,
    pub(super) micros: i64,
}

impl Authenticator {
    pub(super) fn open(session: &Key, usage: u32, sealed: &[u8]) -> Option<Self> {
        let open = session.open(usage, sealed)?;
        let open = der::within(&open, der::application(2))?;
        let checksum = der::field(open, 3).and_then(|one| {
            let sum = der::within(der::field(one, 1)?, der::OCTETS)?;
            Some((der::read_integer(der::field(one, 0)?)?, sum.to_vec()))
        });
        Some(Self {
            checksum,
            subkey: der::field(open, 6).and_then(Key::decode),
            sequence: der::field(open, 7).and_then(der::read_integer),
            seconds: der::read_time(der::field(open, 5)?)?,
            micros: der::read_integer(der::field(open, 4)?)?,
        })
    }
}

/// What a service takes out of a ticket that is for it: the session's key, and until when.
pub(super) fn opened(key: &Key, ticket: &[u8]) -> Option<(Key, u64)> {
    let inside = Inside::open(key, ticket)?;
    Some((inside.session, inside.ends))
}

/// The fields of KRB-ERROR that all have.
pub(super) fn error(code: i64, wall: Wall) -> Vec<(u8, Vec<u8>)> {
    vec![
        (0, der::integer(5)),
        (1, der::integer(30)),
        (4, der::time(wall.seconds())),
        (5, der::integer(wall.micros())),
        (6, der::integer(code)),
    ]
}

fn padata(kind: i64, value: &[u8]) -> Vec<u8> {
    der::fields(&[(1, der::integer(kind)), (2, der::octets(value))])
}

/// ETYPE-INFO2: how the password becomes the key.
fn salted(user: &User) -> Vec<u8> {
    der::sequence(&[der::fields(&[
        (0, der::integer(user.key.etype.number())),
        (1, der::text(&user.salt)),
        (2, der::octets(&user.rounds.get().to_be_bytes())),
    ])])
}
