//! A hand-written blocking loop on OpenSSL with memory in place of its socket.

use std::io::{self, ErrorKind, Read, Write};

use openssl::ssl::{ErrorCode, Ssl, SslContext, SslMethod, SslStream, SslVerifyMode};

use super::receiving::{Answer, Socket};
use super::{Task, unknown};
use crate::measure::{self, Figures};

/// Plaintext that is opened at a time: a few records, which stay in the cache.
const PLAIN: usize = 64 * 1024;

pub(super) fn run(work: &str, task: &Task) -> io::Result<Figures> {
    if work != "download" {
        return Err(unknown(work));
    }
    let mut receives = 0;
    let mut figures = measure::timed(|| {
        receives = download(task)?;
        Ok(())
    })?;
    figures.insert("receives".to_owned(), receives as f64);
    Ok(figures)
}

/// Gives the number of receives.
fn download(task: &Task) -> io::Result<usize> {
    let memory = Memory {
        socket: Socket::connect(task)?,
        read: 0,
        words: Vec::new(),
    };
    let mut one = Loop {
        tls: SslStream::new(ssl(task)?, memory)?,
        plain: vec![0; PLAIN],
    };
    one.shake_hands()?;
    one.exchange(task)?;
    Ok(one.tls.get_ref().socket.receives)
}

fn ssl(task: &Task) -> io::Result<Ssl> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    context.set_ca_file(&task.ca)?;
    context.set_verify(SslVerifyMode::PEER);
    let mut ssl = Ssl::new(&context.build())?;
    ssl.param_mut().set_ip(task.address()?.ip())?;
    Ok(ssl)
}

/// What OpenSSL has for a socket: bytes that were received before it asked.
struct Memory {
    socket: Socket,
    /// What of the received bytes it has read.
    read: usize,
    /// What it has written.
    words: Vec<u8>,
}

impl Memory {
    fn receive(&mut self, min: usize) -> io::Result<()> {
        self.socket.consume(self.read);
        self.read = 0;
        self.socket.receive(min)
    }

    fn send(&mut self) -> io::Result<()> {
        self.socket.stream.write_all(&self.words)?;
        self.words.clear();
        Ok(())
    }
}

impl Read for Memory {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = (&self.socket.buffer[self.read..self.socket.filled]).read(into)?;
        self.read += n;
        match n {
            0 => Err(ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.words.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One connection.
struct Loop {
    tls: SslStream<Memory>,
    plain: Vec<u8>,
}

impl Loop {
    fn shake_hands(&mut self) -> io::Result<()> {
        loop {
            let went = self.tls.connect();
            self.tls.get_mut().send()?;
            match went {
                Ok(()) => return Ok(()),
                Err(error) if error.code() == ErrorCode::WANT_READ => {
                    self.tls.get_mut().receive(1)?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    fn exchange(&mut self, task: &Task) -> io::Result<()> {
        let request = task.request(false);
        self.tls.ssl_write(&request).map_err(io::Error::other)?;
        self.tls.get_mut().send()?;
        let mut answer = Answer::default();
        while !answer.is_complete() {
            match self.tls.ssl_read(&mut self.plain) {
                Ok(n) => answer.take(&self.plain[..n])?,
                Err(error) if error.code() == ErrorCode::WANT_READ => {
                    self.tls.get_mut().receive(answer.min(task))?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(())
    }
}
