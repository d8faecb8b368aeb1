//! Starting a server's process so that it cannot outlive whoever started it.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a server may take until its ports answer, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);

/// A server in the foreground, ended by dropping this, or by the end of our process.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    /// Dropping it is the signal to end.
    stop: Option<mpsc::Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts `command` and waits until `ports` of 127.0.0.1 accept connections.
    ///
    /// The kernel sends the server a TERM when the *thread* that started it ends, so
    /// a thread is kept for that: a test's own thread may end before the server does.
    pub(super) fn start(command: &[String], ports: &[u16], log: &Path) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let (report, started) = mpsc::channel();
        let (command, output, ports, log) = (
            command.to_vec(),
            File::options().create(true).append(true).open(log)?,
            ports.to_vec(),
            log.to_owned(),
        );
        let keeper = thread::spawn(move || {
            let child = Command::new("setpriv")
                .args(["--pdeathsig", "TERM", "--"])
                .args(&command)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(output)
                .spawn();
            let mut child = match child {
                Ok(child) => child,
                Err(error) => return drop(report.send(Err(error))),
            };
            let ready = wait_for_ports(&ports, || child.try_wait().is_ok_and(|end| end.is_none()))
                .map_err(|error| with_log(&error, &log));
            if report.send(ready.map(|()| child.id())).is_ok() {
                // Nothing is ever sent: the sender's end is the signal.
                let _: Result<(), mpsc::RecvError> = stopped.recv();
            }
            end(&mut child);
        });
        match started.recv() {
            Ok(Ok(pid)) => Ok(Self {
                pid,
                stop: Some(stop),
                keeper: Some(keeper),
            }),
            Ok(Err(error)) => {
                drop(stop);
                drop(keeper.join());
                Err(error)
            }
            Err(_) => Err(io::Error::other(
                "the thread that keeps the server panicked",
            )),
        }
    }

    /// The server's process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(keeper) = self.keeper.take() {
            drop(keeper.join());
        }
    }
}

/// Waits until all `ports` accept connections, for as long as `alive` says so.
pub(super) fn wait_for_ports(ports: &[u16], mut alive: impl FnMut() -> bool) -> io::Result<()> {
    for &port in ports {
        let mut ended = false;
        wait_until(&format!("port {port} does not answer"), || {
            ended = !answers(port) && !alive();
            ended || answers(port)
        })?;
        if ended {
            return Err(io::Error::other("it ended instead of listening"));
        }
    }
    Ok(())
}

/// Waits until `done` says so; for too long is an error that begins with `complaint`.
pub(super) fn wait_until(complaint: &str, mut done: impl FnMut() -> bool) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    while !done() {
        if Instant::now() > until {
            let what = format!("{complaint} after {} s", PATIENCE.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Whether something on 127.0.0.1 accepts connections on `port`.
pub(super) fn answers(port: u16) -> bool {
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&to, Duration::from_secs(1)).is_ok()
}

/// The error together with the last lines of a log.
pub(super) fn with_log(error: &io::Error, log: &Path) -> io::Error {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(20)..].join("\n");
    io::Error::new(
        error.kind(),
        format!("{error}; the end of {}:\n{tail}", log.display()),
    )
}

/// The process in `pid_file`, if it lives and its command line names `mark`.
///
/// The mark makes sure that a number which was reused by a stranger is left alone.
pub(super) fn running(pid_file: &Path, mark: &Path) -> Option<u32> {
    let pid: u32 = fs::read_to_string(pid_file).ok()?.trim().parse().ok()?;
    let command = fs::read(PathBuf::from(format!("/proc/{pid}/cmdline"))).ok()?;
    let mark = mark.as_os_str().as_encoded_bytes();
    command
        .windows(mark.len())
        .any(|part| part == mark)
        .then_some(pid)
}

/// Asks a process to end and waits until it has; it is killed if it takes too long.
pub(super) fn terminate(pid: u32, gone: impl FnMut() -> bool) {
    signal(pid, "TERM");
    if wait_until("it does not end", gone).is_err() {
        signal(pid, "KILL");
    }
}

fn end(child: &mut Child) {
    let pid = child.id();
    terminate(pid, || matches!(child.try_wait(), Ok(Some(_)) | Err(_)));
    drop(child.wait());
}

/// By the shell's own `kill`, which every system has, instead of an unsafe call.
fn signal(pid: u32, name: &str) {
    let command = format!("kill -{name} {pid}");
    drop(
        Command::new("sh")
            .args(["-c", &command])
            .stderr(Stdio::null())
            .status(),
    );
}
