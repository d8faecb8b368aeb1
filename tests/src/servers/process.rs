//! Starting a server's process so that it cannot outlive whoever started it.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::instance::Service;

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
    /// Starts `service` and waits until its ports accept connections.
    ///
    /// The kernel sends the server a TERM when the *thread* that started it ends, so
    /// a thread is kept for that: a test's own thread may end before the server does.
    pub(super) fn start(service: &Service) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let (report, started) = mpsc::channel();
        let (command, output, ports, log) = (
            service.command.clone(),
            open_log(&service.log)?,
            service.ports.clone(),
            service.log.clone(),
        );
        let keeper = thread::spawn(move || {
            let child = Command::new("setpriv")
                .args(["--pdeathsig", "TERM", "--"])
                .args(&command)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(output)
                .process_group(0)
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

/// The processes in `pid_file` that live and whose command line or current folder is in `folder`.
///
/// The folder makes sure that a number which was reused by a stranger is left alone.
pub(super) fn running(pid_file: &Path, folder: &Path) -> Vec<u32> {
    let text = fs::read_to_string(pid_file).unwrap_or_default();
    let pids = text.lines().filter_map(|line| line.parse().ok());
    pids.filter(|pid: &u32| {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let command = fs::read(process.join("cmdline")).unwrap_or_default();
        let mark = folder.as_os_str().as_encoded_bytes();
        command.windows(mark.len()).any(|part| part == mark)
            || fs::read_link(process.join("cwd")).is_ok_and(|found| found == folder)
    })
    .collect()
}

/// Starts `service` in `folder` and does not end it: it outlives our process.
pub(super) fn leave_running(service: &Service, folder: &Path) -> io::Result<u32> {
    let mut child = Command::new(&service.command[0])
        .args(&service.command[1..])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(open_log(&service.log)?)
        .process_group(0)
        .spawn()?;
    wait_for_ports(&service.ports, || {
        child.try_wait().is_ok_and(|end| end.is_none())
    })
    .map_err(|error| with_log(&error, &service.log))?;
    Ok(child.id())
}

/// Its output goes there too, even if an earlier process of the same server wrote it.
fn open_log(log: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(log)
}

/// Asks a process to end and waits until it and what it started has; kills what takes too long.
///
/// Each server leads a process group of its own, named by its pid.
pub(super) fn terminate(pid: u32, gone: impl FnMut() -> bool) {
    signal(&pid.to_string(), "TERM");
    let ended = wait_until("it does not end", gone)
        .and_then(|()| wait_until("its children do not end", || !has_members(pid)));
    if ended.is_err() {
        signal(&format!("-{pid}"), "KILL");
    }
}

fn end(child: &mut Child) {
    let pid = child.id();
    terminate(pid, || matches!(child.try_wait(), Ok(Some(_)) | Err(_)));
    drop(child.wait());
}

/// Whether a process group has members other than zombies, which only their parent can end.
fn has_members(group: u32) -> bool {
    let group = group.to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut stats = processes.filter_map(|entry| fs::read(entry.path().join("stat")).ok());
    stats.any(|stat| {
        // The name before the last parenthesis may contain anything.
        let stat = String::from_utf8_lossy(&stat);
        let mut fields = stat
            .rsplit_once(") ")
            .map_or("", |(_, fields)| fields)
            .split(' ');
        let (state, of_group) = (fields.next(), fields.nth(1));
        state != Some("Z") && of_group == Some(group.as_str())
    })
}

/// By the shell's own `kill`, which every system has, instead of an unsafe call.
fn signal(target: &str, name: &str) {
    let command = format!("kill -{name} {target}");
    drop(
        Command::new("sh")
            .args(["-c", &command])
            .stderr(Stdio::null())
            .status(),
    );
}
