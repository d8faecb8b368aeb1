//! The program of 2008: the application's own io_uring loop owns every socket, also
//! ones that sockless knows nothing of.
//!
//! One thread, one ring. On it live (1) a heartbeat service of the application's: a
//! socket pair on which it writes and reads bytes that have nothing to do with
//! transfers, and (2) the operations that sockless asks for. Every socket call of the
//! process is in this file; `strace -f -e trace=network` shows no others.
//!
//! `cargo run --release --example own_loop -p sockless -- https://127.0.0.1:8443/file [CA.pem]`
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the application: sockets, clock and files are its own"
)]

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Instant, SystemTime};

use io_uring::{IoUring, opcode, squeue, types};
use sockless::tls::Roots;
use sockless::{Config, ConnId, Endpoint, Event, Op, OpId, OpKind, Output, Request, Session, tls};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: own_loop URL [CA.pem]")?;
    let mut config = Config::default();
    if let Some(path) = args.next() {
        let mut roots = Roots::empty();
        roots
            .add_pem(&std::fs::read(path)?)
            .map_err(|fault| fault.at("tls"))?;
        config = config.with_tls(tls::Config::new(roots).alpn(["http/1.1"]))?;
    }
    let now = Instant::now();
    let mut session = Session::new(
        config,
        now,
        SystemTime::now(),
        u64::from(std::process::id()),
    )?;
    let mut engine = MyEngine::new()?;
    session.start(now, Request::get(&url)?)?;

    let (mut bytes, mut result) = (0, None);
    while result.is_none() {
        match session.poll(Instant::now()) {
            Output::Submit(op) => engine.submit(op),
            Output::Cancel(id) => engine.cancel(id),
            Output::Event(_, Event::Head(head)) => println!("{head:?}"),
            Output::Event(_, Event::Data(piece)) => bytes += piece.len(),
            Output::Event(_, Event::Done { outcome, .. }) => result = Some(outcome),
            Output::Wait(deadline) => engine.wait(deadline, &mut session)?,
            _ => {}
        }
    }
    println!(
        "{bytes} bytes by sockless, {} heartbeats of my own",
        engine.heart.beats
    );
    Ok(result.unwrap_or(Ok(()))?)
}

/// The application's engine: a ring, and whose completion each one is.
struct MyEngine {
    ring: IoUring,
    /// What sockless has in flight, with the memory the kernel may touch.
    theirs: HashMap<u64, InFlight>,
    sockets: HashMap<ConnId, RawFd>,
    /// Completions that need no kernel.
    at_once: Vec<(Op, io::Result<usize>)>,
    heart: Heart,
}

struct InFlight {
    op: Op,
    // Boxed: the kernel reads them while the map may move its entries.
    address: Option<Box<libc::sockaddr_storage>>,
    iovecs: Vec<libc::iovec>,
    message: Option<Box<libc::msghdr>>,
}

/// Something of the application's own on the same ring: every millisecond a byte goes
/// through a socket pair.
struct Heart {
    write: UnixStream,
    read: UnixStream,
    byte: Box<[u8; 1]>,
    pause: Box<types::Timespec>,
    beats: u32,
}

/// Completions of the application's own; operations of sockless have their own id.
const MY_HEART: u64 = u64::MAX;
const MY_PAUSE: u64 = u64::MAX - 1;
const MY_CANCEL: u64 = u64::MAX - 2;

impl MyEngine {
    fn new() -> io::Result<Self> {
        let (write, read) = UnixStream::pair()?;
        let pause = Box::new(types::Timespec::new().nsec(1_000_000));
        let heart = Heart {
            write,
            read,
            byte: Box::new([0]),
            pause,
            beats: 0,
        };
        let mut engine = Self {
            ring: IoUring::new(256)?,
            theirs: HashMap::new(),
            sockets: HashMap::new(),
            at_once: Vec::new(),
            heart,
        };
        engine.beat()?;
        Ok(engine)
    }

    /// The application's own traffic: send a byte, and receive it on the ring.
    fn beat(&mut self) -> io::Result<()> {
        use std::io::Write;
        self.heart.write.write_all(b"!")?;
        let fd = types::Fd(self.heart.read.as_raw_fd());
        let recv = opcode::Recv::new(fd, self.heart.byte.as_mut_ptr(), 1).build();
        self.push(recv.user_data(MY_HEART));
        Ok(())
    }

    fn submit(&mut self, op: Op) {
        if let Err((op, error)) = self.start(op) {
            self.at_once.push((op, Err(error)));
        }
    }

    fn start(&mut self, op: Op) -> Result<(), (Op, io::Error)> {
        let id = op.id.as_u64();
        let mut flight = InFlight {
            op,
            address: None,
            iovecs: Vec::new(),
            message: None,
        };
        let fd = self.sockets.get(&flight.op.conn).copied().unwrap_or(-1);
        let entry = match &mut flight.op.kind {
            OpKind::Connect {
                to: Endpoint::Tcp(to),
                ..
            } => match socket(to) {
                Ok(fd) => {
                    self.sockets.insert(flight.op.conn, fd);
                    let (storage, len) = sockaddr(to);
                    let address = flight.address.insert(storage);
                    opcode::Connect::new(types::Fd(fd), (&raw const **address).cast(), len).build()
                }
                Err(error) => return Err((flight.op, error)),
            },
            OpKind::Recv { buf, .. } => {
                let buf = buf.get_or_insert_with(|| sockless::Buf::with_capacity(4096));
                let room = buf.spare_mut();
                opcode::Recv::new(types::Fd(fd), room.as_mut_ptr(), room.len() as u32).build()
            }
            OpKind::Send { bufs } => {
                flight.iovecs = bufs.iter().map(|buf| iovec(buf)).collect();
                let message = flight
                    .message
                    .insert(Box::new(vectored(&mut flight.iovecs)));
                opcode::SendMsg::new(types::Fd(fd), &raw const **message)
                    .flags(libc::MSG_NOSIGNAL as u32)
                    .build()
            }
            OpKind::Shutdown => opcode::Shutdown::new(types::Fd(fd), libc::SHUT_WR).build(),
            OpKind::Close => {
                self.sockets.remove(&flight.op.conn);
                opcode::Close::new(types::Fd(fd)).build()
            }
            // This program gives literal addresses only; one with a resolver asks it here.
            _ => return Err((flight.op, io::ErrorKind::Unsupported.into())),
        };
        self.theirs.insert(id, flight);
        self.push(entry.user_data(id));
        Ok(())
    }

    fn cancel(&mut self, id: OpId) {
        let cancel = opcode::AsyncCancel::new(id.as_u64()).build();
        self.push(cancel.user_data(MY_CANCEL));
    }

    fn push(&mut self, entry: squeue::Entry) {
        // SAFETY: what the entry points to lives in `theirs` or `heart` until its
        // completion is taken off the ring.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            // The queue is full: hand it over. An error shows at the next wait.
            let _ = self.ring.submit();
        }
    }

    /// One wait for everything: mine and theirs.
    fn wait(&mut self, deadline: Option<Instant>, session: &mut Session) -> io::Result<()> {
        if !self.at_once.is_empty() {
            for (op, result) in self.at_once.drain(..) {
                session.complete(Instant::now(), op, result);
            }
            return Ok(());
        }
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let time = left.map(|left| {
            types::Timespec::new()
                .sec(left.as_secs())
                .nsec(left.subsec_nanos())
        });
        let args = match &time {
            Some(time) => types::SubmitArgs::new().timespec(time),
            None => types::SubmitArgs::new(),
        };
        match self.ring.submitter().submit_with_args(1, &args) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::ETIME) => {}
            Err(error) => return Err(error),
        }
        let finished: Vec<_> = self
            .ring
            .completion()
            .map(|done| (done.user_data(), done.result()))
            .collect();
        for (id, result) in finished {
            if id == MY_HEART {
                self.heart.beats += 1;
                let pause = opcode::Timeout::new(&raw const *self.heart.pause).build();
                self.push(pause.user_data(MY_PAUSE));
            } else if id == MY_PAUSE {
                self.beat()?;
            } else if let Some(flight) = self.theirs.remove(&id) {
                let result = usize::try_from(result)
                    .map_err(|_| io::Error::from_raw_os_error(result.wrapping_neg()));
                session.complete(Instant::now(), flight.op, result);
            }
        }
        Ok(())
    }
}

fn socket(to: &SocketAddr) -> io::Result<RawFd> {
    let family = if to.is_ipv6() {
        libc::AF_INET6
    } else {
        libc::AF_INET
    };
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a socket that we just made and nobody else owns.
    let owned: std::os::fd::OwnedFd = unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) };
    Ok(owned.into_raw_fd())
}

fn sockaddr(to: &SocketAddr) -> (Box<libc::sockaddr_storage>, libc::socklen_t) {
    // SAFETY: all zeroes is a valid sockaddr_storage.
    let mut storage: Box<libc::sockaddr_storage> = Box::new(unsafe { std::mem::zeroed() });
    let place = &raw mut *storage;
    let len = match to {
        SocketAddr::V4(v4) => {
            // SAFETY: sockaddr_storage is large enough and aligned for every address.
            let address = unsafe { &mut *place.cast::<libc::sockaddr_in>() };
            address.sin_family = libc::AF_INET as libc::sa_family_t;
            address.sin_port = v4.port().to_be();
            address.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            // SAFETY: as above.
            let address = unsafe { &mut *place.cast::<libc::sockaddr_in6>() };
            address.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            address.sin6_port = v6.port().to_be();
            address.sin6_addr.s6_addr = v6.ip().octets();
            address.sin6_scope_id = v6.scope_id();
            size_of::<libc::sockaddr_in6>()
        }
    };
    (storage, len as libc::socklen_t)
}

fn iovec(bytes: &[u8]) -> libc::iovec {
    libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    }
}

fn vectored(iovecs: &mut [libc::iovec]) -> libc::msghdr {
    // SAFETY: all zeroes is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = iovecs.as_mut_ptr();
    message.msg_iovlen = iovecs.len();
    message
}
