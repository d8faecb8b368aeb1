//! Filters: the conformance suite against a small one, sound and broken, and the stack.
#![allow(
    clippy::disallowed_methods,
    reason = "virtual time needs one real start"
)]

mod conformance;
mod rot;
mod stack;
