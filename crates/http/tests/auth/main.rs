//! Authentication as its user sees it: fields in, fields out.

mod basic;
mod challenges;
mod client;
mod digest;
mod negotiate;
mod refusals;
mod strength;
