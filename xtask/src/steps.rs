//! `cargo xtask test`: every check in order, up to the first that fails.

use std::time::Instant;

use crate::command::{cargo, root, run as run_command, target};
use crate::{Outcome, capi, dependencies, matrix, seam, sim, tidy, tools};

type Step = fn() -> Outcome;

/// What has to hold before a change goes in; the cheap checks come first.
const STEPS: &[(&str, Step)] = &[
    ("tools", tools::run),
    ("tidy", tidy::run),
    ("format", || {
        run_command(&mut cargo(&["fmt", "--all", "--check"]))
    }),
    ("clippy", clippy),
    ("seam", seam::run),
    ("tests", || {
        run_command(&mut cargo(&["test", "--workspace"]))
    }),
    ("other features", other_features),
    ("fuzz targets", fuzz_targets),
    ("simulator", sim::all),
    ("release build", release),
    ("matrix", || matrix::run(&[])),
    ("C interface", capi::check),
    ("dependencies", dependencies::run),
    ("documentation", documentation),
    ("minimum version", minimum_version),
];

/// Runs all steps, each with a heading and its time, and ends with one line of counts.
pub(crate) fn run() -> Outcome {
    let count = STEPS.len();
    for (index, (name, step)) in STEPS.iter().enumerate() {
        println!("\n== {}/{count} {name}", index + 1);
        let begin = Instant::now();
        let outcome = step();
        let seconds = begin.elapsed().as_secs_f64();
        if let Err(message) = outcome {
            eprintln!("\n{}", message.trim_end());
            println!("== {name} failed after {seconds:.1} s; the steps after it did not run");
            println!("{index} passed, 1 failed");
            return Err(String::new());
        }
        println!("== {name}: {seconds:.1} s");
    }
    println!("{count} passed, 0 failed");
    Ok(())
}

/// `incompatible_msrv` refuses what the stated Rust version does not have yet, which
/// stands in for a build with that version.
fn clippy() -> Outcome {
    run_command(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
        "-D",
        "clippy::incompatible_msrv",
    ]))
}

/// What the default features leave out: ring instead of AWS-LC under the same tests, the
/// system's certificate authorities, and Kerberos without any backend and without MIT's. (libssh2 beside russh is
/// what the workspace's tests have.)
fn other_features() -> Outcome {
    run_command(&mut cargo(&[
        "test",
        "-p",
        "sockless-kerberos",
        "--no-default-features",
    ]))?;
    run_command(&mut cargo(&[
        "test",
        "-p",
        "sockless-kerberos",
        "--no-default-features",
        "--features",
        "rust",
    ]))?;
    run_command(&mut cargo(&[
        "test",
        "-p",
        "sockless-tls",
        "--no-default-features",
        "--features",
        "ring,webpki-roots,native-roots",
    ]))
}

/// They are a workspace of their own, which nothing else builds. With the same target folder
/// it finds its dependencies there.
fn fuzz_targets() -> Outcome {
    let mut check = cargo(&["check", "--locked", "--manifest-path", "fuzz/Cargo.toml"]);
    run_command(check.env("CARGO_TARGET_DIR", target()))
}

/// With both TLS backends, both SSH libraries, Kerberos and all drivers: the matrix has cells for each.
fn release() -> Outcome {
    run_command(&mut cargo(&[
        "build",
        "--release",
        "-p",
        "sockless-cli",
        "--features",
        "kerberos-gssapi,kerberos-rust,tls-openssl,ssh-libssh2,driver-tokio,driver-compio,driver-aio",
    ]))
}

fn documentation() -> Outcome {
    let mut command = cargo(&["doc", "--workspace", "--no-deps"]);
    run_command(command.env("RUSTDOCFLAGS", "-D warnings"))
}

/// The stated version must not be newer than the toolchain, and each published crate must state it.
fn minimum_version() -> Outcome {
    let manifest = read("Cargo.toml")?;
    let stated = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .map(|value| value.trim_matches('"'))
        .ok_or("Cargo.toml: no rust-version in [workspace.package]")?;
    let rustc = crate::command::output(&mut crate::command::program("rustc", &["--version"]))?;
    let installed = rustc.split(' ').nth(1).unwrap_or_default();
    if numbers(installed) < numbers(stated) {
        return Err(format!(
            "rust-version is {stated}, but rustc is {installed}"
        ));
    }
    for entry in root()
        .join("crates")
        .read_dir()
        .map_err(|error| error.to_string())?
        .flatten()
    {
        let manifest = format!("crates/{}/Cargo.toml", entry.file_name().display());
        if !read(&manifest)?
            .lines()
            .any(|line| line == "rust-version.workspace = true")
        {
            return Err(format!("{manifest}: add `rust-version.workspace = true`"));
        }
    }
    println!("stated {stated}, installed {installed}; clippy refuses what is newer than stated");
    Ok(())
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split(['.', '-'])
        .map_while(|part| part.parse().ok())
        .collect()
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(numbers("1.100.0") > numbers("1.90"));
        assert!(numbers("1.90.0-nightly") > numbers("1.89"));
        assert!(numbers("1.90.0") >= numbers("1.90"));
    }
}
