//! The other implementation's server: OpenSSL's, in memory.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslStream, SslVersion,
};
use openssl::x509::X509;
use rcgen::KeyPair;
use sockless_core::conformance::{self, Peer, Subject, Traits};
use sockless_core::{ChannelBinding, Fault, Filter, Phase};
use sockless_tls::Client;

use crate::peer::{Authority, Issued, Local, an_instant, config, drain, pattern, wall};

#[derive(Default)]
pub(crate) struct Queue {
    input: VecDeque<u8>,
    output: Vec<u8>,
}

impl Read for Queue {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buf)? {
            0 => Err(ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Queue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Settings of a server with that chain and key (DER).
pub(crate) fn context(chain: &[&[u8]], key: &[u8]) -> SslContextBuilder {
    let mut context = SslContextBuilder::new(SslMethod::tls_server()).unwrap();
    // It may have anything: the client is under test.
    context.set_security_level(0);
    let (leaf, above) = chain.split_first().unwrap();
    context
        .set_certificate(&X509::from_der(leaf).unwrap())
        .unwrap();
    for issuer in above {
        let issuer = X509::from_der(issuer).unwrap();
        context.add_extra_chain_cert(issuer).unwrap();
    }
    let key = PKey::private_key_from_der(key).unwrap();
    context.set_private_key(&key).unwrap();
    context
}

pub(crate) fn context_of(issued: &Issued) -> SslContextBuilder {
    let chain: Vec<&[u8]> = issued.chain.iter().map(|der| der.as_ref()).collect();
    context(&chain, issued.key_der().secret_der())
}

/// One connection of such a server.
pub(crate) struct Server {
    pub(crate) stream: SslStream<Queue>,
    open: bool,
    waiting: Vec<u8>,
    finish: bool,
    pub(crate) got: Vec<u8>,
    closed: bool,
    pub(crate) error: Option<String>,
}

impl Server {
    pub(crate) fn new(context: &SslContext) -> Self {
        let ssl = Ssl::new(context).unwrap();
        Self {
            stream: SslStream::new(ssl, Queue::default()).unwrap(),
            open: false,
            waiting: Vec::new(),
            finish: false,
            got: Vec::new(),
            closed: false,
            error: None,
        }
    }

    fn advance(&mut self) {
        drop(ErrorStack::get());
        if !self.open {
            match self.stream.accept() {
                Ok(()) => self.open = true,
                Err(error) if error.code() == ErrorCode::WANT_READ => return,
                Err(error) => {
                    self.error.get_or_insert(error.to_string());
                    return;
                }
            }
        }
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            assert_eq!(self.stream.ssl_write(&waiting).unwrap(), waiting.len());
        }
        if std::mem::take(&mut self.finish) {
            self.stream.shutdown().unwrap();
        }
        let mut buf = [0; 20_000];
        while !self.closed {
            match self.stream.ssl_read(&mut buf) {
                Ok(n) => self.got.extend_from_slice(&buf[..n]),
                Err(error) if error.code() == ErrorCode::WANT_READ => return,
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => self.closed = true,
                Err(error) => {
                    self.error.get_or_insert(error.to_string());
                    return;
                }
            }
        }
    }
}

impl Peer for Server {
    fn hear(&mut self, wire: &[u8]) {
        self.stream.get_mut().input.extend(wire);
        self.advance();
    }

    fn speak(&mut self) -> Vec<u8> {
        self.advance();
        std::mem::take(&mut self.stream.get_mut().output)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    fn received(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.got)
    }

    fn finish(&mut self) {
        self.finish = true;
    }

    fn is_finished(&self) -> bool {
        self.closed
    }
}

/// Lets both ends talk until neither has anything to say.
pub(crate) fn settle(local: &mut Local, server: &mut Server) -> Result<(), Fault> {
    loop {
        let went = local.pump();
        let sent = drain(&mut local.net_out);
        server.hear(&sent);
        went?;
        let answer = server.speak();
        if sent.is_empty() && answer.is_empty() {
            return Ok(());
        }
        local.feed(&answer);
    }
}

pub(crate) const VERSIONS: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];

pub(crate) fn only(context: &mut SslContextBuilder, version: SslVersion) {
    context.set_min_proto_version(Some(version)).unwrap();
    context.set_max_proto_version(Some(version)).unwrap();
}

#[test]
fn a_download_and_an_upload_go_through_whole() {
    let authority = Authority::new("ca");
    let client = config(authority.roots()).build().unwrap();
    for version in VERSIONS {
        let mut context = context_of(&authority.issue(&["example.com"]));
        only(&mut context, version);
        let mut server = Server::new(&context.build());
        let mut local = Local::new(&client, "example.com");
        settle(&mut local, &mut server).unwrap();
        assert_eq!(local.filter.phase(), Phase::Open);
        let body = pattern(500_000);
        server.send(&body);
        let (mut got, mut left) = (Vec::new(), body.as_slice());
        while got.len() < body.len() || !left.is_empty() {
            let (now, rest) = left.split_at(left.len().min(10_000));
            left = rest;
            local.write(now);
            settle(&mut local, &mut server).unwrap();
            got.extend(drain(&mut local.app_in));
        }
        settle(&mut local, &mut server).unwrap();
        assert!(got == body && server.got == body);
    }
}

#[test]
fn channel_bindings_are_the_same_on_both_ends() {
    let authority = Authority::new("ca");
    let client = config(authority.roots()).build().unwrap();
    for version in VERSIONS {
        let issued = authority.issue(&["example.com"]);
        let mut context = context_of(&issued);
        only(&mut context, version);
        let mut server = Server::new(&context.build());
        let mut local = Local::new(&client, "example.com");
        let kinds = [
            ChannelBinding::TlsServerEndPoint,
            ChannelBinding::TlsExporter,
        ];
        let bindings = |local: &Local| kinds.map(|kind| local.filter.channel_binding(kind));
        assert_eq!(bindings(&local), [None, None], "before the handshake");
        settle(&mut local, &mut server).unwrap();

        let leaf = X509::from_der(&issued.chain[0]).unwrap();
        let hash = leaf.digest(openssl::hash::MessageDigest::sha256()).unwrap();
        let mut secret = vec![0; 32];
        let ssl = server.stream.ssl();
        ssl.export_keying_material(&mut secret, "EXPORTER-Channel-Binding", Some(b""))
            .unwrap();
        assert_eq!(bindings(&local), [Some(hash.to_vec()), Some(secret)]);
    }
}

struct Pair {
    client: Arc<Client>,
    server: SslContext,
    now: Instant,
}

impl Pair {
    fn over(version: SslVersion) -> Self {
        let authority = Authority::new("ca");
        // Its signatures are all of one length: a conversation is as long each time.
        let key = PKey::generate_ed25519().unwrap();
        // OpenSSL's own, as OpenSSL reads it: version 1 of PKCS#8.
        let key = key.private_key_to_pkcs8().unwrap();
        let key = KeyPair::try_from(key).unwrap();
        let issued = authority.issue_for(key, &["example.com"], |_| ());
        let mut server = context_of(&issued);
        only(&mut server, version);
        // A ticket may arrive anywhere.
        server.set_num_tickets(0).unwrap();
        server.set_options(openssl::ssl::SslOptions::NO_TICKET);
        let client = config(authority.roots()).resumption(0).build().unwrap();
        Self {
            client,
            server: server.build(),
            now: an_instant(),
        }
    }
}

impl Subject for Pair {
    fn filter(&self) -> Box<dyn Filter> {
        self.client.filter("example.com").unwrap()
    }

    fn peer(&self) -> Box<dyn Peer> {
        Box::new(Server::new(&self.server))
    }

    fn clocks(&self) -> (Instant, SystemTime) {
        (self.now, wall())
    }

    fn traits(&self) -> Traits {
        let mut traits = Traits::default();
        traits.stride = 5;
        traits
    }
}

#[test]
fn tls13_conforms() {
    conformance::check(&Pair::over(SslVersion::TLS1_3));
}

#[test]
fn tls12_conforms() {
    conformance::check(&Pair::over(SslVersion::TLS1_2));
}
