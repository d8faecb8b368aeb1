//! What the other steps need, installed on a Debian machine that does not have it.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::Outcome;
use crate::command::{cargo, output, program, run as run_command, succeeds};

/// Debian's packages, each with the file that shows it is there.
const PACKAGES: &[(&str, &str)] = &[
    ("nginx-light", "nginx"),
    ("apache2-bin", "apache2"),
    ("squid", "squid"),
    ("haproxy", "haproxy"),
    ("tinyproxy-bin", "tinyproxy"),
    ("dante-server", "danted"),
    ("microsocks", "microsocks"),
    ("openssh-server", "sshd"),
    ("openssh-sftp-server", "/usr/lib/openssh/sftp-server"),
    ("openssh-client", "ssh"),
    ("dropbear-bin", "dropbear"),
    (
        "python3-asyncssh",
        "/usr/lib/python3/dist-packages/asyncssh",
    ),
    ("python3-gssapi", "/usr/lib/python3/dist-packages/gssapi"),
    ("krb5-kdc", "krb5kdc"),
    ("krb5-admin-server", "kadmin.local"),
    ("krb5-user", "kinit"),
    (
        "libapache2-mod-auth-gssapi",
        "/usr/lib/apache2/modules/mod_auth_gssapi.so",
    ),
    ("dnsmasq-base", "dnsmasq"),
    // Dante with GSSAPI is built from Debian's source.
    ("dpkg-dev", "dpkg-source"),
    ("make", "make"),
    ("libkrb5-dev", "/usr/include/gssapi/gssapi.h"),
    ("openssl", "openssl"),
    ("git", "git"),
    ("strace", "strace"),
    ("bsdutils", "script"),
    ("curl", "curl"),
    ("gcc", "cc"),
    ("libc6-dev", "/usr/include/stdio.h"),
    ("libssl-dev", "/usr/include/openssl/ssl.h"),
    ("zlib1g-dev", "/usr/include/zlib.h"),
    ("pkg-config", "pkg-config"),
    ("g++", "c++"),
    ("binutils", "nm"),
    ("libboost-dev", "/usr/include/boost/asio.hpp"),
    ("liburing-dev", "/usr/include/liburing.h"),
    ("libuv1-dev", "/usr/include/uv.h"),
    ("python3", "python3"),
    ("ca-certificates", "/etc/ssl/certs/ca-certificates.crt"),
];

const CARGO_DENY: &str = "0.20.2";

/// Debian's hook that decides whether a package may start its service.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const POLICY_ASIDE: &str = "/usr/sbin/policy-rc.d.sockless-saved";
/// 101: the action is forbidden, and that is no failure.
const NO_SERVICES: &str =
    "#!/bin/sh\n# by cargo xtask test, while it installs packages\nexit 101\n";

/// Installs what is missing and can be installed; names the remedy for the rest.
pub(crate) fn run() -> Outcome {
    packages()?;
    for component in ["fmt", "clippy"] {
        if !succeeds(&mut cargo(&[component, "--version"])) {
            let remedy = "`rustup component add rustfmt clippy` brings it";
            return Err(format!("cargo {component} is missing; {remedy}"));
        }
    }
    if !succeeds(&mut cargo(&["deny", "--version"])) {
        let args = ["install", "cargo-deny", "--locked", "--version", CARGO_DENY];
        run_command(&mut cargo(&args))?;
    }
    for line in sockless_tests::servers::prepare() {
        println!("{line}");
    }
    println!("everything needed is here");
    Ok(())
}

fn packages() -> Outcome {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(_, shown_by)| !present(shown_by))
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    let is_root = output(&mut program("id", &["-u"])).is_ok_and(|id| id.trim() == "0");
    if !is_root || !present("apt-get") {
        return Err(format!(
            "missing: {names}; install these packages of Debian's, or the like"
        ));
    }
    println!("installing {names}");
    // The tests start servers of their own; a package's service would only be in the way.
    let _no_services = NoServices::new().map_err(|error| format!("{POLICY}: {error}"))?;
    let apt = |args: &[&str]| {
        let mut command = program("apt-get", args);
        run_command(command.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-q"])?;
    apt(&[
        &["install", "-q", "-y", "--no-install-recommends"],
        missing.as_slice(),
    ]
    .concat())
}

fn present(shown_by: &str) -> bool {
    if shown_by.starts_with('/') {
        return Path::new(shown_by).exists();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .any(|folder| folder.join(shown_by).is_file())
}

/// While it lives, installing a package starts no service.
struct NoServices;

impl NoServices {
    fn new() -> std::io::Result<Self> {
        // One of our own is left over from a run that was interrupted: not worth saving.
        if fs::read_to_string(POLICY).is_ok_and(|text| text != NO_SERVICES) {
            fs::rename(POLICY, POLICY_ASIDE)?;
        }
        fs::write(POLICY, NO_SERVICES)?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        Ok(Self)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        drop(fs::remove_file(POLICY));
        if Path::new(POLICY_ASIDE).exists() {
            drop(fs::rename(POLICY_ASIDE, POLICY));
        }
    }
}
