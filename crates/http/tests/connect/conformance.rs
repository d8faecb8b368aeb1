//! The rules that every filter has to hold to, with and without a challenge.

use std::time::{Instant, SystemTime};

use sockless_core::Filter;
use sockless_core::conformance::{self, Peer, Subject, Traits};
use sockless_http::Http1Config;

use crate::run::{mufasa, shared, tunnel};

/// A proxy that asks for credentials in this many rounds.
struct Proxied {
    challenge: Option<&'static str>,
}

impl Subject for Proxied {
    fn filter(&self) -> Box<dyn Filter> {
        let mut config = Http1Config::default();
        // Less than the suite's garbage: it may be a part of a field's value.
        config.max_head_bytes = 64 * 1024;
        tunnel()
            .authenticator(shared(mufasa()))
            .config(config)
            .filter()
    }

    fn peer(&self) -> Box<dyn Peer> {
        Box::new(Proxy {
            challenge: self.challenge,
            head: Vec::new(),
            says: Vec::new(),
            open: false,
            waiting: Vec::new(),
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "time is counted from some point; none is special"
    )]
    fn clocks(&self) -> (Instant, SystemTime) {
        (Instant::now(), SystemTime::UNIX_EPOCH)
    }

    fn traits(&self) -> Traits {
        let mut traits = Traits::default();
        // The end of a tunnel is the connection's; a proxy is told nothing but the request.
        (traits.farewell, traits.last_words) = (false, false);
        traits
    }
}

struct Proxy {
    /// What it says to a request without credentials.
    challenge: Option<&'static str>,
    /// Bytes of a request, and then of the tunnel.
    head: Vec<u8>,
    says: Vec<u8>,
    open: bool,
    waiting: Vec<u8>,
}

impl Peer for Proxy {
    fn hear(&mut self, wire: &[u8]) {
        self.head.extend_from_slice(wire);
        let end = self.head.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end.filter(|_| !self.open) else {
            return;
        };
        let head: Vec<u8> = self.head.drain(..end + 4).collect();
        let head = String::from_utf8(head).expect("text");
        assert!(
            head.starts_with("CONNECT example.com:443 HTTP/1.1\r\n"),
            "{head}"
        );
        match self
            .challenge
            .filter(|_| !head.contains("\r\nProxy-Authorization: "))
        {
            Some(challenge) => {
                assert!(self.head.is_empty(), "it does not wait for the answer");
                self.says.extend_from_slice(challenge.as_bytes());
            }
            None => {
                self.says
                    .extend_from_slice(b"HTTP/1.1 200 OK\r\nVia: proxy\r\n\r\n");
                self.open = true;
            }
        }
    }

    fn speak(&mut self) -> Vec<u8> {
        let mut says = std::mem::take(&mut self.says);
        if self.open {
            says.append(&mut self.waiting);
        }
        says
    }

    fn send(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    fn received(&mut self) -> Vec<u8> {
        match self.open {
            true => std::mem::take(&mut self.head),
            false => Vec::new(),
        }
    }

    fn finish(&mut self) {}

    fn is_finished(&self) -> bool {
        false
    }
}

#[test]
fn a_tunnel_conforms() {
    conformance::check(&Proxied { challenge: None });
}

#[test]
fn a_tunnel_after_a_challenge_with_a_sized_body_conforms() {
    let challenge = "HTTP/1.1 407 Auth\r\nContent-Length: 20\r\n\
        Proxy-Authenticate: Digest realm=r, nonce=n, qop=auth\r\n\r\nHTTP/1.1 200 OK\r\n\r\n\0";
    conformance::check(&Proxied {
        challenge: Some(challenge),
    });
}

#[test]
fn a_tunnel_after_a_challenge_with_chunks_conforms() {
    let challenge = "HTTP/1.1 407 Auth\r\nTransfer-Encoding: chunked\r\n\
        Proxy-Authenticate: Basic realm=r\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n";
    conformance::check(&Proxied {
        challenge: Some(challenge),
    });
}
