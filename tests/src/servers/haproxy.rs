//! HAProxy: OpenSSL's TLS in front of Squid, and the reference for the PROXY protocol.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::certificates;
use super::instance::{Instance, Service};
use super::nginx::fill_in;
use super::place::{self, Place};
use super::squid::{self, Entrance, Squid};

/// What HAProxy does on a port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Front {
    /// TLS to Squid's [`Entrance::Open`].
    Tls,
    /// The same for clients with a certificate.
    ClientCertificate,
    /// Wants the PROXY protocol's header, version 1 or 2, before HTTP; answers every
    /// request with the addresses in it, `SOURCE PORT DESTINATION PORT`.
    Told,
    /// The same with the header before TLS.
    ToldTls,
}

/// Each front, its word in `haproxy.conf`, and its port when that is fixed.
const FRONTS: [(Front, &str, u16); 4] = [
    (Front::Tls, "TLS", 28330),
    (Front::ClientCertificate, "CLIENT_CERTIFICATE", 28331),
    (Front::Told, "TOLD", 28332),
    (Front::ToldTls, "TOLD_TLS", 28333),
];

/// A running HAProxy, ended by dropping it.
#[derive(Debug)]
pub struct Haproxy {
    instance: Instance,
    ports: [u16; 4],
    ca: PathBuf,
}

impl Haproxy {
    /// In front of `squid`, with the same certificate.
    pub(super) fn start(squid: &Squid) -> io::Result<Self> {
        let ports: [u16; 4] = place::free_ports()?;
        let place = Place::own("haproxy")?;
        let instance = Instance::start(place, |folder| {
            set_up(folder, ports, squid.folder(), squid.port(Entrance::Open))
        })?;
        Ok(Self {
            instance,
            ports,
            ca: squid.ca_pem(),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.instance.pid()
    }

    /// The port of `front`, on 127.0.0.1.
    pub fn port(&self, front: Front) -> u16 {
        self.ports[front as usize]
    }

    /// The URL of a proxy or a server, by the name `localhost`, without a path.
    pub fn url(&self, front: Front) -> String {
        let scheme = if front == Front::Told {
            "http"
        } else {
            "https"
        };
        format!("{scheme}://localhost:{}", self.port(front))
    }

    /// The certificate of the authority that issued its certificate, in PEM; it is Squid's.
    pub fn ca_pem(&self) -> PathBuf {
        self.ca.clone()
    }

    /// Certificate and key for [`Front::ClientCertificate`], in PEM.
    pub fn client_pem(&self) -> (PathBuf, PathBuf) {
        let certificate = self
            .ca
            .with_file_name(format!("{}.pem", certificates::CLIENT));
        let key = certificate.with_extension("key");
        (certificate, key)
    }
}

/// The ports that `xtask servers` uses.
pub(super) fn fixed_ports() -> [u16; 4] {
    FRONTS.map(|(_, _, port)| port)
}

/// Fills `folder` with the configuration, and with certificate and key of the Squid
/// whose folder and port these are.
pub(super) fn set_up(
    folder: &Path,
    ports: [u16; 4],
    squid_folder: &Path,
    squid_port: u16,
) -> io::Result<Vec<Service>> {
    let program = place::program("haproxy", "haproxy")?;
    let server = squid::certificate(squid_folder, "server");
    let both = folder.join("server.pem");
    let pem = [fs::read(&server)?, fs::read(server.with_extension("key"))?].concat();
    fs::write(&both, pem)?;
    let ca = squid::certificate(squid_folder, certificates::AUTHORITY);
    let mut words = vec![
        ("CERTIFICATE".to_owned(), both.display().to_string()),
        ("CA".to_owned(), ca.display().to_string()),
        ("PORT_SQUID".to_owned(), squid_port.to_string()),
    ];
    for ((_, word, _), port) in FRONTS.into_iter().zip(ports) {
        words.push((format!("PORT_{word}"), port.to_string()));
    }
    let config = folder.join("haproxy.conf");
    fs::write(&config, fill_in(include_str!("haproxy.conf"), &words))?;
    let command = [
        &program.display().to_string(),
        "-db",
        "-f",
        &config.display().to_string(),
    ];
    Ok(vec![Service {
        command: command.map(str::to_owned).to_vec(),
        ports: ports.to_vec(),
        log: folder.join("error.log"),
    }])
}
