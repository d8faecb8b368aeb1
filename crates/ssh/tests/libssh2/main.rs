//! The SSH layer with libssh2 in it: the same tests, against the same server in memory.

use sockless_ssh::Library;

#[path = "../ssh/channels.rs"]
mod channels;
#[path = "../ssh/conformance.rs"]
mod conformance;
#[path = "../ssh/hostile.rs"]
mod hostile;
#[path = "../ssh/keys.rs"]
mod keys;
#[path = "../ssh/login.rs"]
mod login;
mod logins;
#[path = "../ssh/server.rs"]
mod server;
#[path = "../ssh/tunnel.rs"]
mod tunnel;
#[path = "../ssh/world.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod world;

/// The library that speaks for us.
const LIBRARY: Library = Library::Libssh2;

/// What it can do, as the guide's table has it.
mod can {
    /// Begin a key exchange.
    pub(crate) const REKEY: bool = false;
    /// How often it asks for a sign of life at once; libssh2 has a clock of its own.
    pub(crate) const ASK_AT_ONCE: usize = 1;
    /// Tell a channel's close from its end.
    pub(crate) const TELL_CLOSE_FROM_END: bool = false;
    /// Wait for more lines after one with an older version.
    pub(crate) const WAIT_AFTER_OLD_VERSION: bool = false;
}
