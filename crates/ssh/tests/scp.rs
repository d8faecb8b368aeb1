//! scp against a script of what the other end says.

use std::collections::VecDeque;

use sockless_core::{Culprit, Event, Exchange, Exit, Fault, Reason};
use sockless_ssh::Exec;
use sockless_ssh::feed::Item;
use sockless_ssh::message::Kind;
use sockless_ssh::scp::{ScpGet, ScpPut};

#[path = "stand/mod.rs"]
mod stand;

use stand::{Far, Manner, Told, run};

/// Says its lines one by one, and ends with that code.
struct Script {
    says: VecDeque<(Kind, Vec<u8>)>,
    command: Vec<u8>,
    heard: Vec<u8>,
    finished: bool,
}

impl Script {
    fn new(lines: &[&[u8]], code: u32) -> Self {
        let data = lines.iter().map(|line| (Kind::Data, line.to_vec()));
        let end = [
            (Kind::Eof, Vec::new()),
            (Kind::ExitStatus, code.to_be_bytes().to_vec()),
            (Kind::Closed, Vec::new()),
        ];
        let opened = [(Kind::Opened, Vec::new())];
        Self {
            says: opened.into_iter().chain(data).chain(end).collect(),
            command: Vec::new(),
            heard: Vec::new(),
            finished: false,
        }
    }
}

impl Far for Script {
    fn begin(&mut self, kind: Kind, payload: &[u8]) {
        assert_eq!(kind, Kind::Exec);
        self.command = payload.to_vec();
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.heard.extend_from_slice(bytes);
    }

    fn finish(&mut self) {
        self.finished = true;
    }

    fn say(&mut self) -> Option<(Kind, Vec<u8>)> {
        self.says.pop_front()
    }
}

fn get(get: ScpGet, lines: &[&[u8]]) -> (Told, Result<(), Fault>) {
    run(
        get.exchange(),
        &mut Script::new(lines, 0),
        Manner::default(),
    )
}

fn manner(body: &[u8]) -> Manner {
    Manner {
        body: body.to_vec(),
        ..Manner::default()
    }
}

#[test]
fn a_get_is_right_in_any_pieces() {
    let lines: [&[u8]; 8] = [
        b"T5 0 6 0\n",
        b"D0755 0 top\n",
        b"C0600 5 a b\n",
        b"hello\0",
        b"C0644 0 empty\n",
        b"\0",
        b"E\n",
        b"",
    ];
    for burst in 1..9 {
        for pipe in [1, 5, 1000] {
            let manner = Manner {
                burst,
                pipe,
                ..Manner::default()
            };
            let mut script = Script::new(&lines, 0);
            let exchange = ScpGet::new("/x/top/").recursive().times().exchange();
            let (told, outcome) = run(exchange, &mut script, manner);
            outcome.expect("it works");
            let file = |path: &str, content: &str| (path.into(), content.into());
            let want: [(Vec<u8>, Vec<u8>); 3] = [
                file("top", ""),
                file("top/a b", "hello"),
                file("top/empty", ""),
            ];
            assert_eq!(told.files(), want);
            assert_eq!(script.command, b"scp -r -p -f '/x/top/'");
            // One for the greeting, each record, and each file.
            assert_eq!(script.heard, [0; 8]);
            let Event::Entry(top) = &told.events[0] else {
                panic!("{:?}", told.events);
            };
            assert_eq!(top.attributes.times, Some((6, 5)));
        }
    }
}

#[test]
fn names_that_were_not_asked_for_are_refused() {
    let file = || ScpGet::new("dir/file");
    let tree = || ScpGet::new("top").recursive();
    let lies: [(ScpGet, &[&[u8]]); 9] = [
        (file(), &[b"C0644 1 other\n"]),
        (file(), &[b"C0644 1 ../file\n"]),
        (file(), &[b"C0644 1 \n"]),
        (file(), &[b"D0755 0 file\n"]),
        (file(), &[b"C0644 1 file\n", b"x\0", b"C0644 1 file\n"]),
        (tree(), &[b"D0755 0 top\n", b"C0644 1 ..\n"]),
        (tree(), &[b"D0755 0 top\n", b"C0644 1 a/b\n"]),
        (tree(), &[b"D0755 0 top\n", b"E\n", b"C0644 1 x\n"]),
        (tree(), &[b"D0755 0 .ssh\n"]),
    ];
    for (job, lines) in lies {
        let (_, outcome) = get(job, lines);
        let fault = outcome.expect_err("a lie");
        assert_eq!(
            fault.culprit,
            Culprit::PeerMisbehaved,
            "{lines:?}: {fault:?}"
        );
        assert_eq!(fault.reason, Reason::Malformed, "{lines:?}: {fault:?}");
    }
}

#[test]
fn lines_that_are_none_are_refused() {
    let endless = vec![b'C'; 100_000];
    let lines: [&[u8]; 5] = [
        b"hello\n",
        b"E\n",
        b"C0644 -1 f\n",
        b"C0644 99999999999999999999 f\n",
        &endless,
    ];
    for line in lines {
        let (_, outcome) = get(ScpGet::new("f"), &[line]);
        let fault = outcome.expect_err("no line");
        assert_eq!(fault.culprit, Culprit::PeerMisbehaved, "{fault:?}");
    }
}

#[test]
fn endings_before_the_end_are_errors() {
    let early: [&[&[u8]]; 4] = [
        &[],
        &[b"C0644 5 f\n"],
        &[b"C0644 5 f\n", b"hel"],
        &[b"C0644 5 f\n", b"hello"],
    ];
    for lines in early {
        let (_, outcome) = get(ScpGet::new("f"), lines);
        assert_eq!(
            outcome.expect_err("too early").reason,
            Reason::Truncated,
            "{lines:?}"
        );
    }
    let mut script = Script::new(&[b"D0755 0 top\n"], 0);
    let (_, outcome) = run(
        ScpGet::new("top").recursive().exchange(),
        &mut script,
        Manner::default(),
    );
    assert_eq!(outcome.expect_err("not left").reason, Reason::Truncated);
}

#[test]
fn bounds_hold() {
    let (_, outcome) = get(ScpGet::new("f").at_most(4), &[b"C0644 5 f\n"]);
    assert_eq!(outcome.expect_err("too long").reason, Reason::BodyTooLarge);
    let job = ScpGet::new("t").recursive().entries_at_most(1);
    let (_, outcome) = get(job, &[b"D0755 0 t\n", b"D0755 0 a\n"]);
    assert_eq!(outcome.expect_err("too many").reason, Reason::BodyTooLarge);
    let deep: Vec<&[u8]> = vec![b"D0755 0 t\n"; 5000];
    let (_, outcome) = get(ScpGet::new("t").recursive(), &deep);
    assert_eq!(outcome.expect_err("too deep").reason, Reason::Malformed);
}

#[test]
fn what_the_server_says_is_shown_escaped() {
    let (_, outcome) = get(
        ScpGet::new("f"),
        &[b"\x01scp: f\x1b[2J: Permission denied\n"],
    );
    let fault = outcome.expect_err("refused");
    assert_eq!(
        (fault.culprit, fault.reason),
        (Culprit::PeerRefused, Reason::PermissionDenied)
    );
    assert_eq!(
        fault.what,
        "the server says \"scp: f\\u{1b}[2J: Permission denied\""
    );
    let (told, outcome) = get(
        ScpGet::new("f"),
        &[b"C0644 5 f\n", b"hello\x01scp: f: I/O error\n"],
    );
    assert_eq!(outcome.expect_err("it broke").reason, Reason::RemoteFailure);
    assert_eq!(told.data, b"hello");
}

#[test]
fn a_put_waits_for_consent_before_it_sends_content() {
    let mut script = Script::new(&[b"\0", b"\x01scp: f: Permission denied\n"], 1);
    let put = ScpPut::new("d/f", 14).mode(0o600).exchange();
    let (_, outcome) = run(put, &mut script, manner(b"C0777 1 evil\nx"));
    assert_eq!(
        outcome.expect_err("refused").reason,
        Reason::PermissionDenied
    );
    assert_eq!(
        script.heard, b"C0600 14 f\n",
        "content would be taken for records"
    );
}

#[test]
fn a_tree_is_put_in_and_out_of_directories() {
    let items: [(Item, &[u8]); 5] = [
        (Item::directory("a"), b""),
        (Item::directory("a/b"), b""),
        (Item::file("a/b/x", 2), b"hi"),
        (Item::directory("c"), b""),
        (Item::file("c/y", 0), b""),
    ];
    let body: Vec<u8> = items
        .iter()
        .flat_map(|(item, content)| [&item.encode()[..], content].concat())
        .collect();
    for piece in [1, 7, 1000] {
        let mut script = Script::new(&[&b"\0"[..]; 11], 0);
        let manner = Manner {
            piece,
            ..manner(&body)
        };
        let (told, outcome) = run(ScpPut::tree("to").exchange(), &mut script, manner);
        outcome.expect("it works");
        let said = "D0755 0 a\nD0755 0 b\nC0644 2 x\nhi\0E\nE\nD0755 0 c\nC0644 0 y\n\0E\n";
        assert_eq!(String::from_utf8_lossy(&script.heard), said);
        assert!(script.finished);
        assert_eq!(told.events.len(), 2);
    }
}

#[test]
fn a_body_of_another_length_is_refused() {
    for body in [&b"four"[..], b"sixsix"] {
        let mut script = Script::new(&[&b"\0"[..]; 3], 0);
        let (_, outcome) = run(ScpPut::new("f", 5).exchange(), &mut script, manner(body));
        let fault = outcome.expect_err("five were said");
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::Misuse, Reason::Upload)
        );
    }
}

#[test]
fn a_command_tells_by_what_signal_it_ended() {
    struct Killed(usize);
    impl Far for Killed {
        fn begin(&mut self, _: Kind, payload: &[u8]) {
            assert_eq!(payload, b"sleep 1000");
        }
        fn hear(&mut self, _: &[u8]) {}
        fn say(&mut self) -> Option<(Kind, Vec<u8>)> {
            self.0 += 1;
            Some(match self.0 {
                1 => (Kind::Opened, Vec::new()),
                2 => (Kind::ExitSignal, b"TERM".to_vec()),
                _ => (Kind::Closed, Vec::new()),
            })
        }
    }
    let (told, outcome) = run(Exec::new("sleep 1000"), &mut Killed(0), Manner::default());
    outcome.expect("that is no error");
    assert!(matches!(&told.events[..], [Event::Exited(Exit::Signal(name))] if name == b"TERM"));
}

/// A command that says three bytes to each stream, and ends when its standard input does.
#[derive(Default)]
struct Reads {
    said: usize,
    heard: Vec<u8>,
    ended: bool,
}

impl Far for Reads {
    fn begin(&mut self, _: Kind, _: &[u8]) {}
    fn hear(&mut self, bytes: &[u8]) {
        self.heard.extend_from_slice(bytes);
    }
    fn finish(&mut self) {
        self.ended = true;
    }
    fn say(&mut self) -> Option<(Kind, Vec<u8>)> {
        self.said += 1;
        Some(match self.said {
            1 => (Kind::Opened, Vec::new()),
            2 => (Kind::Data, b"out".to_vec()),
            3 => (Kind::Stderr, b"err".to_vec()),
            _ if self.ended => (Kind::Closed, Vec::new()),
            4..50 => return None,
            _ => panic!("its standard input never ends"),
        })
    }
}

#[test]
fn a_command_without_input_is_at_its_end_at_once() {
    let mut far = Reads::default();
    let manner = Manner {
        body: b"nobody asks for it".to_vec(),
        ..Manner::default()
    };
    let (told, outcome) = run(Exec::new("cat").without_input(), &mut far, manner);
    outcome.expect("it ended");
    assert!(far.ended && far.heard.is_empty());
    assert_eq!((&*told.data, &*told.stderr), (&b"out"[..], &b"err"[..]));
}

#[test]
fn a_command_says_no_more_than_is_wanted() {
    for (most, goes) in [(6, true), (5, false), (3, false), (2, false), (0, false)] {
        let exec = Exec::new("x").without_input().at_most(most);
        let (told, outcome) = run(exec, &mut Reads::default(), Manner::default());
        assert!(told.data.len() + told.stderr.len() <= most as usize);
        match outcome {
            Ok(()) => assert!(goes, "{most}"),
            Err(fault) => {
                assert!(!goes && fault.what.contains("wanted at most"), "{fault:?}");
                let kind = (fault.culprit, fault.reason);
                assert_eq!(kind, (Culprit::Limit, Reason::BodyTooLarge));
            }
        }
    }
}

#[test]
fn an_exchange_that_has_done_nothing_starts_over() {
    let mut exec = Exec::new("x");
    let mut get = ScpGet::new("x").exchange();
    let mut put = ScpPut::new("x", 1).exchange();
    assert!(exec.restart(true) && get.restart(true) && put.restart(true));
}
