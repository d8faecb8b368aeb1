//! Stacks of four layers through real proxies: every TLS library in every place, on every
//! driver, for requests and for byte streams.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own sockets, processes and files"
)]

mod chains;
mod reuse;
mod road;
mod streams;
