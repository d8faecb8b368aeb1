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
    assert_eq!(ran.text().matches(" right").count(), 2, "{}", ran.text());
    assert!(ran.text().contains("sockless made 0 socket calls"));
    let ran = run(&["demo", "--size", "1", "--driver", "blocking"]).ok();
    assert!(ran.text().contains("blocking sockets"), "{}", ran.text());
}
