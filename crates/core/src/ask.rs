//! Questions of layers: what only the application, or a party that only it can reach, knows.
//!
//! A layer asks through [`Cx::ask`](crate::Cx::ask) and goes on with everything else; the
//! application gets [`Event::Asked`](crate::Event::Asked) and answers with
//! [`Engine::answer`](crate::Engine::answer); the layer finds the answer in its next pump.

use core::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::Endpoint;

/// Names one question; unique in its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionId(u64);

impl QuestionId {
    /// The id as one number.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The id that [`QuestionId::as_u64`] was taken from.
    pub fn from_u64(raw: u64) -> Self {
        Self(raw)
    }
}

/// A question of a layer's.
#[derive(Debug)]
pub struct Question {
    /// What an answer is given to.
    pub id: QuestionId,
    /// The layer that asks, e.g. `ssh`.
    pub layer: &'static str,
    /// What it wants to know.
    pub ask: Ask,
}

/// What a layer wants to know.
#[non_exhaustive]
pub enum Ask {
    /// Whether this key is the peer's: [`Answer::Yes`] or [`Answer::No`].
    PeerKey(Box<PeerKey>),
    /// What a person would type: [`Answer::Texts`], one for each prompt.
    Prompts(Box<Prompts>),
    /// What the party at `to` answers to `request`: [`Answer::Bytes`]. Both ways a message has
    /// its length in front, in four bytes, big-endian; they are not part of `request` and answer.
    Relay {
        /// Who is asked.
        to: Endpoint,
        /// The message.
        request: Zeroizing<Vec<u8>>,
    },
}

/// No message, and no answer, is shown: they may be secret.
impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerKey(key) => f.debug_tuple("PeerKey").field(key).finish(),
            Self::Prompts(prompts) => f.debug_tuple("Prompts").field(prompts).finish(),
            Self::Relay { to, request } => {
                write!(f, "Relay({} bytes to {to})", request.len())
            }
        }
    }
}

/// A peer's key that nobody vouches for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerKey {
    /// The peer, as it was asked for.
    pub host: Arc<str>,
    /// Its port.
    pub port: u16,
    /// The key's algorithm, e.g. `ssh-ed25519`.
    pub algorithm: String,
    /// The key as the protocol has it on the wire.
    pub key: Vec<u8>,
    /// Its SHA-256 fingerprint, e.g. `SHA256:...` in base64 without padding.
    pub sha256: String,
    /// Its MD5 fingerprint, in hexadecimal with colons.
    pub md5: String,
}

impl PeerKey {
    /// A key, and its fingerprints as people compare them.
    pub fn new(
        (host, port): (Arc<str>, u16),
        algorithm: impl Into<String>,
        key: Vec<u8>,
        [sha256, md5]: [String; 2],
    ) -> Self {
        Self {
            host,
            port,
            algorithm: algorithm.into(),
            key,
            sha256,
            md5,
        }
    }
}

/// What the peer wants to be typed, e.g. by SSH's keyboard-interactive (RFC 4256).
#[derive(Clone, Debug, Default)]
pub struct Prompts {
    /// Who is asked: the user's name at the peer.
    pub user: String,
    /// A heading; may be empty.
    pub name: String,
    /// What to do; may be empty.
    pub instruction: String,
    /// The prompts, in order; none: the text above is only to be shown.
    pub prompts: Vec<Prompt>,
}

/// One line that is to be typed.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The text in front. It comes from the peer: escape it before it is shown.
    pub text: String,
    /// Whether what is typed may be seen.
    pub echo: bool,
}

/// An answer to a question.
#[non_exhaustive]
pub enum Answer {
    /// It is so.
    Yes,
    /// It is not so.
    No,
    /// A line for each prompt.
    Texts(Vec<Zeroizing<String>>),
    /// A party's message.
    Bytes(Zeroizing<Vec<u8>>),
    /// There is no answer, for this reason.
    None(String),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("Yes"),
            Self::No => f.write_str("No"),
            Self::Texts(texts) => write!(f, "Texts({})", texts.len()),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::None(why) => f.debug_tuple("None").field(why).finish(),
        }
    }
}

/// The questions of one stack's layers, and the answers on their way back.
#[derive(Debug, Default)]
pub struct Asks {
    last: u64,
    asked: Vec<Question>,
    open: Vec<QuestionId>,
    answers: Vec<(QuestionId, Answer)>,
}

impl Asks {
    /// No question yet.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn ask(&mut self, layer: &'static str, ask: Ask) -> QuestionId {
        self.last += 1;
        let id = QuestionId(self.last);
        self.open.push(id);
        self.asked.push(Question { id, layer, ask });
        id
    }

    pub(crate) fn take(&mut self, id: QuestionId) -> Option<Answer> {
        let at = self.answers.iter().position(|(to, _)| *to == id)?;
        Some(self.answers.remove(at).1)
    }

    /// The next question that nobody has seen.
    pub fn pop(&mut self) -> Option<Question> {
        match self.asked.is_empty() {
            true => None,
            false => Some(self.asked.remove(0)),
        }
    }

    /// Takes the answer to a question; `false` if none like that is open.
    pub fn answer(&mut self, id: QuestionId, answer: Answer) -> bool {
        let Some(at) = self.open.iter().position(|open| *open == id) else {
            return false;
        };
        self.open.remove(at);
        self.answers.push((id, answer));
        true
    }

    /// Whether an answer is owed.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Ids go on from there: several stacks of an engine have no id in common.
    pub(crate) fn go_on_from(&mut self, last: u64) {
        self.last = self.last.max(last);
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }
}
