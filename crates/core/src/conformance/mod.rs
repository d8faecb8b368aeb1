//! What every filter of every backend must hold to, as a test that takes a filter.
//!
//! ```text
//! use sockless_core::conformance;
//!
//! #[test]
//! fn tls_conforms() {
//!     conformance::check(&TlsSubject::new());
//! }
//! ```
//! A [`Subject`] makes filters and, for each, a [`Peer`]: the other side of the same
//! protocol, in memory, preferably by another implementation. [`check`] runs all cases
//! and panics with the case, the place in the conversation and what went wrong; the
//! cases are also there one by one, for tests that are to be told apart.
//!
//! The conversation is always the same: handshake, [`Traits::message`] bytes each way,
//! the peer's farewell, some more bytes upstream, our farewell. A case is a manner
//! of carrying its bytes, or a place where it is cut.

mod bounds;
mod carrier;
mod ends;
mod manner;

use std::time::{Instant, SystemTime};

use crate::Filter;

pub use bounds::{deadline, directions, idle, min, small_room};
pub use ends::{fin, garbage, half_close, last_words};
pub use manner::{byte_at_a_time, partial_in_flight, splits, whole};

/// A filter under test.
pub trait Subject {
    /// A new filter, at the beginning of its connection.
    fn filter(&self) -> Box<dyn Filter>;

    /// A new peer for one such filter.
    fn peer(&self) -> Box<dyn Peer>;

    /// The time that all conversations begin at, on both clocks.
    fn clocks(&self) -> (Instant, SystemTime);

    /// What the protocol is like.
    fn traits(&self) -> Traits {
        Traits::default()
    }
}

/// The other side of a filter, in memory.
pub trait Peer {
    /// Takes bytes from the wire. Bytes that break the protocol may panic: they are the filter's fault.
    fn hear(&mut self, wire: &[u8]);

    /// Takes what the peer has for the wire now, in whole units of the protocol.
    fn speak(&mut self) -> Vec<u8>;

    /// Application bytes to be sealed; kept until the handshake allows them.
    fn send(&mut self, bytes: &[u8]);

    /// Takes the application bytes that were opened so far.
    fn received(&mut self) -> Vec<u8>;

    /// Says farewell, after all that was given to [`Peer::send`].
    fn finish(&mut self);

    /// Whether it has heard the filter's farewell. Without one ([`Traits::farewell`]
    /// is false) it is not asked.
    fn is_finished(&self) -> bool;
}

/// What a protocol is like, as far as the cases differ for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Traits {
    /// It has a farewell of its own: an end without it is a truncation. Default true.
    pub farewell: bool,
    /// After one side's farewell the other one may go on. Default true.
    pub half_close: bool,
    /// Foreign bytes at any place are noticed (framing with a check). Default true.
    pub detects_garbage: bool,
    /// It tells its peer about an error before it fails. Default true.
    pub last_words: bool,
    /// The largest unit, opened or sealed, in bytes: a pipe may be passed by that much.
    /// Default 17 KiB.
    pub unit: usize,
    /// Bytes of application data each way. Default 400.
    pub message: usize,
    /// Every how many bytes a conversation is split or cut; for slow handshakes. Default 1.
    pub stride: usize,
}

impl Default for Traits {
    fn default() -> Self {
        Self {
            farewell: true,
            half_close: true,
            detects_garbage: true,
            last_words: true,
            unit: 17 * 1024,
            message: 400,
            stride: 1,
        }
    }
}

/// Runs all cases.
///
/// # Panics
/// If the filter breaks a rule; the message says which, and where.
pub fn check(subject: &dyn Subject) {
    whole(subject);
    byte_at_a_time(subject);
    splits(subject);
    partial_in_flight(subject);
    small_room(subject);
    directions(subject);
    idle(subject);
    min(subject);
    deadline(subject);
    half_close(subject);
    fin(subject);
    garbage(subject);
    last_words(subject);
}
