//! Dropbear: a second implementation of SSH. Its sftp is OpenSSH's program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::accounts;
use super::instance::{Instance, Service};
use super::passwords::USER;
use super::place::{self, Place};
use super::ssh::{self, KnownHosts};

/// The port that `xtask servers` uses.
pub(super) const FIXED_PORT: u16 = 28350;

const HOST_KEYS: [&str; 3] = ["ed25519", "ecdsa", "rsa"];

/// A running Dropbear, ended by dropping it. It has accounts of its own, which takes
/// root's rights, and knows keys and passwords but neither certificates nor
/// keyboard-interactive.
#[derive(Debug)]
pub struct Dropbear {
    instance: Instance,
    port: u16,
}

impl Dropbear {
    pub(super) fn start() -> io::Result<Self> {
        let [port] = place::free_ports()?;
        let place = Place::open("dropbear")?;
        let instance = Instance::start(place, |folder| set_up(folder, port))?;
        Ok(Self { instance, port })
    }

    /// The process id of the one that listens.
    pub fn pid(&self) -> u32 {
        self.instance.pid()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The one who may log in, by a key or by [`PASSWORD`](super::PASSWORD).
    pub fn user(&self) -> &'static str {
        USER
    }

    /// The private key to log in with: ed25519, in OpenSSH's format, without a passphrase.
    pub fn key(&self) -> PathBuf {
        self.key_named("ed25519")
    }

    /// The private key of that name; see [`Ssh::key_named`](super::Ssh::key_named).
    pub fn key_named(&self, name: &str) -> PathBuf {
        self.instance.folder().join("keys").join(name)
    }

    /// A `known_hosts` file with the server's keys.
    pub fn known_hosts(&self) -> PathBuf {
        self.known_hosts_of(KnownHosts::Plain)
    }

    /// A `known_hosts` file of that kind; it has no certificate for [`KnownHosts::Authority`].
    pub fn known_hosts_of(&self, kind: KnownHosts) -> PathBuf {
        self.instance.folder().join(kind.file())
    }

    /// The folder where sftp and scp begin; see [`Ssh::home`](super::Ssh::home).
    pub fn home(&self) -> PathBuf {
        self.instance.folder().join("home")
    }

    /// What it said so far.
    pub fn log(&self) -> String {
        self.instance.text("error.log")
    }
}

/// Fills `folder` with keys and an account.
pub(super) fn set_up(folder: &Path, port: u16) -> io::Result<Vec<Service>> {
    let program = place::program("dropbear", "dropbear-bin")?;
    // It has the path of this one built in.
    place::sftp_server()?;
    let host_keys = host_keys(folder)?;
    ssh::write_known_hosts(folder, port, &host_keys)?;
    ssh::copy_keys(folder)?;
    let home = folder.join("home");
    ssh::fill_home(&home, &place::content_below(&place::open_root()?)?)?;
    // It insists on modes that let nobody else write.
    fs::create_dir_all(home.join(".ssh"))?;
    fs::copy(
        folder.join("authorized_keys"),
        home.join(".ssh/authorized_keys"),
    )?;
    accounts::create(folder)?;
    accounts::give_home(folder)?;
    let pid = folder.join("pid").display().to_string();
    let mut command: Vec<String> = [
        &program.display().to_string(),
        "-F",
        "-E",
        "-m",
        "-p",
        &format!("127.0.0.1:{port}"),
        "-P",
        &pid,
    ]
    .map(str::to_owned)
    .to_vec();
    for kind in HOST_KEYS {
        let key = host_key(folder, kind).display().to_string();
        command.extend(["-r".to_owned(), key]);
    }
    Ok(vec![Service {
        command: accounts::with(folder, &command),
        ports: vec![port],
        log: folder.join("error.log"),
    }])
}

fn host_key(folder: &Path, kind: &str) -> PathBuf {
    folder.join(format!("host-{kind}"))
}

/// Makes the server's keys in its own format; gives the public keys, a line each.
fn host_keys(folder: &Path) -> io::Result<Vec<String>> {
    let program = place::program("dropbearkey", "dropbear-bin")?;
    let mut lines = Vec::new();
    for kind in HOST_KEYS {
        let file = host_key(folder, kind);
        let make = ["-t", kind, "-f"];
        let show = ["-y", "-f"];
        let args = if file.exists() { &show[..] } else { &make };
        let output = Command::new(&program)
            .args(args)
            .arg(&file)
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_key = |line: &&str| line.starts_with("ssh-") || line.starts_with("ecdsa-");
        let line = said.lines().find(is_key).ok_or_else(|| {
            let error = String::from_utf8_lossy(&output.stderr);
            io::Error::other(format!("dropbearkey -t {kind}: {said}{error}"))
        })?;
        lines.push(line.to_owned());
    }
    Ok(lines)
}
