//! A network of memory and virtual time: one more driver, with every fault on call.
//!
//! The completion interface is where all of the world reaches an engine, so a world
//! that is made up needs no mock of a socket. [`Sim`] is a [`Driver`](sockless_core::Driver)
//! whose peers are values ([`Peer`]) and whose faults come from a seed ([`Faults`]): latency,
//! bandwidth, split and merged reads, short sends, reordered completions, late
//! cancels, resets, ends anywhere, famine of buffers, datagrams lost and doubled. The same seed gives the same bytes.
//!
//! [`play`] runs an [`Application`] against it and holds the engine to its promises
//! meanwhile. [`torture`] runs one again and again, with each operation failing in each
//! way that it can. What an application is and what it must have achieved is a
//! [`Scenario`]; [`campaign`] runs many seeds of one.

mod faults;
mod link;
mod mail;
mod peer;
mod play;
mod scenario;
mod sim;
mod torture;
mod watch;

pub use faults::Faults;
pub use peer::{Answer, Correspondent, Peer, Wire, World};
pub use play::{Application, Report, play};
pub use scenario::{Campaign, Failure, Scenario, Stage, campaign, replay, torture, tortured};
pub use sim::{Sim, Trace};
pub use torture::{Injury, Interruption};
