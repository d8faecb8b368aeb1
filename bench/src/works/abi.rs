//! What the C interface costs above the Rust one.

use sockless_tests::servers::Host;

use super::{Bench, contender, figure, ratio, results};
use crate::clients::Task;
use crate::report::Section;

/// What it may cost.
const TO_RUST: f64 = 1.03;
const REQUESTS: usize = 200_000;

const IN_C: &str = "the C interface";
const IN_RUST: &str = "the Rust interface";
const CURL: &str = "libcurl";

pub(super) fn run(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "abi",
        "The C functions and the Rust interface below them in the same loop on epoll, and libcurl: 1 GiB over \
         HTTPS (client CPU and wall seconds) and GETs of 1 KiB on so many kept connections (microseconds per \
         request). *In memory*: a peer that answers at once, 10 connections.",
        &["CPU", "wall", "CPU / Rust", "CPU / libcurl"],
    );
    let download = Task {
        count: 1,
        connections: 1,
        ..bench.task(Host::Tls13, "/upload/large")?
    };
    on_sockets(bench, &mut section, "download", &download);
    for (connections, count) in [(1, 20_000), (64, 100_000), (1000, 100_000)] {
        let task = Task {
            count: bench.count(count),
            connections,
            ..bench.task(Host::Http, "/1k")?
        };
        on_sockets(bench, &mut section, &format!("small, {connections}"), &task);
    }
    in_memory(bench, &mut section);
    Ok(section)
}

fn on_sockets(bench: &Bench, section: &mut Section, name: &str, task: &Task) {
    let work = name.split(',').next().unwrap_or(name);
    let unit = match work {
        "small" => 1e6 / task.count as f64,
        _ => 1.0,
    };
    let all = [
        contender(IN_C, "wire-c", work, task),
        contender(IN_RUST, "wire-rust", work, task),
        contender(CURL, "curl-c", work, task),
    ];
    let found = results(bench, section, &all);
    let cost = |label: &str, of: &str| figure(&found, label, of).map(|seconds| seconds * unit);
    let cpu = |label: &str| cost(label, "cpu");
    for (label, _) in &found {
        let values = vec![
            cpu(label),
            cost(label, "wall"),
            ratio(cpu(label), cpu(IN_RUST)),
            ratio(cpu(label), cpu(CURL)),
        ];
        section.rows.push((format!("{name}: {label}"), values));
    }
    let what = format!("{name}: the C interface to the Rust one");
    section.bar(what, TO_RUST, ratio(cpu(IN_C), cpu(IN_RUST)), "x");
}

fn in_memory(bench: &Bench, section: &mut Section) {
    let task = Task {
        connections: 10,
        count: bench.count(REQUESTS),
        ..Task::default()
    };
    let all = [
        contender(IN_C, "abi", "c", &task),
        contender(IN_RUST, "abi", "rust", &task),
    ];
    let found = results(bench, section, &all);
    let each = |label: &str| Some(figure(&found, label, "nanoseconds")? / 1e3);
    for label in [IN_C, IN_RUST] {
        let to_rust = ratio(each(label), each(IN_RUST));
        let values = vec![each(label), None, to_rust, None];
        section.rows.push((format!("in memory: {label}"), values));
    }
    let what = "in memory: the C interface to the Rust one";
    section.bar(what, TO_RUST, ratio(each(IN_C), each(IN_RUST)), "x");
}
