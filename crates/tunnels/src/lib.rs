//! Tunnels through proxies as memory BIOs: each a [`Filter`](sockless_core::Filter) that talks
//! to the proxy and then leaves the stack, so that what is above it talks to the destination.
//!
//! ```
//! use sockless_core::Filter;
//! use sockless_tunnels::{Destination, Socks5, UserPassword};
//!
//! # fn main() -> Result<(), sockless_core::Fault> {
//! let login = UserPassword::new("alice", "secret")?;
//! let to = Destination::new("example.com", 443);
//! let filter = Socks5::new("proxy.example:1080", to, Some(login))?;
//! assert_eq!(filter.layer(), "socks5");
//! # Ok(())
//! # }
//! ```
//!
//! | filter | is | destination |
//! |---|---|---|
//! | [`Socks4`] | SOCKS4, and 4a for names | an IPv4 address, or a name that the proxy resolves |
//! | [`Socks5`] | RFC 1928, with RFC 1929 and RFC 1961 | any address, or a name that the proxy resolves |
//! | [`ProxyProtocol`] | HAProxy's header, versions 1 and 2 | the server behind the connection |
//!
//! A destination that is a name is the proxy's to resolve. Who wants to resolve it first lets
//! the engine do so ([`Recipe::names`](sockless_core::Recipe::names)) and gives an address.
//!
//! **Invariant: not a byte of the layers above goes out before the proxy has agreed**, and not a
//! byte behind the proxy's answer is lost.

mod credentials;
mod destination;
mod proxy;
mod proxy_protocol;
mod socks4;
mod socks5;

pub use credentials::UserPassword;
pub use destination::Destination;
pub use proxy_protocol::{Addresses, ProxyProtocol, Version};
pub use socks4::Socks4;
pub use socks5::{Protection, Socks5};
