//! What a client may have been told about a server's keys.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use super::keys;

/// A `known_hosts` file in a server's folder. In each, the names are `[127.0.0.1]:PORT`
/// and `[localhost]:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownHosts {
    /// All of its keys.
    Plain,
    /// The same with hashed names.
    Hashed,
    /// None of its keys, but the authority that signed them.
    Authority,
    /// All of its keys, and all of them revoked.
    Revoked,
    /// A key that is not its own.
    Changed,
}

impl KnownHosts {
    /// The file's name.
    pub fn file(self) -> &'static str {
        match self {
            Self::Plain => "known_hosts",
            Self::Hashed => "known_hosts_hashed",
            Self::Authority => "known_hosts_authority",
            Self::Revoked => "known_hosts_revoked",
            Self::Changed => "known_hosts_changed",
        }
    }
}

/// Writes all of them; `host_keys` are the server's public keys, a line each.
pub(in crate::servers) fn write(folder: &Path, port: u16, host_keys: &[String]) -> io::Result<()> {
    let names = format!("[127.0.0.1]:{port},[localhost]:{port}");
    let public = |name: &str| fs::read_to_string(keys::folder()?.join(format!("{name}.pub")));
    let plain: String = lines("", &names, host_keys);
    let revoked = lines("@revoked ", &names, host_keys) + &plain;
    let authority = format!("@cert-authority {names} {}", public(keys::HOST_AUTHORITY)?);
    let changed = format!("{names} {}", public(keys::STRANGER)?);
    for (kind, text) in [
        (KnownHosts::Plain, &plain),
        (KnownHosts::Hashed, &plain),
        (KnownHosts::Authority, &authority),
        (KnownHosts::Revoked, &revoked),
        (KnownHosts::Changed, &changed),
    ] {
        fs::write(folder.join(kind.file()), text)?;
    }
    let hashed = folder.join(KnownHosts::Hashed.file());
    keys::run(
        Command::new("ssh-keygen")
            .args(["-q", "-H", "-f"])
            .arg(&hashed),
    )?;
    // Where it leaves the names that it has hashed.
    fs::remove_file(hashed.with_extension("old"))
}

fn lines(mark: &str, names: &str, keys: &[String]) -> String {
    keys.iter()
        .map(|key| format!("{mark}{names} {}\n", key.trim_end()))
        .collect()
}
