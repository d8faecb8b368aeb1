//! OpenSSH: servers in several ways, and its client's dynamic forwarding, which is a
//! SOCKS proxy that knows 4a.

mod home;
pub(super) mod keys;
mod known_hosts;
mod sshd;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::accounts;
use super::instance::{Instance, Service};
use super::passwords::USER;
use super::place::{self, Place};

pub use home::ODD_NAMES;
pub(super) use home::fill as fill_home;
pub use keys::{ACCEPTED, CERTIFIED, CERTIFIED_ONCE, CERTIFIED_OTHER, PASSPHRASE, STRANGER};
pub use known_hosts::KnownHosts;
pub(super) use known_hosts::write as write_known_hosts;
pub use sshd::Sshd;

/// The port of the SOCKS proxy that `xtask servers` uses.
const FIXED_SOCKS_PORT: u16 = 28341;

/// The server's keys, and what makes ssh-keygen make them.
const HOST_KEYS: [(&str, [&str; 4]); 3] = [
    ("host-ed25519", ["-t", "ed25519", "-a", "1"]),
    ("host-ecdsa", ["-t", "ecdsa", "-b", "256"]),
    ("host-rsa", ["-t", "rsa", "-b", "2048"]),
];

/// A running `sshd`, ended by dropping it; [`Sshd::Usual`] has an `ssh -D` beside it that
/// is logged in to it.
#[derive(Debug)]
pub struct Ssh {
    instance: Instance,
    sshd: Sshd,
    ports: [u16; 2],
}

impl Ssh {
    pub(super) fn start(sshd: Sshd) -> io::Result<Self> {
        let ports: [u16; 2] = place::free_ports()?;
        let place = if sshd.has_accounts() {
            Place::open(sshd.name())?
        } else {
            Place::own(sshd.name())?
        };
        let instance = Instance::start(place, |folder| set_up(sshd, folder, ports))?;
        Ok(Self {
            instance,
            sshd,
            ports,
        })
    }

    /// The process id of the `sshd` that listens.
    pub fn pid(&self) -> u32 {
        self.instance.pid()
    }

    /// The way in which it is set up.
    pub fn sshd(&self) -> Sshd {
        self.sshd
    }

    /// The port of `sshd` on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    /// The port on 127.0.0.1 that speaks SOCKS4, SOCKS4a and SOCKS5, for everyone.
    ///
    /// # Panics
    /// Only [`Sshd::Usual`] has one.
    pub fn socks_port(&self) -> u16 {
        assert_eq!(self.sshd, Sshd::Usual, "it has a SOCKS proxy");
        self.ports[1]
    }

    /// The one who may log in: whoever runs the tests, or [`USER`] where the server has
    /// accounts of its own; the password there is [`PASSWORD`](super::PASSWORD).
    ///
    /// # Errors
    /// The `id` command does not say who runs the tests.
    pub fn user(&self) -> io::Result<String> {
        user(self.sshd)
    }

    /// The private key to log in with: ed25519, in OpenSSH's format, without a passphrase.
    pub fn key(&self) -> PathBuf {
        self.instance.folder().join("keys/ed25519")
    }

    /// The private key of that name: one of [`ACCEPTED`], whose passphrase is
    /// [`PASSPHRASE`] if its name says that it has one, one of those with a certificate,
    /// or [`STRANGER`]. Beside it is `NAME.pub`, and `NAME-cert.pub` if it has one.
    pub fn key_named(&self, name: &str) -> PathBuf {
        self.instance.folder().join("keys").join(name)
    }

    /// A `known_hosts` file with the server's keys.
    pub fn known_hosts(&self) -> PathBuf {
        self.known_hosts_of(KnownHosts::Plain)
    }

    /// A `known_hosts` file of that kind.
    pub fn known_hosts_of(&self, kind: KnownHosts) -> PathBuf {
        self.instance.folder().join(kind.file())
    }

    /// The server's public key of the kind "ed25519", "ecdsa" or "rsa": a line as in
    /// `NAME.pub`.
    ///
    /// # Errors
    /// It has no such key.
    pub fn host_key(&self, kind: &str) -> io::Result<String> {
        let file = format!("host-{kind}.pub");
        fs::read_to_string(self.instance.folder().join(file))
    }

    /// The folder where sftp begins: [`content::FILES`](crate::content::FILES) up to a
    /// mebibyte, `text`, `deep/er/1k`, `names/` with [`ODD_NAMES`], an empty `upload/`, a
    /// `link`, a `dangling` one, and `content`, a link to all files, not to be written to.
    pub fn home(&self) -> PathBuf {
        self.instance.folder().join("home")
    }

    /// The configuration file that gives OpenSSH's client all of this, and names the
    /// server `tests`: `ssh -F FILE tests`, or `ssh -F FILE -W %h:%p tests` as a
    /// `ProxyCommand`.
    pub fn client_config(&self) -> PathBuf {
        self.instance.folder().join("ssh_config")
    }

    /// What `sshd` and `ssh` said so far.
    pub fn log(&self) -> String {
        self.instance.text("error.log")
    }
}

/// The ports that `xtask servers` uses.
pub(super) fn fixed_ports(sshd: Sshd) -> [u16; 2] {
    [sshd.fixed_port(), FIXED_SOCKS_PORT]
}

/// How many of its two ports it listens on.
pub(super) fn ports_used(sshd: Sshd) -> usize {
    if sshd == Sshd::Usual { 2 } else { 1 }
}

/// Fills `folder` with keys and with configurations for server and client.
pub(super) fn set_up(sshd: Sshd, folder: &Path, ports: [u16; 2]) -> io::Result<Vec<Service>> {
    let [port, socks_port] = ports;
    let log = folder.join("error.log");
    let host_keys = host_keys(folder)?;
    write_known_hosts(folder, port, &host_keys)?;
    copy_keys(folder)?;
    let content = if sshd.has_accounts() {
        place::content_below(&place::open_root()?)?
    } else {
        place::content()?
    };
    fill_home(&folder.join("home"), &content)?;
    let names = HOST_KEYS.map(|(name, _)| name);
    fs::write(
        folder.join("sshd_config"),
        sshd.config(folder, port, &names)?,
    )?;
    fs::write(
        folder.join("ssh_config"),
        client_config(folder, port, &user(sshd)?),
    )?;
    if place::is_root() {
        // Fixed when it was built; the package leaves it to the service to make it.
        fs::create_dir_all("/run/sshd")?;
    }
    let mut services = vec![Service {
        command: serve(sshd, folder)?,
        ports: vec![port],
        log: log.clone(),
    }];
    if sshd == Sshd::Usual {
        services.push(Service {
            command: forward(folder, socks_port)?,
            ports: vec![socks_port],
            log,
        });
    }
    Ok(services)
}

/// Whoever runs the tests.
pub(super) fn runner() -> io::Result<String> {
    let output = Command::new("id").arg("-un").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Puts the users' keys into `folder/keys`, and what the server has to know of them beside.
pub(super) fn copy_keys(folder: &Path) -> io::Result<()> {
    let keys = folder.join("keys");
    fs::create_dir_all(&keys)?;
    for entry in fs::read_dir(keys::folder()?)? {
        let entry = entry?;
        // This keeps that nobody else may read them.
        fs::copy(entry.path(), keys.join(entry.file_name()))?;
    }
    let authority = format!("{}.pub", keys::USER_AUTHORITY);
    fs::copy(keys.join(&authority), folder.join(&authority))?;
    fs::write(folder.join("authorized_keys"), keys::authorized()?)
}

/// Makes the server's keys and certificates; gives the public keys, a line each.
fn host_keys(folder: &Path) -> io::Result<Vec<String>> {
    let names = "127.0.0.1,localhost";
    let mut lines = Vec::new();
    for (name, options) in HOST_KEYS {
        let key = folder.join(name);
        keys::create_key(&key, &options)?;
        let options = ["-h", "-n", names, "-V", "always:forever"];
        keys::certify(&keys::folder()?, keys::HOST_AUTHORITY, &key, &options)?;
        lines.push(fs::read_to_string(key.with_extension("pub"))?);
    }
    Ok(lines)
}

fn serve(sshd: Sshd, folder: &Path) -> io::Result<Vec<String>> {
    // It insists on being started by its full path.
    let program = place::program("sshd", "openssh-server")?;
    let config = folder.join("sshd_config").display().to_string();
    let command = [&program.display().to_string(), "-D", "-e", "-f", &config];
    let command = command.map(str::to_owned).to_vec();
    if !sshd.has_accounts() {
        return Ok(command);
    }
    accounts::create(folder)?;
    accounts::create_pam(folder, "sshd")?;
    accounts::give_home(folder)?;
    Ok(accounts::with(folder, &command))
}

fn forward(folder: &Path, socks_port: u16) -> io::Result<Vec<String>> {
    let program = place::program("ssh", "openssh-client")?;
    let command = [
        &program.display().to_string(),
        "-F",
        &folder.join("ssh_config").display().to_string(),
        "-N",
        "-D",
        &format!("127.0.0.1:{socks_port}"),
        "tests",
    ];
    Ok(command.map(str::to_owned).to_vec())
}

fn client_config(folder: &Path, port: u16, user: &str) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    format!(
        "Host tests\n\
         HostName 127.0.0.1\n\
         Port {port}\n\
         User {user}\n\
         IdentityFile \"{}\"\n\
         IdentitiesOnly yes\n\
         IdentityAgent none\n\
         UserKnownHostsFile \"{}\"\n\
         GlobalKnownHostsFile none\n\
         StrictHostKeyChecking yes\n\
         ExitOnForwardFailure yes\n\
         BatchMode yes\n",
        path("keys/ed25519"),
        path(KnownHosts::Plain.file()),
    )
}

fn user(sshd: Sshd) -> io::Result<String> {
    if sshd.has_accounts() {
        return Ok(USER.to_owned());
    }
    runner()
}
