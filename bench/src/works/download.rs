//! One large HTTPS download.

use sockless_tests::servers::Host;

use super::{Bench, LARGE, contender, figure, least, ratio, results};
use crate::clients::Task;
use crate::measure::Contender;
use crate::report::Section;

const MIN: usize = 256 * 1024;

pub(super) fn run(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "download",
        "1 GiB over HTTPS (TLS 1.3, AES-256-GCM): client CPU and wall seconds.",
        &[
            "CPU s",
            "wall s",
            "CPU / libcurl",
            "CPU / bare loop",
            "KiB per receive",
        ],
    );
    let found = results(bench, &mut section, &contenders(bench)?);
    let cpu = |label: &str| figure(&found, label, "cpu");
    let curl = least(cpu("libcurl"), cpu("libcurl, 256 KiB buffer"));
    for (label, figures) in &found {
        let bare = match label.contains("`min`") || label.contains("mark") {
            true => cpu("bare loop, low-water mark 256 KiB"),
            false => cpu("bare loop, natural reads"),
        };
        let mine = cpu(label);
        let wall = figures.as_ref().and_then(|all| all.get("wall").copied());
        // Of ours, all operations; but for a dozen they are receives.
        let receives =
            figure(&found, label, "receives").or_else(|| figure(&found, label, "submitted"));
        let each = receives.map(|receives| bench.size(LARGE) as f64 / 1024.0 / receives);
        let values = vec![mine, wall, ratio(mine, curl), ratio(mine, bare), each];
        section.rows.push((label.clone(), values));
    }
    let modes = [
        ("sockless, natural reads", "bare loop, natural reads", 0.85),
        (
            "sockless, `min` up to 256 KiB",
            "bare loop, low-water mark 256 KiB",
            0.48,
        ),
    ];
    for (ours, bare, bar) in modes {
        section.bar(
            format!("{ours}, to libcurl"),
            bar,
            ratio(cpu(ours), curl),
            "x",
        );
        section.bar(
            format!("{ours}, to {bare}"),
            1.10,
            ratio(cpu(ours), cpu(bare)),
            "x",
        );
    }
    Ok(section)
}

/// All clients, ours and the bare loop in both modes.
fn contenders(bench: &Bench) -> Result<Vec<Contender>, String> {
    let natural = Task {
        count: 1,
        connections: 1,
        min: 1,
        ..bench.task(Host::Tls13, "/upload/large")?
    };
    let large = Task {
        min: MIN,
        ..natural.clone()
    };
    let buffered = Task {
        buffer: MIN,
        ..natural.clone()
    };
    let work = "download";
    Ok(vec![
        contender("sockless, natural reads", "uring", work, &natural),
        contender("bare loop, natural reads", "bare", work, &natural),
        contender("sockless, `min` up to 256 KiB", "uring", work, &large),
        contender("bare loop, low-water mark 256 KiB", "bare", work, &large),
        contender("libcurl", "curl", work, &natural),
        contender("libcurl, 256 KiB buffer", "curl", work, &buffered),
        contender("hyper", "hyper", work, &natural),
    ])
}
