//! What the end-to-end tests run against: real servers from Debian's packages
//! ([`servers`]), small servers that misbehave on purpose ([`faults`]), and a wire that
//! takes time ([`delay`]).
//!
//! Everything is on loopback, in folders below `target/servers`, and gone when its
//! handle is dropped or its process ends.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own sockets, threads, files and clocks"
)]

pub mod content;
pub mod delay;
pub mod executor;
pub mod faults;
pub mod servers;
pub mod ssh_faults;
