//! A server of a few lines: a test says what it answers, and sees what it heard.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A server on loopback that answers as a closure says.
pub(crate) struct Peer {
    port: u16,
    heard: Receiver<Heard>,
}

/// One request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Connections before this one, and requests before this one in all.
    pub(crate) connection: usize,
    pub(crate) number: usize,
}

/// What becomes of a request.
pub(crate) enum Reply {
    /// These bytes, and the connection stays.
    Keep(Vec<u8>),
    /// These bytes, then FIN.
    Close(Vec<u8>),
    /// Nothing, for as long as the client stays.
    Silence,
}

impl Heard {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &str {
        self.line().split(' ').nth(1).unwrap_or_default()
    }

    /// A field's value.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (have, value) = line.split_once(':')?;
            have.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Peer {
    pub(crate) fn new(answer: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = listener.local_addr().expect("it has an address").port();
        let (tell, heard) = channel();
        let answer = std::sync::Arc::new(answer);
        let number = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().flatten().enumerate() {
                let (tell, answer, number) = (tell.clone(), answer.clone(), number.clone());
                thread::spawn(move || {
                    let next = || number.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    serve(stream, connection, &next, &*answer, |heard| {
                        // A test that has seen enough may be over.
                        let _ = tell.send(heard);
                    });
                });
            }
        });
        Self { port, heard }
    }

    /// The same answer to everything, the connection stays.
    pub(crate) fn saying(answer: &[u8]) -> Self {
        let answer = answer.to_vec();
        Self::new(move |_| Reply::Keep(answer.clone()))
    }

    /// A server that resets each connection once a request has arrived.
    pub(crate) fn resetting() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = listener.local_addr().expect("it has an address").port();
        let (_, heard) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Closing with bytes unread resets the connection.
                let _ = stream.peek(&mut [0]);
            }
        });
        Self { port, heard }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The next request that was heard.
    pub(crate) fn heard(&self) -> Heard {
        self.heard.recv().expect("a request was heard")
    }

    /// All requests so far.
    pub(crate) fn all(&self) -> Vec<Heard> {
        self.heard.try_iter().collect()
    }
}

/// `200 OK` with a body.
pub(crate) fn ok(body: &[u8]) -> Vec<u8> {
    answer("200 OK", "", body)
}

/// An answer with further fields, each with its line end.
pub(crate) fn answer(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut bytes =
        format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn serve(
    mut stream: TcpStream,
    connection: usize,
    next: &dyn Fn() -> usize,
    answer: &dyn Fn(&Heard) -> Reply,
    tell: impl Fn(Heard),
) {
    let mut unread = Vec::new();
    while let Some(mut heard) = request(&mut stream, &mut unread) {
        (heard.connection, heard.number) = (connection, next());
        tell(heard.clone());
        let written = match answer(&heard) {
            Reply::Keep(bytes) => stream.write_all(&bytes),
            Reply::Close(bytes) => {
                let _ = stream.write_all(&bytes);
                return;
            }
            Reply::Silence => stream.read(&mut [0]).map(|_| ()),
        };
        if written.is_err() {
            return;
        }
    }
}

/// Reads one request; `None` when the client has left.
fn request(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Heard> {
    let end = until(stream, unread, b"\r\n\r\n")?;
    let head: Vec<u8> = unread.drain(..end).collect();
    let head = String::from_utf8(head).ok()?;
    let mut heard = Heard {
        head,
        ..Heard::default()
    };
    if heard.field("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    if heard.field("transfer-encoding").is_some() {
        loop {
            let end = until(stream, unread, b"\r\n")?;
            let line: Vec<u8> = unread.drain(..end).collect();
            let size = usize::from_str_radix(std::str::from_utf8(&line).ok()?.trim(), 16).ok()?;
            at_least(stream, unread, size + 2)?;
            heard.body.extend(unread.drain(..size));
            unread.drain(..2);
            if size == 0 {
                return Some(heard);
            }
        }
    }
    let length = heard
        .field("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    at_least(stream, unread, length)?;
    heard.body = unread.drain(..length).collect();
    Some(heard)
}

fn until(stream: &mut TcpStream, unread: &mut Vec<u8>, mark: &[u8]) -> Option<usize> {
    loop {
        if let Some(at) = unread.windows(mark.len()).position(|window| window == mark) {
            return Some(at + mark.len());
        }
        at_least(stream, unread, unread.len() + 1)?;
    }
}

fn at_least(stream: &mut TcpStream, unread: &mut Vec<u8>, wanted: usize) -> Option<()> {
    let mut piece = [0; 16 * 1024];
    while unread.len() < wanted {
        let n = stream.read(&mut piece).ok().filter(|n| *n > 0)?;
        unread.extend_from_slice(&piece[..n]);
    }
    Some(())
}
