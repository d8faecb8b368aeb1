//! The filter that opens a tunnel through a proxy.

mod answers;
mod challenges;
mod conformance;
mod garbage;
mod run;
mod sent;
mod ticket;
