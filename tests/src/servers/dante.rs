//! Dante: SOCKS4 and SOCKS5 for everyone. It does not speak SOCKS4a; [`Ssh`](super::Ssh) does.

use std::fs;
use std::io;
use std::path::Path;

use super::instance::{Instance, Service, kept};
use super::place::{self, Place};

/// The port that `xtask servers` uses.
pub(super) const FIXED_PORT: u16 = 28310;

/// A running Dante, ended by dropping it.
#[derive(Debug)]
pub struct Dante {
    instance: Instance,
    port: u16,
}

impl Dante {
    pub(super) fn start() -> io::Result<Self> {
        let [port] = place::free_ports()?;
        let place = Place::own("dante")?;
        let instance = Instance::start(place, |folder| set_up(folder, port))?;
        Ok(Self { instance, port })
    }

    /// The process id of the shell that keeps it.
    pub fn pid(&self) -> u32 {
        self.instance.pid()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A line for each connection that it made or refused.
    pub fn log(&self) -> String {
        self.instance.text("error.log")
    }
}

/// Fills `folder` with the configuration.
pub(super) fn set_up(folder: &Path, port: u16) -> io::Result<Vec<Service>> {
    let program = place::program("danted", "dante-server")?;
    let users = if place::is_root() {
        "user.privileged: root\nuser.unprivileged: nobody\n"
    } else {
        ""
    };
    let config = folder.join("danted.conf");
    fs::write(
        &config,
        format!(
            "logoutput: stderr\n\
             internal: 127.0.0.1 port = {port}\n\
             external: lo\n\
             {users}\
             clientmethod: none\n\
             socksmethod: none\n\
             client pass {{\n from: 0/0 to: 0/0\n}}\n\
             socks pass {{\n from: 0/0 to: 0/0\n log: connect error\n}}\n"
        ),
    )?;
    let command = [
        &program.display().to_string(),
        "-f",
        &config.display().to_string(),
        "-p",
        &folder.join("pid").display().to_string(),
    ];
    Ok(vec![Service {
        command: kept(&command),
        ports: vec![port],
        log: folder.join("error.log"),
    }])
}
