//! Logins with keys from files, and host keys by known_hosts.

use std::sync::Arc;

use russh::keys::PublicKey;
use sockless_core::{Answer, Ask, Reason};
use sockless_ssh::Config;
use sockless_ssh::keys::{Certificate, Identities, Identity, KeyFile, read_public};
use sockless_ssh::known_hosts::{HostKeyRules, KnownHosts, Policy, new_line};
use sockless_ssh::login::Credentials;
use zeroize::Zeroizing;

use crate::server::{Manner, host_key};
use crate::world::{World, alice};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/keys/", $name)).as_slice()
    };
}

fn identity(name: &str, text: &[u8]) -> Identity {
    let file = KeyFile::new(name, text);
    Identity::from_file(file, None, None).expect("it is a key")
}

fn knows(key: &Identity) -> Manner {
    Manner {
        keys: vec![PublicKey::from_bytes(key.public()).expect("a key")],
        ..Manner::default()
    }
}

fn with(identities: Identities, manner: Manner) -> World {
    let credentials = Credentials::new("alice").keys(Arc::new(identities));
    World::channels(credentials, manner)
}

#[test]
fn keys_of_all_types_log_in_after_those_that_the_peer_does_not_know() {
    for (name, text) in [
        ("rsa", fixture!("rsa_pkcs1")),
        ("ecdsa256", fixture!("ecdsa256_sec1")),
        ("ecdsa384", fixture!("ecdsa384_pkcs8")),
        ("ecdsa521", fixture!("ecdsa521")),
        ("ed25519", fixture!("ed25519_pkcs8")),
    ] {
        let mut identities = Identities::new();
        identities.keys = vec![
            identity("unknown", fixture!("ed25519")),
            identity(name, text),
        ];
        let manner = knows(&identities.keys[1]);
        let mut world = with(identities, manner);
        world.run();
        world.expect_open();
        assert_eq!(
            world.attempts(),
            [
                "none alice",
                "offer unknown",
                "offer known",
                "publickey alice"
            ],
            "{name}"
        );
    }
}

#[test]
fn a_certificate_is_offered_before_its_key() {
    let mut identities = Identities::new();
    identities.keys = vec![identity("rsa", fixture!("rsa"))];
    let certificate = Certificate::read("certificate", fixture!("rsa-cert.pub"));
    identities.certificates = vec![certificate.expect("it is one")];
    let manner = knows(&identities.keys[0]);
    let mut world = with(identities, manner);
    world.run();
    world.expect_open();
    assert_eq!(
        world.attempts(),
        ["none alice", "offer known", "certificate alice"]
    );
}

#[test]
fn a_passphrase_is_asked_for_when_the_peer_takes_the_key() {
    let mut identities = Identities::new();
    identities.keys = vec![identity("id_locked", fixture!("ed25519_locked"))];
    let manner = knows(&identities.keys[0]);
    let mut world = with(identities, manner);
    world.run();
    assert_eq!(world.attempts(), ["none alice", "offer known"]);
    let question = world.asked().expect("a passphrase is needed");
    assert!(matches!(&question.ask, Ask::Prompts(prompts) if prompts.prompts.len() == 1));
    let typed = Zeroizing::new("open sesame".to_owned());
    world.answer(&question, Answer::Texts(vec![typed]));
    world.run();
    world.expect_open();
    assert_eq!(world.attempts().last().unwrap(), "publickey alice");
}

fn rules(policy: Policy, text: &str) -> HostKeyRules {
    let mut rules = HostKeyRules::new();
    let mut known = KnownHosts::new();
    known.add("known_hosts", text);
    rules.policy = policy;
    rules.known = Arc::new(known);
    rules
}

fn judged(rules: HostKeyRules) -> World {
    let client = Config::new(alice(), Arc::new(rules)).build();
    let filter = client.and_then(|client| client.channels("host", 22));
    let mut world = World::new(filter.expect("good settings"), Manner::default());
    world.run();
    world
}

#[test]
fn hosts_are_trusted_by_their_line_and_no_other() {
    let key = host_key().public_key().to_bytes().expect("a key");
    judged(rules(
        Policy::Strict,
        &new_line("host", 22, &key, Some([3; 20])),
    ))
    .expect_open();
    let other = read_public(fixture!("ed25519.pub")).expect("a key");
    for line in [
        new_line("other", 22, &key, None),
        new_line("host", 2222, &key, None),
        new_line("host", 22, &other, None),
    ] {
        let world = judged(rules(Policy::Strict, &line));
        assert_eq!(world.fault().reason, Reason::HostKey, "{line}");
        assert!(
            world.attempts().is_empty(),
            "nothing was shown to that host"
        );
    }
}

#[test]
fn a_new_host_is_accepted_or_asked_about_and_its_line_is_there() {
    let key = host_key().public_key().to_bytes().expect("a key");
    let accepting = rules(Policy::AcceptNew, "");
    let learned = accepting.learned.clone();
    judged(accepting).expect_open();
    assert_eq!(learned.take()[0].line(), new_line("host", 22, &key, None));

    for (answer, trusted) in [(Answer::Yes, true), (Answer::No, false)] {
        let asking = rules(Policy::Ask, "");
        let learned = asking.learned.clone();
        let mut world = judged(asking);
        let question = world.asked().expect("somebody has to say");
        assert!(matches!(&question.ask, Ask::PeerKey(peer) if peer.key == key));
        world.answer(&question, answer);
        world.run();
        assert_eq!(world.fault.is_none(), trusted);
        assert_eq!(learned.take().len(), usize::from(trusted));
    }
}
