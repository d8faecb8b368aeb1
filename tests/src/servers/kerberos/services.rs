//! Servers that take tickets: Apache httpd, Squid, OpenSSH and Dante.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{HEIMDAL_REALM, Kdc, OTHER_REALM, REALM, socks};
use crate::servers::hostile::PYTHON;
use crate::servers::instance::{Instance, Service, kept};
use crate::servers::nginx::fill_in;
use crate::servers::passwords::USER;
use crate::servers::place::{self, Place};
use crate::servers::{apache, certificates, ssh};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Apache httpd by plain HTTP.
    Http,
    /// Apache httpd by TLS.
    Https,
    /// Squid as an HTTP proxy for everything and everywhere.
    Proxy,
    /// OpenSSH, with gssapi-with-mic, and with the key [`Kerberized::ssh_key`].
    Ssh,
    /// Dante as a SOCKS5 proxy, at every level of protection; its service is `rcmd`.
    Socks,
    /// HTTPS that takes only tickets that are bound to the connection by the channel
    /// binding tls-server-end-point, which Apache's module does not look at; every path
    /// wants one, and is answered with who it was.
    Bound,
    /// Dante as for [`Way::Socks`], for clients that agree on a level in the clear, as NEC's do.
    Nec,
    /// A web server whose path says how it lies once it has taken a ticket: `tampered` and
    /// `replayed` (its proof of who it is), `foreign` (it wants NTLM), `garbage`, `unproven`, and `again`
    /// (it wants another ticket).
    Liar,
    /// A SOCKS5 proxy that takes tickets and never protects anything.
    LyingSocks,
}

/// The ports that `xtask servers` uses, by [`Way`].
const FIXED_PORTS: [u16; WAYS] = [
    28510, 28511, 28512, 28513, 28514, 28515, 28516, 28517, 28518,
];

/// How many there are.
const WAYS: usize = 9;

/// The file that says why there is no Dante.
const NO_SOCKS: &str = "no-socks";

/// The running servers, ended by dropping it; all are `localhost`.
#[derive(Debug)]
pub struct Kerberized {
    instance: Instance,
    ports: [u16; WAYS],
}

impl Kerberized {
    pub(in crate::servers) fn start(kdc: &Kdc) -> io::Result<Self> {
        let ports: [u16; WAYS] = place::free_ports()?;
        let place = Place::open("kerberos")?;
        let instance = Instance::start(place, |folder| set_up(folder, ports, kdc.folder()))?;
        Ok(Self { instance, ports })
    }

    /// The port of that server on 127.0.0.1.
    ///
    /// # Errors
    /// Why there is no [`Way::Socks`] or [`Way::Nec`]: it has to be built once, from a source that is
    /// downloaded. All others are there.
    pub fn port(&self, way: Way) -> Result<u16, String> {
        let missing = self.instance.folder().join(NO_SOCKS);
        match fs::read_to_string(missing) {
            Ok(why) if matches!(way, Way::Socks | Way::Nec) => Err(why),
            _ => Ok(self.ports[way as usize]),
        }
    }

    /// The URL of `path` by plain HTTP. The content is open at `/`, and wants a ticket
    /// below `/private/`, below `/connection/` (where one is good for the whole
    /// connection) and below `/delegated/` (which keeps what is delegated to it). The
    /// answer's `X-User` says who it was.
    pub fn http_url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.ports[Way::Http as usize])
    }

    /// The same by TLS.
    pub fn https_url(&self, path: &str) -> String {
        format!(
            "https://localhost:{}{path}",
            self.ports[Way::Https as usize]
        )
    }

    /// The URL of [`Way::Bound`].
    pub fn bound_url(&self) -> String {
        format!("https://localhost:{}/", self.ports[Way::Bound as usize])
    }

    /// The certificate of the authority that issued the one of [`Way::Https`] and
    /// [`Way::Bound`], in PEM.
    pub fn ca_pem(&self) -> PathBuf {
        let folder = self.instance.folder().join("certificates");
        folder.join(certificates::AUTHORITY).with_extension("pem")
    }

    /// Where `/delegated/` puts the credential caches that it is given.
    pub fn delegated(&self) -> PathBuf {
        self.instance.folder().join("delegated")
    }

    /// A `known_hosts` file with the key of [`Way::Ssh`], for 127.0.0.1 and localhost.
    pub fn known_hosts(&self) -> PathBuf {
        self.instance.folder().join("known_hosts")
    }

    /// The private key that [`Way::Ssh`] takes as well, without a passphrase.
    pub fn ssh_key(&self) -> PathBuf {
        self.instance.folder().join("user")
    }

    /// Who may log in to [`Way::Ssh`]: whoever runs the tests, as
    /// [`USER`](crate::servers::USER) of [`REALM`] or [`HEIMDAL_REALM`].
    ///
    /// # Errors
    /// The `id` command does not say who runs the tests.
    pub fn ssh_user(&self) -> io::Result<String> {
        ssh::runner()
    }

    /// What they said so far.
    pub fn log(&self) -> String {
        let names = ["apache", "squid", "sshd", "sockd", "bindings", "liar"];
        let logs = names.map(|name| format!("{name}.log"));
        logs.map(|name| self.instance.text(&name)).concat()
    }
}

/// The ports that `xtask servers` uses.
pub(in crate::servers) fn fixed_ports() -> [u16; WAYS] {
    FIXED_PORTS
}

/// Fills `folder` with configurations; `kdc` is the folder of the KDCs.
pub(in crate::servers) fn set_up(
    folder: &Path,
    ports: [u16; WAYS],
    kdc: &Path,
) -> io::Result<Vec<Service>> {
    let [
        http,
        https,
        proxy,
        ssh,
        socks,
        bound,
        nec,
        liar,
        lying_socks,
    ] = ports;
    let keytab = folder.join("services.keytab");
    fs::copy(kdc.join("services.keytab"), &keytab)?;
    fs::create_dir_all(folder.join("delegated"))?;
    let mut services = vec![
        httpd(folder, [http, https], &keytab)?,
        squid(folder, proxy, &keytab)?,
    ];
    if place::is_root() {
        // Each of them becomes a user of its own before it reads its files.
        place::give(&folder.join("squid"), "proxy:")?;
        place::give(&folder.join("delegated"), "www-data:")?;
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&keytab, fs::Permissions::from_mode(0o644))?;
    }
    services.push(sshd(folder, ssh, &keytab, kdc)?);
    services.push(with_config(bindings(folder, bound, &keytab)?, kdc));
    let lying = [liar, lying_socks];
    services.push(with_config(liars(folder, lying, &keytab)?, kdc));
    match socks::set_up(folder, [socks, nec], &keytab) {
        Ok(service) => services.push(with_config(service, kdc)),
        Err(error) => fs::write(folder.join(NO_SOCKS), error.to_string())?,
    }
    Ok(services)
}

/// The service with the KDCs' configuration in its environment.
fn with_config(mut service: Service, kdc: &Path) -> Service {
    let config = kdc.join("krb5.conf").display().to_string();
    let environment = ["env".to_owned(), format!("KRB5_CONFIG={config}")];
    service.command.splice(0..0, environment);
    service
}

fn httpd(folder: &Path, ports: [u16; 2], keytab: &Path) -> io::Result<Service> {
    let program = place::program("apache2", "apache2-bin")?;
    certificates::create(&folder.join("certificates"))?;
    let user = if place::is_root() {
        "User www-data\nGroup www-data"
    } else {
        ""
    };
    let words = [
        ("FOLDER", folder.display().to_string()),
        ("PORT_HTTP", ports[0].to_string()),
        ("PORT_HTTPS", ports[1].to_string()),
        ("USER", user.to_owned()),
        ("MODULES", apache::MODULES.to_owned()),
        ("CONTENT", apache::content()?.display().to_string()),
        ("KEYTAB", keytab.display().to_string()),
    ]
    .map(|(word, value)| (word.to_owned(), value));
    let config = folder.join("apache.conf");
    fs::write(&config, fill_in(include_str!("apache.conf"), &words))?;
    let command = [
        &program.display().to_string(),
        "-f",
        &config.display().to_string(),
        "-DFOREGROUND",
    ];
    Ok(Service {
        command: command.map(str::to_owned).to_vec(),
        ports: ports.to_vec(),
        log: folder.join("apache.log"),
    })
}

fn bindings(folder: &Path, port: u16, keytab: &Path) -> io::Result<Service> {
    let program = folder.join("bindings.py");
    fs::write(&program, include_str!("bindings.py"))?;
    let certificate = folder.join("certificates/server");
    let command = [
        "env",
        &format!("KRB5_KTNAME={}", keytab.display()),
        PYTHON,
        "-IB",
        &program.display().to_string(),
        &port.to_string(),
        &certificate.with_extension("pem").display().to_string(),
        &certificate.with_extension("key").display().to_string(),
    ];
    Ok(Service {
        command: command.map(str::to_owned).to_vec(),
        ports: vec![port],
        log: folder.join("bindings.log"),
    })
}

fn liars(folder: &Path, ports: [u16; 2], keytab: &Path) -> io::Result<Service> {
    let program = folder.join("liar.py");
    fs::write(&program, include_str!("liar.py"))?;
    let [http, socks] = ports.map(|port| port.to_string());
    let command = [
        "env",
        &format!("KRB5_KTNAME={}", keytab.display()),
        PYTHON,
        "-IB",
        &program.display().to_string(),
        &http,
        &socks,
    ];
    Ok(Service {
        command: command.map(str::to_owned).to_vec(),
        ports: ports.to_vec(),
        log: folder.join("liar.log"),
    })
}

fn squid(folder: &Path, port: u16, keytab: &Path) -> io::Result<Service> {
    let program = place::program("squid", "squid")?;
    let own = folder.join("squid");
    fs::create_dir_all(&own)?;
    let config = own.join("squid.conf");
    let path = |name: &str| own.join(name).display().to_string();
    fs::write(
        &config,
        format!(
            "http_port 127.0.0.1:{port}\n\
             pid_filename {}\n\
             access_log none\n\
             cache_log {}\n\
             cache deny all\n\
             auth_param negotiate program /usr/lib/squid/negotiate_kerberos_auth \
             -k {} -s GSS_C_NO_NAME -t none\n\
             auth_param negotiate children 4 startup=1\n\
             acl known proxy_auth REQUIRED\n\
             http_access allow known\n\
             http_access deny all\n\
             shutdown_lifetime 0\n",
            path("pid"),
            path("cache.log"),
            keytab.display(),
        ),
    )?;
    let command = [
        &program.display().to_string(),
        "-N",
        "-d",
        "1",
        "-f",
        &config.display().to_string(),
    ];
    Ok(Service {
        command: kept(&command),
        ports: vec![port],
        log: folder.join("squid.log"),
    })
}

fn sshd(folder: &Path, port: u16, keytab: &Path, kdc: &Path) -> io::Result<Service> {
    let program = place::program("sshd", "openssh-server")?;
    let path = |name: &str| folder.join(name).display().to_string();
    let host = folder.join("host");
    ssh::keys::create_key(&host, &["-t", "ed25519"])?;
    let host = fs::read_to_string(host.with_extension("pub"))?;
    ssh::keys::create_key(&folder.join("user"), &["-t", "ed25519"])?;
    ssh::write_known_hosts(folder, port, &[host])?;
    let logins = folder.join("logins");
    fs::create_dir_all(&logins)?;
    fs::write(
        logins.join(ssh::runner()?),
        format!("{USER}@{REALM}\n{USER}@{HEIMDAL_REALM}\nbob@{OTHER_REALM}\n"),
    )?;
    let general = fs::read_to_string(kdc.join("krb5.conf"))?;
    let own = format!("[libdefaults]\n k5login_directory = {}\n", logins.display());
    fs::write(folder.join("krb5.conf"), own + &general)?;
    let pam = if place::is_root() { "no" } else { "yes" };
    fs::write(
        folder.join("sshd_config"),
        format!(
            "ListenAddress 127.0.0.1:{port}\n\
             HostKey \"{}\"\n\
             PidFile \"{}\"\n\
             PermitRootLogin yes\n\
             PubkeyAuthentication yes\n\
             AuthorizedKeysFile \"{}\"\n\
             PasswordAuthentication no\n\
             KbdInteractiveAuthentication no\n\
             GSSAPIAuthentication yes\n\
             GSSAPIStrictAcceptorCheck no\n\
             MaxStartups 1000\n\
             StrictModes no\n\
             Subsystem sftp internal-sftp\n\
             UsePAM {pam}\n",
            path("host"),
            path("sshd.pid"),
            path("user.pub"),
        ),
    )?;
    if place::is_root() {
        // Fixed when it was built; the package leaves it to the service to make it.
        fs::create_dir_all("/run/sshd")?;
    }
    let command = [
        "env",
        &format!("KRB5_CONFIG={}", path("krb5.conf")),
        &format!("KRB5_KTNAME={}", keytab.display()),
        &program.display().to_string(),
        "-D",
        "-e",
        "-f",
        &path("sshd_config"),
    ];
    Ok(Service {
        command: command.map(str::to_owned).to_vec(),
        ports: vec![port],
        log: folder.join("sshd.log"),
    })
}
