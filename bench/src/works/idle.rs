//! Memory of kept connections.

use sockless_tests::servers::Host;

use super::{Bench, contender, figure};
use crate::clients::Task;
use crate::measure::child;
use crate::report::Section;

const CONNECTIONS: usize = 5000;

pub(super) fn run(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "idle",
        "Memory per kept TLS 1.3 connection, with its HTTP state, at 5,000 connections (libcurl: at \
         750): the slope beyond the first 250, in bytes.",
        &["allocated", "resident"],
    );
    let task = Task {
        connections: CONNECTIONS,
        ..bench.task(Host::Tls13, "/1k")?
    };
    let mut found = Vec::new();
    // Counts, not times: once is enough.
    for (label, client) in [("sockless, io_uring", "uring"), ("libcurl", "curl")] {
        let one = contender(label, client, "idle", &task);
        let figures = match child(&[], one.client, &one.work, &one.args) {
            Ok(figures) => Some(figures),
            Err(error) => {
                section.missing.push(format!("{label}: {error}"));
                None
            }
        };
        found.push((label.to_owned(), figures));
    }
    for (label, _) in &found {
        let values = ["live", "resident"].map(|name| figure(&found, label, name));
        section.rows.push((label.clone(), values.to_vec()));
    }
    let live = figure(&found, "sockless, io_uring", "live");
    section.bar("allocated per connection", 8192.0, live, " bytes");
    Ok(section)
}
