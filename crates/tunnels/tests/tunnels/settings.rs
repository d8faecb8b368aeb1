//! What is refused before a connection is made, and what is never shown.

use sockless_core::{Culprit, Reason};
use sockless_tunnels::{Destination, Socks4, Socks5, UserPassword};

use crate::wire::{PROXY, assert_fault, login, name};

#[test]
fn credentials_that_cannot_be_sent() {
    let long = "x".repeat(256);
    let bad = ["", &long, "a\0b", "a\rb", "a\nb"];
    for (user, password) in bad
        .iter()
        .map(|bad| (*bad, "good"))
        .chain(bad.iter().map(|bad| ("good", *bad)))
    {
        let fault = UserPassword::new(user, password).expect_err("unusable");
        assert_fault(&fault, Culprit::Misuse, Reason::BadRequest, "the proxy's");
        assert!(fault.what.contains(match user {
            "good" => "password",
            _ => "user name",
        }));
        assert!(fault.remedy.is_some());
    }
    let longest = "x".repeat(255);
    assert!(UserPassword::new(&longest, &longest).is_ok());
    assert!(
        UserPassword::new([0xff, 0x80], [0xc3, 0x28]).is_ok(),
        "bytes"
    );
}

#[test]
fn user_ids_of_socks4_that_cannot_be_sent() {
    for bad in [&*"x".repeat(256), "a\0b", "a\r\n"] {
        let fault = Socks4::new(PROXY, name(), bad).expect_err("unusable");
        assert_fault(&fault, Culprit::Misuse, Reason::BadRequest, "user id");
    }
    assert!(Socks4::new(PROXY, name(), &"x".repeat(255)).is_ok());
}

#[test]
fn names_that_cannot_be_sent() {
    let long = "x".repeat(256);
    for bad in ["", &long, "a\0b", "a\rb", "a\nb", "a b", "b\u{fc}cher"] {
        let to = Destination::Name(bad.into(), 1);
        let by_socks5 = Socks5::new(PROXY, to.clone(), None).expect_err("unusable");
        let by_socks4 = Socks4::new(PROXY, to, "").expect_err("unusable");
        for fault in [by_socks5, by_socks4] {
            let says = "the destination's name";
            assert_fault(&fault, Culprit::Misuse, Reason::BadUrl, says);
        }
    }
    let longest = Destination::Name("x".repeat(255).into(), 1);
    assert!(Socks5::new(PROXY, longest, None).is_ok());
}

#[test]
fn a_proxys_name_that_would_break_an_error_in_two() {
    for result in [
        Socks5::new("a\nb", name(), None).map(drop),
        Socks4::new("a\nb", name(), "").map(drop),
    ] {
        let fault = result.expect_err("unusable");
        assert_fault(&fault, Culprit::Misuse, Reason::BadRequest, "control");
    }
}

#[test]
fn passwords_are_not_shown() {
    let filter = Socks5::new(PROXY, name(), Some(login())).expect("usable");
    let shown = format!("{:?} {filter:?}", login());
    assert!(shown.contains("alice") && shown.contains(PROXY), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}
