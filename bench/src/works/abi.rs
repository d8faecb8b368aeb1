//! What the C interface costs above the Rust one.

use super::{Bench, contender, figure, ratio, results};
use crate::clients::Task;
use crate::report::Section;

const REQUESTS: usize = 200_000;

pub(super) fn run(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "abi",
        "GETs by URL on a peer in memory that answers at once, 10 connections: nanoseconds of CPU per \
         request, through the C functions and through the Rust interface below them.",
        &["ns"],
    );
    let task = Task {
        connections: 10,
        count: REQUESTS,
        ..Task::default()
    };
    let all = [
        contender("the C interface", "abi", "c", &task),
        contender("the Rust interface", "abi", "rust", &task),
    ];
    let found = results(bench, &mut section, &all);
    let each = |label: &str| figure(&found, label, "nanoseconds");
    for label in ["the C interface", "the Rust interface"] {
        section.rows.push((label.to_owned(), vec![each(label)]));
    }
    let (c, rust) = (each("the C interface"), each("the Rust interface"));
    section.bar("the C interface to the Rust one", 1.03, ratio(c, rust), "x");
    Ok(section)
}
