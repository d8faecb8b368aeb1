//! The other side: names, listeners, and what answers on a connection.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use sockless_core::Endpoint;

/// The other end of one connection, e.g. a server's state machine for it.
pub trait Peer {
    /// Takes what has come, says what it has to say, up to `wire.room`.
    ///
    /// Called whenever bytes or the end have come, room has been made, or its deadline is over.
    fn pump(&mut self, wire: &mut Wire, now: Instant);

    /// When it wants to be called without any of that.
    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// Both directions of a connection, seen from the peer.
#[derive(Debug, Default)]
pub struct Wire {
    /// What has come; the peer drains what it has understood.
    pub input: Vec<u8>,
    /// Nothing comes after `input`.
    pub input_finished: bool,
    /// What the peer says; it is taken after each pump.
    pub output: Vec<u8>,
    /// How much it may say now. More is taken as well, so it is a promise, as a pipe's is.
    pub room: usize,
    /// Set by the peer: nothing comes after `output`.
    pub finish: bool,
    /// Set by the peer: it breaks the connection off, a reset.
    pub reset: bool,
}

/// The other end of a datagram socket.
pub trait Correspondent {
    /// Takes a datagram, and gives its answers, each with the time that it takes to make it.
    fn answer(&mut self, datagram: &[u8], now: Instant) -> Vec<(Duration, Vec<u8>)>;
}

/// What a connection attempt meets. A datagram socket is always made; it meets the same with
/// what is sent.
pub enum Answer {
    /// Somebody.
    Peer(Box<dyn Peer>),
    /// Somebody who takes datagrams; a connection attempt is refused.
    Correspondent(Box<dyn Correspondent>),
    /// Nobody listens.
    Refuse,
    /// Nobody answers, ever.
    Silence,
}

/// Everything that an engine's operations can reach.
pub trait World {
    /// The addresses of a name; none: it does not exist.
    fn resolve(&mut self, host: &str) -> Vec<IpAddr>;

    /// Who answers there.
    fn connect(&mut self, to: &Endpoint) -> Answer;
}
