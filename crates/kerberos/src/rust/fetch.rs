//! The way to a service's ticket (RFC 4120 section 3.3), through other realms where it leads
//! there (RFC 6806 section 8), and to one that the service may use for us.

use std::sync::Arc;
use std::time::SystemTime;

use sockless_core::{Culprit, Fault, Reason};

use super::asn1::{Der, NAME_HOST, NAME_INSTANCE};
use super::crypto::{Enctype, Key};
use super::login::{SKEW, TOO_BIG, about, granting, granting_of};
use super::messages::{
    Answer, Authenticator, Body, CANONICALIZE, FORWARDABLE, FORWARDED, Grant, OK_AS_DELEGATE,
    Refusal, Stamp, session_key, ticket_proof, ticket_request, usage,
};
use super::{Own, Shared, ahead, done, lock};
use crate::Principal;
use crate::ccache::Stored;
use crate::provider::{Conversation, Delegation, Turn};

/// Realms on the way.
const HOPS: usize = 10;

/// What clocks may differ by for KDCs, in microseconds (RFC 4120 section 1.6).
const TOLERANCE: u64 = 300_000_000;

pub(super) struct Fetch {
    own: Shared,
    /// In the realm where it is thought to be.
    service: Principal,
    /// Logins when it began: another one's tickets are not mixed in.
    logins: u64,
    /// What is asked now; none: nothing has been.
    asked: Option<Asked>,
    /// Realms that were asked, the first one first.
    visited: Vec<String>,
    /// Each KDC on the way has said that the next one may be trusted with tickets to hand on.
    trusted: bool,
    /// The service's ticket, while the one to hand on is fetched.
    got: Option<Arc<Stored>>,
    /// What the clock of the KDC that is asked now is ahead by, as its refusal says.
    supposed: Option<i64>,
}

/// One question.
struct Asked {
    server: Principal,
    by: Arc<Stored>,
    forwarded: bool,
    nonce: u32,
    subkey: Key,
    message: Der,
    corrected: bool,
    streamed: bool,
}

impl Fetch {
    pub(super) fn new(own: Shared, service: Principal) -> Self {
        let logins = lock(&own).logins;
        Self {
            own,
            service,
            logins,
            asked: None,
            visited: Vec::new(),
            trusted: true,
            got: None,
            supposed: None,
        }
    }
}

impl Conversation for Fetch {
    fn step(&mut self, answer: &[u8], wall: SystemTime) -> Result<Turn, Fault> {
        let own = Arc::clone(&self.own);
        let mut own = lock(&own);
        let turn = self.answered(&mut own, answer, wall);
        turn.or_else(|fault| self.without(&own, fault))
    }

    fn unanswered(&mut self, fault: Fault) -> Result<Turn, Fault> {
        let own = Arc::clone(&self.own);
        self.without(&lock(&own), fault)
    }
}

impl Fetch {
    fn answered(&mut self, own: &mut Own, answer: &[u8], wall: SystemTime) -> Result<Turn, Fault> {
        let Some(asked) = self.asked.take() else {
            return self.begin(own, wall);
        };
        let read = Answer::read(answer);
        match read.map_err(|fault| about(fault, &format!("the ticket {}", asked.server)))? {
            Answer::Refused(refusal) => self.refused(own, asked, &refusal, wall),
            Answer::Granted(grant) => self.granted(own, &asked, &grant, wall),
        }
    }

    /// One to hand on cannot be had: the service's is good by itself, unless both are wanted.
    fn without(&mut self, own: &Own, fault: Fault) -> Result<Turn, Fault> {
        match (own.delegation, self.got.take()) {
            (Delegation::Policy, Some(got)) => Ok(done(got)),
            _ => Err(fault),
        }
    }

    fn begin(&mut self, own: &mut Own, wall: SystemTime) -> Result<Turn, Fault> {
        let home = own.client.realm().to_owned();
        let wanted = self.service.realm().to_owned();
        let known = own.granting.get(&wanted).cloned();
        let known = known.filter(|ticket| own.is_good(ticket, wall));
        let ticket = known.map(|ticket| (wanted, ticket));
        let ticket = ticket.or_else(|| Some((home.clone(), own.granting.get(&home)?.clone())));
        let Some((realm, ticket)) = ticket else {
            let what = format!("{} has no ticket to get tickets with", own.client);
            return Err(crate::code::fault(32, &what));
        };
        self.visited.push(realm.clone());
        self.trusted = ticket.server.grants_tickets_of(&home) || is_trusted(&ticket);
        self.ask_in(own, &realm, ticket, wall)
    }

    /// Asks a realm's KDC for the service, or for the way to it.
    fn ask_in(
        &mut self,
        own: &mut Own,
        realm: &str,
        by: Arc<Stored>,
        wall: SystemTime,
    ) -> Result<Turn, Fault> {
        let server = match self.service.realm() == realm {
            true => self.service.clone(),
            false => granting_of(self.service.realm(), realm)?,
        };
        self.ask(own, server, by, false, wall)
    }

    fn ask(
        &mut self,
        own: &mut Own,
        server: Principal,
        by: Arc<Stored>,
        forwarded: bool,
        wall: SystemTime,
    ) -> Result<Turn, Fault> {
        let nonce = own.random.number();
        let subkey = Key::drawn(session_key(&by)?.enctype(), &mut own.random);
        let asked = Asked {
            server,
            by,
            forwarded,
            nonce,
            subkey,
            message: Der::default(),
            corrected: false,
            streamed: false,
        };
        self.send(own, asked, wall)
    }

    fn send(&mut self, own: &mut Own, mut asked: Asked, wall: SystemTime) -> Result<Turn, Fault> {
        let grants = asked.server.components().first().map(String::as_str) == Some("krbtgt");
        let body = Body {
            options: match asked.forwarded {
                true => FORWARDABLE | FORWARDED,
                false => CANONICALIZE,
            },
            client: None,
            server: &asked.server,
            server_kind: if grants { NAME_INSTANCE } else { NAME_HOST },
            until: asked.by.times[2].into(),
            nonce: asked.nonce,
            enctypes: &Enctype::ALL,
        }
        .encode();
        let key = session_key(&asked.by)?;
        let checksum = key.signer(usage::BODY).sign(&[&body]);
        let authenticator = Authenticator {
            client: &own.client.clone(),
            checksum: (key.enctype().checksum().into(), &checksum),
            now: own.now(wall, self.supposed),
            subkey: &asked.subkey,
            number: None,
        };
        let proof = ticket_proof(&asked.by, &authenticator, false, &mut own.random)?;
        asked.message = ticket_request(&body, &proof);
        Ok(self.put(asked))
    }

    fn put(&mut self, asked: Asked) -> Turn {
        let turn = Turn::Ask {
            // Whose KDC the ticket is for.
            realm: asked.server.realm().to_owned(),
            message: asked.message.clone(),
            stream: asked.streamed,
        };
        self.asked = Some(asked);
        turn
    }

    fn refused(
        &mut self,
        own: &mut Own,
        mut asked: Asked,
        refusal: &Refusal<'_>,
        wall: SystemTime,
    ) -> Result<Turn, Fault> {
        match (refusal.code, refusal.time) {
            (SKEW, Some(time)) if !asked.corrected => {
                asked.corrected = true;
                self.supposed = Some(ahead(time, wall));
                self.send(own, asked, wall)
            }
            (TOO_BIG, _) if !asked.streamed => {
                asked.streamed = true;
                Ok(self.put(asked))
            }
            _ => {
                let what = match asked.forwarded {
                    true => format!("the ticket of {} to hand on", own.client),
                    false => format!("the ticket {}", asked.server),
                };
                Err(refusal.fault(&what))
            }
        }
    }

    fn granted(
        &mut self,
        own: &mut Own,
        asked: &Asked,
        grant: &Grant<'_>,
        wall: SystemTime,
    ) -> Result<Turn, Fault> {
        let doing = format!("the ticket {}", asked.server);
        let stored = grant
            .open(&asked.subkey, &own.client, None, asked.nonce)
            .map_err(|fault| about(fault, &doing))?;
        let stored = Arc::new(stored);
        // The KDC has taken the time that it had told: it holds for that realm, and for more if that is ours.
        if let Some(supposed) = self.supposed.take()
            && asked.by.server.grants_tickets_of(own.client.realm())
        {
            own.correct(settled(supposed, &stored, wall), wall);
        }
        if asked.forwarded {
            return self.handed(own, asked, stored);
        }
        let realm = asked.server.realm();
        let leads = match stored.server.components() {
            [krbtgt, to] if krbtgt == "krbtgt" && stored.server.realm() == realm => {
                Some(to.clone())
            }
            _ => None,
        };
        match leads {
            Some(to) => self.lead_on(own, asked, &to, stored, wall),
            // KDCs call services by other names of theirs, never by those of other realms.
            None if stored.server.realm() == realm && asked.server == self.service => {
                self.serve(own, stored, wall)
            }
            None => {
                let what = format!("{doing} was asked for, and {} came", stored.server);
                Err(crate::code::fault(41, &what))
            }
        }
    }

    /// A ticket for another realm's KDC has come.
    fn lead_on(
        &mut self,
        own: &mut Own,
        asked: &Asked,
        to: &str,
        stored: Arc<Stored>,
        wall: SystemTime,
    ) -> Result<Turn, Fault> {
        if self.visited.len() >= HOPS || self.visited.iter().any(|had| had == to) {
            let way = self.visited.join(" -> ");
            let what = format!("the realms lead in a circle: {way} -> {to}");
            return Err(Fault::misbehaved(Reason::Authentication, what)
                .remedy("name the service's realm, e.g. in krb5.conf under [domain_realm]"));
        }
        self.visited.push(to.to_owned());
        if self.logins == own.logins {
            own.keep(to, &stored);
        }
        if asked.server == self.service {
            // It is not here, but there.
            let components = self.service.components().to_vec();
            let service = Principal::new(components, to.to_owned());
            self.service = service.map_err(|why| {
                let what = format!("a realm that a KDC refers to is none: {why}");
                Fault::misbehaved(Reason::Malformed, what)
            })?;
        }
        // Back at home the ticket of there is good for more.
        let home = own.granting.get(own.client.realm()).cloned();
        let home = home.filter(|_| to == own.client.realm());
        // What our own KDC says of its own services counts, whoever has led back to it.
        self.trusted = home.is_some() || (self.trusted && is_trusted(&stored));
        self.ask_in(own, to, home.unwrap_or(stored), wall)
    }

    /// The service's ticket has come; one to hand on may still be lacking.
    fn serve(
        &mut self,
        own: &mut Own,
        mut stored: Arc<Stored>,
        wall: SystemTime,
    ) -> Result<Turn, Fault> {
        if !self.trusted {
            // The flag is that of the service's own realm, which trusts itself.
            Arc::make_mut(&mut stored).flags &= !OK_AS_DELEGATE;
        }
        let home = own.granting.get(own.client.realm()).cloned();
        let hands_on = delegates(own.delegation, &stored);
        let has = own
            .forwarded
            .as_ref()
            .is_some_and(|one| own.is_good(one, wall));
        match home {
            Some(home) if hands_on && !has && self.logins == own.logins => {
                if home.flags & FORWARDABLE == 0 {
                    return match own.delegation {
                        Delegation::Always => Err(not_forwardable(&own.client)),
                        _ => Ok(done(stored)),
                    };
                }
                self.got = Some(stored);
                let server = granting(&own.client)?;
                self.ask(own, server, home, true, wall)
            }
            _ => Ok(done(stored)),
        }
    }

    /// The ticket to hand on has come.
    fn handed(&mut self, own: &mut Own, asked: &Asked, stored: Arc<Stored>) -> Result<Turn, Fault> {
        if stored.server != asked.server || stored.flags & FORWARDED == 0 {
            return Err(crate::code::fault(
                41,
                "the KDC gives another ticket than one to hand on",
            ));
        }
        if self.logins == own.logins {
            own.forwarded = Some(stored);
        }
        self.got.take().map(done).ok_or_else(|| {
            let what = "a ticket to hand on, and none for whom";
            Fault::new(Culprit::Misuse, Reason::Misuse, what)
        })
    }
}

/// A clock's difference that was supposed and taken: KDCs take what is minutes off. The ticket says when it begins,
/// and its key vouches for that.
fn settled(supposed: i64, ticket: &Stored, wall: SystemTime) -> i64 {
    let [issued, begins, ..] = ticket.times;
    let seconds = begins.into();
    let proven = ahead(Stamp { seconds, micros: 0 }, wall);
    // One that begins when the user had logged in may leave out when that is.
    match begins > issued && proven.abs_diff(supposed) <= TOLERANCE {
        true => proven,
        false => supposed,
    }
}

/// Whether the KDC that has given a ticket says that whoever it is for may be trusted with the user's (RFC 4120
/// section 2.8). In one for another realm's KDC it is what the flags are worth that come from there.
fn is_trusted(ticket: &Stored) -> bool {
    ticket.flags & OK_AS_DELEGATE != 0
}

/// Whether a service gets a ticket to use for us.
pub(super) fn delegates(delegation: Delegation, ticket: &Stored) -> bool {
    match delegation {
        Delegation::None => false,
        Delegation::Policy => is_trusted(ticket),
        Delegation::Always => true,
    }
}

fn not_forwardable(client: &Principal) -> Fault {
    let what = format!("the tickets of {client} may not be handed on: they are not forwardable");
    Fault::new(Culprit::Policy, Reason::Authentication, what)
        .remedy("get forwardable ones, e.g. by kinit -f, or do without delegation")
}
