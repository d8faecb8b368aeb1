//! Servers that stay: on fixed ports, in fixed folders, until they are stopped.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Kind, Setup, apache, nginx, place, process};

/// Starts it unless it runs, and says which it was.
///
/// # Errors
/// It is not installed, its ports are taken, or it does not come up; the end of its
/// log is part of the message.
pub fn start(kind: Kind) -> io::Result<String> {
    if let Some(pid) = pid(kind) {
        return Ok(format!("{kind}: runs already, pid {pid}"));
    }
    if let Some(port) = ports(kind).into_iter().find(|port| process::answers(*port)) {
        let what = format!("{kind}: port {port} is taken by something else; stop that first");
        return Err(io::Error::new(io::ErrorKind::AddrInUse, what));
    }
    let folder = folder(kind);
    fs::create_dir_all(&folder)?;
    let setup = set_up(kind)?;
    let said = folder.join("start.log");
    let output = fs::File::create(&said)?;
    let ended = Command::new(&setup.daemon[0])
        .args(&setup.daemon[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output)
        .status()?;
    if !ended.success() {
        return Err(process::with_log(
            &io::Error::other(format!("{kind}: {ended}")),
            &said,
        ));
    }
    process::wait_for_ports(&setup.ports, || true)
        .and_then(|()| process::wait_until("it writes no pid file", || pid(kind).is_some()))
        .map_err(|error| process::with_log(&error, &setup.log))?;
    status(kind)
}

/// Stops it if it runs, and says which it was.
///
/// # Errors
/// It does not end.
pub fn stop(kind: Kind) -> io::Result<String> {
    let Some(found) = pid(kind) else {
        return Ok(format!("{kind}: does not run"));
    };
    process::terminate(found, || pid(kind).is_none());
    match pid(kind) {
        None => Ok(format!("{kind}: stopped")),
        Some(pid) => Err(io::Error::other(format!("{kind}: pid {pid} does not end"))),
    }
}

/// Whether it runs, and where, in a line.
///
/// # Errors
/// None at present.
pub fn status(kind: Kind) -> io::Result<String> {
    let Some(pid) = pid(kind) else {
        return Ok(format!("{kind}: does not run"));
    };
    let ports: Vec<String> = ports(kind).iter().map(u16::to_string).collect();
    let folder = folder(kind);
    Ok(format!(
        "{kind}: pid {pid}, ports {}, folder {}",
        ports.join(" "),
        folder.display()
    ))
}

fn pid(kind: Kind) -> Option<u32> {
    let folder = folder(kind);
    process::running(&folder.join("pid"), &folder)
}

fn folder(kind: Kind) -> PathBuf {
    place::root().join(kind.name())
}

fn ports(kind: Kind) -> Vec<u16> {
    match kind {
        Kind::Nginx => nginx::fixed_ports().to_vec(),
        Kind::Apache => vec![apache::FIXED_PORT],
    }
}

fn set_up(kind: Kind) -> io::Result<Setup> {
    match kind {
        Kind::Nginx => nginx::set_up(&folder(kind), nginx::fixed_ports()),
        Kind::Apache => apache::set_up(&folder(kind), apache::FIXED_PORT),
    }
}
