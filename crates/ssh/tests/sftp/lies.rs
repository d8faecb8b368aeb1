//! Servers that break the rules.

use sockless_core::{Culprit, Event, Fault, Reason};
use sockless_ssh::message::Kind;
use sockless_ssh::sftp::{Form, Get, GetTree, List, Put, Sftp};

use crate::model::{Model, Node, Whims};
use crate::orders::bytes;
use crate::stand::{Far, Manner, Told, run};

fn get_with(whims: Whims) -> (Told, Result<(), Fault>) {
    let mut server = Model::new(0, whims).with("f", Node::File(bytes(100_000)));
    run(Sftp::get(Get::new("f")), &mut server, Manner::default())
}

/// Changes each answer of that kind.
fn tampering(kind: u8, mut change: impl FnMut(&mut Vec<u8>) + 'static) -> Whims {
    Whims {
        honest: false,
        tamper: Box::new(move |packet| {
            if packet[4] == kind {
                change(packet);
            }
        }),
        ..Whims::default()
    }
}

#[test]
fn packets_with_lies_in_them_are_refused() {
    let lies: [(&str, Whims); 11] = [
        (
            "data longer than its packet",
            tampering(103, |packet| packet[12] ^= 1),
        ),
        ("data of 4 GiB", tampering(103, |packet| packet[9] = 0xff)),
        (
            "a packet of 2 GiB",
            tampering(103, |packet| packet[0] = 0x7f),
        ),
        (
            "a packet of no bytes",
            tampering(101, |packet| packet.truncate(0)),
        ),
        (
            "a handle longer than its packet",
            tampering(102, |packet| packet[9] = 1),
        ),
        (
            "an answer to nothing",
            tampering(103, |packet| packet[5] ^= 0x40),
        ),
        ("an unknown kind", tampering(103, |packet| packet[4] = 99)),
        (
            "attributes that end early",
            tampering(105, |packet| {
                packet.truncate(20);
                packet[3] = 16;
            }),
        ),
        (
            "a status where a handle belongs",
            tampering(102, |packet| {
                *packet = [&[0, 0, 0, 9, 101][..], &packet[5..9], &[0, 0, 0, 0]].concat();
            }),
        ),
        (
            "more data than was asked for",
            tampering(103, |packet| {
                let len = packet.len() - 13 + 40_000;
                packet.resize(13 + len, 0);
                packet[9..13].copy_from_slice(&(len as u32).to_be_bytes());
                packet[..4].copy_from_slice(&(9 + len as u32).to_be_bytes());
            }),
        ),
        (
            "no data at all",
            tampering(103, |packet| {
                packet.truncate(9);
                packet.extend_from_slice(&[0; 4]);
                packet[..4].copy_from_slice(&[0, 0, 0, 9]);
            }),
        ),
    ];
    for (lie, mut whims) in lies {
        if lie == "a packet of no bytes" {
            whims = tampering(102, |packet| *packet = vec![0; 9]);
        }
        let (_, outcome) = get_with(whims);
        let fault = outcome.expect_err(lie);
        assert_eq!(fault.culprit, Culprit::PeerMisbehaved, "{lie}: {fault:?}");
        assert_eq!(fault.reason, Reason::Malformed, "{lie}: {fault:?}");
    }
}

#[test]
fn another_version_is_incompatible() {
    let (_, outcome) = get_with(tampering(2, |packet| packet[8] = 2));
    let fault = outcome.expect_err("too old");
    assert_eq!(fault.reason, Reason::WrongProtocol);
    assert!(fault.what.contains("version 2"), "{fault:?}");
}

#[test]
fn text_in_front_of_the_protocol_is_recognized() {
    let (_, outcome) = get_with(tampering(2, |packet| {
        *packet = b"Welcome to this host\n".to_vec();
    }));
    let fault = outcome.expect_err("it is no packet");
    assert!(fault.what.contains("\"Welcome t\""), "{fault:?}");
    assert!(
        fault
            .remedy
            .is_some_and(|remedy| remedy.contains("start-up files"))
    );
}

#[test]
fn a_handle_that_vanishes_ends_a_file_and_not_a_tree() {
    let whims = || Whims {
        vanish_after: 2,
        ..Whims::default()
    };
    let (told, outcome) = get_with(whims());
    assert_eq!(
        outcome.expect_err("it is gone").reason,
        Reason::RemoteFailure
    );
    assert_eq!(told.data, bytes(100_000)[..2 * 32 * 1024]);
    let mut server = Model::new(0, whims()).with("d", Node::Directory);
    server = server.with("d/long", Node::File(bytes(100_000)));
    server = server.with("d/short", Node::File(bytes(10)));
    let get = Sftp::get_tree(GetTree::new("d"));
    let (told, outcome) = run(get, &mut server, Manner::default());
    let fault = outcome.expect_err("one failed");
    assert_eq!(fault.reason, Reason::Incomplete);
    assert!(fault.what.contains("reading d/long"), "{fault:?}");
    assert!(told.files().contains(&(b"d/short".to_vec(), bytes(10))));
    let failed = |event: &&Event| matches!(event, Event::EntryDone(Err(_)));
    assert_eq!(told.events.iter().filter(failed).count(), 1);
    assert_eq!(server.open(), 0);
}

#[test]
fn a_file_that_is_not_as_long_as_it_was_is_partial() {
    let whims = Whims {
        told_length: Some(200_000),
        ..Whims::default()
    };
    let fault = get_with(whims).1.expect_err("half of it is missing");
    assert_eq!(fault.reason, Reason::PartialBody);
    let whims = Whims {
        told_length: Some(50),
        ..Whims::default()
    };
    let (told, outcome) = get_with(whims);
    outcome.expect("a file may grow");
    assert_eq!(told.data.len(), 100_000);
}

#[test]
fn a_length_is_not_believed_when_a_bound_is_given() {
    for told_length in [None, Some(10)] {
        let whims = Whims {
            told_length,
            ..Whims::default()
        };
        let mut server = Model::new(0, whims).with("f", Node::File(bytes(100_000)));
        let get = Sftp::get(Get::new("f").at_most(50_000));
        let (told, outcome) = run(get, &mut server, Manner::default());
        assert_eq!(outcome.expect_err("too long").reason, Reason::BodyTooLarge);
        assert!(told.data.len() <= 50_001);
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused_in_trees() {
    for name in ["../x", "/etc/passwd", "a/b", "", "x\0y"] {
        let replace = move |packet: &mut Vec<u8>| {
            let id = packet[5..9].to_vec();
            let mut body = [&id[..], &[0, 0, 0, 1]].concat();
            for text in [name, "long"] {
                body.extend_from_slice(&(text.len() as u32).to_be_bytes());
                body.extend_from_slice(text.as_bytes());
            }
            body.extend_from_slice(&[0; 4]);
            let len = (body.len() + 1) as u32;
            *packet = [&len.to_be_bytes()[..], &[104], &body].concat();
        };
        let mut server = Model::new(0, tampering(104, replace)).with("d", Node::Directory);
        let get = Sftp::get_tree(GetTree::new("d"));
        let fault = run(get, &mut server, Manner::default()).1.expect_err(name);
        assert_eq!(fault.culprit, Culprit::PeerMisbehaved);
        assert!(
            fault
                .remedy
                .is_some_and(|remedy| remedy.contains("do not trust"))
        );
    }
}

/// A directory that never ends, and whose directories are the same.
struct Endless(Model);

impl Far for Endless {
    fn begin(&mut self, kind: Kind, payload: &[u8]) {
        self.0.begin(kind, payload);
    }

    fn hear(&mut self, bytes: &[u8]) {
        for n in 0..10 {
            let path = format!("d/{}-{n}", self.0.seen.len());
            self.0.tree.insert(path.into_bytes(), Node::Directory);
        }
        self.0.hear(bytes);
        let seen = self.0.seen.len();
        self.0.refill(|| format!("more-{seen}").into_bytes());
    }

    fn say(&mut self) -> Option<(Kind, Vec<u8>)> {
        self.0.say()
    }
}

#[test]
fn a_directory_without_an_end_is_a_limit() {
    let exchanges = [
        Sftp::list(List::new("d", Form::Names).at_most(5000)),
        Sftp::get_tree(GetTree::new("d").entries_at_most(5000)),
    ];
    for exchange in exchanges {
        let model = Model::new(0, Whims::default()).with("d", Node::Directory);
        let mut server = Endless(model);
        let fault = run(exchange, &mut server, Manner::default())
            .1
            .expect_err("no end");
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::Limit, Reason::BodyTooLarge)
        );
    }
}

#[test]
fn a_server_that_ends_early_says_why() {
    struct Ends(usize);
    impl Far for Ends {
        fn begin(&mut self, _: Kind, _: &[u8]) {}
        fn hear(&mut self, _: &[u8]) {}
        fn say(&mut self) -> Option<(Kind, Vec<u8>)> {
            self.0 += 1;
            Some(match self.0 {
                1 => (Kind::Opened, Vec::new()),
                2 => (Kind::Stderr, b"no sftp\x1b here\n".to_vec()),
                3 => (Kind::Eof, Vec::new()),
                4 => (Kind::ExitStatus, 127_u32.to_be_bytes().to_vec()),
                _ => (Kind::Closed, Vec::new()),
            })
        }
    }
    let (_, outcome) = run(Sftp::put(Put::new("f")), &mut Ends(0), Manner::default());
    let fault = outcome.expect_err("it ended");
    assert_eq!(fault.reason, Reason::Truncated);
    assert!(
        fault
            .what
            .ends_with("with exit code 127: \"no sftp\\u{1b} here\""),
        "{fault:?}"
    );
}

#[test]
fn a_server_without_sftp_is_named() {
    struct Refuses;
    impl Far for Refuses {
        fn begin(&mut self, _: Kind, _: &[u8]) {}
        fn hear(&mut self, _: &[u8]) {}
        fn say(&mut self) -> Option<(Kind, Vec<u8>)> {
            Some((Kind::Refused, b"subsystem request failed".to_vec()))
        }
    }
    let (_, outcome) = run(Sftp::get(Get::new("f")), &mut Refuses, Manner::default());
    assert_eq!(outcome.expect_err("refused").reason, Reason::Unsupported);
}
