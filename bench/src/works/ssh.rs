//! Files over SSH by commands: ours, OpenSSH's `sftp` and `scp`, the system's curl on libssh2.
//!
//! All of them are processes, so each figure is that of a whole one less that of the same
//! command logging in for next to nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sockless_tests::delay::DelayProxy;
use sockless_tests::servers::{Running, Servers, Sshd, many_files};

use super::{Bench, LARGE, ratio};
use crate::measure::{CLIENT_CORE, SERVER_CORE, bind_to, cpu_seconds};
use crate::report::Section;

/// What goes over the slow wire, in bytes: enough to leave the beginning behind, and curl's put of it
/// takes a quarter of a minute.
const FAR: u64 = 16 << 20;
const ONE_WAY: Duration = Duration::from_millis(25);

/// What all of them can do: libssh2 1.10 has no AEAD cipher.
const COMMON: &str = "Ciphers aes256-ctr\nMACs hmac-sha2-256\n";
const FAST: &str = "Ciphers aes128-gcm@openssh.com\n";

const OURS: &str = "sockless";
const OPENSSH: &str = "OpenSSH";
const CURL: &str = "curl";

pub(super) fn run(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "ssh",
        "Files over SSH by commands, on loopback and with 50 ms round trips; start and login \
         are taken off. Client CPU and wall seconds, and the CPU to OpenSSH's and curl's.",
        &["CPU s", "wall s", "CPU / OpenSSH", "CPU / curl"],
    );
    let place = Place::new(bench)?;
    for (cipher, config) in [("aes128-gcm", FAST), ("aes256-ctr", COMMON)] {
        for task in [Task::Get, Task::Put] {
            let label = format!("{cipher}, 1 GiB, sftp {}", task.name());
            let found = place.race(bench, &mut section, &label, task, config, place.port);
            bars(&mut section, &label, task, &found);
        }
    }
    for task in [Task::ScpGet, Task::ScpPut] {
        let label = format!("aes128-gcm, 1 GiB, {}", task.name());
        place.race(bench, &mut section, &label, task, FAST, place.port);
    }
    let label = "10,000 files of 4 KiB, sftp get".to_owned();
    let found = place.race(bench, &mut section, &label, Task::Many, FAST, place.port);
    let slower = ratio(wall(&found, OURS), wall(&found, OPENSSH));
    section.bar(format!("{label}: wall, to OpenSSH"), 1.0 / 3.0, slower, "x");
    let proxy = DelayProxy::start(place.port, ONE_WAY).map_err(|error| error.to_string())?;
    for task in [Task::FarGet, Task::FarPut] {
        let label = format!("50 ms, 16 MiB, sftp {}", task.name());
        let found = place.race(bench, &mut section, &label, task, COMMON, proxy.port());
        let slower = ratio(wall(&found, OURS), wall(&found, CURL));
        section.bar(format!("{label}: wall, to curl"), 0.25, slower, "x");
    }
    Ok(section)
}

fn bars(section: &mut Section, label: &str, task: Task, found: &[Row]) {
    let (to_openssh, to_curl) = match task {
        Task::Put => (0.6, 0.35),
        _ => (0.5, 0.25),
    };
    let cpu = ratio(cpu(found, OURS), cpu(found, OPENSSH));
    section.bar(format!("{label}: CPU, to OpenSSH"), to_openssh, cpu, "x");
    if let Some(cpu) = ratio(self::cpu(found, OURS), self::cpu(found, CURL)) {
        section.bar(format!("{label}: CPU, to curl"), to_curl, Some(cpu), "x");
    }
    let wall = ratio(wall(found, OURS), wall(found, OPENSSH));
    section.bar(format!("{label}: wall, to OpenSSH"), 1.0, wall, "x");
}

/// A client with its CPU and wall seconds.
type Row = (&'static str, Option<(f64, f64)>);

fn cpu(found: &[Row], client: &str) -> Option<f64> {
    let (_, took) = found.iter().find(|(have, _)| *have == client)?;
    took.map(|(cpu, _)| cpu)
}

fn wall(found: &[Row], client: &str) -> Option<f64> {
    let (_, took) = found.iter().find(|(have, _)| *have == client)?;
    took.map(|(_, wall)| wall)
}

/// What is transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Get,
    Put,
    ScpGet,
    ScpPut,
    Many,
    FarGet,
    FarPut,
}

impl Task {
    fn name(self) -> &'static str {
        match self {
            Self::Get | Self::Many | Self::FarGet => "get",
            Self::Put | Self::FarPut => "put",
            Self::ScpGet => "scp get",
            Self::ScpPut => "scp put",
        }
    }

    fn is_scp(self) -> bool {
        matches!(self, Self::ScpGet | Self::ScpPut)
    }
}

/// The server, and the files on both sides.
struct Place {
    servers: Running,
    folder: PathBuf,
    port: u16,
    user: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed now is in the way of nobody.
        drop(fs::remove_dir_all(&self.folder));
    }
}

impl Place {
    fn new(bench: &Bench) -> Result<Self, String> {
        let servers = Servers::start(&["ssh"]).map_err(|error| format!("ssh: {error}"))?;
        let ssh = servers.sshd(Sshd::Usual);
        let folder = ssh.home().join("bench");
        let port = ssh.port();
        let user = ssh.user().map_err(|error| error.to_string())?;
        let place = Self {
            servers,
            folder,
            port,
            user,
        };
        place
            .fill(bench)
            .map_err(|error| format!("files: {error}"))?;
        Ok(place)
    }

    fn fill(&self, bench: &Bench) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        // Holes cost no disk, and are read like any other bytes.
        for (name, size) in [("large", LARGE), ("far", FAR), ("none", 0)] {
            File::create(self.folder.join(name))?.set_len(bench.size(size))?;
        }
        std::os::unix::fs::symlink(many_files()?, self.folder.join("many"))
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Runs all clients once per round, and gives their medians.
    fn race(
        &self,
        bench: &Bench,
        section: &mut Section,
        label: &str,
        task: Task,
        config: &str,
        port: u16,
    ) -> Vec<Row> {
        let mut clients = vec![OURS, OPENSSH];
        // It speaks no AEAD cipher, and has no recursion.
        if config == COMMON && task != Task::Many {
            clients.push(CURL);
        }
        let rounds = bench.rounds.min(5);
        let mut found: Vec<Vec<(f64, f64)>> = vec![Vec::new(); clients.len()];
        for _ in 0..rounds {
            for (client, took) in clients.iter().zip(&mut found) {
                match self.once(client, task, config, port) {
                    Ok(one) => took.push(one),
                    Err(error) if took.is_empty() => {
                        section.missing.push(format!("{label}: {client}: {error}"));
                    }
                    Err(_) => {}
                }
            }
        }
        section.missing.dedup();
        let rows: Vec<Row> = clients
            .into_iter()
            .zip(found.into_iter().map(median))
            .collect();
        for (client, took) in &rows {
            let values = vec![
                took.map(|(cpu, _)| cpu),
                took.map(|(_, wall)| wall),
                ratio(took.map(|(cpu, _)| cpu), cpu(&rows, OPENSSH)),
                ratio(took.map(|(cpu, _)| cpu), cpu(&rows, CURL)),
            ];
            section.rows.push((format!("{label}: {client}"), values));
        }
        rows
    }

    /// The work, less a login.
    fn once(
        &self,
        client: &str,
        task: Task,
        config: &str,
        port: u16,
    ) -> Result<(f64, f64), String> {
        let config = self.client_config(config)?;
        let empty = self.command(client, task, true, &config, port);
        let full = self.command(client, task, false, &config, port);
        // All of them make their files anew: to fill those of the one before is other work.
        drop(fs::remove_dir_all(self.folder.join("got")));
        let ((cpu, wall), (login_cpu, login_wall)) = (timed(full)?, timed(empty)?);
        Ok((cpu - login_cpu, wall - login_wall))
    }

    /// What all clients that read one know of the server.
    fn client_config(&self, algorithms: &str) -> Result<PathBuf, String> {
        let ssh = self.servers.sshd(Sshd::Usual);
        let text = format!(
            "IdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile {}\n\
             HostKeyAlias 127.0.0.1\nHostKeyAlgorithms ssh-ed25519\n{algorithms}",
            ssh.key().display(),
            self.folder.join("known_hosts").display(),
        );
        let known = fs::read_to_string(ssh.known_hosts()).map_err(|error| error.to_string())?;
        // The relay has a port of its own.
        let known: String = known
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(_, key)| format!("127.0.0.1,[127.0.0.1]:* {key}\n"))
            .collect();
        let config = self.folder.join("config");
        fs::write(self.folder.join("known_hosts"), known)
            .and_then(|()| fs::write(&config, text))
            .map_err(|error| error.to_string())?;
        Ok(config)
    }

    fn command(&self, client: &str, task: Task, login: bool, config: &Path, port: u16) -> Command {
        let remote = match task {
            _ if login => self.file("none"),
            Task::FarGet | Task::FarPut => self.file("far"),
            Task::Many => self.file("many/"),
            _ => self.file("large"),
        };
        match client {
            OPENSSH => self.openssh(task, login, config, port, &remote),
            _ => self.by_url(client, task, login, config, port, &remote),
        }
    }

    fn openssh(&self, task: Task, login: bool, config: &Path, port: u16, file: &str) -> Command {
        let at = format!("{}@127.0.0.1", self.user);
        let port = port.to_string();
        let program = if task.is_scp() { "scp" } else { "sftp" };
        let mut command = Command::new(program);
        command.arg("-q").arg("-F").arg(config).args(["-P", &port]);
        // The login is prepared before the work has run.
        let batch = self.folder.join(if login { "login" } else { "batch" });
        let words = match task {
            Task::Many if !login => format!("get -r {file} {}\n", self.file("got")),
            Task::Get | Task::FarGet | Task::Many => format!("get {file} /dev/null\n"),
            Task::Put | Task::FarPut => format!("put {file} /dev/null\n"),
            Task::ScpGet => {
                command.args(["-O", &format!("{at}:{file}"), "/dev/null"]);
                return command;
            }
            Task::ScpPut => {
                command.args(["-O", file, &format!("{at}:/dev/null")]);
                return command;
            }
        };
        // What cannot be written fails when it is read.
        drop(fs::write(&batch, words));
        command.arg("-b").arg(batch).arg(at);
        command
    }

    fn by_url(
        &self,
        client: &str,
        task: Task,
        login: bool,
        config: &Path,
        port: u16,
        file: &str,
    ) -> Command {
        let scheme = if task.is_scp() { "scp" } else { "sftp" };
        let url = |path: &str| format!("{scheme}://{}@127.0.0.1:{port}{path}", self.user);
        let ssh = self.servers.sshd(Sshd::Usual);
        let mut command = match client {
            CURL => {
                let mut command = Command::new("curl");
                let key = ssh.key();
                command.arg("--insecure").arg("--key").arg(&key);
                command.arg("--pubkey").arg(key.with_extension("pub"));
                command
            }
            _ => {
                let ours = std::env::var("SOCKLESS_COMMAND");
                let mut command = Command::new(ours.unwrap_or_else(|_| "sockless".to_owned()));
                command.arg(format!("--ssh-config={}", config.display()));
                command
            }
        };
        command.arg("--silent").arg("--show-error");
        match task {
            Task::Put | Task::FarPut | Task::ScpPut => {
                command.args(["-T", file]).arg(url("/dev/null"));
            }
            Task::Many if !login => {
                command.arg("--recursive").args(["-o", &self.file("got")]);
                command.arg(url(file));
            }
            _ => {
                command.args(["-o", "/dev/null"]).arg(url(file));
            }
        }
        command
    }
}

/// CPU and wall seconds of a command.
fn timed(mut command: Command) -> Result<(f64, f64), String> {
    bind_to(CLIENT_CORE);
    let (before, began) = (cpu_seconds(libc::RUSAGE_CHILDREN), Instant::now());
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output();
    let wall = began.elapsed().as_secs_f64();
    bind_to(SERVER_CORE);
    let output = output.map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or("no message");
        return Err(format!("{}: {last}", output.status));
    }
    Ok((cpu_seconds(libc::RUSAGE_CHILDREN) - before, wall))
}

fn median(took: Vec<(f64, f64)>) -> Option<(f64, f64)> {
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let cpu = middle(took.iter().map(|(cpu, _)| *cpu).collect())?;
    Some((cpu, middle(took.iter().map(|(_, wall)| *wall).collect())?))
}
