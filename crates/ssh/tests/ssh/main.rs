//! The SSH layer with russh in it, against a server in memory.

use sockless_ssh::Library;

mod channels;
mod conformance;
mod hostile;
mod keys;
mod login;
mod server;
mod tunnel;
mod world;

/// The library that speaks for us.
const LIBRARY: Library = Library::Russh;

/// What it can do, as the guide's table has it.
mod can {
    /// Begin a key exchange.
    pub(crate) const REKEY: bool = true;
    /// How often it asks for a sign of life at once; libssh2 has a clock of its own.
    pub(crate) const ASK_AT_ONCE: usize = 10;
    /// Tell a channel's close from its end.
    pub(crate) const TELL_CLOSE_FROM_END: bool = true;
    /// Wait for more lines after one with an older version.
    pub(crate) const WAIT_AFTER_OLD_VERSION: bool = true;
}
