//! Kerberos against real KDCs and real servers: every way that takes tickets, and what goes wrong.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own sockets, files, clocks and processes"
)]

mod credentials;
mod failures;
mod kdcs;
mod ways;
mod world;

use sockless::kerberos::Backend;
use world::{World, alice, config, get, login, provider, realms, servers};

/// The one under test.
const BACKEND: Backend = Backend::Gssapi;
