//! A service that wants Negotiate (RFC 4559): it checks what it is shown and proves itself, or
//! only says so.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;

use super::clock::{Clock, Wall};
use super::der;
use super::keys::Key;
use super::ledger::{Ledger, Shared};
use super::realm::{self, Authenticator};
use crate::http::{Gate, Ruling};

/// 1.2.840.113554.1.2.2, 1.3.6.1.5.5.2 and 1.3.6.1.4.1.311.2.2.10.
const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
const NTLM: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a];

/// How somebody lies who gives nothing for a proof: whoever was not asked by him may take the answer,
/// as that of a server that wants no proof either.
pub const UNPROVEN: &str = "unproven";

/// GSS_C_MUTUAL_FLAG.
const MUTUAL: u32 = 2;

/// `negState` (RFC 4178 section 4.2.2).
const ACCEPTED: u8 = 0;
const INCOMPLETE: u8 = 1;
const REJECTED: u8 = 2;

/// How a service behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// Well; a connection is authenticated once.
    Honest,
    /// Well; each request is authenticated.
    Forgetful,
    /// It has no key, and gives something for a proof.
    Forged,
    /// It has a key, and proves another time than it was shown.
    Mistimed,
    /// Its proof is that of another context.
    Replaying,
    /// It answers without a proof.
    Unproven,
    /// Some bit of its proof is wrong.
    Tampering,
    /// Its token is none.
    Babbling,
    /// It has chosen a mechanism that nobody offered.
    Foreign,
    /// It proves itself, and asks again.
    Insatiable,
    /// It goes on for ever.
    Endless,
    /// It refuses whatever it is shown.
    Rejecting,
    /// It says that clocks differ.
    Skewed,
    /// It wants a password.
    Downgrading,
}

use Manners::{Forgetful, Honest};

impl Manners {
    /// Those that `rng` gives; half of all are good.
    pub fn draw(rng: &mut Rng) -> Self {
        if rng.bool() {
            return if rng.bool() { Honest } else { Forgetful };
        }
        [
            Self::Forged,
            Self::Mistimed,
            Self::Replaying,
            Self::Unproven,
            Self::Tampering,
            Self::Babbling,
            Self::Foreign,
            Self::Insatiable,
            Self::Endless,
            Self::Rejecting,
            Self::Skewed,
            Self::Downgrading,
        ][rng.usize(0..12)]
    }
}

/// A service's side of one connection.
pub struct Acceptor {
    name: &'static str,
    key: Key,
    manners: Manners,
    clock: Clock,
    ledger: Shared<Ledger>,
    /// The first proof that any connection was given.
    earlier: Shared<Option<Vec<u8>>>,
    rng: Rng,
    established: bool,
}

/// A client's token, read and checked.
struct Shown {
    session: Key,
    seconds: u64,
    micros: i64,
}

impl Acceptor {
    /// Somebody has connected to the service of that name and with that key.
    pub fn new(
        (name, key): (&'static str, &Key),
        manners: Manners,
        clock: Clock,
        ledger: &Shared<Ledger>,
        earlier: &Shared<Option<Vec<u8>>>,
        rng: Rng,
    ) -> Self {
        Self {
            name,
            key: key.clone(),
            manners,
            clock,
            ledger: ledger.clone(),
            earlier: earlier.clone(),
            rng,
            established: false,
        }
    }

    /// The request shows a token.
    fn shown(&mut self, token: &[u8], wall: Wall) -> Ruling {
        let shown = match self.check(token, wall) {
            Ok(shown) => shown,
            Err(code) => return refusal(&krb_error(code, wall)),
        };
        if let Some(ruling) = self.lie(&shown, wall) {
            let mut ledger = self.ledger.borrow_mut();
            ledger.lie(&[self.name], "a service has lied");
            return ruling;
        }
        self.established = self.manners == Honest;
        let proof = self.proof(&shown, &shown.session.clone(), 0);
        granted(&response(ACCEPTED, KERBEROS, Some(&proof)))
    }

    /// What it does instead of what it should.
    fn lie(&mut self, shown: &Shown, wall: Wall) -> Option<Ruling> {
        let session = shown.session.clone();
        let honest = self.proof(shown, &session, 0);
        let proof = match self.manners {
            Honest | Forgetful => return None,
            Manners::Unproven => return Some(granted(&[]).by_liar(UNPROVEN)),
            Manners::Insatiable => return Some(asked()),
            Manners::Rejecting => return Some(refusal(&[])),
            Manners::Downgrading => return Some(downgraded()),
            Manners::Skewed => return Some(refusal(&krb_error(realm::SKEW, wall))),
            Manners::Endless => {
                let more = response(INCOMPLETE, KERBEROS, Some(&honest));
                return Some(asked_with(&more));
            }
            Manners::Foreign => {
                let other = response(INCOMPLETE, NTLM, Some(b"NTLMSSP\0\x02\0\0\0"));
                return Some(asked_with(&other));
            }
            Manners::Babbling => {
                let mut noise = vec![0; self.rng.usize(1..200)];
                self.rng.fill(&mut noise);
                return Some(granted(&noise).by_liar("noise"));
            }
            Manners::Forged => {
                let own = Key::random(session.etype, &mut self.rng);
                self.proof(shown, &own, 0)
            }
            Manners::Mistimed => self.proof(shown, &session, 1),
            Manners::Replaying => {
                let mut earlier = self.earlier.borrow_mut();
                if earlier.is_none() {
                    *earlier = Some(honest);
                    return None;
                }
                earlier.clone().unwrap_or_default()
            }
            Manners::Tampering => {
                let mut proof = honest;
                // Behind what says of which kind it is: that is another lie.
                let at = self.rng.usize(proof.len() / 2..proof.len());
                proof[at] ^= 1 << self.rng.u8(0..8);
                proof
            }
        };
        Some(granted(&response(ACCEPTED, KERBEROS, Some(&proof))).by_liar("proof"))
    }

    /// AP-REP, in its frame.
    fn proof(&mut self, shown: &Shown, key: &Key, later: i64) -> Vec<u8> {
        let micros = (shown.micros + later) % 1_000_000;
        let mut fields = vec![(0, der::time(shown.seconds)), (1, der::integer(micros))];
        if self.rng.bool() {
            let subkey = Key::random(key.etype, &mut self.rng);
            fields.push((2, subkey.encode()));
        }
        fields.push((3, der::integer(self.rng.u32(..).into())));
        let inside = der::wrap(der::application(27), &der::fields(&fields));
        let proof = der::fields(&[
            (0, der::integer(5)),
            (1, der::integer(15)),
            (2, key.seal(12, &inside, &mut self.rng)),
        ]);
        framed([2, 0], &der::wrap(der::application(15), &proof))
    }

    /// As a service has to (RFC 4120 section 3.2.3, RFC 4121 section 4.1).
    fn check(&self, token: &[u8], wall: Wall) -> Result<Shown, i64> {
        let unreadable = realm::BAD_INTEGRITY;
        let message = message(token).ok_or(unreadable)?;
        let field = |n| der::field(message, n).ok_or(unreadable);
        let (session, ends) = realm::opened(&self.key, field(3)?).ok_or(unreadable)?;
        let sealed = field(4)?;
        let proof = Authenticator::open(&session, 11, sealed).ok_or(unreadable)?;
        if ends < wall.seconds() {
            return Err(realm::EXPIRED);
        }
        if proof.seconds.abs_diff(wall.seconds()) > realm::TOLERANCE {
            return Err(realm::SKEW);
        }
        let mut ledger = self.ledger.borrow_mut();
        if !ledger.shown.insert(sealed.to_vec()) {
            let what = "a service was shown the same proof twice".to_owned();
            ledger.broken.get_or_insert(what);
        }
        if !wants_proof(&proof) {
            let what = "a service was not asked for a proof".to_owned();
            ledger.broken.get_or_insert(what);
        }
        Ok(Shown {
            session,
            seconds: proof.seconds,
            micros: proof.micros,
        })
    }
}

impl Gate for Acceptor {
    fn judge(&mut self, authorization: Option<&str>, now: Instant) -> Ruling {
        let wall = self.clock.at(now);
        let token = authorization.and_then(|value| value.strip_prefix("Negotiate "));
        match token.map(|token| STANDARD.decode(token)) {
            Some(Ok(token)) => {
                self.established = false;
                self.shown(&token, wall)
            }
            Some(Err(_)) => asked(),
            None if authorization.is_some() => {
                let what = format!("a service was told {authorization:?}");
                self.ledger.borrow_mut().broken.get_or_insert(what);
                asked()
            }
            None if self.established => granted(&[]),
            None if self.manners == Manners::Downgrading => {
                let mut ledger = self.ledger.borrow_mut();
                ledger.lie(&[self.name], "a service wants a password");
                downgraded()
            }
            None => asked(),
        }
    }
}

/// Whether a proof is wanted in turn: in what stands for the checksum (RFC 4121 section 4.1.1).
fn wants_proof(proof: &Authenticator) -> bool {
    let Some((0x8003, sum)) = &proof.checksum else {
        return false;
    };
    let flags = sum.get(20..24).and_then(|flags| flags.first_chunk());
    let mutual = flags.is_some_and(|flags| u32::from_le_bytes(*flags) & MUTUAL != 0);
    mutual && proof.sequence.is_some()
}

/// The fields of the AP-REQ in a token of SPNEGO's.
fn message(token: &[u8]) -> Option<&[u8]> {
    let inside = der::within(token, der::application(0))?;
    let (der::OID, SPNEGO, rest) = der::element(inside)? else {
        return None;
    };
    let offer = der::within(rest, der::context(0))?;
    let first = *der::elements(der::field(offer, 0)?)?.first()?;
    if der::within(first, der::OID)? != KERBEROS {
        return None;
    }
    let token = der::within(der::field(offer, 2)?, der::OCTETS)?;
    let inside = der::within(token, der::application(0))?;
    let (der::OID, KERBEROS, rest) = der::element(inside)? else {
        return None;
    };
    der::within(rest.strip_prefix(&[1, 0])?, der::application(14))
}

/// NegTokenResp.
fn response(state: u8, mechanism: &[u8], token: Option<&[u8]>) -> Vec<u8> {
    let mut fields = vec![
        (0, der::wrap(der::ENUMERATED, &[state])),
        (1, der::wrap(der::OID, mechanism)),
    ];
    fields.extend(token.map(|token| (2, der::octets(token))));
    der::wrap(der::context(1), &der::fields(&fields))
}

/// A message of Kerberos' as a token (RFC 4121 section 4.1).
fn framed(kind: [u8; 2], message: &[u8]) -> Vec<u8> {
    let inside = [&der::wrap(der::OID, KERBEROS)[..], &kind, message].concat();
    der::wrap(der::application(0), &inside)
}

fn krb_error(code: i64, wall: Wall) -> Vec<u8> {
    let mut fields = realm::error(code, wall);
    fields.push((9, der::text("SOMEWHERE.TEST")));
    fields.push((10, der::name(2, &["HTTP", "somewhere.test"])));
    let error = der::wrap(der::application(30), &der::fields(&fields));
    framed([3, 0], &error)
}

fn field(token: &[u8]) -> String {
    let token = STANDARD.encode(token);
    format!("WWW-Authenticate: Negotiate {token}\r\n")
}

/// With a token, if there is one.
fn granted(token: &[u8]) -> Ruling {
    let fields = if token.is_empty() {
        String::new()
    } else {
        field(token)
    };
    Ruling::new(200, fields)
}

fn asked() -> Ruling {
    let fields = "WWW-Authenticate: Negotiate\r\nWWW-Authenticate: Basic realm=\"sim\"\r\n";
    Ruling::new(401, fields.to_owned())
}

fn downgraded() -> Ruling {
    let fields = "WWW-Authenticate: Basic realm=\"sim\"\r\n".to_owned();
    Ruling::new(401, fields)
}

fn asked_with(token: &[u8]) -> Ruling {
    Ruling::new(401, field(token))
}

/// With what is said about it, if anything.
fn refusal(why: &[u8]) -> Ruling {
    let why = (!why.is_empty()).then_some(why);
    Ruling::new(401, field(&response(REJECTED, KERBEROS, why)))
}
