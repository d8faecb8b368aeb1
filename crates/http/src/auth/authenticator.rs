//! What is known about one party, and what is sent to it.

use core::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sockless_core::{ChannelBinding, Culprit, Cx, Fault, Fields, Reason, SecurityProvider, Step};
use zeroize::Zeroizing;

use super::challenge::{Challenge, parse_info};
use super::dialog::{Dialog, Sent};
use super::offer::Offer;
use super::{Credentials, Party, Schemes, Secret, Subject, basic, digest};

/// Challenges to one request, steps of a context included, after which it is given up.
const MAX_ROUNDS: usize = 10;

/// Fresh nonces in a row that are said to be stale.
const MAX_STALE: u32 = 3;

/// Bytes of a peer's text that a message shows.
const SHOWN: usize = 64;

/// Digest and Basic show the same password: what is refused in one is refused in the other.
const BY_PASSWORD: Schemes = Schemes::DIGEST.with(Schemes::BASIC);

/// The authentication to one server or one proxy; shared by the connections to it.
///
/// It belongs to one origin (scheme, host and port) or one proxy: credentials must not be
/// offered to another one, so that one gets an authenticator of its own.
///
/// ```
/// use sockless_http::{Authenticator, Credentials, Party, Schemes};
///
/// let credentials = Credentials::password("Mufasa", "Circle of Life").unwrap();
/// let authenticator = Authenticator::new(Party::Origin, "example.com", credentials)
///     .allow(Schemes::SAFE)
///     .seed(0x5eed);
/// assert!(!authenticator.binds_connection());
/// ```
pub struct Authenticator {
    party: Party,
    host: String,
    service: String,
    credentials: Credentials,
    allowed: Schemes,
    seed: u64,
    /// Cnonces made so far.
    drawn: u64,
    preemptive: bool,
    mutual: bool,
    proven: bool,
    /// What the last challenge offers, strongest first.
    offers: Vec<Offer>,
    /// Schemes that failed since something was accepted last.
    refused: Schemes,
    stale: u32,
}

/// What comes of a challenge.
#[derive(Debug)]
pub enum Verdict {
    /// Send the request again, with what [`Authenticator::authorize`] gives now.
    Retry,
    /// There is nothing to send that has not been refused. The answer may be taken as it is,
    /// or this be the request's end.
    GiveUp(Fault),
}

impl Authenticator {
    /// For the party at `host`: the name that Negotiate knows it by, without port.
    pub fn new(party: Party, host: &str, credentials: Credentials) -> Self {
        Self {
            party,
            host: host.to_owned(),
            service: "HTTP".to_owned(),
            credentials,
            allowed: Schemes::default(),
            seed: 0,
            drawn: 0,
            preemptive: false,
            mutual: false,
            proven: false,
            offers: Vec::new(),
            refused: Schemes::NONE,
            stale: 0,
        }
    }

    /// Only these schemes are used. Default [`Schemes::ANY`]; on a connection that is not
    /// encrypted [`Schemes::SAFE`] is better.
    #[must_use]
    pub fn allow(mut self, schemes: Schemes) -> Self {
        self.allowed = schemes;
        self
    }

    /// What Digest's client nonces are made from: a random number, for nothing is read from
    /// the system here. The same seed gives the same nonces. Default 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sends Bearer, or else Basic, without waiting for a challenge; or Negotiate, where
    /// nothing else is allowed (RFC 4559 section 4.1 leaves it to the client).
    #[must_use]
    pub fn preemptive(mut self) -> Self {
        self.preemptive = true;
        if self.usable() == Schemes::NEGOTIATE {
            self.offers = vec![Offer::Negotiate];
        }
        self
    }

    /// The name of the party's service that Negotiate asks for. Default `HTTP`.
    #[must_use]
    pub fn service(mut self, service: &str) -> Self {
        service.clone_into(&mut self.service);
        self
    }

    /// Refuses answers to credentials whose sender has not proven in turn that it knows the
    /// secret: by the last token of Negotiate or by Digest's `rspauth`. Bearer and Basic have no
    /// such proof, so they are not used. An answer without any challenge passes: nothing was
    /// sent that somebody could have made use of. Default: a proof is checked where there is one.
    #[must_use]
    pub fn mutual(mut self) -> Self {
        self.mutual = true;
        self
    }

    /// Refuses an answer to Negotiate whose sender has asked for it and does not prove in turn who
    /// it is. One that did not ask may not have looked at all: its answer counts as any other.
    #[must_use]
    pub fn proven(mut self) -> Self {
        self.proven = true;
        self
    }

    /// The provider, the service and the host of the context that the next request begins, if
    /// it begins one: what [`SecurityProvider::lacks`] can be asked before.
    pub fn begins(&self, dialog: &Dialog) -> Option<(&Arc<dyn SecurityProvider>, &str, &str)> {
        let begun = dialog.context.is_some() || dialog.established;
        let provider = self.credentials.contexts()?;
        (self.binds_connection() && !begun).then_some((provider, &self.service, &self.host))
    }

    /// Whether Negotiate may be used: then the channel's binding is worth knowing
    /// ([`Dialog::bind`]).
    pub fn may_bind(&self) -> bool {
        self.usable().contains(Schemes::NEGOTIATE)
    }

    /// Whom it authenticates to.
    pub fn party(&self) -> Party {
        self.party
    }

    /// Whether the scheme in use binds the connection (Negotiate): only transfers with these
    /// credentials may use it again.
    pub fn binds_connection(&self) -> bool {
        matches!(self.offers.first(), Some(Offer::Negotiate))
    }

    /// A number that is the same only for the same seed and credentials; for keys of connections.
    pub fn fingerprint(&self) -> u64 {
        self.credentials.fingerprint(self.seed)
    }

    /// The value of [`Party::request_field`] for a request about to be sent; `None`: it is
    /// sent without that field.
    ///
    /// # Errors
    /// [`Reason::Authentication`]: the only scheme left fails before anything is sent, e.g. for
    /// lack of a ticket, or the peer is not who it should be.
    pub fn authorize(
        &mut self,
        dialog: &mut Dialog,
        subject: &Subject<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        dialog.sent = None;
        dialog.is_on(cx.connection);
        if dialog.is_midway() {
            // Somebody who cannot prove who it is gets no password instead.
            return self
                .negotiate(dialog, cx)
                .inspect_err(|_| self.forget(dialog));
        }
        let mut failed = None;
        while let Some(offer) = self.offers.first() {
            let scheme = offer.scheme();
            let fault = match self.answer(dialog, subject, cx) {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            dialog.reconnected();
            self.refused |= scheme;
            self.offers.remove(0);
            if !self.offers.is_empty() {
                cx.note("auth", || {
                    format!("{scheme} cannot be used: {}", fault.what)
                });
            }
            failed = Some(fault);
        }
        match failed {
            Some(fault) => {
                self.forget(dialog);
                Err(fault)
            }
            None => Ok(self.unasked(dialog)),
        }
    }

    /// The party answered with [`Party::status`]: whether to try again.
    pub fn challenged(&mut self, dialog: &mut Dialog, fields: &Fields, cx: &mut Cx<'_>) -> Verdict {
        let challenges = Challenge::parse(fields.all(self.party.challenge_field()));
        dialog.rounds += 1;
        if dialog.rounds > MAX_ROUNDS {
            return self.give_up(
                dialog,
                format!("more than {MAX_ROUNDS} challenges in a row"),
            );
        }
        let sent = dialog.sent.take();
        if matches!(sent, Some(Sent::Negotiate))
            && let Some(token) = negotiate_token(&challenges)
        {
            dialog.token = Some(token);
            return Verdict::Retry;
        }
        // A challenge without a token is the beginning, or the end, of a context.
        dialog.reconnected();
        let before = core::mem::take(&mut self.offers);
        let offers = Offer::choose(&challenges, self.usable());
        let refused = sent.and_then(|sent| self.refuse(&sent, &offers, &before));
        self.offers = offers;
        self.offers
            .retain(|offer| !self.refused.intersects(offer.scheme()));
        carry_on(&mut self.offers, &before);
        match self.offers.first() {
            Some(offer) => {
                let scheme = offer.scheme();
                cx.note("auth", || format!("going on with {scheme}"));
                Verdict::Retry
            }
            None => self.nothing_left(dialog, &challenges, refused),
        }
    }

    /// A final answer with another status came: what was sent has been accepted.
    ///
    /// `body`: the answer's whole body, where it is known; it takes that to check the
    /// proof of Digest's `auth-int`.
    ///
    /// # Errors
    /// [`Reason::Authentication`]: the answer comes from somebody who does not know the secret.
    pub fn accepted(
        &mut self,
        dialog: &mut Dialog,
        fields: &Fields,
        body: Option<&[u8]>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Fault> {
        self.refused = Schemes::NONE;
        self.stale = 0;
        let unasked = core::mem::take(&mut dialog.rounds) == 0;
        let by_context = matches!(dialog.sent, Some(Sent::Negotiate));
        let proven = match dialog.sent.take() {
            Some(Sent::Negotiate) => self.conclude(dialog, fields, cx)?,
            Some(Sent::Digest(sent)) => self.proof(&sent, fields, body)?,
            Some(Sent::Basic | Sent::Bearer) => false,
            None => return Ok(()),
        };
        if unasked && by_context && !proven {
            // It may not even have looked: the next request waits for a challenge.
            self.offers.clear();
        }
        let demanded = self.mutual || (self.proven && by_context && !unasked);
        if demanded && !proven {
            let what = "the answer has no proof that its sender knows the secret";
            let fault = Fault::misbehaved(Reason::Authentication, what);
            return Err(fault.remedy("ask those who run the server, or do not demand a proof"));
        }
        Ok(())
    }
}

/// What is sent.
impl Authenticator {
    /// The answer to the strongest offer.
    fn answer(
        &mut self,
        dialog: &mut Dialog,
        subject: &Subject<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Secret>, Fault> {
        let user = self.credentials.user();
        let (value, sent) = match (self.offers.first_mut(), user, self.credentials.token()) {
            (Some(Offer::Negotiate), ..) => return self.negotiate(dialog, cx),
            (Some(Offer::Digest(digest)), Some(user), _) => {
                let cnonce = digest::cnonce(self.seed, self.drawn);
                self.drawn += 1;
                let (value, sent) = digest.respond(user, subject, cnonce)?;
                (value, Sent::Digest(Box::new(sent)))
            }
            (Some(Offer::Bearer), _, Some(token)) => (basic::bearer(token), Sent::Bearer),
            (Some(Offer::Basic), Some(user), _) => {
                (basic::basic(&user.name, &user.password)?, Sent::Basic)
            }
            _ => return Ok(None),
        };
        dialog.sent = Some(sent);
        Ok(Some(value))
    }

    /// One step of the connection's context (RFC 4559 section 4).
    fn negotiate(&self, dialog: &mut Dialog, cx: &mut Cx<'_>) -> Result<Option<Secret>, Fault> {
        if dialog.established && dialog.token.is_none() {
            return Ok(None);
        }
        if dialog.context.is_none()
            && let Some(provider) = self.credentials.contexts()
        {
            let lacks = || provider.lacks(&self.service, &self.host, cx.wall).is_some();
            if dialog.rounds == 0 && !self.preemptive && lacks() {
                // Another request was challenged while this one waited for its connection. It
                // begins as that one did: what it lacks is fetched once it is challenged itself.
                return Ok(None);
            }
            let mut context = provider.negotiated(&self.service, &self.host)?;
            if let Some(channel) = &dialog.channel {
                context.bind(ChannelBinding::TlsServerEndPoint, channel);
            }
            dialog.context = Some(context);
        }
        let Some(context) = dialog.context.as_mut() else {
            return Ok(None);
        };
        let from_peer = dialog.token.take();
        if dialog.established {
            let what = "the peer goes on after the security context was complete";
            return Err(Fault::misbehaved(Reason::Authentication, what));
        }
        let token = match context.step(from_peer.as_deref(), cx)? {
            Step::Continue(token) => Some(Zeroizing::new(token)),
            Step::Done(token) => {
                dialog.established = true;
                token.map(Zeroizing::new)
            }
            _ => None,
        };
        dialog.sent = Some(Sent::Negotiate);
        Ok(token.map(|token| {
            let mut value = String::with_capacity("Negotiate ".len() + token.len().div_ceil(3) * 4);
            value.push_str("Negotiate ");
            STANDARD.encode_string(&*token, &mut value);
            Zeroizing::new(value.into_bytes())
        }))
    }

    /// What is sent before any challenge.
    fn unasked(&self, dialog: &mut Dialog) -> Option<Secret> {
        let usable = self.usable();
        let (token, user) = (self.credentials.token(), self.credentials.user());
        if !self.preemptive || dialog.rounds > 0 {
            None
        } else if let (Some(token), true) = (token, usable.contains(Schemes::BEARER)) {
            dialog.sent = Some(Sent::Bearer);
            Some(basic::bearer(token))
        } else if let (Some(user), true) = (user, usable.contains(Schemes::BASIC)) {
            dialog.sent = Some(Sent::Basic);
            basic::basic(&user.name, &user.password).ok()
        } else {
            None
        }
    }

    /// The schemes that are allowed and can be used with the credentials.
    fn usable(&self) -> Schemes {
        let allowed = match self.mutual {
            true => self.allowed.both(Schemes::SAFE),
            false => self.allowed,
        };
        allowed.both(self.credentials.schemes())
    }
}

/// What comes back.
impl Authenticator {
    /// Whether the challenge refuses what was sent, and what to say about it. A scheme that
    /// the party does not even offer was not understood rather than refused.
    fn refuse(&mut self, sent: &Sent, offers: &[Offer], before: &[Offer]) -> Option<String> {
        let offered = |scheme| offers.iter().any(|offer| offer.scheme() == scheme);
        let (scheme, refused) = match sent {
            Sent::Negotiate => (Schemes::NEGOTIATE, true),
            Sent::Digest(sent) => (Schemes::DIGEST, self.refuses_digest(sent, offers, before)),
            Sent::Bearer => (Schemes::BEARER, offered(Schemes::BEARER)),
            Sent::Basic => (Schemes::BASIC, offered(Schemes::BASIC)),
        };
        if !refused {
            return None;
        }
        let by_password = BY_PASSWORD.contains(scheme);
        self.refused |= if by_password { BY_PASSWORD } else { scheme };
        let realm = match sent {
            Sent::Digest(sent) => format!(", realm \"{}\"", shown(&sent.realm)),
            _ => String::new(),
        };
        Some(format!("the credentials were refused ({scheme}{realm})"))
    }

    /// Not if only the nonce was too old, or the realm is another one. A nonce that served
    /// before may also have aged without the server's saying so.
    fn refuses_digest(&mut self, sent: &digest::Sent, offers: &[Offer], before: &[Offer]) -> bool {
        let now = offers.iter().find_map(Offer::digest);
        let Some(now) = now else { return false };
        if now.stale {
            self.stale += 1;
            return self.stale > MAX_STALE;
        }
        let proven = before
            .iter()
            .find_map(Offer::digest)
            .is_some_and(|digest| digest.proven);
        now.realm() == sent.realm && !proven
    }

    fn nothing_left(
        &mut self,
        dialog: &mut Dialog,
        challenges: &[Challenge],
        refused: Option<String>,
    ) -> Verdict {
        let what = match (refused, challenges) {
            (Some(refused), _) => refused,
            (None, []) => {
                "credentials are asked for without a challenge that can be read".to_owned()
            }
            (None, _) => {
                let names = challenges.iter().map(Challenge::scheme).collect::<Vec<_>>();
                let names = names.join(", ");
                let (names, usable) = (shown(names.as_bytes()), self.usable());
                format!("credentials are asked for by {names}; usable here: {usable}")
            }
        };
        self.give_up(dialog, what)
    }

    fn give_up(&mut self, dialog: &mut Dialog, what: String) -> Verdict {
        self.forget(dialog);
        let fault = Fault::new(Culprit::PeerIncompatible, Reason::Authentication, what);
        Verdict::GiveUp(fault.remedy("check the credentials, and which schemes are allowed"))
    }

    /// The next request begins without any knowledge.
    fn forget(&mut self, dialog: &mut Dialog) {
        self.offers.clear();
        (self.refused, self.stale) = (Schemes::NONE, 0);
        *dialog = Dialog::new();
    }

    /// The last token of Negotiate; whether the peer has proven who it is.
    fn conclude(
        &self,
        dialog: &mut Dialog,
        fields: &Fields,
        cx: &mut Cx<'_>,
    ) -> Result<bool, Fault> {
        if dialog.established {
            return Ok(true);
        }
        let challenges = Challenge::parse(fields.all(self.party.challenge_field()));
        let token = negotiate_token(&challenges);
        let (Some(context), Some(token)) = (dialog.context.as_mut(), token) else {
            dialog.established = true;
            cx.note("auth", || "the peer has not proven who it is".to_owned());
            return Ok(false);
        };
        match context.step(Some(&token), cx)? {
            Step::Done(_) => {
                dialog.established = true;
                let mechanism = context.mechanism();
                cx.note("auth", || {
                    format!("the peer has proven who it is, by {mechanism}")
                });
                Ok(true)
            }
            _ => {
                let what = "the peer accepts before the security context is complete";
                Err(Fault::misbehaved(Reason::Authentication, what))
            }
        }
    }

    /// `Authentication-Info` (RFC 7616 section 3.5).
    fn proof(
        &mut self,
        sent: &digest::Sent,
        fields: &Fields,
        body: Option<&[u8]>,
    ) -> Result<bool, Fault> {
        let info: Vec<_> = fields
            .all(self.party.info_field())
            .flat_map(parse_info)
            .collect();
        let proven = sent.verify(&info, body)?;
        let digest = self.offers.iter_mut().find_map(Offer::digest_mut);
        if let Some(digest) = digest.filter(|digest| digest.realm() == sent.realm) {
            digest.proven = true;
            if let Some((_, nonce)) = info.iter().find(|(name, _)| name == "nextnonce") {
                digest.next_nonce(nonce);
            }
        }
        Ok(proven)
    }
}

/// Where the party gives the same nonce again, its use is counted on.
fn carry_on(offers: &mut [Offer], before: &[Offer]) {
    for digest in offers.iter_mut().filter_map(Offer::digest_mut) {
        for old in before.iter().filter_map(Offer::digest) {
            digest.carry_on(old);
        }
    }
}

/// Padding or its lack does not matter to anybody.
fn negotiate_token(challenges: &[Challenge]) -> Option<Vec<u8>> {
    let challenge = challenges.iter().find(|one| one.scheme() == "negotiate")?;
    STANDARD.decode(challenge.token68()?).ok()
}

fn shown(text: &[u8]) -> String {
    text[..text.len().min(SHOWN)].escape_ascii().to_string()
}

/// Without secrets.
impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("party", &self.party)
            .field("host", &self.host)
            .field("credentials", &self.credentials)
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}
