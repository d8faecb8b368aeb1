//! Heimdal's KDC. Its packages conflict with MIT's, so they are not installed: they are
//! unpacked below `target/servers`, once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::run;
use crate::servers::instance::Service;
use crate::servers::passwords::{PASSWORD, USER};
use crate::servers::place;

/// Its realm.
pub const HEIMDAL_REALM: &str = "HEIMDAL.TEST";

/// Changes whenever what is unpacked does.
const FOLDER: &str = "heimdal-1";

/// Fills `folder` with a realm for [`USER`] and the services; gives the command of its
/// KDC and the services' keytab.
pub(super) fn set_up(folder: &Path, port: u16) -> io::Result<(Service, PathBuf)> {
    let unpacked = prepare()?;
    fs::create_dir_all(folder)?;
    let path = |name: &str| folder.join(name).display().to_string();
    let config = folder.join("krb5.conf");
    fs::write(&config, text(&path))?;
    let keytab = folder.join("services.keytab");
    let tool = |program: &str| {
        let mut command = Command::new(unpacked.join(program));
        command.env("KRB5_CONFIG", &config);
        command.env("LD_LIBRARY_PATH", libraries(&unpacked));
        command
    };
    let kadmin = |args: &[&str]| run(tool("usr/bin/kadmin.heimdal").arg("-l").args(args));
    if !folder.join("database.db").exists() {
        let key = format!("--key-file={}", path("master-key"));
        run(tool("usr/sbin/kstash").args([&key, "--random-key"]))?;
        kadmin(&[
            "init",
            "--realm-max-ticket-life=1d",
            "--realm-max-renewable-life=7d",
            HEIMDAL_REALM,
        ])?;
        let password = format!("--password={PASSWORD}");
        let usual = "--use-defaults";
        kadmin(&["add", &password, usual, USER])?;
        let locked = "--attributes=disallow-all-tix";
        kadmin(&["add", &password, usual, locked, "locked"])?;
        let past = "--expiration-time=2020-01-01";
        kadmin(&["add", &password, usual, past, "expired"])?;
        for service in super::SERVICES {
            kadmin(&["add", "--random-key", usual, service])?;
            kadmin(&["ext_keytab", "-k", &path("services.keytab"), service])?;
        }
    }
    let command = [
        "env",
        &format!("LD_LIBRARY_PATH={}", libraries(&unpacked)),
        &unpacked
            .join("usr/lib/heimdal-servers/kdc")
            .display()
            .to_string(),
        &format!("--config-file={}", config.display()),
        "--addresses=127.0.0.1",
        &format!("--ports={port}"),
    ];
    let service = Service {
        command: command.map(str::to_owned).to_vec(),
        ports: vec![port],
        log: folder.join("error.log"),
    };
    Ok((service, keytab))
}

/// Where its packages are unpacked.
pub(super) fn prepare() -> io::Result<PathBuf> {
    place::made_once(&place::root(), FOLDER, unpack)
}

/// Downloads the packages that it is made of, and puts what is in them into `folder`.
fn unpack(folder: &Path) -> io::Result<()> {
    let debs = folder.join("debs");
    fs::create_dir_all(&debs)?;
    let output = Command::new("apt-cache")
        .args(["depends", "--recurse", "--no-recommends", "--no-suggests"])
        .args(["--no-conflicts", "--no-breaks", "--no-replaces"])
        .args(["--no-enhances", "heimdal-kdc"])
        .output()?;
    let depends = String::from_utf8_lossy(&output.stdout).into_owned();
    // The names of packages stand at the beginning of lines; the rest is there already.
    let is_part = |line: &&str| !line.starts_with([' ', '<', '|']) && line.contains("heimdal");
    let parts: Vec<&str> = depends.lines().filter(is_part).collect();
    if parts.is_empty() {
        let what = "apt knows no heimdal-kdc; `apt-get update` may help";
        return Err(io::Error::new(io::ErrorKind::NotFound, what));
    }
    let mut download = Command::new("apt-get");
    download.args(["download", "-q"]).args(parts);
    run(download.current_dir(&debs))?;
    for deb in fs::read_dir(&debs)? {
        run(Command::new("dpkg").arg("-x").arg(deb?.path()).arg(folder))?;
    }
    fs::remove_dir_all(debs)
}

fn libraries(unpacked: &Path) -> String {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    unpacked.join("usr/lib").join(triplet).display().to_string()
}

fn text(path: &impl Fn(&str) -> String) -> String {
    format!(
        "[libdefaults]\n \
         default_realm = {HEIMDAL_REALM}\n \
         dns_lookup_kdc = false\n\
         [kdc]\n \
         database = {{\n  \
         dbname = {}\n  \
         mkey_file = {}\n  \
         log_file = {}\n  \
         acl_file = {}\n \
         }}\n\
         [logging]\n \
         kdc = 0-/FILE:{}\n",
        path("database"),
        path("master-key"),
        path("changes"),
        path("acl"),
        path("kdc.log"),
    )
}
