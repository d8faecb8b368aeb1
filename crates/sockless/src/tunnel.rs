//! A byte stream to any host through any chain of proxies, for programs with a protocol of
//! their own.

use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sockless_core::{Culprit, Error, Fault, Options, Reason, Target, Timeouts};
use sockless_tunnels::{Addresses, ProxyProtocol, Version};

use crate::Proxy;
use crate::secure::Tls;

/// Where a tunnel leads, and how: [`Session::tunnel`](crate::Session::tunnel) opens it.
///
/// ```
/// # fn main() -> Result<(), sockless::Error> {
/// use sockless::{Proxy, TunnelTo};
///
/// let to = TunnelTo::new("db.example", 5432)?
///     .proxy(Proxy::parse("https://proxy.example:3129")?)
///     .secured();
/// assert_eq!(to.to_string(), "db.example:5432");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TunnelTo {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
    pub(crate) secure: bool,
    pub(crate) tls: Option<Tls>,
    pub(crate) local: Option<IpAddr>,
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) header: Option<ProxyHeader>,
    pub(crate) options: Options,
}

impl TunnelTo {
    /// A host, by name or literal address, and a port. Nothing moves for as long as both
    /// ends like it: the idle timeout is off.
    ///
    /// # Errors
    /// The host or the port can be none.
    pub fn new(host: &str, port: u16) -> Result<Self, Error> {
        let host = crate::way::bare(host);
        // Whatever may carry it refuses what it cannot say; this is said at once.
        sockless_http::Tunnel::new("proxy", host, port).map_err(|fault| fault.at("tunnel"))?;
        let mut options = Options::default();
        options.timeouts.idle = None;
        Ok(Self {
            host: host.into(),
            port,
            secure: false,
            tls: None,
            local: None,
            proxies: Vec::new(),
            header: None,
            options,
        })
    }

    /// The same from `host:port`, an IPv6 address in brackets.
    ///
    /// # Errors
    /// It is not of that form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = || {
            let what = format!("{text:?} is no host and port");
            Fault::new(Culprit::Misuse, Reason::BadUrl, what)
                .remedy("write it as host:port, an IPv6 address as [address]:port")
                .at("tunnel")
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        if host.contains(':') && !bracketed {
            return Err(bad());
        }
        Self::new(host, port.parse().map_err(|_| bad())?)
    }

    /// TLS on top, verified for the host, by the session's settings.
    #[must_use]
    pub fn secured(mut self) -> Self {
        self.secure = true;
        self
    }

    /// TLS on top by these settings.
    #[cfg(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl"))]
    #[must_use]
    pub fn tls(mut self, client: Arc<sockless_tls::Client>) -> Self {
        (self.secure, self.tls) = (true, Some(Tls(client)));
        self
    }

    /// Adds a proxy at the far end of the chain.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxies.push(proxy);
        self
    }

    /// Begins with the PROXY protocol's header.
    #[must_use]
    pub fn proxy_header(mut self, header: ProxyHeader) -> Self {
        self.header = Some(header);
        self
    }

    /// Binds the connection to a local address.
    #[must_use]
    pub fn local_address(mut self, local: IpAddr) -> Self {
        self.local = Some(local);
        self
    }

    /// Sets the timeouts.
    #[must_use]
    pub fn timeouts(mut self, configure: impl FnOnce(&mut Timeouts)) -> Self {
        configure(&mut self.options.timeouts);
        self
    }

    /// Sets priority and notes. The connection of a byte stream never serves anybody else.
    #[must_use]
    pub fn options(mut self, configure: impl FnOnce(&mut Options)) -> Self {
        configure(&mut self.options);
        self
    }
}

impl core::fmt::Display for TunnelTo {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (host, port) = (Arc::clone(&self.host), self.port);
        Target::Host { host, port }.fmt(f)
    }
}

/// The header of HAProxy's PROXY protocol, which says in front of everything else whose
/// connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyHeader {
    /// Version 1, in text: nobody's but ours.
    Own,
    /// Version 1: that of the client at this address, towards that one.
    Relayed {
        /// The client.
        source: SocketAddr,
        /// What it connected to.
        destination: SocketAddr,
    },
    /// Version 2, binary: nobody's but ours.
    OwnV2,
    /// Version 2: that of the client at this address, towards that one.
    RelayedV2 {
        /// The client.
        source: SocketAddr,
        /// What it connected to.
        destination: SocketAddr,
    },
}

impl ProxyHeader {
    pub(crate) fn filter(self) -> Result<ProxyProtocol, Fault> {
        let (version, addresses) = match self {
            Self::Own => (Version::V1, Addresses::Own),
            Self::OwnV2 => (Version::V2, Addresses::Own),
            Self::Relayed {
                source,
                destination,
            } => (
                Version::V1,
                Addresses::Relayed {
                    source,
                    destination,
                },
            ),
            Self::RelayedV2 {
                source,
                destination,
            } => (
                Version::V2,
                Addresses::Relayed {
                    source,
                    destination,
                },
            ),
        };
        ProxyProtocol::new(version, addresses)
    }
}
