//! Scenarios of sockless on a simulated network, and what they are made of: cryptography
//! from a seed, servers of HTTP and sftp, and applications with whims.

pub mod copies;
pub mod crypto;
pub mod fetches;
pub mod files;
pub mod http;
pub mod krb;
pub mod logins;
pub mod pattern;
pub mod proxies;
pub mod realms;
pub mod scenarios;
pub mod secured;
pub mod sshd;
pub mod world;
