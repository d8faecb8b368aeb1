//! The application's sockets as the engine sees them, and what is in flight on each.

use crate::slab::Slab;
use crate::{ConnId, Op, OpId, OpKind};

#[derive(Debug, Default)]
pub(super) struct Sockets {
    sockets: Slab<Socket>,
    ops: Slab<InFlight>,
    closing: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Resolve,
    Connect,
    Recv,
    Send,
    Shutdown,
    Close,
}

#[derive(Debug)]
pub(super) struct Socket {
    /// The connection it works for; none once it is being closed.
    owner: Option<u64>,
    ops: Vec<OpId>,
    /// A `Connect` was submitted, so there is something to close.
    made: bool,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    socket: ConnId,
    kind: Kind,
    cancelled: bool,
}

/// What a returned operation means for its socket.
pub(super) enum Returned {
    /// Nobody asked for it (any more).
    Unknown,
    /// It belongs to this connection.
    For {
        owner: u64,
        socket: ConnId,
        kind: Kind,
    },
    /// Its socket is being closed and this was the last one: close it now.
    CloseNow(ConnId),
    /// Its socket is being closed, or is closed now.
    Nothing,
}

impl Sockets {
    pub(super) fn open(&mut self, owner: u64) -> ConnId {
        ConnId(self.sockets.insert(Socket {
            owner: Some(owner),
            ops: Vec::new(),
            made: false,
        }))
    }

    /// Makes an operation on a socket.
    pub(super) fn start(&mut self, socket: ConnId, kind: OpKind) -> Op {
        let tag = match &kind {
            OpKind::Resolve { .. } => Kind::Resolve,
            OpKind::Connect { .. } => Kind::Connect,
            OpKind::Recv { .. } => Kind::Recv,
            OpKind::Send { .. } => Kind::Send,
            OpKind::Shutdown => Kind::Shutdown,
            OpKind::Close => Kind::Close,
        };
        let id = OpId(self.ops.insert(InFlight {
            socket,
            kind: tag,
            cancelled: false,
        }));
        if let Some(state) = self.sockets.get_mut(socket.0) {
            state.made |= tag == Kind::Connect;
            state.ops.push(id);
        }
        Op {
            id,
            conn: socket,
            kind,
        }
    }

    /// Whether an operation is in flight and nobody has asked for its end before.
    pub(super) fn cancel(&mut self, id: OpId) -> bool {
        self.ops
            .get_mut(id.0)
            .is_some_and(|op| !core::mem::replace(&mut op.cancelled, true))
    }

    pub(super) fn in_flight(&self) -> usize {
        self.ops.len()
    }

    /// The socket's operation of that kind, if one is in flight.
    pub(super) fn pending(&self, socket: ConnId, kind: Kind) -> Option<OpId> {
        let ops = &self.sockets.get(socket.0)?.ops;
        ops.iter()
            .copied()
            .find(|id| self.ops.get(id.0).is_some_and(|op| op.kind == kind))
    }

    /// An operation has come back.
    pub(super) fn returned(&mut self, id: OpId) -> Returned {
        let Some(InFlight { socket, kind, .. }) = self.ops.remove(id.0) else {
            return Returned::Unknown;
        };
        let Some(state) = self.sockets.get_mut(socket.0) else {
            return Returned::Nothing;
        };
        state.ops.retain(|have| *have != id);
        if kind == Kind::Close {
            self.forget(socket);
            return Returned::Nothing;
        }
        match state.owner {
            Some(owner) => Returned::For {
                owner,
                socket,
                kind,
            },
            None => self.close_if_quiet(socket),
        }
    }

    /// The socket has no owner from now on: what is in flight is to be cancelled
    /// (returned as `Err`), and when all of it is back the socket is closed.
    pub(super) fn abandon(&mut self, socket: ConnId) -> (Vec<OpId>, Returned) {
        let Some(state) = self.sockets.get_mut(socket.0) else {
            return (Vec::new(), Returned::Nothing);
        };
        if state.owner.take().is_some() {
            self.closing += 1;
        }
        let in_flight = state.ops.clone();
        (in_flight, self.close_if_quiet(socket))
    }

    /// Terminate, join, close: the last step, once everything is back.
    fn close_if_quiet(&mut self, socket: ConnId) -> Returned {
        match self.sockets.get(socket.0) {
            Some(state) if !state.ops.is_empty() => Returned::Nothing,
            Some(state) if state.made => Returned::CloseNow(socket),
            _ => {
                self.forget(socket);
                Returned::Nothing
            }
        }
    }

    fn forget(&mut self, socket: ConnId) {
        if self
            .sockets
            .remove(socket.0)
            .is_some_and(|socket| socket.owner.is_none())
        {
            self.closing -= 1;
        }
    }

    /// Sockets without an owner that are not closed yet.
    pub(super) fn closing(&self) -> usize {
        self.closing
    }
}
