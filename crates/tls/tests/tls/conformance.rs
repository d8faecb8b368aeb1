//! The rules that every filter has to hold to, for each version and provider.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::server::Tls13Tickets;
use rustls_aws_lc_rs::{DEFAULT_TLS12_PROVIDER, DEFAULT_TLS13_PROVIDER};
use sockless_core::Filter;
use sockless_core::conformance::{self, Peer, Subject, Traits};
use sockless_tls::Client;

use crate::peer::{Authority, Remote, an_instant, config, wall};

struct Tls {
    client: Arc<Client>,
    server: Arc<ServerConfig>,
    now: Instant,
}

impl Tls {
    fn over(provider: rustls::crypto::CryptoProvider) -> Self {
        let authority = Authority::new("ca");
        // Its signatures are all of one length: a conversation is as long each time.
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let issued = authority.issue_for(key, &["example.com"], |_| ());
        let mut server = issued.server(provider);
        // A ticket may arrive anywhere.
        server.send_tls13_tickets = Tls13Tickets { default: 0, max: 0 };
        let client = config(authority.roots()).resumption(0).build().unwrap();
        Self {
            client,
            server: Arc::new(server),
            now: an_instant(),
        }
    }
}

impl Subject for Tls {
    fn filter(&self) -> Box<dyn Filter> {
        self.client.filter("example.com").unwrap()
    }

    fn peer(&self) -> Box<dyn Peer> {
        Box::new(Server {
            remote: Remote::new(&self.server),
            waiting: Vec::new(),
            finish: false,
        })
    }

    fn clocks(&self) -> (Instant, SystemTime) {
        (self.now, wall())
    }

    fn traits(&self) -> Traits {
        let mut traits = Traits::default();
        // A handshake costs some hundred microseconds: not every one of its thousands of
        // bytes gets one, but each flight is cut in many places.
        traits.stride = 5;
        traits
    }
}

/// The server of the other tests, as the suite wants it.
struct Server {
    remote: Remote,
    waiting: Vec<u8>,
    finish: bool,
}

impl Server {
    fn flush(&mut self) {
        if self.remote.connection.is_handshaking() {
            return;
        }
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            self.remote.write(&waiting);
        }
        if std::mem::take(&mut self.finish) {
            self.remote.close();
        }
    }
}

impl Peer for Server {
    fn hear(&mut self, wire: &[u8]) {
        self.remote.receive(wire);
        assert_eq!(self.remote.error, None, "the filter broke the protocol");
        self.flush();
    }

    fn speak(&mut self) -> Vec<u8> {
        self.flush();
        self.remote.take()
    }

    fn send(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    fn received(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.remote.got)
    }

    fn finish(&mut self) {
        self.finish = true;
    }

    fn is_finished(&self) -> bool {
        self.remote.closed
    }
}

#[test]
fn tls13_conforms() {
    conformance::check(&Tls::over(DEFAULT_TLS13_PROVIDER));
}

#[test]
fn tls12_conforms() {
    conformance::check(&Tls::over(DEFAULT_TLS12_PROVIDER));
}
