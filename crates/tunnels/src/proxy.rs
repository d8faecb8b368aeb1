//! What all handshakes with a proxy have in common: its name in errors, and its answers.

use sockless_core::{Culprit, Fault, Pipe, Reason, Status};

/// The proxy, and what is spoken to it, as errors name them.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    name: String,
    protocol: &'static str,
}

impl Proxy {
    pub(crate) fn new(name: &str, protocol: &'static str) -> Result<Self, Fault> {
        if name.chars().any(char::is_control) {
            let what = "the proxy's name has control characters in it";
            return Err(Fault::new(Culprit::Misuse, Reason::BadRequest, what)
                .remedy("give the proxy's host and port"));
        }
        Ok(Self {
            name: name.to_owned(),
            protocol,
        })
    }

    pub(crate) fn say(&self, what: impl core::fmt::Display) -> String {
        format!("proxy {}, {}: {what}", self.name, self.protocol)
    }

    pub(crate) fn fault(&self, culprit: Culprit, reason: Reason, what: &str) -> Fault {
        Fault::new(culprit, reason, self.say(what))
    }

    /// It broke the protocol's rules.
    pub(crate) fn broke(&self, what: impl core::fmt::Display) -> Fault {
        Fault::misbehaved(Reason::Proxy, self.say(what))
    }

    /// Waits for the rest of an answer, unless the proxy has closed.
    pub(crate) fn wait<T>(&self, answers: &Pipe, instead_of: &str) -> Result<Option<T>, Fault> {
        if !answers.is_finished() {
            return Ok(None);
        }
        let what = format!("it closed the connection instead of {instead_of}");
        Err(self
            .broke(what)
            .remedy("check the proxy's port, its log, and that it lets you in"))
    }

    /// Whether an answer begins, with one of these version bytes.
    pub(crate) fn version(&self, answers: &Pipe, versions: &[u8]) -> Result<bool, Fault> {
        const HTTP: &[u8] = b"HTTP/";
        let front = front(answers, HTTP.len());
        let Some(first) = front.first() else {
            return Ok(false);
        };
        if versions.contains(first) {
            return Ok(true);
        }
        if HTTP.starts_with(&front) {
            if front.len() < HTTP.len() && !answers.is_finished() {
                return Ok(false);
            }
            return Err(self
                .fault(
                    Culprit::PeerIncompatible,
                    Reason::Proxy,
                    "the proxy speaks HTTP, not SOCKS",
                )
                .remedy("use it as an HTTP proxy, or give the port that speaks SOCKS"));
        }
        Err(self
            .broke(format!(
                "it answers with version {first}, not {}",
                versions[0]
            ))
            .remedy("check that the port speaks this version of SOCKS"))
    }
}

/// The first bytes of a pipe, at most `n`.
pub(crate) fn front(pipe: &Pipe, n: usize) -> Vec<u8> {
    let bytes = pipe.iter().flat_map(|piece| piece.iter());
    bytes.take(n).copied().collect()
}

/// The first failure of a filter, which it reports each time again.
#[derive(Debug, Default)]
pub(crate) struct Broken(Option<Fault>);

impl Broken {
    /// Goes on unless something has failed before; keeps what fails now.
    pub(crate) fn guard(
        &mut self,
        step: impl FnOnce() -> Result<Status, Fault>,
    ) -> Result<Status, Fault> {
        if let Some(fault) = &self.0 {
            return Err(again(fault));
        }
        step().inspect_err(|fault| self.0 = Some(again(fault)))
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.0.is_some()
    }
}

/// The same fault, without the error underneath.
fn again(fault: &Fault) -> Fault {
    let mut copy = Fault::new(fault.culprit, fault.reason, fault.what.clone());
    copy.remedy = fault.remedy;
    copy
}
