//! One login, or the way to one ticket, as an errand.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use sockless_core::{Culprit, Errand, Fault, Inquiry, Need, Protocol, Reason};

use crate::lookup::{Heard, Lookup, Waiting};
use crate::provider::{Conversation, SERVICES, State, Ticket, Turn, Validity, lock};

/// Questions in one errand: referrals lead on, but not for ever.
const QUESTIONS: usize = 32;

/// A conversation, until it has brought its ticket.
pub(crate) struct Fetching {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) conversation: Box<dyn Conversation>,
    /// The search for those that the next question is for.
    pub(crate) lookup: Option<Lookup>,
    /// The realm whose KDCs were asked last.
    pub(crate) asked: Option<String>,
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    /// Logins when it began.
    pub(crate) logins: u64,
    pub(crate) questions: usize,
}

pub(crate) enum Kind {
    Login,
    /// The ticket, by `service/host`.
    Ticket(String),
}

impl Errand for Fetching {
    fn step(
        &mut self,
        answer: Option<Result<&[u8], Fault>>,
        wall: SystemTime,
    ) -> Result<Need, Fault> {
        let need = self.go_on(answer, wall);
        self.questions += 1;
        need.map_err(|fault| {
            self.forget();
            lock(&self.state).fail(Arc::clone(&self.name), fault, wall)
        })
    }
}

impl Fetching {
    fn go_on(
        &mut self,
        answer: Option<Result<&[u8], Fault>>,
        wall: SystemTime,
    ) -> Result<Need, Fault> {
        let unanswered = match (answer.transpose(), self.lookup.take()) {
            (Ok(answer), None) => {
                let turn = self.conversation.step(answer.unwrap_or_default(), wall)?;
                self.turn(turn, wall)
            }
            (Ok(answer), Some(lookup)) => self.looked_up(lookup, answer.unwrap_or_default(), wall),
            (Err(fault), lookup) => {
                self.lookup = lookup;
                Err(fault)
            }
        };
        unanswered.or_else(|fault| {
            self.forget();
            self.end_lookup();
            let turn = self.conversation.unanswered(fault)?;
            self.turn(turn, wall)
        })
    }

    /// What name servers have told of those who were asked last has not helped.
    fn forget(&mut self) {
        if let Some(realm) = self.asked.take() {
            lock(&self.state).found.forget(&realm);
        }
    }

    fn end_lookup(&mut self) {
        if let Some(lookup) = self.lookup.take() {
            lock(&self.state).ids.give_back(lookup.id);
        }
    }

    fn turn(&mut self, turn: Turn, wall: SystemTime) -> Result<Need, Fault> {
        match turn {
            Turn::Ask { .. } if self.questions >= QUESTIONS => {
                let what = format!("the KDCs have led on {QUESTIONS} times without a ticket");
                Err(Fault::new(Culprit::Limit, Reason::Authentication, what))
            }
            Turn::Ask {
                realm,
                message,
                stream,
            } => self.ask(
                Waiting {
                    realm,
                    message,
                    stream,
                },
                wall,
            ),
            Turn::Done {
                service,
                lifetime,
                stored,
            } => {
                let validity = Validity::from(wall, lifetime);
                let ticket = Ticket {
                    service,
                    validity,
                    stored,
                };
                self.done(ticket);
                Ok(Need::Nothing)
            }
        }
    }

    /// Asks KDCs, or first where they are.
    fn ask(&mut self, waiting: Waiting, wall: SystemTime) -> Result<Need, Fault> {
        let mut state = lock(&self.state);
        let known = match state.found.kdcs(&waiting.realm, wall) {
            Some(kdcs) => Ok(kdcs),
            None => state.realms.kdcs(&waiting.realm),
        };
        match (known, state.realms.name_servers()) {
            (Ok(kdcs), _) => {
                self.asked = Some(waiting.realm.clone());
                Ok(Need::Ask(Inquiry {
                    kdcs,
                    realm: waiting.realm.into(),
                    protocol: Protocol::Kerberos,
                    message: waiting.message,
                    stream: waiting.stream,
                }))
            }
            (Err(_), Some(name_servers)) => {
                let id = state.ids.draw(&waiting.realm, wall);
                let lookup = self.lookup.insert(Lookup::new(waiting, id));
                lookup.inquiry(name_servers).map(Need::Ask)
            }
            (Err(fault), None) => Err(fault),
        }
    }

    /// A name server has answered.
    fn looked_up(
        &mut self,
        mut lookup: Lookup,
        answer: &[u8],
        wall: SystemTime,
    ) -> Result<Need, Fault> {
        lock(&self.state).ids.give_back(lookup.id);
        match lookup.heard(answer)? {
            Heard::Found(kdcs, lasts) => {
                let realm = &lookup.waiting.realm;
                lock(&self.state).found.learn(realm, kdcs, lasts, wall);
            }
            Heard::Again => {
                let mut state = lock(&self.state);
                lookup.id = state.ids.draw(&lookup.waiting.realm, wall);
                let name_servers = state.realms.name_servers();
                let lookup = self.lookup.insert(lookup);
                let inquiry = lookup.inquiry(name_servers.unwrap_or_default());
                return inquiry.map(Need::Ask);
            }
        }
        self.ask(lookup.waiting, wall)
    }

    fn done(&self, ticket: Ticket) {
        let mut state = lock(&self.state);
        state.failures.remove(&self.name);
        match &self.kind {
            Kind::Login => {
                state.login = Some(ticket.validity);
                state.logins += 1;
                // They are where the login before was.
                state.tickets.clear();
            }
            // Whoever waits for it sees that it is lacking, and has it fetched again.
            Kind::Ticket(_) if self.logins != state.logins => {}
            Kind::Ticket(key) => {
                if state.tickets.len() >= SERVICES {
                    state.tickets.clear();
                }
                state.tickets.insert(key.clone(), ticket);
            }
        }
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.end_lookup();
    }
}
