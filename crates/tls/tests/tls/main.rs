//! The filter over rustls against servers in memory that this crate did not write.

#![cfg(any(feature = "aws-lc-rs", feature = "ring"))]

use sockless_tls::Backend;

/// The one under test.
const BACKEND: Backend = Backend::Rustls;

mod certificates;
mod closing;
mod conformance;
mod garbage;
mod handshake;
mod peer;
mod records;
mod rustls_only;
mod settings;
