//! Known hosts, configuration and agents, beside OpenSSH's own tools: both say the same.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own processes, sockets and files"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Instant, SystemTime};

use sockless_core::{Answer, Ask, Asks, Cx, Endpoint, Pool};
use sockless_ssh::config::{Configuration, Query};
use sockless_ssh::keys::{Certificate, Identities, KeyFile, PrivateKey, read_public};
use sockless_ssh::known_hosts::{Finding, KnownHosts, new_line};
use sockless_ssh::login::{Keys as _, Offer, Signer, Signing};

/// A folder of a test's own, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        // Short: the name of a socket has 108 bytes at most.
        let path = std::env::temp_dir().join(format!("sl-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    /// Makes a key, and gives its file.
    fn key(&self, name: &str, kind: &[&str]) -> PathBuf {
        let path = self.0.join(name);
        let mut keygen = Command::new("ssh-keygen");
        output(
            keygen
                .args(["-q", "-N", "", "-C", name, "-f"])
                .arg(&path)
                .args(kind),
        );
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaints}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn public(key: &Path) -> Vec<u8> {
    fs::read(key.with_extension("pub")).expect("its public half")
}

/// The line where `ssh-keygen -F` finds a host.
fn found_by_keygen(file: &Path, name: &str) -> Option<usize> {
    let mut keygen = Command::new("ssh-keygen");
    let output = keygen.args(["-F", name, "-f"]).arg(file).output();
    let text = output.expect("it starts").stdout;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (_, behind) = text.split_once("found: line ")?;
    behind.split_whitespace().next()?.parse().ok()
}

fn name(host: &str, port: u16) -> String {
    match port {
        22 => host.to_owned(),
        port => format!("[{host}]:{port}"),
    }
}

const HOSTS: [(&str, u16); 6] = [
    ("plain.example.com", 22),
    ("UPPER.example.com", 22),
    ("port.example.com", 2222),
    ("10.1.2.3", 22),
    ("::1", 22),
    ("::1", 2222),
];

#[test]
fn hosts_are_found_where_ssh_keygen_finds_them() {
    let folder = Folder::new("hosts");
    let key = public(&folder.key("host", &["-t", "ed25519"]));
    let blob = read_public(&key).expect("a key");
    let mut text = String::from("# hosts\n*.wild.example.com,!no.wild.example.com x\n");
    text = text.replace(" x\n", &format!(" {}\n", bare(&key)));
    for (host, port) in HOSTS {
        text += &format!("{}\n", new_line(host, port, &blob, None));
    }
    let file = folder.write("known_hosts", &text);
    // As they are, and with all names hashed by the tool itself (patterns cannot be).
    let same = |when: &str| {
        let mut known = KnownHosts::new();
        known.add("f", fs::read(&file).expect("the file"));
        let others = [
            ("a.wild.example.com", 22),
            ("no.wild.example.com", 22),
            ("other", 22),
        ];
        for (host, port) in HOSTS.into_iter().chain(others) {
            let ours = match known.check(host, port, &blob, SystemTime::now()) {
                Finding::Known(place) => Some(place.line),
                Finding::Unknown => None,
                other => panic!("{other:?}"),
            };
            // ssh asks for names in lower case; the tool takes them as they are.
            let theirs = found_by_keygen(&file, &name(&host.to_lowercase(), port));
            assert_eq!(ours, theirs, "{when}: {host} {port}");
        }
    };
    same("as they are");
    output(
        Command::new("ssh-keygen")
            .args(["-q", "-H", "-f"])
            .arg(&file),
    );
    same("hashed");
}

#[test]
fn ssh_keygen_finds_hosts_in_hashed_lines_of_ours() {
    let folder = Folder::new("hashed");
    let key = public(&folder.key("host", &["-t", "ecdsa"]));
    let blob = read_public(&key).expect("a key");
    let line = |(host, port): (&str, u16)| new_line(host, port, &blob, Some([7; 20]));
    let text: Vec<String> = HOSTS.into_iter().map(line).collect();
    let file = folder.write("known_hosts", text.join("\n") + "\n");
    for (index, (host, port)) in HOSTS.into_iter().enumerate() {
        let found = found_by_keygen(&file, &name(&host.to_lowercase(), port));
        assert_eq!(found, Some(index + 1), "{host} {port}");
    }
}

fn bare(public: &[u8]) -> String {
    let text = String::from_utf8_lossy(public);
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

const CONFIG: &str = r#"
Host short s?
    HostName %h.example.com
    Port 2200
Host *.example.com !not.example.com
    User wild
    IdentityFile "~/.ssh/with space"
Match host *.example.com
    IdentityFile ~/.ssh/by_match
    ConnectTimeout 1m30
Match originalhost short user root
    ServerAliveInterval 7
Host jump*
    ProxyJump one@a.example.com:2201,b.example.com
    StrictHostKeyChecking accept-new
    UserKnownHostsFile /a /b
Host *
    Compression yes
    IdentitiesOnly = yes
    Port 22
"#;

#[test]
fn configuration_means_what_ssh_says_that_it_means() {
    let folder = Folder::new("config");
    let file = folder.write("config", CONFIG);
    let mut config = Configuration::new();
    let include = &mut |_: &str| Ok(Vec::new());
    config
        .add("config", CONFIG, include)
        .expect("it can be read");
    for host in [
        "short",
        "sx",
        "a.example.com",
        "not.example.com",
        "jump1",
        "other",
    ] {
        let theirs = output(Command::new("ssh").args(["-G", "-F"]).arg(&file).arg(host));
        let said = |keyword: &str| -> Vec<String> {
            let lines = theirs.lines().filter_map(|line| line.split_once(' '));
            let fitting = lines.filter(|(word, _)| *word == keyword);
            fitting.map(|(_, value)| value.to_owned()).collect()
        };
        let mut query = Query::new(host);
        query.home = "~";
        let me = output(Command::new("id").arg("-un"));
        query.local_user = me.trim();
        let ours = config.settings(&query).expect("it can be used");
        let name = ours.host_name.unwrap_or_else(|| host.to_owned());
        assert_eq!(said("hostname"), [name], "{host}");
        assert_eq!(
            said("port"),
            [ours.port.unwrap_or(22).to_string()],
            "{host}"
        );
        let user = ours.user.unwrap_or_else(|| query.local_user.to_owned());
        assert_eq!(said("user"), [user], "{host}");
        if let Some(files) = ours.identity_files {
            assert_eq!(said("identityfile"), files, "{host}");
        }
        let timeout = ours.connect_timeout.map(|time| time.as_secs().to_string());
        assert_eq!(
            said("connecttimeout").first().filter(|t| *t != "none"),
            timeout.as_ref(),
            "{host}"
        );
        let alive = ours.server_alive_interval.unwrap_or_default().as_secs();
        assert_eq!(said("serveraliveinterval"), [alive.to_string()], "{host}");
        assert_eq!(
            ours.compression,
            Some(said("compression") == ["yes"]),
            "{host}"
        );
        let jumps = ours.proxy_jump.map_or(0, |jumps| jumps.len());
        let theirs = said("proxyjump")
            .first()
            .map_or(0, |list| list.split(',').count());
        assert_eq!(jumps, theirs, "{host}");
        if let Some(files) = ours.user_known_hosts {
            assert_eq!(said("userknownhostsfile"), [files.join(" ")], "{host}");
        }
    }
}

/// A real agent, ended by dropping it.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    fn start(folder: &Folder) -> Self {
        let socket = folder.0.join("agent");
        let mut command = Command::new("ssh-agent");
        let command = command
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null());
        let child = command.spawn().expect("it starts");
        while UnixStream::connect(&socket).is_err() {
            std::thread::yield_now();
        }
        Self { child, socket }
    }

    fn add(&self, key: &Path) {
        let mut add = Command::new("ssh-add");
        output(add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes a layer's questions to the agent.
fn relay(asks: &mut Asks) {
    let question = asks.pop().expect("somebody is asked");
    let Ask::Relay {
        to: Endpoint::Unix(path),
        request,
    } = question.ask
    else {
        panic!("the agent is asked");
    };
    let mut stream = UnixStream::connect(path).expect("the agent is there");
    stream
        .write_all(&(request.len() as u32).to_be_bytes())
        .expect("it listens");
    stream.write_all(&request).expect("it listens");
    let mut len = [0; 4];
    stream.read_exact(&mut len).expect("it answers");
    let mut answer = vec![0; u32::from_be_bytes(len) as usize];
    stream.read_exact(&mut answer).expect("it answers");
    assert!(asks.answer(question.id, Answer::Bytes(answer.into())));
}

fn until<T>(mut step: impl FnMut(&mut Cx<'_>) -> Option<T>, asks: &mut Asks) -> T {
    let (pool, mut copied) = (Pool::new(1 << 16), 0);
    loop {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let mut cx = Cx::new(now, wall, &pool, &mut copied, None).asking(asks);
        if let Some(done) = step(&mut cx) {
            return done;
        }
        relay(asks);
    }
}

fn sign(signer: &mut dyn Signer, algorithm: &str, asks: &mut Asks) -> Vec<u8> {
    let step = |cx: &mut Cx<'_>| match signer.sign(b"data", algorithm, cx) {
        Signing::Done(signature) => Some(signature),
        Signing::Asked => None,
        Signing::Failed(why) => panic!("{why}"),
    };
    until(step, asks)
}

#[test]
fn a_real_agent_lists_its_keys_and_signs_with_them() {
    let folder = Folder::new("agent");
    let agent = Agent::start(&folder);
    let ed25519 = folder.key("ed25519", &["-t", "ed25519"]);
    let rsa = folder.key("rsa", &["-t", "rsa", "-b", "2048"]);
    let ca = folder.key("ca", &["-t", "ed25519"]);
    output(
        Command::new("ssh-keygen")
            .args(["-q", "-I", "me", "-n", "me", "-s"])
            .arg(&ca)
            .arg(rsa.with_extension("pub")),
    );
    agent.add(&rsa);
    agent.add(&ed25519);
    let read = |path: &Path| -> PrivateKey {
        let text = fs::read(path).expect("the key");
        KeyFile::new("key", &text).read(None).expect("it is one")
    };
    let certificate = fs::read(folder.0.join("rsa-cert.pub")).expect("a certificate");
    let certificate = Certificate::read("certificate", &certificate).expect("it is one");

    let mut identities = Identities::new();
    identities.agent = Some(Endpoint::Unix(agent.socket.clone()));
    let mut offers = identities.offers();
    let mut asks = Asks::new();
    let mut found = Vec::new();
    loop {
        let step = |cx: &mut Cx<'_>| match offers.next(cx) {
            Offer::Key(signer) => Some(Some(signer)),
            Offer::End => Some(None),
            Offer::Asked => None,
        };
        match until(step, &mut asks) {
            Some(signer) => found.push(signer),
            None => break,
        }
    }
    let (ed25519, rsa) = (read(&ed25519), read(&rsa));
    let [plain, certified, last] = &mut found[..] else {
        panic!("key, certificate, key: {}", found.len());
    };
    assert_eq!(plain.public(), rsa.public());
    assert_eq!(certified.public(), certificate.bytes());
    assert_eq!(last.public(), ed25519.public());
    // These signatures are the same whoever makes them.
    for algorithm in ["rsa-sha2-256", "rsa-sha2-512"] {
        let theirs = sign(&mut **plain, algorithm, &mut asks);
        assert_eq!(Some(theirs), rsa.sign(b"data", algorithm), "{algorithm}");
    }
    let theirs = sign(
        &mut **certified,
        "rsa-sha2-512-cert-v01@openssh.com",
        &mut asks,
    );
    assert_eq!(Some(theirs), rsa.sign(b"data", "rsa-sha2-512"));
    let theirs = sign(&mut **last, "ssh-ed25519", &mut asks);
    assert_eq!(Some(theirs), ed25519.sign(b"data", "ssh-ed25519"));
}
