//! Authentication to servers and proxies (RFC 9110 section 11).
//!
//! An [`Authenticator`] is what is known about one party, shared by all connections to it; a
//! [`Dialog`] is one request's way through it:
//!
//! ```text
//!            authorize              401, 407              authorize
//!   request -----------> (nothing) ----------> challenged ----------> the same again, with
//!                                                  ^                  the field     |
//!                                                  |  another step, stale nonce     |
//!                                                  +--------------------------------+
//!                                                  |                                |
//!                                      GiveUp <----+     any other status: accepted v
//! ```
//!
//! Nothing is sent before a challenge, unless asked for with [`Authenticator::preemptive`] or
//! known from an earlier one. [`Schemes`] says in which order schemes are chosen.
//!
//! User names and passwords are sent as UTF-8, as they were given: whoever wants them
//! normalized (RFC 8265) does that before.

mod authenticator;
mod basic;
mod challenge;
mod credentials;
mod dialog;
mod digest;
mod offer;
mod schemes;

use zeroize::Zeroizing;

pub use authenticator::{Authenticator, Verdict};
pub use basic::basic_credentials;
pub use challenge::Challenge;
pub use credentials::Credentials;
pub use dialog::Dialog;
pub use schemes::Schemes;

pub(crate) use digest::leading_u64;

/// A field's value, wiped when it is dropped.
type Secret = Zeroizing<Vec<u8>>;

/// Whom one authenticates to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// The server: status 401.
    Origin,
    /// A proxy: status 407.
    Proxy,
}

impl Party {
    /// The status code of its challenges.
    pub fn status(self) -> u16 {
        match self {
            Self::Origin => 401,
            Self::Proxy => 407,
        }
    }

    /// The field that credentials are sent in.
    pub fn request_field(self) -> &'static str {
        match self {
            Self::Origin => "Authorization",
            Self::Proxy => "Proxy-Authorization",
        }
    }

    /// The field that challenges come in.
    pub fn challenge_field(self) -> &'static str {
        match self {
            Self::Origin => "WWW-Authenticate",
            Self::Proxy => "Proxy-Authenticate",
        }
    }

    /// The field that comes with an answer to accepted credentials (RFC 7615).
    pub fn info_field(self) -> &'static str {
        match self {
            Self::Origin => "Authentication-Info",
            Self::Proxy => "Proxy-Authentication-Info",
        }
    }
}

/// The request that credentials are for, as far as Digest covers it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The method, e.g. `GET`.
    pub method: &'a str,
    /// The request target as it is sent: a path with query, an absolute URL, or `host:port` with CONNECT.
    pub target: &'a str,
    /// The whole body, empty where there is none; `None` if it is not known before it is sent.
    /// Then challenges that ask for its hash (`qop=auth-int`) cannot be answered.
    pub body: Option<&'a [u8]>,
}
