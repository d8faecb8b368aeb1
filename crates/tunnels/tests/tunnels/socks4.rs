//! SOCKS4 and SOCKS4a.

use sockless_core::{Buf, Culprit, Reason};
use sockless_tunnels::{Destination, Socks4};

use crate::wire::{PROXY, Wire, assert_fault, bytes, name};

fn wire(to: Destination, user: &str) -> Wire {
    Wire::new(Socks4::new(PROXY, to, user).expect("usable"))
}

const GRANTED: [u8; 8] = [0, 90, 4, 56, 192, 0, 2, 1];

#[test]
fn an_address_is_asked_for_as_it_is() {
    let mut wire = wire(Destination::new("192.0.2.7", 443), "alice");
    wire.goes_on(b"");
    assert_eq!(wire.sent(), b"\x04\x01\x01\xbb\xc0\x00\x02\x07alice\0");
    wire.leaves(&GRANTED);
    assert_eq!(
        wire.notes,
        ["socks4: the proxy has connected to 192.0.2.7:443"]
    );
}

#[test]
fn a_name_is_left_to_the_proxy() {
    let mut wire = wire(name(), "");
    wire.goes_on(b"");
    assert_eq!(wire.sent(), b"\x04\x01\x01\xbb\0\0\0\x01\0example.com\0");
    wire.leaves(&GRANTED);
}

#[test]
fn nothing_of_the_layers_above_goes_out_and_nothing_behind_the_answer_is_lost() {
    let mut wire = wire(name(), "");
    wire.app_out.push(Buf::from(&b"hello"[..]));
    wire.app_out.finish();
    wire.goes_on(b"");
    assert!(!wire.sent().ends_with(b"hello"));
    wire.leaves(&[&GRANTED[..], b"and more"].concat());
    assert_eq!(bytes(&mut wire.net_in), b"and more");
    assert_eq!((wire.sent(), wire.net_out.is_finished()), (vec![], false));
    assert_eq!(bytes(&mut wire.app_out), b"hello");
}

#[test]
fn it_waits_for_room_before_it_asks() {
    let mut wire = wire(name(), "");
    wire.net_out.set_limit(0);
    wire.goes_on(b"");
    assert!(wire.net_out.is_empty());
    wire.net_out.set_limit(1);
    wire.goes_on(b"");
    assert!(!wire.net_out.is_empty());
}

#[test]
fn refusals_say_what_to_do() {
    let table = [
        (91, Culprit::Transport, Reason::Proxy, "rejected or failed"),
        (92, Culprit::Policy, Reason::Authentication, "identd"),
        (93, Culprit::Policy, Reason::Authentication, "another user"),
    ];
    for (code, culprit, reason, says) in table {
        let mut wire = wire(name(), "");
        wire.goes_on(b"");
        let fault = wire.fails(&[0, code]);
        assert_fault(&fault, culprit, reason, says);
        assert!(fault.what.contains("example.com:443"), "{}", fault.what);
        assert!(fault.remedy.is_some());
    }
}

#[test]
fn an_unknown_code_is_the_proxys_fault() {
    let mut wire = wire(name(), "");
    wire.goes_on(b"");
    let fault = wire.fails(&[0, 0]);
    assert_fault(&fault, Culprit::PeerMisbehaved, Reason::Proxy, "code 0");
}

#[test]
fn a_wrong_version_is_named() {
    let mut wire = wire(name(), "");
    wire.goes_on(b"");
    let fault = wire.fails(&[4]);
    let says = "version 4, not 0";
    assert_fault(&fault, Culprit::PeerMisbehaved, Reason::Proxy, says);
}

#[test]
fn what_it_cannot_express_is_refused() {
    for (host, says) in [
        ("2001:db8::1", "knows no IPv6"),
        ("0.0.0.9", "a name to come"),
    ] {
        let fault = Socks4::new(PROXY, Destination::new(host, 1), "").expect_err("impossible");
        assert_fault(&fault, Culprit::PeerIncompatible, Reason::Proxy, says);
        assert!(fault.what.contains(host), "{}", fault.what);
        assert!(fault.remedy.is_some_and(|text| text.contains("SOCKS5")));
    }
}
