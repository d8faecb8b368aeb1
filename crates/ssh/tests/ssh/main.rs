//! The SSH layer against a server in memory.

mod channels;
mod conformance;
mod keys;
mod hostile;
mod login;
mod server;
mod tunnel;
mod world;
