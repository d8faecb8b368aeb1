//! What a user has to log in with, and the order in which it is offered.

use std::sync::Arc;

use sockless_core::Endpoint;
use zeroize::Zeroizing;

use super::offers::Login;
use super::sign::algorithms;
use super::{BadKey, Certificate, KeyFile, PrivateKey, read_public};
use crate::agent::AgentKey;
use crate::login::{Keys, Offers};

/// One key of the user's, with as much of it as is known.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its file's name, for messages and prompts.
    pub(super) name: String,
    /// The public half as it is on the wire.
    pub(super) public: Vec<u8>,
    pub(super) private: Private,
}

/// Where the private half is.
#[derive(Clone)]
pub(super) enum Private {
    Here(Arc<PrivateKey>),
    /// In an encrypted file: the user is asked for its passphrase when it is needed.
    Locked(Arc<Locked>),
    /// With an agent, or nowhere.
    Elsewhere,
}

impl core::fmt::Debug for Private {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Here(_) => "Here",
            Self::Locked(_) => "Locked",
            Self::Elsewhere => "Elsewhere",
        })
    }
}

/// An encrypted file.
pub(super) struct Locked {
    pub(super) text: Zeroizing<Vec<u8>>,
    pub(super) min_rsa_bits: u32,
}

impl Identity {
    /// A key whose private half is at hand.
    pub fn new(key: PrivateKey) -> Self {
        Self {
            name: key.name().to_owned(),
            public: key.public().to_vec(),
            private: Private::Here(Arc::new(key)),
        }
    }

    /// A key whose file may be encrypted. It is read now if that is possible; otherwise the
    /// application is asked for its passphrase, if the server would take the key. For that the
    /// public half has to be known: from the file itself, or from `public`, the text of its
    /// `.pub` file.
    ///
    /// # Errors
    /// The file is of no use; or it is encrypted, and its public half is nowhere.
    pub fn from_file(
        file: KeyFile<'_>,
        passphrase: Option<&[u8]>,
        public: Option<&[u8]>,
    ) -> Result<Self, BadKey> {
        match file.read(passphrase) {
            Err(BadKey::Encrypted) => {}
            key => return key.map(Self::new),
        }
        let given = public.map(read_public).transpose()?;
        let public = file.public().or(given).ok_or(BadKey::Encrypted)?;
        let locked = Locked {
            text: Zeroizing::new(file.text.to_vec()),
            min_rsa_bits: file.min_rsa_bits,
        };
        Ok(Self {
            name: file.name.to_owned(),
            public,
            private: Private::Locked(Arc::new(locked)),
        })
    }

    /// A key whose private half is with the agent: `text` is that of a `.pub` file.
    ///
    /// # Errors
    /// It is no public key.
    pub fn from_public(name: &str, text: &[u8]) -> Result<Self, BadKey> {
        Ok(Self {
            name: name.to_owned(),
            public: read_public(text)?,
            private: Private::Elsewhere,
        })
    }

    /// The public half as it is on the wire.
    pub fn public(&self) -> &[u8] {
        &self.public
    }
}

/// What a user has to log in with.
///
/// Offered is, in OpenSSH's order: what the agent has of the identities and certificates here,
/// what else it has, then the rest of the identities; a certificate comes before its key.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Identities {
    /// Keys, in order.
    pub keys: Vec<Identity>,
    /// Certificates, in order; each needs its key, here or in the agent.
    pub certificates: Vec<Certificate>,
    /// The agent's socket.
    pub agent: Option<Endpoint>,
    /// Whether the agent's other keys are not offered (IdentitiesOnly): a server gives up
    /// after a few.
    pub only_these: bool,
}

impl Identities {
    /// None, and no agent.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Keys for Identities {
    fn offers(&self) -> Box<dyn Offers> {
        Box::new(Login::new(self.clone()))
    }
}

/// Something to offer, and who signs for it.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) name: String,
    /// The key or certificate.
    pub(super) public: Vec<u8>,
    /// The key that signs, as the agent knows it.
    pub(super) signs: Vec<u8>,
    pub(super) by: By,
}

#[derive(Clone, Debug)]
pub(super) enum By {
    Agent(Endpoint),
    Private(Private),
}

impl Identities {
    /// What is offered, in order; `held`: what the agent has.
    pub(super) fn order(&self, held: &[AgentKey]) -> Vec<Candidate> {
        let mut configured = self.configured();
        let mut ordered = Vec::new();
        if let Some(agent) = &self.agent {
            let mut others = Vec::new();
            for key in held {
                let before = configured.len();
                // A certificate of a key in the agent: the agent signs for it as well.
                let is_its = |one: &Candidate| one.public == key.public || one.signs == key.public;
                for mut own in configured.extract_if(.., |one| is_its(one)) {
                    own.signs.clone_from(&key.public);
                    own.by = By::Agent(agent.clone());
                    ordered.push(own);
                }
                if before == configured.len() && !self.only_these {
                    others.push(Candidate {
                        name: key.comment.escape_debug().to_string(),
                        public: key.public.clone(),
                        signs: key.public.clone(),
                        by: By::Agent(agent.clone()),
                    });
                }
            }
            ordered.append(&mut others);
        }
        ordered.append(&mut configured);
        ordered.retain(|one| {
            let can_sign = !matches!(one.by, By::Private(Private::Elsewhere));
            can_sign && !algorithms(&one.public).is_empty()
        });
        distinct(ordered)
    }

    /// Keys and certificates from here, each certificate before its key.
    fn configured(&self) -> Vec<Candidate> {
        let certificate = |certificate: &Certificate, private: Private| Candidate {
            name: certificate.name.clone(),
            public: certificate.bytes.clone(),
            signs: certificate.key.clone(),
            by: By::Private(private),
        };
        let mut found = Vec::new();
        for identity in &self.keys {
            let own = self.certificates.iter();
            let own = own.filter(|certificate| certificate.key == identity.public);
            found.extend(own.map(|own| certificate(own, identity.private.clone())));
            found.push(Candidate {
                name: identity.name.clone(),
                public: identity.public.clone(),
                signs: identity.public.clone(),
                by: By::Private(identity.private.clone()),
            });
        }
        let has_key = |one: &Certificate| self.keys.iter().any(|key| key.public == one.key);
        let lone = self.certificates.iter().filter(|one| !has_key(one));
        found.extend(lone.map(|one| certificate(one, Private::Elsewhere)));
        found
    }
}

/// Without those that are there already.
fn distinct(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        if !found.iter().any(|have| have.public == candidate.public) {
            found.push(candidate);
        }
    }
    found
}
