//! The C interface: its header, its installation, and the programs that use it.

mod fuzz;
mod header;
mod install;
mod programs;
mod sanitize;
mod sizes;
mod stage;
mod symbols;
mod trace;

use std::path::{Path, PathBuf};

pub(crate) use header::write as write_header;

use crate::Outcome;
use crate::command::target;

/// What the checks' library has beyond its default features: the programs want tickets as well.
const FEATURES: &str = "kerberos-gssapi";

/// What `cargo xtask test` does of it: the header is current, the installed library exports and imports
/// what it may, and the programs do their transfers, also under a sanitizer.
pub(crate) fn check() -> Outcome {
    header::check()?;
    let prefix = prefix();
    install::install(&prefix, FEATURES)?;
    symbols::check(&prefix)?;
    programs::run(&prefix)?;
    sanitize::bounded(&prefix)
}

/// `cargo xtask install --prefix DIR [--features LIST]`.
pub(crate) fn install(options: &[&str]) -> Outcome {
    match options {
        ["--prefix", folder] => install::install(Path::new(folder), ""),
        ["--prefix", folder, "--features", features] => {
            install::install(Path::new(folder), features)
        }
        _ => Err("usage: cargo xtask install --prefix DIR [--features LIST]".to_owned()),
    }
}

/// `cargo xtask sanitize`.
pub(crate) fn sanitize() -> Outcome {
    let prefix = prefix();
    install::install(&prefix, FEATURES)?;
    sanitize::all(&prefix)
}

/// `cargo xtask capi-fuzz`.
pub(crate) fn fuzz(options: &[&str]) -> Outcome {
    fuzz::run(options)
}

/// `cargo xtask capi-sizes`.
pub(crate) fn sizes() -> Outcome {
    sizes::run()
}

/// Where the checks install to.
fn prefix() -> PathBuf {
    target().join("capi")
}

fn io(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
