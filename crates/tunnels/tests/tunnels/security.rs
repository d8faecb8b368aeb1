//! SOCKS5 with a security context (RFC 1961).

use sockless_core::conformance::Peer;
use sockless_core::{Buf, Culprit, Phase, Reason, SecurityContext, Status};
use sockless_tunnels::{Protection, Socks5};

use crate::seal::{Proxy, Script, Seal, frame};
use crate::wire::{GRANTED, PROXY, Wire, assert_fault, bytes, login, name, socks5};

const REQUEST: &[u8] = b"\x05\x01\0\x03\x0bexample.com\x01\xbb";

fn secured(script: Script, at_least: Protection) -> Wire {
    let context = Box::new(Seal::new(script));
    Wire::new(socks5(name()).security(context, at_least))
}

/// A filter whose context is established and whose level is named, and the proxy's end.
fn established(at_least: Protection) -> (Wire, Seal) {
    let script = Script {
        rounds: 1,
        ..Script::default()
    };
    let mut wire = secured(script, at_least);
    wire.goes_on(b"");
    wire.goes_on(&[5, 1]);
    wire.goes_on(&frame(1, &Seal::answer(0)));
    wire.sent();
    let mut seal = Seal::new(script);
    // Its level is the first message that both ends have wrapped.
    let level = Seal::new(script).sealed(&[0], false);
    seal.unwrap(&level, &mut Vec::new()).expect("the same");
    (wire, seal)
}

/// A filter through which bytes pass, and the proxy.
fn through(at_least: Protection) -> (Wire, Proxy) {
    let level = match at_least {
        Protection::Confidentiality => 2,
        _ => 1,
    };
    let mut wire = secured(Script::default(), at_least);
    let mut proxy = Proxy::new(Script::default(), level);
    while wire.filter.phase() == Phase::Handshake {
        assert_eq!(wire.pump().expect("sound"), Status::Stay);
        proxy.hear(&wire.sent());
        wire.net_in.push(Buf::from(proxy.speak()));
    }
    (wire, proxy)
}

#[test]
fn only_what_protects_is_offered() {
    for (login, at_least, methods) in [
        (None, Protection::Confidentiality, &[1][..]),
        (Some(login()), Protection::Integrity, &[1]),
        (None, Protection::None, &[1, 0]),
        (Some(login()), Protection::None, &[1, 0, 2]),
    ] {
        let context = Box::new(Seal::new(Script::default()));
        let socks = Socks5::new(PROXY, name(), login).expect("usable");
        let mut wire = Wire::new(socks.security(context, at_least));
        wire.goes_on(b"");
        assert_eq!(wire.sent(), [&[5, methods.len() as u8], methods].concat());
    }
}

#[test]
fn what_passes_is_wrapped_both_ways_and_the_filter_stays() {
    for at_least in [Protection::Integrity, Protection::Confidentiality] {
        let (mut wire, mut proxy) = through(at_least);
        assert_eq!(wire.filter.phase(), Phase::Open);
        wire.app_out.push(Buf::from(&b"up"[..]));
        let down = proxy.wrapped(b"down");
        wire.net_in.push(Buf::from(down));
        assert_eq!(wire.pump().expect("sound"), Status::Stay);
        assert_eq!(bytes(&mut wire.app_in), b"down");
        let sent = wire.sent();
        let readable = sent.windows(2).any(|two| two == b"up");
        assert_eq!(readable, at_least == Protection::Integrity);
        proxy.hear(&sent);
        assert_eq!(proxy.received(), b"up");
        let note = format!("socks5: authenticated by Seal, protection: {at_least:?}");
        assert!(wire.notes.contains(&note), "{:?}", wire.notes);
    }
}

#[test]
fn without_protection_it_leaves_and_nothing_is_wrapped() {
    let (mut wire, mut seal) = established(Protection::None);
    wire.goes_on(&frame(2, &seal.sealed(&[0], false)));
    assert_eq!(wire.sent(), REQUEST);
    wire.leaves(&[&GRANTED[..], b"more"].concat());
    assert_eq!(bytes(&mut wire.net_in), b"more");
}

#[test]
fn a_proxy_may_do_without_where_no_protection_is_required() {
    let mut wire = secured(Script::default(), Protection::None);
    wire.goes_on(b"");
    wire.sent();
    wire.goes_on(&[5, 0]);
    assert_eq!(wire.sent(), REQUEST);
    wire.leaves(&GRANTED);
}

#[test]
fn a_proxy_may_not_do_without_where_protection_is_required() {
    let mut wire = secured(Script::default(), Protection::Integrity);
    wire.goes_on(b"");
    let fault = wire.fails(&[5, 0]);
    let says = "method 0, which was not offered";
    assert_fault(&fault, Culprit::PeerMisbehaved, Reason::Proxy, says);
}

#[test]
fn less_protection_than_required_is_refused_and_more_is_taken() {
    use Protection::{Confidentiality, Integrity, None};
    for (at_least, level, taken) in [
        (Confidentiality, 0, false),
        (Confidentiality, 1, false),
        (Integrity, 0, false),
        (Integrity, 2, true),
        (None, 1, true),
        (None, 2, true),
    ] {
        let (mut wire, mut seal) = established(at_least);
        let answer = frame(2, &seal.sealed(&[level], false));
        if !taken {
            let fault = wire.fails(&answer);
            assert_fault(&fault, Culprit::Policy, Reason::Proxy, "is required");
            assert!(fault.remedy.is_some());
            continue;
        }
        wire.goes_on(&answer);
        let request = wire.sent();
        assert_eq!(request[..2], [1, 3]);
        let mut plain = Vec::new();
        let confidential = seal.unwrap(&request[4..], &mut plain).expect("sound");
        assert_eq!((plain.as_slice(), confidential), (REQUEST, level == 2));
    }
}

/// NEC's reference implementation: the level is a byte as it is, and what follows is wrapped.
#[test]
fn levels_in_the_clear_are_taken_only_as_high_as_required() {
    use Protection::{Confidentiality, Integrity, None};
    for (at_least, level, taken) in [
        (Confidentiality, 2, true),
        (Confidentiality, 1, false),
        (Integrity, 2, true),
        (Integrity, 0, false),
        (None, 1, true),
        (None, 0, true),
    ] {
        let context = Box::new(Seal::new(Script::default()));
        let socks = socks5(name()).security(context, at_least);
        let mut wire = Wire::new(socks.levels_in_the_clear());
        wire.goes_on(b"");
        wire.goes_on(&[5, 1]);
        let mut round = 0;
        let ours = [0, 1, 2][at_least as usize];
        while !wire.sent().ends_with(&[1, 2, 0, 1, ours]) {
            wire.goes_on(&frame(1, &Seal::answer(round)));
            round += 1;
        }
        if !taken {
            let fault = wire.fails(&frame(2, &[level]));
            assert_fault(&fault, Culprit::Policy, Reason::Proxy, "is required");
            continue;
        }
        wire.goes_on(&frame(2, &[level]));
        let wrapped = wire.sent() != REQUEST;
        assert_eq!(wrapped, level > 0, "{at_least:?} {level}");
        let note = "agreed on in the clear";
        assert!(
            wire.notes.iter().any(|have| have.ends_with(note)),
            "{:?}",
            wire.notes
        );
    }
}

/// A level that is wrapped is none to a filter that expects it in the clear, and the other way round.
#[test]
fn a_level_in_the_clear_is_refused_where_it_has_to_be_protected() {
    let (mut wire, _) = established(Protection::None);
    let fault = wire.fails(&frame(2, &[0]));
    assert_eq!(fault.culprit, Culprit::PeerMisbehaved);
}

#[test]
fn a_level_that_is_none() {
    for (level, says) in [
        (&[3][..], "unknown level of protection 3"),
        (&[], "not one byte"),
        (&[1, 1], "not one byte"),
    ] {
        let (mut wire, mut seal) = established(Protection::Integrity);
        let fault = wire.fails(&frame(2, &seal.sealed(level, false)));
        assert_fault(&fault, Culprit::PeerMisbehaved, Reason::Proxy, says);
    }
}

#[test]
fn an_abort_of_the_proxy() {
    let reason = Reason::Authentication;
    let says = "refuses the security context";
    let mut wire = secured(Script::default(), Protection::Integrity);
    wire.goes_on(b"");
    wire.goes_on(&[5, 1]);
    let fault = wire.fails(&[1, 0xff]);
    assert_fault(&fault, Culprit::Policy, reason, says);
    let (mut wire, _) = established(Protection::Integrity);
    let fault = wire.fails(&[1, 0xff, 0, 0]);
    assert_fault(&fault, Culprit::Policy, reason, says);
}

#[test]
fn a_message_of_another_type() {
    let (mut wire, mut seal) = established(Protection::Integrity);
    let fault = wire.fails(&frame(3, &seal.sealed(&[1], false)));
    let says = "type 3, not 2";
    assert_fault(&fault, Culprit::PeerMisbehaved, Reason::Proxy, says);
}

#[test]
fn a_context_without_end() {
    let script = Script {
        rounds: 1000,
        ..Script::default()
    };
    let mut wire = secured(script, Protection::Integrity);
    wire.goes_on(b"");
    wire.goes_on(&[5, 1]);
    for number in 0..15 {
        wire.goes_on(&frame(1, &Seal::answer(number)));
    }
    let fault = wire.fails(&frame(1, &Seal::answer(15)));
    let says = "after 16 tokens";
    assert_fault(&fault, Culprit::Limit, Reason::Authentication, says);
}

#[test]
fn tokens_are_bounded_by_their_length_field() {
    let mut script = Script::default();
    for (token, fits) in [(0xffff, true), (0x1_0000, false)] {
        script.token = token;
        let mut wire = secured(script, Protection::Integrity);
        wire.goes_on(b"");
        wire.sent();
        if fits {
            wire.goes_on(&[5, 1]);
            assert_eq!(wire.sent().len(), 4 + 0xffff);
        } else {
            let fault = wire.fails(&[5, 1]);
            assert_fault(&fault, Culprit::Limit, Reason::Proxy, "64 KiB");
        }
    }
}

#[test]
fn a_contexts_own_failure_names_the_proxy() {
    let mut wire = secured(Script::default(), Protection::Integrity);
    wire.goes_on(b"");
    wire.goes_on(&[5, 1]);
    let fault = wire.fails(&frame(1, b"somebody else"));
    let says = "this is not the service";
    assert_fault(
        &fault,
        Culprit::PeerMisbehaved,
        Reason::Authentication,
        says,
    );
    assert_eq!(fault.remedy, Some("call it"));
}

#[test]
fn what_lies_behind_the_reply_in_its_message_goes_up() {
    let (mut wire, mut seal) = established(Protection::Confidentiality);
    wire.app_in.set_limit(1);
    wire.goes_on(&frame(2, &seal.sealed(&[2], false)));
    let reply = seal.sealed(&[&GRANTED[..], b"first"].concat(), true);
    let next = seal.sealed(b" and second", true);
    let both = [frame(3, &reply), frame(3, &next)].concat();
    wire.net_in.push(Buf::from(both));
    let mut got = Vec::new();
    for _ in 0..3 {
        assert_eq!(wire.pump().expect("sound"), Status::Stay);
        got.extend(bytes(&mut wire.app_in));
    }
    assert_eq!(got, b"first and second");
}

#[test]
fn a_reply_in_many_messages_counts() {
    let (mut wire, mut seal) = established(Protection::Integrity);
    wire.goes_on(&frame(2, &seal.sealed(&[1], false)));
    for byte in &GRANTED[..9] {
        wire.goes_on(&frame(3, &seal.sealed(&[*byte], false)));
    }
    wire.net_in
        .push(Buf::from(frame(3, &seal.sealed(&GRANTED[9..], false))));
    assert_eq!(wire.pump().expect("sound"), Status::Stay);
    assert_eq!(wire.filter.phase(), Phase::Open);
}

#[test]
fn a_refusal_inside_the_context_is_read() {
    let (mut wire, mut seal) = established(Protection::Integrity);
    wire.goes_on(&frame(2, &seal.sealed(&[1], false)));
    let fault = wire.fails(&frame(3, &seal.sealed(&[5, 5], false)));
    let says = "refused by the target";
    assert_fault(&fault, Culprit::Transport, Reason::Proxy, says);
}

#[test]
fn a_message_that_was_tampered_with_comes_after_those_before_it() {
    let (mut wire, mut proxy) = through(Protection::Confidentiality);
    let good = proxy.wrapped(b"good");
    let mut bad = proxy.wrapped(b"bad!");
    *bad.last_mut().expect("not empty") ^= 1;
    wire.net_in.push(Buf::from([good, bad].concat()));
    let fault = wire.pump().expect_err("a broken seal");
    assert_fault(&fault, Culprit::PeerMisbehaved, Reason::Malformed, "seal");
    assert_eq!(bytes(&mut wire.app_in), b"good");
}

#[test]
fn a_message_that_is_not_confidential_is_refused_where_that_was_agreed_on() {
    let (mut wire, mut proxy) = through(Protection::Confidentiality);
    let open = frame(3, &proxy.seal.sealed(b"readable", false));
    let fault = wire.fails(&open);
    let says = "without confidentiality";
    assert_fault(&fault, Culprit::PeerMisbehaved, Reason::Proxy, says);
}

#[test]
fn an_end_between_messages_is_an_end_and_one_within_is_none() {
    let (mut wire, mut proxy) = through(Protection::Integrity);
    let message = proxy.wrapped(b"the last");
    wire.net_in.push(Buf::from(message));
    wire.net_in.finish();
    assert_eq!(wire.pump().expect("sound"), Status::Stay);
    assert_eq!(bytes(&mut wire.app_in), b"the last");
    assert!(wire.app_in.at_end());
    wire.app_out.push(Buf::from(&b"still"[..]));
    wire.app_out.finish();
    assert_eq!(wire.pump().expect("sound"), Status::Stay);
    proxy.hear(&wire.sent());
    assert_eq!(proxy.received(), b"still");
    assert!(wire.net_out.at_end());

    let (mut wire, mut proxy) = through(Protection::Integrity);
    let message = proxy.wrapped(b"the last");
    wire.net_in.push(Buf::from(&message[..message.len() - 1]));
    let fault = wire.fails_at_end();
    let says = "middle of a wrapped message";
    assert_fault(&fault, Culprit::PeerMisbehaved, Reason::Truncated, says);
    assert!(!wire.app_in.is_finished());
}

#[test]
fn much_goes_out_in_messages_of_16_kib() {
    let (mut wire, mut proxy) = through(Protection::Confidentiality);
    wire.net_out.set_limit(1 << 20);
    wire.app_out.push(Buf::from(vec![7; 100_000]));
    assert_eq!(wire.pump().expect("sound"), Status::Stay);
    let sent = wire.sent();
    assert_eq!(sent[..4], [1, 3, 0x40, 9]);
    proxy.hear(&sent);
    assert_eq!(proxy.received(), vec![7; 100_000]);
}

#[test]
fn the_longest_message_is_taken() {
    let (mut wire, mut proxy) = through(Protection::Confidentiality);
    let plain = vec![3; 0xffff - 9];
    let message = proxy.wrapped(&plain);
    let (first, rest) = message.split_at(4);
    wire.net_in.push(Buf::from(first));
    assert_eq!(wire.pump().expect("sound"), Status::Stay);
    assert_eq!(wire.filter.min(&wire.net_in, 1), 0xffff, "the rest of it");
    wire.net_in.push(Buf::from(rest));
    assert_eq!(wire.pump().expect("sound"), Status::Stay);
    assert_eq!(bytes(&mut wire.app_in), plain);
    assert_eq!(wire.filter.min(&wire.net_in, 500), 500, "at least as many");
}
