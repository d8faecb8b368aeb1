//! Kerberos' other side, in memory: realms, their KDCs and services, some of which lie.
//!
//! Nothing here is shared with the library: messages and cryptography are written once more,
//! so that both have to be right to understand each other.

mod clock;
mod der;
mod kdc;
mod keys;
mod ledger;
mod realm;
mod service;

pub use clock::Clock;
pub use kdc::{Desk, KdcStream, Temper};
pub use keys::{ETYPES, Etype, Key};
pub use ledger::{Ledger, Shared, shared};
pub use realm::Realm;
pub use service::{Acceptor, Manners, UNPROVEN};
