//! What all transfers of a session share.

use core::net::IpAddr;
use std::collections::HashMap;

use sockless_core::{Error, Limits, Pool};

use crate::Proxy;
use crate::secure::Tls;

/// What all transfers of a session share.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// Bounds of the engine.
    pub limits: Limits,
    /// Addresses for host and port, instead of asking a resolver.
    pub resolve: HashMap<(String, u16), Vec<IpAddr>>,
    /// Where buffers come from, instead of a pool of the session's own.
    pub pool: Option<Pool>,
    /// Proxies on the way to Kerberos' KDCs; the first one is connected to. Default none. No ticket is fetched for them, and
    /// nobody is asked about them ([`Event::Asked`](sockless_core::Event::Asked)), except an agent.
    pub kdc_proxies: Vec<Proxy>,
    pub(crate) tls: Option<Tls>,
}

#[cfg(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl"))]
impl Config {
    /// Sets the TLS settings; the default trusts the roots of webpki-roots.
    ///
    /// # Errors
    /// The settings contradict each other.
    pub fn with_tls(mut self, tls: sockless_tls::Config) -> Result<Self, Error> {
        let client = tls.build().map_err(|fault| fault.at("tls"))?;
        self.tls = Some(Tls(client));
        Ok(self)
    }

    /// Sets TLS settings that are built already, and may be others' as well.
    #[must_use]
    pub fn with_tls_client(mut self, client: std::sync::Arc<sockless_tls::Client>) -> Self {
        self.tls = Some(Tls(client));
        self
    }
}

impl Config {
    /// With TLS settings, wherever TLS is built in.
    pub(crate) fn complete(self) -> Result<Self, Error> {
        #[cfg(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl"))]
        if self.tls.is_none() {
            return self.with_tls(default_tls());
        }
        Ok(self)
    }
}

#[cfg(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl"))]
fn default_tls() -> sockless_tls::Config {
    sockless_tls::Config::new(sockless_tls::Roots::webpki()).alpn(["http/1.1"])
}
