//! Who makes the socket calls: a program under strace, which shows the stack of each of them.

use std::fs;
use std::path::Path;

use super::io;
use super::stage::Stage;
use crate::Outcome;

/// The call that cryptography does make, from inside of the library: a trace that does not show that shows nothing.
const CONTROL: &str = "getrandom";

/// Calls about sockets, about waiting for them, and about threads; and the control.
const CALLS: &str = "trace=getrandom,network,epoll_create,epoll_create1,epoll_ctl,epoll_wait,epoll_pwait,\
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
    if !text.lines().any(|line| line.starts_with(" >")) {
        println!("{name}: strace gives no stacks here; the library's imports say it");
        return Ok(());
    }
    let within = from_within(&text);
    let is_control = |call: &&String| {
        let line = call.lines().next();
        line.is_some_and(|line| line.contains(CONTROL))
    };
    let (control, others): (Vec<&String>, Vec<&String>) = within.iter().partition(is_control);
    if control.is_empty() {
        return Err(format!(
            "{name}: the trace shows no {CONTROL} from inside of libsockless: it is blind"
        ));
    }
    if let Some(call) = others.first() {
        return Err(format!("{name}: from inside of libsockless:\n{call}"));
    }
    let calls = text.lines().filter(|line| !line.starts_with(" >"));
    let calls = calls.filter(|line| !line.contains(CONTROL)).count();
    println!("{name}: {calls} calls for sockets, none with libsockless on the stack");
    Ok(())
}

/// The calls that the library is on the stack of, each with its stack.
fn from_within(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut call: Vec<&str> = Vec::new();
    for line in text.lines().chain([""]) {
        if !line.starts_with(" >") {
            if call.iter().any(|line| line.contains("/libsockless.so")) {
                found.push(call.join("\n"));
            }
            call.clear();
        }
        call.push(line);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::from_within;

    #[test]
    fn a_call_is_found_by_its_stack() {
        let mine =
            "7 socket(AF_INET) = 3\n > /lib/libc.so.6(socket+0x7)\n > /x/program(main+0x1)\n";
        assert!(from_within(mine).is_empty());
        let both = format!("{mine}7 connect(3) = 0\n > /x/lib/libsockless.so.0.1(f+0x1)\n");
        let found = from_within(&both);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("7 connect(3)"), "{found:?}");
    }
}
