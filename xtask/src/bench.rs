//! `cargo xtask bench`: builds the benchmark suite and the command, runs the one and
//! writes its tables into `docs/benchmarks.md`.

use std::process::Command;

use crate::Outcome;
use crate::command::{cargo, run as run_command, target};

/// Peers that may be missing, each a feature of the suite.
const PEERS: [&str; 5] = ["curl", "drivers", "hyper", "kerberos", "openssl"];

/// Runs the benchmarks of these names, or all.
pub(crate) fn run(args: &[&str]) -> Outcome {
    build()?;
    if let Err(error) = run_command(&mut cargo(&["build", "--release", "-p", "sockless-cli"])) {
        println!("the command cannot be built, so `oneshot` cannot be measured: {error}");
    }
    let release = target().join("release");
    let mut suite = Command::new(release.join("sockless-bench"));
    suite
        .args(args)
        .args(["--document", "docs/benchmarks.md"])
        .current_dir(crate::command::root())
        .env("SOCKLESS_COMMAND", release.join("sockless"));
    let status = suite
        .status()
        .map_err(|error| format!("sockless-bench: {error}"))?;
    match status.code() {
        Some(0) => Ok(()),
        // It has said itself what is wrong with its arguments.
        Some(code) => std::process::exit(code),
        None => Err(format!("sockless-bench: {status}")),
    }
}

/// With all peers, or else with those that can be built.
fn build() -> Outcome {
    let Err(error) = build_with(&PEERS) else {
        return Ok(());
    };
    println!("not all peers can be built: {error}");
    let mut good = Vec::new();
    for peer in PEERS {
        match build_with(&[peer]) {
            Ok(()) => good.push(peer),
            Err(_) => println!("{peer} cannot be built and is left out"),
        }
    }
    build_with(&good)
}

fn build_with(peers: &[&str]) -> Outcome {
    let (features, target) = (peers.join(","), target().display().to_string());
    let args = [
        "build",
        "--release",
        "--manifest-path",
        "bench/Cargo.toml",
        "--no-default-features",
        "--features",
        &features,
        // A workspace of its own would build in a folder of its own.
        "--target-dir",
        &target,
    ];
    run_command(&mut cargo(&args))
}
