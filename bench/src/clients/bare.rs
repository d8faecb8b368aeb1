//! Hand-written blocking loops on rustls: what there is to gain at most.

use std::io::{self, Write};
use std::sync::Arc;

use rustls::crypto::cipher::OutboundPlain;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientSide, Connection, RootCertStore, SliceInput, Tcp};

use super::receiving::{Answer, Socket};
use super::{Task, unknown};
use crate::measure::{self, Figures};

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
        receives = one.socket.receives;
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
    socket: Socket,
    tls: Connection<ClientSide, Tcp>,
    words: Vec<u8>,
    answer: Answer,
}

impl Loop {
    fn new(task: &Task) -> io::Result<Self> {
        Self::with_config(task, &config(task)?)
    }

    fn with_config(task: &Task, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let socket = Socket::connect(task)?;
        let mut words = Vec::new();
        let tls = config
            .connect(ServerName::from(task.address()?.ip()))
            .build(&mut words)
            .map_err(io::Error::other)?;
        Ok(Self {
            socket,
            tls,
            words,
            answer: Answer::default(),
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
        while !self.answer.is_complete() {
            self.receive(self.answer.min(task))?;
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
            self.socket.stream.write_all(&self.words)?;
            self.words.clear();
        }
        Ok(())
    }

    /// One receive of at least `min` bytes, and all whole records that are there then.
    fn receive(&mut self, min: usize) -> io::Result<()> {
        self.socket.receive(min)?;
        let mut input = SliceInput::new(&mut self.socket.buffer[..self.socket.filled]);
        let mut handler = self.tls.read_tls(&mut input, &mut self.words);
        while let Some(payload) = handler.next_payload() {
            let payload = payload.map_err(io::Error::other)?;
            self.answer.take(payload.bytes())?;
        }
        drop(handler);
        let used = input.into_used();
        self.socket.consume(used);
        Ok(())
    }
}
