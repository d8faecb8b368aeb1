//! One large HTTPS download with OpenSSL instead of rustls.

use sockless_tests::servers::Host;

use super::{Bench, LARGE, contender, figure, ratio, results};
use crate::clients::Task;
use crate::report::Section;

const MIN: usize = 256 * 1024;

/// Ours, and the loop with the same reads.
const PAIRS: [(&str, &str); 2] = [
    (
        "sockless on OpenSSL, natural reads",
        "bare OpenSSL loop, natural reads",
    ),
    (
        "sockless on OpenSSL, `min` up to 256 KiB",
        "bare OpenSSL loop, low-water mark 256 KiB",
    ),
];

pub(super) fn run(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "openssl",
        "1 GiB over HTTPS (TLS 1.3, AES-256-GCM) by OpenSSL: client CPU and wall seconds.",
        &["CPU s", "wall s", "CPU / bare loop", "KiB per receive"],
    );
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
    let mut all = Vec::new();
    for ((ours, bare), task) in PAIRS.into_iter().zip([&natural, &large]) {
        all.push(contender(ours, "uring-openssl", "download", task));
        all.push(contender(bare, "bare-openssl", "download", task));
    }
    let found = results(bench, &mut section, &all);
    for (ours, bare) in PAIRS {
        let base = figure(&found, bare, "cpu");
        for label in [ours, bare] {
            let cpu = figure(&found, label, "cpu");
            // Of ours, all operations; but for a dozen they are receives.
            let receives =
                figure(&found, label, "receives").or_else(|| figure(&found, label, "submitted"));
            let each = receives.map(|receives| bench.size(LARGE) as f64 / 1024.0 / receives);
            let wall = figure(&found, label, "wall");
            let values = vec![cpu, wall, ratio(cpu, base), each];
            section.rows.push((label.to_owned(), values));
        }
        let measured = ratio(figure(&found, ours, "cpu"), base);
        section.bar(format!("{ours}, to {bare}"), 1.15, measured, "x");
    }
    Ok(section)
}
