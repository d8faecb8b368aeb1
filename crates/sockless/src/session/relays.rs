//! Questions of layers that a party can answer which the engine's operations reach: an agent.

use std::collections::HashMap;
use std::time::Duration;

use sockless_core::{
    Answer, Ask, Buf, Endpoint, Event, Key, Options, Plain, Question, QuestionId, Raw, Route,
    Target, TransferId,
};
use zeroize::Zeroizing;

use super::Session;

/// Messages under way, by the byte stream that carries each.
pub(super) type Relays = HashMap<TransferId, Relay>;

/// One message to a party, and what has come back.
pub(super) struct Relay {
    asker: TransferId,
    question: QuestionId,
    heard: Zeroizing<Vec<u8>>,
}

/// The largest answer; OpenSSH's agents give no longer ones.
const MOST: usize = 256 * 1024;

/// A party on this machine that says nothing for that long is none. It may ask a person
/// whether a key may be used, so this is not short.
const PATIENCE: Duration = Duration::from_secs(120);

impl Session {
    /// Keeps what concerns relays, and gives on what does not.
    pub(super) fn relayed(&mut self, hop: TransferId, event: Event) -> Option<Event> {
        match event {
            Event::Asked(Question {
                id,
                ask: Ask::Relay { to, request },
                ..
            }) => {
                self.relay(hop, id, &to, &request);
                None
            }
            event if self.relays.contains_key(&hop) => {
                self.heard(hop, event);
                None
            }
            event => Some(event),
        }
    }

    fn relay(&mut self, asker: TransferId, question: QuestionId, to: &Endpoint, request: &[u8]) {
        let target = match to {
            Endpoint::Unix(path) => Target::Unix(path.clone()),
            Endpoint::Tcp(address) => Target::Addresses(vec![*address]),
            other => {
                let why = format!("{other} carries no stream");
                return self.tell(asker, question, Answer::None(why));
            }
        };
        let key = Key {
            target,
            local: None,
            protocol: "relay",
            layers: Vec::new(),
        };
        let recipe = Box::new(Plain);
        let mut options = Options::default();
        (options.fresh_connection, options.forbid_reuse) = (true, true);
        // Who asks has a place, perhaps the only one.
        options.beyond_limits = true;
        options.timeouts.total = Some(PATIENCE);
        let route = Route { key, recipe };
        let id = self.engine.add(route.into(), Box::new(Raw::new()), options);
        let mut message = Buf::with_capacity(4 + request.len());
        let len = u32::try_from(request.len()).unwrap_or(u32::MAX);
        message.extend_from_slice(&len.to_be_bytes());
        message.extend_from_slice(request);
        // A stream that was just added takes its first bytes.
        let _ = self.engine.send_body(id, message);
        let relay = Relay {
            asker,
            question,
            heard: Zeroizing::default(),
        };
        self.relays.insert(id, relay);
    }

    fn heard(&mut self, id: TransferId, event: Event) {
        let Some(relay) = self.relays.get_mut(&id) else {
            return;
        };
        let answer = match event {
            Event::Data(piece) => {
                relay.heard.extend_from_slice(&piece);
                message(&relay.heard)
            }
            Event::PeerFinished => Some(Answer::None("it hung up".into())),
            Event::Done { outcome, .. } => {
                let Some(relay) = self.relays.remove(&id) else {
                    return;
                };
                let why = outcome.err().map(|error| error.to_string());
                // Where the answer has been given this finds nobody who waits.
                let why = why.unwrap_or_else(|| "it said nothing".into());
                return self.tell(relay.asker, relay.question, Answer::None(why));
            }
            _ => None,
        };
        if let Some(answer) = answer {
            let (asker, question) = (relay.asker, relay.question);
            self.tell(asker, question, answer);
            self.engine.cancel(id);
        }
    }

    /// Nobody waits any more where the asker has ended.
    fn tell(&mut self, asker: TransferId, question: QuestionId, answer: Answer) {
        let _ = self.engine.answer(asker, question, answer);
    }
}

/// The message behind its length in four bytes, once it is whole.
fn message(heard: &[u8]) -> Option<Answer> {
    let (length, rest) = heard.split_first_chunk()?;
    let length = u32::from_be_bytes(*length) as usize;
    if length > MOST {
        let why = format!("its answer is said to have {length} bytes, and {MOST} are the most");
        return Some(Answer::None(why));
    }
    let message = rest.get(..length)?;
    Some(Answer::Bytes(message.to_vec().into()))
}
