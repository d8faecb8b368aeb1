//! Several proxies in one stack, up to a byte stream through all of them.

use std::time::{Instant, SystemTime};

use sockless_core::conformance::Peer;
use sockless_core::{
    Body, Buf, Cx, Driven, Event, Events, Filter, Phase, Pool, Pumped, Raw, Stack,
};
use sockless_tunnels::{
    Addresses, Destination, Protection, ProxyProtocol, Socks4, Socks5, Version,
};

use crate::seal::{Proxy, Script, Seal};
use crate::wire::{GRANTED, bytes, name, socks5};

struct Chain {
    stack: Stack,
    raw: Raw,
    events: Events,
    body: Body,
    pool: Pool,
    opened: bool,
    got: Vec<u8>,
}

impl Chain {
    fn new(filters: Vec<Box<dyn Filter>>) -> Self {
        Self {
            stack: Stack::new(filters, 1024),
            raw: Raw::new(),
            events: Events::new(1024),
            body: Body::new(1024),
            pool: Pool::default(),
            opened: false,
            got: Vec::new(),
        }
    }

    /// Lets bytes arrive, pumps, and says what goes out.
    fn hear(&mut self, arrived: &[u8]) -> Vec<u8> {
        self.stack.net_in().push(Buf::from(arrived));
        loop {
            let (now, wall, mut copied) = (Instant::now(), SystemTime::UNIX_EPOCH, 0);
            let mut cx = Cx::new(now, wall, &self.pool, &mut copied, None);
            let driven = Driven {
                exchange: &mut self.raw,
                events: &mut self.events,
                body: &mut self.body,
            };
            match self.stack.pump(Some(driven), &mut cx, 16) {
                Pumped::Again => {}
                Pumped::Blocked => break,
                other => panic!("{other:?}"),
            }
        }
        while let Some(event) = self.events.pop() {
            match event {
                Event::Open => self.opened = true,
                Event::Data(piece) => self.got.extend_from_slice(&piece),
                other => panic!("{other:?}"),
            }
        }
        bytes(self.stack.net_out())
    }
}

/// PROXY header, SOCKS5 to the second proxy, SOCKS4a to the third, SOCKS5 to the destination.
fn four() -> Vec<Box<dyn Filter>> {
    let own = ProxyProtocol::new(Version::V1, Addresses::Own);
    let third = Destination::new("third.example", 1080);
    vec![
        Box::new(own.expect("usable")),
        Box::new(socks5(Destination::new("second.example", 1080))),
        Box::new(Socks4::new("second.example:1080", third, "").expect("usable")),
        Box::new(Socks5::new("third.example:1080", name(), None).expect("usable")),
    ]
}

#[test]
fn each_proxy_is_asked_when_the_one_before_has_agreed() {
    let mut chain = Chain::new(four());
    chain.body.pipe.push(Buf::from(&b"hello"[..]));
    assert_eq!(chain.hear(b""), b"PROXY UNKNOWN\r\n\x05\x01\0");
    let second = b"\x05\x01\0\x03\x0esecond.example\x04\x38";
    assert_eq!(chain.hear(&[5, 0]), second);
    let third = b"\x04\x01\x04\x38\0\0\0\x01\0third.example\0";
    assert_eq!(chain.hear(&GRANTED), third);
    assert_eq!(
        chain.stack.layers().collect::<Vec<_>>(),
        ["socks4", "socks5"]
    );
    assert_eq!(chain.hear(&[0, 90, 0, 0, 0, 0, 0, 0]), [5, 1, 0]);
    let destination = b"\x05\x01\0\x03\x0bexample.com\x01\xbb";
    assert_eq!(chain.hear(&[5, 0]), destination);
    assert_eq!(chain.stack.phase(), Phase::Handshake);
    assert!(!chain.opened);
    assert_eq!(chain.hear(&[&GRANTED[..], b"welcome"].concat()), b"hello");
    assert!(chain.opened);
    assert_eq!(chain.got, b"welcome");
    assert_eq!(chain.stack.layers().count(), 0);
}

#[test]
fn all_answers_may_arrive_in_any_pieces() {
    let answers = [
        &[5, 0][..],
        &GRANTED,
        &[0, 90, 0, 0, 0, 0, 0, 0],
        &[5, 0],
        &GRANTED,
        b"welcome",
    ];
    let whole = answers.concat();
    let mut said = None;
    for at in 0..=whole.len() {
        let mut chain = Chain::new(four());
        let mut sent = chain.hear(b"");
        sent.extend(chain.hear(&whole[..at]));
        sent.extend(chain.hear(&whole[at..]));
        assert_eq!(chain.got, b"welcome", "split at {at}");
        assert_eq!(*said.get_or_insert(sent.clone()), sent, "split at {at}");
    }
}

#[test]
fn a_layer_that_wraps_stays_below_one_that_leaves() {
    let context = Box::new(Seal::new(Script::default()));
    let first = socks5(name()).security(context, Protection::Confidentiality);
    let second = Socks5::new("example.com:443", Destination::new("far.example", 80), None);
    let mut chain = Chain::new(vec![Box::new(first), Box::new(second.expect("usable"))]);
    let mut proxy = Proxy::new(Script::default(), 2);
    let mut behind = Vec::new();
    let mut answers = vec![&b"welcome"[..], &GRANTED, &[5, 0]];
    let mut arrived = Vec::new();
    for _ in 0..12 {
        proxy.hear(&chain.hear(&arrived));
        let asked = proxy.received();
        if !asked.is_empty() {
            behind.extend(asked);
            proxy.send(answers.pop().unwrap_or_default());
        }
        arrived = proxy.speak();
        if chain.opened && chain.body.pipe.moved() == 0 {
            chain.body.pipe.push(Buf::from(&b"hello"[..]));
        }
    }
    assert!(chain.opened);
    assert_eq!(
        behind,
        b"\x05\x01\0\x05\x01\0\x03\x0bfar.example\0\x50hello"
    );
    assert_eq!(chain.got, b"welcome");
    assert_eq!(chain.stack.layers().collect::<Vec<_>>(), ["socks5"]);
}
