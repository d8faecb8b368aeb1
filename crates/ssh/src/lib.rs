//! SSH over memory: no socket, no thread, no runtime.
//!
//! The SSH layer is a [`Filter`](sockless_core::Filter), made by a [`Client`]. What stands above it is
//! either a byte stream (a tunnel: one `direct-tcpip` channel) or talks to it in [`message`]s: open a
//! channel, here is data for it, it has ended.
//!
//! Transport, cryptography and channels are a library's: [`backend`] says what it has to do, and
//! hides which it is. The [`login`] and everything else is ours, and the same for all.

#![cfg_attr(
    not(any(feature = "russh", feature = "libssh2")),
    allow(dead_code, reason = "settings that no backend reads")
)]

pub mod agent;
mod algorithms;
pub mod backend;
mod channel;
mod client;
pub mod config;
mod escape;
mod exec;
pub mod feed;
mod filter;
pub mod fingerprint;
pub mod keys;
pub mod known_hosts;
#[cfg(feature = "libssh2")]
mod libssh2;
pub mod login;
pub mod message;
mod name;
mod patterns;
mod place;
#[cfg(feature = "russh")]
mod russh;
pub mod scp;
pub mod sftp;
mod wire;

pub use algorithms::{Algorithms, Kind};
pub use client::{Client, Config, Library, Tuning};
pub use exec::Exec;
pub use filter::Ssh;

/// The layer's name in errors, notes and connection keys.
const LAYER: &str = "ssh";
