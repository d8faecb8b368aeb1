//! Who we are to an SSH server, and which servers are believed: options, files, environment.

use std::cell::{OnceCell, RefCell};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sockless::Endpoint;
use sockless::Proxy;
use sockless::core::Fault;
use sockless::ssh::config::{self, Configuration, IdentityAgent, Jump, Query, Settings};
use sockless::ssh::keys::{Certificate, Identities, Identity, KeyFile, exposed};
use sockless::ssh::known_hosts::{HostKeyRules, KnownHosts, Learned, Pins, Policy};
use sockless::ssh::login::Credentials;
use sockless::ssh::{self, Algorithms, Client, Library, Tuning};
use zeroize::Zeroizing;

use crate::args::Args;
use crate::kerberos::Tickets;
use crate::proxy;
use crate::report::{Failure, code, complain};

/// Tried where no other key is named, as OpenSSH does.
const DEFAULT_KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// Jump hosts that lead to jump hosts, at most.
const MAX_JUMPS: usize = 8;

/// Logins that transfers share: a server, a user, and what the options say.
#[derive(Debug)]
pub(crate) struct Logins {
    /// What ssh_config(5) says, if that is wanted.
    config: Option<Configuration>,
    /// What `--negotiate` logs in with.
    tickets: Option<Tickets>,
    /// What is there for `GSSAPIAuthentication`, when that was first said.
    at_hand: OnceCell<Option<Tickets>>,
    home: String,
    local_user: String,
    made: RefCell<Vec<(Whom, Arc<Client>)>>,
    /// Hosts whose keys were accepted, and the file that they go to.
    learned: Learned,
    known_hosts: RefCell<Option<PathBuf>>,
    hashes: RefCell<bool>,
}

/// Whom a client is for: the host by the name that the configuration has settings for, whether
/// it is on the way to another, port, user and password.
#[derive(Clone, PartialEq, Eq)]
struct Whom {
    host: String,
    on_the_way: bool,
    port: u16,
    user: String,
    password: Option<Zeroizing<String>>,
}

/// No password.
impl core::fmt::Debug for Whom {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}@{}:{}", self.user, self.host, self.port)
    }
}

/// What a connection is made with.
pub(super) struct Login {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) client: Arc<Client>,
    pub(super) jumps: Vec<Proxy>,
    pub(super) connect_timeout: Option<Duration>,
}

impl Logins {
    /// # Errors
    /// The configuration cannot be read.
    pub(crate) fn new(args: &Args, tickets: Option<Tickets>) -> Result<Self, Failure> {
        let home = proxy::environment("HOME").unwrap_or_default();
        let user = proxy::environment("USER").or_else(|| proxy::environment("LOGNAME"));
        let config = match &args.ssh.ssh_config {
            None => None,
            Some(path) if path.as_os_str().is_empty() => {
                let own = Path::new(&home).join(".ssh/config");
                let mut config = Configuration::new();
                for (path, base) in [(own, ".ssh"), ("/etc/ssh/ssh_config".into(), "/etc/ssh")] {
                    if path.exists() {
                        add_config(&mut config, &path, &Path::new(&home).join(base))?;
                    }
                }
                Some(config)
            }
            Some(path) => {
                let mut config = Configuration::new();
                add_config(&mut config, path, &Path::new(&home).join(".ssh"))?;
                Some(config)
            }
        };
        Ok(Self {
            config,
            tickets,
            at_hand: OnceCell::new(),
            home,
            local_user: user.unwrap_or_else(|| "root".into()),
            made: RefCell::default(),
            learned: Learned::default(),
            known_hosts: RefCell::default(),
            hashes: RefCell::default(),
        })
    }

    /// How to log in at a host; what the URL says comes first.
    ///
    /// # Errors
    /// A key, a file or an option cannot be used.
    pub(super) fn login(
        &self,
        args: &Args,
        host: &str,
        port: Option<u16>,
        user: Option<&str>,
        password: Option<&str>,
    ) -> Result<Login, Failure> {
        let given = args.auth.user.as_deref();
        let given = given.map(|text| account(text, self.tickets.is_some()));
        let user = user
            .or(given.map(|(user, _)| user))
            .filter(|user| !user.is_empty());
        let password = password.or(given.map(|(_, password)| password));
        let password = password.filter(|password| !password.is_empty());
        let settings = self.settings(host, port, user)?;
        let hops = match &args.ssh.jump {
            Some(list) => super::jumps(list)?,
            None => settings.proxy_jump.clone().unwrap_or_default(),
        };
        let mut jumps = Vec::new();
        self.add_jumps(args, &hops, 0, &mut jumps)?;
        let login = self.finished(args, host, settings, password, false)?;
        Ok(Login { jumps, ..login })
    }

    /// Jump hosts in the order they are met; those that the first needs itself come before it.
    fn add_jumps(
        &self,
        args: &Args,
        hops: &[Jump],
        depth: usize,
        jumps: &mut Vec<Proxy>,
    ) -> Result<(), Failure> {
        if depth > MAX_JUMPS {
            let what = "the SSH configuration leads through jump hosts in a circle";
            return Err(Failure::usage(what));
        }
        for (at, hop) in hops.iter().enumerate() {
            let settings = self.settings(&hop.host, hop.port, hop.user.as_deref())?;
            if at == 0 {
                let own = settings.proxy_jump.clone().unwrap_or_default();
                self.add_jumps(args, &own, depth + 1, jumps)?;
            }
            let login = self.finished(args, &hop.host, settings, None, true)?;
            jumps.push(super::jump(&login.host, login.port, login.client)?);
        }
        Ok(())
    }

    fn settings(
        &self,
        host: &str,
        port: Option<u16>,
        user: Option<&str>,
    ) -> Result<Settings, Failure> {
        let mut query = Query::new(host);
        (query.user, query.port) = (user, port);
        (query.home, query.local_user) = (&self.home, &self.local_user);
        let nothing = Configuration::new();
        let config = self.config.as_ref().unwrap_or(&nothing);
        config.settings(&query).map_err(at_ssh(code::USAGE))
    }

    fn finished(
        &self,
        args: &Args,
        host: &str,
        settings: Settings,
        password: Option<&str>,
        on_the_way: bool,
    ) -> Result<Login, Failure> {
        let asked = host.to_owned();
        let host = settings
            .host_name
            .clone()
            .unwrap_or_else(|| host.to_owned());
        let port = settings.port.unwrap_or(22);
        let user = settings
            .user
            .clone()
            .unwrap_or_else(|| self.local_user.clone());
        let whom = Whom {
            host: asked,
            on_the_way,
            port,
            user,
            password: password.map(|password| password.to_owned().into()),
        };
        let mut made = self.made.borrow_mut();
        let client = match made.iter().find(|(have, _)| *have == whom) {
            Some((_, client)) => Arc::clone(client),
            None => {
                let client = Arc::new(self.client(args, &settings, &whom)?);
                made.push((whom, Arc::clone(&client)));
                client
            }
        };
        Ok(Login {
            host,
            port,
            client,
            jumps: Vec::new(),
            connect_timeout: settings.connect_timeout.filter(|limit| !limit.is_zero()),
        })
    }

    fn client(&self, args: &Args, settings: &Settings, whom: &Whom) -> Result<Client, Failure> {
        let mut credentials = Credentials::new(&*whom.user);
        credentials.keys = Some(Arc::new(self.identities(args, settings)?));
        credentials.password.clone_from(&whom.password);
        credentials.ask = true;
        if let Some(tickets) = self.tickets(args, settings, whom.on_the_way) {
            credentials.security = Some(match whom.on_the_way {
                true => tickets.on_the_way,
                false => tickets.there,
            });
            credentials.server_identity = settings.gssapi_server_identity.clone();
            if let Some(service) = &args.kerberos.service_name {
                credentials.service.clone_from(service);
            }
        }
        credentials.methods = settings
            .preferred_authentications
            .clone()
            .unwrap_or_default();
        let mut config = ssh::Config::new(credentials, Arc::new(self.host_keys(args, settings)?))
            .algorithms(algorithms(args, settings))
            .tuning(tuning(settings));
        if let Some(name) = &args.ssh.ssh_backend {
            config = config.library(library(name)?);
        }
        config.build().map_err(at_ssh(code::USAGE))
    }

    /// The tickets to log in with, if that is wanted: options are about the server that is meant,
    /// and at a jump host they do not outdo what the configuration says of it.
    fn tickets(&self, args: &Args, settings: &Settings, on_the_way: bool) -> Option<Tickets> {
        if on_the_way && settings.gssapi_authentication == Some(false) {
            return None;
        }
        let asked = || settings.gssapi_authentication == Some(true);
        let at_hand = || {
            // A configuration that is for many hosts and programs is no reason to stop.
            let found = Tickets::at_hand(&args.kerberos, &proxy::environment);
            found.unwrap_or_else(|failure| {
                complain(format_args!(
                    "warning: GSSAPIAuthentication: {}",
                    failure.what
                ));
                None
            })
        };
        match &self.tickets {
            Some(tickets) => Some(tickets.clone()),
            None if asked() => self.at_hand.get_or_init(at_hand).clone(),
            None => None,
        }
    }

    fn identities(&self, args: &Args, settings: &Settings) -> Result<Identities, Failure> {
        let mut identities = Identities::new();
        let named = args.tls.key.as_ref().map(|path| vec![path.clone()]);
        let configured = settings.identity_files.as_ref();
        let configured = configured.map(|files| files.iter().map(PathBuf::from).collect());
        let files = match (named, configured) {
            (Some(named), _) => {
                for path in &named {
                    identities.keys.push(key(args, path, true)?);
                }
                named
            }
            (None, files) => {
                let files: Vec<PathBuf> = files.unwrap_or_else(|| {
                    let folder = Path::new(&self.home).join(".ssh");
                    DEFAULT_KEYS.iter().map(|name| folder.join(name)).collect()
                });
                for path in files.iter().filter(|path| path.exists()) {
                    // One of several that is no use is no reason to stop, as with OpenSSH.
                    match key(args, path, false) {
                        Ok(key) => identities.keys.push(key),
                        Err(failure) => complain(format_args!("warning: {}", failure.what)),
                    }
                }
                files
            }
        };
        let beside = files.iter().map(|path| with_suffix(path, "-cert.pub"));
        let given = args.ssh.pubkey.iter().cloned();
        let configured = settings
            .certificate_files
            .iter()
            .flatten()
            .map(PathBuf::from);
        for path in given
            .chain(configured)
            .chain(beside.filter(|path| path.exists()))
        {
            let text = read(&path)?;
            let name = path.display().to_string();
            // curl's --pubkey may be a plain key, which the private one makes superfluous.
            if let Ok(certificate) = Certificate::read(&name, &text) {
                identities.certificates.push(certificate);
            }
        }
        identities.only_these = settings.identities_only.unwrap_or(false);
        identities.agent = self.agent(settings).map(Endpoint::Unix);
        Ok(identities)
    }

    /// The agent's socket. With a key that was named nobody else is asked, unless the
    /// configuration says so.
    fn agent(&self, settings: &Settings) -> Option<PathBuf> {
        match &settings.identity_agent {
            Some(IdentityAgent::None) => None,
            Some(IdentityAgent::Path(path)) => Some(path.into()),
            Some(IdentityAgent::Variable(name)) => proxy::environment(name).map(PathBuf::from),
            _ => proxy::environment("SSH_AUTH_SOCK").map(PathBuf::from),
        }
    }

    fn host_keys(&self, args: &Args, settings: &Settings) -> Result<HostKeyRules, Failure> {
        let options = &args.ssh;
        let mut rules = HostKeyRules::new();
        rules.policy = match options.new_hosts.as_deref() {
            _ if args.tls.insecure => Policy::Off,
            Some("strict") => Policy::Strict,
            Some("ask") => Policy::Ask,
            Some("accept-new") => Policy::AcceptNew,
            Some(other) => {
                let what = format!("--new-hosts {other}: it is strict, ask or accept-new");
                return Err(Failure::usage(what));
            }
            None => settings.strict_host_key_checking.unwrap_or_default(),
        };
        let mut pins = Pins::default();
        if let Some(pin) = &options.hostpubsha256 {
            pins = pins.sha256(pin).map_err(at_ssh(code::USAGE))?;
        }
        if let Some(pin) = &options.hostpubmd5 {
            pins = pins.md5(pin).map_err(at_ssh(code::USAGE))?;
        }
        rules.pins = pins;
        rules.learned = self.learned.clone();
        let mut known = KnownHosts::new();
        let own: Vec<PathBuf> = match (&*options.known_hosts, &settings.user_known_hosts) {
            ([], Some(files)) => files.iter().map(PathBuf::from).collect(),
            ([], None) => vec![Path::new(&self.home).join(".ssh/known_hosts")],
            (named, _) => {
                for path in named {
                    known.add(&path.display().to_string(), read(path)?);
                }
                Vec::new()
            }
        };
        let everybodys = settings.global_known_hosts.clone();
        let everybodys = everybodys.unwrap_or_else(|| vec!["/etc/ssh/ssh_known_hosts".into()]);
        let everybodys = everybodys
            .iter()
            .map(PathBuf::from)
            .filter(|_| !own.is_empty());
        let first = own.first().or(options.known_hosts.first());
        *self.known_hosts.borrow_mut() = first.cloned();
        *self.hashes.borrow_mut() = settings.hash_known_hosts.unwrap_or(false);
        for path in own
            .iter()
            .cloned()
            .chain(everybodys)
            .filter(|path| path.exists())
        {
            known.add(&path.display().to_string(), read(&path)?);
        }
        rules.known = Arc::new(known);
        Ok(rules)
    }

    /// Writes down which hosts' keys were accepted.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn store(&self) -> Result<(), Failure> {
        let (learned, path) = (self.learned.take(), self.known_hosts.borrow());
        let Some(path) = path.as_ref().filter(|_| !learned.is_empty()) else {
            return Ok(());
        };
        let lines: String = learned
            .iter()
            .map(|host| match *self.hashes.borrow() {
                true => host.hashed_line(salt()) + "\n",
                false => host.line() + "\n",
            })
            .collect();
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        let file = folder.and_then(|()| fs::File::options().append(true).create(true).open(path));
        file.and_then(|mut file| file.write_all(lines.as_bytes()))
            .map_err(|error| Failure::write(&path.display().to_string(), &error))
    }
}

/// The account and the password that `-u` names. With tickets it is a name in a realm, and the password is
/// for its KDC alone: no server gets it.
fn account(user: &str, by_ticket: bool) -> (&str, &str) {
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    match by_ticket {
        true => (user.split_once('@').map_or(user, |(user, _)| user), ""),
        false => (user, password),
    }
}

/// Unpredictable, from what the standard library seeds its own hash maps with.
fn salt() -> [u8; 20] {
    use std::hash::{BuildHasher as _, Hasher as _};
    let mut salt = [0; 20];
    for piece in salt.chunks_mut(8) {
        let drawn = std::hash::RandomState::new().build_hasher().finish();
        piece.copy_from_slice(&drawn.to_le_bytes()[..piece.len()]);
    }
    salt
}

fn key(args: &Args, path: &Path, named: bool) -> Result<Identity, Failure> {
    let text = Zeroizing::new(read(path)?);
    let name = path.display().to_string();
    let mode = fs::metadata(path).map(|metadata| metadata.permissions().mode());
    if let Some(warning) = mode.ok().and_then(|mode| exposed(&name, mode)) {
        complain(format_args!("warning: {warning}"));
    }
    let passphrase = args
        .tls
        .pass
        .as_deref()
        .filter(|_| named)
        .map(str::as_bytes);
    let public = fs::read(with_suffix(path, ".pub")).ok();
    let identity = Identity::from_file(KeyFile::new(&name, &text), passphrase, public.as_deref());
    identity.map_err(|bad| {
        let mut failure = Failure::of(&bad.fault(&name).at("ssh"));
        failure.code = code::CLIENT_CERTIFICATE;
        failure
    })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::read(code::READ, path, &error))
}

fn at_ssh(code: u8) -> impl Fn(Fault) -> Failure {
    move |fault| {
        let mut failure = Failure::of(&fault.at("ssh"));
        failure.code = code;
        failure
    }
}

/// A file, and those that it includes by name; patterns are a shell's affair.
fn add_config(config: &mut Configuration, path: &Path, base: &Path) -> Result<(), Failure> {
    let text = read(path)?;
    let text = String::from_utf8_lossy(&text);
    let mut include = |name: &str| {
        let path = base.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let name = path.display().to_string();
                Ok(vec![config::Included { name, text }])
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error.to_string()),
        }
    };
    config
        .add(&path.display().to_string(), &text, &mut include)
        .map_err(at_ssh(code::USAGE))
}

fn algorithms(args: &Args, settings: &Settings) -> Algorithms {
    let mut algorithms = Algorithms::default();
    settings.offer(&mut algorithms);
    if args.ssh.compressed_ssh {
        algorithms.compress();
    }
    algorithms
}

fn tuning(settings: &Settings) -> Tuning {
    let mut tuning = Tuning {
        keepalive: settings
            .server_alive_interval
            .filter(|every| !every.is_zero()),
        ..Tuning::default()
    };
    if let Some(limit) = &settings.rekey_limit {
        let bytes = limit.bytes.unwrap_or(tuning.rekey_bytes);
        tuning.rekey_bytes = bytes.min(tuning.rekey_bytes);
        tuning.rekey_after = limit.time.or(tuning.rekey_after);
    }
    tuning
}

fn library(name: &str) -> Result<Library, Failure> {
    match name {
        "russh" => Ok(Library::Russh),
        #[cfg(feature = "ssh-libssh2")]
        "libssh2" => Ok(Library::Libssh2),
        #[cfg(not(feature = "ssh-libssh2"))]
        "libssh2" => Err(Failure::usage(
            "--ssh-backend libssh2 is not built in; build with the feature ssh-libssh2",
        )),
        other => Err(Failure::usage(format!(
            "--ssh-backend {other}: it is russh or libssh2"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_for_the_kdc_is_for_nobody_else() {
        assert_eq!(account("alice:secret", false), ("alice", "secret"));
        assert_eq!(account("alice@EXAMPLE.COM:secret", true), ("alice", ""));
        assert_eq!(account("alice", true), ("alice", ""));
        assert_eq!(account(":", true), ("", ""));
        // An account may have such a name where no realm is meant.
        assert_eq!(
            account("alice@site:secret", false),
            ("alice@site", "secret")
        );
    }

    /// Two names for one server, with settings of their own, and two passwords for one user.
    #[test]
    fn logins_are_shared_by_those_that_are_the_same() {
        let path = std::env::temp_dir().join(format!("sockless-ssh-config-{}", std::process::id()));
        let text = "Host a b\n HostName 127.0.0.1\nHost b\n GSSAPIServerIdentity b.example\n";
        fs::write(&path, text).expect("a file");
        let line = format!("--ssh-config={} sftp://a/", path.display());
        let words = std::iter::once("sockless").chain(line.split(' '));
        let args = Args::parse_group(words.map(Into::into).collect()).expect("good options");
        let logins = Logins::new(&args, None).expect("a configuration");
        fs::remove_file(&path).expect("it is there");
        let client = |host: &str, password: &str| {
            let login = logins.login(&args, host, None, Some("me"), Some(password));
            login
                .unwrap_or_else(|failure| panic!("{}", failure.what))
                .client
        };
        let first = client("a", "secret");
        assert!(Arc::ptr_eq(&first, &client("a", "secret")));
        assert!(!Arc::ptr_eq(&first, &client("b", "secret")));
        assert!(!Arc::ptr_eq(&first, &client("a", "other")));
    }
}
