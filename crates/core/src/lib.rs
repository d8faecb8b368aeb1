//! The completion engine of sockless: it never touches a socket.
//!
//! [`Engine`] says *"receive from connection 23 into this buffer and tell me when you
//! are done"* ([`Output::Submit`]); the application does that on whatever engine it
//! owns and says *"done, 1448 bytes"* ([`Engine::complete`]). Security layers are
//! [`Filter`]s: memory BIOs in a [`Stack`].
//!
//! Nothing in this crate reads a clock, the environment, a file, a name server or a
//! random source. The same inputs give the same outputs.

mod ask;
mod buf;
mod by_id;
#[cfg(feature = "conformance")]
pub mod conformance;
mod driver;
mod engine;
mod entry;
mod error;
mod event;
mod exchange;
mod filter;
mod limits;
mod op;
mod pipe;
mod raw;
mod route;
mod security;
mod slab;
mod stack;
mod timers;

pub use ask::{Answer, Ask, Asks, PeerKey, Prompt, Prompts, Question, QuestionId};
pub use buf::{Buf, Memory, Pool, PoolStats};
pub use by_id::{ById, IdHasher};
pub use driver::{AsyncDriver, Driver};
pub use engine::{Engine, Options, Output, Stats};
pub use entry::{Attributes, Entry, EntryKind, Exit, FileSystem};
pub use error::{Culprit, Error, Fault, Reason};
pub use event::{Event, Fields, Head, Note, Summary, TransferId};
pub use exchange::{Body, Events, Exchange, Top, Turn};
pub use filter::{ChannelBinding, Cx, Filter, Phase, Seams, Status};
pub use limits::{Limits, Timeouts};
pub use op::{
    Completion, ConnId, Endpoint, MAX_SEND_BUFS, Op, OpId, OpKind, cancelled, is_cancelled,
};
pub use pipe::Pipe;
pub use raw::Raw;
pub use route::{Key, LayerKey, Plain, Recipe, Route, Target};
pub use security::{Errand, Inquiry, Kdc, Need, Protocol, SecurityContext, SecurityProvider, Step};
pub use stack::{Driven, Pumped, Stack};
