//! `cargo xtask`: the workspace's own tasks. Run it without arguments for the list.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tasks own processes, files and clocks"
)]

mod bench;
mod capi;
mod command;
mod dependencies;
mod matrix;
mod powerset;
mod seam;
mod servers;
mod sim;
mod steps;
mod tidy;
mod tools;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask TASK

  test                        everything that has to hold before a change goes in
  ci                          the same
  tidy                        budgets, dead files, forbidden words, documentation
  seam                        proves that core, http, tls, ssh and tunnels cannot name a socket
  matrix [--json FILE] [--filter TEXT]
                              the release command against real servers and faults;
                              SOCKLESS_COMMAND=curl tries another command
  servers start|stop|status [NAME...]
                              real servers on fixed loopback ports: nginx, apache,
                              squid, haproxy, tinyproxy, dante, microsocks, ssh,
                              ssh-external, ssh-rekeying, ssh-weak, ssh-limited,
                              ssh-password, ssh-two-factor, dropbear, ssh-agent,
                              ssh-hostile, kdc, kerberos
  servers kerberos            the KDCs and the servers that take their tickets
  sim list|seeds|replay|torture
                              scenarios on a simulated network, by seed; `sim` alone says more
  bench [NAME...] [--json FILE] [--rounds N]
                              measures sockless against libcurl, hyper and bare loops
  header                      makes the C interface's header anew
  install --prefix DIR [--features LIST]
                              the C library, its header and its pkg-config file
  capi                        the C interface: header, symbols, and its programs against real servers
  sanitize                    those programs under sanitizers and valgrind
  capi-fuzz [--steps N] [--seed N] [--asan]
                              random calls of the C functions
  capi-sizes                  how large the C library is, by what is in it
  powerset                    checks every combination of cargo features
";

/// What a task ends with; an error is a message for people.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test" | "ci"] => steps::run(),
        ["tidy"] => tidy::run(),
        ["seam"] => seam::run(),
        ["matrix", options @ ..] => matrix::run(options),
        ["servers", "kerberos"] => servers::run("start", &["kdc", "kerberos"]),
        ["servers", verb, names @ ..] => servers::run(verb, names),
        ["sim", words @ ..] => sim::run(words),
        ["bench", options @ ..] => bench::run(options),
        ["powerset"] => powerset::run(),
        ["header"] => capi::write_header(),
        ["install", options @ ..] => capi::install(options),
        ["capi"] => capi::check(),
        ["capi-fuzz", options @ ..] => capi::fuzz(options),
        ["capi-sizes"] => capi::sizes(),
        ["sanitize"] => capi::sanitize(),
        [] | ["help" | "-h" | "--help"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => Err(format!("unknown task: {}\n\n{USAGE}", words.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // `test` has said it all before its last line.
            if !message.is_empty() {
                eprintln!("{}", message.trim_end());
            }
            ExitCode::FAILURE
        }
    }
}
