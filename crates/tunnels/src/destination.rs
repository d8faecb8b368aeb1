//! Where a tunnel leads.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sockless_core::{Culprit, Fault, Reason};

/// The longest name in SOCKS, and in the DNS, in bytes.
const LONGEST: usize = 255;

/// The far end of a tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// A name that the proxy resolves, and a port.
    Name(Arc<str>, u16),
    /// An address; nobody is asked.
    Address(SocketAddr),
}

impl Destination {
    /// A name, or a literal address without brackets, and a port.
    pub fn new(host: &str, port: u16) -> Self {
        match host.parse::<IpAddr>() {
            Ok(ip) => Self::Address(SocketAddr::new(ip, port)),
            Err(_) => Self::Name(host.into(), port),
        }
    }

    /// The same, with a literal address as an address, and every name usable.
    pub(crate) fn checked(self) -> Result<Self, Fault> {
        let (name, port) = match self {
            Self::Name(name, port) => (name, port),
            address @ Self::Address(_) => return Ok(address),
        };
        if name.is_empty() {
            return Err(unusable("the destination's name is empty".to_owned()));
        }
        if name.len() > LONGEST {
            return Err(unusable(format!(
                "the destination's name has {} bytes, {LONGEST} are possible",
                name.len()
            )));
        }
        if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            let what = "the destination's name has characters that no host name has";
            return Err(unusable(what.to_owned()));
        }
        Ok(Self::new(&name, port))
    }
}

impl From<SocketAddr> for Destination {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name, port) => write!(f, "{name}:{port}"),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

fn unusable(what: String) -> Fault {
    Fault::new(Culprit::Misuse, Reason::BadUrl, what)
        .remedy("give the host's name in ASCII (an international one as xn--...)")
}
