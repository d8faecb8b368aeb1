//! Apache httpd: a second implementation of plain HTTP, and the one that knows brotli and
//! Digest authentication.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::instance::{Instance, Service};
use super::nginx;
use super::passwords::{self, PASSWORD, USER};
use super::place::{self, Place};

/// The port that `xtask servers` uses.
pub(super) const FIXED_PORT: u16 = 28180;

/// Where Debian's packages put modules.
pub(super) const MODULES: &str = "/usr/lib/apache2/modules";

const REALM: &str = "sockless tests";

/// A running Apache httpd, ended by dropping it.
#[derive(Debug)]
pub struct Apache {
    instance: Instance,
    port: u16,
}

impl Apache {
    pub(super) fn start() -> io::Result<Self> {
        let [port] = place::free_ports()?;
        let place = Place::open("apache")?;
        let instance = Instance::start(place, |folder| set_up(folder, port))?;
        Ok(Self { instance, port })
    }

    /// The process id of its parent process.
    pub fn pid(&self) -> u32 {
        self.instance.pid()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of `path` by plain HTTP; `path` begins with a slash. Below `/basic/` and
    /// `/digest/` it asks for [`USER`] and [`PASSWORD`]; Digest is MD5 here, which is all it knows.
    pub fn http_url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// What it wrote to its error log so far.
    pub fn error_log(&self) -> String {
        self.instance.text("error.log")
    }
}

/// Fills `folder` with the configuration.
pub(super) fn set_up(folder: &Path, port: u16) -> io::Result<Vec<Service>> {
    let program = place::program("apache2", "apache2-bin")?;
    fs::write(folder.join("htpasswd"), passwords::basic(USER, PASSWORD)?)?;
    fs::write(
        folder.join("htdigest"),
        passwords::digest(USER, REALM, PASSWORD)?,
    )?;
    let words = [
        ("FOLDER", folder.display().to_string()),
        ("PORT_HTTP", port.to_string()),
        // It refuses to serve as root.
        (
            "USER",
            if place::is_root() {
                "User www-data\nGroup www-data"
            } else {
                ""
            }
            .to_owned(),
        ),
        ("REALM", REALM.to_owned()),
        ("MODULES", MODULES.to_owned()),
        ("CONTENT", content()?.display().to_string()),
    ]
    .map(|(word, value)| (word.to_owned(), value));
    let config = folder.join("apache.conf");
    fs::write(&config, nginx::fill_in(include_str!("apache.conf"), &words))?;
    let command = [
        &program.display().to_string(),
        "-f",
        &config.display().to_string(),
        "-DFOREGROUND",
    ];
    Ok(vec![Service {
        command: command.map(str::to_owned).to_vec(),
        ports: vec![port],
        log: folder.join("error.log"),
    }])
}

/// The usual content, or a copy where user `www-data` can reach it.
pub(super) fn content() -> io::Result<PathBuf> {
    let content = place::content()?;
    if !place::is_root() || place::everyone_reaches(&content) {
        return Ok(content);
    }
    place::content_below(&std::env::temp_dir())
}
