//! Commands of sftp against OpenSSH's sftp-server.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use sockless_core::{Attributes, EntryKind, Event, Reason};
use sockless_ssh::sftp::{Change, Command, Get, Put, Quote, Sftp, When};

use crate::folder::Folder;
use crate::process::Process;
use crate::stand::{Manner, Told, run};

fn commands(folder: &Folder, commands: Vec<Command>) -> Told {
    let mut server = Process::in_folder(folder.path());
    let (told, outcome) = run(Sftp::commands(commands), &mut server, Manner::default());
    outcome.expect("it works");
    told
}

/// The paths of all entries that were told.
fn paths(told: &Told) -> Vec<Vec<u8>> {
    let path = |event: &Event| match event {
        Event::Entry(entry) => Some(entry.path.clone()),
        _ => None,
    };
    told.events.iter().filter_map(path).collect()
}

#[test]
fn files_and_directories_are_made_renamed_and_removed() {
    let folder = Folder::new();
    let path = |name: &str| name.as_bytes().to_vec();
    fs::write(folder.at("old"), "x").expect("written");
    fs::write(folder.at("taken"), "y").expect("written");
    commands(
        &folder,
        vec![
            Command::MakeDirectory {
                path: path("dir"),
                mode: Some(0o700),
            },
            Command::MakeDirectory {
                path: path("gone"),
                mode: None,
            },
            Command::RemoveDirectory(path("gone")),
            Command::Rename {
                from: path("old"),
                to: path("taken"),
            },
            Command::Copy {
                from: path("taken"),
                to: path("copied"),
            },
            Command::Symlink {
                target: path("taken"),
                link: path("symbolic"),
            },
            Command::Link {
                from: path("taken"),
                to: path("hard"),
            },
            Command::Touch {
                path: path("touched"),
                times: (5, 6),
            },
        ],
    );
    assert_eq!(
        fs::metadata(folder.at("dir")).expect("made").mode() & 0o777,
        0o700
    );
    assert!(!folder.at("gone").exists() && !folder.at("old").exists());
    for name in ["taken", "copied", "symbolic", "hard"] {
        assert_eq!(fs::read(folder.at(name)).expect("there"), b"x", "{name}");
    }
    assert_eq!(fs::metadata(folder.at("hard")).expect("there").nlink(), 2);
    assert_eq!(
        fs::read_link(folder.at("symbolic"))
            .expect("a link")
            .as_os_str(),
        "taken"
    );
    let touched = fs::metadata(folder.at("touched")).expect("there");
    assert_eq!((touched.atime(), touched.mtime(), touched.len()), (5, 6, 0));
    commands(&folder, vec![Command::Remove(path("taken"))]);
    assert!(!folder.at("taken").exists());
}

#[test]
fn attributes_are_changed_and_told() {
    let folder = Folder::new();
    fs::write(folder.at("file"), "abc").expect("written");
    symlink("file", folder.at("link")).expect("made");
    let path = |name: &str| name.as_bytes().to_vec();
    let set = |name: &str, attributes, follow| Command::Set {
        path: path(name),
        attributes,
        follow,
    };
    let mode = Attributes {
        mode: Some(0o604),
        ..Attributes::default()
    };
    let times = Attributes {
        times: Some((77, 78)),
        ..Attributes::default()
    };
    let told = commands(
        &folder,
        vec![
            set("link", mode, true),
            Command::Change {
                path: path("file"),
                change: Change::Written(1000),
            },
            Command::Change {
                path: path("file"),
                change: Change::Read(2000),
            },
            set("link", times, false),
            Command::Stat {
                path: path("link"),
                follow: true,
            },
            Command::Stat {
                path: path("link"),
                follow: false,
            },
        ],
    );
    let [Event::Entry(file), Event::Entry(link)] = &told.events[..] else {
        panic!("two entries: {:?}", told.events);
    };
    assert_eq!(file.kind, EntryKind::File);
    assert_eq!(file.attributes.mode, Some(0o100_604));
    assert_eq!(file.attributes.times, Some((2000, 1000)));
    assert_eq!(file.attributes.size, Some(3));
    assert_eq!(link.kind, EntryKind::Link);
    // Following the link has touched the other time.
    assert_eq!(link.attributes.times.map(|(_, written)| written), Some(78));
    let (user, group) = file.attributes.owner.expect("told");
    let same = |change| Command::Change {
        path: path("file"),
        change,
    };
    commands(
        &folder,
        vec![same(Change::User(user)), same(Change::Group(group))],
    );
}

#[test]
fn paths_and_file_systems_are_told() {
    let folder = Folder::new();
    symlink("no\nwhere\u{1}", folder.at("link")).expect("made");
    let home = fs::canonicalize(folder.path()).expect("there");
    let told = commands(
        &folder,
        vec![
            Command::RealPath(b".".to_vec()),
            Command::ReadLink(b"link".to_vec()),
            Command::Expand(b"~/x".to_vec()),
            Command::FileSystem(b".".to_vec()),
        ],
    );
    let home = home.to_str().expect("text").as_bytes().to_vec();
    let mut below = home.clone();
    below.extend_from_slice(b"/x");
    let paths = paths(&told);
    assert_eq!(paths[..2], [home, b"no\nwhere\x01".to_vec()]);
    assert!(paths[2].ends_with(b"/x"), "{:?}", paths[2]);
    let Some(Event::FileSystem(found)) = told.events.last() else {
        panic!("a file system: {:?}", told.events);
    };
    assert!(found.blocks >= found.free && found.block > 0, "{found:?}");
}

#[test]
fn quoted_commands_go_around_a_transfer() {
    let folder = Folder::new();
    let lines: [&[u8]; 4] = [
        b"mkdir \"a \\\"b\\\"\"",
        b"*rm none",
        b"-rename \"a \\\"b\\\"/new\" /~/kept",
        b"-chmod 600 kept",
    ];
    let quotes = lines.map(|line| Quote::parse(line).expect("a command"));
    let at = |when| {
        let at = quotes.iter().filter(move |(at, _)| *at == when);
        at.map(|(_, quote)| quote.clone())
    };
    let put = Sftp::put(Put::new("a \"b\"/new"))
        .before(at(When::Before))
        .after(at(When::After));
    let mut server = Process::in_folder(folder.path());
    let manner = Manner {
        body: b"hello".to_vec(),
        ..Manner::default()
    };
    run(put, &mut server, manner).1.expect("it works");
    assert_eq!(fs::read(folder.at("kept")).expect("there"), b"hello");
    assert_eq!(
        fs::metadata(folder.at("kept")).expect("there").mode() & 0o777,
        0o600
    );
}

#[test]
fn a_quoted_command_that_fails_ends_it_before_the_transfer() {
    let folder = Folder::new();
    fs::write(folder.at("file"), "abc").expect("written");
    let (_, quote) = Quote::parse(b"rm none").expect("a command");
    let mut server = Process::in_folder(folder.path());
    let get = Sftp::get(Get::new("file")).before([quote]);
    let (told, outcome) = run(get, &mut server, Manner::default());
    let fault = outcome.expect_err("there is no such file");
    assert_eq!(fault.reason, Reason::Quote);
    let cause = fault
        .source
        .expect("a cause")
        .downcast::<sockless_core::Error>()
        .expect("ours");
    assert_eq!(cause.reason(), Reason::NotFound);
    assert!(told.data.is_empty());
}
