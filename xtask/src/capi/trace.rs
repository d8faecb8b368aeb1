//! Who makes the socket calls: a program under strace, which shows the stack of each of them.

use std::fs;
use std::path::Path;

use super::io;
use super::stage::Stage;
use crate::Outcome;

/// Calls about sockets, about waiting for them, and about threads.
const CALLS: &str = "trace=network,epoll_create,epoll_create1,epoll_ctl,epoll_wait,epoll_pwait,\
     epoll_pwait2,select,pselect6,ppoll,io_uring_setup,io_uring_enter,eventfd2,clone,clone3,fork,vfork,execve";

/// What was asked for in 2008 under strace: the program makes such calls, with the library nowhere on the stack.
/// It would be further out than the program only if it called back, which it never does.
pub(super) fn run(stage: &Stage, name: &str, made: &Path) -> Outcome {
    let log = stage.folder.join(format!("{name}.strace"));
    let file = log.to_string_lossy();
    stage.letter(
        name,
        made,
        &["strace", "-f", "-qq", "-k", "-e", CALLS, "-o", &file],
    )?;
    let text = fs::read_to_string(&log).map_err(|error| io(&log, &error))?;
    let (calls, stacks) = text
        .lines()
        .partition::<Vec<&str>, _>(|line| !line.starts_with(" >"));
    if calls.is_empty() {
        return Err(format!("{name}: strace saw no call"));
    }
    if stacks.is_empty() {
        println!("{name}: strace gives no stacks here; the library's imports say it");
        return Ok(());
    }
    match from_within(&text) {
        Some(call) => Err(format!("{name}: from inside of libsockless:\n{call}")),
        None => {
            println!(
                "{name}: {} socket calls, none with libsockless on the stack",
                calls.len()
            );
            Ok(())
        }
    }
}

/// The first call that the library is on the stack of.
fn from_within(text: &str) -> Option<String> {
    let mut call: Vec<&str> = Vec::new();
    for line in text.lines() {
        if !line.starts_with(" >") {
            call.clear();
        }
        call.push(line);
        if line.starts_with(" >") && line.contains("/libsockless.so") {
            return Some(call.join("\n"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::from_within;

    #[test]
    fn a_call_is_found_by_its_stack() {
        let mine =
            "7 socket(AF_INET) = 3\n > /lib/libc.so.6(socket+0x7)\n > /x/program(main+0x1)\n";
        assert_eq!(from_within(mine), None);
        let both = format!("{mine}7 connect(3) = 0\n > /x/lib/libsockless.so.0.1(f+0x1)\n");
        let found = from_within(&both).expect("it is there");
        assert!(found.starts_with("7 connect(3)"), "{found}");
    }
}
