//! The engine against a scripted world: no socket, no clock, every completion by hand.
#![allow(
    clippy::disallowed_methods,
    reason = "virtual time needs one real start"
)]

mod asking;
mod cancel;
mod dialing;
mod flow;
mod layers;
mod limits;
mod names;
mod random;
mod raw;
mod receiving;
mod reopen;
mod rests;
mod reuse;
mod scale;
mod timeouts;
mod toy;
mod world;
