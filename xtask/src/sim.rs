//! `cargo xtask sim`: scenarios on a simulated network.

use crate::Outcome;
use crate::command::{cargo, program, run as run_command, target};

/// What every change has to pass: seeds of each scenario, and every way to fail of every operation.
const ALL: &[&[&str]] = &[
    &["seeds", "https", "20000"],
    &["seeds", "http", "5000"],
    &["seeds", "tunnels", "20000"],
    &["seeds", "sftp", "2000"],
    &["seeds", "kerberos", "5000"],
    &["seeds", "crowd", "1"],
    &["torture", "http"],
    &["torture", "https"],
    &["torture", "tunnels"],
    &["torture", "sftp"],
    &["torture", "kerberos"],
];

/// Builds the simulation and hands these words to it.
pub(crate) fn run(words: &[&str]) -> Outcome {
    build()?;
    simulate(words)
}

/// Everything in [`ALL`].
pub(crate) fn all() -> Outcome {
    build()?;
    ALL.iter().try_for_each(|words| simulate(words))
}

fn build() -> Outcome {
    run_command(&mut cargo(&[
        "build",
        "--quiet",
        "--release",
        "-p",
        "sockless-simulation",
    ]))
}

fn simulate(words: &[&str]) -> Outcome {
    let simulate = target().join("release/simulate");
    run_command(&mut program(&simulate.display().to_string(), words))
}
