//! TLS settings as the rest of this crate sees them, whether TLS is built in or not.

use core::hash::{Hash, Hasher};
use std::sync::Arc;

use sockless_core::{Error, Fault, Filter};

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
