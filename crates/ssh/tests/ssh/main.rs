//! The SSH layer with russh in it, against a server in memory.

use sockless_ssh::Library;

mod channels;
mod conformance;
mod hostile;
mod login;
mod server;
mod tunnel;
mod world;

/// The library that speaks for us.
const LIBRARY: Library = Library::Russh;
