//! TLS as a memory BIO: a [`Filter`](sockless_core::Filter) without a socket, clock or file.
//!
//! A [`Config`] is built once into a [`Client`]; the client makes a filter per
//! connection. What a backend calls its things does not show here: no type of this
//! crate's interface belongs to the TLS library behind it.
//!
//! ```
//! use sockless_tls::{Config, Roots};
//!
//! # #[cfg(all(feature = "webpki-roots", feature = "aws-lc-rs"))]
//! # fn main() -> Result<(), sockless_core::Fault> {
//! let client = Config::new(Roots::webpki()).alpn(["http/1.1"]).build()?;
//! let filter = client.filter("example.com")?;
//! assert_eq!(filter.layer(), "tls");
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "webpki-roots", feature = "aws-lc-rs")))]
//! # fn main() {}
//! ```
//!
//! Two backends, chosen by feature and, with both, by [`Config::backend`]: `rustls`, and
//! `openssl`, the system's library (never a default). They refuse the same servers with
//! the same words.
//!
//! Features: `aws-lc-rs` (default) and `ring` choose the cryptography, `webpki-roots`
//! (default) compiles Mozilla's roots in, `native-roots` reads the system's when the
//! application says so.
//!
//! **Invariant: nothing is read that was not given.** Certificates arrive as bytes
//! and the wall clock arrives with each pump. The one exception is what keys are made
//! of: the cryptography library's own random generator. (OpenSSL is given the wall clock
//! for its checks of certificates and its sessions, as of a connection's first pump; the
//! age of a ticket it takes from the system's clock as well.)

#![cfg_attr(
    not(any(feature = "rustls", feature = "openssl")),
    allow(dead_code, reason = "settings that no backend reads")
)]

#[cfg(any(feature = "rustls", feature = "openssl"))]
mod alert;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod binding;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod client;
mod config;
mod identity;
#[cfg(feature = "openssl")]
mod openssl;
mod pin;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod record;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod refusal;
mod roots;
#[cfg(feature = "rustls")]
mod rustls;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod suites;
mod x509;

#[cfg(any(feature = "rustls", feature = "openssl"))]
pub use client::Client;
pub use config::{Backend, Config, KeyLog, Provider, Verify, Version};
pub use roots::Roots;

/// The layer's name in errors, notes and connection keys.
#[cfg(any(feature = "rustls", feature = "openssl"))]
const LAYER: &str = "tls";

/// What a trace says of a connection with [`Verify::Insecure`].
#[cfg(any(feature = "rustls", feature = "openssl"))]
const UNVERIFIED: &str = "the server's certificate was NOT verified";
