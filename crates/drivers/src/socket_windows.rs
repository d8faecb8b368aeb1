//! Sockets and their addresses as Windows wants them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io;
use std::os::windows::io::{AsRawSocket, RawSocket};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use sockless_core::Endpoint;

/// What owns a socket.
pub(crate) type Handle = Socket;
/// What names it to the system.
pub(crate) type RawHandle = RawSocket;

/// What a socket does with a call that would block; overlapped calls do not ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Immediate,
    Waiting,
}

/// Which kind of socket it is, as far as drivers care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    Udp,
}

/// A socket address in the system's form.
pub(crate) struct Address(SockAddr);

impl Address {
    pub(crate) fn of(endpoint: &Endpoint) -> io::Result<Self> {
        match endpoint {
            Endpoint::Tcp(addr) | Endpoint::Udp(addr) => Ok(Self((*addr).into())),
            _ => Err(unsupported()),
        }
    }

    pub(crate) fn sock_addr(&self) -> SockAddr {
        self.0.clone()
    }
}

/// Makes the socket for `to`, bound to `from`, not connected yet.
///
/// # Errors
/// What the system says, or `InvalidInput` for an address that cannot be used.
pub(crate) fn open(to: &Endpoint, from: Option<IpAddr>, _: Mode) -> io::Result<(Handle, Kind)> {
    let (addr, style, protocol, kind) = match to {
        Endpoint::Tcp(addr) => (addr, Type::STREAM, Protocol::TCP, Kind::Tcp),
        Endpoint::Udp(addr) => (addr, Type::DGRAM, Protocol::UDP, Kind::Udp),
        _ => return Err(unsupported()),
    };
    let from = from.unwrap_or(match addr {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    });
    if from.is_ipv4() != addr.is_ipv4() {
        return Err(invalid(
            "the local address is of another family than the remote one",
        ));
    }
    let socket = Socket::new(Domain::for_address(*addr), style, Some(protocol))?;
    if kind == Kind::Tcp {
        socket.set_tcp_nodelay(true)?;
    }
    // An overlapped connect takes bound sockets only.
    socket.bind(&SocketAddr::new(from, 0).into())?;
    Ok((socket, kind))
}

pub(crate) fn raw(socket: &Handle) -> RawHandle {
    socket.as_raw_socket()
}

/// There is no such mark.
pub(crate) fn set_low_water(_: &Handle, _: usize) -> io::Result<()> {
    Err(unsupported())
}

/// Ends the sending direction.
pub(crate) fn shut_down(socket: &Handle) -> io::Result<usize> {
    socket.shutdown(std::net::Shutdown::Write)?;
    Ok(0)
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
