//! SSH over memory: no socket, no thread, no runtime.
//!
//! The SSH layer is a [`Filter`](sockless_core::Filter), made by a [`Client`]. What stands above it is
//! either a byte stream (a tunnel: one `direct-tcpip` channel) or talks to it in [`message`]s: open a
//! channel, here is data for it, it has ended.
//!
//! Transport, cryptography and channels are a library's: [`backend`] says what it has to do, and
//! hides which it is. The [`login`] and everything else is ours, and the same for all.

#![cfg_attr(
    not(feature = "russh"),
    allow(dead_code, reason = "settings that no backend reads")
)]

mod algorithms;
pub mod backend;
mod client;
mod filter;
mod fingerprint;
#[cfg(feature = "libssh2")]
mod libssh2;
pub mod login;
pub mod message;
#[cfg(feature = "russh")]
mod russh;

pub use algorithms::{Algorithms, Kind};
pub use client::{Client, Config, Library, Tuning};
pub use filter::Ssh;

/// The layer's name in errors, notes and connection keys.
const LAYER: &str = "ssh";
