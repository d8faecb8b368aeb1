//! What goes wrong in the middle: connections that end, and disks that are full.

use std::fs;

use sockless_core::{Exchange, Fault, Reason};
use sockless_ssh::message::Kind;
use sockless_ssh::scp::ScpPut;
use sockless_ssh::sftp::{Get, Put, Sftp};
use sockless_tests::content;

use crate::folder::Folder;
use crate::process::Process;
use crate::stand::{Far, Manner, Told, run};

/// Ends after so many bytes, one way or the other.
struct Cut {
    server: Process,
    left: usize,
}

impl Far for Cut {
    fn begin(&mut self, kind: Kind, payload: &[u8]) {
        self.server.begin(kind, payload);
    }

    fn hear(&mut self, bytes: &[u8]) {
        let some = &bytes[..bytes.len().min(self.left)];
        self.left -= some.len();
        self.server.hear(some);
    }

    fn finish(&mut self) {
        self.server.finish();
    }

    fn say(&mut self) -> Option<(Kind, Vec<u8>)> {
        if self.left == 0 {
            return Some((Kind::Closed, Vec::new()));
        }
        let (kind, mut payload) = self.server.say()?;
        payload.truncate(self.left);
        self.left -= payload.len();
        Some((kind, payload))
    }
}

const LONG: usize = 3_000_000;

fn session(folder: &Folder, exchange: impl Exchange, left: usize) -> (Told, Result<(), Fault>) {
    let mut server = Cut {
        server: Process::in_folder(folder.path()),
        left,
    };
    let manner = Manner {
        body: content::bytes(LONG),
        ..Manner::default()
    };
    run(exchange, &mut server, manner)
}

#[test]
fn a_get_that_was_cut_goes_on_byte_by_byte() {
    let folder = Folder::new();
    fs::write(folder.at("file"), content::bytes(LONG)).expect("written");
    for left in [300, 40_000, 1_000_001, 2_999_999] {
        let (told, outcome) = session(&folder, Sftp::get(Get::new("file")), left);
        assert_eq!(outcome.expect_err("it was cut").reason, Reason::Truncated);
        let mut data = told.data;
        assert!(data.len() < LONG, "{left}");
        let get = Get::new("file").from(data.len() as u64);
        let (told, outcome) = session(&folder, Sftp::get(get), usize::MAX);
        outcome.expect("it goes on");
        data.extend_from_slice(&told.data);
        assert_eq!(
            (data.len(), content::check(0, &data)),
            (LONG, Ok(())),
            "{left}"
        );
    }
}

#[test]
fn a_put_that_was_cut_goes_on_byte_by_byte() {
    for left in [300, 40_000, 1_000_001, 2_999_999] {
        let folder = Folder::new();
        let put = || Sftp::put(Put::new("file").atomic(".part").resume());
        let (_, outcome) = session(&folder, put(), left);
        assert_eq!(outcome.expect_err("it was cut").reason, Reason::Truncated);
        assert!(!folder.at("file").exists());
        let (_, outcome) = session(&folder, put(), usize::MAX);
        outcome.expect("it goes on");
        content::check_file(&folder.at("file"), LONG as u64).expect("the same bytes");
    }
}

#[test]
fn a_full_disk_is_said_clearly() {
    let folder = Folder::new();
    let put = Sftp::put(Put::new("/dev/full"));
    let (_, outcome) = session(&folder, put, usize::MAX);
    let fault = outcome.expect_err("no space");
    assert_eq!(fault.reason, Reason::RemoteFailure);
    assert!(
        fault.what.starts_with("writing at byte 0 of /dev/full"),
        "{fault:?}"
    );
    assert!(
        fault
            .remedy
            .is_some_and(|remedy| remedy.contains("full disk"))
    );
    let put = ScpPut::new("/dev/full", LONG as u64).exchange();
    let (_, outcome) = session(&folder, put, usize::MAX);
    let fault = outcome.expect_err("no space");
    assert!(fault.what.contains("No space left on device"), "{fault:?}");
}
