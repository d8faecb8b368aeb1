//! scp against OpenSSH's scp.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use sockless_core::{EntryKind, Event, Exchange, Fault, Reason};
use sockless_ssh::feed::Item;
use sockless_ssh::scp::{ScpGet, ScpPut};
use sockless_tests::content;

use crate::folder::Folder;
use crate::process::Process;
use crate::stand::{Manner, Told, run};

fn scp(folder: &Folder, exchange: impl Exchange, body: Vec<u8>) -> (Told, Result<(), Fault>) {
    let mut server = Process::in_folder(folder.path());
    let manner = Manner {
        body,
        ..Manner::default()
    };
    run(exchange, &mut server, manner)
}

fn works(folder: &Folder, exchange: impl Exchange, body: Vec<u8>) -> Told {
    let (told, outcome) = scp(folder, exchange, body);
    outcome.expect("it works");
    told
}

const LONG: usize = 10_000_000;

#[test]
fn a_file_arrives_as_it_is() {
    let folder = Folder::new();
    let name = "it's $(a) \"file\"; *";
    for length in [0, 1, 100, LONG] {
        fs::write(folder.at(name), content::bytes(length)).expect("written");
        let mode = fs::Permissions::from_mode(0o640);
        fs::set_permissions(folder.at(name), mode).expect("set");
        let told = works(&folder, ScpGet::new(name).times().exchange(), Vec::new());
        assert_eq!(told.data.len(), length);
        assert_eq!(content::check(0, &told.data), Ok(()));
        let [Event::Entry(entry)] = &told.events[..] else {
            panic!("one entry: {:?}", told.events);
        };
        let about = fs::metadata(folder.at(name)).expect("there");
        assert_eq!(entry.attributes.mode, Some(0o100_640));
        assert_eq!(entry.attributes.size, Some(length as u64));
        let written = entry
            .attributes
            .times
            .map(|(_, written)| i64::from(written));
        assert_eq!(written, Some(about.mtime()));
    }
}

#[test]
fn a_file_is_put_as_it_is() {
    let folder = Folder::new();
    for length in [0, 1, 100, LONG] {
        let put = ScpPut::new("a 'file'", length as u64)
            .mode(0o600)
            .times(5, 6);
        works(&folder, put.exchange(), content::bytes(length));
        let about = fs::metadata(folder.at("a 'file'")).expect("there");
        assert_eq!(
            (about.atime(), about.mtime(), about.mode() & 0o777),
            (5, 6, 0o600)
        );
        content::check_file(&folder.at("a 'file'"), length as u64).expect("the same bytes");
    }
}

#[test]
fn a_directory_arrives_with_all_that_is_in_it() {
    let folder = Folder::new();
    fs::create_dir_all(folder.at("top/in/deep")).expect("made");
    fs::create_dir(folder.at("top/empty")).expect("made");
    for n in 0..30 {
        fs::write(folder.at(&format!("top/in/{n}")), content::bytes(n * 100)).expect("written");
    }
    fs::write(folder.at("top/in/deep/last"), b"last").expect("written");
    let told = works(
        &folder,
        ScpGet::new("./top").recursive().exchange(),
        Vec::new(),
    );
    let files = told.files();
    assert_eq!(files.len(), 4 + 31);
    assert_eq!(files[0].0, b"top");
    for n in 0..30 {
        let path = format!("top/in/{n}");
        let found = files.iter().find(|(have, _)| *have == path.as_bytes());
        assert_eq!(found.expect("it came").1, content::bytes(n * 100));
    }
    let deep = files.iter().find(|(path, _)| path == b"top/in/deep/last");
    assert_eq!(deep.expect("it came").1, b"last");
    let directory =
        |event: &&Event| matches!(event, Event::Entry(entry) if entry.kind == EntryKind::Directory);
    assert_eq!(told.events.iter().filter(directory).count(), 4);
    let done = |event: &&Event| matches!(event, Event::EntryDone(Ok(())));
    assert_eq!(told.events.iter().filter(done).count(), 31);
}

/// A body of items; those with content are files.
fn body(items: &[(Item, &[u8])]) -> Vec<u8> {
    let item = |(item, content): &(Item, &[u8])| [&item.encode()[..], content].concat();
    items.iter().flat_map(item).collect()
}

#[test]
fn a_tree_is_put() {
    let folder = Folder::new();
    fs::create_dir(folder.at("to")).expect("made");
    let long = content::bytes(300_000);
    let body = body(&[
        (Item::file("first", 5).mode(0o600), b"hello"),
        (Item::directory("a").mode(0o700).times(7, 8), b""),
        (Item::file("a/empty", 0), b""),
        (Item::directory("a/b"), b""),
        (Item::file("a/b/long", 300_000).times(5, 6), &long),
        (Item::directory("c"), b""),
        (Item::file("c/x y", 1), b"z"),
    ]);
    let told = works(&folder, ScpPut::tree("to").keep_times().exchange(), body);
    assert_eq!(fs::read(folder.at("to/first")).expect("there"), b"hello");
    assert_eq!(fs::read(folder.at("to/a/empty")).expect("there"), b"");
    assert_eq!(fs::read(folder.at("to/c/x y")).expect("there"), b"z");
    let long = fs::metadata(folder.at("to/a/b/long")).expect("there");
    assert_eq!((long.atime(), long.mtime()), (5, 6));
    content::check_file(&folder.at("to/a/b/long"), 300_000).expect("the same bytes");
    assert_eq!(fs::metadata(folder.at("to/a")).expect("there").mtime(), 8);
    assert_eq!(
        told.events.len(),
        4,
        "each file ends once: {:?}",
        told.events
    );
}

#[test]
fn what_cannot_be_done_is_said_clearly() {
    let folder = Folder::new();
    fs::create_dir(folder.at("dir")).expect("made");
    type Fails<'a> = Box<dyn Fn() -> Result<(), Fault> + 'a>;
    let failures: [(Fails<'_>, Reason, &str); 4] = [
        (
            Box::new(|| scp(&folder, ScpGet::new("none\u{1b}").exchange(), Vec::new()).1),
            Reason::NotFound,
            "No such file or directory",
        ),
        (
            Box::new(|| scp(&folder, ScpGet::new("dir").exchange(), Vec::new()).1),
            Reason::RemoteFailure,
            "not a regular file",
        ),
        (
            Box::new(|| scp(&folder, ScpPut::new("no/file", 1).exchange(), b"x".to_vec()).1),
            Reason::NotFound,
            "No such file or directory",
        ),
        (
            Box::new(|| scp(&folder, ScpPut::new("a\nb", 1).exchange(), b"x".to_vec()).1),
            Reason::BadRequest,
            "a\\nb",
        ),
    ];
    for (fails, reason, words) in failures {
        let fault = fails().expect_err(words);
        assert_eq!(fault.reason, reason, "{fault:?}");
        assert!(
            fault.what.contains(words) && !fault.what.contains('\u{1b}'),
            "{fault:?}"
        );
    }
}

#[test]
fn a_tree_goes_on_after_a_file_that_cannot_be_read() {
    let folder = Folder::new();
    fs::create_dir(folder.at("top")).expect("made");
    fs::write(folder.at("top/good"), b"good").expect("written");
    symlink("nowhere", folder.at("top/dangling")).expect("made");
    let (told, outcome) = scp(
        &folder,
        ScpGet::new("top").recursive().exchange(),
        Vec::new(),
    );
    assert_eq!(outcome.expect_err("one failed").reason, Reason::Incomplete);
    assert!(
        told.files()
            .contains(&(b"top/good".to_vec(), b"good".to_vec()))
    );
}
