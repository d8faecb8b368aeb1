//! Licences, sources and duplicates of everything in the lock file, by cargo-deny.

use crate::Outcome;
use crate::command::{cargo, run as run_command, succeeds};

/// Reads nothing but the lock file and the crates themselves: no advisory database, so
/// that the same commit always gives the same answer.
pub(crate) fn run() -> Outcome {
    // cargo-deny looks at all platforms' crates; those of others may not be here yet.
    if !succeeds(&mut cargo(&[
        "metadata",
        "--offline",
        "--locked",
        "--format-version",
        "1",
    ])) {
        run_command(&mut cargo(&["fetch", "--locked"]))?;
    }
    run_command(&mut cargo(&[
        "deny",
        "--offline",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))
}
