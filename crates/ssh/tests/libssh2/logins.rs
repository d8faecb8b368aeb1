//! What libssh2 does not tell, and what takes somebody's time.

use std::sync::Arc;

use russh::MethodKind;
use sockless_core::{Answer, Ask, Buf, Culprit, Reason};
use sockless_ssh::Algorithms;
use sockless_ssh::login::Credentials;
use sockless_ssh::message::Kind;

use crate::server::{Manner, key, rsa_key};
use crate::world::{Ring, World, alice, config};

fn only(method: MethodKind) -> Manner {
    Manner {
        methods: vec![method],
        ..Manner::default()
    }
}

#[test]
fn prompts_wait_for_a_person() {
    let mut manner = only(MethodKind::KeyboardInteractive);
    manner.prompts = vec![("Name: ", true, "alice"), ("Code: ", false, "123")];
    let mut world = World::channels(Credentials::new("alice").ask(), manner);
    world.run();
    let question = world.asked().expect("a question");
    let Ask::Prompts(prompts) = &question.ask else {
        panic!("{question:?}");
    };
    assert_eq!(prompts.name, "name");
    assert_eq!(prompts.instruction, "instructions");
    let shown: Vec<_> = prompts
        .prompts
        .iter()
        .map(|it| (&*it.text, it.echo))
        .collect();
    assert_eq!(shown, [("Name: ", true), ("Code: ", false)]);
    // Time passes, and nothing is sent.
    world.run();
    assert_eq!(
        world.attempts(),
        ["none alice", "keyboard-interactive alice"]
    );
    let lines = ["alice", "123"].map(|line| line.to_owned().into());
    world.answer(&question, Answer::Texts(lines.into()));
    world.run();
    world.expect_open();
}

#[test]
fn a_dialogue_that_nobody_ends_is_no_leak_and_no_hang() {
    let manner = only(MethodKind::KeyboardInteractive);
    let mut world = World::channels(Credentials::new("alice").ask(), manner.clone());
    world.run();
    assert!(world.asked().is_some());
    drop(world);
    // The peer leaves in the middle of one.
    let mut world = World::channels(Credentials::new("alice").ask(), manner);
    world.run();
    world.net_in.finish();
    world.run();
    assert_eq!(world.fault().reason, Reason::Truncated);
}

#[test]
fn prompts_that_are_not_answered_end_the_login() {
    let manner = only(MethodKind::KeyboardInteractive);
    let mut world = World::channels(Credentials::new("alice").ask(), manner);
    world.run();
    let question = world.asked().expect("a question");
    world.answer(&question, Answer::None("no".to_owned()));
    world.run();
    assert_eq!(world.fault().reason, Reason::Authentication);
    assert_eq!(
        world.attempts(),
        ["none alice", "keyboard-interactive alice"]
    );
}

#[test]
fn an_agent_may_take_its_time() {
    let mut manner = only(MethodKind::PublicKey);
    manner.keys = vec![key(5).public_key().clone()];
    let mut ring = Ring::new([key(4), key(5)]);
    ring.slow = 3;
    let mut world = World::channels(Credentials::new("alice").keys(Arc::new(ring)), manner);
    for _ in 0..10 {
        world.run();
    }
    world.expect_open();
    let expected = [
        "none alice",
        "offer unknown",
        "offer known",
        "publickey alice",
    ];
    assert_eq!(world.attempts(), expected);
}

#[test]
fn a_key_that_cannot_sign_is_not_the_end() {
    let manner = Manner {
        keys: vec![key(5).public_key().clone()],
        methods: vec![MethodKind::PublicKey, MethodKind::Password],
        ..Manner::default()
    };
    let mut ring = Ring::new([key(5)]);
    ring.broken = true;
    let mut world = World::channels(alice().keys(Arc::new(ring)), manner);
    world.run();
    world.expect_open();
    let expected = ["none alice", "offer known", "password alice"];
    assert_eq!(world.attempts(), expected);
}

#[test]
fn rsa_keys_sign_with_sha_2() {
    let mut manner = only(MethodKind::PublicKey);
    let pair = rsa_key();
    manner.keys = vec![pair.public_key().clone()];
    let ring = Ring::new([pair]);
    let mut world = World::channels(Credentials::new("alice").keys(Arc::new(ring)), manner);
    world.run();
    world.expect_open();
}

#[test]
fn what_came_before_a_farewell_is_delivered() {
    let mut world = World::logged_in();
    world.put(1, Kind::Exec, b"tunnel");
    world.run();
    world.server.tell(b"last");
    world
        .server
        .disconnect(russh::Disconnect::ServiceNotAvailable, "closed for lunch");
    world.run();
    assert_eq!(world.payload(1, Kind::Data), b"last");
    let what = &world.fault().what;
    assert!(what.contains("closed for lunch"), "{what}");
}

#[test]
fn whoever_is_no_ssh_server_is_told_apart() {
    for (said, reason) in [
        (&b"SSH-1.5-old\r\n"[..], Reason::WrongProtocol),
        (&[b'x'; 70_000], Reason::WrongProtocol),
        (b"", Reason::Truncated),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Reason::Truncated),
    ] {
        let mut world = World::channels(alice(), Manner::default());
        world.net_in.push(Buf::from(said));
        world.net_in.finish();
        world.pump();
        world.pump();
        assert_eq!(world.fault().reason, reason, "{:?}", world.fault());
    }
}

#[test]
fn signs_of_life_cannot_be_asked_for_too_often() {
    let with = |millis| {
        let tuning = sockless_ssh::Tuning {
            keepalive: Some(std::time::Duration::from_millis(millis)),
            ..sockless_ssh::Tuning::default()
        };
        config(alice()).tuning(tuning).build()
    };
    assert_eq!(with(1999).unwrap_err().reason, Reason::BadRequest);
    assert!(with(2000).is_ok());
}

#[test]
fn algorithms_that_it_does_not_have_are_named() {
    let mut algorithms = Algorithms::default();
    algorithms.set(sockless_ssh::Kind::Cipher, "arcfour");
    let built = config(alice()).algorithms(algorithms).build();
    let fault = built.expect_err("it is not there");
    assert_eq!(fault.reason, Reason::BadRequest);
    assert!(fault.what.contains("aes128-ctr"), "{}", fault.what);
}

#[test]
fn both_lists_are_told_when_nothing_is_common() {
    let mut manner = Manner::default();
    manner.preferred.cipher = vec![russh::cipher::AES_256_GCM].into();
    let mut algorithms = Algorithms::default();
    algorithms.set(sockless_ssh::Kind::Cipher, "aes128-ctr");
    let client = config(alice()).algorithms(algorithms).build();
    let filter = client.expect("good settings").channels("host", 22);
    let mut world = World::new(filter.expect("a filter"), manner);
    world.run();
    assert_eq!(world.fault().culprit, Culprit::PeerIncompatible);
    let what = &world.fault().what;
    assert!(what.contains("we offer aes128-ctr"), "{what}");
    assert!(
        what.contains("the peer offers aes256-gcm@openssh.com"),
        "{what}"
    );
}

#[test]
fn two_factors_are_found_by_asking_again() {
    let mut manner = only(MethodKind::PublicKey);
    manner.chain = vec![MethodKind::PublicKey, MethodKind::Password];
    manner.keys = vec![key(5).public_key().clone()];
    let ring = Ring::new([key(5)]);
    let mut world = World::channels(alice().keys(Arc::new(ring)), manner);
    world.run();
    assert!(
        world.notes.iter().any(|note| note.contains("also wants")),
        "{:?} {:?}",
        world.notes,
        world.attempts()
    );
}

#[test]
fn the_banner_is_a_note() {
    let mut manner = only(MethodKind::Password);
    manner.banner = Some("Be good\x1b[31m".to_owned());
    let mut world = World::channels(alice(), manner);
    world.run();
    world.expect_open();
    let banner = world.notes.iter().find(|note| note.starts_with("banner"));
    assert_eq!(banner.expect("a banner"), "banner: Be good\\u{1b}[31m");
    assert_eq!(world.attempts(), ["none alice", "password alice"]);
}

#[test]
fn many_megabytes_pass_both_ways_while_nobody_reads_the_errors() {
    let mut world = World::logged_in();
    world.put(1, Kind::Exec, b"say 20000000");
    world.put(2, Kind::Exec, b"complain");
    world.put(3, Kind::Exec, b"die");
    world.put(4, Kind::Exec, b"unheard of");
    world.run();
    assert!(world.fault.is_none(), "{:?}", world.fault);
    assert_eq!(
        world.payload(1, Kind::Data),
        crate::server::pattern(20_000_000)
    );
    assert_eq!(world.payload(2, Kind::Stderr), b"no such thing");
    assert_eq!(world.payload(2, Kind::ExitStatus), [0, 0, 0, 3]);
    assert_eq!(world.payload(3, Kind::ExitSignal), b"TERM");
    assert_eq!(world.kinds(4), [Kind::Refused]);
}
