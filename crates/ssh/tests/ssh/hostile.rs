//! Peers that break the protocol, the wire, or just off.

use sockless_core::{Buf, Culprit, Reason};
use sockless_ssh::message::Kind;

use crate::can;
use crate::server::Manner;
use crate::world::{World, alice};

fn fresh() -> World {
    World::channels(alice(), Manner::default())
}

/// What becomes of a connection whose peer says just that.
fn told(bytes: &[u8]) -> World {
    let mut world = fresh();
    world.net_in.push(Buf::from(bytes));
    for _ in 0..5 {
        world.pump();
        world.net_out.clear();
    }
    world
}

#[test]
fn another_protocol_is_not_ssh() {
    let page =
        "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n".to_owned() + &"<p>\r\n".repeat(99);
    let world = told(page.as_bytes());
    assert_eq!(world.fault().reason, Reason::WrongProtocol);
    let world = told(b"SSH-1.5-old\r\n");
    match can::WAIT_AFTER_OLD_VERSION {
        true => assert!(world.fault.is_none(), "more lines may follow"),
        false => assert_eq!(world.fault().reason, Reason::WrongProtocol),
    }
}

#[test]
fn a_megabyte_before_the_first_line_is_too_much() {
    let world = told(&[b'x'; 1_000_000]);
    assert_eq!(world.fault().reason, Reason::WrongProtocol);
    let lines = "please wait\r\n".repeat(80_000);
    assert_eq!(told(lines.as_bytes()).fault().reason, Reason::WrongProtocol);
}

#[test]
fn packets_of_false_length() {
    for length in [0_u32, 1, 0x0010_0000, u32::MAX] {
        let mut bytes = b"SSH-2.0-liar\r\n".to_vec();
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&[0; 100]);
        let world = told(&bytes);
        let fault = world.fault();
        assert_eq!(
            fault.culprit,
            Culprit::PeerMisbehaved,
            "{length}: {}",
            fault.what
        );
    }
}

/// A packet without encryption (RFC 4253 section 6).
fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 8 + (8 - (payload.len() + 5) % 8) % 8;
    let length = u32::try_from(1 + payload.len() + padding).expect("small");
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.push(padding as u8);
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len() + padding, 0);
    bytes
}

#[test]
fn messages_that_may_not_come_before_keys() {
    const NEWKEYS: &[u8] = &[21];
    const USERAUTH_SUCCESS: &[u8] = &[52];
    const CHANNEL_OPEN: &[u8] = &[90, 0, 0, 0, 1, b'x'];
    for payload in [NEWKEYS, USERAUTH_SUCCESS, CHANNEL_OPEN] {
        let mut bytes = b"SSH-2.0-early\r\n".to_vec();
        bytes.extend(packet(payload));
        bytes.extend(packet(payload));
        let mut world = told(&bytes);
        if world.fault.is_none() {
            // What it does not understand it may ignore; it lets nobody in by it.
            world.net_in.finish();
            world.pump();
        }
        assert!(world.fault.is_some());
        assert!(world.attempts().is_empty());
        assert!(world.messages.is_empty());
    }
}

/// Each flipped bit of a login and a command, at some places: never more than an error.
#[test]
fn a_changed_byte_is_noticed() {
    let length = conversation(usize::MAX);
    for place in (0..length).step_by(37) {
        conversation(place);
    }
}

/// Says how many bytes came; the one at `change` comes otherwise.
fn conversation(change: usize) -> usize {
    let mut world = fresh();
    world.put(1, Kind::Exec, b"say 1000");
    let mut arrived = 0;
    for _ in 0..40 {
        world.pump();
        while let Some(piece) = world.net_out.pop() {
            world.server.hear(&piece);
        }
        let (mut bytes, end) = world.server.speak();
        if let Some(at) = change.checked_sub(arrived)
            && let Some(byte) = bytes.get_mut(at)
        {
            *byte ^= 0x10;
        }
        arrived += bytes.len();
        if !world.net_in.is_finished() {
            world.net_in.push(Buf::from(&bytes[..]));
            if end {
                world.net_in.finish();
            }
        }
    }
    let heard = world.payload(1, Kind::Data);
    let right = crate::server::pattern(1000);
    if change == usize::MAX {
        assert_eq!(heard, right);
    } else if world.fault.is_none() && heard != right {
        // A length that was made larger waits for bytes that never come.
        world.net_in.finish();
        world.pump();
        assert!(world.fault.is_some(), "byte {change} of {arrived}");
    }
    assert!(
        right.starts_with(&heard),
        "byte {change}: nothing wrong is handed on"
    );
    arrived
}

#[test]
fn a_wrong_authentication_code_is_named() {
    let mut world = World::logged_in();
    world.put(1, Kind::Exec, b"say 100");
    world.pump();
    while let Some(piece) = world.net_out.pop() {
        world.server.hear(&piece);
    }
    let (mut bytes, _) = world.server.speak();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    world.net_in.push(Buf::from(&bytes[..]));
    world.pump();
    let fault = world.fault();
    assert_eq!(
        (fault.culprit, fault.reason),
        (Culprit::PeerMisbehaved, Reason::Malformed)
    );
    assert!(fault.what.contains("authentication code"), "{}", fault.what);
}

#[test]
fn an_end_in_the_middle_is_a_truncation() {
    for pumps in 0..12 {
        let mut world = fresh();
        world.put(1, Kind::Exec, b"cat");
        for _ in 0..pumps {
            world.pump();
            world.carry();
        }
        world.net_in.finish();
        world.pump();
        world.pump();
        assert_eq!(
            world.fault().reason,
            Reason::Truncated,
            "{}",
            world.fault().what
        );
    }
}
