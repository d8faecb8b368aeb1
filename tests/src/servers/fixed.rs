//! Servers that stay: on fixed ports, in fixed folders, until they are stopped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::instance::Service;
use super::{
    Kind, agent, apache, dante, dropbear, haproxy, hostile, kerberos, microsocks, nginx, place,
    process, squid, ssh, tinyproxy,
};

/// The file in a server's folder with a line for each process.
const PIDS: &str = "pids";

/// Starts it unless it runs, and says which it was.
///
/// # Errors
/// It is not installed, its ports are taken, or it does not come up; the end of its
/// log is part of the message.
pub fn start(kind: Kind) -> io::Result<String> {
    if let [pid, ..] = pids(kind)?[..] {
        return Ok(format!("{kind}: runs already, pid {pid}"));
    }
    if let Some(port) = ports(kind).into_iter().find(|port| process::answers(*port)) {
        let what = format!("{kind}: port {port} is taken by something else; stop that first");
        return Err(io::Error::new(io::ErrorKind::AddrInUse, what));
    }
    let folder = folder(kind)?;
    fs::create_dir_all(&folder)?;
    let mut pids = String::new();
    for service in set_up(kind, &folder)? {
        let started = process::leave_running(&service, &folder);
        if let Ok(pid) = started {
            pids += &format!("{pid}\n");
            fs::write(folder.join(PIDS), &pids)?;
        }
        if let Err(error) = started {
            drop(stop(kind));
            return Err(error);
        }
    }
    status(kind)
}

/// Stops it if it runs, and says which it was.
///
/// # Errors
/// It does not end.
pub fn stop(kind: Kind) -> io::Result<String> {
    let found = pids(kind)?;
    if found.is_empty() {
        return Ok(format!("{kind}: does not run"));
    }
    // A later one may depend on an earlier one.
    for pid in found.into_iter().rev() {
        process::terminate(pid, || pids(kind).is_ok_and(|pids| !pids.contains(&pid)));
    }
    match pids(kind)?[..] {
        [] => Ok(format!("{kind}: stopped")),
        [pid, ..] => Err(io::Error::other(format!("{kind}: pid {pid} does not end"))),
    }
}

/// Whether it runs, and where, in a line.
///
/// # Errors
/// There is no place for its folder.
pub fn status(kind: Kind) -> io::Result<String> {
    let [pid, ..] = pids(kind)?[..] else {
        return Ok(format!("{kind}: does not run"));
    };
    let ports: Vec<String> = ports(kind).iter().map(u16::to_string).collect();
    let folder = folder(kind)?;
    Ok(format!(
        "{kind}: pid {pid}, ports {}, folder {}",
        ports.join(" "),
        folder.display()
    ))
}

fn pids(kind: Kind) -> io::Result<Vec<u32>> {
    let folder = folder(kind)?;
    Ok(process::running(&folder.join(PIDS), &folder))
}

fn folder(kind: Kind) -> io::Result<PathBuf> {
    let root = match kind {
        Kind::Apache | Kind::Squid | Kind::Dropbear | Kind::Kerberized => place::open_root()?,
        Kind::Ssh(sshd) if sshd.has_accounts() => place::open_root()?,
        _ => place::root(),
    };
    Ok(root.join(kind.name()))
}

fn ports(kind: Kind) -> Vec<u16> {
    match kind {
        Kind::Nginx => nginx::fixed_ports().to_vec(),
        Kind::Apache => vec![apache::FIXED_PORT],
        Kind::Squid => squid::fixed_ports().to_vec(),
        Kind::Haproxy => haproxy::fixed_ports().to_vec(),
        Kind::Tinyproxy => tinyproxy::FIXED_PORTS.to_vec(),
        Kind::Dante => vec![dante::FIXED_PORT],
        Kind::MicroSocks => vec![microsocks::FIXED_PORT],
        Kind::Ssh(sshd) => ssh::fixed_ports(sshd)[..ssh::ports_used(sshd)].to_vec(),
        Kind::Dropbear => vec![dropbear::FIXED_PORT],
        Kind::Agent => Vec::new(),
        Kind::Hostile => vec![hostile::FIXED_PORT],
        Kind::Kdc => kerberos::FIXED_PORTS.to_vec(),
        Kind::Kerberized => kerberos::fixed_service_ports().to_vec(),
    }
}

fn set_up(kind: Kind, folder: &Path) -> io::Result<Vec<Service>> {
    match kind {
        Kind::Nginx => nginx::set_up(folder, nginx::fixed_ports()),
        Kind::Apache => apache::set_up(folder, apache::FIXED_PORT),
        Kind::Squid => squid::set_up(folder, squid::fixed_ports()),
        Kind::Haproxy => {
            start(Kind::Squid)?;
            let [squid_port, ..] = squid::fixed_ports();
            let squid_folder = self::folder(Kind::Squid)?;
            haproxy::set_up(folder, haproxy::fixed_ports(), &squid_folder, squid_port)
        }
        Kind::Tinyproxy => tinyproxy::set_up(folder, tinyproxy::FIXED_PORTS),
        Kind::Dante => dante::set_up(folder, dante::FIXED_PORT),
        Kind::MicroSocks => microsocks::set_up(folder, microsocks::FIXED_PORT),
        Kind::Ssh(sshd) => ssh::set_up(sshd, folder, ssh::fixed_ports(sshd)),
        Kind::Dropbear => dropbear::set_up(folder, dropbear::FIXED_PORT),
        Kind::Agent => agent::set_up(folder),
        Kind::Hostile => hostile::set_up(folder, hostile::FIXED_PORT),
        Kind::Kdc => kerberos::set_up(folder, kerberos::FIXED_PORTS),
        Kind::Kerberized => {
            start(Kind::Kdc)?;
            let kdc = self::folder(Kind::Kdc)?;
            kerberos::set_up_services(folder, kerberos::fixed_service_ports(), &kdc)
        }
    }
}
