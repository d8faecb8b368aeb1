//! MicroSocks: SOCKS5 with a password. Dante would look for users in the system's own
//! password file, and these tests change nothing there.

use std::io;
use std::path::Path;

use super::instance::{Instance, Service};
use super::passwords::{PASSWORD, USER};
use super::place::{self, Place};

/// The port that `xtask servers` uses.
pub(super) const FIXED_PORT: u16 = 28311;

/// A running MicroSocks, ended by dropping it. It knows [`USER`] with [`PASSWORD`].
#[derive(Debug)]
pub struct MicroSocks {
    instance: Instance,
    port: u16,
}

impl MicroSocks {
    pub(super) fn start() -> io::Result<Self> {
        let [port] = place::free_ports()?;
        let place = Place::own("microsocks")?;
        let instance = Instance::start(place, |folder| set_up(folder, port))?;
        Ok(Self { instance, port })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.instance.pid()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A line for each connection that it made.
    pub fn log(&self) -> String {
        self.instance.text("error.log")
    }
}

/// What it takes to run it; all of it is on its command line.
pub(super) fn set_up(folder: &Path, port: u16) -> io::Result<Vec<Service>> {
    let program = place::program("microsocks", "microsocks")?;
    let command = [
        &program.display().to_string(),
        "-i",
        "127.0.0.1",
        "-p",
        &port.to_string(),
        "-u",
        USER,
        "-P",
        PASSWORD,
    ];
    Ok(vec![Service {
        command: command.map(str::to_owned).to_vec(),
        ports: vec![port],
        log: folder.join("error.log"),
    }])
}
