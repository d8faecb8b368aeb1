//! The engine's promises about operations, checked on every one of them.

use std::collections::{BTreeMap, BTreeSet};

use sockless_core::{Buf, ConnId, MAX_SEND_BUFS, Op, OpId, OpKind};

/// What is in flight, and on which sockets.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    flying: BTreeMap<OpId, (ConnId, &'static str)>,
    /// By socket, so that checks stay cheap with many.
    by_socket: BTreeMap<ConnId, Vec<&'static str>>,
    cancelled: BTreeSet<OpId>,
    connected: BTreeSet<ConnId>,
    closing: BTreeSet<ConnId>,
}

/// What an operation is called.
pub(crate) fn name(kind: &OpKind) -> &'static str {
    match kind {
        OpKind::Resolve { .. } => "resolve",
        OpKind::Connect { .. } => "connect",
        OpKind::Recv { .. } => "recv",
        OpKind::Send { .. } => "send",
        OpKind::Shutdown => "shutdown",
        OpKind::Close => "close",
        _ => "other",
    }
}

impl Watch {
    /// # Errors
    /// The promise that this operation breaks.
    pub(crate) fn submitted(&mut self, op: &Op) -> Result<(), String> {
        let kind = name(&op.kind);
        let beside = self.by_socket.entry(op.conn).or_default();
        let broken = match &op.kind {
            _ if self.closing.contains(&op.conn) => Some("on a socket that is being closed"),
            _ if beside.contains(&kind) => Some("while another one of its kind is in flight"),
            OpKind::Connect { .. } if !self.connected.insert(op.conn) => Some("a second time"),
            OpKind::Close if !beside.is_empty() => Some("before all else has come back"),
            OpKind::Close if !self.connected.contains(&op.conn) => Some("of what is not open"),
            OpKind::Recv { buf, min } => {
                let room = buf.as_ref().map_or(usize::MAX, Buf::spare);
                let fits = room > 0 && (1..=room).contains(min);
                (!fits).then_some("with a hint that does not fit its buffer")
            }
            OpKind::Send { bufs }
                if bufs.is_empty()
                    || bufs.len() > MAX_SEND_BUFS
                    || bufs.iter().any(|buf| buf.is_empty()) =>
            {
                Some("with nothing, or too many pieces")
            }
            _ => None,
        };
        if let Some(broken) = broken {
            return Err(format!("{kind} {broken}: {op:?}"));
        }
        if matches!(op.kind, OpKind::Close) {
            self.closing.insert(op.conn);
        }
        beside.push(kind);
        if self.flying.insert(op.id, (op.conn, kind)).is_some() {
            return Err(format!("{:?} names two operations", op.id));
        }
        Ok(())
    }

    /// # Errors
    /// It was cancelled before.
    pub(crate) fn cancelled(&mut self, id: OpId) -> Result<(), String> {
        if self.flying.contains_key(&id) && !self.cancelled.insert(id) {
            return Err(format!("{id:?} was cancelled twice"));
        }
        Ok(())
    }

    pub(crate) fn returned(&mut self, op: &Op) {
        self.cancelled.remove(&op.id);
        let Some((conn, kind)) = self.flying.remove(&op.id) else {
            return;
        };
        if let Some(beside) = self.by_socket.get_mut(&conn) {
            beside.retain(|other| *other != kind);
            if beside.is_empty() {
                self.by_socket.remove(&conn);
            }
        }
        if matches!(op.kind, OpKind::Close) {
            self.closing.remove(&conn);
            self.connected.remove(&conn);
        }
    }

    /// # Errors
    /// Something is left behind.
    pub(crate) fn ended(&self) -> Result<(), String> {
        if !self.flying.is_empty() {
            return Err(format!("still in flight: {:?}", self.flying));
        }
        if !self.connected.is_empty() {
            return Err(format!("never closed: {:?}", self.connected));
        }
        Ok(())
    }
}
