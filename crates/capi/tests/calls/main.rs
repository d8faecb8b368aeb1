//! The C functions, called as C would: right, wrong, and at random.

mod errors;
mod handles;
mod model;
mod random;
mod rig;
mod settings;
#[cfg(feature = "ssh")]
mod ssh;
mod transfers;
