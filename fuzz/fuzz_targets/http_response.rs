//! Any bytes, in any pieces, as the answer to a request: no panic, no hang, and the
//! pieces do not matter. What one piece gives, many pieces give.
#![no_main]
#![allow(clippy::disallowed_methods, reason = "a fuzzer must start its Instants somewhere")]

use std::time::{Instant, SystemTime};

use libfuzzer_sys::fuzz_target;
use sockless_core::{Body, Buf, Cx, Event, Events, Exchange, Pipe, Pool, Top, Turn};
use sockless_http::{Http1, Http1Config, Request};

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    head: bool,
    decode: bool,
    cuts: Vec<u8>,
    answer: &'a [u8],
}

#[derive(Debug, PartialEq)]
struct Told {
    heads: Vec<u16>,
    body: Vec<u8>,
    end: Option<Result<bool, sockless_core::Reason>>,
}

fn tell(input: &Input<'_>, pieces: &mut dyn Iterator<Item = &[u8]>) -> Told {
    let method = if input.head { "HEAD" } else { "GET" };
    let request = Request::new(method, "/", "host").expect("a good request");
    let mut config = Http1Config::default();
    config.decode = input.decode;
    let mut exchange = Http1::new(request, config);
    exchange.restart(false);
    let (pool, mut copied) = (Pool::default(), 0);
    let (mut from_peer, mut to_peer) = (Pipe::new(1 << 20), Pipe::new(1 << 20));
    let (mut events, mut body) = (Events::new(1 << 16), Body::new(1 << 16));
    let mut told = Told { heads: Vec::new(), body: Vec::new(), end: None };
    let now = Instant::now();
    let mut step = |from_peer: &mut Pipe, told: &mut Told| loop {
        let mut cx = Cx::new(now, SystemTime::UNIX_EPOCH, &pool, &mut copied, None);
        let top = Top { from_peer, to_peer: &mut to_peer, events: &mut events, body: &mut body };
        let turn = exchange.pump(top, &mut cx);
        to_peer.clear();
        let mut moved = false;
        while let Some(event) = events.pop() {
            moved = true;
            match event {
                Event::Head(head) | Event::Interim(head) => told.heads.push(head.code),
                Event::Data(piece) => told.body.extend_from_slice(&piece),
                _ => {}
            }
        }
        match turn {
            Ok(Turn::Blocked) if moved => {}
            Ok(Turn::Blocked) => return,
            Ok(Turn::Finished { reusable }) => return told.end = Some(Ok(reusable)),
            Err(fault) => return told.end = Some(Err(fault.reason)),
        }
    };
    step(&mut from_peer, &mut told);
    for piece in pieces {
        if told.end.is_some() {
            break;
        }
        from_peer.push(Buf::from(piece));
        step(&mut from_peer, &mut told);
    }
    if told.end.is_none() {
        from_peer.finish();
        step(&mut from_peer, &mut told);
    }
    assert!(told.end.is_some(), "neither an end nor an error after the peer's end");
    told
}

fuzz_target!(|input: Input<'_>| {
    let whole = tell(&input, &mut std::iter::once(input.answer));
    let mut rest = input.answer;
    let mut cuts = input.cuts.iter().cycle();
    let mut pieces = std::iter::from_fn(|| {
        let cut = usize::from(*cuts.next().unwrap_or(&1)).clamp(1, rest.len().max(1));
        let (piece, after) = rest.split_at_checked(cut)?;
        rest = after;
        Some(piece)
    });
    let cut = tell(&input, &mut pieces);
    assert_eq!(whole.heads, cut.heads);
    // A decoder may have given more before it met the same error.
    if matches!(whole.end, Some(Ok(_))) {
        assert_eq!(whole.body, cut.body);
    }
    let failed = |told: &Told| matches!(told.end, Some(Err(_)));
    assert_eq!(failed(&whole), failed(&cut), "{whole:?} {cut:?}");
});
