//! Kerberos of our own against real KDCs and real servers: the same as with MIT's.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own sockets, files, clocks and processes"
)]

mod credentials;
mod delegation;
mod failures;
mod kdcs;
mod ways;
mod world;

use sockless::kerberos::Backend;
use world::{World, alice, config, get, login, provider, realms, servers};

/// The one under test.
const BACKEND: Backend = Backend::Rust;
