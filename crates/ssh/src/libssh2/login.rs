//! Steps of a login.
//!
//! libssh2 keeps two things to itself that a login needs: which methods may go on after one was
//! not enough, and whether it was right all the same. So after a refusal the list of methods is asked
//! for again (which servers count as one more attempt). If it has changed, the method was right, and
//! more is wanted. It is not asked for where the peer has only said that it does not know a key.

use std::task::Poll;

use sockless_core::Prompts;
use zeroize::Zeroizing;

use super::fault;
use super::ffi::{Allowed, Failure, Method as Negotiated, Session, Signing, Turn};
use crate::backend::{Event, Method};

/// What a certificate's algorithm ends with, and the signature's does not.
const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// A login, one method after another.
#[derive(Default)]
pub(super) struct Login {
    user: String,
    /// The methods that may go on, as far as is known.
    methods: Vec<String>,
    trying: Option<Trying>,
    /// Bytes of text for the user that are taken.
    most_banner: usize,
    /// The text has been given out.
    has_banner: bool,
    /// What came of a step that gave out the text first.
    next: Option<Event>,
}

enum Trying {
    /// Nothing, to get the list.
    List {
        /// After which method it is asked for again.
        after: bool,
    },
    Password(Zeroizing<String>),
    Key(Box<Key>),
    Interactive {
        answers: Option<Vec<Zeroizing<String>>>,
        /// The peer's prompts have been given out and not been answered.
        is_asking: bool,
    },
    /// It cannot be tried here.
    Never,
}

struct Key {
    blob: Vec<u8>,
    algorithms: Vec<&'static str>,
    signing: Signing,
    is_prepared: bool,
    /// The peer would take the key, and the signature has been asked for.
    is_asked: bool,
    /// It has not come yet; only it can help on.
    waits: bool,
    /// There will be none.
    is_refused: bool,
}

impl Login {
    /// A login with so many bytes of text for the user at most.
    pub(super) fn new(most_banner: usize) -> Self {
        Self {
            most_banner,
            ..Self::default()
        }
    }

    /// Begins a method.
    pub(super) fn begin(&mut self, user: &str, method: Method) {
        user.clone_into(&mut self.user);
        self.trying = Some(match method {
            Method::None => Trying::List { after: false },
            Method::Password(password) => Trying::Password(password),
            Method::PublicKey { key, algorithms } => Trying::Key(Box::new(Key {
                blob: key,
                algorithms,
                signing: Signing::default(),
                is_prepared: false,
                is_asked: false,
                waits: false,
                is_refused: false,
            })),
            Method::KeyboardInteractive => Trying::Interactive {
                answers: None,
                is_asking: false,
            },
            Method::Gssapi(_) => Trying::Never,
        });
    }

    /// Takes lines that were asked for.
    pub(super) fn respond(&mut self, lines: Vec<Zeroizing<String>>) {
        if let Some(Trying::Interactive { answers, is_asking }) = &mut self.trying {
            *answers = Some(lines);
            *is_asking = false;
        }
    }

    /// Takes a signature that was asked for, as it is on the wire.
    pub(super) fn signature(&mut self, signature: Option<Vec<u8>>) {
        if let Some(Trying::Key(key)) = &mut self.trying {
            let signature = signature.and_then(|wire| bare(&wire));
            key.waits = false;
            key.is_refused = signature.is_none();
            key.signing.signature = Some(signature);
        }
    }

    /// Goes on, as far as it can. `None`: more is needed, from the peer or from above.
    pub(super) fn advance(&mut self, session: &mut Session) -> Result<Option<Event>, Failure> {
        if let Some(event) = self.next.take() {
            return Ok(Some(event));
        }
        let outcome = match self.trying.as_mut() {
            None => return Ok(None),
            Some(Trying::Never) => return Ok(Some(self.denied(false))),
            Some(Trying::List { after }) => {
                let after = *after;
                return self.advance_list(after, session);
            }
            Some(Trying::Password(password)) => session.password(&self.user, password),
            Some(Trying::Key(key)) => match key.advance(&self.user, session)? {
                Ok(event) => return Ok(Some(event)),
                Err(step) => step,
            },
            Some(Trying::Interactive {
                is_asking: true, ..
            }) => return Ok(None),
            Some(Trying::Interactive { answers, is_asking }) => {
                match session.interact(&self.user, answers.take()) {
                    Turn::Waits => Poll::Pending,
                    Turn::Asks(prompts) => {
                        *is_asking = true;
                        let user = self.user.clone();
                        return Ok(Some(Event::Prompts(Prompts { user, ..prompts })));
                    }
                    Turn::Ended(result) => Poll::Ready(result),
                }
            }
        };
        match outcome {
            Poll::Pending => Ok(None),
            Poll::Ready(Ok(())) => {
                self.trying = None;
                Ok(Some(Event::Authenticated))
            }
            Poll::Ready(Err(failure)) if failure.is_unasked() => Ok(Some(self.denied(false))),
            Poll::Ready(Err(failure)) if failure.is_denial() => {
                if let Some(Trying::Key(key)) = &self.trying
                    && (key.is_refused || (!key.is_asked && failure.is_unknown()))
                {
                    return Ok(Some(self.denied(false)));
                }
                self.trying = Some(Trying::List { after: true });
                self.advance(session)
            }
            Poll::Ready(Err(failure)) => Err(failure),
        }
    }

    fn advance_list(
        &mut self,
        after: bool,
        session: &mut Session,
    ) -> Result<Option<Event>, Failure> {
        let outcome = session.allowed(&self.user);
        let event = match outcome {
            Poll::Pending => None,
            Poll::Ready(Ok(Allowed::Anybody)) => {
                self.trying = None;
                Some(Event::Authenticated)
            }
            Poll::Ready(Ok(Allowed::By(list))) => {
                let methods: Vec<String> = list.split(',').map(str::to_owned).collect();
                let changed = self.methods != methods;
                self.methods = methods;
                Some(self.denied(after && changed))
            }
            Poll::Ready(Err(failure)) => return Err(failure),
        };
        if !self.has_banner
            && let Some(banner) = session.banner()
        {
            self.has_banner = true;
            if banner.len() > self.most_banner {
                return Ok(Some(Event::Failed(fault::banner())));
            }
            self.next = event;
            return Ok(Some(Event::Banner(banner)));
        }
        Ok(event)
    }

    fn denied(&mut self, partial: bool) -> Event {
        self.trying = None;
        Event::Denied {
            methods: self.methods.clone(),
            partial,
        }
    }
}

impl Key {
    /// An event for above, or libssh2's step.
    fn advance(
        &mut self,
        user: &str,
        session: &mut Session,
    ) -> Result<Result<Event, Poll<Result<(), Failure>>>, Failure> {
        if self.waits {
            return Ok(Err(Poll::Pending));
        }
        if !self.is_prepared {
            let names: Vec<&str> = self.algorithms.iter().map(|name| plain(name)).collect();
            session.prefer(Negotiated::Signature, &names.join(","))?;
            self.is_prepared = true;
        }
        let step = session.public_key(user, &self.blob, &mut self.signing);
        let Some(data) = self.signing.data.take() else {
            return Ok(Err(step));
        };
        let Some(algorithm) = algorithm(&data) else {
            return Ok(Err(step));
        };
        self.is_asked = true;
        if !self.algorithms.iter().any(|name| *name == algorithm) {
            // An old server that takes SHA-1 alone for RSA: it does not get it.
            self.is_refused = true;
            self.signing.signature = Some(None);
            return Ok(Err(session.public_key(user, &self.blob, &mut self.signing)));
        }
        self.waits = true;
        Ok(Ok(Event::Sign {
            algorithm,
            data: Zeroizing::new(data),
        }))
    }
}

/// The name of the algorithm that a certificate's holder signs with.
fn plain(name: &str) -> &str {
    name.strip_suffix(CERTIFICATE).unwrap_or(name)
}

/// The algorithm that data to be signed names (RFC 4252 section 7).
fn algorithm(data: &[u8]) -> Option<String> {
    let (_session, rest) = string(data)?;
    let (_user, rest) = string(rest.get(1..)?)?;
    let (_service, rest) = string(rest)?;
    let (_method, rest) = string(rest)?;
    let (algorithm, _) = string(rest.get(1..)?)?;
    String::from_utf8(algorithm.to_vec()).ok()
}

/// The signature without its algorithm's name, which libssh2 puts in front itself.
fn bare(wire: &[u8]) -> Option<Vec<u8>> {
    let (algorithm, rest) = string(wire)?;
    match algorithm.starts_with(b"sk-") {
        // A counter and flags follow such a signature.
        true => Some(rest.to_vec()),
        false => Some(string(rest)?.0.to_vec()),
    }
}

/// A string, and what follows it (RFC 4251 section 5).
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    Some((rest.get(..len)?, rest.get(len..)?))
}
