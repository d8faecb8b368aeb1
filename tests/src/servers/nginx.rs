//! nginx: plain HTTP, and HTTPS in every state a certificate can be in.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::certificates;
use super::instance::{Instance, Service};
use super::passwords;
use super::place::{self, Place};

/// A virtual host, each on a port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// Plain HTTP.
    Http,
    /// TLS 1.2 and 1.3 with a good certificate.
    Https,
    /// Its certificate's time is over.
    Expired,
    /// Its certificate is signed by itself.
    SelfSigned,
    /// Its certificate is for another name.
    WrongName,
    /// TLS 1.2 only.
    Tls12,
    /// It wants a certificate of the authority from the client.
    ClientCertificate,
    /// TLS 1.3 only.
    Tls13,
    /// Plain HTTP after the PROXY protocol's header; `/proxy-protocol` says what was in it.
    ProxyProtocol,
    /// The header before TLS.
    ProxyProtocolTls,
}

impl Host {
    fn has_tls(self) -> bool {
        !matches!(self, Self::Http | Self::ProxyProtocol)
    }

    /// What `listen` has after the address.
    fn listen_options(self) -> &'static str {
        match self {
            Self::Http => "",
            Self::ProxyProtocol => " proxy_protocol",
            Self::ProxyProtocolTls => " ssl proxy_protocol",
            _ => " ssl",
        }
    }
}

/// Each host, its word in `nginx.conf`, and its port when that is fixed.
const HOSTS: [(Host, &str, u16); 10] = [
    (Host::Http, "HTTP", 28080),
    (Host::Https, "HTTPS", 28443),
    (Host::Expired, "EXPIRED", 28444),
    (Host::SelfSigned, "SELF_SIGNED", 28445),
    (Host::WrongName, "WRONG_NAME", 28446),
    (Host::Tls12, "TLS12", 28447),
    (Host::ClientCertificate, "CLIENT_CERTIFICATE", 28448),
    (Host::Tls13, "TLS13", 28449),
    (Host::ProxyProtocol, "PROXY_PROTOCOL", 28081),
    (Host::ProxyProtocolTls, "PROXY_PROTOCOL_TLS", 28450),
];

/// The longest path that a unix socket's address can hold.
const SOCKET_PATH: usize = 107;
/// `/redirect/N` exists for N up to this.
const REDIRECTS: u32 = 60;
/// `/status/CODE` exists for these.
const STATUSES: [u16; 15] = [
    200, 204, 304, 400, 401, 403, 404, 405, 410, 416, 429, 500, 502, 503, 504,
];

/// A running nginx, ended by dropping it.
#[derive(Debug)]
pub struct Nginx {
    instance: Instance,
    ports: [u16; 10],
}

impl Nginx {
    pub(super) fn start() -> io::Result<Self> {
        let ports: [u16; 10] = place::free_ports()?;
        let place = Place::own("nginx")?;
        let instance = Instance::start(place, |folder| set_up(folder, ports))?;
        Ok(Self { instance, ports })
    }

    /// The process id of its master.
    pub fn pid(&self) -> u32 {
        self.instance.pid()
    }

    /// The URL of `path` by plain HTTP; `path` begins with a slash.
    pub fn http_url(&self, path: &str) -> String {
        self.url(Host::Http, path)
    }

    /// The URL of `path` by HTTPS on a host with a good certificate.
    pub fn https_url(&self, path: &str) -> String {
        self.url(Host::Https, path)
    }

    /// The URL of `path` on `host`, by the name `localhost`.
    pub fn url(&self, host: Host, path: &str) -> String {
        let scheme = if host.has_tls() { "https" } else { "http" };
        format!("{scheme}://localhost:{}{path}", self.port(host))
    }

    /// The port of `host`, on 127.0.0.1 and, where there is IPv6, on ::1.
    pub fn port(&self, host: Host) -> u16 {
        self.ports[host as usize]
    }

    /// The address of `host` on 127.0.0.1.
    pub fn addr(&self, host: Host) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port(host)).into()
    }

    /// A unix socket that serves what [`Host::Http`] serves; `None` if the path is too long for one.
    pub fn unix_socket(&self) -> Option<PathBuf> {
        unix_socket(self.instance.folder())
    }

    /// The certificate of the authority that issued the good certificates, in PEM.
    pub fn ca_pem(&self) -> PathBuf {
        self.certificate(certificates::AUTHORITY)
    }

    /// The certificate of an authority that issued none of them, in PEM.
    pub fn other_ca_pem(&self) -> PathBuf {
        self.certificate(certificates::OTHER_AUTHORITY)
    }

    /// Certificate and key for [`Host::ClientCertificate`], in PEM.
    pub fn client_pem(&self) -> (PathBuf, PathBuf) {
        let certificate = self.certificate(certificates::CLIENT);
        let key = certificate.with_extension("key");
        (certificate, key)
    }

    /// Where a `PUT` to `/upload/{name}` is stored.
    pub fn uploaded(&self, name: &str) -> PathBuf {
        self.instance.folder().join("upload").join(name)
    }

    /// What it wrote to its error log so far.
    pub fn error_log(&self) -> String {
        self.instance.text("error.log")
    }

    fn certificate(&self, name: &str) -> PathBuf {
        certificates_folder(self.instance.folder()).join(format!("{name}.pem"))
    }
}

/// The ports that `xtask servers` uses.
pub(super) fn fixed_ports() -> [u16; 10] {
    HOSTS.map(|(_, _, port)| port)
}

/// Fills `folder` with configuration, certificates and an empty upload folder.
pub(super) fn set_up(folder: &Path, ports: [u16; 10]) -> io::Result<Vec<Service>> {
    let program = place::program("nginx", "nginx-light")?;
    fs::create_dir_all(folder.join("upload"))?;
    fs::create_dir_all(folder.join("temporary"))?;
    certificates::create(&certificates_folder(folder))?;
    fs::write(
        folder.join("htpasswd"),
        passwords::basic(passwords::USER, "secret")?,
    )?;
    let words = words(folder, ports)?;
    fs::write(
        folder.join("locations.conf"),
        fill_in(include_str!("locations.conf"), &words),
    )?;
    let config = folder.join("nginx.conf");
    fs::write(&config, fill_in(include_str!("nginx.conf"), &words))?;
    if let Some(socket) = unix_socket(folder)
        && socket.exists()
    {
        fs::remove_file(socket)?;
    }
    let log = folder.join("error.log");
    let command = [
        &program.display().to_string(),
        "-p",
        &folder.display().to_string(),
        "-e",
        &log.display().to_string(),
        "-c",
        &config.display().to_string(),
        "-g",
        "daemon off;",
    ];
    Ok(vec![Service {
        command: command.map(str::to_owned).to_vec(),
        ports: ports.to_vec(),
        log,
    }])
}

fn words(folder: &Path, ports: [u16; 10]) -> io::Result<Vec<(String, String)>> {
    let content = place::content()?;
    let mut words = vec![
        // A master that runs as root would give up its rights to read a folder below /root.
        (
            "USER".to_owned(),
            if place::is_root() { "user root;" } else { "" }.to_owned(),
        ),
        ("FOLDER".to_owned(), folder.display().to_string()),
        (
            "CERTIFICATES".to_owned(),
            certificates_folder(folder).display().to_string(),
        ),
        ("CONTENT".to_owned(), content.display().to_string()),
        (
            "REDIRECTS".to_owned(),
            (1..=REDIRECTS).map(redirect).collect(),
        ),
        (
            "STATUSES".to_owned(),
            STATUSES.into_iter().map(status).collect(),
        ),
    ];
    let socket = unix_socket(folder).map(|path| format!("listen unix:{};", path.display()));
    words.push(("LISTEN_UNIX".to_owned(), socket.unwrap_or_default()));
    let v6 = place::has_ipv6();
    for ((host, word, _), port) in HOSTS.into_iter().zip(ports) {
        let options = host.listen_options();
        let mut listen = format!("listen 127.0.0.1:{port}{options};");
        if v6 {
            listen += &format!(" listen [::1]:{port}{options};");
        }
        words.push((format!("LISTEN_{word}"), listen));
        words.push((format!("PORT_{word}"), port.to_string()));
    }
    Ok(words)
}

/// Odd steps keep the method (307), even ones are 302.
fn redirect(step: u32) -> String {
    let code = if step % 2 == 1 { 307 } else { 302 };
    format!(
        "location = /redirect/{step} {{ return {code} /redirect/{}; }}\n",
        step - 1
    )
}

fn status(code: u16) -> String {
    match code {
        204 | 304 => format!("location = /status/{code} {{ return {code}; }}\n"),
        _ => format!("location = /status/{code} {{ return {code} \"status {code}\\n\"; }}\n"),
    }
}

fn certificates_folder(folder: &Path) -> PathBuf {
    folder.join("certificates")
}

fn unix_socket(folder: &Path) -> Option<PathBuf> {
    Some(folder.join("http.sock")).filter(|path| path.as_os_str().len() <= SOCKET_PATH)
}

/// Replaces each `@WORD@`.
pub(super) fn fill_in(template: &str, words: &[(String, String)]) -> String {
    words
        .iter()
        .fold(template.to_owned(), |text, (word, value)| {
            text.replace(&format!("@{word}@"), value)
        })
}
