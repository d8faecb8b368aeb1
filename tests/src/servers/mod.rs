//! Real servers on loopback.
//!
//! A test starts its own with [`Servers::start`], on free ports and in a folder of its
//! own; nobody else's servers are touched or needed. [`shared`] is one nginx for all
//! tests of a process. [`fixed`] is for people: the same servers on known ports.

mod accounts;
mod agent;
mod apache;
mod certificates;
mod dante;
mod dropbear;
pub mod fixed;
mod haproxy;
mod hostile;
mod instance;
mod kerberos;
mod microsocks;
mod nginx;
mod passwords;
mod place;
mod process;
mod squid;
mod ssh;
mod tinyproxy;

use core::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;

pub use agent::Agent;
pub use apache::Apache;
pub use dante::Dante;
pub use dropbear::Dropbear;
pub use haproxy::{Front, Haproxy};
pub use hostile::{Hostile, TOKEN};
pub use kerberos::{HEIMDAL_REALM, Kdc, Kerberized, OTHER_REALM, REALM, REFERRED, Way, prepare};
pub use microsocks::MicroSocks;
pub use nginx::{Host, Nginx};
pub use passwords::{PASSWORD, USER};
pub use squid::{Entrance, Squid};
pub use ssh::{
    ACCEPTED, CERTIFIED, CERTIFIED_ONCE, CERTIFIED_OTHER, KnownHosts, ODD_NAMES, PASSPHRASE,
    STRANGER, Ssh, Sshd,
};
pub use tinyproxy::Tinyproxy;

/// A server that can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Nginx`].
    Nginx,
    /// [`Apache`].
    Apache,
    /// [`Squid`].
    Squid,
    /// [`Haproxy`]; it needs a Squid.
    Haproxy,
    /// [`Tinyproxy`].
    Tinyproxy,
    /// [`Dante`].
    Dante,
    /// [`MicroSocks`].
    MicroSocks,
    /// [`Ssh`].
    Ssh(Sshd),
    /// [`Dropbear`].
    Dropbear,
    /// [`Agent`].
    Agent,
    /// [`Hostile`].
    Hostile,
    /// [`Kdc`].
    Kdc,
    /// [`Kerberized`]; it needs a KDC.
    Kerberized,
}

impl Kind {
    /// All of them; what one needs comes before it.
    pub const ALL: [Self; 19] = [
        Self::Nginx,
        Self::Apache,
        Self::Squid,
        Self::Haproxy,
        Self::Tinyproxy,
        Self::Dante,
        Self::MicroSocks,
        Self::Ssh(Sshd::Usual),
        Self::Ssh(Sshd::External),
        Self::Ssh(Sshd::Rekeying),
        Self::Ssh(Sshd::Weak),
        Self::Ssh(Sshd::Limited),
        Self::Ssh(Sshd::Password),
        Self::Ssh(Sshd::TwoFactor),
        Self::Dropbear,
        Self::Agent,
        Self::Hostile,
        Self::Kdc,
        Self::Kerberized,
    ];

    /// Its name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
            Self::Squid => "squid",
            Self::Haproxy => "haproxy",
            Self::Tinyproxy => "tinyproxy",
            Self::Dante => "dante",
            Self::MicroSocks => "microsocks",
            Self::Ssh(sshd) => sshd.name(),
            Self::Dropbear => "dropbear",
            Self::Agent => "ssh-agent",
            Self::Hostile => "ssh-hostile",
            Self::Kdc => "kdc",
            Self::Kerberized => "kerberos",
        }
    }

    /// The server of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where to start servers from.
#[derive(Debug)]
pub struct Servers;

impl Servers {
    /// Starts the servers of these names and waits until they answer.
    ///
    /// # Errors
    /// A name is unknown, a server is not installed or does not come up; the message
    /// has the end of its log.
    pub fn start(names: &[&str]) -> io::Result<Running> {
        let mut running = Running::default();
        for name in names {
            let kind = Kind::from_name(name);
            running
                .add(kind.ok_or_else(|| io::Error::other(format!("there is no server {name}")))?)?;
        }
        Ok(running)
    }
}

/// Servers that run until this is dropped or the process ends.
#[derive(Debug, Default)]
pub struct Running {
    nginx: Option<Nginx>,
    apache: Option<Apache>,
    haproxy: Option<Haproxy>,
    squid: Option<Squid>,
    tinyproxy: Option<Tinyproxy>,
    dante: Option<Dante>,
    microsocks: Option<MicroSocks>,
    ssh: Vec<Ssh>,
    dropbear: Option<Dropbear>,
    agent: Option<Agent>,
    hostile: Option<Hostile>,
    kerberized: Option<Kerberized>,
    kdc: Option<Kdc>,
}

impl Running {
    /// The nginx among them.
    ///
    /// # Panics
    /// It was not asked for.
    pub fn nginx(&self) -> &Nginx {
        self.nginx.as_ref().expect("started with \"nginx\"")
    }

    /// The Apache httpd among them.
    ///
    /// # Panics
    /// It was not asked for.
    pub fn apache(&self) -> &Apache {
        self.apache.as_ref().expect("started with \"apache\"")
    }

    /// The Squid among them.
    ///
    /// # Panics
    /// It was not asked for.
    pub fn squid(&self) -> &Squid {
        self.squid.as_ref().expect("started with \"squid\"")
    }

    /// The HAProxy among them.
    ///
    /// # Panics
    /// It was not asked for.
    pub fn haproxy(&self) -> &Haproxy {
        self.haproxy.as_ref().expect("started with \"haproxy\"")
    }

    /// The Tinyproxy among them.
    ///
    /// # Panics
    /// It was not asked for.
    pub fn tinyproxy(&self) -> &Tinyproxy {
        self.tinyproxy.as_ref().expect("started with \"tinyproxy\"")
    }

    /// The Dante among them.
    ///
    /// # Panics
    /// It was not asked for.
    pub fn dante(&self) -> &Dante {
        self.dante.as_ref().expect("started with \"dante\"")
    }

    /// The MicroSocks among them.
    ///
    /// # Panics
    /// It was not asked for.
    pub fn microsocks(&self) -> &MicroSocks {
        self.microsocks
            .as_ref()
            .expect("started with \"microsocks\"")
    }

    /// The usual OpenSSH among them.
    ///
    /// # Panics
    /// It was not asked for.
    pub fn ssh(&self) -> &Ssh {
        self.sshd(Sshd::Usual)
    }

    /// The OpenSSH among them that is set up in this way.
    ///
    /// # Panics
    /// It was not asked for.
    pub fn sshd(&self, sshd: Sshd) -> &Ssh {
        let mut all = self.ssh.iter();
        all.find(|ssh| ssh.sshd() == sshd)
            .expect("started with its name")
    }

    /// The Dropbear among them.
    ///
    /// # Panics
    /// It was not asked for.
    pub fn dropbear(&self) -> &Dropbear {
        self.dropbear.as_ref().expect("started with \"dropbear\"")
    }

    /// The agent among them.
    ///
    /// # Panics
    /// It was not asked for.
    pub fn agent(&self) -> &Agent {
        self.agent.as_ref().expect("started with \"ssh-agent\"")
    }

    /// The lying SSH server among them.
    ///
    /// # Panics
    /// It was not asked for.
    pub fn hostile(&self) -> &Hostile {
        self.hostile.as_ref().expect("started with \"ssh-hostile\"")
    }

    /// The KDCs among them.
    ///
    /// # Panics
    /// They were not asked for.
    pub fn kdc(&self) -> &Kdc {
        self.kdc.as_ref().expect("started with \"kdc\"")
    }

    /// The servers among them that take tickets.
    ///
    /// # Panics
    /// They were not asked for.
    pub fn kerberized(&self) -> &Kerberized {
        self.kerberized.as_ref().expect("started with \"kerberos\"")
    }

    fn add(&mut self, kind: Kind) -> io::Result<()> {
        match kind {
            Kind::Nginx => self.nginx = Some(again_if_taken(Nginx::start)?),
            Kind::Apache => self.apache = Some(again_if_taken(Apache::start)?),
            Kind::Squid if self.squid.is_some() => {}
            Kind::Squid => self.squid = Some(again_if_taken(Squid::start)?),
            Kind::Haproxy => {
                self.add(Kind::Squid)?;
                let squid = self.squid();
                self.haproxy = Some(again_if_taken(|| Haproxy::start(squid))?);
            }
            Kind::Tinyproxy => self.tinyproxy = Some(again_if_taken(Tinyproxy::start)?),
            Kind::Dante => self.dante = Some(again_if_taken(Dante::start)?),
            Kind::MicroSocks => self.microsocks = Some(again_if_taken(MicroSocks::start)?),
            Kind::Ssh(sshd) => self.ssh.push(again_if_taken(|| Ssh::start(sshd))?),
            Kind::Dropbear => self.dropbear = Some(again_if_taken(Dropbear::start)?),
            Kind::Agent => self.agent = Some(Agent::start()?),
            Kind::Hostile => self.hostile = Some(again_if_taken(Hostile::start)?),
            Kind::Kdc if self.kdc.is_some() => {}
            Kind::Kdc => self.kdc = Some(again_if_taken(Kdc::start)?),
            Kind::Kerberized => {
                self.add(Kind::Kdc)?;
                let kdc = self.kdc();
                self.kerberized = Some(again_if_taken(|| Kerberized::start(kdc))?);
            }
        }
        Ok(())
    }
}

/// One nginx for all tests of this process, started by the first that asks.
///
/// # Panics
/// It cannot be started; no test that needs it can go on.
pub fn shared() -> &'static Nginx {
    static SHARED: OnceLock<Running> = OnceLock::new();
    SHARED
        .get_or_init(|| match Servers::start(&["nginx"]) {
            Ok(running) => running,
            Err(error) => panic!("nginx: {error}"),
        })
        .nginx()
}

/// A folder with [`MANY_FILES`](crate::content::MANY_FILES) files of
/// [`MANY_LENGTH`](crate::content::MANY_LENGTH) bytes, not to be written to; the first
/// that asks makes it, which takes about a second.
///
/// # Errors
/// They cannot be written.
pub fn many_files() -> io::Result<PathBuf> {
    place::many()
}

/// A port that was free may be taken until the server binds it.
fn again_if_taken<T>(start: impl Fn() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..2 {
        match start() {
            Err(error) if error.to_string().contains("ddress already in use") => {}
            other => return other,
        }
    }
    start()
}
