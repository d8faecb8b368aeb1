//! Commands with their streams, run by a shell.

use sockless_core::{Event, Exit};
use sockless_ssh::Exec;

use crate::folder::Folder;
use crate::process::Process;
use crate::stand::{Manner, Told, run};

fn exec(command: &str, body: &[u8]) -> Told {
    let folder = Folder::new();
    let mut shell = Process::in_folder(folder.path());
    let manner = Manner {
        body: body.to_vec(),
        ..Manner::default()
    };
    let (told, outcome) = run(Exec::new(command), &mut shell, manner);
    outcome.expect("it ran");
    told
}

#[test]
fn a_command_has_its_three_streams_and_a_code() {
    let told = exec("cat; echo oops >&2; exit 3", b"to the command");
    assert_eq!(told.data, b"to the command");
    assert_eq!(told.stderr, b"oops\n");
    assert!(matches!(&told.events[..], [Event::Exited(Exit::Code(3))]));
}

#[test]
fn much_goes_both_ways_at_once() {
    let body: Vec<u8> = (0..5_000_000_u32).map(|n| n as u8).collect();
    assert!(exec("cat", &body).data == body);
}

#[test]
fn a_command_may_end_before_it_has_read_all() {
    let body = vec![b'x'; 5_000_000];
    let told = exec("head -c 3", &body);
    assert_eq!(told.data, b"xxx");
    assert!(matches!(&told.events[..], [Event::Exited(Exit::Code(0))]));
}
