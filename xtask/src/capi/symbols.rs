//! What the shared library exports and imports.

use std::path::Path;

use crate::Outcome;
use crate::command::{output, program};

/// What a library without I/O of its own has no use for. (`poll` is not here: Rust's standard library waits
/// with it for the kernel's first randomness, where `getrandom` is missing.)
const FORBIDDEN: &[&str] = &[
    "socket",
    "socketpair",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "shutdown",
    "send",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "recv",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "select",
    "pselect",
    "ppoll",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "getaddrinfo",
    "getnameinfo",
    "gethostbyname",
    "getsockopt",
    "setsockopt",
    "pthread_create",
    "signal",
    "sigaction",
    "pthread_sigmask",
    "sigaltstack",
    "kill",
    "fork",
    "execve",
    "posix_spawn",
];

/// What tokio has behind its scheduler, which russh runs on. Nothing gets there in a program that has no runtime of
/// tokio's itself: a trace of the programs shows it.
const OF_TOKIO: &[&str] = &[
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "pthread_create",
    "sigaltstack",
];

/// `sockless_*` and nothing else goes out, with its version; no socket, thread, signal or process comes in.
pub(super) fn check(prefix: &Path) -> Outcome {
    let library = prefix.join("lib/libsockless.so");
    let library = library.to_string_lossy();
    let list = |which: &str| {
        output(&mut program(
            "nm",
            &["-D", "--with-symbol-versions", which, &library],
        ))
    };
    let exported = list("--defined-only")?;
    let exported: Vec<&str> = exported
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    for name in &exported {
        let versioned = name.starts_with("sockless_") && name.ends_with("@@SOCKLESS_0.1");
        if !versioned && *name != "SOCKLESS_0.1" {
            return Err(format!("{library} exports {name}"));
        }
    }
    let imported = list("--undefined-only")?;
    for name in imported
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
    {
        let (name, _) = name.split_once('@').unwrap_or((name, ""));
        if FORBIDDEN.contains(&name) && !OF_TOKIO.contains(&name) {
            return Err(format!(
                "{library} imports {name}: sockets, threads and signals are the program's"
            ));
        }
    }
    match exported.len() {
        0..20 => Err(format!("{library} exports too little: {exported:?}")),
        count => {
            println!(
                "exports {} functions, all sockless_*; imports no socket call, and of waiting and threads what \
                 tokio has",
                count - 1
            );
            Ok(())
        }
    }
}
