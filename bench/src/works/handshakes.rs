//! Full handshakes, one after the other, each with one small request.

use sockless_tests::servers::Host;

use super::{Bench, contender, figure, least, ratio, results};
use crate::clients::Task;
use crate::report::Section;

const HANDSHAKES: usize = 2000;

pub(super) fn run(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "handshakes",
        "Connect, full TLS 1.3 handshake, one GET of 1 KiB, close: client CPU microseconds each.",
        &["CPU µs", "wall µs", "CPU / libcurl", "CPU / bare loop"],
    );
    let task = Task {
        count: bench.count(HANDSHAKES),
        connections: 1,
        ..bench.task(Host::Tls13, "/1k")?
    };
    let work = "handshakes";
    let found = results(
        bench,
        &mut section,
        &[
            contender("sockless, io_uring", "uring", work, &task),
            contender("sockless, poll", "blocking", work, &task),
            contender("bare loop", "bare", work, &task),
            contender("libcurl", "curl", work, &task),
        ],
    );
    let each = |label: &str, name: &str| {
        let seconds = figure(&found, label, name)?;
        Some(seconds * 1e6 / task.count as f64)
    };
    let (bare, curl) = (each("bare loop", "cpu"), each("libcurl", "cpu"));
    for (label, _) in &found {
        let cpu = each(label, "cpu");
        let values = vec![cpu, each(label, "wall"), ratio(cpu, curl), ratio(cpu, bare)];
        section.rows.push((label.clone(), values));
    }
    let ours = least(
        each("sockless, io_uring", "cpu"),
        each("sockless, poll", "cpu"),
    );
    section.bar(
        "the best driver to the bare loop",
        1.05,
        ratio(ours, bare),
        "x",
    );
    Ok(section)
}
