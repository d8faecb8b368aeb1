//! How transfers end, and what becomes of their connections.

use super::Engine;
use super::conn::{Conn, State};
use super::sockets::Kind;
use crate::event::Event;
use crate::stack::Pumped;
use crate::timers::Sleeper;
use crate::{Error, Phase, Reason};

/// Fresh connections tried after kept ones turned out to be dead.
const MAX_RETRIES: u8 = 2;

/// New connections in the place of those that a layer wants again ([`Reason::Reopen`]).
const MAX_REOPENS: u8 = 3;

impl Engine {
    /// The exchange on top of this connection is complete.
    pub(super) fn finished(&mut self, key: u64, reusable: bool) {
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        let transfer = conn.transfer.take();
        conn.served += 1;
        let forbidden = transfer
            .and_then(|id| self.transfers.get(id))
            .is_some_and(|transfer| transfer.options.forbid_reuse);
        let wanted = reusable && !forbidden && conn.send_error.is_none();
        let keep = wanted && self.limits.idle_connections > 0 && self.is_clean(key);
        if let Some(id) = transfer {
            self.end(id, Ok(()));
        }
        if keep {
            self.keep(key);
        } else {
            self.close_gracefully(key);
        }
    }

    /// An exchange that has heard and written everything is complete once that is sent.
    pub(super) fn finish_sent(&mut self, key: u64) {
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        let transfer = conn.transfer.and_then(|id| self.transfers.get(id));
        if !transfer.is_some_and(|transfer| transfer.exchange.is_said()) {
            return;
        }
        if let Some(error) = conn.send_error.take() {
            self.failed(key, error);
        } else if conn.shutdown {
            self.finished(key, false);
        }
    }

    /// Whether the peer has said nothing beyond the answer, also not in what the layers
    /// had not opened yet: such bytes would answer the next request.
    fn is_clean(&mut self, key: u64) -> bool {
        let quiet = matches!(self.pump(key), Pumped::Blocked);
        self.conns.get_mut(key).is_some_and(|conn| {
            let ended = conn.stack.net_in().is_finished() || conn.stack.is_cut();
            let (from_peer, _) = conn.stack.top();
            quiet && !ended && from_peer.is_empty() && !from_peer.is_finished()
        })
    }

    /// Gives a clean connection to the next transfer, or keeps it.
    fn keep(&mut self, key: u64) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        conn.stack.shrink();
        conn.awaiting_since = None;
        conn.recv_size = super::conn::SMALL_RECV;
        conn.state = State::Idle {
            until: now.checked_add(self.limits.idle_keep),
        };
        let host = conn.host;
        if let Some(next) = self.hosts.put_idle(host, key) {
            self.attach(next, key, true);
            return;
        }
        if self.hosts.idle() > self.limits.idle_connections
            && let Some(oldest) = self.hosts.oldest_idle()
        {
            self.close_gracefully(oldest);
        }
        self.release_recv_buf(key);
        self.flush(key);
        self.receive(key);
        self.conn_deadlines(key);
    }

    /// What an idle connection received is its end, its layers' own business (session
    /// tickets), or bytes that nobody asked for: those must never answer a later request.
    pub(super) fn check_idle(&mut self, key: u64) {
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        let over = conn.stack.net_in().is_finished() || conn.stack.is_cut();
        let (from_peer, _) = conn.stack.top();
        let spoken = !from_peer.is_empty() || from_peer.is_finished();
        if over {
            self.drop_conn(key);
        } else if spoken {
            self.close_gracefully(key);
        }
    }

    /// A layer of this connection, or its transport, has failed.
    pub(super) fn failed(&mut self, key: u64, error: Error) {
        let error = match self.send_error(key) {
            // An end without an answer after a failed send: the send is the cause.
            Some(sending) if is_end(&error) => sending,
            _ => error,
        };
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        let peer = conn.route.key.target.to_string();
        let transfer = conn.transfer.take();
        let answered = conn.stack.heard() != conn.heard_before;
        let stale = conn.served > 0 && !answered && is_end(&error);
        let again = error.reason() == Reason::Reopen && conn.stack.handshaking().is_some();
        let transport = error.culprit() == crate::Culprit::Transport;
        if transport || matches!(conn.state, State::Dialing(_)) {
            self.drop_conn(key);
        } else {
            self.close_gracefully(key);
        }
        let Some(id) = transfer else { return };
        if (stale && self.retry(id)) || (again && self.reopen(id)) {
            return;
        }
        self.end(id, Err(error.with_peer(peer)));
    }

    /// A kept connection was dead already (RFC 9112 section 9.3.1): the request
    /// starts over on a new one, if nothing of it is lost.
    fn retry(&mut self, id: u64) -> bool {
        let Some(transfer) = self.transfers.get_mut(id) else {
            return false;
        };
        if transfer.retries == MAX_RETRIES || !transfer.starts_over() {
            return false;
        }
        transfer.retries += 1;
        self.wait_for_connection(id);
        true
    }

    /// A layer's peer wants the handshake again, on another connection (a proxy that closes
    /// after its challenge): whoever is behind the recipe knows better now.
    fn reopen(&mut self, id: u64) -> bool {
        let Some(transfer) = self.transfers.get_mut(id) else {
            return false;
        };
        if transfer.reopens == MAX_REOPENS || !transfer.starts_over() {
            return false;
        }
        transfer.reopens += 1;
        self.wait_for_connection(id);
        true
    }

    /// Ends a transfer that may be anywhere; its connection does not survive.
    pub(super) fn abort(&mut self, id: u64, error: Error) {
        let Some(transfer) = self.transfers.get_mut(id) else {
            return;
        };
        let peer = transfer.route.key.target.to_string();
        match transfer.conn {
            Some(key) => {
                if let Some(conn) = self.conns.get_mut(key) {
                    conn.transfer = None;
                }
                self.drop_conn(key);
            }
            None => self.hosts.stop_waiting(transfer.host, transfer.rank, id),
        }
        self.end(id, Err(error.with_peer(peer)));
    }

    /// The last event.
    pub(super) fn end(&mut self, id: u64, outcome: Result<(), Error>) {
        let Some(transfer) = self.transfers.get_mut(id) else {
            return;
        };
        self.timers
            .clear(&mut transfer.alarm, Sleeper::Transfer(id));
        transfer.conn = None;
        transfer.ended = true;
        let mut summary = Box::new(core::mem::take(&mut transfer.summary));
        summary.total = self.now - transfer.added;
        summary.body_received = transfer.events.received();
        summary.body_sent = transfer.body_given - transfer.body.pipe.len() as u64;
        transfer.events.emit(Event::Done { outcome, summary });
        let host = transfer.host;
        self.hosts.leave(host);
        self.announce(id);
    }

    /// Says goodbye on a connection that has no transfer, then closes it.
    pub(super) fn close_gracefully(&mut self, key: u64) {
        self.remove_idle(key);
        let now = self.now;
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        let Some(socket) = conn.socket else {
            return self.drop_conn(key);
        };
        let unsaid =
            !conn.stack.net_out().is_empty() || self.sockets.pending(socket, Kind::Send).is_some();
        if conn.stack.phase() == Phase::Handshake && !unsaid {
            return self.drop_conn(key);
        }
        conn.stack.top().1.finish();
        conn.start_closing(now);
        self.make_ready(key);
    }

    /// Closes a closing connection as soon as its last words are out.
    pub(super) fn finish_closing(&mut self, key: u64) {
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        let Some(socket) = conn.socket else {
            return self.drop_conn(key);
        };
        let busy = [Kind::Send, Kind::Shutdown]
            .iter()
            .any(|kind| self.sockets.pending(socket, *kind).is_some());
        if !busy && conn.stack.net_out().is_empty() && !conn.queued {
            self.drop_conn(key);
        }
    }

    fn remove_idle(&mut self, key: u64) {
        if let Some(Conn { host, .. }) = self.conns.get(key) {
            self.hosts.remove_idle(*host, key);
        }
    }

    /// Forgets a connection at once; its sockets are closed when all is back.
    pub(super) fn drop_conn(&mut self, key: u64) {
        self.remove_idle(key);
        self.stop_dialing(key);
        let Some(mut conn) = self.conns.remove(key) else {
            return;
        };
        self.timers.clear(&mut conn.alarm, Sleeper::Conn(key));
        if let Some(socket) = conn.socket {
            self.abandon(socket);
        }
        self.hosts.closed(conn.host);
    }
}

/// Whether an error says only that the connection is over.
fn is_end(error: &Error) -> bool {
    matches!(
        error.reason(),
        Reason::Receive | Reason::Send | Reason::EmptyReply | Reason::Truncated
    )
}
