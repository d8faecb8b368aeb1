//! The OpenSSL backend. Nothing outside this folder names OpenSSL.

mod error;
mod export;
mod filter;
mod resume;
mod sessions;
mod settings;
mod staple;
mod verify;
mod wire;

pub(crate) use settings::Settings;
