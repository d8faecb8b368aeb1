//! Sockets and their addresses as the operating system wants them.

use core::mem;
use core::net::{IpAddr, SocketAddr};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sockless_core::{Buf, Endpoint, MAX_SEND_BUFS};

/// The most bytes in one call: more than that does not fit into a kernel's result.
const MAX_CALL: usize = i32::MAX as usize;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const SEND_FLAGS: libc::c_int = libc::MSG_NOSIGNAL;
/// Where a socket option ([`quiet`]) or nothing at all keeps SIGPIPE away.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const SEND_FLAGS: libc::c_int = 0;

/// What owns a socket.
pub(crate) type Handle = OwnedFd;
/// What names it to the system.
pub(crate) type RawHandle = RawFd;

pub(crate) fn raw(socket: &Handle) -> RawHandle {
    socket.as_raw_fd()
}

/// What a socket does with a call that would block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(all(
        target_os = "linux",
        feature = "uring",
        any(feature = "blocking", feature = "tokio", feature = "aio")
    )),
    allow(dead_code, reason = "one mode per driver")
)]
pub(crate) enum Mode {
    /// Waits: right for a ring, which waits elsewhere. (With a non-blocking socket, ring
    /// operations that fall back to a kernel thread would fail with `EAGAIN`.)
    Waiting,
    /// Returns at once.
    Immediate,
}

/// Which kind of socket it is, as far as drivers care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    Udp,
    Unix,
}

/// A socket address in the kernel's form.
#[derive(Clone, Copy)]
pub(crate) struct Address {
    storage: libc::sockaddr_storage,
    len: libc::socklen_t,
}

impl Address {
    pub(crate) fn of(endpoint: &Endpoint) -> io::Result<Self> {
        match endpoint {
            Endpoint::Tcp(addr) | Endpoint::Udp(addr) => Ok(Self::inet(*addr)),
            Endpoint::Unix(path) => Self::unix(path),
            _ => Err(unsupported()),
        }
    }

    fn inet(addr: SocketAddr) -> Self {
        let mut storage = Self::zeroed();
        let len = match addr {
            SocketAddr::V4(v4) => {
                // SAFETY: sockaddr_storage is large and aligned enough for every address
                // type, and all zeroes is a valid sockaddr_in.
                let inet = unsafe { &mut *(&raw mut storage).cast::<libc::sockaddr_in>() };
                inet.sin_family = libc::AF_INET as libc::sa_family_t;
                inet.sin_port = v4.port().to_be();
                inet.sin_addr.s_addr = v4.ip().to_bits().to_be();
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(v6) => {
                // SAFETY: as above, with sockaddr_in6.
                let inet6 = unsafe { &mut *(&raw mut storage).cast::<libc::sockaddr_in6>() };
                inet6.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                inet6.sin6_port = v6.port().to_be();
                inet6.sin6_flowinfo = v6.flowinfo();
                inet6.sin6_addr.s6_addr = v6.ip().octets();
                inet6.sin6_scope_id = v6.scope_id();
                size_of::<libc::sockaddr_in6>()
            }
        };
        Self {
            storage,
            len: len as libc::socklen_t,
        }
    }

    /// A path that begins with a NUL byte names a socket in Linux's abstract namespace.
    fn unix(path: &Path) -> io::Result<Self> {
        let bytes = path.as_os_str().as_bytes();
        let mut storage = Self::zeroed();
        // SAFETY: as in `inet`, with sockaddr_un.
        let unix = unsafe { &mut *(&raw mut storage).cast::<libc::sockaddr_un>() };
        let is_abstract = cfg!(target_os = "linux") && bytes.first() == Some(&0);
        if bytes.is_empty() || (!is_abstract && bytes.contains(&0)) {
            return Err(invalid("a unix socket's path is empty or holds a NUL byte"));
        }
        // A path is followed by a NUL, an abstract name is not.
        let needed = bytes.len() + usize::from(!is_abstract);
        if needed > unix.sun_path.len() {
            return Err(invalid("a unix socket's path is too long for this system"));
        }
        unix.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (to, from) in unix.sun_path.iter_mut().zip(bytes) {
            *to = *from as libc::c_char;
        }
        let len = mem::offset_of!(libc::sockaddr_un, sun_path) + needed;
        Ok(Self {
            storage,
            len: len as libc::socklen_t,
        })
    }

    fn zeroed() -> libc::sockaddr_storage {
        // SAFETY: plain data for which all zeroes is valid.
        unsafe { mem::zeroed() }
    }

    #[cfg(feature = "compio")]
    pub(crate) fn sock_addr(&self) -> socket2::SockAddr {
        let mut storage = socket2::SockAddrStorage::zeroed();
        // SAFETY: it is a sockaddr_storage by another name, and holds an address of that length.
        unsafe {
            *storage.view_as::<libc::sockaddr_storage>() = self.storage;
            socket2::SockAddr::new(storage, self.len as _)
        }
    }

    pub(crate) fn as_ptr(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }

    pub(crate) fn len(&self) -> libc::socklen_t {
        self.len
    }
}

/// Makes the socket for `to`, bound to `from`, not connected yet.
///
/// # Errors
/// What the system says, or `InvalidInput` for an address that cannot be used.
pub(crate) fn open(to: &Endpoint, from: Option<IpAddr>, mode: Mode) -> io::Result<(OwnedFd, Kind)> {
    let (family, style, kind) = match to {
        Endpoint::Tcp(addr) => (family(addr), libc::SOCK_STREAM, Kind::Tcp),
        Endpoint::Udp(addr) => (family(addr), libc::SOCK_DGRAM, Kind::Udp),
        Endpoint::Unix(_) => (libc::AF_UNIX, libc::SOCK_STREAM, Kind::Unix),
        _ => return Err(unsupported()),
    };
    let socket = create(family, style, mode)?;
    if kind == Kind::Tcp {
        set_option(&socket, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    }
    if let (Some(from), Endpoint::Tcp(to) | Endpoint::Udp(to)) = (from, to) {
        bind(&socket, from, *to)?;
    }
    Ok((socket, kind))
}

fn family(addr: &SocketAddr) -> libc::c_int {
    if addr.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn create(family: libc::c_int, style: libc::c_int, mode: Mode) -> io::Result<OwnedFd> {
    let waiting = if mode == Mode::Immediate {
        libc::SOCK_NONBLOCK
    } else {
        0
    };
    // SAFETY: takes no pointers.
    let fd = checked(unsafe { libc::socket(family, style | libc::SOCK_CLOEXEC | waiting, 0) })?;
    // SAFETY: a fresh descriptor that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn create(family: libc::c_int, style: libc::c_int, mode: Mode) -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let fd = checked(unsafe { libc::socket(family, style, 0) })?;
    // SAFETY: a fresh descriptor that nobody else knows.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: takes no pointers; the descriptor is open.
    checked(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    if mode == Mode::Immediate {
        // SAFETY: as above. A new socket has no other status flags to preserve.
        checked(unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) })?;
    }
    #[cfg(target_vendor = "apple")]
    set_option(&socket, libc::SOL_SOCKET, libc::SO_NOSIGPIPE, 1)?;
    Ok(socket)
}

fn bind(socket: &OwnedFd, from: IpAddr, to: SocketAddr) -> io::Result<()> {
    if from.is_ipv4() != to.is_ipv4() {
        return Err(invalid(
            "the local address is of another family than the remote one",
        ));
    }
    // The port is chosen at connect, when the remote address is known, so that two
    // connections to different places can share one. Only an optimization.
    #[cfg(target_os = "linux")]
    let _ = set_option(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1);
    let local = Address::inet(SocketAddr::new(from, 0));
    // SAFETY: pointer and length describe a live address.
    checked(unsafe { libc::bind(socket.as_raw_fd(), local.as_ptr(), local.len()) })?;
    Ok(())
}

/// Sets the low-water mark of receiving: below it, a poll does not call the socket readable.
#[cfg(target_os = "linux")]
pub(crate) fn set_low_water(socket: &OwnedFd, bytes: usize) -> io::Result<()> {
    let bytes = bytes.min(MAX_CALL) as libc::c_int;
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVLOWAT, bytes)
}

/// Elsewhere poll(2) need not look at the mark, so it stays where it is.
#[cfg(not(target_os = "linux"))]
pub(crate) fn set_low_water(_: &OwnedFd, _: usize) -> io::Result<()> {
    Err(unsupported())
}

fn set_option(
    socket: &OwnedFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: pointer and length describe a live integer.
    checked(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            len,
        )
    })?;
    Ok(())
}

/// How a connect that was started on a non-blocking socket has ended.
#[cfg(any(feature = "blocking", feature = "tokio", feature = "aio"))]
pub(crate) fn connect_outcome(fd: RawFd) -> io::Result<()> {
    let mut code: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: pointer and length describe a live integer.
    checked(unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ERROR,
            (&raw mut code).cast(),
            &raw mut len,
        )
    })?;
    if code == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(code))
    }
}

/// Ends the sending direction.
pub(crate) fn shut_down(socket: &Handle) -> io::Result<usize> {
    // SAFETY: takes no pointers.
    checked(unsafe { libc::shutdown(raw(socket), libc::SHUT_WR) })?;
    Ok(0)
}

/// Ends both directions, also for those who wait on another descriptor of the socket.
#[cfg(all(target_os = "linux", feature = "uring"))]
pub(crate) fn shut_down_both(fd: RawFd) -> io::Result<()> {
    // SAFETY: takes no pointers.
    checked(unsafe { libc::shutdown(fd, libc::SHUT_RDWR) })?;
    Ok(())
}

/// Receives what is there into the spare room of `buf`, without waiting and without growing it.
pub(crate) fn receive(fd: RawFd, buf: &mut Buf) -> io::Result<usize> {
    let room = buf.spare_mut();
    let len = room.len().min(MAX_CALL);
    // SAFETY: pointer and length describe room that we hold mutably.
    let n = unsafe { libc::recv(fd, room.as_mut_ptr().cast(), len, libc::MSG_DONTWAIT) };
    usize::try_from(n).map_err(|_| io::Error::last_os_error())
}

/// Fills `pieces` with the pieces of a vectored send and returns how many there are.
///
/// # Errors
/// There are more than [`MAX_SEND_BUFS`].
pub(crate) fn gather(bufs: &[Buf], pieces: &mut [libc::iovec; MAX_SEND_BUFS]) -> io::Result<usize> {
    if bufs.len() > MAX_SEND_BUFS {
        return Err(invalid("a send has more than MAX_SEND_BUFS pieces"));
    }
    let mut left = MAX_CALL;
    for (piece, buf) in pieces.iter_mut().zip(bufs) {
        let len = buf.len().min(left);
        left -= len;
        // The kernel only reads through this pointer.
        *piece = libc::iovec {
            iov_base: buf.as_ptr().cast_mut().cast(),
            iov_len: len,
        };
    }
    Ok(bufs.len())
}

/// The length of a single-buffer call.
#[cfg(all(target_os = "linux", feature = "uring"))]
pub(crate) fn call_len(len: usize) -> u32 {
    len.min(MAX_CALL) as u32
}

/// A call's result, or why it failed.
pub(crate) fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The engine asked for something that cannot work.
pub(crate) fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// The vocabulary knows more than this driver.
pub(crate) fn unsupported() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "this driver does not know such an operation",
    )
}

/// A time to wait in poll(2)'s form: whole milliseconds, rounded up so that a wait
/// does not end before its time; -1 for no end.
#[cfg(any(feature = "uring", feature = "blocking", feature = "aio"))]
pub(crate) fn poll_timeout(left: Option<core::time::Duration>) -> libc::c_int {
    match left {
        None => -1,
        Some(left) => left.as_nanos().div_ceil(1_000_000).min(MAX_CALL as u128) as libc::c_int,
    }
}
