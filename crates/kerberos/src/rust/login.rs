//! The way to a ticket to get tickets with (RFC 4120 section 3.1).
//!
//! ```text
//!   AS-REQ  -> preauthentication required: how a password becomes a key
//!   AS-REQ with the time, encrypted  -> AS-REP
//! ```

use std::sync::Arc;
use std::time::SystemTime;

use sockless_core::{Culprit, Fault, Reason};

use super::asn1::{Der, NAME_INSTANCE};
use super::crypto::{Enctype, Key};
use super::messages::{
    Answer, Body, FORWARDABLE, Grant, Hint, RENEWABLE_OK, Refusal, Stamp, login_request, timestamp,
};
use super::{Own, Shared, ahead, done, lock};
use crate::credentials::Proof;
use crate::provider::{Conversation, Delegation, Turn};
use crate::{Principal, code};

/// Refusals that have an answer, each once (RFC 4120 section 7.5.9).
const PROOF_REQUIRED: u32 = 25;
pub(super) const SKEW: u32 = 37;
pub(super) const TOO_BIG: u32 = 52;

pub(super) struct Login {
    own: Shared,
    nonce: u32,
    body: Der,
    /// The last message.
    message: Der,
    /// How the KDC has a password become a key.
    hint: Option<Hint>,
    /// The key that was made so: the only one, for it takes its time.
    key: Option<Key>,
    proven: bool,
    corrected: bool,
    /// What the KDC's clock is ahead by, as a refusal says.
    supposed: Option<i64>,
    streamed: bool,
}

impl Login {
    pub(super) fn new(own: Shared) -> Self {
        Self {
            own,
            nonce: 0,
            body: Der::default(),
            message: Der::default(),
            hint: None,
            key: None,
            proven: false,
            corrected: false,
            supposed: None,
            streamed: false,
        }
    }
}

impl Conversation for Login {
    fn step(&mut self, answer: &[u8], wall: SystemTime) -> Result<Turn, Fault> {
        let own = Arc::clone(&self.own);
        let mut own = lock(&own);
        if self.body.is_empty() {
            self.begin(&mut own)?;
            return Ok(self.ask(&own));
        }
        let read = Answer::read(answer);
        match read.map_err(|fault| about(fault, &format!("the login of {}", own.client)))? {
            Answer::Refused(refusal) => self.refused(&mut own, &refusal, wall),
            Answer::Granted(grant) => self.granted(&mut own, &grant, wall),
        }
    }
}

impl Login {
    fn begin(&mut self, own: &mut Own) -> Result<(), Fault> {
        let enctypes = enctypes(own);
        if enctypes.is_empty() {
            let what = format!("the keytab has no key of {} for AES", own.client);
            return Err(code::fault(14, &what));
        }
        self.nonce = own.random.number();
        let forwardable = match own.delegation {
            Delegation::None => 0,
            _ => FORWARDABLE,
        };
        self.body = Body {
            options: RENEWABLE_OK | forwardable,
            client: Some(&own.client),
            server: &granting(&own.client)?,
            server_kind: NAME_INSTANCE,
            until: 0,
            nonce: self.nonce,
            enctypes: &enctypes,
        }
        .encode();
        self.message = login_request(&self.body, None);
        Ok(())
    }

    fn ask(&self, own: &Own) -> Turn {
        Turn::Ask {
            realm: own.client.realm().to_owned(),
            message: self.message.clone(),
            stream: self.streamed,
        }
    }

    fn refused(
        &mut self,
        own: &mut Own,
        refusal: &Refusal<'_>,
        wall: SystemTime,
    ) -> Result<Turn, Fault> {
        match refusal.code {
            PROOF_REQUIRED if !self.proven => {
                self.hint = Some(choose(own, refusal.hints()));
                self.prove(own, wall)?;
            }
            SKEW if self.proven && !self.corrected && refusal.time.is_some() => {
                self.corrected = true;
                self.supposed = refusal.time.map(|time| ahead(time, wall));
                self.prove(own, wall)?;
            }
            TOO_BIG if !self.streamed => self.streamed = true,
            _ => return Err(refusal.fault(&format!("the login of {}", own.client))),
        }
        Ok(self.ask(own))
    }

    fn prove(&mut self, own: &mut Own, wall: SystemTime) -> Result<(), Fault> {
        let hint = self.hint.clone().unwrap_or_else(|| choose(own, Vec::new()));
        let key = self.key(own, &hint, None)?;
        let now = own.now(wall, self.supposed);
        let proof = timestamp(&key, now, &mut own.random);
        self.message = login_request(&self.body, Some(&proof));
        self.proven = true;
        Ok(())
    }

    fn granted(
        &mut self,
        own: &mut Own,
        grant: &Grant<'_>,
        wall: SystemTime,
    ) -> Result<Turn, Fault> {
        let (enctype, version) = grant.key()?;
        let enctype = Enctype::of(enctype).filter(|one| enctypes(own).contains(one));
        let enctype = enctype.ok_or_else(|| {
            code::fault(
                14,
                "the KDC answers in an encryption type that was not offered",
            )
        })?;
        // What comes with the answer is newer than what came before.
        let hints = grant.hints().into_iter().chain(self.hint.clone());
        let hint = hints.into_iter().find(|hint| hint.enctype == enctype);
        let hint = hint.unwrap_or(Hint {
            enctype,
            salt: None,
            parameters: None,
        });
        let key = self.key(own, &hint, version)?;
        let server = granting(&own.client)?;
        let login = format!("the login of {}", own.client);
        let stored = grant
            .open(&key, &own.client, Some(&server), self.nonce)
            .map_err(|fault| about(fault, &login))?;
        let stored = Arc::new(stored);
        let issued = Stamp {
            seconds: stored.times[0].into(),
            micros: 0,
        };
        own.correct(ahead(issued, wall), wall);
        own.granting.clear();
        own.forwarded = None;
        own.logins += 1;
        let realm = own.client.realm().to_owned();
        own.keep(&realm, &stored);
        Ok(done(stored))
    }

    /// The user's key of a type. A password's is made once: hints are anybody's, and one of an answer is no better than
    /// the one by which the KDC has taken a proof.
    fn key(&mut self, own: &Own, hint: &Hint, version: Option<u32>) -> Result<Key, Fault> {
        match &own.proof {
            Proof::Password(password) => {
                match &self.key {
                    Some(key) if key.enctype() == hint.enctype => return Ok(key.clone()),
                    Some(_) => {
                        let what =
                            "the KDC answers in another encryption type than that of the proof";
                        return Err(code::fault(14, what));
                    }
                    None => {}
                }
                let usual = || own.client.realm().to_owned() + &own.client.components().concat();
                let salt = hint.salt.clone();
                let salt = salt.unwrap_or_else(|| usual().into_bytes());
                let parameters = hint.parameters.as_deref();
                let key = Key::of_password(hint.enctype, password, &salt, parameters);
                let key = key.ok_or_else(|| {
                    let what = "the KDC asks for a number of rounds, from password to key, that is \
                                too small to be safe or too large to be meant";
                    Fault::new(Culprit::Limit, Reason::Authentication, what)
                        .remedy("use a keytab, or ask who runs the realm")
                })?;
                self.key = Some(key.clone());
                Ok(key)
            }
            Proof::Keys(keys) => {
                let number = hint.enctype.number();
                let of_type = || keys.iter().filter(|key| key.enctype == number);
                let exact = of_type().find(|key| Some(key.version) == version);
                let newest = || of_type().max_by_key(|key| key.version);
                let key = exact.or_else(newest);
                let key = key.and_then(|key| Key::new(key.enctype, &key.key));
                key.ok_or_else(|| {
                    let what = format!("the keytab has no key of {} of type {number}", own.client);
                    code::fault(14, &what)
                })
            }
            Proof::Tickets(_) => {
                let what = "tickets are nothing to log in with";
                Err(Fault::new(Culprit::Misuse, Reason::Misuse, what))
            }
        }
    }
}

/// The ticket-granting service of somebody's realm.
pub(super) fn granting(client: &Principal) -> Result<Principal, Fault> {
    granting_of(client.realm(), client.realm())
}

/// That of one realm, in another one.
pub(super) fn granting_of(realm: &str, asked: &str) -> Result<Principal, Fault> {
    let components = vec!["krbtgt".to_owned(), realm.to_owned()];
    Principal::new(components, asked.to_owned()).map_err(|why| {
        let what = format!("{realm:?} is no realm: {why}");
        Fault::new(Culprit::Misuse, Reason::BadRequest, what)
    })
}

/// Types that the user has, or can make, keys of.
fn enctypes(own: &Own) -> Vec<Enctype> {
    let all = Enctype::ALL.into_iter();
    match &own.proof {
        Proof::Keys(keys) => all
            .filter(|one| keys.iter().any(|key| key.enctype == one.number()))
            .collect(),
        _ => all.collect(),
    }
}

/// The first hint that there is a key for.
fn choose(own: &Own, hints: Vec<Hint>) -> Hint {
    let enctypes = enctypes(own);
    let fit = |hint: &Hint| enctypes.contains(&hint.enctype);
    hints.into_iter().find(fit).unwrap_or(Hint {
        enctype: enctypes.first().copied().unwrap_or(Enctype::ALL[0]),
        salt: None,
        parameters: None,
    })
}

/// The same fault, with what was being done.
pub(super) fn about(mut fault: Fault, doing: &str) -> Fault {
    fault.what = format!("{doing}: {}", fault.what);
    fault
}
