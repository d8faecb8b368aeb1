//! The filter against a server in memory that this crate did not write.

#![cfg(any(feature = "aws-lc-rs", feature = "ring"))]

mod certificates;
mod closing;
mod conformance;
mod garbage;
mod handshake;
mod peer;
mod records;
mod settings;
