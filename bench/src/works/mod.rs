//! The benchmarks: what each client is asked to do, and where the bars are.

mod abi;
mod download;
mod drivers;
mod engine;
mod handshakes;
mod idle;
mod instructions;
mod kerberos;
mod oneshot;
mod openssl;
mod small;
mod ssh;
mod tunnel;

use std::fs::File;
use std::sync::OnceLock;

use sockless_tests::servers::{Entrance, Host, Nginx, Running, Servers, Squid};

use crate::clients::Task;
use crate::measure::{Contender, Figures, race};
use crate::report::Section;

type Work = fn(&Bench) -> Result<Section, String>;

/// By the names that the command line knows.
pub const ALL: &[(&str, Work)] = &[
    ("download", download::run),
    ("openssl", openssl::run),
    ("tunnel", tunnel::run),
    ("small", small::run),
    ("drivers", drivers::run),
    ("instructions", instructions::run),
    ("handshakes", handshakes::run),
    ("idle", idle::run),
    ("engine", engine::run),
    ("abi", abi::run),
    ("oneshot", oneshot::run),
    ("ssh", ssh::run),
    ("kerberos", kerberos::requests),
    ("kerberos-kdcs", kerberos::kdcs),
    ("kerberos-socks", kerberos::socks),
];

/// The file that is downloaded, in bytes.
pub const LARGE: u64 = 1 << 30;
/// The file that is downloaded through proxies, which are slower, in bytes.
pub const SMALLER: u64 = 256 << 20;

/// What the benchmarks share.
pub struct Bench {
    pub rounds: usize,
    quick: bool,
    server: OnceLock<Result<Running, String>>,
    proxy: OnceLock<Result<Running, String>>,
}

impl Bench {
    pub fn new(rounds: usize, quick: bool) -> Self {
        Self {
            rounds,
            quick,
            server: OnceLock::new(),
            proxy: OnceLock::new(),
        }
    }

    /// So many requests, or a hundredth of them to see that it works.
    fn count(&self, requests: usize) -> usize {
        match self.quick {
            true => requests / 100,
            false => requests,
        }
    }

    /// The same of bytes.
    fn size(&self, bytes: u64) -> u64 {
        match self.quick {
            true => bytes / 100,
            false => bytes,
        }
    }

    /// One nginx for all, started by the first that needs it.
    fn nginx(&self) -> Result<&Nginx, String> {
        let server = self.server.get_or_init(|| {
            let running = Servers::start(&["nginx"]).map_err(|error| format!("nginx: {error}"))?;
            // Holes cost no disk, and the server reads them like any other bytes.
            for (name, size) in [("large", LARGE), ("smaller", SMALLER)] {
                File::create(running.nginx().uploaded(name))
                    .and_then(|file| file.set_len(self.size(size)))
                    .map_err(|error| format!("the file to download: {error}"))?;
            }
            Ok(running)
        });
        server.as_ref().map(Running::nginx).map_err(Clone::clone)
    }

    fn squid(&self) -> Result<&Squid, String> {
        let proxy = self
            .proxy
            .get_or_init(|| Servers::start(&["squid"]).map_err(|error| format!("squid: {error}")));
        proxy.as_ref().map(Running::squid).map_err(Clone::clone)
    }

    /// A task at a path of that host.
    fn task(&self, host: Host, path: &str) -> Result<Task, String> {
        let nginx = self.nginx()?;
        Ok(Task {
            url: by_address(&nginx.url(host, path)),
            ca: nginx.ca_pem(),
            ..Task::default()
        })
    }

    /// The same task through squid.
    fn through(&self, entrance: Entrance, task: &Task) -> Result<Task, String> {
        let squid = self.squid()?;
        Ok(Task {
            proxy: by_address(&squid.url(entrance)),
            proxy_ca: squid.ca_pem(),
            ..task.clone()
        })
    }
}

/// A name would be looked up, and tried at two addresses.
fn by_address(url: &str) -> String {
    url.replacen("localhost", "127.0.0.1", 1)
}

fn contender(label: &str, client: &'static str, work: &str, task: &Task) -> Contender {
    Contender {
        label: label.to_owned(),
        client,
        work: work.to_owned(),
        args: task.words(),
    }
}

/// Races them, notes who failed, and gives what the others took.
fn results(
    bench: &Bench,
    section: &mut Section,
    all: &[Contender],
) -> Vec<(String, Option<Figures>)> {
    let mut found = Vec::new();
    for (contender, result) in all.iter().zip(race(bench.rounds, all)) {
        let figures = match result {
            Ok(figures) => Some(figures),
            Err(error) => {
                section
                    .missing
                    .push(format!("{}: {error}", contender.label));
                None
            }
        };
        found.push((contender.label.clone(), figures));
    }
    found
}

/// A figure of the contender with that label.
fn figure(found: &[(String, Option<Figures>)], label: &str, name: &str) -> Option<f64> {
    let (_, figures) = found.iter().find(|(have, _)| have == label)?;
    figures.as_ref()?.get(name).copied()
}

/// The smaller of two, where there are two.
fn least(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn ratio(of: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(of? / to?)
}
