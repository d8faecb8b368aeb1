//! The stack: order, faults, last words, filters that leave.

use std::time::{Instant, SystemTime};

use sockless_core::conformance::Peer;
use sockless_core::{
    Body, Buf, Cx, Driven, Error, Event, Events, Exchange, Fault, Filter, Phase, Pipe, Pool,
    Pumped, Reason, Seams, Stack, Status, Top, Turn,
};

use crate::rot::{Flaw, Line, Rot, RotPeer, piece};

/// Passes everything on, both ways; or fails.
struct Echo {
    unit: usize,
    fault: Option<&'static str>,
    /// Said as soon as something has come.
    reply: &'static [u8],
}

impl Exchange for Echo {
    fn layer(&self) -> &'static str {
        "echo"
    }

    fn pump(&mut self, io: Top<'_>, cx: &mut Cx<'_>) -> Result<Turn, Fault> {
        if let Some(what) = self.fault {
            return Err(Fault::misbehaved(Reason::Malformed, what));
        }
        if io.from_peer.len() < self.unit && !io.from_peer.is_finished() {
            return Ok(Turn::Blocked);
        }
        if !io.from_peer.is_empty() {
            let reply = core::mem::take(&mut self.reply);
            io.to_peer.write(reply, |n| cx.buf(n));
        }
        while io.events.room() > 0 {
            let Some(piece) = io.from_peer.pop_max(io.events.room()) else {
                break;
            };
            io.events.data(piece);
        }
        match io.from_peer.at_end() {
            true => Ok(Turn::Finished { reusable: true }),
            false => Ok(Turn::Blocked),
        }
    }

    fn restart(&mut self, _: bool) -> bool {
        true
    }
}

struct Bench {
    stack: Stack,
    echo: Echo,
    events: Events,
    body: Body,
    pool: Pool,
    now: Instant,
}

impl Bench {
    fn new(filters: Vec<Box<dyn Filter>>, pipe: usize) -> Self {
        Self {
            stack: Stack::new(filters, pipe),
            echo: Echo {
                unit: 1,
                fault: None,
                reply: b"",
            },
            events: Events::new(1 << 20),
            body: Body::new(1 << 20),
            pool: Pool::default(),
            now: Instant::now(),
        }
    }

    fn pump(&mut self) -> Pumped {
        let mut copied = 0;
        let mut cx = Cx::new(
            self.now,
            SystemTime::UNIX_EPOCH,
            &self.pool,
            &mut copied,
            None,
        );
        let driven = Driven {
            exchange: &mut self.echo,
            events: &mut self.events,
            body: &mut self.body,
        };
        self.stack.pump(Some(driven), &mut cx, 64)
    }

    fn blocked(&mut self) {
        let pumped = self.pump();
        assert!(matches!(pumped, Pumped::Blocked), "{pumped:?}");
    }

    fn failed(&mut self) -> Error {
        match self.pump() {
            Pumped::Failed(error) => error,
            other => panic!("{other:?}"),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stack.top().1.push(piece(bytes));
    }

    fn arrives(&mut self, bytes: &[u8]) {
        self.stack.net_in().push(piece(bytes));
    }

    fn sent(&mut self) -> Vec<u8> {
        bytes(self.stack.net_out())
    }

    fn data(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(event) = self.events.pop() {
            if let Event::Data(piece) = event {
                all.extend_from_slice(&piece);
            }
        }
        all
    }
}

fn bytes(pipe: &mut Pipe) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = pipe.pop() {
        all.extend_from_slice(&piece);
    }
    all
}

fn rot(key: u8) -> Box<dyn Filter> {
    Box::new(Rot::new(key, Flaw::None))
}

/// A peer behind two layers of rot.
struct Twice {
    outer: RotPeer,
    inner: RotPeer,
}

impl Twice {
    fn new() -> Self {
        Self {
            outer: RotPeer::new(1),
            inner: RotPeer::new(2),
        }
    }

    fn hear(&mut self, wire: &[u8]) {
        self.outer.hear(wire);
        self.inner.hear(&self.outer.received());
    }

    fn speak(&mut self) -> Vec<u8> {
        let inner = self.inner.speak();
        self.outer.send(&inner);
        self.outer.speak()
    }
}

#[test]
fn an_empty_stack_passes_everything() {
    let mut bench = Bench::new(Vec::new(), 100);
    bench.arrives(b"down");
    bench.write(b"up");
    bench.blocked();
    assert_eq!(
        (bench.data(), bench.sent()),
        (b"down".to_vec(), b"up".to_vec())
    );
    bench.stack.net_in().finish();
    assert!(matches!(bench.pump(), Pumped::Finished { reusable: true }));
}

#[test]
fn two_layers_and_one_that_leaves_are_driven_in_order() {
    let mut bench = Bench::new(vec![Box::new(Line::new()), rot(9), rot(8)], 64);
    assert_eq!(
        bench.stack.layers().collect::<Vec<_>>(),
        ["line", "rot", "rot"]
    );
    let mut peer = Twice::new();
    let (up, down) = (vec![3; 5000], vec![4; 5000]);
    bench.write(&up);
    peer.inner.send(&down);
    bench.blocked();
    assert!(bench.sent().starts_with(b"hi\n"));
    // The line and what belongs to the layers above arrive in one piece.
    let mut wire = b"welcome\n".to_vec();
    wire.extend(peer.speak());
    bench.arrives(&wire);
    let mut heard = Vec::new();
    for _ in 0..2000 {
        let pumped = bench.pump();
        assert!(
            matches!(pumped, Pumped::Blocked | Pumped::Again),
            "{pumped:?}"
        );
        let sent = bench.sent();
        peer.hear(&sent);
        heard.extend(peer.inner.received());
        let more = peer.speak();
        bench.arrives(&more);
    }
    assert_eq!(bench.stack.layers().collect::<Vec<_>>(), ["rot", "rot"]);
    assert!(bench.data() == down && heard == up);
}

#[test]
fn leftovers_of_a_leaving_layer_keep_their_order() {
    /// Opens what came so far, leaves the rest below, and goes.
    struct Leaver;
    impl Filter for Leaver {
        fn layer(&self) -> &'static str {
            "leaver"
        }
        fn pump(&mut self, io: Seams<'_>, _: &mut Cx<'_>) -> Result<Status, Fault> {
            let Some(first) = io.net_in.pop_max(2) else {
                return Ok(Status::Stay);
            };
            io.app_in.push(first);
            io.net_out.push(Buf::from(&b"mine,"[..]));
            Ok(Status::Leave)
        }
    }
    let mut bench = Bench::new(vec![Box::new(Leaver), Box::new(Leaver)], 100);
    bench.write(b"above");
    bench.arrives(b"abcdefgh");
    bench.stack.net_in().finish();
    assert!(matches!(bench.pump(), Pumped::Finished { .. }));
    assert_eq!(bench.data(), b"abcdefgh");
    assert_eq!(bench.stack.layers().count(), 0);
    assert_eq!(bench.sent(), b"mine,mine,above");
}

#[test]
fn leaving_is_progress_whatever_else_moved() {
    /// Opens one byte, waits for the answer to it, and goes.
    struct Gate(bool);
    impl Filter for Gate {
        fn layer(&self) -> &'static str {
            "gate"
        }
        fn pump(&mut self, io: Seams<'_>, _: &mut Cx<'_>) -> Result<Status, Fault> {
            if !io.app_out.is_empty() {
                return Ok(Status::Leave);
            }
            if !core::mem::replace(&mut self.0, true)
                && let Some(first) = io.net_in.pop_max(1)
            {
                io.app_in.push(first);
            }
            Ok(Status::Stay)
        }
    }
    // The reply is as long as what the gate's own pipes had moved.
    for reply in [&b"!"[..], b"!!", b"!!!"] {
        let mut bench = Bench::new(vec![Box::new(Gate(false))], 100);
        bench.echo.reply = reply;
        bench.arrives(b"abcdef");
        bench.blocked();
        assert_eq!(bench.data(), b"abcdef", "in the same turn");
        assert_eq!(bench.sent(), reply);
    }
}

#[test]
fn a_fault_carries_its_layer_and_comes_after_the_data() {
    let mut bench = Bench::new(vec![rot(9)], 64 * 1024);
    let mut peer = RotPeer::new(7);
    peer.send(b"still good");
    let mut wire = peer.speak();
    wire.extend_from_slice(&[0; 100]);
    bench.arrives(&wire);
    let error = bench.failed();
    assert_eq!((error.layer(), error.reason()), ("rot", Reason::Malformed));
    assert_eq!(bench.data(), b"still good");
    let fault = bench.pump();
    assert!(matches!(fault, Pumped::Blocked), "reported once: {fault:?}");
}

#[test]
fn a_fault_waits_until_the_application_has_taken_what_came_before() {
    let mut bench = Bench::new(Vec::new(), 64);
    bench.events = Events::new(10);
    bench.arrives(&[5; 25]);
    bench
        .stack
        .cut(Fault::misbehaved(Reason::Receive, "gone").at("socket"));
    let mut got = Vec::new();
    for _ in 0..2 {
        bench.blocked();
        let data = bench.data();
        assert_eq!(data.len(), 10);
        got.extend(data);
    }
    assert_eq!(bench.failed().layer(), "socket");
    got.extend(bench.data());
    assert_eq!(got, [5; 25]);
}

#[test]
fn a_paused_application_hears_of_a_fault_afterwards() {
    let mut bench = Bench::new(Vec::new(), 64);
    bench.events.set_paused(true);
    bench
        .stack
        .cut(Fault::misbehaved(Reason::Receive, "gone").at("socket"));
    bench.blocked();
    bench.events.set_paused(false);
    assert_eq!(bench.failed().layer(), "socket");
}

#[test]
fn last_words_go_through_the_layers_below() {
    let mut bench = Bench::new(vec![rot(9), rot(8)], 64 * 1024);
    let mut peer = Twice::new();
    bench.arrives(&peer.speak());
    bench.blocked();
    peer.hear(&bench.sent());
    // Broken for the inner layer, sound for the outer one.
    peer.outer.send(&[0; 50]);
    bench.arrives(&peer.speak());
    assert_eq!(bench.failed().layer(), "rot");
    let alert = bench.sent();
    assert!(!alert.is_empty());
    peer.outer.hear(&alert);
    let inner = peer.outer.received();
    assert_eq!(
        inner.first(),
        Some(&b'A'),
        "the inner layer's alert, sealed by the outer one"
    );
}

#[test]
fn an_exchanges_own_failure_names_it() {
    let mut bench = Bench::new(Vec::new(), 64);
    bench.echo.fault = Some("no");
    assert_eq!(bench.failed().layer(), "echo");
}

#[test]
fn a_layer_below_the_broken_one_may_still_leave() {
    /// Fails at once.
    struct Bad;
    impl Filter for Bad {
        fn layer(&self) -> &'static str {
            "bad"
        }
        fn pump(&mut self, _: Seams<'_>, _: &mut Cx<'_>) -> Result<Status, Fault> {
            Err(Fault::misbehaved(Reason::Malformed, "bad from the start"))
        }
    }
    /// Counts on being pumped.
    struct Alive(u8);
    impl Filter for Alive {
        fn layer(&self) -> &'static str {
            "alive"
        }
        fn pump(&mut self, io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
            if self.0 > 0 && !io.app_out.is_empty() {
                io.app_out.clear();
                io.net_out.write(&[self.0], |n| cx.buf(n));
                self.0 -= 1;
            }
            Ok(Status::Stay)
        }
    }
    let filters: Vec<Box<dyn Filter>> =
        vec![Box::new(Line::new()), Box::new(Bad), Box::new(Alive(9))];
    let mut bench = Bench::new(filters, 64);
    assert_eq!(bench.failed().layer(), "bad");
    bench.arrives(b"line\n");
    bench.write(b"to alive");
    bench.blocked();
    assert_eq!(bench.stack.layers().collect::<Vec<_>>(), ["bad", "alive"]);
    assert!(
        bench.stack.top().1.is_empty(),
        "the layer above the broken one is pumped"
    );
    bench.blocked();
}

#[test]
fn a_unit_larger_than_a_pipe_passes_up_to_a_bound() {
    for (unit, fits) in [(10_000, true), (3_000_000, false)] {
        let mut bench = Bench::new(vec![rot(9)], 500);
        bench.echo.unit = unit;
        bench.events = Events::new(unit);
        let mut peer = RotPeer::new(7);
        peer.send(&vec![6; unit]);
        bench.arrives(&peer.speak());
        let mut error = None;
        for _ in 0..1000 {
            match bench.pump() {
                Pumped::Failed(failed) => {
                    error = Some(failed);
                    break;
                }
                Pumped::Blocked => break,
                _ => {}
            }
        }
        assert_eq!(bench.data().len(), if fits { unit } else { 0 });
        assert_eq!(error.is_none(), fits, "{error:?}");
    }
}

#[test]
fn the_hint_counts_what_is_there_already() {
    /// One byte of trailer for each byte.
    struct Doubling;
    impl Filter for Doubling {
        fn layer(&self) -> &'static str {
            "doubling"
        }
        fn pump(&mut self, _: Seams<'_>, _: &mut Cx<'_>) -> Result<Status, Fault> {
            Ok(Status::Stay)
        }
    }
    let mut bench = Bench::new(vec![Box::new(Doubling)], 1000);
    assert_eq!(bench.stack.min(0, 100), 1);
    assert_eq!(bench.stack.min(50, 100), 50);
    assert_eq!(bench.stack.min(500, 100), 100);
    bench.arrives(&[0; 30]);
    assert_eq!(
        bench.stack.min(50, 100),
        20,
        "what waits below the layer counts"
    );
    assert_eq!(bench.stack.min(10, 100), 1);
    bench.stack.top().0.push(piece(&[0; 15]));
    assert_eq!(bench.stack.min(50, 100), 5, "what waits above it too");
}

/// What the peer of [line, rot, line, rot] says from beginning to end.
fn nested(payload: &[u8]) -> Vec<u8> {
    let mut innermost = RotPeer::new(3);
    innermost.send(payload);
    innermost.finish();
    let mut middle = RotPeer::new(5);
    middle.send(b"second line\n");
    middle.send(&innermost.speak());
    middle.finish();
    [b"first line\n".to_vec(), middle.speak()].concat()
}

#[test]
fn layers_leave_from_between_others_wherever_arrivals_are_split() {
    let payload = vec![8; 1500];
    let wire = nested(&payload);
    for pipe in [64, 64 * 1024] {
        for at in 1..wire.len() {
            let filters: Vec<Box<dyn Filter>> =
                vec![Box::new(Line::new()), rot(9), Box::new(Line::new()), rot(8)];
            let mut bench = Bench::new(filters, pipe);
            bench.write(b"up");
            bench.arrives(&wire[..at]);
            while matches!(bench.pump(), Pumped::Again) {}
            bench.arrives(&wire[at..]);
            bench.stack.net_in().finish();
            let mut end = bench.pump();
            while matches!(end, Pumped::Again) {
                end = bench.pump();
            }
            assert!(matches!(end, Pumped::Finished { .. }), "{at}: {end:?}");
            assert!(bench.data() == payload, "split at {at}, pipes of {pipe}");
            assert_eq!(bench.stack.layers().collect::<Vec<_>>(), ["rot", "rot"]);
            let sent = bench.sent();
            let mut outer = RotPeer::new(5);
            let mut inner = RotPeer::new(3);
            assert!(sent.starts_with(b"hi\n"));
            outer.hear(&sent[3..]);
            let below = outer.received();
            assert!(below.starts_with(b"hi\n"), "the second line's own words");
            inner.hear(&below[3..]);
            assert_eq!(inner.received(), b"up");
        }
    }
}

#[test]
fn nothing_is_promised_above_a_handshake() {
    /// Speaks its own protocol, and takes the hint from above for its own.
    struct Shaking(bool);
    impl Filter for Shaking {
        fn layer(&self) -> &'static str {
            "shaking"
        }
        fn pump(&mut self, _: Seams<'_>, _: &mut Cx<'_>) -> Result<Status, Fault> {
            Ok(Status::Stay)
        }
        fn phase(&self) -> Phase {
            match self.0 {
                true => Phase::Handshake,
                false => Phase::Open,
            }
        }
    }
    for (lower, upper, min) in [(false, false, 500), (true, false, 1), (false, true, 1)] {
        let filters: Vec<Box<dyn Filter>> =
            vec![Box::new(Shaking(lower)), Box::new(Shaking(upper))];
        let bench = Bench::new(filters, 1000);
        assert_eq!(bench.stack.min(500, 1000), min);
        let waiting = (lower || upper).then_some("shaking");
        assert_eq!(bench.stack.handshaking(), waiting);
    }
}
