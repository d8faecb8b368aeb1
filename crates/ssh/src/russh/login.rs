//! One authentication method with the library, from the request to the peer's verdict.

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::ssh_key::{Certificate, HashAlg, PublicKey};
use russh::{GssapiAuthenticator, GssapiError, MethodSet, SendError, Signer};
use sockless_core::{Prompt, Prompts};
use tokio::sync::mpsc::UnboundedReceiver;
use zeroize::Zeroizing;

use super::handler::Reporter;
use super::wire::Shared;
use crate::backend::{Event, GssStep, Method};

/// What the layer answers in the middle of a method.
pub(super) enum Answer {
    Lines(Vec<Zeroizing<String>>),
    Signature(Option<Vec<u8>>),
    Gss(Option<GssStep>),
}

pub(super) struct Login<'a> {
    pub(super) handle: &'a mut Handle<Reporter>,
    pub(super) answers: &'a mut UnboundedReceiver<Answer>,
    pub(super) shared: &'a Shared,
    /// The methods that the peer allowed last.
    pub(super) methods: &'a mut Vec<String>,
}

impl Login<'_> {
    /// What came of it; `None`: the session has ended meanwhile.
    pub(super) async fn attempt(&mut self, user: String, method: Method) -> Option<Event> {
        let result = match method {
            Method::None => self.handle.authenticate_none(user).await.ok()?,
            Method::Password(password) => {
                let typed = password.as_str();
                let attempt = self.handle.authenticate_password(user, typed);
                attempt.await.ok()?
            }
            Method::KeyboardInteractive => self.interactive(user).await?,
            Method::PublicKey { key, algorithms } => self.key(user, &key, &algorithms).await?,
            Method::Gssapi(mechanisms) => self.gssapi(user, mechanisms).await?,
        };
        let (remaining, partial) = match result {
            AuthResult::Success => return Some(Event::Authenticated),
            AuthResult::Failure {
                remaining_methods,
                partial_success,
            } => (remaining_methods, partial_success),
        };
        // A peer that allows nothing more ends the session with it, which has said so.
        if remaining.is_empty() && self.handle.is_closed() {
            return None;
        }
        *self.methods = names(&remaining);
        Some(Event::Denied {
            methods: self.methods.clone(),
            partial,
        })
    }

    /// The method came to nothing on our side.
    fn given_up(&self) -> AuthResult {
        let known = self.methods.iter();
        let kinds: Vec<_> = known.filter_map(|name| name.parse().ok()).collect();
        AuthResult::Failure {
            remaining_methods: MethodSet::from(&kinds[..]),
            partial_success: false,
        }
    }

    async fn interactive(&mut self, user: String) -> Option<AuthResult> {
        let start = self
            .handle
            .authenticate_keyboard_interactive_start(user.clone(), None);
        let mut response = start.await.ok()?;
        loop {
            let (name, instruction, prompts) = match response {
                KeyboardInteractiveAuthResponse::Success => return Some(AuthResult::Success),
                KeyboardInteractiveAuthResponse::Failure {
                    remaining_methods,
                    partial_success,
                } => {
                    return Some(AuthResult::Failure {
                        remaining_methods,
                        partial_success,
                    });
                }
                KeyboardInteractiveAuthResponse::InfoRequest {
                    name,
                    instructions,
                    prompts,
                } => (name, instructions, prompts),
            };
            let prompts = prompts.into_iter().map(|prompt| Prompt {
                text: prompt.prompt,
                echo: prompt.echo,
            });
            self.shared.lock().push(Event::Prompts(Prompts {
                user: user.clone(),
                name,
                instruction,
                prompts: prompts.collect(),
            }));
            let lines = loop {
                if let Answer::Lines(lines) = self.answers.recv().await? {
                    break lines;
                }
            };
            let lines = lines.iter().map(|line| line.to_string()).collect();
            let next = self.handle.authenticate_keyboard_interactive_respond(lines);
            response = next.await.ok()?;
        }
    }

    async fn key(
        &mut self,
        user: String,
        key: &[u8],
        algorithms: &[&'static str],
    ) -> Option<AuthResult> {
        let Some(algorithm) = self.algorithm(algorithms).await else {
            return Some(self.given_up());
        };
        let hash = match algorithm {
            name if name.starts_with("rsa-sha2-512") => Some(HashAlg::Sha512),
            name if name.starts_with("rsa-sha2-256") => Some(HashAlg::Sha256),
            _ => None,
        };
        let mut signer = Remote {
            answers: &mut *self.answers,
            shared: self.shared,
            algorithm,
        };
        let result = if algorithm.contains("-cert-v0") {
            let Ok(certificate) = Certificate::from_bytes(key) else {
                return Some(self.given_up());
            };
            let attempt =
                self.handle
                    .authenticate_certificate_with(user, certificate, hash, &mut signer);
            attempt.await
        } else {
            let Ok(key) = PublicKey::from_bytes(key) else {
                return Some(self.given_up());
            };
            let attempt = self
                .handle
                .authenticate_publickey_with(user, key, hash, &mut signer);
            attempt.await
        };
        match result {
            Ok(result) => Some(result),
            Err(GaveUp) => Some(self.given_up()),
        }
    }

    /// The algorithm to sign with. Only RSA has several; the peer has said by now which hashes
    /// it takes, if it ever does (RFC 8308).
    async fn algorithm(&self, algorithms: &[&'static str]) -> Option<&'static str> {
        let first = algorithms.first().copied()?;
        if algorithms.len() == 1 {
            return Some(first);
        }
        let mut asking = pin!(self.handle.best_supported_rsa_hash());
        let mut turns = 0;
        // It would wait a second for a list that did not come. The session has its turn between
        // two of ours, and answers at once where it came.
        let best = poll_fn(|cx| match asking.as_mut().poll(cx) {
            Poll::Ready(best) => Poll::Ready(best.ok().flatten()),
            Poll::Pending if turns < 8 => {
                turns += 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Ready(None),
        })
        .await;
        let wanted = match best {
            Some(Some(HashAlg::Sha512)) => "rsa-sha2-512",
            Some(Some(_)) => "rsa-sha2-256",
            Some(None) => "ssh-rsa",
            None => return Some(first),
        };
        let fits = |name: &&&str| name.starts_with(wanted);
        algorithms.iter().find(fits).copied().or(Some(first))
    }

    async fn gssapi(&mut self, user: String, mechanisms: Vec<Vec<u8>>) -> Option<AuthResult> {
        let mut context = Context {
            answers: &mut *self.answers,
            shared: self.shared,
        };
        let attempt = self
            .handle
            .authenticate_gssapi_with_mic(user, mechanisms, &mut context);
        match attempt.await {
            Ok(result) => Some(result),
            Err(GaveUp) => Some(self.given_up()),
        }
    }
}

fn names(methods: &MethodSet) -> Vec<String> {
    methods
        .iter()
        .map(|kind| <&str>::from(kind).to_owned())
        .collect()
}

/// The layer could not go on with a method.
struct GaveUp;

impl From<SendError> for GaveUp {
    fn from(_: SendError) -> Self {
        Self
    }
}

/// Signs by asking the layer.
struct Remote<'a> {
    answers: &'a mut UnboundedReceiver<Answer>,
    shared: &'a Shared,
    algorithm: &'static str,
}

impl Signer for Remote<'_> {
    type Error = GaveUp;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        _: Option<HashAlg>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, GaveUp> {
        self.shared.lock().push(Event::Sign {
            algorithm: self.algorithm.to_owned(),
            data: Zeroizing::new(data.clone()),
        });
        loop {
            match self.answers.recv().await {
                Some(Answer::Signature(Some(signature))) => {
                    let mut signed = data;
                    let len = u32::try_from(signature.len()).map_err(|_| GaveUp)?;
                    signed.extend_from_slice(&len.to_be_bytes());
                    signed.extend_from_slice(&signature);
                    return Ok(signed);
                }
                Some(Answer::Signature(None)) | None => return Err(GaveUp),
                Some(_) => {}
            }
        }
    }
}

/// Steps a GSS context by asking the layer.
struct Context<'a> {
    answers: &'a mut UnboundedReceiver<Answer>,
    shared: &'a Shared,
}

impl GssapiAuthenticator for Context<'_> {
    type Error = GaveUp;

    async fn gssapi_step(
        &mut self,
        selected: Option<Vec<u8>>,
        token: Option<Vec<u8>>,
        mic_over: Vec<u8>,
    ) -> Result<russh::GssapiStep, GaveUp> {
        let event = match (selected, token) {
            (Some(mechanism), _) => Event::GssStart {
                mechanism,
                mic_over,
            },
            (None, token) => Event::GssToken {
                token: token.unwrap_or_default(),
                mic_over,
            },
        };
        self.shared.lock().push(event);
        loop {
            match self.answers.recv().await {
                Some(Answer::Gss(Some(GssStep::Token(token)))) => {
                    return Ok(russh::GssapiStep::Continue { token });
                }
                Some(Answer::Gss(Some(GssStep::Done { token, mic }))) => {
                    let mic = Some(mic);
                    return Ok(russh::GssapiStep::Complete { token, mic });
                }
                Some(Answer::Gss(None)) | None => return Err(GaveUp),
                Some(_) => {}
            }
        }
    }
    async fn gssapi_error(&mut self, error: GssapiError) {
        let text = match error {
            GssapiError::Status { message, .. } if !message.trim().is_empty() => message,
            GssapiError::Status {
                major_status,
                minor_status,
                ..
            } => format!("GSS {major_status:#x}, {minor_status}"),
            // What a mechanism would make of it is no more than what the log there has.
            GssapiError::ErrorToken(_) => "a token of its mechanism about an error".to_owned(),
        };
        self.shared.lock().push(Event::GssError(text));
    }
}
