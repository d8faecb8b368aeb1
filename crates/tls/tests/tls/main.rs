//! The filter against a server in memory that this crate did not write.

mod certificates;
mod closing;
mod garbage;
mod handshake;
mod peer;
mod records;
mod settings;
