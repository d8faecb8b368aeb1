//! SPNEGO (RFC 4178) with Kerberos as the only mechanism: the peer says whether it will do.

use sockless_core::{ChannelBinding, Culprit, Cx, Fault, Reason, SecurityContext, Step};

use super::asn1::{Der, Fields, application, field, octets, sequence, whole, wrap, wrap_all};
use super::context::{Context, KRB5, misplaced, unfit};
use crate::code;
use crate::der::context as tagged;

/// 1.3.6.1.5.5.2
const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";
/// 1.2.840.48018.1.2.2: what some call Kerberos by in their answer, whatever was offered.
const KRB5_OF_MICROSOFT: &[u8] = b"\x2a\x86\x48\x82\xf7\x12\x01\x02\x02";

const OID: u8 = 0x06;
const ENUMERATED: u8 = 0x0a;

/// `negState`.
const COMPLETED: u8 = 0;
const INCOMPLETE: u8 = 1;
const REJECTED: u8 = 2;
const WANTS_MIC: u8 = 3;

/// A context inside SPNEGO.
pub(super) struct Negotiated {
    context: Context,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Offered,
    /// We have signed the offer, and the peer has not said yet that it is content.
    Signed,
    Over,
}

impl Negotiated {
    pub(super) fn new(context: Context) -> Self {
        Self {
            context,
            state: State::New,
        }
    }

    fn offer(&mut self, cx: &Cx<'_>) -> Result<Vec<u8>, Fault> {
        let token = self.context.ask(cx)?;
        let init = sequence(&[field(0, &offered()), field(2, &octets(&token))]);
        self.state = State::Offered;
        let parts = [wrap(OID, SPNEGO), wrap(tagged(0), &init)];
        Ok(wrap_all(application(0), &parts).to_vec())
    }

    fn answered(&mut self, token: &[u8]) -> Result<Step, Fault> {
        let before = core::mem::replace(&mut self.state, State::Over);
        let answer = whole(token, tagged(1)).and_then(Fields::of);
        let answer = answer.ok_or_else(malformed)?;
        if let Some(mechanism) = answer.oid(1) {
            check(mechanism)?;
        }
        let state = match answer.field(0) {
            None => INCOMPLETE,
            Some(element) => match whole(element, ENUMERATED) {
                Some([state @ COMPLETED..=WANTS_MIC]) => *state,
                _ => return Err(malformed()),
            },
        };
        match (answer.octets(2), before) {
            (Some(token), State::Offered) if !token.is_empty() => self.context.answered(token)?,
            (None | Some([]), _) => {}
            _ => return Err(misplaced()),
        }
        if state == REJECTED {
            let what = "the peer refuses Kerberos, the one mechanism that it was offered";
            return Err(
                Fault::new(Culprit::PeerIncompatible, Reason::Authentication, what)
                    .remedy("see the server's log, and check the service's name"),
            );
        }
        if !self.context.is_established() {
            return Err(code::fault(46, "the peer has not proven who it is"));
        }
        let signed = answer.octets(3);
        if let Some(mic) = signed {
            let verified = self.context.messages()?.verify(&offered(), mic);
            verified.map_err(unfit)?;
        }
        match (state, before) {
            // RFC 4178 section 5: what was preferred most has been chosen, so that no signature is needed.
            (COMPLETED, _) => Ok(Step::Done(None)),
            (_, State::Offered) => {
                let mic = self.context.messages()?.sign(&offered());
                let mic = field(3, &octets(&mic));
                let own = match signed {
                    Some(_) => vec![field(0, &wrap(ENUMERATED, &[COMPLETED])), mic],
                    None => vec![field(0, &wrap(ENUMERATED, &[INCOMPLETE])), mic],
                };
                let own = wrap(tagged(1), &sequence(&own)).to_vec();
                Ok(match signed {
                    Some(_) => Step::Done(Some(own)),
                    None => {
                        self.state = State::Signed;
                        Step::Continue(own)
                    }
                })
            }
            _ => Err(misplaced()),
        }
    }
}

impl SecurityContext for Negotiated {
    fn mechanism(&self) -> &'static str {
        self.context.mechanism()
    }

    fn bind(&mut self, kind: ChannelBinding, channel: &[u8]) {
        self.context.bind(kind, channel);
    }

    fn step(&mut self, from_peer: Option<&[u8]>, cx: &mut Cx<'_>) -> Result<Step, Fault> {
        match (from_peer, self.state) {
            (None, State::New) => Ok(Step::Continue(self.offer(cx)?)),
            (Some(token), State::Offered | State::Signed) => self.answered(token),
            _ => Err(misplaced()),
        }
    }

    fn wrap(&mut self, plain: &[u8], confidential: bool, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.context.wrap(plain, confidential, out)
    }

    fn unwrap(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<bool, Fault> {
        self.context.unwrap(sealed, out)
    }

    fn wrap_limit(&self, sealed: usize, confidential: bool) -> usize {
        self.context.wrap_limit(sealed, confidential)
    }

    fn mic(&mut self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        self.context.mic(message)
    }
}

/// `MechTypeList`: what signatures are over.
fn offered() -> Der {
    sequence(&[wrap(OID, KRB5)])
}

fn check(mechanism: &[u8]) -> Result<(), Fault> {
    if [KRB5, KRB5_OF_MICROSOFT].contains(&mechanism) {
        return Ok(());
    }
    let what = "the peer chooses another mechanism than Kerberos, which it was not offered";
    Err(Fault::misbehaved(Reason::Authentication, what))
}

fn malformed() -> Fault {
    let what = "the peer's token is no answer of SPNEGO's";
    Fault::misbehaved(Reason::Malformed, what)
        .remedy("see the server's log, and check the service's name")
}
