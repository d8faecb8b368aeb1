//! The SSH layer under an engine, against OpenSSH, with libssh2 in it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own sockets, processes and files"
)]

use sockless_ssh::Library;

#[path = "../ssh/cases.rs"]
mod cases;
#[path = "../ssh/exchanges.rs"]
mod exchanges;
#[path = "../ssh/road.rs"]
mod road;

/// The library that speaks for us.
const LIBRARY: Library = Library::Libssh2;
