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
#[cfg(feature = "openssl")]
mod options;
mod peer;
mod records;
#[cfg(feature = "openssl")]
mod refusals;
mod resumption;
mod rustls_only;
#[cfg(feature = "openssl")]
mod servers;
mod settings;
#[cfg(feature = "openssl")]
mod staple;
