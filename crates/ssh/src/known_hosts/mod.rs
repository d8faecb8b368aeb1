//! Which keys hosts have: OpenSSH's known_hosts files, and what follows from them.
//!
//! Text in, findings out; files are the application's. [`HostKeyRules`] is what a connection is
//! given: the files, a [`Policy`], [`Pins`].
//!
//! ```
//! use sockless_ssh::known_hosts::{KnownHosts, Finding};
//!
//! let mut known = KnownHosts::new();
//! known.add("known_hosts", "example.com ssh-ed25519 \
//!     AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti\n");
//! assert_eq!(known.algorithms("example.com", 22), ["ssh-ed25519"]);
//! assert!(matches!(known.check("example.org", 22, b"", std::time::UNIX_EPOCH), Finding::Unknown));
//! ```

mod authority;
mod hashed;
mod line;
mod policy;

use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use hashed::Hashed;
use line::{Entry, Marker};

use crate::wire::algorithm;

pub use crate::place::Place;

pub use authority::{BadCertificate, is_certificate};
pub(crate) use policy::plain;
pub use policy::{HostKeyRules, Learned, NewHost, Pins, Policy};

/// SSH's port (RFC 4253 section 4): names at it stand in files without their port.
const PORT: u16 = 22;

/// What the files say about a host's key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// It is the host's, by that line.
    Known(Place),
    /// It is in a certificate of the authority in that line.
    Certified(Place),
    /// No key of the host is known.
    Unknown,
    /// The host has another key.
    Changed {
        /// The line with its first other key.
        offending: Place,
        /// The algorithms of the host's keys, in the files' order.
        algorithms: Vec<String>,
    },
    /// The key, or its certificate's authority, is revoked by that line.
    Revoked(Place),
    /// It is in a certificate of the authority in that line, but the certificate is not valid.
    BadCertificate {
        /// The authority's line.
        authority: Place,
        /// What is wrong.
        why: BadCertificate,
    },
}

/// The keys of hosts, from any number of files.
#[derive(Clone, Debug, Default)]
pub struct KnownHosts {
    entries: Vec<(Place, Entry)>,
    unreadable: Vec<(Place, &'static str)>,
}

impl KnownHosts {
    /// No host is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file's lines behind those that are there; `name` is for messages. Lines that
    /// cannot be read count for nothing, see [`KnownHosts::unreadable`].
    pub fn add(&mut self, name: &str, text: impl AsRef<[u8]>) {
        let file: Arc<str> = Arc::from(name);
        for (index, line) in text.as_ref().split(|byte| *byte == b'\n').enumerate() {
            let place = Place {
                file: Arc::clone(&file),
                line: index + 1,
            };
            // Comments may have any encoding; names and keys are ASCII.
            match Entry::read(&String::from_utf8_lossy(line)) {
                Ok(Some(entry)) => self.entries.push((place, entry)),
                Ok(None) => {}
                Err(why) => self.unreadable.push((place, why)),
            }
        }
    }

    /// The lines that could not be read, and why.
    pub fn unreadable(&self) -> impl Iterator<Item = (&Place, &str)> {
        self.unreadable.iter().map(|(place, why)| (place, *why))
    }

    /// What the files say about a key, or certificate, that a host has shown as its own.
    pub fn check(&self, host: &str, port: u16, key: &[u8], now: SystemTime) -> Finding {
        let host = bare(host);
        let finding = self.check_name(&name(&host, port), &host, key, now);
        if finding != Finding::Unknown || port == PORT {
            return finding;
        }
        // As OpenSSH has it: a line without a port is good for all of the host's, if the key fits.
        match self.check_name(&host, &host, key, now) {
            Finding::Changed { .. } => Finding::Unknown,
            other => other,
        }
    }

    fn check_name(&self, name: &str, host: &str, key: &[u8], now: SystemTime) -> Finding {
        let about = |marker| self.about(name, marker);
        let certificate = authority::HostCertificate::read(key);
        let mut plain = key;
        if let Some(certificate) = &certificate {
            plain = &certificate.key;
        }
        let ca = certificate.as_ref().map(|c| c.authority.as_slice());
        let gone = |entry: &Entry| entry.key == plain || Some(entry.key.as_slice()) == ca;
        if let Some((place, _)) = about(Marker::Revoked).find(|(_, entry)| gone(entry)) {
            return Finding::Revoked(place.clone());
        }
        if let Some(certificate) = &certificate {
            let signer = |entry: &Entry| Some(entry.key.as_slice()) == ca;
            if let Some((place, _)) = about(Marker::Authority).find(|(_, entry)| signer(entry)) {
                return match certificate.check(host, now) {
                    Ok(()) => Finding::Certified(place.clone()),
                    Err(why) => Finding::BadCertificate {
                        authority: place.clone(),
                        why,
                    },
                };
            }
        }
        // A certificate of nobody we know is as good as the key in it.
        if let Some((place, _)) = about(Marker::Host).find(|(_, entry)| entry.key == plain) {
            return Finding::Known(place.clone());
        }
        match about(Marker::Host).next() {
            None => Finding::Unknown,
            Some((offending, _)) => Finding::Changed {
                offending: offending.clone(),
                algorithms: distinct(about(Marker::Host)),
            },
        }
    }

    /// The algorithms of the keys that the host is known to have, in the files' order: key
    /// exchange should prefer them, so that the host shows a key that can be recognised.
    pub fn algorithms(&self, host: &str, port: u16) -> Vec<String> {
        let host = bare(host);
        match distinct(self.about(&name(&host, port), Marker::Host)) {
            none if none.is_empty() => distinct(self.about(&host, Marker::Host)),
            some => some,
        }
    }

    /// Whether an authority is known for the host: certificates should then be preferred.
    pub fn has_authority(&self, host: &str, port: u16) -> bool {
        let host = bare(host);
        let any = |name: &str| self.about(name, Marker::Authority).next().is_some();
        any(&name(&host, port)) || any(&host)
    }

    fn about(&self, name: &str, marker: Marker) -> impl Iterator<Item = (&Place, &Entry)> {
        let entries = self.entries.iter();
        entries
            .filter(move |(_, entry)| entry.marker == marker && entry.is_about(name))
            .map(|(place, entry)| (place, entry))
    }
}

fn distinct<'a>(entries: impl Iterator<Item = (&'a Place, &'a Entry)>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (_, entry) in entries {
        if !found.iter().any(|have| have == entry.algorithm()) {
            found.push(entry.algorithm().to_owned());
        }
    }
    found
}

/// The line that makes a host known, without a line end. A `salt` (drawn at random) hides
/// the host's name.
///
/// A certificate's line has the key in it.
pub fn new_line(host: &str, port: u16, key: &[u8], salt: Option<[u8; 20]>) -> String {
    let certificate = authority::HostCertificate::read(key);
    let key = certificate.as_ref().map_or(key, |c| &c.key);
    let name = name(&bare(host), port);
    let names = match salt {
        Some(salt) => Hashed::of(&name, salt).text(),
        None => name,
    };
    let algorithm = algorithm(key).unwrap_or_default();
    format!("{names} {algorithm} {}", STANDARD.encode(key))
}

/// A host without the brackets of an IPv6 address, in lower case.
fn bare(host: &str) -> String {
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(host).to_ascii_lowercase()
}

/// A host at a port, as it stands in files.
fn name(host: &str, port: u16) -> String {
    match port {
        PORT => host.to_owned(),
        port => format!("[{host}]:{port}"),
    }
}
