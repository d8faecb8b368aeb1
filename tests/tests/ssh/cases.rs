//! What has to work with every library.

use std::sync::Arc;
use std::time::SystemTime;

use sockless_core::{Culprit, Reason};
use sockless_ssh::login::{Credentials, HostKeys, Verdict};
use sockless_ssh::{Algorithms, Config, Kind, Library, Tuning};

use crate::LIBRARY;
use crate::exchanges::{Command, Version};
use crate::road::{Ring, Road, ssh};

/// Trusts everybody, and remembers whom: these tests are about what comes after.
pub(crate) struct Anybody;

impl HostKeys for Anybody {
    fn judge(&self, _: &str, _: u16, _: &[u8], _: SystemTime) -> Verdict {
        Verdict::Trust
    }
}

fn config() -> Config {
    let user = ssh().user().expect("a user");
    let credentials = Credentials::new(user).keys(Arc::new(Ring(ssh().key())));
    Config::new(credentials, Arc::new(Anybody)).library(LIBRARY)
}

#[test]
fn a_command_runs_and_its_output_comes_whole() {
    let mut road = Road::new(config());
    let heard = road.run(Box::new(Command::new(
        "head -c 3000000 /dev/zero; echo end",
    )));
    let heard = heard.expect("it runs");
    assert_eq!(heard.len(), 3_000_004);
    assert!(heard.ends_with(b"\0end\n"));
}

#[test]
fn what_is_sent_arrives_and_the_end_of_it_too() {
    let mut road = Road::new(config());
    let words = vec![7; 5_000_000];
    let count = road.run(Box::new(Command::new("wc -c").feed(words)));
    assert_eq!(count.expect("it runs").trim_ascii(), b"5000000");
}

#[test]
fn both_ways_at_once_without_a_deadlock() {
    let mut road = Road::new(config());
    let words: Vec<u8> = (0..5_000_000_u32).map(|at| (at % 251) as u8).collect();
    let heard = road.run(Box::new(Command::new("cat").feed(words.clone())));
    assert!(heard.expect("it runs") == words);
}

#[test]
fn every_cipher_and_key_exchange_that_is_on_offer() {
    let all = Algorithms::default();
    for kind in [Kind::Kex, Kind::Cipher] {
        // Numbers of 4096 bits and more take half a minute in a build that is not optimized.
        let quick = |name: &&String| !name.contains("group16") && !name.contains("group18");
        for name in all.of(kind).iter().filter(quick) {
            let mut algorithms = Algorithms::default();
            algorithms.set(kind, name);
            if LIBRARY == Library::Libssh2 && name.starts_with("mlkem") {
                // It depends on the OpenSSL that it was built with.
                continue;
            }
            let mut road = Road::new(config().algorithms(algorithms));
            match road.run(Box::new(Command::new("echo hello"))) {
                Ok(heard) => assert_eq!(heard, b"hello\n", "{name}"),
                // An older OpenSSH does not have the newest: then both lists are told.
                Err(error) => {
                    assert_eq!(
                        error.culprit(),
                        Culprit::PeerIncompatible,
                        "{name}: {error}"
                    );
                    let said = error.to_string();
                    assert!(said.contains(&format!("we offer {name}")), "{said}");
                    assert!(said.contains("the peer offers"), "{said}");
                }
            }
        }
    }
}

#[test]
fn every_mac_and_compression() {
    let all = Algorithms::default();
    for mac in all.of(Kind::Mac) {
        let mut algorithms = Algorithms::default();
        algorithms.set(Kind::Cipher, "aes128-ctr");
        algorithms.set(Kind::Mac, mac);
        algorithms.set(Kind::Compression, "zlib@openssh.com");
        let mut road = Road::new(config().algorithms(algorithms));
        let heard = road.run(Box::new(Command::new("head -c 300000 /dev/zero")));
        assert_eq!(heard.expect(mac), vec![0; 300_000]);
    }
}

#[test]
fn keys_are_exchanged_again_in_the_middle() {
    let tuning = Tuning {
        rekey_bytes: 256 * 1024,
        ..Tuning::default()
    };
    let mut road = Road::new(config().tuning(tuning));
    let words: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let heard = road.run(Box::new(Command::new("cat").feed(words.clone())));
    assert!(heard.expect("it runs") == words);
}

#[test]
fn a_subsystem_is_kept_for_the_next_transfer() {
    let mut road = Road::new(config());
    let fresh = road.run(Box::new(Version::new())).expect("sftp");
    assert_eq!(fresh, b"fresh: version 3");
    let again = road.run(Box::new(Version::new())).expect("sftp");
    assert_eq!(again, b"kept with: version 3");
    assert_eq!(road.connections(), 1);
}

#[test]
fn nobody_is_let_in_without_a_key() {
    let credentials = Credentials::new("nobody-at-all").password("wrong");
    let mut road = Road::new(Config::new(credentials, Arc::new(Anybody)).library(LIBRARY));
    let error = road.run(Box::new(Command::new("true"))).unwrap_err();
    assert_eq!(error.reason(), Reason::Authentication);
    let said = error.to_string();
    assert!(said.contains("permission denied"), "{said}");
    assert!(said.contains("publickey"), "{said}");
}

#[test]
fn a_stream_through_the_server_reaches_what_it_can_reach() {
    let mut road = Road::to(config(), ("127.0.0.1", ssh().port()));
    let heard = road.run(Box::new(sockless_core::Raw::new()));
    let heard = heard.expect("a tunnel");
    assert!(heard.starts_with(b"SSH-2.0-OpenSSH"), "{heard:?}");
}

#[test]
fn ssh_in_ssh_in_ssh() {
    let mut road = Road::jumping(config, 3);
    let heard = road.run(Box::new(Command::new("echo hello")));
    assert_eq!(heard.expect("a command"), b"hello\n");
}
