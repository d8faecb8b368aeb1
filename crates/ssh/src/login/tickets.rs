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

/// What is listened to of a peer's words about one context: a text and a token, RFC 4462 sections
/// 3.8 and 3.9 have no more. It may send any number, and all of them would be kept.
const ERRORS: u32 = 2;

/// The most characters of such a text that are kept.
const ERROR_TEXT: usize = 1000;

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
                self.context_errors = 0;
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
        if self.context_errors >= ERRORS {
            return;
        }
        self.context_errors += 1;
        let text: String = text.trim().chars().take(ERROR_TEXT).collect();
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Instant, SystemTime};

    use sockless_core::{Buf, Note, Pipe, Pool, SecurityProvider};
    use zeroize::Zeroizing;

    use super::*;
    use crate::backend::{Event, Farewell, Open};
    use crate::known_hosts::HostKeyRules;
    use crate::message::Channel;

    /// A library that does as it is told, and says nothing.
    struct Mute;

    impl Backend for Mute {
        fn name(&self) -> &'static str {
            "mute"
        }
        fn pump(&mut self, _: &mut Pipe, _: &mut Pipe, _: &mut Cx<'_>) {}
        fn next(&mut self, _: usize, _: &mut Cx<'_>) -> Option<Event> {
            None
        }
        fn trust(&mut self) {}
        fn authenticate(&mut self, _: &str, _: Method) {}
        fn respond(&mut self, _: Vec<Zeroizing<String>>) {}
        fn signature(&mut self, _: Option<Vec<u8>>) {}
        fn gss(&mut self, _: Option<GssStep>) {}
        fn open(&mut self, _: Channel, _: Open) {}
        fn room(&self, _: Channel) -> usize {
            0
        }
        fn send(&mut self, _: Channel, _: Buf) {}
        fn eof(&mut self, _: Channel) {}
        fn close(&mut self, _: Channel) {}
        fn rekey(&mut self) {}
        fn keepalive(&mut self) {}
        fn disconnect(&mut self, _: Farewell, _: &str) {}
    }

    /// Makes contexts that wait for a token for ever.
    struct Patient;

    impl SecurityContext for Patient {
        fn mechanism(&self) -> &'static str {
            "patience"
        }
        fn step(&mut self, _: Option<&[u8]>, _: &mut Cx<'_>) -> Result<Next, Fault> {
            Ok(Next::Continue(Vec::new()))
        }
        fn wrap(&mut self, _: &[u8], _: bool, _: &mut Vec<u8>) -> Result<(), Fault> {
            Ok(())
        }
        fn unwrap(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<bool, Fault> {
            Ok(false)
        }
        fn wrap_limit(&self, _: usize, _: bool) -> usize {
            0
        }
    }

    impl SecurityProvider for Patient {
        fn context(&self, _: &str, _: &str) -> Result<Box<dyn SecurityContext>, Fault> {
            Ok(Box::new(Self))
        }
        fn mechanisms(&self) -> &'static [&'static [u8]] {
            &[b"\x06\x01\x2a"]
        }
        fn identity(&self) -> Arc<str> {
            "patience".into()
        }
    }

    #[test]
    fn a_peer_that_goes_on_about_a_context_is_not_kept_word_for_word() {
        let mut credentials = Credentials::new("me");
        credentials.security = Some(Arc::new(Patient));
        let rules = Arc::new(HostKeyRules::new());
        let mut login = Login::new(("h", 22), Library::Russh, Arc::new(credentials), rules);
        let (pool, mut copied, mut notes) = (Pool::new(1 << 20), 0, Vec::new());
        #[allow(
            clippy::disallowed_methods,
            reason = "a test's time has to begin somewhere"
        )]
        let now = Instant::now();
        let wall = SystemTime::UNIX_EPOCH;
        let mut cx = Cx::new(now, wall, &pool, &mut copied, Some(&mut notes));
        let denied = |methods: &[&str]| Event::Denied {
            methods: methods.iter().map(|&name| name.to_owned()).collect(),
            partial: false,
        };
        let begun = login.take(denied(&[NAME]), &mut Mute, &mut cx);
        assert!(begun.is_ok());
        for n in 0..1000 {
            let text = format!("clock skew {n}\u{e9}{}", "x".repeat(100_000));
            let heard = login.take(Event::GssError(text), &mut Mute, &mut cx);
            assert!(heard.is_ok());
        }
        let fault = login.take(denied(&[]), &mut Mute, &mut cx).err();
        let what = fault.expect("nothing is left").what.to_string();
        assert!(what.contains("clock skew 0") && what.len() < 4096, "{what}");
        let length = |note: &Note| match note {
            Note::Info { text, .. } => text.len(),
            _ => 0,
        };
        assert!(notes.iter().map(length).sum::<usize>() < 8192);
    }
}
