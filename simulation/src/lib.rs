//! Scenarios of sockless on a simulated network, and what they are made of: cryptography
//! from a seed, an HTTP server, and an application with whims.

pub mod crypto;
pub mod fetches;
pub mod http;
pub mod pattern;
pub mod proxies;
pub mod scenarios;
pub mod secured;
pub mod world;
