//! A driver's table of sockets.

use core::net::IpAddr;
use std::io;

use sockless_core::{ConnId, Endpoint};

use crate::socket::{self, Address, Handle, Kind, Mode, RawHandle};

/// Slots are small, reused numbers: one beyond this is no connection of an engine's.
const MAX_SLOT: usize = 1 << 24;

/// Sockets by [`ConnId::slot`], from `Connect` to `Close`.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    slots: Vec<Slot>,
}

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Free,
    /// Its connect failed: the socket is gone, `Close` is still to come.
    Failed(ConnId),
    Open(Socket),
}

/// An open socket.
#[derive(Debug)]
pub(crate) struct Socket {
    conn: ConnId,
    fd: Handle,
    kind: Kind,
    /// The low-water mark that the kernel has.
    low_water: usize,
}

impl Sockets {
    /// Makes the socket for a `Connect` and returns where to connect it to.
    ///
    /// # Errors
    /// The id is in use, or what [`socket::open`] says.
    pub(crate) fn open(
        &mut self,
        conn: ConnId,
        to: &Endpoint,
        from: Option<IpAddr>,
        mode: Mode,
    ) -> io::Result<Address> {
        self.reserve(conn)?;
        let address = Address::of(to)?;
        let (fd, kind) = socket::open(to, from, mode)?;
        self.slots[conn.slot()] = Slot::Open(Socket {
            conn,
            fd,
            kind,
            low_water: 1,
        });
        Ok(address)
    }

    /// Takes a slot for a connection that has no socket, not yet or because its connect was
    /// cancelled before it began: only `Close` is left for it then.
    ///
    /// # Errors
    /// The id is in use.
    pub(crate) fn reserve(&mut self, conn: ConnId) -> io::Result<()> {
        if conn.slot() >= MAX_SLOT {
            return Err(socket::invalid("a connection's slot is beyond any table"));
        }
        if self.slots.len() <= conn.slot() {
            self.slots.resize_with(conn.slot() + 1, Slot::default);
        }
        let slot = &mut self.slots[conn.slot()];
        if matches!(slot, Slot::Open(_)) {
            return Err(socket::invalid(
                "a connection's slot has an open socket already",
            ));
        }
        *slot = Slot::Failed(conn);
        Ok(())
    }

    /// The open socket of `conn`.
    ///
    /// # Errors
    /// `NotConnected`: there is none.
    pub(crate) fn socket(&mut self, conn: ConnId) -> io::Result<&mut Socket> {
        match self.slots.get_mut(conn.slot()) {
            Some(Slot::Open(socket)) if socket.conn == conn => Ok(socket),
            _ => Err(not_connected()),
        }
    }

    /// The descriptor of `conn`, if it has one.
    pub(crate) fn raw_fd(&self, conn: ConnId) -> Option<RawHandle> {
        match self.slots.get(conn.slot()) {
            Some(Slot::Open(socket)) if socket.conn == conn => Some(socket.raw_fd()),
            _ => None,
        }
    }

    /// Closes a socket whose connect failed; only `Close` is left for its connection.
    pub(crate) fn fail(&mut self, conn: ConnId) {
        if self.raw_fd(conn).is_some() {
            self.slots[conn.slot()] = Slot::Failed(conn);
        }
    }

    /// Closes the socket of `conn` and frees its slot.
    ///
    /// # Errors
    /// `NotConnected`: there is no such connection.
    pub(crate) fn close(&mut self, conn: ConnId) -> io::Result<usize> {
        match self.slots.get_mut(conn.slot()) {
            Some(slot) if slot.holds(conn) => {
                *slot = Slot::Free;
                Ok(0)
            }
            _ => Err(not_connected()),
        }
    }
}

impl Slot {
    fn holds(&self, conn: ConnId) -> bool {
        match self {
            Self::Free => false,
            Self::Failed(id) => *id == conn,
            Self::Open(socket) => socket.conn == conn,
        }
    }
}

impl Socket {
    pub(crate) fn raw_fd(&self) -> RawHandle {
        socket::raw(&self.fd)
    }

    /// Ends the sending direction.
    pub(crate) fn shut_down(&self) -> io::Result<usize> {
        socket::shut_down(&self.fd)
    }

    /// Whether bytes have no borders in it.
    #[cfg(all(unix, any(feature = "tokio", feature = "aio")))]
    pub(crate) fn is_stream(&self) -> bool {
        self.kind != Kind::Udp
    }

    /// Tells the kernel how many bytes make waking up worth it; a system call only on change.
    ///
    /// A hint: where the kernel does not take it, receives come early. Returns whether
    /// the mark is above one byte now.
    pub(crate) fn want(&mut self, min: usize) -> bool {
        let min = if self.kind == Kind::Tcp {
            min.max(1)
        } else {
            1
        };
        if min != self.low_water && socket::set_low_water(&self.fd, min).is_ok() {
            self.low_water = min;
        }
        self.low_water > 1
    }
}

fn not_connected() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "no socket of that connection is open",
    )
}
