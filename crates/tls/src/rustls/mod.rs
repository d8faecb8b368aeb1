//! The rustls backend. Nothing outside this folder names rustls.

mod clock;
mod error;
mod filter;
mod settings;
mod verify;
mod x509;

pub(crate) use settings::Settings;

/// The layer's name in errors, notes and connection keys.
pub(crate) const LAYER: &str = "tls";
