//! The SSH layer under an engine, against OpenSSH, with russh in it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own sockets, processes and files"
)]

use sockless_ssh::Library;

mod cases;
mod exchanges;
mod files;
mod road;

/// The library that speaks for us.
const LIBRARY: Library = Library::Russh;
