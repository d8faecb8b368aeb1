//! HTTP/1.1 for sockless: requests in, events out; no sockets.
//!
//! [`Http1`] is one transfer's protocol on top of a connection's stack, an
//! implementation of [`Exchange`](sockless_core::Exchange). It writes a
//! [`Request`], takes its body from the application and gives the answer as
//! events. It follows RFC 9110 and RFC 9112, strictly by default: what could be
//! read in two ways is refused, with a [`Reason`](sockless_core::Reason) of its own.
//!
//! ```
//! use sockless_core::Fault;
//! use sockless_http::{BodyKind, Http1, Http1Config, Request};
//!
//! fn exchange() -> Result<Http1, Fault> {
//!     let request = Request::new("POST", "/upload?id=7", "example.com")?
//!         .field("Content-Type", "text/plain")?
//!         .body(BodyKind::Sized(11));
//!     Ok(Http1::new(request, Http1Config::default()))
//! }
//! # exchange().unwrap();
//! ```
//!
//! [`Tunnel`] makes the filter that opens a tunnel through a proxy with CONNECT.
//! [`Authenticator`] has what is sent to servers and proxies that ask for credentials.
//!
//! Redirects, cookies and asking again with credentials are the business of the layer
//! above: each of them is another request.

mod auth;
mod chunked;
mod config;
mod connect;
mod decode;
mod exchange;
mod framing;
mod head;
mod receiver;
mod refusal;
mod request;
mod scan;
mod sender;

pub use auth::{
    Authenticator, Challenge, Credentials, Dialog, Party, Schemes, Subject, Verdict,
    basic_credentials,
};
pub use config::Http1Config;
pub use connect::Tunnel;
pub use decode::accept_encoding;
pub use exchange::{Http1, Proofs, Prover};
pub use request::{BodyKind, Request};
