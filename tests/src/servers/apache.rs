//! Apache httpd: a second implementation of plain HTTP, and the one that knows brotli.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::place::{self, Place};
use super::process::Process;
use super::{Setup, nginx};

/// The port that `xtask servers` uses.
pub(super) const FIXED_PORT: u16 = 28180;

/// Where Debian's packages put modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// A running Apache httpd, ended by dropping it.
#[derive(Debug)]
pub struct Apache {
    // In this order: the process ends before its folder goes.
    process: Process,
    place: Place,
    port: u16,
}

impl Apache {
    pub(super) fn start() -> io::Result<Self> {
        let place = Place::own("apache")?;
        let [port] = place::free_ports()?;
        let setup = set_up(place.folder(), port)?;
        let process = Process::start(&setup.foreground, &setup.ports, &setup.log)?;
        Ok(Self {
            process,
            place,
            port,
        })
    }

    /// The process id of its parent process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of `path` by plain HTTP; `path` begins with a slash.
    pub fn http_url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// What it wrote to its error log so far.
    pub fn error_log(&self) -> String {
        place::text(&self.place.folder().join("error.log"))
    }
}

/// Fills `folder` with the configuration.
pub(super) fn set_up(folder: &Path, port: u16) -> io::Result<Setup> {
    let program = place::program("apache2", "apache2-bin")?;
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
        ("MODULES", MODULES.to_owned()),
        ("CONTENT", content()?.display().to_string()),
    ]
    .map(|(word, value)| (word.to_owned(), value));
    let config = folder.join("apache.conf");
    fs::write(&config, nginx::fill_in(include_str!("apache.conf"), &words))?;
    let daemon: Vec<String> = [
        &program.display().to_string(),
        "-f",
        &config.display().to_string(),
    ]
    .map(str::to_owned)
    .to_vec();
    let mut foreground = daemon.clone();
    foreground.push("-DFOREGROUND".to_owned());
    Ok(Setup {
        log: folder.join("error.log"),
        ports: vec![port],
        foreground,
        daemon,
    })
}

/// The usual content, or a copy where user `www-data` can reach it.
fn content() -> io::Result<PathBuf> {
    let content = place::content()?;
    if !place::is_root() || place::everyone_reaches(&content) {
        return Ok(content);
    }
    place::content_below(&std::env::temp_dir())
}
