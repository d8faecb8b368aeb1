//! Kerberos (RFC 4120) for sockless: tickets, and security contexts made from them (RFC 4121).
//!
//! [`Kerberos`] is a [`SecurityProvider`](sockless_core::SecurityProvider): HTTP's Negotiate, SOCKS5's GSS-API
//! method and SSH take their contexts from it. Making a context talks to nobody. The tickets
//! that it takes are fetched before, by an [`Errand`](sockless_core::Errand): it says what the KDCs
//! of which realm are to be asked, and whoever runs it has the transfers to do that.
//!
//! ```text
//!   lacks? -- no --> context                 no I/O, no waiting
//!     | yes
//!   errand -> Ask -> [ Asking: which KDC, when, how ] -> answer -> ... -> Nothing
//! ```
//!
//! The messages themselves are made by a backend:
//!
//! | feature | backend |
//! |---|---|
//! | `gssapi` | MIT Kerberos, the system's library (`src/mit`), by its step-by-step interface |
//! | `rust` | our own (`src/rust`), on RustCrypto: no system library, no clock or randomness but what is given |
//!
//! With both, [`Config::backend`] chooses.
//!
//! Without a backend there are the parts that need none: [`Realms`], [`Principal`], and the KDC client
//! [`Asking`] with its [`KdcExchange`].

#![cfg_attr(
    not(any(feature = "gssapi", feature = "rust")),
    allow(
        dead_code,
        reason = "tickets and secrets are for backends, and there is none"
    )
)]

#[cfg(any(feature = "gssapi", feature = "rust"))]
mod binding;
mod ccache;
mod code;
mod credentials;
mod der;
mod fetching;
mod kdc;
mod keytab;
mod lookup;
#[cfg(feature = "gssapi")]
mod mit;
mod principal;
mod provider;
mod reader;
mod realms;
#[cfg(feature = "rust")]
mod rust;

pub use credentials::Credentials;
pub use kdc::{Act, Asking, KdcExchange, LARGEST as LARGEST_MESSAGE, Via, proxied, unproxied};
pub use principal::Principal;
pub use provider::{Backend, Config, Delegation, Kerberos};
pub use realms::Realms;
