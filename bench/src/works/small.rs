//! Many small requests on kept connections.

use sockless_tests::servers::Host;

use super::{Bench, contender, figure, least, ratio, results};
use crate::clients::Task;
use crate::report::Section;

const REQUESTS: usize = 100_000;
/// One connection waits for each answer: fewer requests show the same.
const REQUESTS_ALONE: usize = 20_000;

pub(super) fn run(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "small",
        "GETs of 1 KiB on kept connections: client CPU microseconds per request.",
        &["CPU µs", "wall µs", "CPU / libcurl"],
    );
    for (host, scheme) in [(Host::Http, "plain"), (Host::Tls13, "TLS")] {
        for (connections, bar) in [(1, None), (64, Some(0.60)), (1000, Some(0.33))] {
            let task = Task {
                count: bench.count(if connections == 1 {
                    REQUESTS_ALONE
                } else {
                    REQUESTS
                }),
                connections,
                ..bench.task(host, "/1k")?
            };
            case(
                bench,
                &mut section,
                &format!("{scheme}, {connections}"),
                &task,
                bar,
            );
        }
    }
    Ok(section)
}

fn case(bench: &Bench, section: &mut Section, name: &str, task: &Task, bar: Option<f64>) {
    let work = "small";
    let mut all = vec![
        contender("sockless, io_uring", "uring", work, task),
        contender("libcurl", "curl", work, task),
        contender("hyper", "hyper", work, task),
    ];
    if task.connections <= 64 {
        all.insert(1, contender("sockless, poll", "blocking", work, task));
    }
    let found = results(bench, section, &all);
    let each = |label: &str, figure_name: &str| {
        let seconds = figure(&found, label, figure_name)?;
        Some(seconds * 1e6 / task.count as f64)
    };
    let curl = each("libcurl", "cpu");
    for (label, _) in &found {
        let cpu = each(label, "cpu");
        let values = vec![cpu, each(label, "wall"), ratio(cpu, curl)];
        section.rows.push((format!("{name}: {label}"), values));
    }
    if let Some(bar) = bar {
        let ours = least(
            each("sockless, io_uring", "cpu"),
            each("sockless, poll", "cpu"),
        );
        section.bar(
            format!("{name} connections, the best driver to libcurl"),
            bar,
            ratio(ours, curl),
            "x",
        );
    }
}
