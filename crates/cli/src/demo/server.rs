//! The other end: a small HTTPS server on loopback, with blocking sockets and rustls.
//!
//! `GET /N` answers with N bytes of the pattern, `PUT` with the CRC-32 of what came.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::Identity;
use rustls::crypto::cipher::OutboundPlain;
use rustls::pki_types::PrivateKeyDer;
use rustls::{Connection, ServerConfig, ServerSide, SliceInput, Tcp};

use super::pattern::Pattern;

/// Bytes read from the socket at once.
const READ: usize = 256 * 1024;

/// A server that runs as long as the process.
pub(crate) struct Server {
    origin: String,
    authority: Vec<u8>,
}

impl Server {
    /// Makes a certificate authority, a certificate and a listener.
    ///
    /// # Errors
    /// In words: no loopback address, no thread, no key.
    pub(crate) fn start() -> Result<Self, String> {
        let words = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
        let (config, authority) = settings().map_err(|error| words("no certificate", &error))?;
        let by_name = TcpListener::bind("localhost:0").map(|listener| ("localhost", listener));
        let bound = by_name.or_else(|_| TcpListener::bind("127.0.0.1:0").map(|l| ("127.0.0.1", l)));
        let (host, listener) = bound.map_err(|error| words("no loopback listener", &error))?;
        let port = listener
            .local_addr()
            .map_err(|error| words("no port", &error))?
            .port();
        thread::Builder::new()
            .name("demo server".to_owned())
            .spawn(move || accept(&listener, &Arc::new(config)))
            .map_err(|error| words("no thread", &error))?;
        Ok(Self {
            origin: format!("https://{host}:{port}"),
            authority,
        })
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The certificate authority to trust, DER.
    pub(crate) fn authority(&self) -> &[u8] {
        &self.authority
    }
}

fn settings() -> Result<(ServerConfig, Vec<u8>), Box<dyn std::error::Error>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
    let identity = Arc::new(Identity::from_cert_chain(vec![certificate.der().clone()])?);
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    let config = ServerConfig::builder(Arc::new(rustls_aws_lc_rs::DEFAULT_PROVIDER))
        .with_no_client_auth()
        .with_single_cert(identity, key)?;
    Ok((config, authority.der().to_vec()))
}

fn accept(listener: &TcpListener, config: &Arc<ServerConfig>) {
    for tcp in listener.incoming().flatten() {
        let config = Arc::clone(config);
        // A client that breaks off is that client's affair; it will see it, too.
        thread::spawn(move || Secured::new(tcp, config).and_then(|mut secured| secured.serve()));
    }
}

/// One connection.
struct Secured {
    tcp: TcpStream,
    tls: Connection<ServerSide, Tcp>,
    /// From the socket, not opened yet.
    unread: Vec<u8>,
    /// Opened.
    opened: Vec<u8>,
    /// For the socket.
    sealed: Vec<u8>,
    closed: bool,
}

impl Secured {
    fn new(tcp: TcpStream, config: Arc<ServerConfig>) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        let tls = Connection::<ServerSide, Tcp>::new(config).map_err(io::Error::other)?;
        let (unread, opened, sealed) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self {
            tcp,
            tls,
            unread,
            opened,
            sealed,
            closed: false,
        })
    }

    fn serve(&mut self) -> io::Result<()> {
        let pattern = Pattern::new();
        while let Some(head) = self.head()? {
            let mut words = head.split_whitespace();
            let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            if method == "PUT" {
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-length")
                        .then(|| value.trim().parse().ok())?
                });
                let checksum = self.checksum(length.unwrap_or(0))?;
                let body = format!("{checksum:08x}\n");
                self.write(answer(body.len() as u64).as_bytes())?;
                self.write(body.as_bytes())?;
            } else {
                let size: u64 = path.trim_start_matches('/').parse().unwrap_or(0);
                self.write(answer(size).as_bytes())?;
                let mut left = size;
                while left > 0 {
                    let n = left.min(pattern.period() as u64);
                    self.write(&pattern.bytes()[..n as usize])?;
                    left -= n;
                }
            }
        }
        self.tls
            .send_close_notify(&mut self.sealed)
            .map_err(io::Error::other)?;
        self.flush()
    }

    /// The next request's head; `None` when the client has closed.
    fn head(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(at) = self.opened.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.opened.drain(..at + 4).collect();
                return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
            }
            if self.closed || !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn checksum(&mut self, length: u64) -> io::Result<u32> {
        let mut hasher = crc32fast::Hasher::new();
        let mut left = length;
        loop {
            let n = left.min(self.opened.len() as u64);
            hasher.update(&self.opened[..n as usize]);
            self.opened.drain(..n as usize);
            left -= n;
            if left == 0 {
                return Ok(hasher.finalize());
            }
            if !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Receives and opens; `false` at the end of the stream.
    fn fill(&mut self) -> io::Result<bool> {
        let have = self.unread.len();
        self.unread.resize(have + READ, 0);
        let n = self.tcp.read(&mut self.unread[have..])?;
        self.unread.truncate(have + n);
        let mut input = SliceInput::new(&mut self.unread);
        let handled = self
            .tls
            .read_tls(&mut input, &mut self.sealed)
            .handle_all(&mut self.opened);
        let used = input.into_used();
        self.unread.drain(..used);
        self.flush()?;
        self.closed |= handled.map_err(io::Error::other)?.peer_has_closed();
        Ok(n > 0)
    }

    fn write(&mut self, plain: &[u8]) -> io::Result<()> {
        let sealed = self
            .tls
            .write(OutboundPlain::Single(plain), &mut self.sealed);
        sealed.map_err(io::Error::other)?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.write_all(&self.sealed)?;
        self.sealed.clear();
        Ok(())
    }
}

fn answer(length: u64) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")
}
