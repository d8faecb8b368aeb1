//! From a route to a connected socket: resolving, and racing addresses (RFC 8305).

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::Engine;
use super::conn::{Conn, State};
use super::hosts::Grant;
use crate::stack::Stack;
use crate::{ConnId, Culprit, Endpoint, Error, Fault, OpKind, Reason, Route, Target};

/// The state of connecting. The race of RFC 8305 section 5: one attempt at a time gets
/// a head start; when it fails the next begins at once; the first to connect wins.
pub(super) struct Dial {
    pub(super) since: Instant,
    /// Addresses of the names that the layers want; none once the layers are built.
    found: Option<Vec<Vec<IpAddr>>>,
    /// Addresses not tried yet, families alternating.
    untried: VecDeque<Endpoint>,
    /// Attempts in flight.
    attempts: Vec<(ConnId, Endpoint)>,
    /// The socket that a `Resolve` runs on.
    resolving: Option<ConnId>,
    /// When the next address gets its chance.
    pub(super) next_at: Option<Instant>,
    failures: Vec<(Endpoint, io::Error)>,
}

impl Engine {
    /// Gives a transfer a connection, or a place in the queue.
    pub(super) fn wait_for_connection(&mut self, id: u64) {
        let Some(transfer) = self.transfers.get_mut(id) else {
            return;
        };
        if transfer.ended {
            return;
        }
        let fresh = transfer.wants_fresh();
        let (host, rank) = (transfer.host, transfer.rank);
        let grant = match transfer.options.beyond_limits {
            true => self.hosts.exempt(host, fresh),
            false => self.hosts.request(host, rank, id, fresh),
        };
        match grant {
            Grant::Reuse(conn) => self.attach(id, conn, true),
            Grant::Connect => self.dial(id),
            Grant::Replace(idle) => {
                // At once: the bound holds for sockets too, and an idle peer misses no words.
                self.drop_conn(idle);
                self.dial(id);
            }
            Grant::Wait => self.waiting_deadlines(id),
        }
    }

    /// There may be a place for a waiting transfer now.
    pub(super) fn ask_again(&mut self, id: u64) {
        let Some(transfer) = self.transfers.get(id) else {
            return;
        };
        self.hosts.stop_waiting(transfer.host, transfer.rank, id);
        self.wait_for_connection(id);
    }

    /// Puts a transfer on a connection that is open.
    pub(super) fn attach(&mut self, id: u64, key: u64, reused: bool) {
        let now = self.now;
        let (Some(transfer), Some(conn)) = (self.transfers.get_mut(id), self.conns.get_mut(key))
        else {
            return;
        };
        self.timers
            .clear(&mut transfer.alarm, crate::timers::Sleeper::Transfer(id));
        transfer.conn = Some(key);
        transfer.exchange.restart(reused);
        conn.transfer = Some(id);
        conn.awaiting_since = None;
        conn.restart_clocks(now);
        conn.heard_before = conn.stack.heard();
        if reused {
            conn.state = State::Open;
            transfer.summary.reused = true;
            transfer.summary.remote = conn.remote.clone();
            let since = now - transfer.added;
            transfer.summary.resolved = Some(since);
            transfer.summary.connected = Some(since);
        }
        self.make_ready(key);
    }

    fn dial(&mut self, id: u64) {
        let Some(transfer) = self.transfers.get_mut(id) else {
            return;
        };
        let (route, host) = (transfer.route.clone(), transfer.host);
        let stack = Stack::new(Vec::new(), self.limits.pipe);
        let dial = Dial {
            since: self.now,
            found: Some(Vec::new()),
            untried: VecDeque::new(),
            attempts: Vec::new(),
            resolving: None,
            next_at: None,
            failures: Vec::new(),
        };
        let key = self
            .conns
            .insert(Conn::new(route, host, stack, dial, self.now));
        self.attach(id, key, false);
        self.look_up(key);
    }

    /// Asks for the next name that the layers want; after the last one builds them, and
    /// goes on to the target.
    fn look_up(&mut self, key: u64) {
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        let route = Arc::clone(&conn.route);
        let State::Dialing(dial) = &mut conn.state else {
            return;
        };
        let mut found = dial.found.take().unwrap_or_default();
        while let Some((host, port)) = route.recipe.names().get(found.len()) {
            let Ok(ip) = host.parse() else {
                dial.found = Some(found);
                return self.resolve(key, host, *port);
            };
            found.push(vec![ip]);
        }
        match route.recipe.filters(&found) {
            Ok(filters) => conn.stack = Stack::new(filters, self.limits.pipe),
            Err(fault) => return self.failed(key, fault.at("engine")),
        }
        match (endpoints(&route, self.limits.addresses), &route.key.target) {
            (None, Target::Host { host, port } | Target::UdpHost { host, port }) => {
                self.resolve(key, host, *port);
            }
            (list, _) => self.found(key, list.unwrap_or_default()),
        }
    }

    fn resolve(&mut self, key: u64, host: &Arc<str>, port: u16) {
        let socket = self.sockets.open(key);
        if let Some(dial) = self.dialing(key) {
            dial.resolving = Some(socket);
        }
        let host = Arc::clone(host);
        self.submit(
            socket,
            OpKind::Resolve {
                host,
                port,
                found: Vec::new(),
            },
        );
        self.conn_deadlines(key);
    }

    fn dialing(&mut self, key: u64) -> Option<&mut Dial> {
        match &mut self.conns.get_mut(key)?.state {
            State::Dialing(dial) => Some(dial),
            _ => None,
        }
    }

    pub(super) fn resolved(&mut self, key: u64, kind: OpKind, result: io::Result<usize>) {
        let OpKind::Resolve { host, port, found } = kind else {
            return;
        };
        let Some(dial) = self.dialing(key) else {
            return;
        };
        let for_layers = dial.found.is_some();
        if let Some(socket) = dial.resolving.take() {
            self.abandon(socket);
        }
        let fault = match result {
            Err(error) => Some(Fault::io(
                Reason::Resolve,
                &format!("cannot resolve {host}"),
                error,
            )),
            Ok(_) if found.is_empty() => Some(Fault::new(
                Culprit::Transport,
                Reason::Resolve,
                format!("{host} has no address"),
            )),
            Ok(_) => None,
        };
        match fault {
            Some(fault) => {
                let fault = fault.remedy("check the host name and the resolver's settings");
                self.failed(key, fault.at("resolve"));
            }
            None if for_layers => {
                if let Some(names) = self.dialing(key).and_then(|dial| dial.found.as_mut()) {
                    names.push(found);
                }
                self.look_up(key);
            }
            None => {
                let list = alternate(found, port, self.limits.addresses);
                let list = match self.conns.get(key).map(|conn| &conn.route.key.target) {
                    // Connecting a datagram socket says nothing: the first address it is.
                    Some(Target::UdpHost { .. }) => list.into_iter().take(1).map(datagrams),
                    _ => return self.found(key, list),
                };
                self.found(key, list.collect());
            }
        }
    }

    fn found(&mut self, key: u64, list: VecDeque<Endpoint>) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        if let State::Dialing(dial) = &mut conn.state {
            dial.untried = list;
        }
        if let Some(transfer) = conn.transfer.and_then(|id| self.transfers.get_mut(id)) {
            transfer.summary.resolved = Some(now - transfer.added);
        }
        self.next_attempt(key);
    }

    /// Starts the next attempt, or fails the connection when there is none left.
    pub(super) fn next_attempt(&mut self, key: u64) {
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        let (transfer, local) = (conn.transfer, conn.route.key.local);
        let State::Dialing(dial) = &mut conn.state else {
            return;
        };
        let Some(to) = dial.untried.pop_front() else {
            dial.next_at = None;
            if dial.attempts.is_empty() {
                let error = no_way(&conn.route, core::mem::take(&mut dial.failures));
                self.failed(key, error);
            }
            return;
        };
        let socket = self.sockets.open(key);
        dial.attempts.push((socket, to.clone()));
        dial.next_at = None;
        if let Some(transfer) = transfer.and_then(|id| self.transfers.get_mut(id)) {
            transfer.summary.connects += 1;
            if !dial.untried.is_empty() {
                dial.next_at = self
                    .now
                    .checked_add(transfer.options.timeouts.attempt_delay);
            }
        }
        self.submit(socket, OpKind::Connect { to, from: local });
        self.conn_deadlines(key);
    }

    pub(super) fn connected(&mut self, key: u64, socket: ConnId, result: io::Result<usize>) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        let State::Dialing(dial) = &mut conn.state else {
            return;
        };
        let Some(at) = dial.attempts.iter().position(|(have, _)| *have == socket) else {
            return;
        };
        let (_, to) = dial.attempts.swap_remove(at);
        if let Err(error) = result {
            dial.failures.push((to, error));
            self.abandon(socket);
            self.next_attempt(key);
            return;
        }
        let losers = core::mem::take(&mut dial.attempts);
        conn.state = State::Open;
        conn.socket = Some(socket);
        conn.remote = Some(to.clone());
        conn.handshake_since = Some(now);
        conn.restart_clocks(now);
        let transfer = conn
            .transfer
            .and_then(|id| self.transfers.get_mut(id).map(|t| (id, t)));
        if let Some((id, transfer)) = transfer {
            transfer.summary.connected = Some(now - transfer.added);
            if transfer.options.notes {
                let text = format!("connected to {} ({to})", transfer.route.key.target);
                transfer.events.emit(crate::Event::Note(crate::Note::Info {
                    layer: "connect",
                    text,
                }));
                self.announce(id);
            }
            if let Some(transfer) = self.transfers.get_mut(id) {
                transfer.summary.remote = Some(to);
            }
        }
        losers
            .into_iter()
            .for_each(|(loser, _)| self.abandon(loser));
        self.make_ready(key);
    }

    /// Cancels whatever a dialing connection has in flight.
    pub(super) fn stop_dialing(&mut self, key: u64) {
        let Some(dial) = self.dialing(key) else {
            return;
        };
        let attempts = core::mem::take(&mut dial.attempts)
            .into_iter()
            .map(|(socket, _)| socket);
        let sockets: Vec<_> = attempts.chain(dial.resolving.take()).collect();
        sockets.into_iter().for_each(|socket| self.abandon(socket));
    }
}

/// What needs no resolver: literal addresses, unix sockets, UDP.
fn endpoints(route: &Route, limit: usize) -> Option<VecDeque<Endpoint>> {
    let list = match &route.key.target {
        Target::Host { host, port } => {
            let ip: IpAddr = host.parse().ok()?;
            vec![Endpoint::Tcp(SocketAddr::new(ip, *port))]
        }
        Target::UdpHost { host, port } => {
            let ip: IpAddr = host.parse().ok()?;
            vec![Endpoint::Udp(SocketAddr::new(ip, *port))]
        }
        Target::Addresses(list) => list
            .iter()
            .copied()
            .take(limit)
            .map(Endpoint::Tcp)
            .collect(),
        Target::Unix(path) => vec![Endpoint::Unix(path.clone())],
        Target::Udp(addr) => vec![Endpoint::Udp(*addr)],
    };
    Some(list.into())
}

fn datagrams(endpoint: Endpoint) -> Endpoint {
    match endpoint {
        Endpoint::Tcp(addr) => Endpoint::Udp(addr),
        other => other,
    }
}

/// RFC 8305 section 4: families alternate, the resolver's first one first.
fn alternate(found: Vec<IpAddr>, port: u16, limit: usize) -> VecDeque<Endpoint> {
    let first_is_v6 = found.first().is_some_and(IpAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) = found
        .into_iter()
        .partition(|ip| ip.is_ipv6() == first_is_v6);
    let mut mixed = VecDeque::new();
    while mixed.len() < limit && !(first.is_empty() && second.is_empty()) {
        mixed.extend(first.pop_front());
        mixed.extend(second.pop_front());
    }
    mixed.truncate(limit);
    mixed
        .into_iter()
        .map(|ip| Endpoint::Tcp(SocketAddr::new(ip, port)))
        .collect()
}

fn no_way(route: &Route, failures: Vec<(Endpoint, io::Error)>) -> Error {
    let mut what = format!("cannot connect to {}", route.key.target);
    for (n, (to, error)) in failures.iter().enumerate() {
        what.push_str(if n == 0 { ": " } else { ", " });
        what.push_str(&format!("{to}: {error}"));
    }
    let mut fault = Fault::new(Culprit::Transport, Reason::Connect, what)
        .remedy("check that the server runs and that the address and port are right");
    if let Some((_, error)) = failures.into_iter().next() {
        fault = fault.source(error);
    }
    fault.at("connect")
}
