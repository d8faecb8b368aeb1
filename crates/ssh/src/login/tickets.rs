//! gssapi-with-mic (RFC 4462 section 3): a security context with the peer, and a code made by it
//! over the session's identifier and the request, so that nobody in between can carry it on.
//!
//! Whatever goes wrong here is a method that came to nothing: the login goes on with the next
//! one, and its note and its error say why.

use sockless_core::{Culprit, Cx, Fault, Reason, SecurityContext, Step as Next};

use super::Credentials;
use super::steps::{Login, Step};
use crate::LAYER;
use crate::backend::{Backend, GssStep, Method};
use crate::client::Library;

/// The method's name.
pub(crate) const NAME: &str = "gssapi-with-mic";

/// Steps of a context before it has to be established; Kerberos takes two.
const ROUNDS: u32 = 16;

impl Credentials {
    /// Whether the method may be used at all.
    fn may_use_tickets(&self) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|name| name == NAME)
    }

    /// The service and the host that tickets are for, at a host that is connected to; `None`:
    /// no context will be made.
    pub(crate) fn context<'a>(&'a self, host: &'a str) -> Option<(&'a str, &'a str)> {
        self.security.as_ref()?;
        let host = self.server_identity.as_deref().unwrap_or(host);
        self.may_use_tickets().then_some((&*self.service, host))
    }

    /// Whether there is nothing else to log in with.
    pub(crate) fn has_tickets_alone(&self) -> bool {
        let others = self.keys.is_some() || self.password.is_some() || self.ask;
        match &*self.methods {
            [] => self.security.is_some() && !others,
            methods => methods.iter().all(|name| name == NAME),
        }
    }
}

/// What a library says that does not have the method.
pub(crate) fn unsupported(library: Library) -> Fault {
    let what = format!("{} has no {NAME}", library.name());
    Fault::new(Culprit::Misuse, Reason::Unsupported, what)
        .remedy("use the library russh, or log in by another method")
}

impl Login {
    /// Begins the method, if a context can be made; whyever not is told, and the next one's turn.
    pub(super) fn begin_context(&mut self, backend: &mut dyn Backend, cx: &mut Cx<'_>) -> bool {
        let Some(provider) = &self.credentials.security else {
            return false;
        };
        let Some((service, host)) = self.credentials.context(&self.host) else {
            return false;
        };
        let made = match provider.mechanisms() {
            _ if !self.library.has_gssapi() => Err(unsupported(self.library)),
            [] => Err(Fault::new(
                Culprit::Misuse,
                Reason::Unsupported,
                "these credentials' mechanism has no name that SSH knows",
            )),
            mechanisms => provider
                .context(service, host)
                .map(|made| (made, mechanisms)),
        };
        match made {
            Ok((context, mechanisms)) => {
                cx.note(LAYER, || {
                    format!("logging in towards {service}/{host} by {NAME}")
                });
                let mechanisms = mechanisms.iter().map(|one| one.to_vec()).collect();
                self.step = Step::Context(context, 0);
                self.tried.push(NAME.to_owned());
                backend.authenticate(&self.credentials.user, Method::Gssapi(mechanisms));
                true
            }
            Err(fault) => {
                self.tried.push(NAME.to_owned());
                self.without_context(&fault.what, cx);
                false
            }
        }
    }

    /// The peer takes this mechanism: the first token is for it.
    pub(super) fn context_begins(
        &mut self,
        (mechanism, mic_over): (&[u8], &[u8]),
        backend: &mut dyn Backend,
        cx: &mut Cx<'_>,
    ) {
        let provider = self.credentials.security.as_ref();
        // RFC 4462 section 3.3: it has to be one that was offered.
        if !provider.is_some_and(|provider| provider.mechanisms().contains(&mechanism)) {
            self.step = Step::Waiting;
            self.without_context("the peer chose a mechanism that was not offered", cx);
            return backend.gss(None);
        }
        self.context_goes_on(None, mic_over, backend, cx);
    }

    /// Steps the context, and proves at its end that it is ours and for this session.
    pub(super) fn context_goes_on(
        &mut self,
        token: Option<&[u8]>,
        mic_over: &[u8],
        backend: &mut dyn Backend,
        cx: &mut Cx<'_>,
    ) {
        let made = match core::mem::replace(&mut self.step, Step::Waiting) {
            Step::Context(_, ROUNDS) => {
                let what = format!("no security context after {ROUNDS} tokens");
                Err(Fault::new(Culprit::Limit, Reason::Authentication, what))
            }
            Step::Context(mut context, rounds) => {
                let step = step(&mut *context, token, mic_over, cx);
                step.map(|step| (step, context, rounds + 1))
            }
            _ => Err(Fault::misbehaved(
                Reason::Authentication,
                "the peer sent a token for a context that is complete, or was never begun",
            )),
        };
        match made {
            Ok((step, context, rounds)) => {
                match &step {
                    GssStep::Token(_) => self.step = Step::Context(context, rounds),
                    GssStep::Done { .. } => cx.note(LAYER, || {
                        format!("the peer has proven who it is, by {}", context.mechanism())
                    }),
                }
                backend.gss(Some(step));
            }
            Err(fault) => {
                self.without_context(&fault.what, cx);
                backend.gss(None);
            }
        }
    }

    /// What the peer says about its side of the context; its refusal follows.
    pub(super) fn context_refused(&mut self, text: &str, cx: &mut Cx<'_>) {
        let text = text.trim();
        cx.note(LAYER, || {
            format!("{NAME} does not do: the peer: {}", text.escape_debug())
        });
        self.tried_in_vain(&format!("the peer: {text}"));
    }

    fn without_context(&mut self, why: &str, cx: &mut Cx<'_>) {
        cx.note(LAYER, || format!("{NAME} does not do: {why}"));
        self.tried_in_vain(why);
    }

    /// For the error, which escapes all of it.
    fn tried_in_vain(&mut self, why: &str) {
        if let Some(last) = self.tried.last_mut() {
            last.push_str(&format!(" ({why})"));
        }
    }
}

fn step(
    context: &mut dyn SecurityContext,
    token: Option<&[u8]>,
    mic_over: &[u8],
    cx: &mut Cx<'_>,
) -> Result<GssStep, Fault> {
    Ok(match context.step(token, cx)? {
        Next::Continue(token) => GssStep::Token(token),
        Next::Done(token) => {
            let mic = context.mic(mic_over)?;
            GssStep::Done { token, mic }
        }
        _ => {
            let what = "a step of the security context that is not known here";
            return Err(Fault::new(Culprit::Misuse, Reason::Unsupported, what));
        }
    })
}
