//! The same work by each driver: one large download, and small requests.

use sockless_tests::servers::Host;

use super::{Bench, contender, figure, ratio, results};
use crate::clients::Task;
use crate::measure::Contender;
use crate::report::Section;

/// Scheme, connections and requests. One connection waits for each answer: fewer requests show the same.
const SMALL: &[(Host, &str, usize, usize)] = &[
    (Host::Http, "plain", 1, 10_000),
    (Host::Http, "plain", 64, 50_000),
    (Host::Http, "plain", 1000, 50_000),
    (Host::Tls13, "TLS", 64, 50_000),
];
/// What the driver on tokio may cost beside hyper on tokio.
const TO_HYPER: f64 = 1.15;

/// Label and client; the first is what the others are compared with.
const CLIENTS: &[(&str, &str)] = &[
    ("sockless, io_uring", "uring"),
    ("sockless, poll", "blocking"),
    ("sockless, tokio", "tokio"),
    ("sockless, async client on tokio", "client"),
    ("sockless, compio", "compio"),
    ("sockless, POSIX AIO", "aio"),
    ("libcurl", "curl-c"),
    ("hyper", "hyper"),
];

pub(super) fn run(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "drivers",
        "The same work by each driver: 1 GiB over HTTPS (client CPU and wall seconds), and GETs of \
         1 KiB on so many kept connections (CPU and wall microseconds per request).",
        &[
            "CPU",
            "wall",
            "CPU / io_uring",
            "CPU / libcurl",
            "CPU / hyper",
        ],
    );
    let download = Task {
        count: 1,
        connections: 1,
        ..bench.task(Host::Tls13, "/upload/large")?
    };
    case(bench, &mut section, "download", &download, 1.0);
    for &(host, scheme, connections, count) in SMALL {
        let count = bench.count(count);
        let small = Task {
            count,
            connections,
            ..bench.task(host, "/1k")?
        };
        let name = format!("small, {scheme}, {connections}");
        case(bench, &mut section, &name, &small, 1e6 / count as f64);
    }
    Ok(section)
}

fn case(bench: &Bench, section: &mut Section, name: &str, task: &Task, unit: f64) {
    let work = name.split(',').next().unwrap_or(name);
    let all: Vec<Contender> = CLIENTS
        .iter()
        .map(|(label, client)| contender(label, client, work, task))
        .collect();
    let found = results(bench, section, &all);
    let cost = |label: &str, of: &str| figure(&found, label, of).map(|seconds| seconds * unit);
    let [uring, curl, hyper] = [CLIENTS[0].0, "libcurl", "hyper"].map(|label| cost(label, "cpu"));
    for (label, _) in &found {
        let cpu = cost(label, "cpu");
        let values = vec![
            cpu,
            cost(label, "wall"),
            ratio(cpu, uring),
            ratio(cpu, curl),
            ratio(cpu, hyper),
        ];
        section.rows.push((format!("{name}: {label}"), values));
    }
    let tokio = cost("sockless, tokio", "cpu");
    let what = format!("{name}: the driver on tokio to hyper");
    section.bar(what, TO_HYPER, ratio(tokio, hyper), "x");
}
