//! What is said on the way, and afterwards.

use crate::peer::{Peer, answer, ok};
use crate::{content, folder, run, run_in};

#[test]
fn write_out_tells_what_happened() {
    let peer = Peer::saying(&answer(
        "201 Created",
        "Content-Type: text/x\r\nX-Id: 7\r\n",
        b"body",
    ));
    let format = r"|%{http_code} %{size_download} %{size_upload} %{content_type} %{num_connects} %{method} %{scheme} %{http_version} %{remote_ip} %{exitcode} %header{x-id} %{url} 100%%\n";
    let ran = run(&["-s", "-d", "abc", "-w", format, &peer.url("/p")]).ok();
    let url = peer.url("/p");
    assert_eq!(
        ran.text(),
        format!("body|201 4 3 text/x 1 POST http 1.1 127.0.0.1 0 7 {url} 100%\n")
    );
}

#[test]
fn write_out_comes_after_failures_too_and_reports_unknown_names() {
    let ran = run(&[
        "-m",
        "30",
        "-w",
        "%{exitcode} %{http_code}%{nonsense}",
        "http://name.invalid/",
    ]);
    assert_eq!((ran.code, ran.text()), (6, "6 000"));
    assert!(ran.err.contains("nonsense"), "{}", ran.err);
}

#[test]
fn write_out_reads_its_format_from_a_file() {
    let (peer, folder) = (Peer::saying(&ok(b"")), folder("format"));
    std::fs::write(folder.join("format"), "%{response_code}").expect("a format");
    assert_eq!(
        run_in(&folder, &["-s", "-w", "@format", &peer.url("/")])
            .ok()
            .text(),
        "200"
    );
}

#[test]
fn times_go_forward() {
    let peer = Peer::saying(&ok(b"x"));
    let format = "%{time_namelookup} %{time_connect} %{time_pretransfer} %{time_starttransfer} %{time_total}";
    let ran = run(&["-s", "-o", "/dev/null", "-w", format, &peer.url("/")]).ok();
    let times: Vec<f64> = ran
        .text()
        .split(' ')
        .map(|time| time.parse().expect("a number"))
        .collect();
    assert!(times.is_sorted() && times[4] > 0.0, "{times:?}");
}

#[test]
fn verbose_shows_both_heads_and_no_secrets() {
    let peer = Peer::saying(&answer("200 OK", "X-A: 1\r\n", b"body"));
    let ran = run(&["-sv", "-u", "me:secret", &peer.url("/v")]).ok();
    for line in [
        "> GET /v HTTP/1.1",
        "< HTTP/1.1 200 OK",
        "< X-A: 1",
        "* Trying 127.0.0.1",
    ] {
        assert!(ran.err.contains(line), "no {line:?} in {}", ran.err);
    }
    assert!(!ran.err.contains("bWU6c2VjcmV0"), "{}", ran.err);
    assert_eq!(ran.text(), "body");
}

#[test]
fn a_trace_has_everything() {
    let (peer, folder) = (Peer::saying(&ok(b"answer body")), folder("trace"));
    run_in(
        &folder,
        &[
            "-s",
            "--trace-ascii",
            "trace",
            "-d",
            "request body",
            &peer.url("/"),
        ],
    )
    .ok();
    let trace = String::from_utf8(content(folder.join("trace"))).expect("text");
    for part in [
        "=> Send header",
        "POST / HTTP/1.1",
        "=> Send data, 12 bytes (0xc)",
        "0000: request body",
        "<= Recv data, 11 bytes (0xb)",
        "0000: answer body",
    ] {
        assert!(trace.contains(part), "no {part:?} in {trace}");
    }
}

#[test]
fn a_bar_is_drawn_on_a_pipe_when_forced() {
    let (peer, folder) = (Peer::saying(&ok(b"x")), folder("bar"));
    let ran = run_in(&folder, &["-#", "-o", "out", &peer.url("/")]).ok();
    assert!(ran.err.contains("100%"), "{:?}", ran.err);
    let ran = run_in(&folder, &["-#", "-s", "-o", "out", &peer.url("/")]).ok();
    assert_eq!(ran.err, "");
}

#[test]
fn version_names_what_is_built_in() {
    let ran = run(&["-V"]).ok();
    assert!(ran.text().starts_with("sockless ") && ran.text().contains("Drivers: "));
}

#[cfg(feature = "demo")]
#[test]
fn the_demo_gets_everything_right() {
    let ran = run(&["demo", "--size", "4"]).ok();
    let bodies = if cfg!(feature = "ssh") { 4 } else { 2 };
    assert_eq!(
        ran.text().matches(" right").count(),
        bodies,
        "{}",
        ran.text()
    );
    let ran = run(&["demo", "--size", "1", "--driver", "blocking"]).ok();
    assert!(ran.text().contains(" on plain sockets"), "{}", ran.text());
    // What is in a box stays in it.
    let text = ran.text();
    let sides = text.lines().filter(|line| line.starts_with("  │"));
    let widths: Vec<_> = sides
        .map(|line| line.chars().skip(3).position(|c| c == '│'))
        .collect();
    assert!(widths.len() > 3, "{text}");
    assert!(widths.iter().all(|width| *width == Some(17)), "{text}");
    // The counts of the conclusion are those of the table.
    let count = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.trim().split_once(' '));
        let line = lines.find(|(have, _)| *have == name).map(|(_, rest)| rest);
        let count = line.and_then(|rest| rest.split_whitespace().next());
        let digits: String = count.unwrap_or("0").replace(',', "");
        digits.parse::<u64>().expect("a number")
    };
    let kinds = ["resolve", "connect", "recv", "send", "shutdown", "close"];
    let all: u64 = kinds.into_iter().map(count).sum();
    let moved: u64 = kinds[1..4].iter().copied().map(count).sum();
    let plain = text.replace(',', "");
    assert!(
        plain.contains(&format!("it asked for {all} operations")),
        "{text}"
    );
    assert!(
        plain.contains(&format!("carried {moved} of them")),
        "{text}"
    );
}

/// Runs the command where the kernel refuses io_uring.
fn without_uring(args: &[&str]) -> crate::Ran {
    let mut command = std::process::Command::new("strace");
    command
        .args(["-f", "-qq", "-o", "/dev/null"])
        .args(["-e", "inject=io_uring_setup:error=EPERM"])
        .arg(env!("CARGO_BIN_EXE_sockless"))
        .args(args)
        .stdin(std::process::Stdio::null());
    crate::finished(command)
}

#[cfg(target_os = "linux")]
#[test]
fn where_io_uring_is_refused_plain_sockets_do() {
    let peer = Peer::saying(&ok(b"all the same"));
    let ran = without_uring(&["-sS", &peer.url("/")]).ok();
    assert_eq!((ran.text(), ran.err.as_str()), ("all the same", ""));
    let ran = without_uring(&["-sv", &peer.url("/")]).ok();
    assert!(
        ran.err.contains("* using the blocking driver: "),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("* Stack: http / blocking"), "{}", ran.err);
    // Who insists is told, and nothing is transferred.
    let ran = without_uring(&["-sS", "--driver", "uring", &peer.url("/")]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("uring cannot be used"), "{}", ran.err);
}

#[cfg(all(feature = "driver-compio", target_os = "linux"))]
#[test]
fn compio_has_another_engine_where_io_uring_is_refused() {
    let peer = Peer::saying(&ok(b"by epoll"));
    let ran = without_uring(&["-sS", "--driver", "compio", &peer.url("/")]).ok();
    assert_eq!((ran.text(), ran.err.as_str()), ("by epoll", ""));
}

#[cfg(all(feature = "demo", target_os = "linux"))]
#[test]
fn the_demo_says_which_engine_it_had_to_take() {
    let ran = without_uring(&["demo", "--size", "1"]).ok();
    for words in [
        "driver   blocking",
        "using the blocking driver: ",
        "on plain sockets",
    ] {
        assert!(ran.text().contains(words), "no {words:?} in {}", ran.text());
    }
    let bodies = if cfg!(feature = "ssh") { 4 } else { 2 };
    assert_eq!(
        ran.text().matches(" right").count(),
        bodies,
        "{}",
        ran.text()
    );
}

#[test]
fn trace_lines_have_a_time_when_asked_for() {
    let (peer, folder) = (Peer::saying(&ok(b"x")), folder("trace_time"));
    let args = [
        "-s",
        "--trace-ascii",
        "trace",
        "--trace-time",
        &peer.url("/"),
    ];
    run_in(&folder, &args).ok();
    let trace = String::from_utf8(content(folder.join("trace"))).expect("text");
    let stamped = |line: &str| {
        // 12:34:56.123456, and a space.
        let digits: Vec<_> = line.chars().take(16).collect();
        digits.len() == 16
            && digits.iter().enumerate().all(|(at, c)| match at {
                2 | 5 => *c == ':',
                8 => *c == '.',
                15 => *c == ' ',
                _ => c.is_ascii_digit(),
            })
    };
    let marked = |line: &&str| {
        ["=> Send", "<= Recv", "== Info"]
            .iter()
            .any(|m| line.contains(m))
    };
    let lines: Vec<_> = trace.lines().filter(marked).collect();
    assert!(lines.len() > 3, "{trace}");
    assert!(lines.iter().all(|line| stamped(line)), "{trace}");
    let ran = run(&["-sv", "--trace-time", &peer.url("/")]).ok();
    let mut heads = ran.err.lines().filter(|line| line.contains("> GET / "));
    assert!(
        heads.all(stamped) && ran.err.contains("> GET / "),
        "{}",
        ran.err
    );
}

#[test]
fn a_terminal_gets_a_meter() {
    let (peer, folder) = (Peer::saying(&ok(&vec![b'x'; 1_000_000])), folder("meter"));
    let binary = env!("CARGO_BIN_EXE_sockless");
    let on_terminal = |options: &str| {
        let line = format!("{binary} {options} -o out {}", peer.url("/"));
        let mut command = std::process::Command::new("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .env("TERM", "xterm")
            .current_dir(&folder)
            .stdin(std::process::Stdio::null());
        crate::finished(command).ok()
    };
    let shown = on_terminal("");
    assert!(
        shown.text().contains("MiB") || shown.text().contains("kB"),
        "{:?}",
        shown.text()
    );
    assert_eq!(content(folder.join("out")).len(), 1_000_000);
    for quiet in ["-s", "--no-progress-meter"] {
        assert_eq!(on_terminal(quiet).text(), "", "{quiet}");
    }
}
