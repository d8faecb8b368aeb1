//! Byte streams: a tunnel as a product.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use sockless_core::{
    Body, Buf, Cx, Event, Events, Exchange, Fault, Filter, Limits, Options, Phase, Pipe, Pool, Raw,
    Reason, Seams, Status, Top, TransferId, Turn,
};

use crate::rests::Pass;
use crate::toy::pattern;
use crate::world::{With, World, failure, route, routed};

const SECOND: Duration = Duration::from_secs(1);

fn stream_with(world: &mut World, options: Options) -> TransferId {
    let raw = Box::new(Raw::new());
    let id = world.engine.add(route("127.0.0.1"), raw, options);
    world.settle();
    world.finish_op("connect", Ok(0));
    assert!(world.opened.contains(&id));
    id
}

fn stream(world: &mut World) -> TransferId {
    stream_with(world, Options::default())
}

fn give(world: &mut World, id: TransferId, bytes: &[u8]) {
    let given = world.engine.send_body(id, Buf::from(bytes));
    assert!(given.is_ok(), "{given:?}");
    world.settle();
}

fn finish(world: &mut World, id: TransferId) {
    world.engine.finish_body(id).expect("it is alive");
    world.settle();
}

#[test]
fn bytes_go_both_ways_as_they_are() {
    let mut world = World::plain();
    let id = stream(&mut world);
    assert_eq!(world.count("send"), 0, "nothing of its own");
    for round in 1..=3 {
        assert_eq!(world.wants(id).len(), round);
        give(&mut world, id, b"ping");
        assert_eq!(world.send(), b"ping");
        world.recv(b"pong");
    }
    assert_eq!(world.body(id), b"pongpongpong");
    assert_eq!(world.engine.stats().copied, 0);
    world.fin();
    finish(&mut world, id);
    assert!(world.outcome(id).is_ok());
    let summary = world.summary(id);
    assert_eq!((summary.body_sent, summary.body_received), (12, 12));
    assert_eq!(world.engine.stats().idle, 0, "never used again");
    world.tidy();
    world.assert_empty();
}

#[test]
fn the_application_may_finish_first() {
    let mut world = World::plain();
    let id = stream(&mut world);
    give(&mut world, id, b"all");
    finish(&mut world, id);
    assert_eq!(world.count("shutdown"), 0, "the bytes come first");
    assert_eq!(world.send(), b"all");
    world.finish_op("shutdown", Ok(0));
    assert_eq!(world.count("close"), 0);
    world.recv(b"and the answer");
    assert!(!world.ended(id));
    world.fin();
    assert_eq!(world.body(id), b"and the answer");
    assert!(world.peer_finished.contains(&id));
    assert!(world.outcome(id).is_ok());
    world.tidy();
    world.assert_empty();
}

#[test]
fn the_peer_may_finish_first() {
    let mut world = World::plain();
    let id = stream(&mut world);
    world.recv(b"enough");
    world.fin();
    assert!(world.peer_finished.contains(&id));
    for _ in 0..3 {
        assert!(!world.ended(id));
        give(&mut world, id, b"still here");
        assert_eq!(world.send(), b"still here");
    }
    finish(&mut world, id);
    assert_eq!(world.count("shutdown"), 1);
    assert!(world.outcome(id).is_ok());
    world.tidy();
    world.assert_empty();
}

#[test]
fn an_end_before_the_connection_is_an_end_behind_it() {
    let mut world = World::plain();
    let raw = Box::new(Raw::new());
    let id = world
        .engine
        .add(route("127.0.0.1"), raw, Options::default());
    give(&mut world, id, b"early");
    finish(&mut world, id);
    world.finish_op("connect", Ok(0));
    assert_eq!(world.send(), b"early");
    world.finish_op("shutdown", Ok(0));
    world.fin();
    assert!(world.outcome(id).is_ok());
}

/// However slow the peer is, and whatever waits between the layers.
#[test]
fn it_is_not_done_before_all_of_it_is_sent() {
    let layers: [fn() -> Box<dyn Filter>; 2] = [|| Box::new(Pass), || Box::new(Pairs)];
    for make in layers {
        let mut limits = Limits::default();
        limits.pipe = 1024;
        let mut world = World::new(limits);
        let route = routed("127.0.0.1", Box::new(With(make)));
        let raw = Box::new(Raw::new());
        let id = world.engine.add(route, raw, Options::default());
        world.settle();
        world.finish_op("connect", Ok(0));
        world.fin();
        give(&mut world, id, &pattern(0, 10_000));
        finish(&mut world, id);
        let mut sent = Vec::new();
        while sent.len() < 10_000 {
            assert!(!world.ended(id), "after {} bytes", sent.len());
            world.advance(3 * SECOND);
            sent.extend(world.send_some(100));
        }
        assert!(sent == pattern(0, 10_000));
        assert!(world.outcome(id).is_ok());
        assert_eq!(world.summary(id).body_sent, 10_000);
        world.tidy();
        world.assert_empty();
    }
}

/// Takes two bytes at a time, and only into an empty pipe.
struct Pairs;

impl Filter for Pairs {
    fn layer(&self) -> &'static str {
        "pairs"
    }

    fn pump(&mut self, io: Seams<'_>, _: &mut Cx<'_>) -> Result<Status, Fault> {
        io.net_in.drain_into(io.app_in);
        if io.net_out.is_empty()
            && let Some(pair) = io.app_out.pop_max(2)
        {
            io.net_out.push(pair);
        }
        if io.app_out.at_end() {
            io.net_out.finish();
        }
        Ok(Status::Stay)
    }
}

#[test]
fn a_pause_stops_receiving_and_nothing_else() {
    let mut world = World::plain();
    let id = stream(&mut world);
    world.engine.pause(id);
    world.recv_some(b"held back");
    assert_eq!(world.count("recv"), 0);
    assert_eq!(world.body(id), b"");
    give(&mut world, id, b"up");
    assert_eq!(world.send(), b"up");
    world.engine.resume(id);
    world.settle();
    assert_eq!(world.body(id), b"held back");
    world.engine.pause(id);
    world.fin();
    finish(&mut world, id);
    assert!(world.peer_finished.is_empty() && !world.ended(id));
    world.engine.resume(id);
    world.settle();
    assert!(world.outcome(id).is_ok());
    world.tidy();
    world.assert_empty();
}

/// A stream between four pipes, without an engine.
struct Bench {
    raw: Raw,
    from_peer: Pipe,
    to_peer: Pipe,
    events: Events,
    body: Body,
    pool: Pool,
}

impl Bench {
    fn new() -> Self {
        Self {
            raw: Raw::new(),
            from_peer: Pipe::new(100),
            to_peer: Pipe::new(1),
            events: Events::new(1),
            body: Body::new(100),
            pool: Pool::default(),
        }
    }

    fn pump(&mut self) {
        let (now, wall, mut copied) = (World::plain().now, SystemTime::UNIX_EPOCH, 0);
        let mut cx = Cx::new(now, wall, &self.pool, &mut copied, None);
        let top = Top {
            from_peer: &mut self.from_peer,
            to_peer: &mut self.to_peer,
            events: &mut self.events,
            body: &mut self.body,
        };
        let turn = self.raw.pump(top, &mut cx).expect("it cannot fail");
        assert_eq!(turn, Turn::Blocked);
    }
}

#[test]
fn one_byte_of_room_each_way_is_enough() {
    let mut bench = Bench::new();
    bench.from_peer.push(Buf::from(&b"downstream"[..]));
    bench.from_peer.finish();
    bench.body.pipe.push(Buf::from(&b"up"[..]));
    bench.body.pipe.finish();
    let (mut down, mut up, mut ends) = (Vec::new(), Vec::new(), 0);
    for _ in 0..20 {
        bench.pump();
        assert!(bench.to_peer.len() <= 1);
        while let Some(event) = bench.events.pop() {
            match event {
                Event::Data(piece) => {
                    assert_eq!(piece.len(), 1);
                    down.push(piece[0]);
                }
                Event::PeerFinished => ends += 1,
                _ => {}
            }
        }
        up.extend(bench.to_peer.pop().iter().flat_map(|piece| piece.to_vec()));
    }
    assert_eq!(down, b"downstream");
    assert_eq!(up, b"up");
    assert_eq!(ends, 1);
    assert!(bench.to_peer.at_end() && bench.raw.is_said());
}

#[test]
fn it_starts_over_only_while_nothing_has_passed() {
    let uses: [fn(&mut Bench); 4] = [
        |bench| bench.from_peer.push(Buf::from(&b"x"[..])),
        |bench| bench.from_peer.finish(),
        |bench| bench.body.pipe.push(Buf::from(&b"x"[..])),
        |bench| bench.body.pipe.finish(),
    ];
    for used in uses {
        let mut bench = Bench::new();
        assert!(bench.raw.restart(false));
        bench.pump();
        assert!(bench.raw.restart(false), "it is open, and that is all");
        used(&mut bench);
        bench.pump();
        assert!(!bench.raw.restart(false));
    }
}

#[test]
fn a_reset_comes_after_what_came_before_it() {
    let mut world = World::plain();
    let id = stream(&mut world);
    world.recv_some(b"last bytes");
    world.finish_op("recv", Err(failure()));
    assert_eq!(world.body(id), b"last bytes");
    assert_eq!(world.reason(id), Reason::Receive);
    assert!(world.peer_finished.is_empty(), "a reset is no end");
    world.tidy();
    world.assert_empty();
}

#[test]
fn a_failed_send_is_the_streams_failure() {
    for peer_finished in [false, true] {
        let mut world = World::plain();
        let id = stream(&mut world);
        give(&mut world, id, b"lost");
        if peer_finished {
            world.fin();
            finish(&mut world, id);
        }
        world.finish_op("send", Err(failure()));
        if !peer_finished {
            world.recv_some(b"sent before that");
            assert_eq!(world.body(id), b"sent before that");
            world.advance(2 * SECOND);
        }
        assert_eq!(world.reason(id), Reason::Send);
        world.tidy();
        world.assert_empty();
    }
}

#[test]
fn the_idle_timeout_counts_although_the_application_is_asked() {
    let mut world = World::plain();
    let mut options = Options::default();
    options.timeouts.idle = Some(10 * SECOND);
    let id = stream_with(&mut world, options);
    assert_eq!(world.wants(id).len(), 1);
    world.advance(9 * SECOND);
    world.recv(b"tick");
    world.advance(9 * SECOND);
    give(&mut world, id, b"tock");
    world.send();
    world.advance(9 * SECOND);
    assert!(!world.ended(id));
    world.advance(SECOND);
    assert_eq!(world.reason(id), Reason::IdleTimeout);
    world.tidy();
    world.assert_empty();
}

#[test]
fn it_opens_when_the_last_handshake_is_over() {
    /// Leaves when a line has come.
    struct Line;
    impl Filter for Line {
        fn layer(&self) -> &'static str {
            "line"
        }
        fn pump(&mut self, io: Seams<'_>, _: &mut Cx<'_>) -> Result<Status, Fault> {
            while let Some(first) = io.net_in.pop_max(1) {
                if *first == *b"\n" {
                    return Ok(Status::Leave);
                }
            }
            Ok(Status::Stay)
        }
        fn phase(&self) -> Phase {
            Phase::Handshake
        }
    }
    let mut world = World::plain();
    let route = routed("127.0.0.1", Box::new(With(|| Box::new(Line))));
    let raw = Box::new(Raw::new());
    let id = world.engine.add(route, raw, Options::default());
    give(&mut world, id, b"waits");
    world.finish_op("connect", Ok(0));
    world.recv_some(b"welco");
    assert!(world.opened.is_empty());
    assert_eq!(world.count("send"), 0);
    world.recv_some(b"me\nbehind it");
    assert!(world.opened.contains(&id));
    assert_eq!(world.body(id), b"behind it");
    assert_eq!(world.send(), b"waits");
    assert!(world.engine.layers(id).is_empty());
}

/// A stream, its peer, and how far each of them has come.
struct Talk {
    world: World,
    id: TransferId,
    /// Bytes given and heard, upward and downward, out of this many.
    given: usize,
    heard: Vec<u8>,
    spoken: usize,
    up: usize,
    down: usize,
}

impl Talk {
    fn step(&mut self, what: u8, amount: usize) {
        let ended = self.world.ended(self.id);
        match what % 8 {
            0 | 1 if self.given < self.up && !ended => {
                let n = (amount + 1).min(self.up - self.given);
                let piece = Buf::from(pattern(self.given, self.given + n));
                if self.world.engine.send_body(self.id, piece).is_ok() {
                    self.given += n;
                }
            }
            2 if self.given == self.up && !ended => {
                let finished = self.world.engine.finish_body(self.id);
                assert!(finished.is_ok());
            }
            3 | 4 if self.world.count("send") > 0 => {
                let bytes = self.world.send_some(amount + 1);
                self.heard.extend(bytes);
            }
            5 | 6 if self.world.count("recv") > 0 => {
                let to = (self.spoken + amount).min(self.down);
                let bytes = pattern(self.spoken, to);
                match bytes.is_empty() {
                    true if self.spoken == self.down => self.world.fin(),
                    true => {}
                    false => self.spoken += self.world.recv_some(&bytes),
                }
            }
            _ if amount.is_multiple_of(2) => self.world.engine.pause(self.id),
            _ => self.world.engine.resume(self.id),
        }
        self.world.settle();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn however_they_interleave_both_directions_arrive_whole(
        (up, down) in (0..6000_usize, 0..6000_usize),
        steps in prop::collection::vec((any::<u8>(), 0..1500_usize), 0..200),
    ) {
        let mut limits = Limits::default();
        (limits.pipe, limits.bulk_recv) = (1024, 1024);
        let mut world = World::new(limits);
        let id = stream(&mut world);
        let (given, spoken, heard) = (0, 0, Vec::new());
        let mut talk = Talk { world, id, given, heard, spoken, up, down };
        for (what, amount) in steps {
            talk.step(what, amount);
        }
        for round in 0..2000 {
            talk.world.engine.resume(id);
            talk.step(round as u8 % 7, 999);
        }
        assert!(talk.world.outcome(id).is_ok(), "{:?}", talk.world.outcome(id));
        assert!(talk.heard == pattern(0, up));
        assert!(talk.world.body(id) == pattern(0, down));
        assert!(talk.world.peer_finished.contains(&id));
        talk.world.tidy();
        talk.world.assert_empty();
    }
}
