//! Who may connect where: connections per host, idle ones, and the queue for both.

use core::hash::{BuildHasher, Hasher};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::DefaultHasher;
use std::sync::Arc;

use crate::slab::Slab;
use crate::{Key, Limits, Route};

/// Keyed by everything that makes a connection different; never searched.
pub(super) struct Hosts {
    by_key: HashMap<Key, u64, Seeded>,
    hosts: Slab<Host>,
    /// The route that was entered last, and its host's entry.
    last: Option<(Arc<Route>, u64)>,
    /// Waiting transfers that should ask as soon as there is a place: the first of each
    /// host that could have one more connection, and who waits for the bound on all.
    queue: BTreeSet<(u64, u64)>,
    /// Idle connections, the longest idle first: (turn, connection, host).
    idle: BTreeSet<(u64, u64, u64)>,
    /// When each idle connection became that, as a turn, where to find it in the sets; by
    /// the connection's slot, 0 for others.
    turns: Vec<u64>,
    turn: u64,
    open: usize,
    per_host: usize,
    in_all: usize,
}

struct Host {
    key: Key,
    /// Connections, idle ones included.
    open: usize,
    /// Idle connections, the most recent last: (turn, connection).
    idle: BTreeSet<(u64, u64)>,
    /// Waiting transfers by rank, and whether theirs must be a new connection.
    waiting: BTreeMap<(u64, u64), bool>,
    /// Transfers that know this entry.
    users: usize,
}

#[derive(Clone)]
struct Seeded(u64);

impl BuildHasher for Seeded {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}

/// What a transfer that needs a connection gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// This idle connection.
    Reuse(u64),
    /// A new connection.
    Connect,
    /// A new connection, after this idle one of another host has been closed.
    Replace(u64),
    /// A place in the queue.
    Wait,
}

impl Hosts {
    pub(super) fn new(limits: &Limits, seed: u64) -> Self {
        let bound = |limit: usize| if limit == 0 { usize::MAX } else { limit };
        Self {
            by_key: HashMap::with_hasher(Seeded(seed)),
            hosts: Slab::default(),
            last: None,
            queue: BTreeSet::new(),
            idle: BTreeSet::new(),
            turns: Vec::new(),
            turn: 0,
            open: 0,
            per_host: bound(limits.connections_per_host),
            in_all: bound(limits.connections),
        }
    }

    /// The entry of a route's key; held until [`Hosts::leave`]. Most transfers go where the
    /// one before went, and need no key to be hashed.
    pub(super) fn enter_route(&mut self, route: &Arc<Route>) -> u64 {
        if let Some((last, id)) = &self.last
            && Arc::ptr_eq(last, route)
            && let Some(host) = self.hosts.get_mut(*id)
        {
            host.users += 1;
            return *id;
        }
        let id = self.enter(&route.key);
        self.last = Some((Arc::clone(route), id));
        id
    }

    /// The entry of a key; held until [`Hosts::leave`].
    fn enter(&mut self, key: &Key) -> u64 {
        if let Some(id) = self.by_key.get(key)
            && let Some(host) = self.hosts.get_mut(*id)
        {
            host.users += 1;
            return *id;
        }
        let host = Host {
            key: key.clone(),
            open: 0,
            idle: BTreeSet::new(),
            waiting: BTreeMap::new(),
            users: 1,
        };
        let id = self.hosts.insert(host);
        self.by_key.insert(key.clone(), id);
        id
    }

    /// A transfer has ended.
    pub(super) fn leave(&mut self, id: u64) {
        if let Some(host) = self.hosts.get_mut(id) {
            host.users -= 1;
        }
        self.forget_unused(id);
    }

    fn forget_unused(&mut self, id: u64) {
        let unused = self
            .hosts
            .get(id)
            .is_some_and(|host| host.users == 0 && host.open == 0);
        if unused && let Some(host) = self.hosts.remove(id) {
            self.by_key.remove(&host.key);
        }
    }

    /// Gives a transfer a connection, the right to make one, or a place in the queue.
    pub(super) fn request(&mut self, id: u64, rank: u64, transfer: u64, fresh: bool) -> Grant {
        let place = (rank, transfer);
        if self.queue.first().is_some_and(|first| *first < place) {
            // Nobody jumps the queue, or those in it might starve.
            return self.wait(id, place, fresh, true);
        }
        if !fresh && let Some(conn) = self.take_idle(id) {
            return Grant::Reuse(conn);
        }
        let Some(host) = self.hosts.get_mut(id) else {
            return Grant::Wait;
        };
        if host.open >= self.per_host {
            // Its own idle connection is only in the way of one that must be fresh.
            if let Some(&(_, conn)) = host.idle.last() {
                return self.replace(id, conn);
            }
            return self.wait(id, place, fresh, false);
        }
        if self.open >= self.in_all {
            if let Some(&(_, conn, _)) = self.idle.first() {
                return self.replace(id, conn);
            }
            return self.wait(id, place, fresh, true);
        }
        host.open += 1;
        self.open += 1;
        self.promote(id);
        Grant::Connect
    }

    /// The same for a transfer that no bound is for: it never waits.
    pub(super) fn exempt(&mut self, id: u64, fresh: bool) -> Grant {
        if !fresh && let Some(conn) = self.take_idle(id) {
            return Grant::Reuse(conn);
        }
        if let Some(host) = self.hosts.get_mut(id) {
            host.open += 1;
            self.open += 1;
        }
        Grant::Connect
    }

    fn wait(&mut self, id: u64, place: (u64, u64), fresh: bool, queue: bool) -> Grant {
        if let Some(host) = self.hosts.get_mut(id) {
            host.waiting.insert(place, fresh);
        }
        if queue {
            self.queue.insert(place);
        }
        Grant::Wait
    }

    /// Queues the first of a host's waiting transfers if the host can serve it.
    fn promote(&mut self, id: u64) {
        if let Some(host) = self.hosts.get(id)
            && (host.open < self.per_host || !host.idle.is_empty())
            && let Some((&first, _)) = host.waiting.first_key_value()
        {
            self.queue.insert(first);
        }
    }

    fn replace(&mut self, id: u64, idle: u64) -> Grant {
        // The idle one gives its place up when it is closed; ours is counted now.
        if let Some(host) = self.hosts.get_mut(id) {
            host.open += 1;
            self.open += 1;
        }
        Grant::Replace(idle)
    }

    fn take_idle(&mut self, id: u64) -> Option<u64> {
        let (turn, conn) = self.hosts.get_mut(id)?.idle.pop_last()?;
        self.idle.remove(&(turn, conn, id));
        self.take_turn(conn);
        Some(conn)
    }

    /// A transfer no longer waits.
    pub(super) fn stop_waiting(&mut self, id: u64, rank: u64, transfer: u64) {
        self.queue.remove(&(rank, transfer));
        if let Some(host) = self.hosts.get_mut(id) {
            host.waiting.remove(&(rank, transfer));
        }
        // Its turn, if it was that, is the next one's.
        self.promote(id);
    }

    /// A connection is clean: the transfer of its host that gets it now, or none, and it is
    /// idle; then it may make way for another host's ([`Hosts::next_to_ask`]).
    pub(super) fn put_idle(&mut self, id: u64, conn: u64) -> Option<u64> {
        let host = self.hosts.get_mut(id)?;
        let first = host.waiting.first_entry();
        // Who waits longer for the bound on all is another host's, or this host's first
        // would be it: a busy host must not keep its places for ever.
        let scarce = self.open >= self.in_all;
        let longest = self.queue.first().filter(|_| scarce);
        let in_turn = |place: &(u64, u64)| longest.is_none_or(|longest| place <= longest);
        if let Some(first) = first.filter(|first| !first.get() && in_turn(first.key())) {
            let (place, _) = first.remove_entry();
            self.queue.remove(&place);
            return Some(place.1);
        }
        self.turn += 1;
        host.idle.insert((self.turn, conn));
        self.idle.insert((self.turn, conn, id));
        if self.turns.len() <= slot(conn) {
            self.turns.resize(slot(conn) + 1, 0);
        }
        self.turns[slot(conn)] = self.turn;
        self.promote(id);
        None
    }

    fn take_turn(&mut self, conn: u64) -> Option<u64> {
        let turn = core::mem::take(self.turns.get_mut(slot(conn))?);
        (turn != 0).then_some(turn)
    }

    /// An idle connection is not to be given out any more.
    pub(super) fn remove_idle(&mut self, id: u64, conn: u64) {
        let Some(turn) = self.take_turn(conn) else {
            return;
        };
        self.idle.remove(&(turn, conn, id));
        if let Some(host) = self.hosts.get_mut(id) {
            host.idle.remove(&(turn, conn));
        }
    }

    /// The connection that has been idle longest.
    pub(super) fn oldest_idle(&self) -> Option<u64> {
        self.idle.first().map(|(_, conn, _)| *conn)
    }

    pub(super) fn idle(&self) -> usize {
        self.idle.len()
    }

    /// A connection is gone: its host's first waiting transfer may try again.
    pub(super) fn closed(&mut self, id: u64) {
        self.open -= 1;
        if let Some(host) = self.hosts.get_mut(id) {
            host.open -= 1;
        }
        self.promote(id);
        self.forget_unused(id);
    }

    /// The waiting transfer that should ask again, while there is a place for it:
    /// a free one, or that of an idle connection.
    pub(super) fn next_to_ask(&self) -> Option<u64> {
        let place = self.open < self.in_all || !self.idle.is_empty();
        self.queue
            .first()
            .filter(|_| place)
            .map(|(_, transfer)| *transfer)
    }
}

/// A key of the slab without its generation.
fn slot(conn: u64) -> usize {
    conn as u32 as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Target;

    fn hosts(per_host: usize, in_all: usize) -> Hosts {
        let mut limits = Limits::default();
        (limits.connections_per_host, limits.connections) = (per_host, in_all);
        Hosts::new(&limits, 7)
    }

    fn key(host: &str) -> Key {
        let target = Target::Host {
            host: host.into(),
            port: 80,
        };
        Key {
            target,
            local: None,
            protocol: "http/1.1",
            layers: Vec::new(),
        }
    }

    #[test]
    fn a_freed_place_goes_to_the_host_that_waits() {
        let mut hosts = hosts(1, 10);
        let a = hosts.enter(&key("a"));
        assert_eq!(hosts.request(a, 1, 100, false), Grant::Connect);
        assert_eq!(hosts.request(a, 2, 101, false), Grant::Wait);
        assert_eq!(
            hosts.put_idle(a, 55),
            Some(101),
            "a clean connection goes to who waits"
        );
        assert_eq!(hosts.put_idle(a, 55), None);
        assert_eq!(hosts.request(a, 3, 102, false), Grant::Reuse(55));
        assert_eq!(hosts.request(a, 4, 103, false), Grant::Wait);
        hosts.closed(a);
        assert_eq!(hosts.next_to_ask(), Some(103));
    }

    #[test]
    fn the_bound_on_all_connections_replaces_the_longest_idle() {
        let mut hosts = hosts(0, 2);
        let (a, b) = (hosts.enter(&key("a")), hosts.enter(&key("b")));
        assert_eq!(hosts.request(a, 1, 1, false), Grant::Connect);
        assert_eq!(hosts.request(a, 2, 2, false), Grant::Connect);
        assert_eq!(hosts.request(b, 3, 3, false), Grant::Wait);
        assert_eq!(hosts.put_idle(a, 70), None);
        assert_eq!(
            hosts.request(b, 4, 4, false),
            Grant::Wait,
            "behind who waits already"
        );
        assert_eq!(hosts.next_to_ask(), Some(3));
        hosts.stop_waiting(b, 3, 3);
        assert_eq!(hosts.request(b, 3, 3, false), Grant::Replace(70));
    }

    #[test]
    fn a_busy_host_gives_way_to_who_waits_longer() {
        let mut hosts = hosts(0, 1);
        let (a, b) = (hosts.enter(&key("a")), hosts.enter(&key("b")));
        assert_eq!(hosts.request(a, 1, 1, false), Grant::Connect);
        assert_eq!(hosts.request(b, 2, 2, false), Grant::Wait);
        assert_eq!(hosts.request(a, 3, 3, false), Grant::Wait);
        assert_eq!(hosts.put_idle(a, 70), None, "b is first");
        assert_eq!(hosts.next_to_ask(), Some(2));
        hosts.stop_waiting(b, 2, 2);
        assert_eq!(hosts.request(b, 2, 2, false), Grant::Replace(70));
        hosts.remove_idle(a, 70);
        hosts.closed(a);
        assert_eq!(hosts.next_to_ask(), None, "b has the only place");
        // Those of one host stay on its connection while nobody else is before them.
        assert_eq!(hosts.request(b, 4, 4, false), Grant::Wait);
        assert_eq!(hosts.put_idle(b, 71), None, "now a is");
        assert_eq!(hosts.next_to_ask(), Some(3));
    }

    #[test]
    fn who_cannot_use_a_place_gives_it_back() {
        let mut hosts = hosts(1, 2);
        let (a, b) = (hosts.enter(&key("a")), hosts.enter(&key("b")));
        assert_eq!(hosts.request(a, 1, 1, false), Grant::Connect);
        assert_eq!(hosts.request(b, 2, 2, false), Grant::Connect);
        let c = hosts.enter(&key("c"));
        assert_eq!(hosts.request(c, 3, 3, false), Grant::Wait);
        assert_eq!(hosts.request(b, 4, 4, false), Grant::Wait, "behind 3");
        assert_eq!(hosts.request(a, 5, 5, false), Grant::Wait);
        hosts.stop_waiting(c, 3, 3);
        assert_eq!(hosts.put_idle(a, 70), None, "4 is first");
        assert_eq!(hosts.next_to_ask(), Some(4));
        hosts.stop_waiting(b, 4, 4);
        assert_eq!(hosts.request(b, 4, 4, false), Grant::Wait, "b is full");
        assert_eq!(hosts.next_to_ask(), Some(5));
        hosts.stop_waiting(a, 5, 5);
        assert_eq!(hosts.request(a, 5, 5, false), Grant::Reuse(70));
    }

    #[test]
    fn who_is_exempt_waits_for_nobody_and_others_wait_for_him() {
        let mut hosts = hosts(1, 1);
        let a = hosts.enter(&key("a"));
        let b = hosts.enter(&key("b"));
        assert_eq!(hosts.request(a, 1, 100, false), Grant::Connect);
        assert_eq!(hosts.request(b, 2, 101, false), Grant::Wait);
        assert_eq!(hosts.exempt(a, true), Grant::Connect);
        assert_eq!(hosts.exempt(b, true), Grant::Connect);
        hosts.closed(a);
        hosts.closed(a);
        assert_eq!(hosts.next_to_ask(), None, "the exempt one is still there");
        hosts.closed(b);
        assert_eq!(hosts.next_to_ask(), Some(101));
    }

    #[test]
    fn a_waiting_transfer_that_gives_up_passes_its_turn_on() {
        let mut hosts = hosts(1, 1);
        let (a, b) = (hosts.enter(&key("a")), hosts.enter(&key("b")));
        assert_eq!(hosts.request(a, 1, 1, false), Grant::Connect);
        assert_eq!(hosts.request(a, 2, 2, false), Grant::Wait);
        assert_eq!(hosts.request(a, 3, 3, false), Grant::Wait);
        hosts.closed(a);
        assert_eq!(hosts.next_to_ask(), Some(2));
        hosts.stop_waiting(a, 2, 2);
        assert_eq!(hosts.next_to_ask(), Some(3), "not forgotten");
        assert_eq!(hosts.request(b, 9, 9, false), Grant::Wait, "behind 3");
    }

    #[test]
    fn two_freed_places_wake_two() {
        let mut hosts = hosts(2, 10);
        let a = hosts.enter(&key("a"));
        for n in 1..=2 {
            assert_eq!(hosts.request(a, n, n, false), Grant::Connect);
        }
        for n in 3..=4 {
            assert_eq!(hosts.request(a, n, n, false), Grant::Wait);
        }
        hosts.closed(a);
        hosts.closed(a);
        for n in 3..=4 {
            assert_eq!(hosts.next_to_ask(), Some(n));
            hosts.stop_waiting(a, n, n);
            assert_eq!(hosts.request(a, n, n, false), Grant::Connect);
        }
    }

    #[test]
    fn who_must_have_a_new_connection_is_not_given_a_kept_one() {
        let mut hosts = hosts(1, 10);
        let a = hosts.enter(&key("a"));
        assert_eq!(hosts.request(a, 1, 1, false), Grant::Connect);
        assert_eq!(hosts.request(a, 2, 2, true), Grant::Wait);
        assert_eq!(hosts.put_idle(a, 55), None);
        assert_eq!(hosts.next_to_ask(), Some(2));
        hosts.stop_waiting(a, 2, 2);
        assert_eq!(hosts.request(a, 2, 2, true), Grant::Replace(55));
    }

    #[test]
    fn idle_connections_go_from_anywhere_and_the_latest_is_given_out_first() {
        const COUNT: u64 = 10_000;
        let mut hosts = hosts(0, 0);
        let a = hosts.enter(&key("a"));
        for conn in 0..COUNT {
            assert_eq!(hosts.request(a, conn, conn, true), Grant::Connect);
            assert_eq!(hosts.put_idle(a, conn), None);
        }
        // Neither from the front nor from the back: 7919 is a prime.
        for n in 0..COUNT - 100 {
            hosts.remove_idle(a, n * 7919 % COUNT);
            hosts.closed(a);
        }
        hosts.remove_idle(a, 0);
        let mut left: Vec<u64> = (COUNT - 100..COUNT).map(|n| n * 7919 % COUNT).collect();
        left.sort_unstable();
        assert_eq!(hosts.idle(), left.len());
        assert_eq!(hosts.oldest_idle(), left.first().copied());
        while let Some(conn) = left.pop() {
            assert_eq!(hosts.request(a, conn, conn, false), Grant::Reuse(conn));
        }
        assert!(hosts.turns.iter().all(|turn| *turn == 0));
        assert_eq!(hosts.request(a, 0, 0, false), Grant::Connect);
    }

    #[test]
    fn entries_without_users_and_connections_are_forgotten() {
        let mut hosts = hosts(0, 0);
        let a = hosts.enter(&key("a"));
        assert_eq!(hosts.request(a, 1, 1, false), Grant::Connect);
        hosts.leave(a);
        assert_eq!(hosts.by_key.len(), 1);
        hosts.closed(a);
        assert_eq!(hosts.by_key.len(), 0);
    }

    #[test]
    fn the_last_route_is_found_again_unless_its_entry_was_forgotten() {
        let mut hosts = hosts(0, 0);
        let route = |host| {
            let (key, recipe) = (key(host), Box::new(crate::Plain));
            Arc::new(Route { key, recipe })
        };
        let (a, same, b) = (route("a"), route("a"), route("b"));
        let first = hosts.enter_route(&a);
        assert_eq!(hosts.enter_route(&a), first);
        assert_eq!(hosts.enter_route(&same), first, "the key counts");
        assert_ne!(hosts.enter_route(&b), first);
        assert_eq!(hosts.enter_route(&a), first);
        (0..4).for_each(|_| hosts.leave(first));
        assert_eq!(hosts.by_key.len(), 1, "nobody uses it any more");
        let again = hosts.enter_route(&a);
        assert_eq!((hosts.enter_route(&same), hosts.by_key.len()), (again, 2));
    }
}
