//! Peers that are broken, hostile, or something else altogether.

use sockless_core::{Culprit, Reason};
use sockless_tls::Backend;

use crate::BACKEND;
use crate::peer::{World, both_versions, drain, pattern, settle};

#[test]
fn a_peer_that_speaks_something_else_is_quoted() {
    let world = World::new();
    for answer in [
        "HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "220 mail\r\n",
    ] {
        for cut in [1, 3, 5, answer.len()] {
            let (mut local, _) = world.pair();
            let mut failed = None;
            for piece in answer.as_bytes().chunks(cut) {
                local.feed(piece);
                if let Err(fault) = local.pump() {
                    failed = Some(fault);
                    break;
                }
            }
            let fault = failed.expect("a fault");
            assert_eq!(fault.culprit, Culprit::PeerMisbehaved);
            assert_eq!(fault.reason, Reason::WrongProtocol);
            assert!(fault.what.contains("does not speak TLS"), "{}", fault.what);
            assert!(fault.what.contains(&answer[..3]), "{}", fault.what);
            assert!(!fault.what.contains('\r'));
        }
    }
}

#[test]
fn a_peer_that_says_little_else_and_closes_is_quoted_too() {
    let (mut local, _) = World::new().pair();
    local.feed(b"no\n");
    local.net_in.finish();
    let fault = local.pump().unwrap_err();
    assert_eq!(fault.reason, Reason::WrongProtocol);
    assert!(fault.what.contains("\"no\""), "{}", fault.what);
}

#[test]
fn nothing_unprintable_reaches_a_message() {
    let (mut local, _) = World::new().pair();
    local.feed(b"\x1b[31m\0\xff\x07red");
    let fault = local.pump().unwrap_err();
    assert!(
        fault.what.chars().all(|c| c.is_ascii_graphic() || c == ' '),
        "{}",
        fault.what
    );
}

#[test]
fn a_changed_record_is_refused_and_the_peer_is_told() {
    for world in both_versions() {
        let (mut local, mut remote) = world.connected();
        remote.write(b"good");
        remote.write(b"changed on the way");
        let mut wire = remote.take();
        *wire.last_mut().unwrap() ^= 1;
        local.feed(&wire);
        let fault = local.pump().unwrap_err();
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::PeerMisbehaved, Reason::Malformed)
        );
        assert_eq!(
            drain(&mut local.app_in),
            b"good",
            "what was opened before is delivered"
        );
        let alert = drain(&mut local.net_out);
        remote.receive(&alert);
        assert_eq!(
            remote.error,
            Some(rustls::Error::AlertReceived(
                rustls::error::AlertDescription::BadRecordMac
            ))
        );
        let again = local.pump().unwrap_err();
        assert_eq!((again.reason, again.what), (fault.reason, fault.what));
        assert!(local.net_out.is_empty(), "last words are said once");
    }
}

#[test]
fn garbage_at_any_point_of_the_handshake_is_a_fault() {
    for world in both_versions() {
        let (mut local, mut remote) = world.pair();
        local.pump().unwrap();
        remote.receive(&drain(&mut local.net_out));
        let len = remote.take().len();
        for at in (0..len).step_by(7) {
            let (mut local, mut remote) = world.pair();
            local.pump().unwrap();
            remote.receive(&drain(&mut local.net_out));
            let mut flight = remote.take();
            let Some(byte) = flight.get_mut(at) else {
                continue;
            };
            *byte ^= 0x55;
            local.feed(&flight);
            // A longer length or a longer message makes it wait: then the end comes.
            local.net_in.finish();
            let fault = local.pump().unwrap_err();
            assert!(
                matches!(
                    fault.reason,
                    Reason::Handshake | Reason::WrongProtocol | Reason::Certificate
                ),
                "at {at}: {fault:?}"
            );
        }
    }
}

#[test]
fn garbage_when_open_is_a_fault() {
    for garbage in [
        &b"HTTP/1.1 200 OK\r\n"[..],
        &[0; 32],
        &[23, 3, 3, 0xff, 0xff],
        &[23, 3, 3, 0, 1, 0],
    ] {
        let (mut local, _remote) = World::new().connected();
        local.feed(garbage);
        let fault = local.pump().unwrap_err();
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::PeerMisbehaved, Reason::Malformed)
        );
    }
}

/// A handshake message that claims more than is accepted, or that never ends.
#[test]
fn handshake_messages_are_bounded() {
    let (mut local, _) = World::new().pair();
    local.pump().unwrap();
    // Server hello of 0x020000 bytes.
    local.feed(&[22, 3, 3, 0, 4, 2, 2, 0, 0]);
    assert_eq!(local.pump().unwrap_err().reason, Reason::Handshake);

    let (mut local, _) = World::new().pair();
    local.pump().unwrap();
    // 60,000 bytes, announced, but one byte per record.
    local.feed(&[22, 3, 3, 0, 4, 2, 0, 0xea, 0x60]);
    let mut fed = 0;
    let fault = loop {
        local.feed(&[22, 3, 3, 0, 1, 0].repeat(100));
        fed += 600;
        assert!(fed < 1 << 20, "no bound");
        if let Err(fault) = local.pump() {
            break fault;
        }
    };
    // OpenSSL refuses the message by its announced length already.
    let expected = match BACKEND {
        Backend::Openssl => (Culprit::PeerMisbehaved, Reason::Handshake),
        _ => (Culprit::Limit, Reason::Malformed),
    };
    assert_eq!((fault.culprit, fault.reason), expected);
}

#[test]
fn an_alert_is_named() {
    let (mut local, _) = World::new().pair();
    local.pump().unwrap();
    local.feed(&[21, 3, 3, 0, 2, 2, 40]);
    let fault = local.pump().unwrap_err();
    assert_eq!(
        (fault.culprit, fault.reason),
        (Culprit::PeerIncompatible, Reason::Handshake)
    );
    assert!(fault.what.contains("HandshakeFailure"), "{}", fault.what);
}

#[test]
fn endless_empty_records_are_a_fault() {
    let (mut local, mut remote) = World::new().connected();
    remote.write(&pattern(10));
    settle(&mut local, &mut remote).unwrap();
    local.feed(&[20, 3, 3, 0, 1, 1].repeat(64));
    assert!(local.pump().is_err());
}
