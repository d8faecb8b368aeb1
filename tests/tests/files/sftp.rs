//! One file, and listings, against OpenSSH's sftp-server.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use sockless_core::{Attributes, EntryKind, Event, Fault, Reason};
use sockless_ssh::sftp::{Form, Get, List, Put, Sftp};
use sockless_tests::content;

use crate::folder::Folder;
use crate::process::Process;
use crate::stand::{Manner, Told, run};

/// Runs a session in that folder.
fn session(folder: &Folder, exchange: Sftp, body: Vec<u8>) -> (Told, Result<(), Fault>) {
    let mut server = Process::in_folder(folder.path());
    let manner = Manner {
        body,
        ..Manner::default()
    };
    run(exchange, &mut server, manner)
}

fn works(folder: &Folder, exchange: Sftp, body: Vec<u8>) -> Told {
    let (told, outcome) = session(folder, exchange, body);
    outcome.expect("it works");
    assert!(told.parked.is_some(), "the channel is left to the next one");
    told
}

const LONG: usize = 10_000_000;

#[test]
fn a_file_arrives_as_it_is() {
    let folder = Folder::new();
    for length in [0, 1, 32_767, 32_768, 32_769, LONG] {
        fs::write(folder.at("file"), content::bytes(length)).expect("written");
        let told = works(&folder, Sftp::get(Get::new("file")), Vec::new());
        assert_eq!(told.data.len(), length);
        assert_eq!(content::check(0, &told.data), Ok(()));
        let Some(Event::Entry(entry)) = told.events.first() else {
            panic!("no entry: {:?}", told.events);
        };
        assert_eq!(entry.attributes.size, Some(length as u64));
        assert_eq!(entry.kind, EntryKind::File);
    }
}

#[test]
fn parts_of_a_file_arrive() {
    let folder = Folder::new();
    fs::write(folder.at("file"), content::bytes(LONG)).expect("written");
    let get = || Get::new("file");
    let end = LONG as u64;
    let parts = [
        (get().from(5).to(9), 5, 5),
        (get().from(1_000_000), 1_000_000, LONG - 1_000_000),
        (get().to(99_999), 0, 100_000),
        (get().last(10), end - 10, 10),
        (get().last(end + 1), 0, LONG),
        (get().from(end), end, 0),
        (get().from(end - 1).to(end + 5), end - 1, 1),
    ];
    for (part, from, length) in parts {
        let told = works(&folder, Sftp::get(part.clone()), Vec::new());
        assert_eq!(told.data.len(), length, "{part:?}");
        assert_eq!(content::check(from, &told.data), Ok(()), "{part:?}");
    }
    let (_, outcome) = session(&folder, Sftp::get(get().from(end + 1)), Vec::new());
    assert_eq!(outcome.expect_err("too far").reason, Reason::BadResume);
}

#[test]
fn a_file_is_put_as_it_is() {
    let folder = Folder::new();
    for length in [0, 1, 32_767, 32_768, 32_769, LONG] {
        let put = Put::new("file").mode(0o640);
        works(&folder, Sftp::put(put), content::bytes(length));
        content::check_file(&folder.at("file"), length as u64).expect("the same bytes");
    }
    let mode = fs::metadata(folder.at("file"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn a_put_goes_on_where_it_was_cut() {
    let folder = Folder::new();
    for length in [0, 70_000, LONG] {
        fs::write(folder.at("file"), content::bytes(length)).expect("written");
        let put = Put::new("file").resume();
        let told = works(&folder, Sftp::put(put), content::bytes(LONG));
        assert!(matches!(told.events[..], [Event::ResumeAt(at)] if at == length as u64));
        content::check_file(&folder.at("file"), LONG as u64).expect("the same bytes");
    }
    fs::remove_file(folder.at("file")).expect("removed");
    works(
        &folder,
        Sftp::put(Put::new("file").resume()),
        content::bytes(1000),
    );
    content::check_file(&folder.at("file"), 1000).expect("from its beginning");
}

#[test]
fn a_put_appends_and_overwrites_in_the_middle() {
    let folder = Folder::new();
    fs::write(folder.at("file"), b"0123").expect("written");
    works(
        &folder,
        Sftp::put(Put::new("file").append()),
        b"45".to_vec(),
    );
    works(&folder, Sftp::put(Put::new("file").at(1)), b"xy".to_vec());
    assert_eq!(fs::read(folder.at("file")).expect("there"), b"0xy345");
}

#[test]
fn a_put_keeps_times_and_mode_and_makes_directories() {
    let folder = Folder::new();
    let attributes = Attributes {
        mode: Some(0o604),
        times: Some((1_000_000_000, 1_234_567_890)),
        ..Attributes::default()
    };
    let put = Put::new("a/b//c/file")
        .directories()
        .attributes(attributes)
        .sync();
    works(&folder, Sftp::put(put), content::bytes(5000));
    let about = fs::metadata(folder.at("a/b/c/file")).expect("there");
    assert_eq!(
        (about.mtime(), about.mode() & 0o777),
        (1_234_567_890, 0o604)
    );
    content::check_file(&folder.at("a/b/c/file"), 5000).expect("the same bytes");
}

#[test]
fn an_atomic_put_replaces_what_is_there() {
    let folder = Folder::new();
    fs::write(folder.at("file"), b"old").expect("written");
    let put = Put::new("file").atomic(".part").mode(0o600);
    works(&folder, Sftp::put(put), content::bytes(100_000));
    content::check_file(&folder.at("file"), 100_000).expect("the new one");
    assert!(!folder.at("file.part").exists());
}

#[test]
fn what_cannot_be_done_is_said_clearly() {
    let folder = Folder::new();
    fs::create_dir(folder.at("dir")).expect("made");
    let failures = [
        (
            Sftp::get(Get::new("none\n")),
            Reason::NotFound,
            "opening none\\n: no such file",
        ),
        (
            Sftp::get(Get::new("dir")),
            Reason::BadRequest,
            "dir is a directory",
        ),
        (
            Sftp::put(Put::new("dir")),
            Reason::RemoteFailure,
            "creating dir: it failed",
        ),
        (
            Sftp::put(Put::new("no/file")),
            Reason::NotFound,
            "creating no/file",
        ),
        (
            Sftp::list(List::new("none", Form::Names)),
            Reason::NotFound,
            "listing none",
        ),
    ];
    for (exchange, reason, words) in failures {
        let (_, outcome) = session(&folder, exchange, b"x".to_vec());
        let fault = outcome.expect_err(words);
        assert_eq!(fault.reason, reason, "{fault:?}");
        assert!(fault.what.starts_with(words), "{fault:?}");
    }
}

#[test]
fn a_directory_is_listed_in_three_forms() {
    let folder = Folder::new();
    let names: Vec<String> = (0..250).map(|n| format!("file {n}")).collect();
    for name in &names {
        fs::write(folder.at(name), name).expect("written");
    }
    let list = |form| works(&folder, Sftp::list(List::new(".", form)), Vec::new());
    let told = list(Form::Names);
    let mut lines: Vec<&[u8]> = told.data.trim_ascii_end().split(|c| *c == b'\n').collect();
    lines.sort_unstable();
    let mut want: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    want.extend([&b"."[..], b".."]);
    want.sort_unstable();
    assert_eq!(lines, want);
    let long = String::from_utf8(list(Form::Long).data).expect("text");
    assert_eq!(long.lines().count(), 252);
    assert!(
        long.lines()
            .any(|line| line.starts_with("-rw") && line.ends_with(" file 7"))
    );
    let entries = list(Form::Entries).events;
    let sized = |event: &&Event| {
        matches!(event, Event::Entry(entry)
            if entry.kind == EntryKind::File && entry.attributes.size == Some(entry.path.len() as u64))
    };
    assert_eq!(entries.iter().filter(sized).count(), 250);
}

#[test]
fn too_many_entries_are_an_error() {
    let folder = Folder::new();
    let list = List::new(".", Form::Names).at_most(1);
    let (_, outcome) = session(&folder, Sftp::list(list), Vec::new());
    assert_eq!(
        outcome.expect_err("two are too many").reason,
        Reason::BodyTooLarge
    );
}
