//! Operations: what the engine asks the application to do on its own I/O.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::Buf;

/// Names one operation: a slot and the generation of its use, so that a late
/// completion never meets the slot's next user.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub(crate) u64);

impl OpId {
    /// The id as one number, for a kernel's `user_data`; [`OpId::from_u64`] undoes it.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The id that [`OpId::as_u64`] was taken from.
    pub fn from_u64(raw: u64) -> Self {
        Self(raw)
    }
}

impl fmt::Debug for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "op {}.{}", self.0 as u32, self.0 >> 32)
    }
}

/// Names one socket of the application's: from `Connect` to the completion of `Close`.
///
/// Drivers keep their table of sockets by [`ConnId::slot`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub(crate) u64);

impl ConnId {
    /// A small number, reused after `Close` has completed.
    pub fn slot(self) -> usize {
        self.0 as u32 as usize
    }

    /// Slot and generation as one number.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The id that [`ConnId::as_u64`] was taken from; also how a driver's tests make one.
    pub fn from_u64(raw: u64) -> Self {
        Self(raw)
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conn {}.{}", self.0 as u32, self.0 >> 32)
    }
}

/// Where a socket leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Endpoint {
    /// A TCP connection.
    Tcp(SocketAddr),
    /// A connected UDP socket: each `Send` is one datagram, each `Recv` gets one.
    Udp(SocketAddr),
    /// A unix stream socket.
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => write!(f, "{addr}"),
            Self::Udp(addr) => write!(f, "{addr} (udp)"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// One operation: a linear token that owns everything the kernel may touch.
///
/// It comes back through [`Engine::complete`](crate::Engine::complete) exactly
/// once, also after a cancel: then with [`cancelled`], or done after all. Dropping it instead of completing it leaves its
/// connection waiting until a timeout.
#[must_use = "an operation must be carried out and completed, also after a cancel"]
#[derive(Debug)]
pub struct Op {
    /// Names the operation in completions and cancels.
    pub id: OpId,
    /// The socket it belongs to.
    pub conn: ConnId,
    /// What to do, with the memory to do it in.
    pub kind: OpKind,
}

/// What to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpKind {
    /// Look `host` up and push the addresses into `found`; the result's number is ignored.
    Resolve {
        /// A host name; never a literal address.
        host: Arc<str>,
        /// The port that the addresses are wanted for.
        port: u16,
        /// The answer rides back in the operation.
        found: Vec<IpAddr>,
    },
    /// Make a socket and connect it; the result's number is ignored.
    Connect {
        /// Where to.
        to: Endpoint,
        /// The local address to bind to first.
        from: Option<IpAddr>,
    },
    /// Receive into the spare room of `buf` and report how many bytes; 0 is the peer's FIN.
    ///
    /// What `buf` already holds stays in front: it is the beginning of what arrives.
    Recv {
        /// `None`: the driver puts a buffer of its own choice here. As in a given one, what
        /// it received lies in the spare room: the engine counts it as filled, by the result.
        buf: Option<Buf>,
        /// A hint, at least 1: waking up before this many bytes have arrived is not worth it.
        min: usize,
    },
    /// Send the bytes of `bufs` in order and report how many were taken; fewer is normal.
    Send {
        /// At most [`MAX_SEND_BUFS`] pieces.
        bufs: Vec<Buf>,
    },
    /// Shut the sending direction down.
    Shutdown,
    /// Close the socket. No other operation of it is in flight then; its `ConnId` is free afterwards.
    Close,
}

/// The most pieces in one [`OpKind::Send`].
pub const MAX_SEND_BUFS: usize = 16;

/// The result of an operation that ended because of a cancel before it did anything.
///
/// A driver completes it with this, or passes on its system's own error, if [`is_cancelled`]
/// knows it. Any other error of a cancelled operation is what it would be of one that was not:
/// a reset is a reset.
pub fn cancelled() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "the operation was cancelled")
}

/// Whether an operation's error says only that the operation did not get its chance: it is of
/// the kind [`Interrupted`](io::ErrorKind::Interrupted), or the system's `ECANCELED`, or
/// Windows' `ERROR_OPERATION_ABORTED`.
pub fn is_cancelled(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted || error.raw_os_error() == Some(CANCELLED_CODE)
}

/// What the operating system calls it.
const CANCELLED_CODE: i32 = if cfg!(windows) {
    995
} else if cfg!(target_vendor = "apple") {
    89
} else if cfg!(any(target_os = "freebsd", target_os = "dragonfly")) {
    85
} else if cfg!(target_os = "openbsd") {
    88
} else if cfg!(target_os = "netbsd") {
    87
} else {
    // Linux's, but for old architectures.
    125
};

/// An operation that came back.
#[derive(Debug)]
pub struct Completion {
    /// The operation, with its buffers.
    pub op: Op,
    /// Bytes moved, where that means anything.
    pub result: io::Result<usize>,
}
