//! The engine alone, on a peer in memory.

use super::{Bench, contender, figure, ratio, results};
use crate::clients::Task;
use crate::report::Section;

const REQUESTS: usize = 200_000;

pub(super) fn run(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "engine",
        "Engine and HTTP layer on a peer in memory that answers at once, at most 10 connections \
         busy and all others idle: nanoseconds per completion.",
        &["ns"],
    );
    let label = |connections: usize| format!("{connections} connections");
    let sizes = [1, 1000, 100_000];
    let all = sizes.map(|connections| {
        let task = Task {
            connections,
            count: bench.count(REQUESTS),
            ..Task::default()
        };
        contender(&label(connections), "scripted", "engine", &task)
    });
    let found = results(bench, &mut section, &all);
    let each = |connections| figure(&found, &label(connections), "nanoseconds");
    for connections in sizes {
        section
            .rows
            .push((label(connections), vec![each(connections)]));
    }
    section.bar(
        "100,000 connections to 1",
        1.5,
        ratio(each(100_000), each(1)),
        "x",
    );
    let worst = sizes.into_iter().filter_map(each).reduce(f64::max);
    section.bar("each completion", 500.0, worst, " ns");
    Ok(section)
}
