//! How large the library is, by what is in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::io;
use crate::Outcome;
use crate::command::{cargo, output, program, run as run_command, target};

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
    let build = folder.join("build");
    for (name, features) in BUILDS {
        // From nothing, or what one takes would be what the ones before it have left to do.
        drop(fs::remove_dir_all(&build));
        let begin = Instant::now();
        let mut cargo = cargo(&[
            "build",
            "--release",
            "-q",
            "-p",
            "sockless-capi",
            "--no-default-features",
            "--features",
            features,
            "--target-dir",
        ]);
        run_command(cargo.arg(&build))?;
        let seconds = begin.elapsed().as_secs();
        let archive = build.join("release/libsockless_capi.a");
        let stripped = folder.join("libsockless.a");
        strip(&archive, &stripped)?;
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
    drop(fs::remove_dir_all(&build));
    libcurl(&folder)
}

/// Without what no linker needs: names and debug information, and what only rustc's own optimizer at link time reads.
fn strip(archive: &Path, stripped: &Path) -> Outcome {
    let bitcode = ["-R", ".llvmbc", "-R", ".llvmcmd", "-o"];
    let mut strip = program("strip", &["--strip-unneeded"]);
    run_command(strip.args(bitcode).arg(stripped).arg(archive))
}

/// libcurl beside it, as the benchmarks have built it: HTTP, HTTPS and Negotiate, on an OpenSSL of its own.
fn libcurl(folder: &Path) -> Outcome {
    let found = [
        ("curl-sys-", "out/build/libcurl.a"),
        ("openssl-sys-", "out/openssl-build/install/lib/libssl.a"),
        ("openssl-sys-", "out/openssl-build/install/lib/libcrypto.a"),
    ]
    .map(|(package, file)| built(package, file));
    let [Some(curl), Some(ssl), Some(crypto)] = found else {
        println!("libcurl: not built; `cargo xtask bench oneshot --quick` builds it");
        return Ok(());
    };
    let mut sizes = Vec::new();
    for archive in [&curl, &ssl, &crypto] {
        let stripped = folder.join("stripped.a");
        strip(archive, &stripped)?;
        sizes.push(fs::metadata(&stripped).map_or(0, |data| data.len() / 1024));
    }
    let shared = folder.join("libcurl.so");
    let mut link = program("cc", &["-shared", "-s", "-Wl,--gc-sections", "-o"]);
    link.arg(&shared)
        .args(
            functions(&curl)?
                .iter()
                .map(|name| format!("-Wl,-u,{name}")),
        )
        .arg("-Wl,--exclude-libs,libssl.a:libcrypto.a")
        .args([&curl, &ssl, &crypto]);
    run_command(link.args(["-lz", "-lgssapi_krb5", "-lpthread", "-lc"]))?;
    let size = fs::metadata(&shared).map_or(0, |data| data.len() / 1024);
    println!(
        "libcurl (https only, OpenSSL): static {} KiB, and OpenSSL's {} KiB, shared {size} KiB",
        sizes[0],
        sizes[1] + sizes[2]
    );
    Ok(())
}

/// The names of libcurl's public functions. It is built with all names hidden, so the linker has to be told.
fn functions(archive: &Path) -> Result<Vec<String>, String> {
    let names = output(program("nm", &["--defined-only", "-g"]).arg(archive))?;
    let public = |line: &str| {
        let name = line.split_once(" T ")?.1;
        name.starts_with("curl_").then(|| name.to_owned())
    };
    Ok(names.lines().filter_map(public).collect())
}

/// What a package's build has made in release mode.
fn built(package: &str, file: &str) -> Option<PathBuf> {
    let folders = fs::read_dir(target().join("release/build")).ok()?;
    folders
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(package))
        .map(|entry| entry.path().join(file))
        .find(|path| path.is_file())
}
