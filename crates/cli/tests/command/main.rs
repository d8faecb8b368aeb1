//! The command from outside: what it sends, writes, says and exits with.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the other end of a test is a plain socket on a thread"
)]

mod failures;
mod messages;
mod outputs;
mod peer;
mod proxies;
mod requests;
mod secured;
mod tunnels;
mod uploads;
mod way;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the command came to.
struct Ran {
    code: i32,
    out: Vec<u8>,
    err: String,
}

impl Ran {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("text on standard output")
    }

    /// Asserts success, showing what was said otherwise.
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.err);
        self
    }
}

/// A folder of a test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockless"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSLKEYLOGFILE");
    for name in ["http", "https", "all", "no"] {
        command.env_remove(format!("{name}_proxy"));
        command.env_remove(format!("{}_PROXY", name.to_uppercase()));
    }
    command
}

/// Runs the command in a folder.
fn run_in(folder: &Path, args: &[&str]) -> Ran {
    finished(command(folder, args))
}

/// Runs it where nothing is written.
fn run(args: &[&str]) -> Ran {
    run_in(Path::new(env!("CARGO_TARGET_TMPDIR")), args)
}

/// The drivers of this build, as it names them.
fn drivers() -> Vec<String> {
    let text = run(&["--version"]).ok().text().to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("Drivers: "));
    let names = line.expect("it names its drivers").split(' ');
    names.map(str::to_owned).collect()
}

fn finished(mut command: Command) -> Ran {
    let output = command.output().expect("the command starts");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    Ran {
        code: output.status.code().expect("it ends by itself"),
        out: output.stdout,
        err,
    }
}

fn content(path: impl AsRef<Path>) -> Vec<u8> {
    std::fs::read(path.as_ref())
        .unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}
