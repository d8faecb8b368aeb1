//! Hand-written blocking loops on rustls: what there is to gain at most.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use rustls::crypto::cipher::OutboundPlain;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientSide, Connection, RootCertStore, SliceInput, Tcp};

use super::{Task, unknown};
use crate::measure::{self, Figures};

/// As large as the library's own receive buffers for bulk.
const BUFFER: usize = 280 * 1024;

pub(super) fn run(work: &str, task: &Task) -> io::Result<Figures> {
    match work {
        "download" => download(task),
        "handshakes" => measure::timed(|| {
            let config = config(task)?;
            (0..task.count).try_for_each(|_| {
                let mut one = Loop::with_config(task, &config)?;
                one.exchange(task, false)?;
                one.close()
            })
        }),
        _ => Err(unknown(work)),
    }
}

fn download(task: &Task) -> io::Result<Figures> {
    let mut receives = 0;
    let mut figures = measure::timed(|| {
        let mut one = Loop::new(task)?;
        one.exchange(task, false)?;
        receives = one.receives;
        Ok(())
    })?;
    figures.insert("receives".to_owned(), receives as f64);
    Ok(figures)
}

fn config(task: &Task) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&task.ca).map_err(io::Error::other)? {
        roots
            .add(certificate.map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls_aws_lc_rs::DEFAULT_PROVIDER);
    let mut config = ClientConfig::builder(provider)
        .with_root_certificates(roots)
        .with_no_client_auth()
        .map_err(io::Error::other)?;
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// One connection.
struct Loop {
    socket: TcpStream,
    tls: Connection<ClientSide, Tcp>,
    buffer: Vec<u8>,
    /// What of the buffer is filled.
    filled: usize,
    words: Vec<u8>,
    /// The head, until it is complete; then body bytes that are still to come.
    head: Vec<u8>,
    left: Option<u64>,
    low_water: usize,
    receives: usize,
}

impl Loop {
    fn new(task: &Task) -> io::Result<Self> {
        Self::with_config(task, &config(task)?)
    }

    fn with_config(task: &Task, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let address = task.address()?;
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        let mut words = Vec::new();
        let tls = config
            .connect(ServerName::from(address.ip()))
            .build(&mut words)
            .map_err(io::Error::other)?;
        let buffer = vec![0; if task.min > 0 { BUFFER } else { 17 * 1024 }];
        Ok(Self {
            socket,
            tls,
            buffer,
            filled: 0,
            words,
            head: Vec::new(),
            left: None,
            low_water: 1,
            receives: 0,
        })
    }

    /// Sends the request and receives its answer.
    fn exchange(&mut self, task: &Task, close: bool) -> io::Result<()> {
        self.flush()?;
        while self.tls.is_handshaking() {
            self.receive(1)?;
            self.flush()?;
        }
        let request = task.request(close);
        self.tls
            .write(OutboundPlain::new(&[&request]), &mut self.words)
            .map_err(io::Error::other)?;
        self.flush()?;
        while self.left != Some(0) {
            let left = usize::try_from(self.left.unwrap_or(1)).unwrap_or(usize::MAX);
            self.receive(left.min(task.min).max(1))?;
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.tls
            .send_close_notify(&mut self.words)
            .map_err(io::Error::other)?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.words.is_empty() {
            self.socket.write_all(&self.words)?;
            self.words.clear();
        }
        Ok(())
    }

    /// One receive of at least `min` bytes, and all whole records that are there then.
    fn receive(&mut self, min: usize) -> io::Result<()> {
        let room = self.buffer.len() - self.filled;
        self.want(min.min(room))?;
        self.await_bytes(min)?;
        let n = self.take_bytes(min)?;
        self.receives += 1;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.filled += n;
        let mut input = SliceInput::new(&mut self.buffer[..self.filled]);
        let mut handler = self.tls.read_tls(&mut input, &mut self.words);
        while let Some(payload) = handler.next_payload() {
            let payload = payload.map_err(io::Error::other)?;
            take(&mut self.head, &mut self.left, payload.bytes())?;
        }
        drop(handler);
        let used = input.into_used();
        self.buffer.copy_within(used..self.filled, 0);
        self.filled -= used;
        Ok(())
    }

    /// With a mark, without waiting: what is there when poll returns is enough, and a
    /// blocking receive would take it and then wait for the mark again.
    fn take_bytes(&mut self, min: usize) -> io::Result<usize> {
        let room = &mut self.buffer[self.filled..];
        if min <= 1 {
            return self.socket.read(room);
        }
        // SAFETY: pointer and length describe room that we hold mutably.
        let n = unsafe {
            let start = room.as_mut_ptr().cast();
            libc::recv(
                self.socket.as_raw_fd(),
                start,
                room.len(),
                libc::MSG_DONTWAIT,
            )
        };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }

    fn await_bytes(&self, min: usize) -> io::Result<()> {
        if min <= 1 {
            return Ok(());
        }
        let mut poll = libc::pollfd {
            fd: self.socket.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one live pollfd.
        if unsafe { libc::poll(&raw mut poll, 1, -1) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Sets the socket's low-water mark.
    fn want(&mut self, bytes: usize) -> io::Result<()> {
        if self.low_water == bytes {
            return Ok(());
        }
        self.low_water = bytes;
        let value = bytes as libc::c_int;
        // SAFETY: pointer and length describe a live integer.
        let set = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVLOWAT,
                (&raw const value).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if set == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

/// Counts the answer's body; its head has a length, or it is none of ours.
fn take(head: &mut Vec<u8>, left: &mut Option<u64>, bytes: &[u8]) -> io::Result<()> {
    if let Some(left) = left {
        *left = left.saturating_sub(bytes.len() as u64);
        return Ok(());
    }
    head.extend_from_slice(bytes);
    let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(&head[..end]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: Option<u64> = length.and_then(|length| length.trim().parse().ok());
    let length = length.ok_or_else(|| io::Error::other("an answer without a length"))?;
    *left = Some(length.saturating_sub((head.len() - end - 4) as u64));
    Ok(())
}
