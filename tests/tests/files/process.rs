//! A program as the far end of a channel.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use sockless_ssh::message::Kind;

use crate::stand::Far;

/// OpenSSH's server for sftp.
pub(crate) const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";

/// How long a program may keep silent before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// What runs when a channel is asked for: `sftp-server` for the subsystem, a shell for a
/// command, as sshd does it.
pub(crate) struct Process {
    folder: PathBuf,
    child: Option<Child>,
    stdin: Option<ChildStdin>,
    said: Option<Receiver<(Kind, Vec<u8>)>>,
    coming: VecDeque<(Kind, Vec<u8>)>,
}

impl Process {
    /// Programs that run in that folder.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            child: None,
            stdin: None,
            said: None,
            coming: VecDeque::new(),
        }
    }
}

fn pump(mut from: impl Read + Send + 'static, kind: Kind, to: Sender<(Kind, Vec<u8>)>) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            if to.send((kind, buffer[..n].to_vec())).is_err() {
                break;
            }
        }
    });
}

impl Far for Process {
    fn begin(&mut self, kind: Kind, payload: &[u8]) {
        let mut command = match kind {
            Kind::Subsystem => Command::new(SFTP_SERVER),
            _ => {
                let mut shell = Command::new("/bin/sh");
                shell.arg("-c").arg(OsStr::from_bytes(payload));
                shell
            }
        };
        let command = command.current_dir(&self.folder).env("HOME", &self.folder);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .expect("OpenSSH is installed");
        let (sender, receiver) = channel();
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        pump(stdout, Kind::Data, sender.clone());
        pump(stderr, Kind::Stderr, sender);
        (self.stdin, self.child) = (child.stdin.take(), Some(child));
        self.said = Some(receiver);
        self.coming.push_back((Kind::Opened, Vec::new()));
    }

    fn hear(&mut self, bytes: &[u8]) {
        if let Some(stdin) = &mut self.stdin {
            // A program that has ended does not hear: its end is what counts then.
            let _ = stdin.write_all(bytes).and_then(|()| stdin.flush());
        }
    }

    fn finish(&mut self) {
        self.stdin = None;
    }

    fn say(&mut self) -> Option<(Kind, Vec<u8>)> {
        if let Some(message) = self.coming.pop_front() {
            return Some(message);
        }
        if let Ok(message) = self.said.as_ref()?.recv_timeout(PATIENCE) {
            return Some(message);
        }
        self.said = None;
        let code = self.child.take()?.wait().ok()?.code();
        self.coming.push_back((Kind::Eof, Vec::new()));
        let code = code.unwrap_or(255).to_be_bytes().to_vec();
        self.coming.push_back((Kind::ExitStatus, code));
        self.coming.push_back((Kind::Closed, Vec::new()));
        self.coming.pop_front()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
