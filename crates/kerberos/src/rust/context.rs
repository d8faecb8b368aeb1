//! Security contexts (RFC 4121 section 4.1), as their initiator.

use std::sync::Arc;

use md5::{Digest as _, Md5};
use sockless_core::{ChannelBinding, Culprit, Cx, Fault, Reason, SecurityContext, Step};

use super::asn1::{Der, application, wrap, wrap_all};
use super::crypto::Key;
use super::fetch::delegates;
use super::messages::{
    Authenticator, Proof, Refusal, Stamp, credentials, session_key, ticket_proof,
};
use super::tokens::{Messages, Refused};
use super::{Shared, lock};
use crate::binding::application_data;
use crate::ccache::Stored;
use crate::code;
use crate::der::element;
use crate::provider::Delegation;

/// 1.2.840.113554.1.2.2
pub(super) const KRB5: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
const OID: u8 = 0x06;

/// What comes in front of each message.
const REQUEST: [u8; 2] = [1, 0];
const REPLY: [u8; 2] = [2, 0];
const ERROR: [u8; 2] = [3, 0];

/// The type of the checksum that carries what GSS-API says (RFC 4121 section 4.1.1).
const CHECKSUM: u32 = 0x8003;

/// DELEG alone, and MUTUAL, REPLAY, SEQUENCE, CONF and INTEG.
const DELEGATED: u32 = 1;
const FLAGS: u32 = 2 | 4 | 8 | 16 | 32;

pub(super) struct Context {
    own: Shared,
    ticket: Arc<Stored>,
    key: Key,
    /// The hash of the channel below; zeros: none is given.
    channel: [u8; 16],
    state: State,
}

enum State {
    New,
    Asked {
        now: Stamp,
        subkey: Key,
        number: u32,
    },
    Established(Box<Messages>),
    Failed,
}

impl Context {
    pub(super) fn new(own: Shared, ticket: Arc<Stored>) -> Result<Self, Fault> {
        Ok(Self {
            key: session_key(&ticket)?,
            own,
            ticket,
            channel: [0; 16],
            state: State::New,
        })
    }

    /// The first token.
    pub(super) fn ask(&mut self, cx: &Cx<'_>) -> Result<Vec<u8>, Fault> {
        let mut own = lock(&self.own);
        let own = &mut *own;
        let now = own.now(cx.wall, None);
        let subkey = Key::drawn(self.key.enctype(), &mut own.random);
        let number = own.random.number();
        let handed = own.forwarded.as_ref();
        let handed = handed.filter(|_| delegates(own.delegation, &self.ticket));
        if handed.is_none() && own.delegation == Delegation::Always {
            let what = format!("there is no ticket to hand on to {}", self.ticket.server);
            return Err(Fault::new(Culprit::Misuse, Reason::Authentication, what)
                .remedy("run SecurityProvider::errand before a context is made"));
        }
        let handed = handed.map(|one| credentials(one, &self.key, now, &mut own.random));
        let authenticator = Authenticator {
            client: &own.client,
            checksum: (CHECKSUM, &checksum(&self.channel, handed.as_ref())?),
            now,
            subkey: &subkey,
            number: Some(number),
        };
        let message = ticket_proof(&self.ticket, &authenticator, true, &mut own.random)?;
        self.state = State::Asked {
            now,
            subkey,
            number,
        };
        let oid = wrap(OID, KRB5);
        let kind = Der::new(REQUEST.to_vec());
        Ok(wrap_all(application(0), &[oid, kind, message]).to_vec())
    }

    /// The peer's proof.
    pub(super) fn answered(&mut self, token: &[u8]) -> Result<(), Fault> {
        let State::Asked {
            now,
            subkey,
            number,
        } = core::mem::replace(&mut self.state, State::Failed)
        else {
            return Err(misplaced());
        };
        let proof = match unframed(token) {
            Some((REPLY, message)) => Proof::open(message, &self.key)?,
            Some((ERROR, message)) => return Err(refused(message, &self.ticket)),
            _ => {
                let what = "the peer's token is not that of Kerberos' answer";
                return Err(Fault::misbehaved(Reason::Authentication, what)
                    .remedy("see the server's log, and check the service's name"));
            }
        };
        if proof.now != now {
            return Err(code::fault(
                46,
                "the peer proves something else than asked for",
            ));
        }
        let random = lock(&self.own).random.fork();
        let its = proof.subkey.is_some();
        let key = proof.subkey.unwrap_or(subkey);
        let messages = Messages::new(&key, its, [number, proof.number], random);
        self.state = State::Established(Box::new(messages));
        Ok(())
    }

    pub(super) fn messages(&mut self) -> Result<&mut Messages, Fault> {
        match &mut self.state {
            State::Established(messages) => Ok(messages),
            _ => {
                let what = "the security context is not established";
                Err(Fault::new(Culprit::Misuse, Reason::Misuse, what))
            }
        }
    }

    /// Whether nothing has been said.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.state, State::New)
    }

    pub(super) fn is_established(&self) -> bool {
        matches!(self.state, State::Established(_))
    }
}

impl SecurityContext for Context {
    fn mechanism(&self) -> &'static str {
        "Kerberos"
    }

    fn bind(&mut self, kind: ChannelBinding, channel: &[u8]) {
        let Some(bound) = application_data(kind, channel) else {
            return;
        };
        // RFC 4121 section 4.1.1.2: no addresses, and what is bound to.
        let mut hash = Md5::new_with_prefix([0; 16]);
        hash.update((bound.len() as u32).to_le_bytes());
        hash.update(bound);
        self.channel = hash.finalize().into();
    }

    fn step(&mut self, from_peer: Option<&[u8]>, cx: &mut Cx<'_>) -> Result<Step, Fault> {
        match from_peer {
            None if self.is_new() => Ok(Step::Continue(self.ask(cx)?)),
            Some(token) => {
                self.answered(token)?;
                Ok(Step::Done(None))
            }
            None => Err(misplaced()),
        }
    }

    fn wrap(&mut self, plain: &[u8], confidential: bool, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.messages()?.wrap(plain, confidential, out);
        Ok(())
    }

    fn unwrap(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<bool, Fault> {
        self.messages()?.unwrap(sealed, out).map_err(unfit)
    }

    fn wrap_limit(&self, sealed: usize, confidential: bool) -> usize {
        match &self.state {
            State::Established(messages) => messages.wrap_limit(sealed, confidential),
            _ => 0,
        }
    }

    fn mic(&mut self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok(self.messages()?.sign(message))
    }
}

/// What the authenticator says for GSS-API: which channel, which services, and a ticket to use for us.
fn checksum(channel: &[u8; 16], handed: Option<&Der>) -> Result<Der, Fault> {
    let flags = FLAGS | handed.map_or(0, |_| DELEGATED);
    let length = 24 + handed.map_or(0, |one| 4 + one.len());
    let mut out = Der::new(Vec::with_capacity(length));
    out.extend_from_slice(&16u32.to_le_bytes());
    out.extend_from_slice(channel);
    out.extend_from_slice(&flags.to_le_bytes());
    if let Some(handed) = handed {
        let length = u16::try_from(handed.len()).map_err(|_| {
            let what = "the ticket to hand on is larger than 64 KiB, which no message has room for";
            Fault::new(Culprit::Limit, Reason::Authentication, what).remedy("do without delegation")
        })?;
        out.extend_from_slice(&1u16.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(handed);
    }
    Ok(out)
}

/// The kind of a token, and the message in it.
fn unframed(token: &[u8]) -> Option<([u8; 2], &[u8])> {
    let (tag, content, []) = element(token)? else {
        return None;
    };
    let (OID, KRB5, rest) = element(content)? else {
        return None;
    };
    let (kind, message) = rest.split_first_chunk()?;
    (tag == application(0)).then_some((*kind, message))
}

/// The service's refusal.
fn refused(message: &[u8], ticket: &Stored) -> Fault {
    match Refusal::read(message) {
        Some(refusal) => refusal.fault(&format!("the ticket {}", ticket.server)),
        None => {
            let what = "the peer refuses the ticket, in a way that cannot be read";
            Fault::misbehaved(Reason::Authentication, what)
        }
    }
}

/// A token that is not what the peer has made, in its place.
pub(super) fn unfit(refused: Refused) -> Fault {
    let (number, what) = match refused {
        Refused::Malformed => {
            let what = "a protected message is none of this context's";
            return Fault::misbehaved(Reason::Authentication, what);
        }
        Refused::Changed => (41, "a protected message is refused: it was changed"),
        Refused::OutOfOrder => {
            let what = "a protected message came twice or out of order (KRB_AP_ERR_BADORDER, 42)";
            return Fault::misbehaved(Reason::Malformed, what);
        }
    };
    code::fault(number, what)
}

pub(super) fn misplaced() -> Fault {
    let what = "a token that does not belong here: the security context is complete, or has not \
                begun";
    Fault::misbehaved(Reason::Authentication, what)
}
