//! How large the library is, by what is in it.

use std::fs;
use std::time::Instant;

use super::io;
use crate::Outcome;
use crate::command::{cargo, program, run as run_command, target};

/// A name and the features.
const BUILDS: &[(&str, &str)] = &[
    ("https only (rustls, aws-lc-rs)", "tls-rustls"),
    ("https only (rustls, ring)", "tls-ring"),
    ("https and SSH (rustls, aws-lc-rs, russh)", "tls-rustls,ssh"),
    (
        "everything",
        "tls-rustls,tls-ring,tls-openssl,ssh-libssh2,kerberos-gssapi",
    ),
];

/// A program that uses every function, linked with what it needs of the static library and stripped: the bytes
/// that a program grows by.
pub(super) fn run() -> Outcome {
    let folder = target().join("capi-sizes");
    fs::create_dir_all(&folder).map_err(|error| io(&folder, &error))?;
    for (name, features) in BUILDS {
        let begin = Instant::now();
        run_command(&mut cargo(&[
            "build",
            "--release",
            "-q",
            "-p",
            "sockless-capi",
            "--no-default-features",
            "--features",
            features,
        ]))?;
        let seconds = begin.elapsed().as_secs();
        let archive = target().join("release/libsockless_capi.a");
        let stripped = folder.join("libsockless.a");
        let mut strip = program("strip", &["--strip-unneeded", "-o"]);
        run_command(strip.arg(&stripped).arg(&archive))?;
        let shared = folder.join("libsockless.so");
        let mut link = program("cc", &["-shared", "-s", "-Wl,--gc-sections", "-o"]);
        let map = crate::command::root().join("crates/capi/sockless.map");
        link.arg(&shared)
            .arg(format!("-Wl,--version-script={}", map.display()));
        link.arg("-Wl,--whole-archive")
            .arg(&archive)
            .arg("-Wl,--no-whole-archive");
        run_command(link.args(super::install::system(features)?.split(' ')))?;
        let size = |path| fs::metadata(path).map_or(0, |data| data.len());
        println!(
            "{name}: static {} KiB, shared {} KiB, built in {seconds} s",
            size(&stripped) / 1024,
            size(&shared) / 1024
        );
    }
    Ok(())
}
