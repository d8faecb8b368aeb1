//! `cargo xtask tidy`: what no compiler checks. It reads what git tracks, so that a file
//! that is not added is not looked at.

mod budget;
mod documentation;
mod files;
pub(crate) mod source;
mod text;

use std::fs;

use crate::Outcome;
use crate::command::{output, program, root};

/// A tracked file.
#[derive(Debug)]
struct File {
    /// From the workspace's root, with slashes.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// Gives a complaint for each thing that is wrong.
type Check = fn(&[File]) -> Vec<String>;

const CHECKS: &[Check] = &[
    budget::exceeded,
    files::dead,
    text::machine_paths,
    text::forbidden_words,
    text::unsafe_places,
    documentation::crates,
    documentation::options,
    documentation::changelog,
];

/// Prints a report and fails with all complaints at once.
pub(crate) fn run() -> Outcome {
    let files = tracked()?;
    println!("{}", budget::report(&files));
    let complaints: Vec<String> = CHECKS.iter().flat_map(|check| check(&files)).collect();
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(complaints.join("\n"))
    }
}

fn tracked() -> Result<Vec<File>, String> {
    let listed = output(&mut program(
        "git",
        &["-c", "safe.directory=*", "ls-files", "-z"],
    ))?;
    let paths = listed.split('\0').filter(|path| !path.is_empty());
    // One that is tracked but was removed is about to be untracked.
    let present = paths.filter(|path| root().join(path).is_file());
    present
        .map(|path| {
            let bytes = fs::read(root().join(path)).map_err(|error| format!("{path}: {error}"))?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Ok(File {
                path: path.to_owned(),
                text,
            })
        })
        .collect()
}
