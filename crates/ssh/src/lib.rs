//! SSH over memory: no socket, no thread, no runtime.
//!
//! The SSH layer is a [`Filter`](sockless_core::Filter). What stands above it is either a byte
//! stream (a tunnel: one `direct-tcpip` channel) or talks to it in [`message`]s: open a channel,
//! here is data for it, it has ended.

mod algorithms;
pub mod backend;
#[cfg(feature = "libssh2")]
mod libssh2;
pub mod login;
pub mod message;

pub use algorithms::{Algorithms, Kind};
