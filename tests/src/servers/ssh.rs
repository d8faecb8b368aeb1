//! OpenSSH: a server for `ProxyCommand`, and its client's dynamic forwarding, which is a
//! SOCKS proxy that knows 4a.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::instance::{Instance, Service};
use super::place::{self, Place};

/// The ports that `xtask servers` uses.
pub(super) const FIXED_PORTS: [u16; 2] = [28340, 28341];

/// A running `sshd` with an `ssh -D` that is logged in to it, ended by dropping it.
#[derive(Debug)]
pub struct Ssh {
    instance: Instance,
    ports: [u16; 2],
}

impl Ssh {
    pub(super) fn start() -> io::Result<Self> {
        let ports: [u16; 2] = place::free_ports()?;
        let place = Place::own("ssh")?;
        let instance = Instance::start(place, |folder| set_up(folder, ports))?;
        Ok(Self { instance, ports })
    }

    /// The process id of the `sshd` that listens.
    pub fn pid(&self) -> u32 {
        self.instance.pid()
    }

    /// The port of `sshd` on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    /// The port on 127.0.0.1 that speaks SOCKS4, SOCKS4a and SOCKS5, for everyone.
    pub fn socks_port(&self) -> u16 {
        self.ports[1]
    }

    /// The one who may log in, with [`Ssh::key`]: whoever runs the tests.
    ///
    /// # Errors
    /// The `id` command does not say who that is.
    pub fn user(&self) -> io::Result<String> {
        user()
    }

    /// The private key to log in with.
    pub fn key(&self) -> PathBuf {
        self.instance.folder().join("client")
    }

    /// A `known_hosts` file with the server's key.
    pub fn known_hosts(&self) -> PathBuf {
        self.instance.folder().join("known_hosts")
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

/// Fills `folder` with keys and with configurations for server and client.
pub(super) fn set_up(folder: &Path, ports: [u16; 2]) -> io::Result<Vec<Service>> {
    // It insists on being started by its full path.
    let server = place::program("sshd", "openssh-server")?;
    let client = place::program("ssh", "openssh-client")?;
    let [port, socks_port] = ports;
    let log = folder.join("error.log");
    let path = |name: &str| folder.join(name).display().to_string();
    for key in ["host", "client"] {
        create_key(&folder.join(key))?;
    }
    fs::copy(folder.join("client.pub"), folder.join("authorized_keys"))?;
    let host = fs::read_to_string(folder.join("host.pub"))?;
    let known = format!("[127.0.0.1]:{port} {host}");
    fs::write(folder.join("known_hosts"), known)?;
    fs::write(folder.join("sshd_config"), server_config(&path, port))?;
    fs::write(
        folder.join("ssh_config"),
        client_config(&path, port, &user()?),
    )?;
    if place::is_root() {
        // Fixed when it was built; the package leaves it to the service to make it.
        fs::create_dir_all("/run/sshd")?;
    }
    let socks = format!("127.0.0.1:{socks_port}");
    let serve = [
        &server.display().to_string(),
        "-D",
        "-e",
        "-f",
        &path("sshd_config"),
    ];
    let forward = [
        &client.display().to_string(),
        "-F",
        &path("ssh_config"),
        "-N",
        "-D",
        &socks,
        "tests",
    ];
    Ok(vec![
        Service {
            command: serve.map(str::to_owned).to_vec(),
            ports: vec![port],
            log: log.clone(),
        },
        Service {
            command: forward.map(str::to_owned).to_vec(),
            ports: vec![socks_port],
            log,
        },
    ])
}

fn server_config(path: &impl Fn(&str) -> String, port: u16) -> String {
    // Without PAM and without root's rights it takes every account for a locked one; with
    // both it would write the system's message of the day.
    let pam = if place::is_root() { "no" } else { "yes" };
    format!(
        "ListenAddress 127.0.0.1:{port}\n\
         HostKey \"{}\"\n\
         PidFile \"{}\"\n\
         AuthorizedKeysFile \"{}\"\n\
         PermitRootLogin prohibit-password\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         MaxStartups 100\n\
         StrictModes no\n\
         Subsystem sftp internal-sftp\n\
         UsePAM {pam}\n",
        path("host"),
        path("pid"),
        path("authorized_keys"),
    )
}

fn client_config(path: &impl Fn(&str) -> String, port: u16, user: &str) -> String {
    format!(
        "Host tests\n\
         HostName 127.0.0.1\n\
         Port {port}\n\
         User {user}\n\
         IdentityFile \"{}\"\n\
         IdentitiesOnly yes\n\
         UserKnownHostsFile \"{}\"\n\
         GlobalKnownHostsFile none\n\
         StrictHostKeyChecking yes\n\
         ExitOnForwardFailure yes\n\
         BatchMode yes\n",
        path("client"),
        path("known_hosts"),
    )
}

/// Makes `file` and `file.pub`, unless they are there.
fn create_key(file: &Path) -> io::Result<()> {
    if file.exists() {
        return Ok(());
    }
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "tests", "-f"])
        .arg(file)
        .status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("ssh-keygen: {status}")))
}

fn user() -> io::Result<String> {
    let output = Command::new("id").arg("-un").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
