//! The filter over OpenSSL against servers in memory that this crate did not write.

use sockless_tls::Backend;

/// The one under test.
const BACKEND: Backend = Backend::Openssl;

mod certificates;
mod closing;
mod conformance;
mod export;
mod garbage;
mod handshake;
mod options;
mod peer;
mod records;
mod refusals;
mod resumption;
mod servers;
mod sessions;
mod settings;
