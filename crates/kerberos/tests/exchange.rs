//! One question to one KDC, byte by byte, and what a KDC can do wrong.

use std::time::{Instant, SystemTime};

use sockless_core::{
    Body, Buf, Culprit, Cx, Driven, Error, Event, Events, Pool, Protocol, Pumped, Reason, Stack,
};
use sockless_kerberos::KdcExchange;

const MESSAGE: &[u8] = b"\x6a\x03ask";

fn message() -> zeroize::Zeroizing<Vec<u8>> {
    zeroize::Zeroizing::new(MESSAGE.to_vec())
}

/// Feeds these pieces, then perhaps the end; gives what was sent and what came of it.
#[allow(
    clippy::disallowed_methods,
    reason = "a test must start its Instants somewhere"
)]
fn run(
    mut exchange: KdcExchange,
    pieces: &[&[u8]],
    ends: bool,
) -> (Vec<u8>, Option<Result<Vec<u8>, Error>>) {
    let (pool, mut copied) = (Pool::new(0), 0);
    let mut stack = Stack::new(Vec::new(), 64 * 1024);
    let (mut events, mut body) = (Events::new(64 * 1024), Body::new(1024));
    let mut over = None;
    for at in 0..=pieces.len() {
        let mut cx = Cx::new(
            Instant::now(),
            SystemTime::UNIX_EPOCH,
            &pool,
            &mut copied,
            None,
        );
        let driven = Driven {
            exchange: &mut exchange,
            events: &mut events,
            body: &mut body,
        };
        match stack.pump(Some(driven), &mut cx, 16) {
            Pumped::Finished { .. } => over = Some(Ok(Vec::new())),
            Pumped::Failed(error) => over = Some(Err(error)),
            _ => {}
        }
        if over.is_some() {
            break;
        }
        match pieces.get(at) {
            Some(piece) => stack.net_in().push(Buf::from(*piece)),
            None if ends && !stack.net_in().is_finished() => {
                stack.net_in().finish();
                let mut cx = Cx::new(
                    Instant::now(),
                    SystemTime::UNIX_EPOCH,
                    &pool,
                    &mut copied,
                    None,
                );
                let driven = Driven {
                    exchange: &mut exchange,
                    events: &mut events,
                    body: &mut body,
                };
                if let Pumped::Failed(error) = stack.pump(Some(driven), &mut cx, 16) {
                    over = Some(Err(error));
                }
            }
            None => {}
        }
    }
    let mut sent = Vec::new();
    while let Some(piece) = stack.net_out().pop() {
        sent.extend_from_slice(&piece);
    }
    if let Some(Ok(answer)) = &mut over {
        while let Some(event) = events.pop() {
            if let Event::Data(piece) = event {
                answer.extend_from_slice(&piece);
            }
        }
    }
    (sent, over)
}

#[test]
fn a_stream_has_the_length_in_front_both_ways() {
    let answer = b"\0\0\0\x05hello";
    let pieces: Vec<&[u8]> = answer.chunks(1).collect();
    let (sent, over) = run(
        KdcExchange::stream(message(), Protocol::Kerberos),
        &pieces,
        false,
    );
    assert_eq!(sent, [&b"\0\0\0\x05"[..], MESSAGE].concat());
    assert_eq!(over.expect("it ends").expect("well"), b"hello");
}

#[test]
fn a_datagram_is_the_message() {
    let (sent, over) = run(KdcExchange::datagram(message()), &[b"hello"], false);
    assert_eq!(sent, MESSAGE);
    assert_eq!(over.expect("it ends").expect("well"), b"hello");
}

#[test]
fn four_gigabytes_are_not_waited_for() {
    let (_, over) = run(
        KdcExchange::stream(message(), Protocol::Kerberos),
        &[b"\xff\xff\xff\xffx"],
        false,
    );
    let error = over.expect("it ends").expect_err("refused");
    assert_eq!(
        (error.culprit(), error.reason()),
        (Culprit::Limit, Reason::BodyTooLarge)
    );
    assert_eq!(error.layer(), "kdc");
}

#[test]
fn an_end_before_the_end_is_a_truncation() {
    for wire in [&b""[..], b"\0\0", b"\0\0\0\x05hell"] {
        let (_, over) = run(
            KdcExchange::stream(message(), Protocol::Kerberos),
            &[wire],
            true,
        );
        let error = over.expect("it ends").expect_err("cut");
        assert_eq!(error.reason(), Reason::Truncated, "{wire:?}");
    }
}

#[test]
fn lengths_of_dns_have_two_bytes() {
    let exchange = || KdcExchange::stream(message(), Protocol::Dns);
    let (sent, over) = run(exchange(), &[b"\0", b"\x05hel", b"lo"], false);
    assert_eq!(sent, [&[0, MESSAGE.len() as u8], MESSAGE].concat());
    assert_eq!(over.expect("an end").expect("an answer"), b"hello");
}
