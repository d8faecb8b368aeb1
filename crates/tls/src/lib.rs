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
//! Features: `aws-lc-rs` (default) and `ring` choose the cryptography, `webpki-roots`
//! (default) compiles Mozilla's roots in, `native-roots` reads the system's when the
//! application says so.
//!
//! **Invariant: nothing is read that was not given.** Certificates arrive as bytes
//! and the wall clock arrives with each pump. The one exception is what keys are made
//! of: the cryptography library's own random generator.

#![cfg_attr(
    not(feature = "rustls"),
    allow(dead_code, reason = "settings that no backend reads")
)]

mod config;
mod roots;
#[cfg(feature = "rustls")]
mod rustls;

#[cfg(feature = "rustls")]
pub use config::Client;
pub use config::{Config, KeyLog, Provider, Verify, Version};
pub use roots::Roots;
