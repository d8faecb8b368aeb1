//! Both ends of a connection in memory: the filter, and a server that this crate did not write.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test must start its Instants somewhere"
)]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::cipher::OutboundPlain;
use rustls::crypto::{CryptoProvider, Identity};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{Connection, ServerConfig, ServerSide, SliceInput, Tcp};
use sockless_core::{Buf, Cx, Fault, Filter, Note, Pipe, Pool, Seams};
use sockless_tls::{Client, Config, Roots};

use crate::BACKEND;

pub(crate) const LIMIT: usize = 64 * 1024;

/// The wall clock of all tests: January 2027.
pub(crate) fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// A certificate authority, and what it issues.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate chain and its key.
pub(crate) struct Issued {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: KeyPair,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn issuer(&self) -> &rcgen::Issuer<'static, KeyPair> {
        &self.0
    }

    pub(crate) fn roots(&self) -> Roots {
        let mut roots = Roots::empty();
        roots.add_der(&self.der());
        roots
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        self.issue_with(names, |_| ())
    }

    pub(crate) fn issue_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        self.issue_for(KeyPair::generate().unwrap(), names, change)
    }

    pub(crate) fn issue_for(
        &self,
        key: KeyPair,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let chain = vec![params.signed_by(&key, &self.0).unwrap().der().clone()];
        Issued { chain, key }
    }
}

impl Issued {
    pub(crate) fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }

    pub(crate) fn pem(&self) -> String {
        let body = pem_body(&self.chain[0]);
        format!("-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")
    }

    /// Settings of a server with this certificate.
    pub(crate) fn server(&self, provider: CryptoProvider) -> ServerConfig {
        let identity = Arc::new(Identity::from_cert_chain(self.chain.clone()).unwrap());
        ServerConfig::builder(Arc::new(provider))
            .with_no_client_auth()
            .with_single_cert(identity, self.key_der())
            .unwrap()
    }
}

fn pem_body(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (i, group) in der.chunks(3).enumerate() {
        let bits = group
            .iter()
            .fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for digit in 0..4 {
            let shown = digit <= group.len();
            text.push(if shown {
                DIGITS[bits >> (18 - 6 * digit) & 63] as char
            } else {
                '='
            });
        }
        if i % 16 == 15 {
            text.push('\n');
        }
    }
    text.push('\n');
    text
}

/// The filter with its four pipes.
pub(crate) struct Local {
    pub(crate) filter: Box<dyn Filter>,
    pub(crate) net_in: Pipe,
    pub(crate) net_out: Pipe,
    pub(crate) app_in: Pipe,
    pub(crate) app_out: Pipe,
    pub(crate) pool: Pool,
    pub(crate) copied: u64,
    pub(crate) wall: SystemTime,
    pub(crate) notes: Vec<Note>,
    pub(crate) started: Instant,
}

impl Local {
    pub(crate) fn new(client: &Client, name: &str) -> Self {
        let pipe = || Pipe::new(LIMIT);
        Self {
            filter: client.filter(name).unwrap(),
            net_in: pipe(),
            net_out: pipe(),
            app_in: pipe(),
            app_out: pipe(),
            pool: Pool::default(),
            copied: 0,
            wall: wall(),
            notes: Vec::new(),
            started: an_instant(),
        }
    }

    pub(crate) fn pump(&mut self) -> Result<(), Fault> {
        let io = Seams {
            net_in: &mut self.net_in,
            net_out: &mut self.net_out,
            app_in: &mut self.app_in,
            app_out: &mut self.app_out,
        };
        let notes = Some(&mut self.notes);
        let mut cx = Cx::new(self.started, self.wall, &self.pool, &mut self.copied, notes);
        self.filter.pump(io, &mut cx).map(|_| ())
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.net_in.push(Buf::from(bytes));
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.app_out.push(Buf::from(bytes));
    }

    pub(crate) fn note(&self) -> String {
        let texts = self.notes.iter().filter_map(|note| match note {
            Note::Info { text, .. } => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("; ")
    }
}

/// There is no other way to have one; which it is never matters.
#[allow(
    clippy::disallowed_methods,
    reason = "the argument of all pumps must begin somewhere"
)]
pub(crate) fn an_instant() -> Instant {
    Instant::now()
}

/// Takes everything out of a pipe.
pub(crate) fn drain(pipe: &mut Pipe) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = pipe.pop() {
        all.extend_from_slice(&piece);
    }
    all
}

/// The other end.
pub(crate) struct Remote {
    pub(crate) connection: Connection<ServerSide, Tcp>,
    unread: Vec<u8>,
    /// Towards the client.
    pub(crate) out: Vec<u8>,
    /// Opened.
    pub(crate) got: Vec<u8>,
    pub(crate) closed: bool,
    pub(crate) error: Option<rustls::Error>,
}

impl Remote {
    pub(crate) fn new(config: &Arc<ServerConfig>) -> Self {
        Self {
            connection: Connection::<ServerSide, Tcp>::new(Arc::clone(config)).unwrap(),
            unread: Vec::new(),
            out: Vec::new(),
            got: Vec::new(),
            closed: false,
            error: None,
        }
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        let mut input = SliceInput::new(&mut self.unread);
        match self
            .connection
            .read_tls(&mut input, &mut self.out)
            .handle_all(&mut self.got)
        {
            Ok(state) => self.closed |= state.peer_has_closed(),
            Err(error) => self.error = Some(error),
        }
        let used = input.into_used();
        self.unread.drain(..used);
    }

    pub(crate) fn write(&mut self, plain: &[u8]) {
        self.connection
            .write(OutboundPlain::Single(plain), &mut self.out)
            .unwrap();
    }

    pub(crate) fn close(&mut self) {
        self.connection.send_close_notify(&mut self.out).unwrap();
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}

/// Lets both ends talk until neither has anything to say.
pub(crate) fn settle(local: &mut Local, remote: &mut Remote) -> Result<(), Fault> {
    settle_cut(local, remote, usize::MAX)
}

/// The same with the bytes in both directions cut into pieces of `cut`.
pub(crate) fn settle_cut(local: &mut Local, remote: &mut Remote, cut: usize) -> Result<(), Fault> {
    loop {
        let went = local.pump();
        let sent = drain(&mut local.net_out);
        sent.chunks(cut).for_each(|piece| remote.receive(piece));
        went?;
        let answer = remote.take();
        if sent.is_empty() && answer.is_empty() {
            return Ok(());
        }
        for piece in answer.chunks(cut) {
            local.feed(piece);
            let went = local.pump();
            remote.receive(&drain(&mut local.net_out));
            went?;
        }
    }
}

/// Settings for the backend under test.
pub(crate) fn config(roots: Roots) -> Config {
    Config::new(roots).backend(BACKEND)
}

/// An authority, its server for `example.com`, and a client that trusts it.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) client: Arc<Client>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(rustls_aws_lc_rs::DEFAULT_PROVIDER)
    }

    /// The server's provider decides on the version.
    pub(crate) fn with(provider: CryptoProvider) -> Self {
        let authority = Authority::new("sockless test authority");
        let server = Arc::new(authority.issue(&["example.com"]).server(provider));
        let client = config(authority.roots()).build().unwrap();
        Self {
            authority,
            server,
            client,
        }
    }

    pub(crate) fn pair(&self) -> (Local, Remote) {
        (
            Local::new(&self.client, "example.com"),
            Remote::new(&self.server),
        )
    }

    /// A pair with its handshake, tickets included, behind it.
    pub(crate) fn connected(&self) -> (Local, Remote) {
        let (mut local, mut remote) = self.pair();
        settle(&mut local, &mut remote).unwrap();
        local.copied = 0;
        (local, remote)
    }
}

/// One world per version.
pub(crate) fn both_versions() -> [World; 2] {
    [
        rustls_aws_lc_rs::DEFAULT_TLS12_PROVIDER,
        rustls_aws_lc_rs::DEFAULT_TLS13_PROVIDER,
    ]
    .map(World::with)
}

/// Bytes that differ from their neighbours.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}
