//! Logins, right and wrong.

use std::sync::Arc;

use russh::MethodKind;
use russh::keys::ssh_key::certificate::{Builder, CertType};
use sockless_core::{Answer, Ask, Culprit, Filter as _, Phase, Reason};
use sockless_ssh::login::Credentials;
use zeroize::Zeroizing;

use crate::server::{Manner, key, rsa_key};
use crate::world::{Known, Ring, World, alice, config};

fn only(method: MethodKind) -> Manner {
    Manner {
        methods: vec![method],
        ..Manner::default()
    }
}

fn lets_in(keys: &[&russh::keys::PrivateKey]) -> Manner {
    Manner {
        keys: keys.iter().map(|key| key.public_key().clone()).collect(),
        ..only(MethodKind::PublicKey)
    }
}

#[test]
fn a_password_lets_in() {
    let mut world = World::channels(alice(), only(MethodKind::Password));
    world.run();
    world.expect_open();
    assert_eq!(world.attempts(), ["none alice", "password alice"]);
}

#[test]
fn some_let_everybody_in() {
    let mut world = World::channels(Credentials::new("anyone"), Manner::default());
    world.run();
    world.expect_open();
    assert_eq!(world.attempts(), ["none anyone"]);
}

#[test]
fn keys_are_offered_one_after_another_and_only_the_right_one_signs() {
    let right = key(9);
    let ring = Ring::new([key(7), key(8), right.clone()]);
    let credentials = Credentials::new("alice").keys(Arc::new(ring));
    let mut world = World::channels(credentials, lets_in(&[&right]));
    world.run();
    world.expect_open();
    let expected = [
        "none alice",
        "offer unknown",
        "offer unknown",
        "offer known",
        "publickey alice",
    ];
    assert_eq!(world.attempts(), expected);
}

#[test]
fn a_signature_may_take_several_pumps() {
    let right = key(9);
    let ring = Ring {
        slow: 5,
        ..Ring::new([right.clone()])
    };
    let credentials = Credentials::new("alice").keys(Arc::new(ring));
    let mut world = World::channels(credentials, lets_in(&[&right]));
    world.run();
    assert_eq!(world.filter.phase(), Phase::Handshake);
    for _ in 0..10 {
        world.pump();
    }
    world.run();
    world.expect_open();
}

#[test]
fn a_key_that_cannot_sign_does_not_end_the_login() {
    let right = key(9);
    let ring = Ring {
        broken: true,
        ..Ring::new([right.clone()])
    };
    let credentials = alice().keys(Arc::new(ring));
    let manner = Manner {
        methods: vec![MethodKind::PublicKey, MethodKind::Password],
        ..lets_in(&[&right])
    };
    let mut world = World::channels(credentials, manner);
    world.run();
    world.expect_open();
    assert_eq!(
        world.attempts().last().map(String::as_str),
        Some("password alice")
    );
}

#[test]
fn rsa_signs_with_the_hash_that_the_peer_takes() {
    let right = rsa_key();
    let credentials = Credentials::new("alice").keys(Arc::new(Ring::new([right.clone()])));
    let mut world = World::channels(credentials, lets_in(&[&right]));
    world.run();
    world.expect_open();
}

#[test]
fn a_certificate_lets_in() {
    let (user, authority) = (key(9), key(10));
    let mut builder = Builder::new(
        [1; 32],
        user.public_key().key_data().clone(),
        0,
        u64::MAX - 1,
    )
    .expect("times");
    builder.serial(1).expect("once");
    builder.key_id("alice").expect("once");
    builder.cert_type(CertType::User).expect("once");
    builder.all_principals_valid().expect("once");
    let certificate = builder.sign(&authority).expect("a certificate");
    let ring = Ring {
        keys: vec![(user.clone(), Some(certificate))],
        ..Ring::new([])
    };
    let credentials = Credentials::new("alice").keys(Arc::new(ring));
    let mut world = World::channels(credentials, lets_in(&[&user]));
    world.run();
    world.expect_open();
    let attempts = world.attempts();
    assert!(
        attempts.contains(&"certificate alice".to_owned()),
        "{attempts:?}"
    );
}

#[test]
fn one_hidden_prompt_gets_the_password() {
    let mut world = World::channels(alice(), only(MethodKind::KeyboardInteractive));
    world.run();
    world.expect_open();
    let expected = ["none alice", "keyboard-interactive alice", "1 lines"];
    assert_eq!(world.attempts(), expected);
}

#[test]
fn other_prompts_are_the_applications() {
    let manner = Manner {
        prompts: vec![("Name: ", true, "Alice"), ("Code: ", false, "123456")],
        ..only(MethodKind::KeyboardInteractive)
    };
    let mut world = World::channels(alice().ask(), manner);
    world.run();
    let question = world.asked().expect("a question");
    let Ask::Prompts(prompts) = &question.ask else {
        panic!("{question:?}");
    };
    let texts = prompts
        .prompts
        .iter()
        .map(|prompt| (&prompt.text[..], prompt.echo));
    assert_eq!(
        texts.collect::<Vec<_>>(),
        [("Name: ", true), ("Code: ", false)]
    );
    assert_eq!(prompts.instruction, "instructions");
    let lines = ["Alice", "123456"].map(|line| Zeroizing::new(line.to_owned()));
    world.answer(&question, Answer::Texts(lines.to_vec()));
    world.run();
    world.expect_open();
}

#[test]
fn a_missing_password_is_asked_for_three_times_at_most() {
    let mut world = World::channels(Credentials::new("alice").ask(), only(MethodKind::Password));
    world.run();
    for _ in 0..3 {
        let question = world.asked().expect("a question");
        let wrong = Zeroizing::new("wrong".to_owned());
        world.answer(&question, Answer::Texts(vec![wrong]));
        world.run();
    }
    assert!(world.asked().is_none());
    assert_eq!(world.fault().reason, Reason::Authentication);
}

#[test]
fn who_does_not_answer_gives_up() {
    let mut world = World::channels(Credentials::new("alice").ask(), only(MethodKind::Password));
    world.run();
    let question = world.asked().expect("a question");
    world.answer(&question, Answer::None("nobody there".to_owned()));
    world.run();
    assert_eq!(world.fault().culprit, Culprit::Policy);
    assert!(world.net_out.at_end(), "the peer is told");
}

#[test]
fn two_factors_one_after_the_other() {
    let right = key(9);
    let manner = Manner {
        methods: vec![MethodKind::PublicKey],
        chain: vec![MethodKind::PublicKey, MethodKind::KeyboardInteractive],
        ..lets_in(&[&right])
    };
    let credentials = alice().keys(Arc::new(Ring::new([right])));
    let mut world = World::channels(credentials, manner);
    world.run();
    world.expect_open();
    let noted = world.notes.iter().any(|note| note.contains("also wants"));
    assert!(noted, "{:?}", world.notes);
}

#[test]
fn a_refusal_says_what_was_tried_and_what_is_allowed() {
    let manner = Manner {
        methods: vec![MethodKind::PublicKey, MethodKind::Password],
        ..Manner::default()
    };
    let credentials = Credentials::new("alice")
        .password("wrong")
        .keys(Arc::new(Ring::new([key(7)])));
    let mut world = World::channels(credentials, manner);
    world.run();
    let fault = world.fault();
    assert_eq!(fault.reason, Reason::Authentication);
    let expected = "alice@host: permission denied; the peer allows publickey, password; \
                    tried: a key in memory, password";
    assert_eq!(fault.what, expected);
    assert!(!fault.what.contains("wrong"), "no secret");
}

#[test]
fn methods_come_in_the_order_that_is_wanted() {
    let credentials = alice()
        .keys(Arc::new(Ring::new([key(7)])))
        .methods(["password", "publickey"]);
    let mut world = World::channels(credentials, Manner::default());
    world.run();
    world.expect_open();
    assert_eq!(world.attempts(), ["none alice", "password alice"]);
}

#[test]
fn an_unknown_host_key_is_asked_about() {
    for trusted in [true, false] {
        let other = Arc::new(Known(Vec::new()));
        let client = sockless_ssh::Config::new(alice(), other).build();
        let filter = client.expect("good settings").channels("host", 22);
        let mut world = World::new(filter.expect("a filter"), Manner::default());
        world.run();
        assert!(world.attempts().is_empty(), "nothing is said before");
        let question = world.asked().expect("a question");
        let Ask::PeerKey(peer) = &question.ask else {
            panic!("{question:?}");
        };
        assert_eq!((&peer.host[..], peer.port), ("host", 22));
        assert_eq!(peer.algorithm, "ssh-ed25519");
        assert!(peer.sha256.starts_with("SHA256:"));
        assert_eq!(peer.md5.len(), 47);
        world.answer(&question, if trusted { Answer::Yes } else { Answer::No });
        world.run();
        if trusted {
            world.expect_open();
        } else {
            assert_eq!(world.fault().reason, Reason::HostKey);
            assert!(world.attempts().is_empty(), "no credential was shown");
            assert!(world.server.seen.lock().expect("no panic").ended);
        }
    }
}

#[test]
fn nothing_in_common_names_both_sides() {
    let mut algorithms = sockless_ssh::Algorithms::default();
    algorithms.set(sockless_ssh::Kind::Cipher, "aes128-ctr");
    let client = config(alice()).algorithms(algorithms).build();
    let filter = client.expect("good settings").channels("host", 22);
    let mut manner = Manner::default();
    manner.preferred.cipher = vec![russh::cipher::CHACHA20_POLY1305].into();
    let mut world = World::new(filter.expect("a filter"), manner);
    world.run();
    let fault = world.fault();
    assert_eq!(fault.culprit, Culprit::PeerIncompatible);
    assert_eq!(
        fault.what,
        "no cipher algorithm in common: we offer aes128-ctr; the peer offers chacha20-poly1305@openssh.com"
    );
}

#[test]
fn an_algorithm_that_nobody_has_is_refused_at_once() {
    for (kind, name) in [
        (sockless_ssh::Kind::Cipher, "none"),
        (sockless_ssh::Kind::Cipher, "rot13"),
        (sockless_ssh::Kind::Mac, "none"),
        (sockless_ssh::Kind::HostKey, "ssh-none"),
    ] {
        let mut algorithms = sockless_ssh::Algorithms::default();
        algorithms.set(kind, name);
        let fault = config(alice()).algorithms(algorithms).build().unwrap_err();
        assert_eq!(fault.reason, Reason::BadRequest);
        assert!(fault.what.contains(name), "{}", fault.what);
    }
}

#[test]
fn strict_key_exchange_is_agreed_on() {
    let world = World::logged_in();
    let noted = world.notes.iter().any(|note| note.contains(", strict;"));
    assert!(noted, "{:?}", world.notes);
}

#[test]
fn a_banner_is_noted_and_a_longer_one_is_too_much() {
    let manner = Manner {
        banner: Some("no \u{1b}[31mtrespassing".to_owned()),
        ..Manner::default()
    };
    let mut world = World::channels(alice(), manner);
    world.run();
    world.expect_open();
    let noted = world
        .notes
        .iter()
        .any(|note| note.contains("no \\u{1b}[31mtrespassing"));
    assert!(noted, "{:?}", world.notes);

    // The second fits into a packet of libssh2's, the first does not.
    for (length, banner) in [(100_000, 64 * 1024), (2000, 1999)] {
        let manner = Manner {
            banner: Some("x".repeat(length)),
            ..Manner::default()
        };
        let tuning = sockless_ssh::Tuning {
            banner,
            ..sockless_ssh::Tuning::default()
        };
        let client = config(alice()).tuning(tuning).build();
        let filter = client.expect("good settings").channels("host", 22);
        let mut world = World::new(filter.expect("a filter"), manner);
        world.run();
        let fault = world.fault();
        assert_eq!(fault.culprit, Culprit::Limit, "{}", fault.what);
    }
}

/// What may be used without strict order, and what may not (CVE-2023-48795).
#[test]
fn without_strict_order_only_what_does_not_count_is_agreed_on() {
    for (cipher, mac, is_sound) in [
        (
            "aes256-gcm@openssh.com",
            "hmac-sha2-256-etm@openssh.com",
            true,
        ),
        ("aes256-ctr", "hmac-sha2-256", true),
        ("aes256-ctr", "hmac-sha2-256-etm@openssh.com", false),
        ("chacha20-poly1305@openssh.com", "hmac-sha2-256", false),
    ] {
        let mut algorithms = sockless_ssh::Algorithms::default();
        algorithms.set(sockless_ssh::Kind::Cipher, cipher);
        algorithms.set(sockless_ssh::Kind::Mac, mac);
        for strict in [true, false] {
            let client = config(alice()).algorithms(algorithms.clone()).build();
            let filter = client.expect("good settings").channels("host", 22);
            let mut manner = Manner::default();
            if !strict {
                manner.preferred.kex = vec![russh::kex::CURVE25519].into();
            }
            let mut world = World::new(filter.expect("a filter"), manner);
            world.run();
            if strict || is_sound {
                world.expect_open();
                continue;
            }
            let fault = world.fault();
            assert_eq!(fault.culprit, Culprit::PeerIncompatible);
            assert!(fault.what.contains(cipher), "{}", fault.what);
            assert!(fault.remedy.is_some_and(|it| it.contains("aes-gcm")));
            assert!(world.attempts().is_empty(), "no credential was shown");
        }
    }
}

#[test]
fn a_peer_that_ends_the_login_is_quoted() {
    let mut world = World::channels(Credentials::new("alice").ask(), only(MethodKind::Password));
    world.run();
    let reason = russh::Disconnect::ByApplication;
    world.server.disconnect(reason, "too many failures");
    world.run();
    let fault = world.fault();
    assert!(fault.what.contains("too many failures"), "{}", fault.what);
}

#[test]
fn an_application_that_ends_in_the_middle_ends_it_all() {
    for pumps in 0..12 {
        let mut world = World::channels(Credentials::new("alice").ask(), Manner::default());
        for _ in 0..pumps {
            world.pump();
            world.carry();
        }
        world.app_out.finish();
        world.run();
        assert!(world.fault.is_none(), "{:?}", world.fault);
        assert!(world.net_out.at_end());
    }
}
