//! Proxies that lie, speak something else, or go away.

use sockless_core::{Culprit, Fault, Reason, Status};
use sockless_tunnels::{Socks4, Socks5};

use crate::wire::{GRANTED, PROXY, Wire, assert_fault, login, name, requested, socks5};

#[track_caller]
fn misbehaved(fault: &Fault, says: &str) {
    assert_fault(fault, Culprit::PeerMisbehaved, Reason::Proxy, says);
}

fn greeted() -> Wire {
    let mut wire = Wire::new(Socks5::new(PROXY, name(), Some(login())).expect("usable"));
    wire.goes_on(b"");
    wire
}

#[test]
fn a_wrong_version_in_the_greeting() {
    misbehaved(&greeted().fails(&[4]), "version 4, not 5");
}

#[test]
fn a_wrong_version_in_the_verdict() {
    let mut wire = greeted();
    wire.goes_on(&[5, 2]);
    misbehaved(&wire.fails(&[0]), "version 0, not 1");
}

#[test]
fn a_wrong_version_in_the_reply() {
    misbehaved(&requested(name()).fails(&[1]), "version 1, not 5");
}

#[test]
fn a_method_that_was_not_offered() {
    let mut wire = Wire::new(socks5(name()));
    wire.goes_on(b"");
    misbehaved(&wire.fails(&[5, 2]), "method 2, which was not offered");
    assert_eq!(wire.sent(), [5, 1, 0], "and nothing about a user");
}

#[test]
fn a_method_that_nobody_knows() {
    misbehaved(&greeted().fails(&[5, 0x80]), "method 128");
}

#[test]
fn an_unknown_reply_code() {
    misbehaved(&requested(name()).fails(&[5, 9]), "unknown code 9");
}

#[test]
fn an_unknown_type_of_address() {
    let fault = requested(name()).fails(&[5, 0, 0, 2]);
    misbehaved(&fault, "unknown type 2");
}

#[test]
fn a_length_beyond_what_comes() {
    let mut wire = requested(name());
    wire.goes_on(b"\x05\0\0\x03\xffshort");
    misbehaved(&wire.fails_at_end(), "instead of answering the request");
}

#[test]
fn an_end_at_every_place() {
    let script: [(&[u8], &str); 3] = [
        (&[5, 2], "choosing a method"),
        (&[1, 0], "accepting the password"),
        (&GRANTED, "answering the request"),
    ];
    let whole: Vec<u8> = script.iter().flat_map(|(part, _)| part.to_vec()).collect();
    for at in 0..whole.len() {
        let mut wire = greeted();
        wire.goes_on(&whole[..at]);
        let mut end = 0;
        let (_, instead_of) = script
            .iter()
            .find(|(part, _)| {
                end += part.len();
                at < end
            })
            .expect("it is in one of them");
        let fault = wire.fails_at_end();
        misbehaved(&fault, instead_of);
        assert!(fault.what.contains("closed the connection"));
        assert!(fault.remedy.is_some());
    }
}

#[test]
fn an_end_of_socks4_at_every_place() {
    for at in 0..8 {
        let mut wire = Wire::new(Socks4::new(PROXY, name(), "").expect("usable"));
        wire.goes_on(&[0, 90, 0, 0, 0, 0, 0, 0][..at]);
        misbehaved(&wire.fails_at_end(), "instead of answering");
    }
}

#[test]
fn an_end_behind_the_answer_is_the_layers_above() {
    let mut wire = requested(name());
    wire.net_in.push(GRANTED[..].into());
    wire.net_in.finish();
    assert_eq!(wire.pump().expect("sound"), Status::Leave);
    assert!(wire.net_in.at_end());
}

#[test]
fn http_instead_of_socks() {
    let http = "the proxy speaks HTTP, not SOCKS";
    let wires: [fn() -> Wire; 3] = [
        greeted,
        || requested(name()),
        || Wire::new(Socks4::new(PROXY, name(), "").expect("usable")),
    ];
    for make in wires {
        let fault = make().fails(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        assert_fault(&fault, Culprit::PeerIncompatible, Reason::Proxy, http);
        assert!(fault.remedy.is_some_and(|text| text.contains("HTTP proxy")));
        let mut trickling = make();
        trickling.goes_on(b"HT");
        let fault = trickling.fails(b"TP/");
        assert_fault(&fault, Culprit::PeerIncompatible, Reason::Proxy, http);
        let mut cut = make();
        cut.goes_on(b"HT");
        let fault = cut.fails_at_end();
        assert_fault(&fault, Culprit::PeerIncompatible, Reason::Proxy, http);
        misbehaved(&make().fails(b"Hello"), "version 72");
    }
}

#[test]
fn garbage_of_any_first_byte() {
    for first in (0..=255).filter(|byte| !matches!(byte, 5 | b'H')) {
        misbehaved(&greeted().fails(&[first; 3000]), "version");
    }
}
