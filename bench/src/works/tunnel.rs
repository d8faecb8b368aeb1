//! An HTTPS download through a proxy's tunnel, and what the tunnel adds.

use sockless_tests::servers::{Entrance, Host};

use super::{Bench, contender, figure, least, ratio, results};
use crate::clients::Task;
use crate::report::Section;

const MIN: usize = 256 * 1024;

const DIRECT: &str = "direct";
const CONNECT: &str = "CONNECT";
const TLS_IN_TLS: &str = "TLS in TLS";

const NATURAL: &str = "sockless, natural reads";
const MARKED: &str = "sockless, `min` up to 256 KiB";
const CURL: &str = "libcurl";
const CURL_BUFFERED: &str = "libcurl, 256 KiB buffer";

pub(super) fn run(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "tunnel",
        "256 MiB over HTTPS from nginx: at once, by CONNECT through squid's plain port, and by \
         CONNECT through its TLS port. Client CPU and wall seconds, and the operations that were \
         submitted in all.",
        &["CPU s", "wall s", "CPU / libcurl", "operations"],
    );
    let direct = Task {
        count: 1,
        connections: 1,
        min: 1,
        ..bench.task(Host::Tls13, "/upload/smaller")?
    };
    let ways = [
        (DIRECT, direct.clone()),
        (CONNECT, bench.through(Entrance::Open, &direct)?),
        (TLS_IN_TLS, bench.through(Entrance::OpenTls, &direct)?),
    ];
    let operations = ways.map(|(way, task)| one_way(bench, &mut section, way, &task));
    section.bar(
        "operations with `min`, by CONNECT to direct",
        1.05,
        ratio(operations[1], operations[0]),
        "x",
    );
    Ok(section)
}

/// Measures one way, and gives the operations of ours with low-water marks.
fn one_way(bench: &Bench, section: &mut Section, way: &str, task: &Task) -> Option<f64> {
    let marked = Task {
        min: MIN,
        ..task.clone()
    };
    let buffered = Task {
        buffer: MIN,
        ..task.clone()
    };
    let work = "download";
    let label = |client: &str| format!("{way}: {client}");
    let all = [
        contender(&label(NATURAL), "uring", work, task),
        contender(&label(MARKED), "uring", work, &marked),
        contender(&label(CURL), "curl", work, task),
        contender(&label(CURL_BUFFERED), "curl", work, &buffered),
    ];
    let found = results(bench, section, &all);
    let cpu = |client: &str| figure(&found, &label(client), "cpu");
    let curl = least(cpu(CURL), cpu(CURL_BUFFERED));
    for (label, _) in &found {
        let of = |name: &str| figure(&found, label, name);
        let values = vec![
            of("cpu"),
            of("wall"),
            ratio(of("cpu"), curl),
            of("submitted"),
        ];
        section.rows.push((label.clone(), values));
    }
    if way != DIRECT {
        for client in [NATURAL, MARKED] {
            let what = format!("{}, to libcurl", label(client));
            section.bar(what, 0.85, ratio(cpu(client), curl), "x");
        }
    }
    figure(&found, &label(MARKED), "submitted")
}
