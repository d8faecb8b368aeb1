//! A command that fetches one small file and ends.

use std::process::{Command, Stdio};

use sockless_tests::servers::Host;

use super::Bench;
use crate::measure::{CLIENT_CORE, SERVER_CORE, bind_to, cpu_seconds};
use crate::report::Section;

/// A process costs a few milliseconds, and clocks of processes are coarse.
const RUNS: usize = 20;

pub(super) fn run(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "oneshot",
        "One HTTPS GET of 1 KiB by a command, from its start to its end: CPU milliseconds.",
        &["CPU ms"],
    );
    let ours = std::env::var("SOCKLESS_COMMAND").unwrap_or_else(|_| "sockless".to_owned());
    let task = bench.task(Host::Tls13, "/1k")?;
    let commands = [("sockless", ours.as_str()), ("curl (the system's)", "curl")];
    let mut found: Vec<Vec<f64>> = vec![Vec::new(); commands.len()];
    for _ in 0..bench.rounds {
        for ((label, program), times) in commands.iter().zip(&mut found) {
            match each(program, &task.ca.display().to_string(), &task.url) {
                Ok(time) => times.push(time),
                Err(error) if times.is_empty() => section.missing.push(format!("{label}: {error}")),
                Err(_) => {}
            }
        }
    }
    section.missing.dedup();
    for ((label, _), times) in commands.iter().zip(&mut found) {
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied();
        section.rows.push(((*label).to_owned(), vec![median]));
    }
    let ours = section.rows[0].1[0];
    section.bar("the command `sockless`", 3.0, ours, " ms");
    Ok(section)
}

/// CPU milliseconds of one run.
fn each(program: &str, ca: &str, url: &str) -> Result<f64, String> {
    bind_to(CLIENT_CORE);
    let before = cpu_seconds(libc::RUSAGE_CHILDREN);
    let ran = (0..RUNS).try_for_each(|_| {
        let status = Command::new(program)
            .args(["--silent", "--cacert", ca, url])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|error| format!("{program}: {error}"))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{program}: {status}"))
        }
    });
    bind_to(SERVER_CORE);
    ran?;
    Ok((cpu_seconds(libc::RUSAGE_CHILDREN) - before) * 1e3 / RUNS as f64)
}
