//! Tinyproxy: a second opinion on what an HTTP proxy is.

use std::fs;
use std::io;
use std::path::Path;

use super::instance::{Instance, Service};
use super::passwords::USER;
use super::place::{self, Place};

/// The ports that `xtask servers` uses.
pub(super) const FIXED_PORTS: [u16; 2] = [28320, 28321];

/// Two running Tinyproxies, one for everyone and one with a password, ended by dropping it.
#[derive(Debug)]
pub struct Tinyproxy {
    instance: Instance,
    ports: [u16; 2],
}

impl Tinyproxy {
    /// The password of [`USER`]; its configuration has no way to write a space.
    pub const PASSWORD: &str = "open-sesame";

    pub(super) fn start() -> io::Result<Self> {
        let ports: [u16; 2] = place::free_ports()?;
        let place = Place::own("tinyproxy")?;
        let instance = Instance::start(place, |folder| set_up(folder, ports))?;
        Ok(Self { instance, ports })
    }

    /// The process id of the one for everyone.
    pub fn pid(&self) -> u32 {
        self.instance.pid()
    }

    /// The port on 127.0.0.1 that is for everyone.
    pub fn open_port(&self) -> u16 {
        self.ports[0]
    }

    /// The port on 127.0.0.1 that asks for Basic credentials. It answers wrong ones with
    /// 401 instead of 407.
    pub fn basic_port(&self) -> u16 {
        self.ports[1]
    }
}

/// Fills `folder` with a configuration for each.
pub(super) fn set_up(folder: &Path, ports: [u16; 2]) -> io::Result<Vec<Service>> {
    let program = place::program("tinyproxy", "tinyproxy-bin")?;
    let password = format!("BasicAuth {USER} {}\n", Tinyproxy::PASSWORD);
    let each = [("open", String::new()), ("basic", password)];
    let services = each.into_iter().zip(ports).map(|((name, lines), port)| {
        let log = folder.join(format!("{name}.log"));
        let config = folder.join(format!("{name}.conf"));
        let text = format!(
            "Port {port}\n\
             Listen 127.0.0.1\n\
             LogFile \"{}\"\n\
             PidFile \"{}\"\n\
             MaxClients 100\n\
             {lines}",
            log.display(),
            folder.join(format!("{name}.pid")).display(),
        );
        fs::write(&config, text)?;
        let command = [
            &program.display().to_string(),
            "-d",
            "-c",
            &config.display().to_string(),
        ];
        Ok(Service {
            command: command.map(str::to_owned).to_vec(),
            ports: vec![port],
            log,
        })
    });
    services.collect()
}
