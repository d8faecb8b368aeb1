//! An exchange driven by hand: bytes in, events and bytes out, time as an argument.

mod decode;
mod framing;
mod garbage;
mod harness;
mod heads;
mod notes;
mod request;
mod splits;
mod upload;
