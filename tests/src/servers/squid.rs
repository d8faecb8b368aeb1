//! Squid: an HTTP proxy, by TLS as well, and with both ways to ask for a password.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::certificates;
use super::instance::{Instance, Service, kept};
use super::nginx::fill_in;
use super::passwords::{self, PASSWORD, USER};
use super::place::{self, Place};

/// A way into Squid, each on a port of its own. All of them forward requests in
/// absolute form, and CONNECT to any port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entrance {
    /// By plain TCP, for everyone.
    Open,
    /// By TLS, for everyone.
    OpenTls,
    /// By plain TCP; asks for Basic credentials.
    Basic,
    /// By TLS; asks for Basic credentials.
    BasicTls,
    /// By plain TCP; asks for Digest credentials, and answers Basic ones with 403.
    Digest,
    /// By plain TCP; offers Basic and Digest, in this order.
    Either,
}

/// Each entrance, its word in `squid.conf`, and its port when that is fixed.
const ENTRANCES: [(Entrance, &str, u16); 6] = [
    (Entrance::Open, "OPEN", 28300),
    (Entrance::OpenTls, "OPEN_TLS", 28301),
    (Entrance::Basic, "BASIC", 28302),
    (Entrance::BasicTls, "BASIC_TLS", 28303),
    (Entrance::Digest, "DIGEST", 28304),
    (Entrance::Either, "EITHER", 28305),
];

const REALM: &str = "squid";

/// A running Squid, ended by dropping it.
#[derive(Debug)]
pub struct Squid {
    instance: Instance,
    ports: [u16; 6],
}

impl Squid {
    pub(super) fn start() -> io::Result<Self> {
        let ports: [u16; 6] = place::free_ports()?;
        let place = Place::open("squid")?;
        let instance = Instance::start(place, |folder| set_up(folder, ports))?;
        let squid = Self { instance, ports };
        // It goes on without a port that it cannot have, and something else answers there.
        let log = squid.error_log();
        match log.lines().find(|line| line.contains("Cannot bind")) {
            Some(line) => Err(io::Error::new(io::ErrorKind::AddrInUse, line)),
            None => Ok(squid),
        }
    }

    /// The process id of the shell that keeps it.
    pub fn pid(&self) -> u32 {
        self.instance.pid()
    }

    /// The port of `entrance`, on 127.0.0.1.
    pub fn port(&self, entrance: Entrance) -> u16 {
        self.ports[entrance as usize]
    }

    /// The proxy's URL, without credentials: these are [`USER`] and [`PASSWORD`].
    pub fn url(&self, entrance: Entrance) -> String {
        let scheme = match entrance {
            Entrance::OpenTls | Entrance::BasicTls => "https",
            _ => "http",
        };
        format!("{scheme}://localhost:{}", self.port(entrance))
    }

    /// The certificate of the authority that issued its certificate, in PEM; not nginx's.
    pub fn ca_pem(&self) -> PathBuf {
        certificate(self.instance.folder(), certificates::AUTHORITY)
    }

    /// The certificate of an authority that did not, in PEM.
    pub fn other_ca_pem(&self) -> PathBuf {
        certificate(self.instance.folder(), certificates::OTHER_AUTHORITY)
    }

    /// A line for each request or tunnel that has ended; the last may come a moment after its end.
    pub fn access_log(&self) -> String {
        self.instance.text("access.log")
    }

    /// What it complained about so far.
    pub fn error_log(&self) -> String {
        self.instance.text("error.log")
    }

    pub(super) fn folder(&self) -> &Path {
        self.instance.folder()
    }
}

/// The ports that `xtask servers` uses.
pub(super) fn fixed_ports() -> [u16; 6] {
    ENTRANCES.map(|(_, _, port)| port)
}

/// Fills `folder` with configuration, certificates and passwords.
pub(super) fn set_up(folder: &Path, ports: [u16; 6]) -> io::Result<Vec<Service>> {
    let program = place::program("squid", "squid")?;
    certificates::create(&folder.join("certificates"))?;
    fs::write(folder.join("htpasswd"), passwords::basic(USER, PASSWORD)?)?;
    fs::write(
        folder.join("htdigest"),
        passwords::digest(USER, REALM, PASSWORD)?,
    )?;
    let server = certificate(folder, "server");
    let mut words = vec![
        ("FOLDER".to_owned(), folder.display().to_string()),
        ("REALM".to_owned(), REALM.to_owned()),
        (
            "CERTIFICATE".to_owned(),
            format!(
                "tls-cert={} tls-key={}",
                server.display(),
                server.with_extension("key").display()
            ),
        ),
    ];
    for ((_, word, _), port) in ENTRANCES.into_iter().zip(ports) {
        words.push((format!("PORT_{word}"), port.to_string()));
    }
    let config = folder.join("squid.conf");
    fs::write(&config, fill_in(include_str!("squid.conf"), &words))?;
    if place::is_root() {
        // It refuses to run as root and becomes user `proxy` before it reads its files.
        place::give(folder, "proxy:")?;
    }
    let command = [
        &program.display().to_string(),
        "-N",
        "-d",
        "1",
        "-f",
        &config.display().to_string(),
    ];
    Ok(vec![Service {
        command: kept(&command),
        ports: ports.to_vec(),
        log: folder.join("error.log"),
    }])
}

/// Where a certificate of a squid's folder is, in PEM.
pub(super) fn certificate(folder: &Path, name: &str) -> PathBuf {
    folder.join("certificates").join(format!("{name}.pem"))
}
