//! The rules that every filter has to hold to.

use std::collections::VecDeque;
use std::time::{Instant, SystemTime};

use sockless_core::Filter;
use sockless_core::conformance::{self, Peer, Subject, Traits};
use sockless_tunnels::{
    Addresses, Destination, Protection, ProxyProtocol, Socks4, Socks5, UserPassword, Version,
};

use crate::seal::{Proxy, Script, Seal};
use crate::wire::{GRANTED, PROXY, login, name, socks5};

/// What the filter has to say, and what is said to that.
type Lines = Vec<(Vec<u8>, Vec<u8>)>;

/// A filter that leaves, and its peer by script.
struct Leaves {
    make: fn() -> Box<dyn Filter>,
    lines: Lines,
}

/// The proxy up to its last line, the destination behind that.
struct Scripted {
    lines: VecDeque<(Vec<u8>, Vec<u8>)>,
    heard: Vec<u8>,
    says: Vec<u8>,
    waiting: Vec<u8>,
}

impl Subject for Leaves {
    fn filter(&self) -> Box<dyn Filter> {
        (self.make)()
    }

    fn peer(&self) -> Box<dyn Peer> {
        Box::new(Scripted {
            lines: self.lines.clone().into(),
            heard: Vec::new(),
            says: Vec::new(),
            waiting: Vec::new(),
        })
    }

    fn clocks(&self) -> (Instant, SystemTime) {
        (Instant::now(), SystemTime::UNIX_EPOCH)
    }

    fn traits(&self) -> Traits {
        let mut traits = Traits::default();
        (traits.farewell, traits.last_words) = (false, false);
        // The address in a reply may be anything.
        traits.detects_garbage = false;
        traits
    }
}

impl Peer for Scripted {
    fn hear(&mut self, wire: &[u8]) {
        self.heard.extend_from_slice(wire);
        while let Some((expected, says)) = self.lines.front() {
            let common = expected.len().min(self.heard.len());
            assert_eq!(self.heard[..common], expected[..common]);
            if common < expected.len() {
                return;
            }
            self.says.extend_from_slice(says);
            self.heard.drain(..common);
            self.lines.pop_front();
        }
    }

    fn speak(&mut self) -> Vec<u8> {
        let mut says = std::mem::take(&mut self.says);
        if self.lines.is_empty() {
            says.append(&mut self.waiting);
        }
        says
    }

    fn send(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    fn received(&mut self) -> Vec<u8> {
        match self.lines.is_empty() {
            true => std::mem::take(&mut self.heard),
            false => Vec::new(),
        }
    }

    fn finish(&mut self) {}

    fn is_finished(&self) -> bool {
        false
    }
}

const REQUEST: &[u8] = b"\x05\x01\0\x03\x0bexample.com\x01\xbb";

fn check(make: fn() -> Box<dyn Filter>, lines: &[(&[u8], &[u8])]) {
    let lines = lines
        .iter()
        .map(|(hears, says)| (hears.to_vec(), says.to_vec()));
    conformance::check(&Leaves {
        make,
        lines: lines.collect(),
    });
}

#[test]
fn socks4_conforms() {
    check(
        || {
            let to = Destination::new("192.0.2.7", 443);
            Box::new(Socks4::new(PROXY, to, "alice").expect("usable"))
        },
        &[(
            b"\x04\x01\x01\xbb\xc0\0\x02\x07alice\0",
            &[0, 90, 1, 2, 3, 4, 5, 6],
        )],
    );
}

#[test]
fn socks4a_conforms() {
    check(
        || Box::new(Socks4::new(PROXY, name(), "").expect("usable")),
        &[(
            b"\x04\x01\x01\xbb\0\0\0\x01\0example.com\0",
            &[0, 90, 0, 0, 0, 0, 0, 0],
        )],
    );
}

#[test]
fn socks5_conforms() {
    check(
        || Box::new(socks5(name())),
        &[(&[5, 1, 0], &[5, 0]), (REQUEST, &GRANTED)],
    );
}

#[test]
fn socks5_with_a_password_conforms() {
    check(
        || {
            let login = UserPassword::new("alice", "secret").expect("usable");
            Box::new(Socks5::new(PROXY, name(), Some(login)).expect("usable"))
        },
        &[
            (&[5, 2, 0, 2], &[5, 2]),
            (b"\x01\x05alice\x06secret", &[1, 0]),
            (REQUEST, b"\x05\0\0\x03\x0clong.example\x01\xbb"),
        ],
    );
}

#[test]
fn proxy_protocol_conforms() {
    let v1 = || -> Box<dyn Filter> {
        Box::new(ProxyProtocol::new(Version::V1, Addresses::Own).expect("usable"))
    };
    check(v1, &[(b"PROXY UNKNOWN\r\n", b"")]);
    let v2 = || -> Box<dyn Filter> {
        Box::new(ProxyProtocol::new(Version::V2, Addresses::Own).expect("usable"))
    };
    check(v2, &[(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", b"")]);
}

/// A filter that stays and wraps.
struct Wraps {
    script: Script,
    protection: Protection,
}

impl Subject for Wraps {
    fn filter(&self) -> Box<dyn Filter> {
        let context = Box::new(Seal::new(self.script));
        // Credentials that must not be offered to a proxy that would rather see them.
        let socks = Socks5::new(PROXY, name(), Some(login())).expect("usable");
        Box::new(socks.security(context, self.protection))
    }

    fn peer(&self) -> Box<dyn Peer> {
        let level = match self.protection {
            Protection::None => 0,
            Protection::Integrity => 1,
            Protection::Confidentiality => 2,
        };
        Box::new(Proxy::new(self.script, level))
    }

    fn clocks(&self) -> (Instant, SystemTime) {
        (Instant::now(), SystemTime::UNIX_EPOCH)
    }

    fn traits(&self) -> Traits {
        let mut traits = Traits::default();
        (traits.farewell, traits.last_words) = (false, false);
        traits
    }
}

#[test]
fn socks5_with_confidentiality_conforms() {
    conformance::check(&Wraps {
        script: Script::default(),
        protection: Protection::Confidentiality,
    });
}

#[test]
fn socks5_with_integrity_and_a_last_token_conforms() {
    let mut script = Script::default();
    (script.rounds, script.last) = (1, true);
    conformance::check(&Wraps {
        script,
        protection: Protection::Integrity,
    });
}
