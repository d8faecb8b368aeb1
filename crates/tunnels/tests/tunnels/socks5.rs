//! SOCKS5 without a security context.

use sockless_core::{Buf, Culprit, Phase, Reason};
use sockless_tunnels::{Destination, Socks5};

use crate::wire::{GRANTED, PROXY, Wire, assert_fault, bytes, login, name, requested, socks5};

fn with_login() -> Wire {
    Wire::new(Socks5::new(PROXY, name(), Some(login())).expect("usable"))
}

#[test]
fn without_credentials_only_none_is_offered() {
    let mut wire = Wire::new(socks5(name()));
    wire.goes_on(b"");
    assert_eq!(wire.sent(), [5, 1, 0]);
    wire.goes_on(&[5, 0]);
    assert_eq!(wire.sent(), b"\x05\x01\0\x03\x0bexample.com\x01\xbb");
    wire.leaves(&GRANTED);
    assert_eq!(
        wire.notes,
        [
            "socks5: authentication: none",
            "socks5: the proxy has connected to example.com:443"
        ]
    );
}

#[test]
fn user_name_and_password_are_said_when_they_are_asked_for() {
    let mut wire = with_login();
    wire.goes_on(b"");
    assert_eq!(wire.sent(), [5, 2, 0, 2]);
    wire.goes_on(&[5, 2]);
    assert_eq!(wire.sent(), b"\x01\x05alice\x06secret");
    wire.goes_on(&[1, 0]);
    assert_eq!(wire.sent(), b"\x05\x01\0\x03\x0bexample.com\x01\xbb");
    wire.leaves(&GRANTED);
}

#[test]
fn a_proxy_that_wants_no_password_gets_none() {
    let mut wire = with_login();
    wire.goes_on(b"");
    wire.sent();
    wire.goes_on(&[5, 0]);
    assert!(wire.sent().starts_with(&[5, 1, 0]));
    wire.leaves(&GRANTED);
}

#[test]
fn a_verdict_under_socks_own_version_counts() {
    let mut wire = with_login();
    wire.goes_on(b"");
    wire.goes_on(&[5, 2]);
    wire.goes_on(&[5, 0]);
    wire.leaves(&GRANTED);
}

#[test]
fn a_refused_password_is_an_authentication_error_without_it() {
    let mut wire = with_login();
    wire.goes_on(b"");
    wire.goes_on(&[5, 2]);
    let fault = wire.fails(&[1, 1]);
    assert_fault(&fault, Culprit::Policy, Reason::Authentication, "password");
    assert!(!fault.what.contains("secret") && fault.remedy.is_some());
}

#[test]
fn no_common_method_names_what_was_offered() {
    for (login, offered, helps) in [
        (None, "(none)", "user name and password"),
        (Some(login()), "(none, user name and password)", "which"),
    ] {
        let mut wire = Wire::new(Socks5::new(PROXY, name(), login).expect("usable"));
        wire.goes_on(b"");
        let fault = wire.fails(&[5, 0xff]);
        let reason = Reason::Authentication;
        assert_fault(&fault, Culprit::PeerIncompatible, reason, offered);
        assert!(fault.remedy.is_some_and(|remedy| remedy.contains(helps)));
    }
}

#[test]
fn addresses_go_out_as_addresses() {
    let table: [(&str, &[u8]); 2] = [
        ("192.0.2.7", b"\x05\x01\0\x01\xc0\0\x02\x07\x01\xbb"),
        (
            "2001:db8::7",
            b"\x05\x01\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x01\xbb",
        ),
    ];
    for (host, request) in table {
        // A literal address in a name's place too.
        for to in [
            Destination::new(host, 443),
            Destination::Name(host.into(), 443),
        ] {
            let mut wire = Wire::new(socks5(to));
            wire.goes_on(b"");
            wire.sent();
            wire.goes_on(&[5, 0]);
            assert_eq!(wire.sent(), request);
        }
    }
}

#[test]
fn the_bound_address_is_passed_over_whatever_its_type() {
    let replies: [&[u8]; 4] = [
        &GRANTED,
        b"\x05\0\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x01\xbb",
        b"\x05\0\0\x03\x05there\x01\xbb",
        b"\x05\0\0\x03\0\x01\xbb",
    ];
    for reply in replies {
        for at in 0..=reply.len() {
            let mut wire = requested(name());
            wire.app_out.push(Buf::from(&b"hello"[..]));
            if at < reply.len() {
                wire.goes_on(&reply[..at]);
                wire.leaves(&[&reply[at..], b"more"].concat());
            } else {
                wire.leaves(&[reply, b"more"].concat());
            }
            assert_eq!(bytes(&mut wire.net_in), b"more", "split at {at}");
            assert_eq!(wire.sent(), b"");
            assert_eq!(bytes(&mut wire.app_out), b"hello");
        }
    }
}

#[test]
fn each_refusal_has_its_words_and_its_remedy() {
    let table = [
        (1, Culprit::Transport, "general failure"),
        (2, Culprit::Policy, "rules do not allow"),
        (3, Culprit::Transport, "network is unreachable"),
        (4, Culprit::Transport, "host is unreachable"),
        (5, Culprit::Transport, "connection refused by the target"),
        (6, Culprit::Transport, "time to live expired"),
        (7, Culprit::PeerIncompatible, "command CONNECT"),
        (8, Culprit::PeerIncompatible, "type of address"),
    ];
    for (code, culprit, says) in table {
        // Whole, and cut off behind the code.
        for reply in [&[5, code][..], &[5, code, 0, 1, 0, 0, 0, 0, 0, 0]] {
            let mut wire = requested(name());
            let fault = wire.fails(reply);
            assert_fault(&fault, culprit, Reason::Proxy, says);
            assert!(fault.what.contains("example.com:443"), "{}", fault.what);
            assert!(fault.remedy.is_some());
        }
    }
}

#[test]
fn it_is_in_its_handshake_until_it_leaves() {
    let wire = requested(name());
    assert_eq!(wire.filter.layer(), "socks5");
    assert_eq!(wire.filter.phase(), Phase::Handshake);
    assert_eq!(wire.filter.min(&wire.net_in, 9000), 1);
}
