//! Kerberos: many requests with tickets, a login where a KDC is silent, and what passes through a
//! proxy encrypted.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use sockless_tests::servers::{Host, PASSWORD, REALM, Running, Servers, USER, Way};

use super::{Bench, by_address, contender, figure, ratio, results};
use crate::clients::Task;
use crate::report::Section;

const REQUESTS: usize = 10_000;
const CONNECTIONS: usize = 100;

const HTTP: &str = "HTTP/localhost";
const SOCKS: &str = "rcmd/localhost";

/// Requests with Negotiate, each with a token of its own.
pub(super) fn requests(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "kerberos",
        "10,000 GETs of 1 KiB by Negotiate over 100 kept connections, each with a token of its own, \
         from Apache; the tickets are there already. Client CPU and wall microseconds per request.",
        &["CPU µs", "wall µs", "CPU / libcurl"],
    );
    let place = Place::new(&[HTTP])?;
    let curl = Task {
        url: place.servers.kerberized().http_url("/private/1k"),
        count: bench.count(REQUESTS),
        connections: CONNECTIONS,
        realms: place.servers.kdc().config(),
        ccache: place.ccache.clone(),
        ..Task::default()
    };
    let ours = Task {
        url: by_address(&curl.url),
        ..curl.clone()
    };
    let all = [
        contender("sockless, io_uring", "uring", "small", &ours),
        contender("sockless, poll", "blocking", "small", &ours),
        contender("libcurl", "curl", "small", &curl),
    ];
    let found = results(bench, &mut section, &all);
    let each = |label: &str, name: &str| {
        figure(&found, label, name).map(|seconds| seconds * 1e6 / curl.count as f64)
    };
    for (label, _) in &found {
        let cpu = each(label, "cpu");
        let to_curl = ratio(cpu, each("libcurl", "cpu"));
        let values = vec![cpu, each(label, "wall"), to_curl];
        section.rows.push((label.clone(), values));
    }
    let cpu = each("sockless, io_uring", "cpu");
    let to_curl = ratio(cpu, each("libcurl", "cpu"));
    section.bar("io_uring, to libcurl", 0.7, to_curl, "x");
    Ok(section)
}

/// The first of two KDCs takes everything, and never answers.
pub(super) fn kdcs(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "kerberos-kdcs",
        "The first of two KDCs is silent: milliseconds until a request by Negotiate is answered, and what 100 \
         plain GETs on the same engine (libcurl: multi handle) take, one begun every 10 ms, from when each is \
         due: without and beside that request. sockless begins with a password, libcurl with the \
         ticket to get others with.",
        &["first answer", "plain, median", "99 of 100", "all"],
    );
    let place = Place::new(&[])?;
    let kerberized = place.servers.kerberized();
    let curl = Task {
        url: kerberized.http_url("/private/1k"),
        beside: by_address(&kerberized.http_url("/1k")),
        connections: CONNECTIONS,
        realms: place.servers.kdc().config_silent_first(),
        ccache: place.ccache.clone(),
        ..Task::default()
    };
    let ours = Task {
        url: by_address(&curl.url),
        ..curl.clone()
    };
    let all = [
        contender("sockless: plain ones alone", "uring", "alone", &ours),
        contender("sockless: beside a login", "uring", "beside", &ours),
        contender("libcurl: plain ones alone", "curl", "alone", &curl),
        contender("libcurl: beside a ticket", "curl", "beside", &curl),
    ];
    let found = results(bench, &mut section, &all);
    for (label, _) in &found {
        let values = ["first", "p50", "p99", "max"].map(|name| figure(&found, label, name));
        section.rows.push((label.clone(), values.to_vec()));
    }
    let first = figure(&found, "sockless: beside a login", "first");
    let what = "from a password to the first answer";
    section.bar(what, 1500.0, first, " ms");
    Ok(section)
}

/// What comes through a SOCKS5 proxy that encrypts it.
pub(super) fn socks(bench: &Bench) -> Result<Section, String> {
    let mut section = Section::new(
        "kerberos-socks",
        "1 GiB by plain HTTP through Dante, a SOCKS5 proxy with GSS-API that keeps all of it confidential: client \
         CPU and wall seconds. The bare loop receives and calls `gss_unwrap`; its row *gss_unwrap alone* is the \
         time in these calls.",
        &["CPU s", "wall s", "CPU / bare loop", "CPU / gss_unwrap"],
    );
    let place = Place::new(&[SOCKS])?;
    let port = place.servers.kerberized().port(Way::Socks)?;
    let nginx = bench.task(Host::Http, "/upload/large")?;
    let task = Task {
        count: 1,
        connections: 1,
        proxy: format!("socks5://127.0.0.1:{port}"),
        realms: place.servers.kdc().config(),
        ccache: place.ccache.clone(),
        ..nginx
    };
    let all = [
        contender("sockless, io_uring", "uring", "download", &task),
        contender("sockless, poll", "blocking", "download", &task),
        contender("bare loop", "bare-gss", "download", &task),
    ];
    let found = results(bench, &mut section, &all);
    let bare = figure(&found, "bare loop", "cpu");
    let unwrap = figure(&found, "bare loop", "unwrap");
    let mut row = |label: &str, cpu: Option<f64>, wall: Option<f64>| {
        let values = vec![cpu, wall, ratio(cpu, bare), ratio(cpu, unwrap)];
        section.rows.push((label.to_owned(), values));
    };
    for (label, _) in &found {
        let of = |name: &str| figure(&found, label, name);
        row(label, of("cpu"), of("wall"));
    }
    row("gss_unwrap alone", unwrap, None);
    let cpu = figure(&found, "sockless, io_uring", "cpu");
    let what = "io_uring, to gss_unwrap alone";
    section.bar(what, 1.3, ratio(cpu, unwrap), "x");
    Ok(section)
}

/// The servers, and the user's tickets.
struct Place {
    servers: Running,
    folder: PathBuf,
    ccache: PathBuf,
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed now is in the way of nobody.
        drop(fs::remove_dir_all(&self.folder));
    }
}

impl Place {
    /// With tickets for these services, and the one to get others with.
    fn new(services: &[&str]) -> Result<Self, String> {
        let servers = Servers::start(&["kdc", "kerberos"]);
        let servers = servers.map_err(|error| format!("kerberos: {error}"))?;
        let folder = std::env::temp_dir().join(format!("sockless-bench-{}", process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let place = Self {
            ccache: folder.join("tickets"),
            servers,
            folder,
        };
        place.tool("kinit", &[&format!("{USER}@{REALM}")], PASSWORD)?;
        for service in services {
            place.tool("kvno", &[service], "")?;
        }
        Ok(place)
    }

    /// One of MIT Kerberos' programs.
    fn tool(&self, program: &str, args: &[&str], input: &str) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{program}: {error}");
        let mut child = Command::new(program)
            .args(args)
            .env("KRB5_CONFIG", self.servers.kdc().config())
            .env("KRB5CCNAME", file(&self.ccache))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin
                .write_all(format!("{input}\n").as_bytes())
                .map_err(failed)?;
        }
        let output = child.wait_with_output().map_err(failed)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "{program}: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
        }
    }
}

fn file(path: &Path) -> String {
    format!("FILE:{}", path.display())
}
