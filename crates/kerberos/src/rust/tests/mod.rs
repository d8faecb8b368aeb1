//! A realm in memory, which reads what we write: its KDC, and a service in it. Whether others read it as well is
//! for the tests against real servers.

mod contexts;
mod kdcs;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sockless_core::{Errand, Fault, Inquiry, Need, SecurityProvider};
use zeroize::Zeroizing;

use super::asn1::{
    Der, Fields, NAME_HOST, NAME_INSTANCE, application, field, flags, integer, name, octets,
    sequence, text, time, typed, whole, wrap, wrap_all,
};
use super::context::KRB5;
use super::crypto::{Enctype, Key};
use super::messages::usage;
use super::random::Random;
use super::tokens::Messages;
use crate::der::{SEQUENCE, element};
use crate::provider::{Backend, Config, Delegation, Kerberos};
use crate::{Credentials, Realms};

const HOME: &str = "HOME.TEST";
const PASSWORD: &str = "open sesame";
/// When all of this happens.
const NOW: u64 = 1_800_000_000;

fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

fn random(seed: u8) -> Random {
    Random::new(Zeroizing::new([seed; 32]))
}

/// Both sides' knowledge; `alice` is its user.
struct World {
    enctype: Enctype,
    user: Option<Key>,
    password: bool,
    /// The KDCs' clock.
    now: u64,
    /// Of a password to a key.
    rounds: u32,
    /// Answers with this code, so many times, before anything else.
    refusals: Vec<u32>,
    /// Services that are in another realm, as their realm's KDC says.
    leads: BTreeMap<(String, String), String>,
    /// What tickets are said to be for, instead of what was asked.
    instead: Option<[&'static str; 2]>,
    flags: u32,
    /// Whose tickets do without those.
    plain: Vec<&'static str>,
    /// Has another hint in the answer to a login.
    late: bool,
    /// What the clocks of other realms than ours are ahead by.
    ahead: u64,
    tickets: BTreeMap<Vec<u8>, Key>,
    asked: Vec<String>,
    random: Random,
}

impl World {
    fn new(enctype: Enctype) -> Self {
        Self {
            enctype,
            user: None,
            password: false,
            now: NOW,
            rounds: if enctype.number() < 19 { 4096 } else { 32768 },
            refusals: Vec::new(),
            leads: BTreeMap::new(),
            instead: None,
            flags: 0,
            plain: Vec::new(),
            late: false,
            ahead: 0,
            tickets: BTreeMap::new(),
            asked: Vec::new(),
            random: random(9),
        }
    }

    /// By a keytab, or by the password.
    fn user_key(&mut self) -> Key {
        let (kind, password, rounds) = (self.enctype, self.password, self.rounds.to_be_bytes());
        let made = || Key::of_password(kind, PASSWORD, b"salt", Some(&rounds));
        let key = self.user.get_or_insert_with(|| match password {
            true => made().expect("good rounds"),
            false => key_of(kind),
        });
        key.clone()
    }

    /// What the KDCs say to that.
    fn answer(&mut self, inquiry: &Inquiry) -> Vec<u8> {
        let ahead = if *inquiry.realm == *HOME {
            0
        } else {
            self.ahead
        };
        self.now += ahead;
        let answer = self.answered(inquiry);
        self.now -= ahead;
        answer
    }

    fn answered(&mut self, inquiry: &Inquiry) -> Vec<u8> {
        if let Some(code) = self.refusals.pop() {
            return self.refuse(code, &[]);
        }
        let (tag, _, _) = element(&inquiry.message).expect("a message");
        let number = tag - application(0);
        let request = Fields::of_message(&inquiry.message, number).expect("fields");
        let body = request.fields(4).expect("a body");
        assert_eq!(
            body.text(2),
            Some(&*inquiry.realm),
            "it is asked in its realm"
        );
        let server = body.principal(2, 3).expect("a server");
        self.asked.push(server.to_string());
        let proof = request.each(3, SEQUENCE).and_then(|mut all| all.next());
        let proof = proof.and_then(|one| Fields::inside(one).octets(2));
        match number {
            10 => self.log_in(body, proof),
            _ => self.grant(
                body,
                proof.expect("a ticket"),
                request.field(4).expect("a body"),
            ),
        }
    }

    fn log_in(&mut self, body: Fields<'_>, proof: Option<&[u8]>) -> Vec<u8> {
        let Some(proof) = proof else {
            return self.refuse(25, &hints(self.enctype, "salt", self.rounds));
        };
        let sealed = Fields::of(proof)
            .and_then(|one| one.octets(2))
            .expect("sealed");
        let Some(plain) = self.user_key().open(usage::TIMESTAMP, sealed) else {
            return self.refuse(24, &[]);
        };
        let told = Fields::of(&plain)
            .and_then(|one| one.time(0))
            .expect("a time");
        if told.abs_diff(self.now) > 300 {
            return self.refuse(37, &[]);
        }
        let key = self.user_key();
        self.give(11, usage::LOGIN_REPLY, &key, body, "krbtgt", HOME)
    }

    fn grant(&mut self, body: Fields<'_>, proof: &[u8], signed: &[u8]) -> Vec<u8> {
        let proof = Fields::of_message(proof, 14).expect("AP-REQ");
        let ticket = proof.field(3).expect("a ticket");
        let Some(key) = self.tickets.get(ticket).cloned() else {
            return self.refuse(41, &[]);
        };
        let (_, _, sealed) = proof.encrypted(4).expect("an authenticator");
        let plain = key
            .open(usage::TICKET_AUTHENTICATOR, sealed)
            .expect("by its key");
        let plain = Fields::of_message(&plain, 2).expect("an authenticator");
        let checksum = plain
            .fields(3)
            .and_then(|one| one.octets(1))
            .expect("a checksum");
        assert!(key.signer(usage::BODY).is_good(&[signed], checksum));
        if plain.time(5).expect("a time").abs_diff(self.now) > 300 {
            return self.refuse(37, &[]);
        }
        let (kind, subkey) = plain.key(6).expect("a key");
        let subkey = Key::new(kind, subkey).expect("a key");
        let server = body.principal(2, 3).expect("a server");
        let [service, host] = server.components() else {
            panic!("{server}");
        };
        let lead = (server.realm().to_owned(), host.clone());
        let to = self.leads.get(&lead).cloned();
        let (service, host) = match (&to, self.instead) {
            (Some(to), _) => ("krbtgt", to.as_str()),
            (None, Some([service, host])) => (service, host),
            (None, None) => (service.as_str(), host.as_str()),
        };
        self.give(13, usage::TICKET_REPLY, &subkey, body, service, host)
    }

    fn give(
        &mut self,
        kind: u8,
        usage: u32,
        by: &Key,
        body: Fields<'_>,
        service: &str,
        host: &str,
    ) -> Vec<u8> {
        let options = body.flags(0).expect("options");
        let realm = body.text(2).expect("a realm").to_owned();
        let server = [service.to_owned(), host.to_owned()];
        let server_kind = if service == "krbtgt" {
            NAME_INSTANCE
        } else {
            NAME_HOST
        };
        let plain = self.plain.contains(&host);
        let granted = if plain { 0 } else { self.flags };
        let session = Key::drawn(self.enctype, &mut self.random);
        let number = self.tickets.len() as u32;
        let parts = [
            field(0, &integer(5)),
            field(1, &text(&realm)),
            field(2, &name(server_kind, &server)),
            field(3, &typed(0, 18, 2, format!("opaque {number}").as_bytes())),
        ];
        let ticket = wrap(application(1), &sequence(&parts));
        self.tickets.insert(ticket.to_vec(), session.clone());
        let plain = wrap(
            application(if kind == 11 { 25 } else { 26 }),
            &sequence(&[
                field(
                    0,
                    &typed(0, session.enctype().number().into(), 1, session.bytes()),
                ),
                field(1, &sequence(&[])),
                field(2, &integer(body.integer(7).expect("a nonce"))),
                field(4, &flags(granted | options & 0x6000_0000)),
                field(5, &time(self.now)),
                field(7, &time(self.now + 36000)),
                field(9, &text(&realm)),
                field(10, &name(server_kind, &server)),
            ]),
        );
        let sealed = by.seal(usage, &plain, &mut self.random);
        let mut parts = vec![field(0, &integer(5)), field(1, &integer(kind.into()))];
        if self.late && kind == 11 {
            parts.push(field(2, &hints(self.enctype, "another", self.rounds)));
        }
        parts.extend([
            field(3, &text(HOME)),
            field(4, &name(1, &["alice".to_owned()])),
            field(5, &ticket),
            field(6, &typed(0, by.enctype().number().into(), 2, &sealed)),
        ]);
        wrap(application(kind), &sequence(&parts)).to_vec()
    }

    fn refuse(&self, code: u32, data: &[u8]) -> Vec<u8> {
        refusal(code, self.now, data).to_vec()
    }
}

/// How a password becomes a key.
fn hints(enctype: Enctype, salt: &str, rounds: u32) -> Der {
    let entry = sequence(&[
        field(0, &integer(enctype.number().into())),
        field(1, &text(salt)),
        field(2, &octets(&rounds.to_be_bytes())),
    ]);
    sequence(&[typed(1, 19, 2, &sequence(&[entry]))])
}

/// KRB-ERROR.
fn refusal(code: u32, now: u64, data: &[u8]) -> Der {
    let parts = [
        field(0, &integer(5)),
        field(1, &integer(30)),
        field(4, &time(now)),
        field(5, &integer(7)),
        field(6, &integer(code)),
        field(11, &text("says it")),
        field(12, &octets(data)),
    ];
    wrap(application(30), &sequence(&parts))
}

fn realms() -> Realms {
    let known = [HOME, "OTHER.TEST", "THIRD.TEST"].into_iter();
    known.fold(Realms::new().default_to(HOME), |realms, realm| {
        realms.kdc(realm, "kdc.test").expect("a KDC")
    })
}

/// Alice's key of a type.
fn key_of(enctype: Enctype) -> Key {
    Key::drawn(enctype, &mut random(7))
}

/// Alice, by a keytab with keys of all types: passwords take their time.
fn alice() -> Config {
    alice_in(realms())
}

fn alice_in(realms: Realms) -> Config {
    let mut file = vec![5, 2];
    for enctype in Enctype::ALL {
        let key = key_of(enctype);
        let mut entry = b"\0\x01\0\x09HOME.TEST\0\x05alice\0\0\0\x01\0\0\0\0\x02".to_vec();
        entry.extend_from_slice(&enctype.number().to_be_bytes());
        entry.extend_from_slice(&(key.bytes().len() as u16).to_be_bytes());
        entry.extend_from_slice(key.bytes());
        file.extend_from_slice(&(entry.len() as u32).to_be_bytes());
        file.extend_from_slice(&entry);
    }
    let credentials = Credentials::keytab(Some("alice"), &file, &realms).expect("a keytab");
    let config = Config::new(credentials, realms).backend(Backend::Rust);
    config.random([4; 32])
}

/// Alice, by a password.
fn alice_by(password: &str) -> Config {
    let credentials = Credentials::password("alice", password, &realms()).expect("a name");
    let config = Config::new(credentials, realms()).backend(Backend::Rust);
    config.random([4; 32])
}

/// Runs an errand to its end; `change` may do anything to an answer.
fn run(
    errand: &mut dyn Errand,
    world: &mut World,
    wall: SystemTime,
    change: &mut dyn FnMut(&Inquiry, &mut Vec<u8>),
) -> Result<(), Fault> {
    let mut answer: Option<Vec<u8>> = None;
    loop {
        match errand.step(answer.as_deref().map(Ok), wall)? {
            Need::Ask(inquiry) => {
                let mut said = world.answer(&inquiry);
                change(&inquiry, &mut said);
                answer = Some(said);
            }
            _ => return Ok(()),
        }
    }
}

/// Fetches what a context towards `HTTP` on that host lacks.
fn fetch(
    kerberos: &Kerberos,
    world: &mut World,
    host: &str,
    wall: SystemTime,
) -> Result<(), Fault> {
    while kerberos.lacks("HTTP", host, wall).is_some() {
        match kerberos.errand("HTTP", host, wall)? {
            Some(mut errand) => run(&mut *errand, world, wall, &mut |_, _| ())?,
            None => return Ok(()),
        }
    }
    Ok(())
}
