//! The `sockless` command: curl's options and exit codes, on completion engines.
//!
//! ```text
//! words -> groups (config_file) -> Args (args) -> Job (job) -> Transfer (transfer)
//!                                                                 |  events
//!                                  Session + Driver (run) --------+
//! ```
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the command is the application: files, clock and environment are its own"
)]

mod args;
mod ask;
mod config_file;
mod console;
mod data;
#[cfg(feature = "demo")]
mod demo;
mod driver;
mod fields;
mod glob;
mod job;
mod kerberos;
mod netrc;
mod output;
mod progress;
mod proxy;
mod report;
mod run;
mod settings;
mod source;
#[cfg(feature = "ssh")]
mod ssh;
mod trace;
mod transfer;
mod tunnel;
mod write_out;

use std::ffi::OsString;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use sockless::Session;

use args::{Args, MessageArgs};
use console::Console;
use job::Job;
use output::Place;
use report::{Failure, code, complain};
use run::Runner;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1).peekable();
    if words.next_if(|word| word == "demo").is_some() {
        return demonstrate(words);
    }
    match transfer(words) {
        Ok(code) => ExitCode::from(code),
        Err(Stop::Parser(error)) => {
            // Nobody is left to be told when that fails.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(code::USAGE))
        }
        Err(Stop::Failure(failure)) => {
            complain(&failure);
            ExitCode::from(failure.code)
        }
    }
}

#[cfg(feature = "demo")]
fn demonstrate(words: impl Iterator<Item = OsString>) -> ExitCode {
    demo::main(words)
}

#[cfg(not(feature = "demo"))]
fn demonstrate(_: impl Iterator<Item = OsString>) -> ExitCode {
    complain("demo: not built in; build with the feature demo, or write the host as demo/");
    ExitCode::from(code::USAGE)
}

/// Why nothing was transferred.
enum Stop {
    /// The parser's word: a mistake, or `--help`.
    Parser(clap::Error),
    Failure(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

fn transfer(words: impl Iterator<Item = OsString>) -> Result<u8, Stop> {
    let mut groups = Vec::new();
    for words in config_file::groups(words)? {
        let words = std::iter::once(OsString::from("sockless"))
            .chain(words)
            .collect();
        groups.push(Args::parse_group(words).map_err(Stop::Parser)?);
    }
    if groups.iter().any(|args| args.messages.version) {
        print_version();
        return Ok(0);
    }
    let messages = shared_messages(&groups);
    if groups.iter().any(|args| args.proxy.tunnel.is_some()) {
        return tunnel(&groups, &messages);
    }
    let parallel = groups.iter().any(|args| args.connection.parallel);
    let max = groups
        .iter()
        .map(|args| args.connection.parallel_max)
        .max()
        .unwrap_or(1);
    let at_once = if parallel { max.clamp(1, 1000) } else { 1 };
    let batches = batches(groups)?;
    let to_stdout = batches
        .iter()
        .flatten()
        .any(|job| !matches!(job.place, Place::File(_)));
    let mut console = Console::new(&messages, to_stdout)?;
    let mut exit = 0;
    for jobs in batches {
        exit = match carry_out(&mut console, jobs, at_once)? {
            0 if parallel => exit,
            code => code,
        };
    }
    Ok(exit)
}

/// `--tunnel`: a connection instead of transfers.
fn tunnel(groups: &[Args], messages: &MessageArgs) -> Result<u8, Stop> {
    let [args] = groups else {
        return Err(Failure::usage("--tunnel cannot be used with --next").into());
    };
    if let Some(url) = args.order.urls.first() {
        let url = sockless::masked(url);
        let what = format!("--tunnel transfers no URLs; leave {url} out");
        return Err(Failure::usage(what).into());
    }
    let mut console = Console::new(messages, true)?;
    Ok(match tunnel::run(args, &mut console) {
        Ok(()) => 0,
        Err(failure) => {
            console.failed(&failure);
            failure.code
        }
    })
}

/// Options about messages are everybody's, in whichever group they stand.
fn shared_messages(groups: &[Args]) -> MessageArgs {
    let mut shared = MessageArgs::default();
    for MessageArgs {
        silent,
        show_error,
        verbose,
        trace_ascii,
        trace,
        trace_time,
        progress_bar,
        no_progress_meter,
        ..
    } in groups.iter().map(|args| &args.messages)
    {
        shared.silent |= silent;
        shared.show_error |= show_error;
        shared.verbose |= verbose;
        shared.trace_time |= trace_time;
        shared.progress_bar |= progress_bar;
        shared.no_progress_meter |= no_progress_meter;
        shared.trace_ascii = trace_ascii.clone().or(shared.trace_ascii);
        shared.trace = trace.clone().or(shared.trace);
    }
    shared
}

/// Jobs that can share a session: trust and addresses are a session's, not a request's.
fn batches(groups: Vec<Args>) -> Result<Vec<Vec<Job>>, Failure> {
    let mut batches: Vec<Vec<Job>> = Vec::new();
    for args in groups {
        let jobs = job::jobs(args)?;
        match batches.last_mut() {
            Some(last) if share_session(last, &jobs) => last.extend(jobs),
            _ => batches.push(jobs),
        }
    }
    Ok(batches)
}

fn share_session(these: &[Job], those: &[Job]) -> bool {
    let settings = |jobs: &[Job]| {
        let args = jobs.first().map(|job| job.args.clone());
        args.map(|args| {
            let connection = &args.connection;
            (
                args.tls.clone(),
                connection.resolve.clone(),
                connection.driver.clone(),
            )
        })
    };
    settings(these) == settings(those)
}

fn carry_out(console: &mut Console, jobs: Vec<Job>, at_once: usize) -> Result<u8, Failure> {
    let Some(first) = jobs.first() else {
        return Ok(0);
    };
    let chosen = driver::choose(first.args.connection.driver.as_deref())?;
    if let Some(why) = &chosen.instead {
        console.tracer.info(why);
    }
    let config = settings::config(&first.args)?;
    let session = Session::new(config, Instant::now(), SystemTime::now(), seed());
    let session = session.map_err(|error| Failure::of(&error))?;
    Runner::new(session, chosen.driver, console, jobs, at_once).run()
}

/// Unpredictable, from what the standard library seeds its own hash maps with.
fn seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// The TLS backends of this build, for `--version`.
const BACKENDS: &str = if cfg!(feature = "tls-openssl") {
    "rustls (aws-lc-rs) openssl"
} else {
    "rustls (aws-lc-rs)"
};

/// The libraries that speak SSH in this build.
const SSH: &str = match (cfg!(feature = "ssh"), cfg!(feature = "ssh-libssh2")) {
    (_, true) => "russh libssh2",
    (true, false) => "russh",
    (false, false) => "none",
};

/// Who speaks Kerberos in this build.
const KERBEROS: &str = match (
    cfg!(feature = "kerberos-gssapi"),
    cfg!(feature = "kerberos-rust"),
) {
    (true, true) => "gssapi rust",
    (true, false) => "gssapi",
    (false, true) => "rust",
    (false, false) => "none",
};

fn print_version() {
    let version = env!("CARGO_PKG_VERSION");
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let demo = if cfg!(feature = "demo") { " demo" } else { "" };
    let native = if cfg!(feature = "native-roots") {
        " native-roots"
    } else {
        ""
    };
    let ssh = if cfg!(feature = "ssh") {
        " sftp scp"
    } else {
        ""
    };
    let text = format!(
        "sockless {version} ({arch} {os})\n\
         Protocols: http https{ssh}\n\
         Features: brotli gzip deflate parallel{native}{demo}\n\
         TLS: {BACKENDS}\n\
         SSH: {SSH}\n\
         Kerberos: {KERBEROS}\n\
         Proxies: http https socks4 socks4a socks5 socks5h\n\
         Drivers: {}\n",
        driver::names()
    );
    // A reader that has left does not want it.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
