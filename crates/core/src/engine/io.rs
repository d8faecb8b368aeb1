//! Between stack and socket: what is received and sent, and what comes back.

use std::io;

use super::Engine;
use super::conn::{SMALL_RECV, State};
use super::sockets::{Kind, Returned};
use crate::stack::MAX_UNIT;
use crate::{
    Buf, Completion, ConnId, Culprit, Error, Fault, MAX_SEND_BUFS, Op, OpKind, Phase, Pool, Reason,
    is_cancelled,
};

/// Bytes that one send carries at most.
const MAX_SEND: usize = 512 * 1024;

/// What helps when a connection breaks.
pub(super) const BROKEN: &str =
    "try again; if it stays so, the peer or something on the way refuses it";

impl Engine {
    /// Looks at an operation that has come back.
    pub(super) fn completed(&mut self, completion: Completion) {
        let Completion {
            op: Op { id, conn: _, kind },
            result,
        } = completion;
        match self.sockets.returned(id) {
            Returned::For {
                owner,
                socket,
                kind: tag,
            } => match tag {
                Kind::Resolve => self.resolved(owner, kind, result),
                Kind::Connect => self.connected(owner, socket, result),
                Kind::Recv => self.received(owner, kind, result),
                Kind::Send => self.sent(owner, kind, result),
                Kind::Shutdown => self.make_ready(owner),
                Kind::Close => {}
            },
            Returned::CloseNow(socket) => self.submit(socket, OpKind::Close),
            Returned::Nothing | Returned::Unknown => {}
        }
    }

    /// Lets go of a socket: cancel, join, close.
    pub(super) fn abandon(&mut self, socket: ConnId) {
        let (in_flight, state) = self.sockets.abandon(socket);
        self.out
            .extend(in_flight.into_iter().map(super::Out::Cancel));
        if let Returned::CloseNow(socket) = state {
            self.submit(socket, OpKind::Close);
        }
    }

    /// Sends what the stack has for the socket, one send at a time.
    pub(super) fn flush(&mut self, key: u64) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        let Some(socket) = conn.socket else { return };
        if self.sockets.pending(socket, Kind::Send).is_some() {
            return;
        }
        if conn.send_error.is_some() {
            conn.stack.net_out().clear();
            return;
        }
        let out = conn.stack.net_out();
        if out.is_empty() {
            if out.at_end() && !core::mem::replace(&mut conn.shutdown, true) {
                self.submit(socket, OpKind::Shutdown);
            }
            return;
        }
        let mut bufs = core::mem::take(&mut conn.spare_bufs);
        let mut left = MAX_SEND;
        while bufs.len() < MAX_SEND_BUFS && left > 0 {
            let Some(piece) = out.pop_max(left) else {
                break;
            };
            left -= piece.len();
            bufs.push(piece);
        }
        if let Some(transfer) = conn.transfer.and_then(|id| self.transfers.get_mut(id))
            && conn.handshake_since.is_none()
        {
            transfer.summary.started.get_or_insert(now - transfer.added);
        }
        self.submit(socket, OpKind::Send { bufs });
    }

    fn sent(&mut self, key: u64, kind: OpKind, result: io::Result<usize>) {
        let now = self.now;
        let (OpKind::Send { mut bufs }, Some(conn)) = (kind, self.conns.get_mut(key)) else {
            return;
        };
        let given: usize = bufs.iter().map(|buf| buf.len()).sum();
        match result {
            Ok(n) if n > 0 && n <= given => {
                self.stats.sent += n as u64;
                conn.speed_window.1 += n as u64;
                conn.moved_at(now);
                unsent(&mut bufs, n);
                while let Some(piece) = bufs.pop() {
                    conn.stack.net_out().unread(piece);
                }
            }
            Ok(n) => {
                let what = format!("a send of {given} bytes completed with {n}");
                conn.stack
                    .cut(Fault::new(Culprit::Misuse, Reason::Misuse, what).at("driver"));
            }
            Err(error) => {
                // The answer may be on its way all the same (an early refusal), so
                // only sending is over; the failure counts when nothing comes.
                let error = Fault::io(Reason::Send, "sending failed", error).remedy(BROKEN);
                let error = error.at("socket");
                if conn.stack.phase() == Phase::Handshake {
                    conn.stack.cut(error);
                } else {
                    conn.moved_at(now);
                    conn.send_error.get_or_insert(error);
                }
            }
        }
        bufs.clear();
        conn.spare_bufs = bufs;
        if self.only_awaits(key, given) {
            self.milestones(key);
            self.conn_deadlines(key);
        } else {
            self.make_ready(key);
        }
    }

    /// Whether nothing is left to do after a send of that many bytes but to wait for the answer: a turn would
    /// find no layer that has anything to say, and the receive is on its way.
    fn only_awaits(&self, key: u64, sent: usize) -> bool {
        let Some(conn) = self.conns.get(key) else {
            return false;
        };
        let transfer = conn.transfer.and_then(|id| self.transfers.get(id));
        let receiving = |socket| self.sockets.pending(socket, Kind::Recv).is_some();
        conn.send_error.is_none()
            && !conn.stack.is_cut()
            && conn.stack.has_said_all(sent)
            && conn.socket.is_some_and(receiving)
            && transfer.is_some_and(|transfer| transfer.exchange.awaits_answer())
    }

    /// Receives if the stack can use more.
    pub(super) fn receive(&mut self, key: u64) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        let Some(socket) = conn.socket else { return };
        if self.sockets.pending(socket, Kind::Recv).is_some()
            || conn.stack.net_in().is_finished()
            || conn.stack.is_cut()
            || matches!(conn.state, State::Closing { .. })
        {
            return;
        }
        let transfer = conn.transfer.and_then(|id| self.transfers.get(id));
        let Some(transfer) = transfer else {
            // Idle: no buffer, only the news that the peer closed.
            conn.recv_holds_buf = false;
            self.submit(socket, OpKind::Recv { buf: None, min: 1 });
            return;
        };
        if !conn.stack.is_starved(Some(&transfer.events)) {
            return;
        }
        let expects = transfer.exchange.expects();
        let impatient = core::mem::take(&mut conn.impatient);
        let most = if impatient { 1 } else { self.limits.max_min };
        let min = conn.stack.min(expects, most);
        let wanted = wanted(conn.recv_size, expects, self.limits.bulk_recv);
        let held = conn.stack.net_in().len();
        if held > MAX_UNIT {
            let what = format!("{held} bytes and no complete message in them");
            let fault = Fault::misbehaved(Reason::Malformed, what);
            conn.stack.cut(fault.at("stack"));
            self.make_ready(key);
            return;
        }
        let room = wanted.max(min);
        let pool = &self.pool;
        let partial = take_partial(conn.stack.net_in(), pool, &mut self.stats.copied);
        let mut buf = with_room(partial, room, pool, &mut self.stats.copied);
        if let Some(unit) = conn.stack.unit() {
            end_with_unit(&mut buf, unit, self.limits.bulk_recv);
        }
        let min = min.min(buf.spare());
        conn.patience = if min > 1 {
            Some(now + super::timeouts::PATIENCE)
        } else {
            None
        };
        conn.recv_holds_buf = true;
        self.submit(
            socket,
            OpKind::Recv {
                buf: Some(buf),
                min,
            },
        );
    }

    fn received(&mut self, key: u64, kind: OpKind, result: io::Result<usize>) {
        let now = self.now;
        let (OpKind::Recv { buf, .. }, Some(conn)) = (kind, self.conns.get_mut(key)) else {
            return;
        };
        let ended_by_us = core::mem::take(&mut conn.recv_cancelled);
        conn.patience = None;
        let mut buf = buf.unwrap_or_else(|| Buf::with_capacity(0));
        match result {
            Ok(n) if n <= buf.spare() => {
                conn.recv_size = next_size(conn.recv_size, n, buf.spare(), self.limits.bulk_recv);
                buf.grow(n);
                // Behind what is there: a filter that left meanwhile may have put opened
                // bytes in, and a receive without a buffer took no partial unit along.
                conn.stack.net_in().push(buf);
                if n == 0 {
                    conn.stack.net_in().finish();
                } else {
                    self.stats.received += n as u64;
                    conn.speed_window.1 += n as u64;
                    conn.moved_at(now);
                    if let Some(t) = conn.transfer.and_then(|id| self.transfers.get_mut(id))
                        && t.summary.started.is_some()
                        && conn.handshake_since.is_none()
                    {
                        t.summary.first_byte.get_or_insert(now - t.added);
                    }
                }
            }
            Ok(n) => {
                let what = format!("a receive into {} bytes completed with {n}", buf.spare());
                conn.stack
                    .cut(Fault::new(Culprit::Misuse, Reason::Misuse, what).at("driver"));
            }
            Err(error) => {
                conn.stack.net_in().push(buf);
                // We ended it ourselves, to look at what has trickled in so far: the
                // next one goes without a hint. Only that very error is forgiven: a reset that
                // was faster than the cancel is a reset.
                conn.impatient = ended_by_us && is_cancelled(&error);
                if !conn.impatient {
                    let fault = Fault::io(Reason::Receive, "receiving failed", error);
                    conn.stack.cut(fault.remedy(BROKEN).at("socket"));
                }
            }
        }
        if matches!(conn.state, State::Idle { .. }) {
            // At once: nobody may be given this connection before it is known to be clean.
            self.turn(key);
        } else {
            self.make_ready(key);
        }
    }

    /// An idle connection holds no buffer, only a receive that brings the news of its end.
    pub(super) fn release_recv_buf(&mut self, key: u64) {
        if self.conns.get(key).is_some_and(|conn| conn.recv_holds_buf) {
            self.end_recv(key);
        }
    }

    /// Asks for an early end of the receive in flight: take what is there.
    pub(super) fn end_recv(&mut self, key: u64) {
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        conn.patience = None;
        if let Some(op) = conn
            .socket
            .and_then(|socket| self.sockets.pending(socket, Kind::Recv))
        {
            conn.recv_cancelled = true;
            self.out.push_back(super::Out::Cancel(op));
        }
    }

    /// Takes a sending failure as the transfer's, once nothing more can arrive.
    pub(super) fn send_error(&mut self, key: u64) -> Option<Error> {
        self.conns.get_mut(key)?.send_error.take()
    }
}

/// Drops the first `n` bytes of `bufs`.
fn unsent(bufs: &mut Vec<Buf>, mut n: usize) {
    let whole = bufs.iter().take_while(|buf| {
        let gone = buf.len() <= n;
        n -= if gone { buf.len() } else { 0 };
        gone
    });
    let whole = whole.count();
    bufs.drain(..whole);
    if let Some(first) = bufs.first_mut() {
        first.advance(n);
    }
}

/// How large a receive buffer is worth it: what is known to come, or what came lately.
fn wanted(lately: usize, expects: u64, bulk: usize) -> usize {
    let known = usize::try_from(expects).unwrap_or(usize::MAX);
    known.min(bulk).max(lately.min(bulk)).max(SMALL_RECV)
}

/// Full buffers make the next one larger, nearly empty ones smaller.
fn next_size(size: usize, got: usize, room: usize, bulk: usize) -> usize {
    if got == room && got > 0 {
        (size * 4).min(bulk).max(SMALL_RECV)
    } else if got < size / 8 {
        (size / 2).max(SMALL_RECV)
    } else {
        size
    }
}

/// Ends a buffer, which begins with a unit, where a unit ends.
fn end_with_unit(buf: &mut Buf, unit: usize, bulk: usize) {
    let whole = buf.capacity().min(bulk) / unit.max(1) * unit;
    if whole > buf.len() {
        buf.limit_spare(whole - buf.len());
    }
}

/// The incomplete unit that waits below the layers, as one piece: receiving goes on behind it.
fn take_partial(net_in: &mut crate::Pipe, pool: &Pool, copied: &mut u64) -> Option<Buf> {
    let held = net_in.len();
    if held == 0 {
        return None;
    }
    *copied += net_in.join(held, |n| pool.take(n)) as u64;
    net_in.pop()
}

/// Room for `room` more bytes behind what is there, in place if half of it is at hand.
fn with_room(partial: Option<Buf>, room: usize, pool: &Pool, copied: &mut u64) -> Buf {
    match partial {
        Some(buf) if buf.spare() >= room / 2 => buf,
        Some(buf) => {
            // What is recycled has to do, where that at least doubles what is there.
            let most = Pool::LARGEST.max(buf.len() * 2);
            let mut larger = pool.take((buf.len() + room).min(most));
            larger.extend_from_slice(&buf);
            *copied += buf.len() as u64;
            larger
        }
        None => pool.take(room),
    }
}
