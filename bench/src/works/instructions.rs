//! Instructions per small request, as callgrind counts them: the same on every machine.

use std::fs;
use std::path::PathBuf;
use std::process;

use sockless_tests::servers::Host;

use super::{Bench, contender};
use crate::clients::Task;
use crate::measure::{Contender, child};
use crate::report::Section;

/// The difference of two runs leaves what each request costs.
const FEW: usize = 500;
const MORE: usize = 2500;

pub(super) fn run(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "instructions",
        "Instructions in user space per GET of 1 KiB, by callgrind, one connection.",
        &["plain", "TLS"],
    );
    let clients = [
        ("sockless, io_uring", "uring"),
        ("sockless, poll", "blocking"),
        ("libcurl", "curl"),
        ("hyper", "hyper"),
    ];
    for (label, client) in clients {
        let mut values = Vec::new();
        for host in [Host::Http, Host::Tls13] {
            let task = bench.task(host, "/1k")?;
            values.push(match per_request(client, &task) {
                Ok(value) => Some(value),
                Err(error) => {
                    section.missing.push(format!("{label}: {error}"));
                    None
                }
            });
        }
        section.rows.push((label.to_owned(), values));
    }
    let of = |label: &str, column: usize| {
        let row = section.rows.iter().find(|(have, _)| have == label)?;
        row.1[column]
    };
    let best = |column| {
        super::least(
            of("sockless, io_uring", column),
            of("sockless, poll", column),
        )
    };
    let (plain, tls) = (best(0), best(1));
    section.bar("plain, the best driver", 8000.0, plain, "");
    section.bar("TLS, the best driver", 18000.0, tls, "");
    Ok(section)
}

fn per_request(client: &'static str, task: &Task) -> Result<f64, String> {
    let count = |count| {
        let task = Task {
            count,
            connections: 1,
            ..task.clone()
        };
        counted(&contender(client, client, "small", &task))
    };
    Ok((count(MORE)? - count(FEW)?) / (MORE - FEW) as f64)
}

fn counted(contender: &Contender) -> Result<f64, String> {
    let file: PathBuf =
        std::env::temp_dir().join(format!("sockless-bench-{}.callgrind", process::id()));
    let out = format!("--callgrind-out-file={}", file.display());
    let wrapper = ["valgrind", "--tool=callgrind", "--quiet", &out];
    let ran = child(&wrapper, contender.client, &contender.work, &contender.args);
    let text = fs::read_to_string(&file).unwrap_or_default();
    drop(fs::remove_file(&file));
    ran?;
    let total = text.lines().find_map(|line| {
        line.strip_prefix("totals: ")
            .or_else(|| line.strip_prefix("summary: "))
    });
    let total = total.and_then(|total| total.trim().parse().ok());
    total.ok_or_else(|| "callgrind wrote no total".to_owned())
}
