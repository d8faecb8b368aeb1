//! A driver, its operations' ids, and a check that each comes back once.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use sockless_core::{AsyncDriver, Buf, Completion, ConnId, Driver, Endpoint, Op, OpId, OpKind};
use sockless_drivers::{Lookup, Threaded};

use crate::block_on::block_on;

/// What a test wants of its driver.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) lookup: Option<Lookup>,
    /// Where the driver has such a thing.
    pub(crate) recv_buffers: Option<u16>,
}

pub(crate) type Make = fn(Options) -> Box<dyn Driver>;

/// A hung driver fails its test instead of hanging it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Rig {
    pub(crate) driver: Box<dyn Driver>,
    out: HashSet<OpId>,
    arrived: Vec<Completion>,
    next: u64,
}

impl Rig {
    pub(crate) fn new(make: Make) -> Self {
        Self::with(make, Options::default())
    }

    pub(crate) fn with(make: Make, options: Options) -> Self {
        Self {
            driver: make(options),
            out: HashSet::new(),
            arrived: Vec::new(),
            next: 0,
        }
    }

    /// A connection id in a slot of its own, generation 1.
    pub(crate) fn conn(&mut self) -> ConnId {
        self.next += 1;
        ConnId::from_u64(1 << 32 | self.next)
    }

    pub(crate) fn submit(&mut self, conn: ConnId, kind: OpKind) -> OpId {
        self.next += 1;
        let id = OpId::from_u64(self.next << 32 | self.next);
        self.out.insert(id);
        self.driver.submit(Op { id, conn, kind });
        id
    }

    /// Lets the driver do what it can without waiting.
    pub(crate) fn turn(&mut self) {
        self.turn_within(Duration::ZERO);
    }

    /// Lets the driver do what it can in that time, or until something comes back.
    pub(crate) fn turn_within(&mut self, time: Duration) {
        let deadline = self.driver.now() + time;
        self.wait_until(deadline);
    }

    fn wait_until(&mut self, deadline: Instant) {
        let before = self.arrived.len();
        self.driver
            .wait(Some(deadline), &mut self.arrived)
            .expect("a working driver");
        for completion in &self.arrived[before..] {
            assert!(
                self.out.remove(&completion.op.id),
                "{:?} came back twice",
                completion.op.id
            );
        }
    }

    /// Waits for that operation.
    pub(crate) fn outcome(&mut self, id: OpId) -> Completion {
        let patience = self.driver.now() + PATIENCE;
        loop {
            if let Some(at) = self
                .arrived
                .iter()
                .position(|completion| completion.op.id == id)
            {
                return self.arrived.swap_remove(at);
            }
            assert!(self.driver.now() < patience, "{id:?} did not come back");
            self.wait_until(patience);
        }
    }

    pub(crate) fn has_arrived(&self, id: OpId) -> bool {
        self.arrived.iter().any(|completion| completion.op.id == id)
    }

    /// The id was given away twice on purpose: the other one is still to come.
    pub(crate) fn expect_again(&mut self, id: OpId) {
        self.out.insert(id);
    }

    /// Nothing has come back that nobody waited for.
    pub(crate) fn expect_quiet(&mut self) {
        self.turn();
        assert!(self.arrived.is_empty(), "unexpected: {:?}", self.arrived);
    }

    pub(crate) fn run(&mut self, conn: ConnId, kind: OpKind) -> Completion {
        let id = self.submit(conn, kind);
        self.outcome(id)
    }

    /// The error of an operation that must fail.
    pub(crate) fn failure(&mut self, conn: ConnId, kind: OpKind) -> io::Error {
        self.run(conn, kind)
            .result
            .expect_err("an operation that cannot work")
    }

    pub(crate) fn connect(&mut self, to: Endpoint) -> ConnId {
        let conn = self.conn();
        self.run(conn, OpKind::Connect { to, from: None })
            .result
            .expect("a connection");
        conn
    }

    /// A connection and its peer.
    pub(crate) fn pair(&mut self) -> (ConnId, TcpStream) {
        let (listener, addr) = listener();
        let conn = self.connect(Endpoint::Tcp(addr));
        (conn, listener.accept().expect("a peer").0)
    }

    pub(crate) fn close(&mut self, conn: ConnId) {
        self.run(conn, OpKind::Close).result.expect("a close");
    }

    /// Receives until the peer's FIN.
    pub(crate) fn recv_all(&mut self, conn: ConnId) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let bytes = received(self.run(conn, recv_any())).expect("bytes or the end");
            if bytes.is_empty() {
                return all;
            }
            all.extend(bytes);
        }
    }
}

pub(crate) fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let addr = listener.local_addr().expect("its address");
    (listener, addr)
}

/// A receive into a buffer of its own.
pub(crate) fn recv(capacity: usize, min: usize) -> OpKind {
    OpKind::Recv {
        buf: Some(Buf::with_capacity(capacity)),
        min,
    }
}

/// A receive into a buffer of the driver's choice.
pub(crate) fn recv_any() -> OpKind {
    OpKind::Recv { buf: None, min: 1 }
}

pub(crate) fn send(bytes: &[u8]) -> OpKind {
    OpKind::Send {
        bufs: vec![Buf::from(bytes)],
    }
}

/// What a receive got.
pub(crate) fn received(completion: Completion) -> io::Result<Vec<u8>> {
    let n = completion.result?;
    let OpKind::Recv {
        buf: Some(mut buf), ..
    } = completion.op.kind
    else {
        panic!("a receive that succeeded has a buffer")
    };
    assert!(n <= buf.spare(), "more bytes than room");
    buf.grow(n);
    Ok(buf.to_vec())
}

/// Makes closing the stream a reset.
pub(crate) fn reset(peer: TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    set_option(&peer, libc::SO_LINGER, &linger);
}

pub(crate) fn set_option<T>(socket: &impl AsRawFd, name: libc::c_int, value: &T) {
    let len = size_of::<T>() as libc::socklen_t;
    let (fd, value) = (socket.as_raw_fd(), (&raw const *value).cast());
    // SAFETY: pointer and length describe a live value.
    let set = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, name, value, len) };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}

/// An async driver seen as a sync one.
pub(crate) struct BlockOn(pub(crate) Threaded);

impl Driver for BlockOn {
    fn submit(&mut self, op: Op) {
        self.0.submit(op);
    }

    fn cancel(&mut self, id: OpId) {
        self.0.cancel(id);
    }

    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()> {
        block_on(self.0.wait(deadline, done))
    }

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn name(&self) -> &'static str {
        "threaded"
    }
}

/// An async driver, awaited on the runtime that it belongs to.
#[cfg(feature = "tokio")]
pub(crate) struct Inside<D> {
    driver: D,
    runtime: tokio::runtime::Runtime,
}

#[cfg(feature = "tokio")]
impl<D> Inside<D> {
    pub(crate) fn new(driver: D, runtime: tokio::runtime::Runtime) -> Self {
        Self { driver, runtime }
    }
}

#[cfg(feature = "tokio")]
impl<D: AsyncDriver> Driver for Inside<D> {
    fn submit(&mut self, op: Op) {
        self.driver.submit(op);
    }

    fn cancel(&mut self, id: OpId) {
        self.driver.cancel(id);
    }

    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()> {
        self.runtime.block_on(self.driver.wait(deadline, done))
    }

    fn now(&self) -> Instant {
        self.driver.now()
    }

    fn name(&self) -> &'static str {
        "inside"
    }
}
