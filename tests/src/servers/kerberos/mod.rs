//! Kerberos: KDCs of MIT and Heimdal, and servers that take their tickets.

mod heimdal;
mod mit;
mod services;
mod socks;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::instance::{Instance, Service};
use super::place::{self, Place};

pub use heimdal::HEIMDAL_REALM;
pub use mit::{OTHER_REALM, REALM, REFERRED};
pub use services::{Kerberized, Way};
pub(super) use services::{fixed_ports as fixed_service_ports, set_up as set_up_services};

/// The ports that `xtask servers` uses: the first and the second KDC of [`REALM`], the
/// one of [`OTHER_REALM`], the silent one, Heimdal's.
pub(super) const FIXED_PORTS: [u16; 5] = [28500, 28501, 28502, 28503, 28504];

/// The services that have keys in [`REALM`] and in [`HEIMDAL_REALM`].
const SERVICES: [&str; 3] = ["HTTP/localhost", "rcmd/localhost", "host/localhost"];

/// The file that says why there is no Heimdal.
const NO_HEIMDAL: &str = "no-heimdal";

/// The running KDCs, ended by dropping it.
///
/// In [`REALM`] are, all with [`PASSWORD`](super::PASSWORD): [`USER`](super::USER),
/// `nopreauth` (who is not asked to prove himself), `locked`, `expired`,
/// `password-expired`, `short` (whose tickets last 20 seconds) and `sha2` (whose keys are those of RFC 8009); in [`OTHER_REALM`]
/// `bob`; in [`HEIMDAL_REALM`] [`USER`](super::USER), `locked` and `expired`.
/// Services are `HTTP/localhost`, `rcmd/localhost` and `host/localhost` in the first and
/// the last, and [`REFERRED`] in the other.
#[derive(Debug)]
pub struct Kdc {
    instance: Instance,
    ports: [u16; 5],
}

impl Kdc {
    pub(super) fn start() -> io::Result<Self> {
        let ports: [u16; 5] = place::free_ports()?;
        let place = Place::own("kdc")?;
        let instance = Instance::start(place, |folder| set_up(folder, ports))?;
        Ok(Self { instance, ports })
    }

    /// The ports of the two KDCs of [`REALM`] on 127.0.0.1, UDP and TCP.
    pub fn ports(&self) -> [u16; 2] {
        [self.ports[0], self.ports[1]]
    }

    /// The port of the KDC of [`OTHER_REALM`].
    pub fn other_port(&self) -> u16 {
        self.ports[2]
    }

    /// A port that takes everything, by UDP and by TCP, and never answers.
    pub fn silent_port(&self) -> u16 {
        self.ports[3]
    }

    /// The port of the KDC of [`HEIMDAL_REALM`].
    ///
    /// # Errors
    /// Why it could not be had: its packages have to be downloaded once.
    pub fn heimdal_port(&self) -> Result<u16, String> {
        match fs::read_to_string(self.instance.folder().join(NO_HEIMDAL)) {
            Ok(why) => Err(why),
            Err(_) => Ok(self.ports[4]),
        }
    }

    /// The `krb5.conf` with all realms, for a client; [`REALM`] is the default.
    pub fn config(&self) -> PathBuf {
        self.instance.folder().join("krb5.conf")
    }

    /// The same, where the first KDC of [`REALM`] is the silent one.
    pub fn config_silent_first(&self) -> PathBuf {
        self.instance.folder().join("krb5-silent.conf")
    }

    /// The same, where every KDC of [`REALM`] is the silent one.
    pub fn config_silent(&self) -> PathBuf {
        self.instance.folder().join("krb5-all-silent.conf")
    }

    /// A keytab of [`USER`](super::USER) in [`REALM`].
    pub fn user_keytab(&self) -> PathBuf {
        self.instance.folder().join("users.keytab")
    }

    /// The keytab of all services.
    pub fn service_keytab(&self) -> PathBuf {
        self.instance.folder().join("services.keytab")
    }

    /// What the KDCs of [`REALM`] did, the first one's before the second one's.
    pub fn log(&self) -> String {
        let logs = ["error.log", "first.log", "second.log"];
        logs.map(|name| self.instance.text(name)).concat()
    }

    pub(super) fn folder(&self) -> &Path {
        self.instance.folder()
    }
}

/// Gets what no package installs: Heimdal and a Dante with GSSAPI. Gives a line for each,
/// which says whether it is there; what is not is not started, and says why again.
///
/// It needs Debian's package registry the first time, and then about a minute.
pub fn prepare() -> Vec<String> {
    [
        ("Heimdal", heimdal::prepare()),
        ("Dante with GSSAPI", socks::prepare()),
    ]
    .map(|(name, got)| match got {
        Ok(_) => format!("{name} is here"),
        Err(error) => format!("{name} cannot be had: {error}"),
    })
    .to_vec()
}

/// Fills `folder` with realms and their configuration.
pub(super) fn set_up(folder: &Path, ports: [u16; 5]) -> io::Result<Vec<Service>> {
    let [first, second, other, silent, heimdal] = ports;
    for (name, kdcs) in [
        ("krb5.conf", [first, second]),
        ("krb5-silent.conf", [silent, first]),
        ("krb5-all-silent.conf", [silent, silent]),
    ] {
        fs::write(folder.join(name), config(kdcs, other, heimdal))?;
    }
    let mut services = mit::set_up(folder, [first, second, other])?;
    services.push(silent_kdc(folder, silent)?);
    let keytab = folder.join("services.keytab");
    // The second realm may not be had on this machine; what is left is worth having.
    match heimdal::set_up(&folder.join("heimdal"), heimdal) {
        Ok((service, more)) => {
            services.push(service);
            append_keytab(&keytab, &more)?;
            drop(fs::remove_file(folder.join(NO_HEIMDAL)));
        }
        Err(error) => fs::write(folder.join(NO_HEIMDAL), error.to_string())?,
    }
    Ok(services)
}

fn silent_kdc(folder: &Path, port: u16) -> io::Result<Service> {
    let program = folder.join("silent.py");
    fs::write(&program, include_str!("silent.py"))?;
    let command = vec![
        place::program("python3", "python3")?.display().to_string(),
        program.display().to_string(),
        port.to_string(),
    ];
    Ok(Service {
        command,
        ports: vec![port],
        log: folder.join("error.log"),
    })
}

/// A keytab is two bytes of version and then entries, so one can follow another.
fn append_keytab(keytab: &Path, more: &Path) -> io::Result<()> {
    let mut all = fs::read(keytab)?;
    let more = fs::read(more)?;
    let entries = more.get(2..).unwrap_or_default();
    if !all.windows(entries.len()).any(|part| part == entries) {
        all.extend(entries);
        fs::write(keytab, all)?;
    }
    Ok(())
}

fn config(kdcs: [u16; 2], other: u16, heimdal: u16) -> String {
    let [first, second] = kdcs;
    format!(
        "[libdefaults]\n \
         default_realm = {REALM}\n \
         dns_lookup_kdc = false\n \
         dns_lookup_realm = false\n \
         dns_canonicalize_hostname = false\n \
         rdns = false\n\
         [realms]\n \
         {REALM} = {{\n  \
         kdc = 127.0.0.1:{first}\n  \
         kdc = 127.0.0.1:{second}\n \
         }}\n \
         {OTHER_REALM} = {{\n  \
         kdc = 127.0.0.1:{other}\n \
         }}\n \
         {HEIMDAL_REALM} = {{\n  \
         kdc = 127.0.0.1:{heimdal}\n \
         }}\n\
         [domain_realm]\n \
         .other.test = {OTHER_REALM}\n"
    )
}

/// Runs a command that says something only if it fails.
fn run(command: &mut Command) -> io::Result<()> {
    said(command.stdin(Stdio::null()), "").map(drop)
}

/// Gives a command `input` and gives back what it said on both outputs.
fn said(command: &mut Command, input: &str) -> io::Result<String> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("{command:?}: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = text(&output.stdout) + &text(&output.stderr);
    if output.status.success() {
        return Ok(all);
    }
    Err(io::Error::other(format!("{command:?}: {all}")))
}
