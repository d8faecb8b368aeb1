//! The SSH layer against a server in memory.

mod channels;
mod conformance;
mod login;
mod server;
mod world;
