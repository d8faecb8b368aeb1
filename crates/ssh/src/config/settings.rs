//! What the lines for one connection add up to: the first value of each option counts.

use std::time::Duration;

use super::value::{Jump, flag, names, port, size, time};
use crate::algorithms::{Algorithms, Kind};
use crate::known_hosts::Policy;
use crate::patterns::{Listed, listed};
use crate::place::Place;

/// The settings for one connection. `None` and empty: the configuration does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The name or address to connect to, and to find in known_hosts; `%h` is replaced.
    pub host_name: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The user's name there.
    pub user: Option<String>,
    /// Files with keys, in order; `Some` and empty after `none`.
    pub identity_files: Option<Vec<String>>,
    /// Files with certificates, in order.
    pub certificate_files: Option<Vec<String>>,
    /// Whether an agent's other keys are not offered.
    pub identities_only: Option<bool>,
    /// The agent.
    pub identity_agent: Option<IdentityAgent>,
    /// The user's files with hosts' keys; `Some` and empty after `none`.
    pub user_known_hosts: Option<Vec<String>>,
    /// The system's files with hosts' keys; `Some` and empty after `none`.
    pub global_known_hosts: Option<Vec<String>>,
    /// What is done about unknown host keys.
    pub strict_host_key_checking: Option<Policy>,
    /// Whether names of new hosts are hashed.
    pub hash_known_hosts: Option<bool>,
    /// The hosts on the way, the first one first; `Some` and empty after `none`.
    pub proxy_jump: Option<Vec<Jump>>,
    /// Methods of authentication, in order.
    pub preferred_authentications: Option<Vec<String>>,
    /// Whether tickets are used, where there are any.
    pub gssapi_authentication: Option<bool>,
    /// The name in the server's ticket, where it is not the host's.
    pub gssapi_server_identity: Option<String>,
    /// Algorithms of host keys, as [`Algorithms::set`] takes them.
    pub host_key_algorithms: Option<String>,
    /// Algorithms of key exchange, as [`Algorithms::set`] takes them.
    pub kex_algorithms: Option<String>,
    /// Ciphers, likewise.
    pub ciphers: Option<String>,
    /// MACs, likewise.
    pub macs: Option<String>,
    /// Whether to compress.
    pub compression: Option<bool>,
    /// How long connecting may take; zero: for ever.
    pub connect_timeout: Option<Duration>,
    /// After how long a silence the server is asked for a sign of life; zero: never.
    pub server_alive_interval: Option<Duration>,
    /// When keys are exchanged anew.
    pub rekey_limit: Option<RekeyLimit>,
    /// Lines with options that have no meaning here, or none at all, and the option.
    pub ignored: Vec<(Place, String)>,
    pub(super) has_command: bool,
    pub(super) unknown: Vec<String>,
}

/// Which agent is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityAgent {
    /// None.
    None,
    /// The one whose socket is named by this variable of the environment, e.g. `SSH_AUTH_SOCK`:
    /// it is the application that looks it up.
    Variable(String),
    /// The one at this socket.
    Path(String),
}

/// When keys are exchanged anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RekeyLimit {
    /// After that many bytes; `None`: after as many as the cipher bears.
    pub bytes: Option<u64>,
    /// After that time; `None`: time does not matter.
    pub time: Option<Duration>,
}

impl Settings {
    /// Changes what is offered as far as the configuration says so: algorithms, compression.
    pub fn offer(&self, algorithms: &mut Algorithms) {
        let lists = [
            (Kind::HostKey, &self.host_key_algorithms),
            (Kind::Kex, &self.kex_algorithms),
            (Kind::Cipher, &self.ciphers),
            (Kind::Mac, &self.macs),
        ];
        for (kind, list) in lists {
            if let Some(list) = list {
                algorithms.set(kind, list);
            }
        }
        match self.compression {
            Some(true) => algorithms.compress(),
            Some(false) => algorithms.set(Kind::Compression, "none"),
            None => {}
        }
    }

    /// Takes an option, if it is the first of its kind.
    ///
    /// # Errors
    /// What is wrong with its value.
    pub(super) fn take(
        &mut self,
        place: &Place,
        keyword: &str,
        arguments: &[String],
    ) -> Result<(), String> {
        let first = arguments[0].as_str();
        let one = || match arguments {
            [one] => Ok(one.as_str()),
            _ => Err(format!("{keyword} takes one value")),
        };
        match keyword {
            "hostname" => set(&mut self.host_name, one()?.to_owned()),
            "port" => set(&mut self.port, port(one()?)?),
            "user" => set(&mut self.user, one()?.to_owned()),
            "identityfile" => add(&mut self.identity_files, one()?),
            "certificatefile" => add(&mut self.certificate_files, one()?),
            "identitiesonly" => set(&mut self.identities_only, flag(one()?)?),
            "identityagent" => set(&mut self.identity_agent, agent(one()?)),
            "userknownhostsfile" => set(&mut self.user_known_hosts, files(arguments)),
            "globalknownhostsfile" => set(&mut self.global_known_hosts, files(arguments)),
            "stricthostkeychecking" => {
                set(&mut self.strict_host_key_checking, policy(one()?)?);
            }
            "hashknownhosts" => set(&mut self.hash_known_hosts, flag(one()?)?),
            "proxyjump" => self.jump(one()?)?,
            "proxycommand" => self.command(first)?,
            "preferredauthentications" => {
                let methods = one()?.split(',').map(str::to_owned).collect();
                set(&mut self.preferred_authentications, methods);
            }
            "gssapiauthentication" => set(&mut self.gssapi_authentication, flag(one()?)?),
            "gssapiserveridentity" => set(&mut self.gssapi_server_identity, one()?.to_owned()),
            "hostkeyalgorithms" => set(&mut self.host_key_algorithms, names(one()?)?),
            "kexalgorithms" => set(&mut self.kex_algorithms, names(one()?)?),
            "ciphers" => set(&mut self.ciphers, names(one()?)?),
            "macs" => set(&mut self.macs, names(one()?)?),
            "compression" => set(&mut self.compression, flag(one()?)?),
            "connecttimeout" => set(&mut self.connect_timeout, interval(one()?)?),
            "serveraliveinterval" => set(&mut self.server_alive_interval, interval(one()?)?),
            "rekeylimit" => set(&mut self.rekey_limit, rekey(arguments)?),
            "ignoreunknown" => self.unknown.extend(first.split(',').map(str::to_owned)),
            _ => self.ignore(place, keyword),
        }
        Ok(())
    }

    /// ProxyJump and ProxyCommand exclude each other: the first one counts.
    fn jump(&mut self, value: &str) -> Result<(), String> {
        if self.has_command {
            return Ok(());
        }
        let jumps = match value.eq_ignore_ascii_case("none") {
            true => Vec::new(),
            false => Jump::list(value)?,
        };
        set(&mut self.proxy_jump, jumps);
        Ok(())
    }

    fn command(&mut self, value: &str) -> Result<(), String> {
        if self.has_command || self.proxy_jump.is_some() {
            return Ok(());
        }
        self.has_command = true;
        match value.eq_ignore_ascii_case("none") {
            true => Ok(()),
            false => Err("ProxyCommand starts programs, and nothing here does: \
                          say ProxyJump, or ProxyCommand none in front"
                .to_owned()),
        }
    }

    fn ignore(&mut self, place: &Place, keyword: &str) {
        let unknown = self.unknown.iter().map(String::as_str);
        if listed(unknown, keyword) != Listed::Present {
            self.ignored.push((place.clone(), keyword.to_owned()));
        }
    }
}

fn set<T>(place: &mut Option<T>, value: T) {
    place.get_or_insert(value);
}

/// Files that add up.
fn add(files: &mut Option<Vec<String>>, file: &str) {
    let files = files.get_or_insert_default();
    if !file.eq_ignore_ascii_case("none") && !files.iter().any(|have| have == file) {
        files.push(file.to_owned());
    }
}

fn files(arguments: &[String]) -> Vec<String> {
    match arguments {
        [none] if none.eq_ignore_ascii_case("none") => Vec::new(),
        files => files.to_vec(),
    }
}

fn agent(value: &str) -> IdentityAgent {
    match value {
        none if none.eq_ignore_ascii_case("none") => IdentityAgent::None,
        name if name == "SSH_AUTH_SOCK" => IdentityAgent::Variable(name.to_owned()),
        value => match value.strip_prefix('$') {
            Some(name) if !name.starts_with('{') => IdentityAgent::Variable(name.to_owned()),
            _ => IdentityAgent::Path(value.to_owned()),
        },
    }
}

fn policy(value: &str) -> Result<Policy, String> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(Policy::Strict),
        "accept-new" => Ok(Policy::AcceptNew),
        "ask" => Ok(Policy::Ask),
        "no" | "false" | "off" => Ok(Policy::Off),
        _ => Err(format!("{value:?} is not yes, ask, accept-new, or no")),
    }
}

fn interval(value: &str) -> Result<Duration, String> {
    match value.eq_ignore_ascii_case("none") {
        true => Ok(Duration::ZERO),
        false => time(value),
    }
}

fn rekey(arguments: &[String]) -> Result<RekeyLimit, String> {
    let unlimited = |text: &str| matches!(text.to_ascii_lowercase().as_str(), "default" | "none");
    let bytes = match &arguments[0] {
        text if unlimited(text) => None,
        text => match size(text)? {
            small @ 1..16 => return Err(format!("a rekey limit of {small} bytes is too small")),
            bytes => (bytes > 0).then_some(bytes),
        },
    };
    let time = match arguments.get(1) {
        Some(text) if !unlimited(text) => Some(time(text)?).filter(|time| !time.is_zero()),
        _ => None,
    };
    match arguments.len() {
        1 | 2 => Ok(RekeyLimit { bytes, time }),
        _ => Err("rekeylimit takes a size and a time".to_owned()),
    }
}
