//! SSH over memory: no socket, no thread, no runtime.
//!
//! The SSH layer is a [`Filter`](sockless_core::Filter). What stands above it is either a byte
//! stream (a tunnel: one `direct-tcpip` channel) or talks to it in [`message`]s: open a channel,
//! here is data for it, it has ended.

pub mod agent;
pub mod backend;
pub mod config;
pub mod keys;
pub mod known_hosts;
pub mod login;
pub mod message;
mod patterns;
mod place;
mod wire;
