//! The conversation with KDCs: whom to ask when, and how a message is framed.

mod asking;
mod exchange;
mod proxy;

pub use asking::{Act, Asking, Via};
pub use exchange::KdcExchange;
pub use proxy::{proxied, unproxied};

/// The largest message of a KDC's that is taken, in bytes.
pub const LARGEST: usize = 1024 * 1024;
