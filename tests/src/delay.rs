//! A wire that takes time: a TCP relay in front of any server.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is read at once, at most.
const PIECE: usize = 256 * 1024;
/// How many pieces are on their way in a direction before the sender is held up: of full
/// ones, 256 MiB, which at a delay of 25 ms is 10 GB/s. An ordinary one is far smaller.
const PIECES: usize = 1024;

/// A running relay on 127.0.0.1, ended by dropping it, with all its connections.
///
/// Every byte, and the end of each direction, arrives a fixed time after it was sent;
/// how many are on their way at once is not limited. What it cannot delay is TCP's own
/// handshake: a connection is accepted at once, and the first byte is what waits.
#[derive(Debug)]
pub struct DelayProxy {
    addr: SocketAddr,
    state: Arc<Mutex<State>>,
    listener: Option<JoinHandle<()>>,
}

/// What has to be ended at the end.
#[derive(Debug, Default)]
struct State {
    is_over: bool,
    streams: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

/// Bytes and when they arrive; none means the end.
type Sent = (Instant, Vec<u8>);

impl DelayProxy {
    /// Starts one in front of `port` of 127.0.0.1; a round trip takes twice `one_way`.
    ///
    /// # Errors
    /// There is no free port.
    pub fn start(port: u16, one_way: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let accept = move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if state.is_over {
                    return;
                }
                // A server that refuses is seen as one that closes at once.
                drop(state.relay(client, port, one_way));
            }
        };
        Ok(Self {
            addr,
            state,
            listener: Some(thread::spawn(accept)),
        })
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }
}

impl Drop for DelayProxy {
    fn drop(&mut self) {
        let threads = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.is_over = true;
            for stream in &state.streams {
                drop(stream.shutdown(Shutdown::Both));
            }
            std::mem::take(&mut state.threads)
        };
        // Wakes the listener up, which then sees that it is over.
        drop(TcpStream::connect(self.addr));
        for thread in threads.into_iter().chain(self.listener.take()) {
            drop(thread.join());
        }
    }
}

impl State {
    fn relay(&mut self, client: TcpStream, port: u16, one_way: Duration) -> io::Result<()> {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        for (from, to) in [(&client, &server), (&server, &client)] {
            to.set_nodelay(true)?;
            let (send, arrive) = mpsc::sync_channel(PIECES);
            let (from, to) = (from.try_clone()?, to.try_clone()?);
            let take = thread::spawn(move || take(from, &send, one_way));
            let give = thread::spawn(move || give(to, &arrive));
            self.threads.extend([take, give]);
        }
        self.streams.extend([client, server]);
        Ok(())
    }
}

/// Reads until the end; an error is an end as well.
fn take(mut from: TcpStream, send: &SyncSender<Sent>, one_way: Duration) {
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece).unwrap_or(0);
        let sent = (Instant::now() + one_way, piece[..read].to_vec());
        if send.send(sent).is_err() || read == 0 {
            return;
        }
    }
}

/// Writes each piece at its time.
fn give(mut to: TcpStream, arrive: &Receiver<Sent>) {
    for (due, piece) in arrive {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if piece.is_empty() {
            drop(to.shutdown(Shutdown::Write));
            return;
        }
        if to.write_all(&piece).is_err() {
            break;
        }
    }
    // Nobody reads any more: the other side has to learn that.
    drop(to.shutdown(Shutdown::Both));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content;

    #[test]
    fn all_bytes_arrive_in_order_and_late_and_so_does_the_end() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = server.local_addr().expect("bound").port();
        let one_way = Duration::from_millis(25);
        let echo = thread::spawn(move || {
            let (mut peer, _) = server.accept().expect("a connection");
            let mut all = Vec::new();
            peer.read_to_end(&mut all).expect("until the end");
            peer.write_all(&all).expect("it reads");
        });
        let proxy = DelayProxy::start(port, one_way).expect("a port");
        let start = Instant::now();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).expect("it is up");
        client
            .write_all(&content::bytes(3 << 20))
            .expect("it reads");
        client.shutdown(Shutdown::Write).expect("ours");
        let mut back = Vec::new();
        client.read_to_end(&mut back).expect("until the end");
        // Less cannot be, however busy the machine is.
        assert!(start.elapsed() >= one_way * 2);
        assert_eq!((back.len(), content::check(0, &back)), (3 << 20, Ok(())));
        echo.join().expect("it did not panic");
    }

    #[test]
    fn dropping_it_ends_connections_that_are_idle() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = server.local_addr().expect("bound").port();
        let proxy = DelayProxy::start(port, Duration::from_millis(1)).expect("a port");
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).expect("it is up");
        let (_held, _) = server.accept().expect("relayed");
        drop(proxy);
        assert!(matches!(client.read(&mut [0; 1]), Ok(0) | Err(_)));
    }
}
