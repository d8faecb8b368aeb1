//! Where cells are run: the command under test, the servers, and a folder for each cell.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sockless_tests::content;
use sockless_tests::faults::{self, FaultServer};
use sockless_tests::servers::{
    Entrance, Host, KnownHosts, Nginx, PASSWORD, Running, STRANGER, Servers, USER,
};

use super::cell::{Before, Case, Check, On, Scheme};
use crate::command::target;

/// A cell that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(90);

/// Bytes that pass before a connection is cut: more than any handshake, less than a body.
const CUT: u64 = 50_000;

/// Who the cells talk to, and through.
const SERVERS: &[&str] = &[
    "nginx",
    "apache",
    "squid",
    "tinyproxy",
    "dante",
    "microsocks",
    "ssh",
    "dropbear",
    "ssh-agent",
    "kdc",
    "kerberos",
];

/// The drivers of our own command. The first two get every case, the others a selection.
const DRIVERS: &[&str] = &["uring", "blocking", "tokio", "compio", "aio"];

/// Everything that cells share.
pub(super) struct Lab {
    command: PathBuf,
    is_our_own: bool,
    pub(super) help: String,
    pub(super) version: String,
    pub(super) running: Running,
    folder: PathBuf,
}

/// A cell: a case in one column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell<'a> {
    pub(super) case: &'a Case,
    pub(super) scheme: Scheme,
    /// `None`: the command has no choice of drivers.
    pub(super) driver: Option<&'static str>,
    pub(super) number: usize,
}

/// How a cell ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

/// What the command did.
struct Run {
    code: Option<i32>,
    printed: Vec<u8>,
    said: String,
}

impl Lab {
    /// Starts the servers.
    pub(super) fn open() -> Result<Self, String> {
        let other = env::var_os("SOCKLESS_COMMAND").map(PathBuf::from);
        let is_our_own = other.is_none();
        let command = other.unwrap_or_else(|| target().join("release").join("sockless"));
        let help = help(&command)?;
        let version = version(&command);
        let running = Servers::start(SERVERS).map_err(|error| error.to_string())?;
        let folder = target().join("matrix");
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self {
            command,
            is_our_own,
            help,
            version,
            running,
            folder,
        })
    }

    /// The command under test.
    pub(super) fn command(&self) -> &Path {
        &self.command
    }

    /// The drivers that the command can be told to use. Our own always can: a help text
    /// that forgets to say so must not make half of the cells disappear.
    pub(super) fn drivers(&self) -> Vec<Option<&'static str>> {
        if self.is_our_own || self.help.contains("--driver") {
            DRIVERS.iter().copied().map(Some).collect()
        } else {
            vec![None]
        }
    }

    /// Whether it can be told to use OpenSSL.
    pub(super) fn has_openssl(&self) -> bool {
        self.is_our_own && self.version.contains("openssl")
    }

    /// Whether it can be told to use libssh2.
    pub(super) fn has_libssh2(&self) -> bool {
        self.is_our_own && self.version.contains("libssh2")
    }

    /// Why this machine cannot run `driver`, as the command itself puts it.
    pub(super) fn unavailable(&self, driver: Option<&'static str>) -> Option<String> {
        let name = driver?;
        if self.is_our_own && !self.version.contains(&format!(" {name}")) {
            return Some(format!("the command has no driver {name}"));
        }
        if name != "uring" {
            return None;
        }
        let url = self.nginx().http_url("/1k");
        let args = ["--driver", name, "-sS", "-o", "out", &url].map(str::to_owned);
        let run = execute(&self.command, &self.folder, &args).ok()?;
        let refused = run.said.contains("io_uring")
            && [
                "permitted",
                "supported",
                "available",
                "disabled",
                "implemented",
            ]
            .iter()
            .any(|word| run.said.contains(word));
        (run.code != Some(0) && refused).then(|| run.said.trim().replace('\n', " "))
    }

    /// Runs one cell in a folder of its own.
    pub(super) fn run(&self, cell: Cell<'_>) -> Verdict {
        if let Some(option) = cell.case.needs
            && !self.help.contains(option)
        {
            return Verdict::Skipped(format!("the command has no {option}"));
        }
        let folder = self.folder.join(cell.number.to_string());
        let verdict = match self.try_run(cell, &folder) {
            Ok(verdict) => verdict,
            Err(error) => Verdict::Failed(error.to_string()),
        };
        // What a failed cell left behind is evidence.
        if verdict == Verdict::Passed {
            drop(fs::remove_dir_all(&folder));
            drop(fs::remove_file(self.uploaded(cell)));
        }
        verdict
    }

    fn try_run(&self, cell: Cell<'_>, folder: &Path) -> io::Result<Verdict> {
        fs::create_dir_all(folder)?;
        let fault = match cell.case.on {
            On::Fault(name) => Some(start_fault(name)?),
            On::CutTls => Some(faults::cut(self.nginx().addr(host(cell.scheme)), CUT)?),
            _ => None,
        };
        let mut words = self.words(cell, fault.as_ref())?;
        words.extend(self.proxies(cell, folder));
        words.extend(self.ssh(cell)?);
        words.extend(self.tickets(cell)?);
        match cell.case.before {
            Before::Nothing => {}
            Before::Source(length) => content::write_file(&folder.join("source"), length)?,
            Before::Begun(length) => content::write_file(&folder.join("out"), length)?,
            Before::Config(text) => fs::write(folder.join("config"), fill_in(text, &words))?,
        }
        let (program, args) = self.command_line(cell, &words);
        if let Some(word) = args.iter().find(|arg| arg.contains("{socket}")) {
            return Ok(Verdict::Skipped(format!(
                "{word}: the path is too long for a socket"
            )));
        }
        let run = execute(&program, folder, &args)?;
        Ok(match self.judge(cell, &run, folder, fault.as_ref()) {
            Ok(()) => Verdict::Passed,
            Err(why) => {
                let line = format!("{} {}", program.display(), args.join(" "));
                Verdict::Failed(format!("{why}\n  in {}\n  {line}", folder.display()))
            }
        })
    }

    /// The program of a cell, and its arguments.
    fn command_line(
        &self,
        cell: Cell<'_>,
        words: &[(&'static str, String)],
    ) -> (PathBuf, Vec<String>) {
        let mut filled = cell.case.args.iter().map(|arg| fill_in(arg, words));
        if cell.case.on == On::Ssh {
            return (filled.next().unwrap_or_default().into(), filled.collect());
        }
        let mut args: Vec<String> = vec!["-sS".to_owned()];
        if let Some(driver) = cell.driver {
            args.extend(["--driver".to_owned(), driver.to_owned()]);
        }
        if cell.scheme.openssl() {
            args.extend(["--tls-backend", "openssl"].map(str::to_owned));
        }
        if cell.scheme.is_tls() && !cell.case.args.contains(&"--cacert") {
            args.extend(["--cacert".to_owned(), fill_in("{ca}", words)]);
        }
        args.extend(filled);
        args.extend(self.login(cell));
        args.extend(self.by_ticket(cell));
        (self.command.clone(), args)
    }

    /// How to log in at an SSH server, where the case does not say so itself.
    fn login(&self, cell: Cell<'_>) -> Vec<String> {
        let (key, known) = match cell.case.on {
            On::Sshd => (self.running.ssh().key(), self.running.ssh().known_hosts()),
            On::Dropbear => {
                let dropbear = self.running.dropbear();
                (dropbear.key(), dropbear.known_hosts())
            }
            _ => return Vec::new(),
        };
        let said = |option: &str| cell.case.args.iter().any(|arg| arg.starts_with(option));
        let mut args = vec!["--ssh-backend".to_owned(), cell.scheme.name().to_owned()];
        if !said("--key") && !said("--ssh-config") {
            args.extend(["--key".to_owned(), key.display().to_string()]);
        }
        if !said("--known-hosts") {
            args.extend(["--known-hosts".to_owned(), known.display().to_string()]);
        }
        args
    }

    /// SSH servers, what is known of them, and who may log in.
    fn ssh(&self, cell: Cell<'_>) -> io::Result<Vec<(&'static str, String)>> {
        let ssh = self.running.ssh();
        let (at, home) = match cell.case.on {
            On::Dropbear => {
                let dropbear = self.running.dropbear();
                let at = format!("{}@127.0.0.1:{}", dropbear.user(), dropbear.port());
                (at, dropbear.home())
            }
            _ => (
                format!("{}@127.0.0.1:{}", ssh.user()?, ssh.port()),
                ssh.home(),
            ),
        };
        let known = |kind: KnownHosts| ssh.known_hosts_of(kind).display().to_string();
        let mut words = vec![
            ("{sftp}", format!("sftp://{at}")),
            ("{scp}", format!("scp://{at}")),
            ("{at}", at),
            ("{home}", home.display().to_string()),
            ("{known-hashed}", known(KnownHosts::Hashed)),
            ("{known-authority}", known(KnownHosts::Authority)),
            ("{known-changed}", known(KnownHosts::Changed)),
            ("{known-revoked}", known(KnownHosts::Revoked)),
            ("{stranger}", ssh.key_named(STRANGER).display().to_string()),
        ];
        let config = self.folder.join(format!("{}.ssh-config", cell.number));
        if cell
            .case
            .args
            .iter()
            .any(|arg| arg.contains("{agent-config}"))
        {
            let socket = self.running.agent().socket();
            let socket = socket.display();
            fs::write(
                &config,
                format!("IdentityAgent {socket}\nIdentityFile none\n"),
            )?;
        }
        words.push(("{agent-config}", config.display().to_string()));
        let remote = self.uploaded(cell);
        words.push(("{remote}", remote.display().to_string()));
        Ok(words)
    }

    /// Where a cell's upload ends up.
    fn uploaded(&self, cell: Cell<'_>) -> PathBuf {
        let name = cell.number.to_string();
        match cell.case.on {
            On::Sshd => self.running.ssh().home().join("upload").join(name),
            On::Dropbear => self.running.dropbear().home().join("upload").join(name),
            _ => self.nginx().uploaded(&name),
        }
    }

    /// Proxies, whoever they know, and what OpenSSH needs.
    fn proxies(&self, cell: Cell<'_>, folder: &Path) -> Vec<(&'static str, String)> {
        let (squid, running) = (self.running.squid(), &self.running);
        let local = |port: u16| format!("127.0.0.1:{port}");
        let host = match cell.scheme.is_tls() {
            true => Host::ProxyProtocolTls,
            false => Host::ProxyProtocol,
        };
        vec![
            ("{squid}", squid.url(Entrance::Open)),
            ("{squid-tls}", squid.url(Entrance::OpenTls)),
            ("{squid-basic}", squid.url(Entrance::Basic)),
            ("{squid-digest}", squid.url(Entrance::Digest)),
            ("{squid-either}", squid.url(Entrance::Either)),
            ("{squid-ca}", squid.ca_pem().display().to_string()),
            ("{tinyproxy}", local(running.tinyproxy().open_port())),
            ("{dante}", local(running.dante().port())),
            ("{microsocks}", local(running.microsocks().port())),
            ("{ssh-socks}", local(running.ssh().socks_port())),
            ("{user}", format!("{USER}:{PASSWORD}")),
            ("{proxied}", self.nginx().url(host, "")),
            (
                "{ssh-config}",
                running.ssh().client_config().display().to_string(),
            ),
            ("{command}", self.command.display().to_string()),
            ("{driver}", cell.driver.unwrap_or("uring").to_owned()),
            ("{folder}", folder.display().to_string()),
        ]
    }

    /// What is in braces on command lines, and what it stands for.
    fn words(
        &self,
        cell: Cell<'_>,
        fault: Option<&FaultServer>,
    ) -> io::Result<Vec<(&'static str, String)>> {
        let nginx = self.nginx();
        let host = host(cell.scheme);
        let url = match (cell.case.on, fault) {
            (On::Apache, _) => self.running.apache().http_url(""),
            (On::CutTls, Some(fault)) => fault.https_url(""),
            (On::Refused, _) => format!("http://{}", faults::refused()?),
            (_, Some(fault)) => fault.url(""),
            _ => nginx.url(host, ""),
        };
        let (client, client_key) = nginx.client_pem();
        let ca = nginx.ca_pem();
        let mut words = vec![
            ("{url-v4}", url.replace("localhost", "127.0.0.1")),
            ("{url-tls}", url.replace("http:", "https:")),
            ("{url}", url),
            ("{port}", nginx.port(host).to_string()),
            ("{upload}", format!("/upload/{}", cell.number)),
            ("{expired}", nginx.url(Host::Expired, "")),
            ("{self-signed}", nginx.url(Host::SelfSigned, "")),
            ("{wrong-name}", nginx.url(Host::WrongName, "")),
            ("{client-url}", nginx.url(Host::ClientCertificate, "")),
            (
                "{https-as-http}",
                nginx.https_url("").replace("https:", "http:"),
            ),
            (
                "{http-as-https}",
                nginx.http_url("").replace("http:", "https:"),
            ),
            ("{ca}", ca.display().to_string()),
            ("{other-ca}", nginx.other_ca_pem().display().to_string()),
            ("{client}", client.display().to_string()),
            ("{client-key}", client_key.display().to_string()),
        ];
        words.extend(
            nginx
                .unix_socket()
                .map(|path| ("{socket}", path.display().to_string())),
        );
        Ok(words)
    }

    fn judge(
        &self,
        cell: Cell<'_>,
        run: &Run,
        folder: &Path,
        fault: Option<&FaultServer>,
    ) -> Result<(), String> {
        let codes = cell.case.codes;
        let codes = if self.is_our_own { &codes[..1] } else { codes };
        if !run.code.is_some_and(|code| codes.contains(&code)) {
            let code = run
                .code
                .map_or_else(|| "a signal".to_owned(), |code| code.to_string());
            let lines: Vec<&str> = run.said.lines().take(5).collect();
            return Err(format!(
                "exit {code} instead of {codes:?}: {}",
                lines.join(
                    "
  "
                )
            ));
        }
        if codes[0] != 0 && run.said.trim().is_empty() {
            return Err("it failed without a word".to_owned());
        }
        let said = cell.case.says.iter().filter(|_| self.is_our_own);
        said.into_iter()
            .try_for_each(|words| contains("what was said", &run.said, words))?;
        cell.case.after.iter().try_for_each(|check| match *check {
            Check::Kept(name) => {
                let length = fs::metadata(folder.join(name)).map_or(0, |file| file.len());
                let words = format!("partial file kept: {name} ({length} bytes)");
                match length {
                    0 => Err(format!("nothing of {name} was kept")),
                    _ if self.is_our_own => contains("what was said", &run.said, &words),
                    _ => Ok(()),
                }
            }
            Check::Uploaded(length) => content::check_file(&self.uploaded(cell), length),
            Check::Connections(count) => match fault.map(FaultServer::connections) {
                Some(have) if have != count => Err(format!("{have} connections, not {count}")),
                _ => Ok(()),
            },
            _ => holds(*check, run, folder),
        })
    }

    fn nginx(&self) -> &Nginx {
        self.running.nginx()
    }
}

/// Runs a program to its end.
fn execute(program: &Path, folder: &Path, args: &[String]) -> io::Result<Run> {
    let (out, err) = (folder.join("printed"), folder.join("said"));
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).env("HOME", folder);
    // The machine's realms are none of the cells'.
    command.env("KRB5_CONFIG", "/dev/null");
    for name in [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    ] {
        command.env_remove(name);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(File::create(&out)?)
        .stderr(File::create(&err)?)
        .spawn()?;
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::other(format!(
                "still running after {PATIENCE:?}"
            )));
        }
        thread::sleep(Duration::from_millis(2));
    };
    let said = String::from_utf8_lossy(&fs::read(err)?).into_owned();
    Ok(Run {
        code: status.code(),
        printed: fs::read(out)?,
        said,
    })
}

/// Whether a check that needs no server holds.
fn holds(check: Check, run: &Run, folder: &Path) -> Result<(), String> {
    let printed = String::from_utf8_lossy(&run.printed);
    let equals = |want: &str| {
        if printed == want {
            return Ok(());
        }
        let short = |text: &str| text.chars().take(400).collect::<String>();
        Err(format!(
            "it printed {:?} instead of {:?}",
            short(&printed),
            short(want)
        ))
    };
    match check {
        Check::File(name, length) => content::check_file(&folder.join(name), length),
        Check::FileHas(name, part) => {
            let text = fs::read(folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
            contains(name, &String::from_utf8_lossy(&text), part)
        }
        Check::Printed(want) => equals(want),
        Check::PrintedText => equals(&content::text()),
        Check::PrintedHas(part) => contains("what was printed", &printed, part),
        Check::SaidHas(part) => contains("what was said", &run.said, part),
        Check::PrintedPattern(offset, length) => {
            if run.printed.len() as u64 != length {
                return Err(format!("{} bytes instead of {length}", run.printed.len()));
            }
            content::check(offset, &run.printed).map_err(|at| format!("wrong byte at {at}"))
        }
        Check::Missing(name) if folder.join(name).exists() => Err(format!("{name} is there")),
        Check::Missing(_) | Check::Kept(_) | Check::Uploaded(_) | Check::Connections(_) => Ok(()),
    }
}

fn contains(place: &str, text: &str, part: &str) -> Result<(), String> {
    if text.contains(part) {
        return Ok(());
    }
    Err(format!(
        "no {part:?} in {place}: {:?}",
        text.chars().take(400).collect::<String>()
    ))
}

fn host(scheme: Scheme) -> Host {
    match scheme {
        Scheme::Http
        | Scheme::OpensslHttp
        | Scheme::Russh
        | Scheme::Libssh2
        | Scheme::Ticket { .. } => Host::Http,
        Scheme::Tls12 | Scheme::OpensslTls12 => Host::Tls12,
        Scheme::Tls13 | Scheme::OpensslTls13 => Host::Tls13,
    }
}

fn start_fault(name: &str) -> io::Result<FaultServer> {
    let found = faults::ALL.iter().find(|(have, _)| *have == name);
    let (_, start) = found.ok_or_else(|| io::Error::other(format!("there is no fault {name}")))?;
    start()
}

/// What the command says of itself: backends and drivers, among other things.
fn version(command: &Path) -> String {
    let output = Command::new(command).arg("--version").output();
    let printed = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&printed).into_owned()
}

/// What the command says about its options; curl keeps most of them for `--help all`.
fn help(command: &Path) -> Result<String, String> {
    let ask = |args: &[&str]| {
        Command::new(command)
            .args(args)
            .stdin(Stdio::null())
            .output()
    };
    let plain = ask(&["--help"]).map_err(|error| {
        format!(
            "{}: {error}; `cargo build --release -p sockless-cli` builds it",
            command.display()
        )
    })?;
    if !plain.status.success() {
        let said = String::from_utf8_lossy(&plain.stderr).into_owned();
        return Err(format!(
            "{} --help: {}\n{}",
            command.display(),
            plain.status,
            said.trim()
        ));
    }
    let all = ask(&["--help", "all"])
        .map(|output| output.stdout)
        .unwrap_or_default();
    Ok(String::from_utf8_lossy(&[plain.stdout, all].concat()).into_owned())
}

fn fill_in(text: &str, words: &[(&'static str, String)]) -> String {
    words.iter().fold(text.to_owned(), |text, (word, value)| {
        text.replace(word, value)
    })
}
