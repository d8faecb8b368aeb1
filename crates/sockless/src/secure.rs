//! TLS and SSH settings as the rest of this crate sees them, whether they are built in or not.

use core::hash::{Hash, Hasher};
use std::sync::Arc;

use sockless_core::{Error, Fault, Filter, SecurityProvider};

#[cfg(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl"))]
pub(crate) use sockless_tls::Client as TlsClient;

/// Nobody can make one: TLS is not built in.
#[cfg(not(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl")))]
#[derive(Debug)]
pub(crate) enum TlsClient {}

#[cfg(not(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl")))]
impl TlsClient {
    fn filter(&self, _name: &str) -> Result<Box<dyn Filter>, Fault> {
        match *self {}
    }

    fn settings_id(&self) -> u64 {
        match *self {}
    }
}

/// TLS settings, equal only to themselves: what they say is never compared.
#[derive(Clone, Debug)]
pub(crate) struct Tls(pub(crate) Arc<TlsClient>);

impl Tls {
    pub(crate) fn filter(&self, name: &str) -> Result<Box<dyn Filter>, Fault> {
        self.0.filter(name)
    }

    fn id(&self) -> u64 {
        self.0.settings_id()
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Tls {}

impl Hash for Tls {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

/// TLS is wanted and there are no settings for it.
pub(crate) fn missing() -> Error {
    use sockless_core::{Culprit, Reason};
    let what = "https is not built in, or has no settings";
    Fault::new(Culprit::Misuse, Reason::Unsupported, what)
        .remedy("build with a TLS feature")
        .at("tls")
}

#[cfg(feature = "ssh")]
pub(crate) use sockless_ssh::Client as SshClient;

/// Nobody can make one: SSH is not built in.
#[cfg(not(feature = "ssh"))]
#[derive(Debug)]
pub(crate) enum SshClient {}

#[cfg(not(feature = "ssh"))]
impl SshClient {
    fn settings_id(&self) -> u64 {
        match *self {}
    }
}

/// SSH settings, equal only to themselves.
#[derive(Clone, Debug)]
pub(crate) struct Ssh(pub(crate) Arc<SshClient>);

impl Ssh {
    /// The layer towards `host`: what stands on it speaks in messages, or, with `on`, is a
    /// stream that leads on to there.
    #[cfg(feature = "ssh")]
    pub(crate) fn filter(
        &self,
        (host, port): (&str, u16),
        on: Option<(&str, u16)>,
    ) -> Result<Box<dyn Filter>, Fault> {
        let filter = match on {
            None => self.0.channels(host, port)?,
            Some(to) => self.0.tunnel(host, port, to)?,
        };
        Ok(Box::new(filter))
    }

    /// What a login at `host` makes a context of: provider, service, and host.
    #[cfg(feature = "ssh")]
    pub(crate) fn context<'a>(
        &'a self,
        host: &'a str,
    ) -> Option<(&'a Arc<dyn SecurityProvider>, &'a str, &'a str)> {
        self.0.context(host)
    }

    #[cfg(not(feature = "ssh"))]
    pub(crate) fn context<'a>(
        &'a self,
        _host: &'a str,
    ) -> Option<(&'a Arc<dyn SecurityProvider>, &'a str, &'a str)> {
        match *self.0 {}
    }

    #[cfg(not(feature = "ssh"))]
    pub(crate) fn filter(
        &self,
        _at: (&str, u16),
        _on: Option<(&str, u16)>,
    ) -> Result<Box<dyn Filter>, Fault> {
        match *self.0 {}
    }

    fn id(&self) -> u64 {
        self.0.settings_id()
    }
}

impl PartialEq for Ssh {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Ssh {}

impl Hash for Ssh {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}
