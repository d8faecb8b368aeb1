//! The SSH layer with libssh2 in it: the same tests, against the same server in memory.

use sockless_ssh::Library;

#[path = "../ssh/channels.rs"]
mod channels;
#[path = "../ssh/conformance.rs"]
mod conformance;
#[path = "../ssh/login.rs"]
mod login;
mod logins;
#[path = "../ssh/server.rs"]
mod server;
#[path = "../ssh/world.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod world;

/// The library that speaks for us.
const LIBRARY: Library = Library::Libssh2;
