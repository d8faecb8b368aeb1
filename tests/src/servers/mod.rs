//! Real servers on loopback.
//!
//! A test starts its own with [`Servers::start`], on free ports and in a folder of its
//! own; nobody else's servers are touched or needed. [`shared`] is one nginx for all
//! tests of a process. [`fixed`] is for people: the same servers on known ports.

mod apache;
mod certificates;
pub mod fixed;
mod nginx;
mod place;
mod process;

use core::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;

pub use apache::Apache;
pub use nginx::{Host, Nginx};

/// A server that can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Nginx`].
    Nginx,
    /// [`Apache`].
    Apache,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Nginx, Self::Apache];

    /// Its name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
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
        let mut running = Running {
            nginx: None,
            apache: None,
        };
        for name in names {
            match Kind::from_name(name) {
                Some(Kind::Nginx) => running.nginx = Some(again_if_taken(Nginx::start)?),
                Some(Kind::Apache) => running.apache = Some(again_if_taken(Apache::start)?),
                None => return Err(io::Error::other(format!("there is no server {name}"))),
            }
        }
        Ok(running)
    }
}

/// Servers that run until this is dropped or the process ends.
#[derive(Debug)]
pub struct Running {
    nginx: Option<Nginx>,
    apache: Option<Apache>,
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

/// What it takes to run a server, once its folder is filled.
#[derive(Debug)]
struct Setup {
    log: PathBuf,
    ports: Vec<u16>,
    /// The command that stays until the server ends.
    foreground: Vec<String>,
    /// The command that comes back once the server runs.
    daemon: Vec<String>,
}

/// A port that was free may be taken until the server binds it.
fn again_if_taken<T>(start: fn() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..2 {
        match start() {
            Err(error) if error.to_string().contains("ddress already in use") => {}
            other => return other,
        }
    }
    start()
}
