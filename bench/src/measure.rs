//! Times, cores and memory of a process, and what to make of many of them.

use std::collections::BTreeMap;
use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The core that clients run on, and the one that the server runs on.
pub const CLIENT_CORE: usize = 0;
pub const SERVER_CORE: usize = 1;

/// What a child has measured, by name.
pub type Figures = BTreeMap<String, f64>;

/// Binds this process, and those that it starts later, to one core, where there are two.
pub fn bind_to(core: usize) {
    // SAFETY: a set of cores is plain data for which all zeroes is valid.
    let mut set: libc::cpu_set_t = unsafe { core::mem::zeroed() };
    // SAFETY: the core's number is far below the set's size, and the set is live.
    unsafe {
        libc::CPU_SET(core, &mut set);
        // On a machine with one core this fails, and everything shares that one.
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set);
    }
}

/// Raises the limit of open files to what is permitted.
pub fn raise_file_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls are given a live limit.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// CPU seconds, user and system, of this process or of its ended children.
pub fn cpu_seconds(whose: libc::c_int) -> f64 {
    // SAFETY: rusage is plain data for which all zeroes is valid.
    let mut usage: libc::rusage = unsafe { core::mem::zeroed() };
    // SAFETY: the place for the answer is live.
    unsafe { libc::getrusage(whose, &raw mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// CPU seconds of this thread so far, by a clock that is cheap to read often.
#[cfg(feature = "kerberos")]
pub fn cpu_time() -> f64 {
    // SAFETY: a time is plain data for which all zeroes is valid.
    let mut time: libc::timespec = unsafe { core::mem::zeroed() };
    // SAFETY: the place for the answer is live.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Bytes that the allocator has given out: a count that needs no allocator of our own,
/// and holds for libraries in C as well.
pub fn live_bytes() -> f64 {
    // SAFETY: takes nothing, returns plain numbers.
    let info = unsafe { libc::mallinfo2() };
    (info.uordblks + info.hblkhd) as f64
}

/// Resident memory of this process, in bytes.
pub fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1);
    pages.and_then(|pages| pages.parse().ok()).unwrap_or(0.0) * 4096.0
}

/// Runs `work` and gives what it took as `cpu` and `wall`, in seconds.
///
/// # Errors
/// What `work` says.
pub fn timed(work: impl FnOnce() -> io::Result<()>) -> io::Result<Figures> {
    let (cpu, wall) = (cpu_seconds(libc::RUSAGE_SELF), Instant::now());
    work()?;
    let cpu = cpu_seconds(libc::RUSAGE_SELF) - cpu;
    let wall = wall.elapsed().as_secs_f64();
    Ok([("cpu".to_owned(), cpu), ("wall".to_owned(), wall)].into())
}

/// Runs a child of this program and reads what it measured.
///
/// # Errors
/// The child failed: its last line.
pub fn child(
    wrapper: &[&str],
    client: &str,
    work: &str,
    args: &[String],
) -> Result<Figures, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut words: Vec<String> = wrapper.iter().map(|&word| word.to_owned()).collect();
    words.push(own.display().to_string());
    words.extend(["child".to_owned(), client.to_owned(), work.to_owned()]);
    words.extend_from_slice(args);
    let output = Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", words[0]))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or("no message");
        return Err(format!("{client} {work}: {}: {last}", output.status));
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

/// `name=number` lines, which [`print`] wrote.
fn parse(text: &str) -> Figures {
    let pair = |line: &str| {
        let (name, value) = line.split_once('=')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

/// Writes what a child has measured for its parent.
pub fn print(figures: &Figures) {
    for (name, value) in figures {
        println!("{name}={value}");
    }
}

/// Runs all contenders once per round, one after the other, and gives each one's medians.
///
/// So a machine that is slow for a while is slow for all of them.
pub fn race(rounds: usize, contenders: &[Contender]) -> Vec<Result<Figures, String>> {
    let mut rows: Vec<Result<Vec<Figures>, String>> = vec![Ok(Vec::new()); contenders.len()];
    for _ in 0..rounds {
        for (row, contender) in rows.iter_mut().zip(contenders) {
            let Ok(so_far) = row else { continue };
            match child(&[], contender.client, &contender.work, &contender.args) {
                Ok(figures) => so_far.push(figures),
                Err(error) => *row = Err(error),
            }
        }
    }
    rows.into_iter()
        .map(|row| row.map(|figures| medians(&figures)))
        .collect()
}

/// One client with its task.
#[derive(Clone, Debug)]
pub struct Contender {
    pub label: String,
    pub client: &'static str,
    pub work: String,
    pub args: Vec<String>,
}

fn medians(all: &[Figures]) -> Figures {
    let names = all.first().map(|first| first.keys().cloned());
    let median = |name: String| {
        let mut values: Vec<f64> = all
            .iter()
            .filter_map(|one| one.get(&name).copied())
            .collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let value = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        (name, value)
    };
    names.into_iter().flatten().map(median).collect()
}
