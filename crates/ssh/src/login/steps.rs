//! The steps of a login, the same for every library.
//!
//! ```text
//!   Keys --HostKey--> Judging --> none --Denied--> the next method that both sides have
//!                                                  (gssapi-with-mic, publickey,
//!                                                   keyboard-interactive, password)
//!                                  ^                            |
//!                                  +--------- Denied -----------+--> Authenticated
//! ```
//! A method is tried until it has nothing new to offer: each key once, typed answers three times. After
//! a partial success every method may be tried again (RFC 4252 section 5.1).

use std::sync::Arc;

use sockless_core::{
    Answer, Ask, Culprit, Cx, Fault, PeerKey, QuestionId, Reason, SecurityContext,
};

use super::interactive::{Asking, Lines};
use super::{Credentials, HostKeys, Offer, Offers, Signer, Signing, Verdict, tickets};
use crate::LAYER;
use crate::backend::{Agreed, Backend, Event, Farewell, Method};
use crate::client::Library;
use crate::fingerprint;
use crate::known_hosts::plain;
use crate::wire;

/// OpenSSH's order.
const ORDER: [&str; 4] = [
    tickets::NAME,
    "publickey",
    "keyboard-interactive",
    "password",
];

/// How often something may be typed for one method, as OpenSSH's `NumberOfPasswordPrompts`.
const TYPED: u32 = 3;

/// Denials after which a peer only plays with us.
const DENIALS: u32 = 1000;

/// A login on one connection.
pub(crate) struct Login {
    pub(super) host: Arc<str>,
    port: u16,
    /// Who speaks: not each has each method.
    pub(super) library: Library,
    pub(super) credentials: Arc<Credentials>,
    host_keys: Arc<dyn HostKeys>,
    pub(super) step: Step,
    /// Which methods the peer allows, and what is left of ours.
    allowed: Vec<String>,
    left: Left,
    /// What was tried, for the error.
    pub(super) tried: Vec<String>,
    /// How often the peer has said what is wrong with the last security context.
    pub(super) context_errors: u32,
    denials: u32,
}

pub(super) enum Step {
    /// The library exchanges keys.
    Keys,
    /// Somebody decides about the host's key.
    Judging(QuestionId, Vec<u8>),
    /// The library is at it.
    Waiting,
    /// The next key is looked for.
    Offering,
    /// A key was offered.
    Offered(Box<dyn Signer>),
    /// A key signs.
    Signing(Box<dyn Signer>, String, zeroize::Zeroizing<Vec<u8>>),
    /// A security context is on its way; so many steps of it have been made.
    Context(Box<dyn SecurityContext>, u32),
    /// Somebody types.
    Asking(Asking),
    Done,
}

/// What each method can still do.
struct Left {
    offers: Option<Box<dyn Offers>>,
    /// Tickets have not been tried yet.
    tickets: bool,
    /// The password that is known has not been refused yet, by method.
    password: bool,
    answers: bool,
    /// How often may still be asked.
    typed_password: u32,
    typed_answers: u32,
}

impl Left {
    fn new(credentials: &Credentials) -> Self {
        let known = credentials.password.is_some();
        let typed = if credentials.ask { TYPED } else { 0 };
        Self {
            offers: credentials.keys.as_ref().map(|keys| keys.offers()),
            tickets: credentials.security.is_some(),
            password: known,
            answers: known,
            typed_password: typed,
            typed_answers: typed,
        }
    }
}

impl Login {
    pub(crate) fn new(
        (host, port): (&str, u16),
        library: Library,
        credentials: Arc<Credentials>,
        host_keys: Arc<dyn HostKeys>,
    ) -> Self {
        Self {
            host: host.into(),
            port,
            library,
            left: Left::new(&credentials),
            credentials,
            host_keys,
            step: Step::Keys,
            allowed: Vec::new(),
            tried: Vec::new(),
            context_errors: 0,
            denials: 0,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.step, Step::Done)
    }

    /// Looks for answers that it waits for; says whether it went on.
    ///
    /// # Errors
    /// The login has failed; the peer has been told.
    pub(crate) fn go_on(
        &mut self,
        backend: &mut dyn Backend,
        cx: &mut Cx<'_>,
    ) -> Result<bool, Fault> {
        match core::mem::replace(&mut self.step, Step::Waiting) {
            Step::Judging(question, key) => match cx.answer(question) {
                None => {
                    self.step = Step::Judging(question, key);
                    return Ok(false);
                }
                Some(Answer::Yes) => {
                    self.host_keys.confirmed(&self.host, self.port, &key);
                    self.trusted(backend);
                }
                Some(_) => return Err(refuse(backend, self.not_confirmed(&key))),
            },
            Step::Offering => return self.offer(backend, cx),
            Step::Signing(mut signer, algorithm, data) => {
                match signer.sign(&data, &algorithm, cx) {
                    Signing::Done(signature) => backend.signature(Some(signature)),
                    Signing::Failed(why) => {
                        let name = signer.name().to_owned();
                        cx.note(LAYER, || format!("{name} cannot sign: {why}"));
                        self.tried.push(format!("{name} (cannot sign: {why})"));
                        backend.signature(None);
                    }
                    Signing::Asked => {
                        self.step = Step::Signing(signer, algorithm, data);
                        return Ok(false);
                    }
                }
            }
            Step::Asking(asking) => match asking.answer(cx) {
                Ok(Lines::Answers(lines)) => backend.respond(lines),
                Ok(Lines::Password(password)) => {
                    backend.authenticate(&self.credentials.user, Method::Password(password));
                }
                Ok(Lines::None) => return Err(self.given_up(backend)),
                Err(asking) => {
                    self.step = Step::Asking(asking);
                    return Ok(false);
                }
            },
            other => {
                self.step = other;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes an event.
    ///
    /// # Errors
    /// The login has failed; the peer has been told, if it can be.
    pub(crate) fn take(
        &mut self,
        event: Event,
        backend: &mut dyn Backend,
        cx: &mut Cx<'_>,
    ) -> Result<(), Fault> {
        match event {
            Event::HostKey { key, agreed } => self.judge(key, &agreed, backend, cx)?,
            Event::Banner(text) => {
                cx.note(LAYER, || format!("banner: {}", text.trim().escape_debug()));
            }
            Event::Authenticated => {
                cx.note(LAYER, || format!("logged in as {}", self.user()));
                self.step = Step::Done;
            }
            Event::Denied { methods, partial } => {
                self.denied(methods, partial, cx);
                self.denials += 1;
                if self.denials > DENIALS {
                    return Err(self.refused(backend));
                }
                self.next_method(backend, cx)?;
            }
            Event::Sign { algorithm, data } => {
                match core::mem::replace(&mut self.step, Step::Waiting) {
                    Step::Offered(signer) => self.step = Step::Signing(signer, algorithm, data),
                    other => {
                        self.step = other;
                        backend.signature(None);
                    }
                }
            }
            Event::Prompts(prompts) => self.prompted(prompts, backend, cx),
            Event::GssStart {
                mechanism,
                mic_over,
            } => self.context_begins((&mechanism, &mic_over), backend, cx),
            Event::GssToken { token, mic_over } => {
                self.context_goes_on(Some(&token), &mic_over, backend, cx);
            }
            Event::GssError(text) => self.context_refused(&text, cx),
            Event::Disconnected { code, text } => return Err(self.thrown_out(code, &text)),
            Event::Failed(fault) => return Err(fault),
            // Nothing was opened yet.
            _ => {}
        }
        Ok(())
    }

    fn judge(
        &mut self,
        key: Vec<u8>,
        agreed: &Agreed,
        backend: &mut dyn Backend,
        cx: &mut Cx<'_>,
    ) -> Result<(), Fault> {
        cx.note(LAYER, || {
            let [cipher, _] = &agreed.cipher;
            let [mac, _] = &agreed.mac;
            let [compression, _] = &agreed.compression;
            format!(
                "{} with {}, {cipher}{}{mac}, compression {compression}{}; host key {} {}",
                backend.name(),
                agreed.kex,
                if mac.is_empty() { "" } else { " and " },
                if agreed.strict { ", strict" } else { "" },
                named(&key),
                fingerprint::sha256(&key),
            )
        });
        if agreed.loses_messages() {
            return Err(not_strict(agreed));
        }
        match self.host_keys.judge(&self.host, self.port, &key, cx.wall) {
            Verdict::Trust => self.trusted(backend),
            Verdict::Refuse(fault) => return Err(refuse(backend, fault)),
            Verdict::Ask => {
                // As people know it: that of the key in a certificate.
                let plain = plain(&key);
                let prints = [fingerprint::sha256(&plain), fingerprint::md5(&plain)];
                let host = (Arc::clone(&self.host), self.port);
                let asked = PeerKey::new(host, named(&key), key.clone(), prints);
                match cx.ask(LAYER, Ask::PeerKey(Box::new(asked))) {
                    Some(question) => self.step = Step::Judging(question, key),
                    None => return Err(refuse(backend, self.not_confirmed(&key))),
                }
            }
        }
        Ok(())
    }

    fn trusted(&mut self, backend: &mut dyn Backend) {
        backend.trust();
        backend.authenticate(&self.credentials.user, Method::None);
        self.step = Step::Waiting;
    }

    fn denied(&mut self, methods: Vec<String>, partial: bool, cx: &mut Cx<'_>) {
        if let Step::Offered(signer) = &self.step {
            let name = signer.name().to_owned();
            self.tried.push(match partial {
                true => format!("{name} (accepted, but not enough)"),
                false => name,
            });
        }
        if partial {
            cx.note(LAYER, || {
                format!("right, but the peer also wants {}", methods.join(" or "))
            });
            // What was right once may be asked for again, and so may the rest.
            self.left = Left::new(&self.credentials);
        }
        self.allowed = methods;
        self.step = Step::Waiting;
    }

    /// Begins what is next; fails when nothing is left.
    fn next_method(&mut self, backend: &mut dyn Backend, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let user = self.credentials.user.clone();
        let ours: Vec<String> = match self.credentials.methods.is_empty() {
            true => ORDER.map(str::to_owned).to_vec(),
            false => self.credentials.methods.clone(),
        };
        for name in &ours {
            if !self.allowed.contains(name) {
                continue;
            }
            match name.as_str() {
                tickets::NAME
                    if core::mem::take(&mut self.left.tickets)
                        && self.begin_context(backend, cx) =>
                {
                    return Ok(());
                }
                "publickey" if self.left.offers.is_some() => {
                    self.step = Step::Offering;
                    self.offer(backend, cx)?;
                    return Ok(());
                }
                "keyboard-interactive" if self.left.answers || self.left.typed_answers > 0 => {
                    self.tried.push("keyboard-interactive".to_owned());
                    if !self.left.answers {
                        self.left.typed_answers -= 1;
                    }
                    backend.authenticate(&user, Method::KeyboardInteractive);
                    return Ok(());
                }
                "password" if core::mem::take(&mut self.left.password) => {
                    self.tried.push("password".to_owned());
                    let password = self.credentials.password.clone().unwrap_or_default();
                    backend.authenticate(&user, Method::Password(password));
                    return Ok(());
                }
                "password" if self.left.typed_password > 0 => {
                    self.left.typed_password -= 1;
                    let asking = Asking::password(&user, &self.host, cx);
                    let Some(asking) = asking else { continue };
                    self.tried.push("password".to_owned());
                    self.step = Step::Asking(asking);
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(self.refused(backend))
    }

    /// Offers the next key, or goes on to the next method; says whether anything happened.
    fn offer(&mut self, backend: &mut dyn Backend, cx: &mut Cx<'_>) -> Result<bool, Fault> {
        let offer = match &mut self.left.offers {
            Some(offers) => offers.next(cx),
            None => Offer::End,
        };
        match offer {
            Offer::Key(signer) => {
                let key = signer.public().to_vec();
                let algorithms = signer.algorithms();
                cx.note(LAYER, || {
                    let print = fingerprint::sha256(&key);
                    format!("offering {} {print}", signer.name())
                });
                self.step = Step::Offered(signer);
                let method = Method::PublicKey { key, algorithms };
                backend.authenticate(&self.credentials.user, method);
                Ok(true)
            }
            Offer::Asked => {
                self.step = Step::Offering;
                Ok(false)
            }
            Offer::End => {
                self.left.offers = None;
                self.step = Step::Waiting;
                self.next_method(backend, cx)?;
                Ok(true)
            }
        }
    }

    /// The peer asks. One hidden line is taken for the password, once.
    fn prompted(
        &mut self,
        prompts: sockless_core::Prompts,
        backend: &mut dyn Backend,
        cx: &mut Cx<'_>,
    ) {
        if prompts.prompts.is_empty() {
            cx.note(LAYER, || {
                let text = format!("{} {}", prompts.name, prompts.instruction);
                format!("the peer says: {}", text.trim().escape_debug())
            });
            backend.respond(Vec::new());
            return;
        }
        let one_hidden = matches!(&prompts.prompts[..], [only] if !only.echo);
        if let Some(password) = &self.credentials.password
            && one_hidden
            && core::mem::take(&mut self.left.answers)
        {
            backend.respond(vec![password.clone()]);
            return;
        }
        self.left.answers = false;
        match Asking::answers(prompts, self.credentials.ask, cx) {
            Some(asking) => self.step = Step::Asking(asking),
            // Another method may do without.
            None => {
                self.left.typed_answers = 0;
                backend.respond(Vec::new());
            }
        }
    }

    fn user(&self) -> String {
        format!("{}@{}", self.credentials.user.escape_debug(), self.host)
    }

    fn not_confirmed(&self, key: &[u8]) -> Fault {
        let what = format!(
            "the {} key of {}:{} is not known: {}",
            named(key),
            self.host,
            self.port,
            fingerprint::sha256(&plain(key))
        );
        Fault::new(Culprit::Policy, Reason::HostKey, what)
            .remedy("compare the fingerprint with the host's own, and make the key known")
    }

    fn given_up(&self, backend: &mut dyn Backend) -> Fault {
        backend.disconnect(Farewell::AuthCancelledByUser, "");
        let what = format!("{}: what the peer asks was not answered", self.user());
        Fault::new(Culprit::Policy, Reason::Authentication, what)
            .remedy("give a password, or let the application be asked")
    }

    fn refused(&self, backend: &mut dyn Backend) -> Fault {
        backend.disconnect(Farewell::NoMoreAuthMethods, "");
        let list = |names: &[String], none: &str| match names {
            [] => none.to_owned(),
            names => names.join(", "),
        };
        let what = format!(
            "{}: permission denied; the peer allows {}; tried: {}",
            self.user(),
            list(&self.allowed, "nothing more").escape_debug(),
            list(&self.tried, "nothing").escape_debug()
        );
        Fault::new(Culprit::Policy, Reason::Authentication, what)
            .remedy("check the user, and give a key or password that the peer takes")
    }

    /// A peer that says farewell in the middle has had enough of attempts, mostly.
    fn thrown_out(&self, code: u32, text: &str) -> Fault {
        let what = format!(
            "the peer ended the login: {} (code {code}); tried: {}",
            text.escape_debug(),
            self.tried.join(", ").escape_debug()
        );
        let reason = match self.tried.is_empty() {
            true => Reason::Handshake,
            false => Reason::Authentication,
        };
        let fault = Fault::new(Culprit::Policy, reason, what);
        // What servers say when MaxAuthTries is reached; OpenSSH counts every key.
        match text.contains("Too many authentication") {
            true => fault.remedy("offer fewer keys: the right one, and none of the agent's others"),
            false => fault,
        }
    }
}

fn refuse(backend: &mut dyn Backend, fault: Fault) -> Fault {
    backend.disconnect(Farewell::HostKeyNotVerifiable, "");
    fault
}

/// What both sides agreed on is sound only with strict order, which the peer does not keep.
fn not_strict(agreed: &Agreed) -> Fault {
    let [cipher, _] = &agreed.cipher;
    let [mac, _] = &agreed.mac;
    let what = format!(
        "the peer does not keep strict order in the key exchange, and without it {cipher}{}{mac} \
         lets messages be taken out unseen (CVE-2023-48795)",
        if mac.is_empty() { "" } else { " with " },
    );
    Fault::new(Culprit::PeerIncompatible, Reason::Handshake, what).remedy(
        "update the peer, or offer only what is sound without it: aes-gcm, or aes-ctr with MACs that are not -etm",
    )
}

/// The algorithm of a key of the peer's, for people.
fn named(key: &[u8]) -> String {
    wire::algorithm(key).unwrap_or("unreadable").to_owned()
}
