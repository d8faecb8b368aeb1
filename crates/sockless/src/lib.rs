//! The transfer library for programs that own their I/O.
//!
//! sockless never touches a socket. It says *"receive from connection 23 into this
//! buffer and tell me when you are done"*; your program does that on the engine it
//! owns (io_uring, IOCP, POSIX AIO, Boost.Asio, …) and says *"done, 1448 bytes"*.
//!
//! Three ways to use it, from simple to complete control:
//!
//! - [`fetch`] and [`run`]: a ready-made driver and a loop of ten lines.
//! - [`Client`]: `async`/`await` on any runtime, over an object-safe driver trait.
//! - [`Session::poll`] and [`Session::complete`] in a loop of your own: the example
//!   `own_loop` does that with an io_uring of the application's.
//!
//! ```no_run
//! use sockless::{Config, Request, Session, drivers::Uring, fetch};
//! use std::time::{Instant, SystemTime};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut session = Session::new(Config::default(), Instant::now(), SystemTime::now(), 1)?;
//! let mut driver = Uring::new()?;
//! let response = fetch(&mut session, &mut driver, Request::get("https://localhost/")?)?;
//! println!("{} {}", response.head.code, response.body.len());
//! # Ok(())
//! # }
//! ```
//!
//! Features: `http`, `tls-rustls`, `tls-ring`, `tls-openssl`, `tls-native-roots`, `kerberos-gssapi`, `kerberos-rust`, `ssh`,
//! `ssh-libssh2`, `drivers`, `driver-tokio`, `driver-compio`, `driver-aio`, `http-types`, `tower`. Without any of them
//! this crate is the engine alone.

#[cfg(feature = "http")]
mod auth;
#[cfg(feature = "http")]
mod chain;
#[cfg(feature = "http")]
mod choice;
#[cfg(feature = "http")]
mod client;
#[cfg(feature = "http")]
mod config;
#[cfg(feature = "http")]
mod outgoing;
#[cfg(feature = "http")]
mod parties;
#[cfg(feature = "http")]
mod plan;
#[cfg(feature = "http")]
mod proxy;
#[cfg(feature = "http")]
mod redirect;
#[cfg(feature = "ssh")]
mod remote;
#[cfg(feature = "http")]
mod request;
#[cfg(feature = "http")]
mod run;
#[cfg(feature = "http")]
mod secure;
#[cfg(feature = "tower")]
mod service;
#[cfg(feature = "http")]
mod session;
#[cfg(feature = "http")]
mod tunnel;
#[cfg(feature = "http-types")]
mod types;
#[cfg(feature = "http")]
mod way;

pub use sockless_core as core;
pub use sockless_core::{
    Answer, Ask, AsyncDriver, Buf, Completion, ConnId, Culprit, Driver, Endpoint, Error, Event,
    Fault, Fields, Head, Limits, Note, Op, OpId, OpKind, Output, PeerKey, Pool, Prompt, Prompts,
    Question, QuestionId, Reason, Stats, Summary, Timeouts, TransferId,
};

#[cfg(feature = "http")]
pub use auth::Auth;
#[cfg(feature = "http")]
pub use choice::{NoProxy, Proxies};
#[cfg(feature = "http")]
pub use client::{Client, Incoming};
#[cfg(feature = "http")]
pub use config::Config;
#[cfg(feature = "http")]
pub use outgoing::Outgoing;
#[cfg(feature = "http")]
pub use proxy::{Proxy, ProxyKind};
#[cfg(feature = "ssh")]
pub use remote::{RemoteKind, RemoteUrl};
#[cfg(feature = "http")]
pub use request::{Body, Redirects, Request, masked};
#[cfg(feature = "http")]
pub use run::{Response, fetch, run};
#[cfg(feature = "tower")]
pub use service::Service;
#[cfg(feature = "http")]
pub use session::Session;
#[cfg(any(
    feature = "drivers",
    feature = "driver-tokio",
    feature = "driver-compio",
    feature = "driver-aio"
))]
pub use sockless_drivers as drivers;
#[cfg(feature = "http")]
pub use sockless_http as http;
#[cfg(feature = "http")]
pub use sockless_kerberos as kerberos;
#[cfg(feature = "ssh")]
pub use sockless_ssh as ssh;
#[cfg(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl"))]
pub use sockless_tls as tls;
#[cfg(feature = "http")]
pub use sockless_tunnels::Protection;
#[cfg(feature = "http")]
pub use tunnel::{ProxyHeader, TunnelTo};
