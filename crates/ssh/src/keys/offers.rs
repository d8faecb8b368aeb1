//! One login: asks the agent what it has, offers one key after another, signs.

use std::collections::VecDeque;
use std::sync::Arc;

use sockless_core::{Answer, Ask, Cx, Endpoint, Prompt, Prompts, QuestionId};
use zeroize::Zeroizing;

use super::identities::{By, Candidate, Identities, Locked, Private};
use super::sign::{algorithms, plain};
use super::{BadKey, KeyFile, PrivateKey};
use crate::agent;
use crate::login::{Offer, Offers, Signer, Signing};

const LAYER: &str = "ssh";
/// How often a passphrase is asked for.
const PASSPHRASES: u32 = 3;

/// What is left to offer in one login.
pub(super) enum Login {
    /// The agent has not been asked.
    New(Identities),
    /// It has been.
    Asked(Identities, QuestionId),
    Ordered(VecDeque<Candidate>),
}

impl Login {
    pub(super) fn new(identities: Identities) -> Self {
        Self::New(identities)
    }

    fn ordered(identities: &Identities, held: &[agent::AgentKey]) -> Self {
        Self::Ordered(identities.order(held).into())
    }
}

impl Offers for Login {
    fn next(&mut self, cx: &mut Cx<'_>) -> Offer {
        if let Self::New(identities) = self {
            let asked = identities.agent.clone().and_then(|to| {
                let request = Zeroizing::new(agent::list());
                cx.ask(LAYER, Ask::Relay { to, request })
            });
            *self = match asked {
                Some(id) => Self::Asked(core::mem::take(identities), id),
                None => Self::ordered(identities, &[]),
            };
        }
        if let Self::Asked(identities, id) = self {
            let Some(answer) = cx.answer(*id) else {
                return Offer::Asked;
            };
            let held = held(answer).unwrap_or_else(|why| {
                cx.note(LAYER, || format!("no keys from the agent: {why}"));
                Vec::new()
            });
            *self = Self::ordered(identities, &held);
        }
        let Self::Ordered(candidates) = self else {
            return Offer::End;
        };
        match candidates.pop_front() {
            None => Offer::End,
            Some(candidate) => Offer::Key(signer(candidate)),
        }
    }
}

/// What the agent has.
fn held(answer: Answer) -> Result<Vec<agent::AgentKey>, String> {
    agent::listed(&bytes(answer)?).map_err(|why| why.to_string())
}

/// The agent's message.
fn bytes(answer: Answer) -> Result<Zeroizing<Vec<u8>>, String> {
    match answer {
        Answer::Bytes(bytes) => Ok(bytes),
        Answer::None(why) => Err(why),
        _ => Err("the application answered something else".to_owned()),
    }
}

fn signer(candidate: Candidate) -> Box<dyn Signer> {
    let Candidate {
        name,
        public,
        signs,
        by,
    } = candidate;
    match by {
        By::Agent(to) => Box::new(InAgent {
            name,
            public,
            signs,
            to,
            asked: None,
        }),
        By::Private(private) => Box::new(Local {
            name,
            public,
            signs,
            private,
            asked: None,
            tries: 0,
        }),
    }
}

/// A key whose private half is with the agent.
struct InAgent {
    name: String,
    public: Vec<u8>,
    signs: Vec<u8>,
    to: Endpoint,
    asked: Option<QuestionId>,
}

impl Signer for InAgent {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn algorithms(&self) -> Vec<&'static str> {
        algorithms(&self.public).to_vec()
    }

    fn sign(&mut self, data: &[u8], algorithm: &str, cx: &mut Cx<'_>) -> Signing {
        let algorithm = plain(algorithm);
        let Some(id) = self.asked else {
            let to = self.to.clone();
            let request = Zeroizing::new(agent::sign(&self.signs, data, &algorithm));
            self.asked = cx.ask(LAYER, Ask::Relay { to, request });
            return match self.asked {
                Some(_) => Signing::Asked,
                None => Signing::Failed("nobody reaches the agent".to_owned()),
            };
        };
        let Some(answer) = cx.answer(id) else {
            return Signing::Asked;
        };
        self.asked = None;
        let signature = bytes(answer)
            .and_then(|answer| agent::signed(&answer, &algorithm).map_err(|why| why.to_string()));
        signature.map_or_else(Signing::Failed, Signing::Done)
    }
}

/// A key whose private half is here, perhaps encrypted.
struct Local {
    name: String,
    public: Vec<u8>,
    signs: Vec<u8>,
    private: Private,
    asked: Option<QuestionId>,
    tries: u32,
}

impl Local {
    /// Asks for the passphrase, and decrypts with it. `Err`: not there yet, or no use.
    fn unlock(&mut self, locked: &Locked, cx: &mut Cx<'_>) -> Result<Arc<PrivateKey>, Signing> {
        loop {
            let Some(id) = self.asked else {
                self.asked = cx.ask(LAYER, Ask::Prompts(Box::new(self.prompt())));
                return Err(match self.asked {
                    Some(_) => Signing::Asked,
                    None => Signing::Failed(BadKey::Encrypted.to_string()),
                });
            };
            let Some(answer) = cx.answer(id) else {
                return Err(Signing::Asked);
            };
            self.asked = None;
            self.tries += 1;
            let Some(passphrase) = typed(answer) else {
                return Err(Signing::Failed("no passphrase was given".to_owned()));
            };
            let file = KeyFile {
                name: &self.name,
                text: &locked.text,
                min_rsa_bits: locked.min_rsa_bits,
            };
            match file.read(Some(passphrase.as_bytes())) {
                Ok(key) if key.public() == self.signs => return Ok(Arc::new(key)),
                Ok(_) => {
                    let why = "its public half is another key's";
                    return Err(Signing::Failed(why.to_owned()));
                }
                Err(BadKey::WrongPassphrase) if self.tries < PASSPHRASES => {}
                Err(why) => return Err(Signing::Failed(why.to_string())),
            }
        }
    }

    fn prompt(&self) -> Prompts {
        let again = match self.tries {
            0 => "",
            _ => ", again",
        };
        let mut prompts = Prompts::default();
        prompts.prompts.push(Prompt {
            text: format!("Passphrase of key {}{again}: ", self.name),
            echo: false,
        });
        prompts
    }
}

fn typed(answer: Answer) -> Option<Zeroizing<String>> {
    match answer {
        Answer::Texts(mut texts) if texts.len() == 1 => texts.pop(),
        _ => None,
    }
}

impl Signer for Local {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn algorithms(&self) -> Vec<&'static str> {
        algorithms(&self.public).to_vec()
    }

    fn sign(&mut self, data: &[u8], algorithm: &str, cx: &mut Cx<'_>) -> Signing {
        let key = match self.private.clone() {
            Private::Here(key) => key,
            Private::Locked(locked) => match self.unlock(&locked, cx) {
                Ok(key) => {
                    self.private = Private::Here(Arc::clone(&key));
                    key
                }
                Err(signing) => return signing,
            },
            Private::Elsewhere => return Signing::Failed("its private half is missing".to_owned()),
        };
        match key.sign(data, algorithm) {
            Some(signature) => Signing::Done(signature),
            None => Signing::Failed(format!("it cannot sign with {algorithm}")),
        }
    }
}
