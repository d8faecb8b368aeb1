//! What happens to servers whose process is killed: no destructor runs.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, thread, time};

use sockless_tests::servers::{Kind, Servers};

/// Set in the process that is to be killed.
const HOLD: &str = "SOCKLESS_HOLD_SERVERS";
/// What that process says once the servers run.
const READY: &str = "all started";

#[test]
fn no_server_survives_the_process_that_started_it() {
    if std::env::var_os(HOLD).is_some() {
        return hold();
    }
    let name = "abandoned::no_server_survives_the_process_that_started_it";
    let mut child = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", name, "--nocapture"])
        .env(HOLD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let ready = output
        .lines()
        .map_while(Result::ok)
        .any(|line| line.ends_with(READY));
    let before = below(child.id());
    child.kill().expect("it runs");
    child.wait().expect("it was ours");
    assert!(ready && before.len() >= Kind::ALL.len(), "{before:?}");
    let patience = time::Instant::now() + time::Duration::from_secs(20);
    while before.iter().any(|pid| lives(pid)) {
        let left: Vec<_> = before.iter().filter(|pid| lives(pid)).collect();
        assert!(time::Instant::now() < patience, "{left:?}");
        thread::sleep(time::Duration::from_millis(5));
    }
}

/// Starts all servers and ends when its standard input does, at the latest.
fn hold() {
    let names = Kind::ALL.map(Kind::name);
    let _running = Servers::start(&names).expect("they start");
    println!("{READY}");
    drop(std::io::stdin().read_line(&mut String::new()));
}

/// The processes that `pid` started, and those they started.
fn below(pid: u32) -> Vec<String> {
    let mut found = vec![pid.to_string()];
    let mut next = 0;
    while let Some(parent) = found.get(next).cloned() {
        next += 1;
        let tasks = fs::read_dir(format!("/proc/{parent}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().map(str::to_owned));
        }
    }
    found.split_off(1)
}

/// Whether a process is there and no zombie, which only waits for its parent.
fn lives(pid: &str) -> bool {
    let stat: PathBuf = Path::new("/proc").join(pid).join("stat");
    fs::read_to_string(stat).is_ok_and(|stat| !stat.contains(") Z "))
}
