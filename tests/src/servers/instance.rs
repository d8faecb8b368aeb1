//! One running server: its processes and its folder.

use std::io;
use std::path::{Path, PathBuf};

use super::place::{self, Place};
use super::process::Process;

/// A process that belongs to a server, and what it takes to run it.
#[derive(Debug)]
pub(super) struct Service {
    /// The command that stays in the foreground until the process ends.
    pub(super) command: Vec<String>,
    /// The ports of 127.0.0.1 that it listens on.
    pub(super) ports: Vec<u16>,
    /// Where it complains; its standard error goes there as well.
    pub(super) log: PathBuf,
}

/// The command that runs `command` and ends with it, and it with the command.
///
/// A process that changes its user loses the signal it would get at our end
/// (prctl(2), `PR_SET_PDEATHSIG`); a shell beside it keeps the signal and passes it on.
pub(super) fn kept(command: &[&str]) -> Vec<String> {
    // The first wait is interrupted by the signal, the second is not.
    let script = r#"trap 'kill "$child"' TERM; "$@" & child=$!; wait "$child"; wait "$child""#;
    let shell = ["sh", "-c", script, "sh"];
    shell
        .iter()
        .chain(command)
        .map(|&word| word.to_owned())
        .collect()
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(super) struct Instance {
    // In this order: the processes end before their folder goes.
    processes: Vec<Process>,
    place: Place,
}

impl Instance {
    /// Starts what `set_up` asks for once it has filled the folder.
    pub(super) fn start(
        place: Place,
        set_up: impl FnOnce(&Path) -> io::Result<Vec<Service>>,
    ) -> io::Result<Self> {
        let mut instance = Self {
            processes: Vec::new(),
            place,
        };
        for service in set_up(instance.folder())? {
            instance.processes.push(Process::start(&service)?);
        }
        Ok(instance)
    }

    /// The process id of its first process.
    pub(super) fn pid(&self) -> u32 {
        self.processes[0].pid()
    }

    pub(super) fn folder(&self) -> &Path {
        self.place.folder()
    }

    /// What is in one of its files so far.
    pub(super) fn text(&self, name: &str) -> String {
        place::text(&self.folder().join(name))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // A later one may depend on an earlier one.
        while self.processes.pop().is_some() {}
    }
}
