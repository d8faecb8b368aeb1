//! Many files at once against OpenSSH's sftp-server.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use sockless_core::{EntryKind, Event, Fault, Reason};
use sockless_ssh::feed::Item;
use sockless_ssh::sftp::{GetTree, PutTree, Sftp};
use sockless_tests::content;

use crate::folder::Folder;
use crate::process::Process;
use crate::stand::{Manner, Told, run};

fn session(folder: &Folder, exchange: Sftp, body: Vec<u8>) -> (Told, Result<(), Fault>) {
    let mut server = Process::in_folder(folder.path());
    let manner = Manner {
        body,
        ..Manner::default()
    };
    run(exchange, &mut server, manner)
}

/// A tree of files: their paths, and what is in them.
fn planted(top: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut plant = |path: &str, length: usize| {
        let full = top.join(path);
        fs::create_dir_all(full.parent().expect("below the top")).expect("made");
        fs::write(full, content::bytes(length)).expect("written");
        let path = format!("top/{path}");
        files.insert(path.into_bytes(), content::bytes(length));
    };
    for n in 0..700 {
        plant(&format!("many/{n}"), n * 7);
    }
    for n in 0..20 {
        plant(&format!("d{n}/e/f/g"), 10);
    }
    plant("long", 3_000_000);
    plant("many/long", 1_000_000);
    plant("line\nend\u{1b}", 5);
    files
}

#[test]
fn a_tree_arrives_as_it_is() {
    let folder = Folder::new();
    let top = folder.at("top");
    let planted = planted(&top);
    symlink("/etc/passwd", top.join("link")).expect("made");
    fs::create_dir(top.join("empty")).expect("made");
    let get = Sftp::get_tree(GetTree::new("./top/"));
    let (told, outcome) = session(&folder, get, Vec::new());
    outcome.expect("it works");
    let mut kinds = BTreeMap::new();
    for event in &told.events {
        match event {
            Event::Entry(entry) => {
                assert!(kinds.insert(entry.path.clone(), entry.kind).is_none());
                let above = entry.path.iter().rposition(|byte| *byte == b'/');
                if let Some(above) = above {
                    assert_eq!(kinds[&entry.path[..above]], EntryKind::Directory);
                }
            }
            Event::EntryDone(outcome) => assert!(outcome.is_ok()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(kinds[&b"top/link"[..]], EntryKind::Link);
    assert_eq!(kinds[&b"top/empty"[..]], EntryKind::Directory);
    let is_file = |(path, content): (Vec<u8>, Vec<u8>)| {
        (kinds[&path] == EntryKind::File).then_some((path, content))
    };
    let files: BTreeMap<_, _> = told.files().into_iter().filter_map(is_file).collect();
    assert!(files == planted);
}

#[test]
fn what_is_no_tree_or_too_large_a_one_is_said_clearly() {
    let folder = Folder::new();
    let top = folder.at("top");
    fs::create_dir(&top).expect("made");
    fs::write(top.join("good"), b"good").expect("written");
    let get = Sftp::get_tree(GetTree::new("top").entries_at_most(0));
    let (_, outcome) = session(&folder, get, Vec::new());
    assert_eq!(
        outcome.expect_err("one is too many").reason,
        Reason::BodyTooLarge
    );
    let get = Sftp::get_tree(GetTree::new("top/good"));
    let (_, outcome) = session(&folder, get, Vec::new());
    assert_eq!(
        outcome.expect_err("it is a file").reason,
        Reason::BadRequest
    );
    let get = Sftp::get_tree(GetTree::new("none"));
    let (_, outcome) = session(&folder, get, Vec::new());
    assert_eq!(
        outcome.expect_err("it is not there").reason,
        Reason::NotFound
    );
}

/// A body of items; those with content are files.
fn body(items: &[(Item, Vec<u8>)]) -> Vec<u8> {
    let item = |(item, content): &(Item, Vec<u8>)| [&item.encode()[..], content].concat();
    items.iter().flat_map(item).collect()
}

#[test]
fn a_tree_is_put_as_it_is() {
    let folder = Folder::new();
    fs::create_dir_all(folder.at("to/there")).expect("made");
    let mut items = vec![
        (Item::directory("there"), Vec::new()),
        (Item::directory("new").mode(0o500).times(5, 6), Vec::new()),
        (Item::directory("new/in"), Vec::new()),
        (Item::file("empty", 0).mode(0o606), Vec::new()),
    ];
    for n in 0..600_usize {
        let directory = ["there", "new/in", "new"][n % 3];
        let length = if n % 100 == 0 { 400_000 } else { n * 5 };
        let path = format!("{directory}/{n}\n");
        items.push((
            Item::file(path, length as u64).times(7, 8),
            content::bytes(length),
        ));
    }
    let put = Sftp::put_tree(PutTree::new("to"));
    let (told, outcome) = session(&folder, put, body(&items));
    outcome.expect("it works");
    let files = items
        .iter()
        .filter(|(item, _)| item.kind() == EntryKind::File);
    assert_eq!(told.events.len(), files.count(), "each file ends once");
    for n in 0..600_usize {
        let directory = ["there", "new/in", "new"][n % 3];
        let length = if n % 100 == 0 { 400_000 } else { n * 5 };
        let path = folder.at(&format!("to/{directory}/{n}\n"));
        assert_eq!(fs::metadata(&path).expect("there").mtime(), 8);
        content::check_file(&path, length as u64).expect("the same bytes");
    }
    let new = fs::metadata(folder.at("to/new")).expect("there");
    assert_eq!((new.mtime(), new.mode() & 0o777), (6, 0o500));
    assert_eq!(
        fs::metadata(folder.at("to/empty")).expect("there").mode() & 0o777,
        0o606
    );
    let names: Vec<_> = fs::read_dir(folder.at("to"))
        .expect("there")
        .flatten()
        .collect();
    assert!(
        names
            .iter()
            .all(|name| !name.file_name().as_bytes().contains(&b'/'))
    );
}

#[test]
fn a_tree_is_put_around_what_the_server_refuses() {
    let folder = Folder::new();
    fs::create_dir_all(folder.at("taken")).expect("made");
    fs::write(folder.at("file"), "x").expect("written");
    let items = [
        (Item::file("taken", 200_000), content::bytes(200_000)),
        (Item::directory("file"), Vec::new()),
        (Item::file("file/below", 3), b"abc".to_vec()),
        (Item::file("good", 4), b"good".to_vec()),
    ];
    let (told, outcome) = session(&folder, Sftp::put_tree(PutTree::new("")), body(&items));
    let fault = outcome.expect_err("three failed");
    assert_eq!(fault.reason, Reason::Incomplete);
    assert!(
        fault
            .what
            .starts_with("3 failed, the first: creating taken"),
        "{fault:?}"
    );
    let done = |event: &Event| matches!(event, Event::EntryDone(Ok(())));
    let outcomes: Vec<bool> = told.events.iter().map(done).collect();
    assert_eq!(outcomes, [false, false, true]);
    assert_eq!(fs::read(folder.at("good")).expect("there"), b"good");
}

#[test]
fn a_body_that_is_no_tree_is_refused() {
    let folder = Folder::new();
    let bodies = [
        b"this is no item at all, by any means".to_vec(),
        body(&[(Item::file("short", 10), b"12345".to_vec())]),
        body(&[(Item::file("../out", 0), Vec::new())]),
        body(&[(Item::file("/etc/x", 0), Vec::new())]),
        b"\x01".to_vec(),
    ];
    for body in bodies {
        let (_, outcome) = session(&folder, Sftp::put_tree(PutTree::new("")), body);
        assert_eq!(outcome.expect_err("it is wrong").reason, Reason::Upload);
    }
    assert!(!folder.path().parent().expect("target").join("out").exists());
}
