//! One line of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::hashed::Hashed;
use crate::patterns::{Listed, listed};
use crate::wire::algorithm;

/// What a line's key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// It is the host's.
    Host,
    /// It signs certificates of hosts.
    Authority,
    /// It must never be accepted.
    Revoked,
}

/// Whose key it is.
#[derive(Clone, Debug)]
enum Names {
    Patterns(String),
    Hashed(Hashed),
}

/// A line.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) marker: Marker,
    names: Names,
    /// The key as it is on the wire.
    pub(super) key: Vec<u8>,
}

impl Entry {
    /// Reads a line; `None`: it is empty or a comment.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(line: &str) -> Result<Option<Self>, &'static str> {
        let line = line.trim_start_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let mut words = line.split_ascii_whitespace();
        let mut hosts = words.next();
        let marker = match hosts {
            Some("@cert-authority") => Marker::Authority,
            Some("@revoked") => Marker::Revoked,
            Some(other) if other.starts_with('@') => return Err("the marker is unknown"),
            _ => Marker::Host,
        };
        if marker != Marker::Host {
            hosts = words.next();
        }
        let (Some(hosts), Some(kind), Some(key)) = (hosts, words.next(), words.next()) else {
            return Err("host names, algorithm and key are needed");
        };
        if kind.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("it is a key of SSH 1");
        }
        let key = STANDARD.decode(key).map_err(|_| "the key is no base64")?;
        match algorithm(&key) {
            Some(named) if named == kind => {}
            Some(_) => return Err("the key is of another algorithm than the line says"),
            None => return Err("the key is cut short"),
        }
        let names = match hosts.starts_with('|') {
            true => Names::Hashed(Hashed::read(hosts).ok_or("the hashed name cannot be read")?),
            false => Names::Patterns(hosts.to_owned()),
        };
        Ok(Some(Self { marker, names, key }))
    }

    /// Whether the line is about that name: a host, or `[host]:port`, in lower case.
    pub(super) fn is_about(&self, name: &str) -> bool {
        match &self.names {
            Names::Patterns(list) => listed(list.split(','), name) == Listed::Present,
            Names::Hashed(hashed) => hashed.is_of(name),
        }
    }

    /// The key's algorithm.
    pub(super) fn algorithm(&self) -> &str {
        algorithm(&self.key).unwrap_or_default()
    }
}
