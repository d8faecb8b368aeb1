//! The library, its header and its pkg-config file in a folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::io;
use crate::Outcome;
use crate::command::{cargo, output, program, root, run as run_command, target};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a program that links the static library needs besides it.
const SYSTEM: &str = "-lgcc_s -lm -lpthread -ldl -lc";

/// Which libraries of the system a feature brings: pkg-config's names.
const BROUGHT: &[(&str, &str)] = &[
    ("kerberos-gssapi", "krb5-gssapi"),
    ("kerberos-gssapi", "krb5"),
    ("tls-openssl", "openssl"),
    ("ssh-libssh2", "openssl"),
    ("ssh-libssh2", "zlib"),
];

/// Builds it for release with these features besides the default ones, and installs it below `prefix`.
pub(super) fn install(prefix: &Path, features: &str) -> Outcome {
    let build = ["build", "--release", "-p", "sockless-capi"];
    run_command(cargo(&build).args(["--features", features]))?;
    let system = system(features)?;
    let prefix = std::path::absolute(prefix).map_err(|error| io(prefix, &error))?;
    let (lib, include) = (prefix.join("lib"), prefix.join("include"));
    for folder in [&lib.join("pkgconfig"), &include] {
        fs::create_dir_all(folder).map_err(|error| io(folder, &error))?;
    }
    let archive = target().join("release/libsockless_capi.a");
    copy(&archive, &lib.join("libsockless.a"))?;
    copy(
        &root().join("crates/capi/include/sockless.h"),
        &include.join("sockless.h"),
    )?;
    shared(&archive, &lib, &system)?;
    let file = lib.join("pkgconfig/sockless.pc");
    fs::write(&file, description(&prefix, &system)).map_err(|error| io(&file, &error))?;
    println!("installed below {}", prefix.display());
    Ok(())
}

/// What is linked besides the library itself.
pub(super) fn system(features: &str) -> Result<String, String> {
    let mut flags = String::new();
    for (feature, package) in BROUGHT {
        if features.split(',').any(|have| have == *feature) {
            flags += output(&mut program("pkg-config", &["--libs", package]))?.trim();
            flags.push(' ');
        }
    }
    Ok(flags + SYSTEM)
}

/// Linked from the static library: rustc gives a shared library a version script of its own, and a linker
/// takes one. This one gives the symbols their version.
fn shared(archive: &Path, lib: &Path, system: &str) -> Outcome {
    let file = lib.join(format!("libsockless.so.{VERSION}"));
    let (major, _) = VERSION.rsplit_once('.').unwrap_or((VERSION, ""));
    let name = format!("libsockless.so.{major}");
    let map = root().join("crates/capi/sockless.map");
    let mut link = program(
        "cc",
        &[
            "-shared",
            "-Wl,--gc-sections,--no-undefined,-z,relro,-z,now",
        ],
    );
    link.arg(format!("-Wl,-soname,{name}"))
        .arg(format!("-Wl,--version-script={}", map.display()))
        .arg("-o")
        .arg(&file)
        .arg("-Wl,--whole-archive")
        .arg(archive)
        .arg("-Wl,--no-whole-archive,--as-needed")
        .args(system.split(' '));
    run_command(&mut link)?;
    for (link, to) in [
        ("libsockless.so", name.as_str()),
        (&name, &format!("libsockless.so.{VERSION}")),
    ] {
        let link = lib.join(link);
        drop(fs::remove_file(&link));
        symlink(to, &link).map_err(|error| io(&link, &error))?;
    }
    Ok(())
}

fn description(prefix: &Path, system: &str) -> String {
    let prefix = prefix.display();
    format!(
        "prefix={prefix}\nlibdir=${{prefix}}/lib\nincludedir=${{prefix}}/include\n\n\
         Name: sockless\n\
         Description: The transfer library for programs that own their I/O\n\
         Version: {VERSION}\n\
         Cflags: -I${{includedir}}\n\
         Libs: -L${{libdir}} -lsockless\n\
         Libs.private: {system}\n"
    )
}

fn copy(from: &Path, to: &PathBuf) -> Outcome {
    // A program that runs keeps the old file.
    drop(fs::remove_file(to));
    fs::copy(from, to)
        .map(drop)
        .map_err(|error| io(from, &error))
}
