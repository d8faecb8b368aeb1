//! Where a transfer goes and what its connection is made of.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use crate::{Fault, Filter};

/// The other end of the connection's socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// A host, by name or literal address, over TCP.
    Host {
        /// The name or literal address, without brackets.
        host: Arc<str>,
        /// The port.
        port: u16,
    },
    /// These addresses, in this order; nobody is asked.
    Addresses(Vec<SocketAddr>),
    /// A unix stream socket.
    Unix(PathBuf),
    /// A connected UDP socket.
    Udp(SocketAddr),
    /// A connected UDP socket, to the first address of a host.
    UdpHost {
        /// The name or literal address, without brackets.
        host: Arc<str>,
        /// The port.
        port: u16,
    },
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Host { host, port } => write!(f, "{host}:{port}"),
            Self::Addresses(list) => match list.first() {
                Some(first) => write!(f, "{first}"),
                None => f.write_str("no address"),
            },
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Udp(addr) => write!(f, "{addr} (udp)"),
            Self::UdpHost { host, port } if host.contains(':') => {
                write!(f, "[{host}]:{port} (udp)")
            }
            Self::UdpHost { host, port } => write!(f, "{host}:{port} (udp)"),
        }
    }
}

/// Builds the filters of a new connection.
pub trait Recipe: Send + Sync {
    /// Hosts that the filters need the addresses of, e.g. a destination that its proxy
    /// cannot resolve. They are looked up before the filters are built; a literal address
    /// asks nobody.
    fn names(&self) -> &[(Arc<str>, u16)] {
        &[]
    }

    /// The filters from the socket upward; empty for plain text. `found` has the addresses
    /// of each of [`Recipe::names`], at least one, in the resolver's order.
    ///
    /// # Errors
    /// A setting that cannot work, e.g. a name that is none.
    fn filters(&self, found: &[Vec<IpAddr>]) -> Result<Vec<Box<dyn Filter>>, Fault>;
}

/// A connection without any filter.
#[derive(Debug)]
pub struct Plain;

impl Recipe for Plain {
    fn filters(&self, _found: &[Vec<IpAddr>]) -> Result<Vec<Box<dyn Filter>>, Fault> {
        Ok(Vec::new())
    }
}

/// Everything that makes one connection different from another: equal keys, and
/// only they, may share a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Where the socket leads.
    pub target: Target,
    /// The local address it is bound to.
    pub local: Option<IpAddr>,
    /// Protocol on top, e.g. `http/1.1`: two protocols never share a connection.
    pub protocol: &'static str,
    /// Each layer's own fingerprint of its security-relevant settings, bottom to top.
    pub layers: Vec<LayerKey>,
}

/// A layer's part of a [`Key`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LayerKey {
    /// The layer, e.g. `tls`.
    pub layer: &'static str,
    /// A number that is the same only for the same settings object.
    pub settings: u64,
    /// The name that the layer verifies its peer by.
    pub verified_name: Arc<str>,
}

/// Where a transfer goes: a key, and how to build a connection that deserves it.
pub struct Route {
    /// What the connection is shared by.
    pub key: Key,
    /// How to build its filters.
    pub recipe: Box<dyn Recipe>,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
