//! What servers have seen and done, for the verdict in the end.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Something that all servers of a run have in common: a run is one thread's.
pub type Shared<T> = Rc<RefCell<T>>;

/// Shares it.
pub fn shared<T>(one: T) -> Shared<T> {
    Rc::new(RefCell::new(one))
}

/// What has come up in a run.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What was done that transfers from these services may fail for, and no others.
    pub lies: BTreeSet<(&'static str, &'static str)>,
    /// Questions with a proof of the user's, each once, however often and whomever it was sent.
    pub logins: BTreeSet<Vec<u8>>,
    /// Questions for tickets by service and the realm that was asked: the same.
    pub tickets: BTreeMap<String, BTreeSet<Vec<u8>>>,
    /// Proofs that services were shown.
    pub shown: BTreeSet<Vec<u8>>,
    /// Datagrams that were answered.
    pub by_datagram: u64,
    /// Messages on streams that were answered.
    pub by_stream: u64,
    /// What has come of each transfer: whence, and the answer's code or the error.
    pub ends: Vec<(&'static str, Result<u16, String>)>,
    /// A promise that the client has broken.
    pub broken: Option<String>,
}

impl Ledger {
    /// Takes down a lie to those who want something of these services.
    pub fn lie(&mut self, services: &[&'static str], what: &'static str) {
        self.lies.extend(services.iter().map(|one| (*one, what)));
    }

    /// Whether a transfer from that service may fail.
    pub fn excuses(&self, service: &str) -> bool {
        self.lies.iter().any(|(whose, _)| *whose == service)
    }
}
