//! Servers that misbehave on purpose, in the ways that real ones cannot be made to.
//!
//! Plain TCP on 127.0.0.1, a port each. They know just enough HTTP to find the end of
//! a request's head. Starting one fails only when there is no free port.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A running server, ended by dropping it.
#[derive(Debug)]
pub struct FaultServer {
    /// Where it listens.
    pub addr: SocketAddr,
    stop: Arc<Stop>,
    listener: Option<JoinHandle<()>>,
}

impl FaultServer {
    /// The URL of `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// The same with `https`; nothing here speaks TLS.
    pub fn https_url(&self, path: &str) -> String {
        format!("https://{}{path}", self.addr)
    }

    /// How many connections it has accepted so far.
    pub fn connections(&self) -> usize {
        self.stop.state().accepted
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        {
            let mut state = self.stop.state();
            state.stopped = true;
            for stream in state.streams.values() {
                drop(stream.shutdown(Shutdown::Both));
            }
        }
        self.stop.changed.notify_all();
        // Wakes the listener up, which then sees that it is over.
        drop(TcpStream::connect(self.addr));
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
    }
}

/// A fault, by its name on the command line of the matrix.
pub type Fault = fn() -> io::Result<FaultServer>;

/// All of them, by name.
pub const ALL: &[(&str, Fault)] = &[
    ("silent", silent),
    ("deaf", deaf),
    ("closes-at-once", closes_at_once),
    ("resets-at-once", resets_at_once),
    ("resets-mid-body", resets_mid_body),
    ("truncated-body", truncated_body),
    ("truncated-chunk", truncated_chunk),
    ("truncated-head", truncated_head),
    ("oversized-chunk", oversized_chunk),
    ("bad-chunk", bad_chunk),
    ("conflicting-length", conflicting_length),
    ("garbage", garbage),
    ("endless-headers", endless_headers),
    ("endless-header", endless_header),
    ("endless-interim", endless_interim),
    ("trickle", trickle),
];

/// Takes the request and never answers.
pub fn silent() -> io::Result<FaultServer> {
    serve(|peer| {
        peer.request()?;
        peer.hold()
    })
}

/// Accepts and never reads: an upload comes to a standstill.
pub fn deaf() -> io::Result<FaultServer> {
    serve(|peer| {
        peer.pause(Duration::MAX);
        Ok(())
    })
}

/// Takes the request and closes without a byte of answer.
pub fn closes_at_once() -> io::Result<FaultServer> {
    serve(|peer| peer.request().map(drop))
}

/// Resets the connection as soon as a request arrives.
pub fn resets_at_once() -> io::Result<FaultServer> {
    serve(Peer::reset)
}

/// Resets the connection in the middle of a body of known length.
pub fn resets_mid_body() -> io::Result<FaultServer> {
    serve(|peer| {
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
        peer.send(&[b'x'; 1000])?;
        peer.reset()
    })
}

/// Closes in the middle of a body of known length.
pub fn truncated_body() -> io::Result<FaultServer> {
    answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
}

/// Closes in the middle of a chunk.
pub fn truncated_chunk() -> io::Result<FaultServer> {
    answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n64\r\nhalf")
}

/// Closes in the middle of a header field.
pub fn truncated_head() -> io::Result<FaultServer> {
    answers(b"HTTP/1.1 200 OK\r\nContent-Len")
}

/// Announces a chunk whose length does not fit into 64 bits.
pub fn oversized_chunk() -> io::Result<FaultServer> {
    answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1ffffffffffffffff\r\nx\r\n")
}

/// Announces a chunk whose length is no number.
pub fn bad_chunk() -> io::Result<FaultServer> {
    answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\nx\r\n0\r\n\r\n")
}

/// Announces two lengths that contradict each other.
pub fn conflicting_length() -> io::Result<FaultServer> {
    answers(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")
}

/// Answers with bytes that are neither HTTP nor TLS, and closes.
pub fn garbage() -> io::Result<FaultServer> {
    serve(|peer| {
        peer.first_bytes()?;
        peer.send(b"\x00\x01\x02 this is neither HTTP nor TLS \xff\xfe\r\n\r\n")?;
        peer.finish()
    })
}

/// Sends header fields without end.
pub fn endless_headers() -> io::Result<FaultServer> {
    serve(|peer| {
        peer.request()?;
        peer.send(b"HTTP/1.1 200 OK\r\n")?;
        let fields = b"X-Filler: and another field follows this one\r\n".repeat(100);
        peer.flood(&fields)
    })
}

/// Sends one header field without end.
pub fn endless_header() -> io::Result<FaultServer> {
    serve(|peer| {
        peer.request()?;
        peer.send(b"HTTP/1.1 200 OK\r\nX-Filler: ")?;
        peer.flood(&[b'x'; 4096])
    })
}

/// Sends interim answers without end.
pub fn endless_interim() -> io::Result<FaultServer> {
    serve(|peer| {
        peer.request()?;
        peer.flood(&b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n".repeat(50))
    })
}

/// Sends a body of known length at a byte a second.
pub fn trickle() -> io::Result<FaultServer> {
    serve(|peer| {
        peer.request()?;
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
        while !peer.pause(Duration::from_secs(1)) {
            peer.send(b"x")?;
        }
        Ok(())
    })
}

/// Answers each connection's first request with exactly these bytes, and closes.
pub fn answers(bytes: &'static [u8]) -> io::Result<FaultServer> {
    serve(move |peer| {
        peer.request()?;
        peer.send(bytes)?;
        peer.finish()
    })
}

/// Carries connections on to a server, and closes each after that many bytes of what it
/// answers: without the farewell of the protocol that is inside.
///
/// # Errors
/// There is no free port.
pub fn cut(to: SocketAddr, bytes: u64) -> io::Result<FaultServer> {
    serve(move |peer| {
        let mut server = TcpStream::connect(to)?;
        let (mut from, mut on) = (peer.stream.try_clone()?, server.try_clone()?);
        // It ends with the client's connection.
        let upward = thread::spawn(move || io::copy(&mut from, &mut on));
        io::copy(&mut Read::by_ref(&mut server).take(bytes), &mut peer.stream)?;
        peer.stream.shutdown(Shutdown::Write)?;
        drop(upward.join());
        Ok(())
    })
}

/// An address on which nobody listens.
///
/// # Errors
/// There is no free port.
pub fn refused() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Serves each connection on a thread of its own by `behave`, whose errors only end that connection.
///
/// # Errors
/// There is no free port.
pub fn serve(
    behave: impl Fn(&mut Peer) -> io::Result<()> + Send + Sync + 'static,
) -> io::Result<FaultServer> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let addr = listener.local_addr()?;
    let stop = Arc::new(Stop::default());
    let shared = Arc::clone(&stop);
    let listener = thread::spawn(move || {
        thread::scope(|scope| {
            for stream in listener.incoming().flatten() {
                let Some(number) = shared.admit(&stream) else {
                    return;
                };
                let mut peer = Peer {
                    stream,
                    stop: Arc::clone(&shared),
                };
                let behave = &behave;
                scope.spawn(move || {
                    // The client's own failures are its business: it is the one under test.
                    drop(behave(&mut peer));
                    peer.stop.state().streams.remove(&number);
                });
            }
        });
    });
    Ok(FaultServer {
        addr,
        stop,
        listener: Some(listener),
    })
}

/// A client's connection, as the server sees it.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    stop: Arc<Stop>,
}

impl Peer {
    /// Reads a request's head, and whatever of its body came along.
    ///
    /// # Errors
    /// The connection failed or ended before.
    pub fn request(&mut self) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        let mut piece = [0; 4096];
        while !head.windows(4).any(|four| four == b"\r\n\r\n") {
            let read = self.stream.read(&mut piece)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            head.extend_from_slice(&piece[..read]);
        }
        Ok(head)
    }

    /// Reads until something has arrived, whatever it is.
    ///
    /// # Errors
    /// The connection failed.
    pub fn first_bytes(&mut self) -> io::Result<Vec<u8>> {
        let mut piece = [0; 4096];
        let read = self.stream.read(&mut piece)?;
        Ok(piece[..read].to_vec())
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// The connection failed.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends `bytes` again and again until the client has had enough.
    ///
    /// # Errors
    /// The client closed.
    pub fn flood(&mut self, bytes: &[u8]) -> io::Result<()> {
        loop {
            self.send(bytes)?;
        }
    }

    /// Sends FIN and reads until the client does the same, so that nothing sent is lost to a reset.
    ///
    /// # Errors
    /// The connection failed.
    pub fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        self.hold()
    }

    /// Reads until the client closes.
    ///
    /// # Errors
    /// The connection failed.
    pub fn hold(&mut self) -> io::Result<()> {
        io::copy(&mut self.stream, &mut io::sink()).map(drop)
    }

    /// Resets the connection: closing with bytes unread makes the kernel send RST.
    ///
    /// # Errors
    /// The connection failed before any byte arrived.
    pub fn reset(&mut self) -> io::Result<()> {
        self.stream.peek(&mut [0]).map(drop)
    }

    /// Waits, and says whether the server is to end.
    pub fn pause(&self, time: Duration) -> bool {
        let state = self.stop.state();
        let waited = self
            .stop
            .changed
            .wait_timeout_while(state, time, |state| !state.stopped);
        waited.unwrap_or_else(PoisonError::into_inner).0.stopped
    }
}

#[derive(Debug, Default)]
struct Stop {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    accepted: usize,
    /// To be shut down at the end, which wakes up the threads that read them. A
    /// connection that is over must not be in here: that would keep it open.
    streams: BTreeMap<usize, TcpStream>,
}

impl Stop {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection in and gives its number; `None`: it is over.
    fn admit(&self, stream: &TcpStream) -> Option<usize> {
        let mut state = self.state();
        if state.stopped {
            return None;
        }
        state.accepted += 1;
        let number = state.accepted;
        state.streams.insert(number, stream.try_clone().ok()?);
        Some(number)
    }
}
