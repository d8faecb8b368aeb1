//! The filters against proxies in memory: what they say, what they take, and what they refuse.
#![allow(
    clippy::disallowed_methods,
    reason = "a test must start its Instants somewhere"
)]

mod chain;
mod conformance;
mod lies;
mod proxy_protocol;
mod seal;
mod security;
mod settings;
mod socks4;
mod socks5;
mod wire;
