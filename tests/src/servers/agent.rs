//! OpenSSH's agent, which holds keys and never gives them away.

use std::io;
use std::path::{Path, PathBuf};

use super::instance::{Instance, Service};
use super::place::{self, Place};
use super::process;
use super::ssh;

/// Serves `$1` as an agent with the keys that follow, and says with a file when it holds them.
const SCRIPT: &str = r#"trap 'kill "$agent"' TERM
socket=$1; shift
ssh-agent -D -a "$socket" & agent=$!
until [ -S "$socket" ]; do sleep 0.01; done
SSH_AUTH_SOCK=$socket ssh-add -q "$@" && : >"$socket.ready"
wait "$agent"; wait "$agent""#;

/// A running agent, ended by dropping it.
#[derive(Debug)]
pub struct Agent {
    instance: Instance,
}

impl Agent {
    pub(super) fn start() -> io::Result<Self> {
        let place = Place::short("ssh-agent")?;
        let instance = Instance::start(place, set_up)?;
        let ready = instance.folder().join("socket.ready");
        let log = instance.folder().join("error.log");
        process::wait_until("it does not hold the keys", || ready.exists())
            .map_err(|error| process::with_log(&error, &log))?;
        Ok(Self { instance })
    }

    /// Its socket; it holds the keys of [`ACCEPTED`](super::ACCEPTED) that have no
    /// passphrase and are in OpenSSH's format, and the one of
    /// [`CERTIFIED`](super::CERTIFIED) with its certificate.
    pub fn socket(&self) -> PathBuf {
        self.instance.folder().join("socket")
    }

    /// What it and `ssh-add` said so far.
    pub fn log(&self) -> String {
        self.instance.text("error.log")
    }
}

/// Fills `folder` with the keys.
pub(super) fn set_up(folder: &Path) -> io::Result<Vec<Service>> {
    place::program("ssh-agent", "openssh-client")?;
    ssh::copy_keys(folder)?;
    let socket = folder.join("socket").display().to_string();
    let mut command: Vec<String> = ["sh", "-c", SCRIPT, "sh", &socket]
        .map(str::to_owned)
        .to_vec();
    let formats = ["-pem", "-pkcs8", "-passphrase"];
    for name in ssh::ACCEPTED.iter().chain(&[ssh::CERTIFIED]) {
        if !formats.iter().any(|format| name.contains(format)) {
            command.push(folder.join("keys").join(name).display().to_string());
        }
    }
    Ok(vec![Service {
        command,
        ports: Vec::new(),
        log: folder.join("error.log"),
    }])
}
