//! The conversation with KDCs: whom to ask when, and how a message is framed.

mod asking;
mod der;
mod exchange;
mod proxy;

pub use asking::{Act, Asking, Via};
pub use exchange::KdcExchange;
pub use proxy::{proxied, unproxied};

pub(crate) use der::{is_answer_to, wants_stream};

/// The largest message of a KDC's that is taken, in bytes.
pub const LARGEST: usize = 1024 * 1024;
