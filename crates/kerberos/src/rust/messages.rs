//! The messages (RFC 4120 section 5): what we ask, and what KDCs and services answer.

use sockless_core::{Fault, Reason};
use zeroize::Zeroizing;

use super::asn1::{
    Der, Fields, NAME_INSTANCE, NAME_PRINCIPAL, application, each, field, flags, integer, name,
    sequence, text, time, typed, whole, wrap, wrap_all,
};
use super::crypto::{Enctype, Key};
use super::random::Random;
use crate::ccache::Stored;
use crate::der::SEQUENCE;
use crate::{Principal, code};

/// What a key is used for (RFC 4120 section 7.5.1).
pub(super) mod usage {
    pub(crate) const TIMESTAMP: u32 = 1;
    pub(crate) const LOGIN_REPLY: u32 = 3;
    pub(crate) const BODY: u32 = 6;
    pub(crate) const TICKET_AUTHENTICATOR: u32 = 7;
    pub(crate) const TICKET_REPLY: u32 = 9;
    pub(crate) const AUTHENTICATOR: u32 = 11;
    pub(crate) const REPLY: u32 = 12;
    pub(crate) const CREDENTIALS: u32 = 14;
}

/// Options of requests, and flags of tickets (RFC 4120 sections 5.4.1 and 5.3, RFC 6806 section 11).
pub(super) const FORWARDABLE: u32 = 0x4000_0000;
pub(super) const FORWARDED: u32 = 0x2000_0000;
pub(super) const RENEWABLE_OK: u32 = 0x0000_0010;
pub(super) const CANONICALIZE: u32 = 0x0001_0000;
pub(super) const OK_AS_DELEGATE: u32 = 0x0004_0000;

/// What comes before or with a request (RFC 4120 section 5.2.7).
const PA_TICKET: u32 = 1;
const PA_TIMESTAMP: u32 = 2;
const PA_SALT: u32 = 3;
const PA_ENCTYPES: u32 = 19;

/// Elements of a list that are looked at: nobody sends as many.
const LIST: usize = 64;

/// A time, as messages have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Of the epoch.
    pub(super) seconds: u64,
    pub(super) micros: u32,
}

/// A request's body.
pub(super) struct Body<'a> {
    pub(super) options: u32,
    /// In a login.
    pub(super) client: Option<&'a Principal>,
    pub(super) server: &'a Principal,
    pub(super) server_kind: u8,
    /// Seconds of the epoch; 0: as long as the KDC grants.
    pub(super) until: u64,
    pub(super) nonce: u32,
    pub(super) enctypes: &'a [Enctype],
}

impl Body<'_> {
    pub(super) fn encode(&self) -> Der {
        let numbers = self.enctypes.iter();
        let numbers: Vec<Der> = numbers.map(|one| integer(one.number().into())).collect();
        let mut parts = vec![field(0, &flags(self.options))];
        let client = self.client.map(Principal::components);
        parts.extend(client.map(|client| field(1, &name(NAME_PRINCIPAL, client))));
        parts.extend([
            field(2, &text(self.server.realm())),
            field(3, &name(self.server_kind, self.server.components())),
            field(5, &time(self.until)),
            field(7, &integer(self.nonce)),
            field(8, &sequence(&numbers)),
        ]);
        sequence(&parts)
    }
}

/// AS-REQ; `proof`: a time, encrypted.
pub(super) fn login_request(body: &Der, proof: Option<&[u8]>) -> Der {
    let proof = proof.map(|sealed| typed(1, PA_TIMESTAMP, 2, sealed));
    request(10, proof, body)
}

/// TGS-REQ.
pub(super) fn ticket_request(body: &Der, by_ticket: &[u8]) -> Der {
    request(12, Some(typed(1, PA_TICKET, 2, by_ticket)), body)
}

fn request(kind: u8, proof: Option<Der>, body: &Der) -> Der {
    let mut parts = vec![field(1, &integer(5)), field(2, &integer(kind.into()))];
    parts.extend(proof.map(|one| field(3, &sequence(&[one]))));
    parts.push(field(4, body));
    wrap(application(kind), &sequence(&parts))
}

/// `PA-ENC-TIMESTAMP`: the time, encrypted with the user's key.
pub(super) fn timestamp(key: &Key, now: Stamp, random: &mut Random) -> Der {
    let plain = sequence(&[field(0, &time(now.seconds)), field(1, &integer(now.micros))]);
    encrypted(key, usage::TIMESTAMP, &plain, random)
}

/// `EncryptedData`.
pub(super) fn encrypted(key: &Key, usage: u32, plain: &[u8], random: &mut Random) -> Der {
    let sealed = key.seal(usage, plain, random);
    typed(0, key.enctype().number().into(), 2, &sealed)
}

/// What proves that we have a ticket's key.
pub(super) struct Authenticator<'a> {
    pub(super) client: &'a Principal,
    /// Its type, and what it is.
    pub(super) checksum: (u32, &'a [u8]),
    pub(super) now: Stamp,
    pub(super) subkey: &'a Key,
    pub(super) number: Option<u32>,
}

impl Authenticator<'_> {
    fn encode(&self) -> Der {
        let mut parts = vec![
            field(0, &integer(5)),
            field(1, &text(self.client.realm())),
            field(2, &name(NAME_PRINCIPAL, self.client.components())),
            field(3, &typed(0, self.checksum.0, 1, self.checksum.1)),
            field(4, &integer(self.now.micros)),
            field(5, &time(self.now.seconds)),
            field(6, &key(self.subkey)),
        ];
        parts.extend(self.number.map(|number| field(7, &integer(number))));
        wrap(application(2), &sequence(&parts))
    }
}

fn key(key: &Key) -> Der {
    typed(0, key.enctype().number().into(), 1, key.bytes())
}

/// AP-REQ; `mutual`: the peer has to prove in turn who it is.
pub(super) fn ticket_proof(
    ticket: &Stored,
    authenticator: &Authenticator<'_>,
    mutual: bool,
    random: &mut Random,
) -> Result<Der, Fault> {
    let usage = match mutual {
        true => usage::AUTHENTICATOR,
        false => usage::TICKET_AUTHENTICATOR,
    };
    let plain = authenticator.encode();
    let options = if mutual { 0x2000_0000 } else { 0 };
    let parts = [
        field(0, &integer(5)),
        field(1, &integer(14)),
        field(2, &flags(options)),
        field(3, &ticket.ticket),
        field(4, &encrypted(&session_key(ticket)?, usage, &plain, random)),
    ];
    Ok(wrap(application(14), &sequence(&parts)))
}

/// The key of a ticket.
pub(super) fn session_key(ticket: &Stored) -> Result<Key, Fault> {
    Key::new(ticket.enctype, &ticket.key).ok_or_else(|| {
        let what = format!(
            "the ticket {} has a key of type {}, which is not taken: AES alone is",
            ticket.server, ticket.enctype
        );
        code::fault(14, &what)
    })
}

/// KRB-CRED: a ticket of ours to hand on (RFC 4120 section 5.8).
pub(super) fn credentials(ticket: &Stored, by: &Key, now: Stamp, random: &mut Random) -> Der {
    let [issued, begins, ends, _] = ticket.times.map(u64::from);
    let own = typed(0, ticket.enctype.into(), 1, &ticket.key);
    let info = sequence(&[
        field(0, &own),
        field(1, &text(ticket.client.realm())),
        field(2, &name(NAME_PRINCIPAL, ticket.client.components())),
        field(3, &flags(ticket.flags)),
        field(4, &time(issued)),
        field(5, &time(begins)),
        field(6, &time(ends)),
        field(8, &text(ticket.server.realm())),
        field(9, &name(NAME_INSTANCE, ticket.server.components())),
    ]);
    let plain = wrap(
        application(29),
        &sequence(&[
            field(0, &sequence(&[info])),
            field(2, &time(now.seconds)),
            field(3, &integer(now.micros)),
        ]),
    );
    let ticket = Zeroizing::new(ticket.ticket.clone());
    let parts = [
        field(0, &integer(5)),
        field(1, &integer(22)),
        field(2, &wrap_all(SEQUENCE, &[ticket])),
        field(3, &encrypted(by, usage::CREDENTIALS, &plain, random)),
    ];
    wrap(application(22), &sequence(&parts))
}

/// What a KDC answers.
pub(super) enum Answer<'a> {
    Refused(Refusal<'a>),
    Granted(Grant<'a>),
}

/// KRB-ERROR. Nobody vouches for it.
pub(super) struct Refusal<'a> {
    pub(super) code: u32,
    /// The KDC's time.
    pub(super) time: Option<Stamp>,
    text: Option<&'a str>,
    data: Option<&'a [u8]>,
}

impl<'a> Refusal<'a> {
    pub(super) fn read(message: &'a [u8]) -> Option<Self> {
        let fields = numbered(message, 30)?;
        let micros = fields.integer(5).filter(|micros| *micros < 1_000_000);
        Some(Self {
            code: fields.integer(6)?,
            time: fields.time(4).map(|seconds| Stamp {
                seconds,
                micros: micros.unwrap_or(0),
            }),
            text: fields.text(11),
            data: fields.octets(12),
        })
    }

    pub(super) fn fault(&self, doing: &str) -> Fault {
        let said: String = self.text.unwrap_or_default().chars().take(128).collect();
        match said.is_empty() {
            true => code::fault(self.code, &format!("{doing} is refused")),
            false => code::fault(self.code, &format!("{doing} is refused: {said:?}")),
        }
    }

    /// How the user is to make keys from a password.
    pub(super) fn hints(&self) -> Vec<Hint> {
        hints(self.data.unwrap_or_default())
    }
}

/// A type, and how a password becomes a key of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) enctype: Enctype,
    pub(super) salt: Option<Vec<u8>>,
    pub(super) parameters: Option<Vec<u8>>,
}

/// Of METHOD-DATA: the KDC's types that we have, in its order (RFC 4120 section 5.2.7.5).
fn hints(data: &[u8]) -> Vec<Hint> {
    let find = |wanted: u32| {
        let list = whole(data, SEQUENCE)?;
        let mut all = each(list, SEQUENCE).take(LIST).map(Fields::inside);
        all.find(|one| one.integer(1) == Some(wanted))?.octets(2)
    };
    let list = find(PA_ENCTYPES).and_then(|data| whole(data, SEQUENCE));
    let Some(list) = list else {
        let hint = |salt: &[u8]| Hint {
            enctype: Enctype::ALL[0],
            salt: Some(salt.to_vec()),
            parameters: None,
        };
        return find(PA_SALT).map(hint).into_iter().collect();
    };
    let entries = each(list, SEQUENCE).take(LIST);
    let entries = entries.map(Fields::inside).filter_map(|entry| {
        Some(Hint {
            enctype: Enctype::of(u16::try_from(entry.integer(0)?).ok()?)?,
            salt: entry.string(1).map(<[u8]>::to_vec),
            parameters: entry.octets(2).map(<[u8]>::to_vec),
        })
    });
    entries.collect()
}

/// AS-REP or TGS-REP: a ticket, and its key in what is encrypted for us.
pub(super) struct Grant<'a> {
    fields: Fields<'a>,
    login: bool,
}

impl<'a> Answer<'a> {
    pub(super) fn read(message: &'a [u8]) -> Result<Self, Fault> {
        if let Some(refusal) = Refusal::read(message) {
            return Ok(Self::Refused(refusal));
        }
        for (n, login) in [(11, true), (13, false)] {
            if let Some(fields) = numbered(message, n) {
                return Ok(Self::Granted(Grant { fields, login }));
            }
        }
        Err(malformed())
    }
}

impl Grant<'_> {
    /// How the user's key is made, where a login needed no proof.
    pub(super) fn hints(&self) -> Vec<Hint> {
        self.fields.field(2).map(hints).unwrap_or_default()
    }

    /// Type and version of the key that it is encrypted with.
    pub(super) fn key(&self) -> Result<(u16, Option<u32>), Fault> {
        let sealed = self.fields.encrypted(6).ok_or_else(malformed)?;
        Ok((sealed.0, sealed.1))
    }

    /// Opens it, and compares it with what was asked for: `client` and `nonce`, and for a login the server.
    pub(super) fn open(
        &self,
        key: &Key,
        client: &Principal,
        server: Option<&Principal>,
        nonce: u32,
    ) -> Result<Stored, Fault> {
        let (enctype, _, sealed) = self.fields.encrypted(6).ok_or_else(malformed)?;
        let usage = match self.login {
            true => usage::LOGIN_REPLY,
            false => usage::TICKET_REPLY,
        };
        let plain = match enctype == key.enctype().number() {
            true => key.open(usage, sealed),
            false => None,
        };
        let what = "the KDC's answer does not open with our key";
        let plain = plain.ok_or_else(|| code::fault(31, what))?;
        // Some KDCs call the one of a login by the other's number.
        let mut inner = [25, 26].into_iter();
        let inner = inner.find_map(|n| Fields::of_message(&plain, n));
        let inner = inner.ok_or_else(malformed)?;
        let asked =
            self.fields.principal(3, 4).as_ref() == Some(client) && inner.integer(2) == Some(nonce);
        let stored = self.stored(inner, client).ok_or_else(malformed)?;
        session_key(&stored)?;
        if !asked || server.is_some_and(|server| *server != stored.server) {
            return Err(code::fault(41, "the KDC's answer is to another question"));
        }
        Ok(stored)
    }

    fn stored(&self, inner: Fields<'_>, client: &Principal) -> Option<Stored> {
        let ticket = self.fields.field(5)?;
        let outside = Fields::of_message(ticket, 1)?.principal(1, 2)?;
        let server = inner.principal(9, 10)?;
        let (enctype, key) = inner.key(0)?;
        // Nobody vouches for the one outside.
        if outside != server {
            return None;
        }
        let short = |time: u64| u32::try_from(time).unwrap_or(u32::MAX);
        let issued = inner.time(5)?;
        let begins = inner.time(6).unwrap_or(issued);
        let ends = inner.time(7)?;
        (ends > begins).then(|| Stored {
            client: client.clone(),
            server,
            enctype,
            key: Zeroizing::new(key.to_vec()),
            times: [issued, begins, ends, inner.time(8).unwrap_or(0)].map(short),
            flags: inner.flags(4).unwrap_or(0),
            ticket: ticket.to_vec(),
        })
    }
}

/// AP-REP: the service's proof.
pub(super) struct Proof {
    pub(super) now: Stamp,
    pub(super) subkey: Option<Key>,
    pub(super) number: u32,
}

impl Proof {
    pub(super) fn open(message: &[u8], key: &Key) -> Result<Self, Fault> {
        let sealed = numbered(message, 15).and_then(|fields| fields.encrypted(2));
        let (enctype, _, sealed) = sealed.ok_or_else(malformed)?;
        let plain = match enctype == key.enctype().number() {
            true => key.open(usage::REPLY, sealed),
            false => None,
        };
        let what = "the peer's proof does not open with the ticket's key";
        let plain = plain.ok_or_else(|| code::fault(41, what))?;
        let read = || {
            let fields = Fields::of_message(&plain, 27)?;
            let subkey = match fields.field(2) {
                Some(_) => {
                    let (enctype, bytes) = fields.key(2)?;
                    Some(Key::new(enctype, bytes)?)
                }
                None => None,
            };
            Some(Self {
                now: Stamp {
                    seconds: fields.time(0)?,
                    micros: fields.integer(1)?,
                },
                subkey,
                number: match fields.field(3) {
                    Some(_) => fields.integer(3)?,
                    None => 0,
                },
            })
        };
        read().ok_or_else(malformed)
    }
}

/// The fields of a message of that number, which says so inside as well.
fn numbered(message: &[u8], n: u8) -> Option<Fields<'_>> {
    let fields = Fields::of_message(message, n)?;
    let both = (fields.integer(0), fields.integer(1));
    (both == (Some(5), Some(n.into()))).then_some(fields)
}

fn malformed() -> Fault {
    Fault::misbehaved(
        Reason::Malformed,
        "this is no answer of Kerberos' that we know",
    )
    .remedy("check that it is a KDC, and that its port is right")
}
