//! What a session carries over, and what a server lacks.

use sockless_core::{Culprit, Reason};
use sockless_ssh::sftp::{Command, Get, Put, Quote, Sftp, When};

use crate::model::{Model, Node, Whims};
use crate::orders::bytes;
use crate::stand::{Manner, run};

const INIT: u8 = 1;

#[test]
fn a_parked_session_goes_on_without_a_greeting() {
    let whims = Whims {
        extensions: vec![
            ("limits@openssh.com", "1"),
            ("posix-rename@openssh.com", "1"),
        ],
        ..Whims::default()
    };
    let mut server = Model::new(0, whims).with("f", Node::File(bytes(5000)));
    let (told, outcome) = run(Sftp::get(Get::new("f")), &mut server, Manner::default());
    outcome.expect("it works");
    server.greeting = told.parked.expect("it is left to the next one");
    (server.seen, server.longest) = (Vec::new(), 0);
    let manner = Manner {
        body: bytes(3000),
        ..Manner::default()
    };
    run(
        Sftp::put(Put::new("g").atomic(".part")),
        &mut server,
        manner,
    )
    .1
    .expect("it works");
    assert!(!server.seen.contains(&INIT));
    assert_eq!(server.longest, 900, "the server's bound is remembered");
    assert!(server.tree[&b"g"[..]] == Node::File(bytes(3000)));
}

#[test]
fn a_greeting_of_somebody_else_is_refused() {
    let mut server = Model::new(0, Whims::default());
    server.greeting = b"something else".to_vec();
    let (_, outcome) = run(Sftp::get(Get::new("f")), &mut server, Manner::default());
    assert_eq!(outcome.expect_err("not ours").reason, Reason::Malformed);
}

#[test]
fn what_the_server_lacks_is_named() {
    let lacks = [
        (
            Sftp::put(Put::new("f").atomic(".part")),
            "posix-rename@openssh.com",
        ),
        (Sftp::put(Put::new("f").sync()), "fsync@openssh.com"),
        (
            Sftp::commands([Command::FileSystem(b"f".to_vec())]),
            "statvfs@openssh.com",
        ),
        (
            Sftp::commands([Command::Expand(b"~".to_vec())]),
            "expand-path@openssh.com",
        ),
    ];
    for (exchange, extension) in lacks {
        let whims = Whims {
            extensions: Vec::new(),
            ..Whims::default()
        };
        let mut server = Model::new(0, whims);
        let fault = run(exchange, &mut server, Manner::default())
            .1
            .expect_err(extension);
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::PeerIncompatible, Reason::Unsupported)
        );
        assert!(fault.what.contains(extension), "{fault:?}");
    }
}

#[test]
fn a_full_disk_ends_a_put_and_leaves_nothing() {
    for atomic in [false, true] {
        let whims = Whims {
            disk: 100_000,
            ..Whims::default()
        };
        let mut server = Model::new(0, whims).with("f", Node::File(b"old".to_vec()));
        let put = match atomic {
            true => Put::new("f").atomic(".part"),
            false => Put::new("f"),
        };
        let manner = Manner {
            body: bytes(1_000_000),
            ..Manner::default()
        };
        let fault = run(Sftp::put(put), &mut server, manner)
            .1
            .expect_err("no room");
        assert_eq!(fault.reason, Reason::RemoteFailure);
        assert!(
            fault.what.starts_with("writing at byte 98304 of f"),
            "{fault:?}"
        );
        assert!(
            fault
                .remedy
                .is_some_and(|remedy| remedy.contains("full disk"))
        );
        if atomic {
            assert_eq!(server.tree.len(), 1);
            assert!(server.tree[&b"f"[..]] == Node::File(b"old".to_vec()));
        }
    }
}

#[test]
fn quotes_are_read_as_curl_reads_them() {
    let read = |text: &[u8]| Quote::parse(text).map(|(when, quote)| (when, quote.command));
    let path = |path: &str| path.as_bytes().to_vec();
    assert_eq!(
        read(b"rm  a ").expect("fine"),
        (When::Before, Command::Remove(path("a")))
    );
    let rename = Command::Rename {
        from: path("a b"),
        to: path("c\"\\'"),
    };
    assert_eq!(
        read(br#"-RENAME "a b" "c\"\\\'""#).expect("fine"),
        (When::After, rename)
    );
    assert_eq!(
        read(b"mkdir /~/x").expect("fine").1,
        Command::MakeDirectory {
            path: path("x"),
            mode: None
        }
    );
    for bad in [
        &b""[..],
        b"-*",
        b"rm",
        b"rm a b",
        b"rm \"a",
        b"chmod 8 x",
        b"chown me x",
        b"format c:",
    ] {
        let fault = read(bad).expect_err("it is wrong");
        assert_eq!(
            (fault.reason, fault.culprit),
            (Reason::Quote, Culprit::Misuse)
        );
    }
}
