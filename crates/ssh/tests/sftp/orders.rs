//! Answers in any order and in any pieces.

use std::collections::BTreeMap;

use sockless_core::{EntryKind, Event};
use sockless_ssh::feed::Item;
use sockless_ssh::sftp::{Form, Get, GetTree, List, Put, PutTree, Sftp, Window};

use crate::model::{Model, Node, Whims};
use crate::stand::{Manner, run};

/// Bytes of which no two stretches are the same.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(length as u64);
    (0..length).map(|_| rng.u8(..)).collect()
}

fn window(chunk: usize, requests: usize, bytes: usize) -> Window {
    let mut window = Window::default();
    (window.chunk, window.requests, window.bytes) = (chunk, requests, bytes);
    window
}

fn whims() -> Whims {
    Whims {
        shuffled: true,
        short: true,
        ..Whims::default()
    }
}

/// Pieces, pipes and pauses that chance decides.
fn manner(rng: &mut fastrand::Rng, body: Vec<u8>) -> Manner {
    Manner {
        body,
        piece: rng.usize(1..5000),
        pipe: rng.usize(1..5000),
        burst: rng.usize(1..3000),
        takes: rng.usize(1..5),
    }
}

#[test]
fn a_get_is_right_in_any_order_and_any_pieces() {
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let length = rng.usize(..60_000);
        let (from, to) = (rng.usize(..=length), rng.usize(..length + 10));
        let mut server = Model::new(seed, whims()).with("f", Node::File(bytes(length)));
        let get = Get::new("f").from(from as u64).to(to as u64);
        let get = get.window(window(rng.usize(1..3000) + 1, rng.usize(1..200), 100_000));
        let (told, outcome) = run(Sftp::get(get), &mut server, manner(&mut rng, Vec::new()));
        let outcome = outcome.map_err(|fault| fault.what);
        assert_eq!(outcome, Ok(()), "seed {seed}");
        let want = &bytes(length)[from..(to + 1).clamp(from, length)];
        assert!(
            told.data == want,
            "seed {seed}: {} of {}",
            told.data.len(),
            want.len()
        );
        assert_eq!(server.open(), 0, "seed {seed}: a handle is left");
    }
}

#[test]
fn a_put_is_right_in_any_order_and_any_pieces() {
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let content = bytes(rng.usize(..60_000));
        let mut server = Model::new(seed, whims());
        let had = rng.usize(..=content.len());
        let put = match rng.u8(..3) {
            0 => Put::new("f"),
            1 => {
                server = server.with("f", Node::File(content[..had].to_vec()));
                Put::new("f").resume()
            }
            _ => Put::new("f").atomic(".part").sync(),
        };
        let put = put.window(window(rng.usize(1..3000), rng.usize(1..200), 100_000));
        let manner = manner(&mut rng, content.clone());
        let (_, outcome) = run(Sftp::put(put), &mut server, manner);
        assert_eq!(outcome.map_err(|fault| fault.what), Ok(()), "seed {seed}");
        assert!(server.tree[&b"f"[..]] == Node::File(content), "seed {seed}");
        assert_eq!((server.tree.len(), server.open()), (1, 0), "seed {seed}");
    }
}

/// A tree of some directories and files.
fn grown(seed: u64, mut server: Model) -> Model {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut directories = vec!["top".to_owned()];
    server = server.with("top", Node::Directory);
    for n in 0..rng.usize(..60) {
        let path = format!("{}/{n}", directories[rng.usize(..directories.len())]);
        if rng.u8(..4) == 0 {
            server = server.with(&path, Node::Directory);
            directories.push(path);
        } else {
            server = server.with(&path, Node::File(bytes(rng.usize(..4000))));
        }
    }
    server
}

#[test]
fn a_tree_is_got_right_in_any_order_and_any_pieces() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let whims = Whims {
            entries: rng.usize(1..10),
            ..whims()
        };
        let mut server = grown(seed, Model::new(seed, whims));
        let get = GetTree::new("top").files(rng.usize(1..20));
        let get = get.window(window(
            rng.usize(1..1000),
            rng.usize(1..100),
            rng.usize(1..50_000),
        ));
        let (told, outcome) = run(
            Sftp::get_tree(get),
            &mut server,
            manner(&mut rng, Vec::new()),
        );
        assert_eq!(outcome.map_err(|fault| fault.what), Ok(()), "seed {seed}");
        let mut found = BTreeMap::new();
        let kinds = told.events.iter().filter_map(|event| match event {
            Event::Entry(entry) => Some(entry.kind),
            _ => None,
        });
        for (kind, (path, content)) in kinds.zip(told.files()) {
            let node = match kind {
                EntryKind::Directory => Node::Directory,
                _ => Node::File(content),
            };
            assert!(found.insert(path, node).is_none(), "seed {seed}");
        }
        assert!(found == server.tree, "seed {seed}");
        assert_eq!(server.open(), 0, "seed {seed}: a handle is left");
    }
}

#[test]
fn a_tree_is_put_right_in_any_order_and_any_pieces() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let source = grown(seed, Model::new(seed, Whims::default()));
        // Parents come before what is in them: by depth, that is so.
        let mut paths: Vec<_> = source.tree.iter().collect();
        paths.sort_by_key(|(path, _)| path.iter().filter(|byte| **byte == b'/').count());
        let mut body = Vec::new();
        for (path, node) in paths {
            match node {
                Node::Directory => body.extend_from_slice(&Item::directory(path.clone()).encode()),
                Node::File(content) => {
                    let item = Item::file(path.clone(), content.len() as u64).mode(0o600);
                    body.extend_from_slice(&item.encode());
                    body.extend_from_slice(content);
                }
            }
        }
        let put = PutTree::new("").files(rng.usize(1..20));
        let put = put.window(window(
            rng.usize(1..1000),
            rng.usize(1..100),
            rng.usize(1..50_000),
        ));
        let mut server = Model::new(seed, whims());
        let manner = manner(&mut rng, body);
        let (_, outcome) = run(Sftp::put_tree(put), &mut server, manner);
        assert_eq!(outcome.map_err(|fault| fault.what), Ok(()), "seed {seed}");
        assert!(server.tree == source.tree, "seed {seed}");
        assert_eq!(server.open(), 0, "seed {seed}: a handle is left");
    }
}

#[test]
fn a_session_is_right_byte_by_byte() {
    for (pipe, burst) in [(1, 1), (1, usize::MAX), (100_000, 1)] {
        let mut server = Model::new(0, Whims::default()).with("f", Node::File(bytes(500)));
        let manner = Manner {
            pipe,
            burst,
            piece: 1,
            ..Manner::default()
        };
        let get = Get::new("f").window(window(7, 100, 1000));
        let (told, outcome) = run(Sftp::get(get), &mut server, manner);
        outcome.expect("it works");
        assert_eq!(told.data, bytes(500));
    }
}

#[test]
fn a_thousand_requests_are_in_flight_both_ways() {
    let window = window(1000, 1024, 1 << 30);
    let content = bytes(4_000_000);
    for shuffled in [false, true] {
        let whims = || Whims {
            shuffled,
            ..Whims::default()
        };
        let mut server = Model::new(1, whims()).with("f", Node::File(content.clone()));
        let get = Sftp::get(Get::new("f").window(window));
        let roomy = || Manner {
            pipe: 1 << 20,
            ..Manner::default()
        };
        let (told, outcome) = run(get, &mut server, roomy());
        outcome.expect("it works");
        assert!(told.data == content);
        assert_eq!(server.most_waiting, 1024);
        assert!(told.waited <= 256 * 1024 + 1000, "{}", told.waited);
        let mut server = Model::new(1, whims());
        let put = Sftp::put(Put::new("f").window(window));
        let manner = Manner {
            body: content.clone(),
            ..roomy()
        };
        run(put, &mut server, manner).1.expect("it works");
        assert_eq!(server.most_waiting, 1024);
        assert!(server.tree[&b"f"[..]] == Node::File(content.clone()));
    }
}

#[test]
fn a_listing_waits_for_the_application() {
    let mut server = Model::new(0, Whims::default()).with("d", Node::Directory);
    for n in 0..5000 {
        server = server.with(&format!("d/{n:0100}"), Node::Directory);
    }
    for form in [Form::Names, Form::Entries] {
        let manner = Manner {
            takes: 1,
            ..Manner::default()
        };
        let (told, outcome) = run(Sftp::list(List::new("d", form)), &mut server, manner);
        outcome.expect("it works");
        let lines = told.data.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines + told.events.len(), 5002);
        // One answer may go beyond the bound.
        assert!(told.waited <= 256 * 1024, "{}", told.waited);
    }
}
