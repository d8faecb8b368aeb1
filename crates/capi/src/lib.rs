//! The C interface of sockless: the completion API itself, in C.
//!
//! `include/sockless.h` is made from this crate by `cargo xtask header`; it is what programs
//! read, so everything public here is documented for them. The rules that hold for all of it:
//!
//! - **Nothing undefined by misuse.** A program holds two kinds of things. The *engine* is a
//!   struct in the program's own memory, which says of itself whether it is open
//!   ([`engine::Engine`]). All else are *handles*, numbers that the engine looks up: kind,
//!   engine, generation and slot ([`handles`]). NULL, a handle of another engine, one that was
//!   used up, a second completion, a call from two threads at once: each is a status.
//! - **No panic crosses.** It becomes [`Status::Panic`], and the engine is poisoned: all
//!   it still does is to take operations back and to close.
//! - **No global state**, no thread, no signal, no callback but the allocator's two functions.
//! - **Memory that the kernel may touch** belongs to an operation until that is completed, also
//!   when the engine is closed before.

#[cfg(not(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl")))]
compile_error!("the C interface needs a TLS feature: tls-rustls, tls-ring or tls-openssl");

pub mod allocator;
mod convert;
pub mod engine;
pub mod error;
pub mod event;
pub mod handles;
mod inner;
mod input;
pub mod kerberos;
pub mod operation;
pub mod poll;
pub mod request;
pub mod ssh;
pub mod status;
pub mod text;
pub mod tls;
pub mod transfer;

pub use status::Status;
