//! The rustls backend. Nothing outside this folder names rustls.

mod clock;
mod error;
mod filter;
mod settings;
mod verify;

pub(crate) use settings::Settings;
