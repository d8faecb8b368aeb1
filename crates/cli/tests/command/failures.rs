//! Exit codes, and what is said about them.

use std::fs::File;
use std::net::TcpListener;

use crate::peer::{Peer, Reply, answer, ok};
use crate::{Ran, command, finished, folder, run, run_in};

/// Asserts an exit code and that the message has these words.
fn fails(ran: &Ran, code: i32, words: &str) {
    assert_eq!(ran.code, code, "{}", ran.err);
    assert!(ran.err.contains(words), "no {words:?} in {:?}", ran.err);
    assert!(
        ran.err.starts_with(&format!("sockless: ({code}) ")),
        "{:?}",
        ran.err
    );
}

fn failing_with(answer: &'static [u8]) -> Ran {
    let peer = Peer::new(move |_| Reply::Close(answer.to_vec()));
    run(&["-sS", "-m", "30", &peer.url("/")])
}

#[test]
fn usage_is_2() {
    assert_eq!(run(&["--no-such-option"]).code, 2);
    fails(&run(&[]), 2, "no URL");
    fails(&run(&["-I", "-d", "x", "http://h/"]), 2, "-I, -d and -T");
    fails(&run(&["-b", "jar", "http://h/"]), 2, "cookie files");
    fails(&run(&["--driver", "none", "http://h/"]), 2, "blocking");
    assert_eq!(run(&["--help"]).code, 0);
}

#[test]
fn numbers_that_are_none_are_2() {
    for option in [
        "-m=-1",
        "-m=nan",
        "-m=soon",
        "--connect-timeout=-0.1",
        "--expect100-timeout=-1",
        "--retry-delay=1e18",
        "--retry-delay=inf",
        "--max-redirs=-2",
        "--max-filesize=-1",
        "-C=x",
    ] {
        let (name, value) = option.split_once('=').expect("both");
        let ran = run(&["-sS", name, value, "http://127.0.0.1:1/"]);
        assert_eq!(ran.code, 2, "{option}: {}", ran.err);
        assert!(ran.err.contains(value), "{option}: {}", ran.err);
    }
    // The longest that is one: a pause without end is no crash.
    let ran = run(&["-sS", "--retry-delay", "9e15", "-m", "9e15", "http://"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
}

#[test]
fn messages_show_no_passwords() {
    for url in [
        "http://me:topsecret@host:99999999/",
        "http://me:topsecret@host/[1-",
        "gopher://me:topsecret@host/",
    ] {
        let ran = run(&["-sSO", url]);
        assert!(matches!(ran.code, 1 | 3 | 23), "{}", ran.err);
        assert!(!ran.err.contains("topsecret"), "{}", ran.err);
    }
    let ran = run(&["-sSO", "http://me:topsecret@host/"]);
    fails(&ran, 23, "http://***@host/");
    let peer = Peer::new(|heard| {
        let to = match heard.path() {
            "/bad" => "http://me:topsecret@host:99999999/",
            _ => "gopher://me:topsecret@host/",
        };
        Reply::Keep(answer("302 Found", &format!("Location: {to}\r\n"), b""))
    });
    fails(
        &run(&["-sSL", &peer.url("/bad")]),
        3,
        "http://***@host:99999999/",
    );
    let ran = run(&["-sSL", &peer.url("/scheme")]);
    fails(&ran, 1, "gopher");
    assert!(!ran.err.contains("topsecret"), "{}", ran.err);
}

#[test]
fn where_a_redirect_leads_is_told_without_its_password() {
    let there = Peer::saying(&ok(b"there"));
    let to = there.url("/").replace("http://", "http://me:topsecret@");
    let peer = Peer::saying(&answer("302 Found", &format!("Location: {to}\r\n"), b""));
    let ran = run(&["-sSvL", "-w", "%{url_effective}", &peer.url("/")]).ok();
    assert_eq!(ran.text(), format!("there{}", there.url("/")));
    let told = format!("* Going on to {}\n", there.url("/"));
    assert!(ran.err.contains(&told), "{}", ran.err);
    assert_eq!(there.heard().field("authorization"), None);
}

#[test]
fn too_slow_is_28() {
    let peer = Peer::new(|_| Reply::Silence);
    let ran = run(&["-sS", "-y", "1", "-Y", "1000", &peer.url("/")]);
    fails(&ran, 28, "slower than 1000 bytes/s for 1s");
    assert!(ran.err.contains("lower -Y"), "{}", ran.err);
}

#[test]
fn urls_are_1_and_3() {
    fails(&run(&["-sS", "gopher://h/"]), 1, "gopher");
    fails(&run(&["-sS", "http://"]), 3, "url");
    fails(&run(&["-sS", "http://h/[1-"]), 3, "-g");
}

#[test]
fn an_unknown_name_is_6() {
    fails(
        &run(&["-sS", "-m", "30", "http://name.invalid/"]),
        6,
        "name.invalid",
    );
}

#[test]
fn a_refused_connection_is_7() {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a port")
        .port();
    fails(
        &run(&["-sS", &format!("http://127.0.0.1:{port}/")]),
        7,
        "127.0.0.1",
    );
}

#[test]
fn broken_answers_have_curls_numbers() {
    fails(&failing_with(b""), 52, "without an answer");
    fails(
        &failing_with(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
        18,
        "3 of 9",
    );
    fails(
        &failing_with(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        56,
        "chunk",
    );
    fails(
        &failing_with(b"HTTP/1.1 200 OK\r\n no\r\n\r\n"),
        8,
        "header",
    );
    fails(&failing_with(b"<html>hello</html>"), 1, "HTTP");
    fails(
        &failing_with(b"<html>hello</html>"),
        1,
        "HTTP/0.9 is not taken",
    );
}

#[test]
fn a_reset_is_56() {
    fails(
        &run(&["-sS", &Peer::resetting().url("/")]),
        56,
        "receiving failed",
    );
}

#[test]
fn bad_codings_are_61() {
    let peer = Peer::saying(&answer(
        "200 OK",
        "Content-Encoding: gzip\r\n",
        b"not gzip at all",
    ));
    let ran = run(&["-sS", "--compressed", &peer.url("/")]);
    fails(&ran, 61, "gzip");
    assert!(ran.err.contains("leave --compressed out"), "{}", ran.err);
}

#[test]
fn a_server_that_never_answers_is_28() {
    let peer = Peer::new(|_| Reply::Silence);
    fails(&run(&["-sS", "-m", "0.2", &peer.url("/")]), 28, "200ms");
}

#[test]
fn statuses_are_22_only_when_asked() {
    let peer = Peer::saying(&answer("404 Not Found", "", b"sorry"));
    assert_eq!(run(&["-s", &peer.url("/")]).ok().text(), "sorry");
    let ran = run(&["-sSf", &peer.url("/")]);
    fails(&ran, 22, "the server answered 404 Not Found");
    assert_eq!(ran.text(), "");
    let ran = run(&["-sS", "--fail-with-body", &peer.url("/")]);
    fails(&ran, 22, "404");
    assert_eq!(ran.text(), "sorry");
}

#[test]
fn too_many_redirects_are_47() {
    let peer = Peer::saying(&answer("302 Found", "Location: /\r\n", b""));
    fails(
        &run(&["-sSL", "--max-redirs", "3", &peer.url("/")]),
        47,
        "3 redirects",
    );
}

/// That many zeroes, `times` over compressed.
fn zeroes(length: usize, times: usize) -> Vec<u8> {
    use std::io::Write as _;
    (0..times).fold(vec![0; length], |bytes, _| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&bytes).expect("memory takes it");
        gzip.finish().expect("memory takes it")
    })
}

#[test]
fn what_expands_is_bounded_by_what_is_possible_or_allowed() {
    let gzip = "Content-Encoding: gzip\r\n";
    let peer = Peer::saying(&answer("200 OK", gzip, &zeroes(20 << 20, 1)));
    let ran = run(&["-sS", "--compressed", &peer.url("/")]).ok();
    assert!(ran.out == vec![0; 20 << 20]);
    // No single gzip expands like that: two on top of each other are a bomb.
    let twice = "Content-Encoding: gzip, gzip\r\n";
    let peer = Peer::saying(&answer("200 OK", twice, &zeroes(20 << 20, 2)));
    let bomb = ["-sS", "--compressed", "-o", "/dev/null", &peer.url("/")];
    fails(&run(&bomb), 63, "give --max-filesize");
    run(&[&bomb[..], &["--max-filesize", "20M"]].concat()).ok();
    let ran = run(&[&bomb[..], &["--max-filesize", "19M"]].concat());
    fails(&ran, 63, "over the limit");
}

#[test]
fn too_large_a_file_is_63() {
    let peer = Peer::saying(&ok(b"0123456789"));
    fails(
        &run(&["-sS", "--max-filesize", "9", &peer.url("/")]),
        63,
        "10 bytes",
    );
}

#[test]
fn what_cannot_be_read_is_26() {
    let peer = Peer::saying(&ok(b""));
    fails(
        &run(&["-sS", "-T", "/nonexistent", &peer.url("/x")]),
        26,
        "/nonexistent",
    );
    fails(
        &run(&["-sS", "-d", "@/nonexistent", &peer.url("/x")]),
        26,
        "/nonexistent",
    );
}

#[test]
fn what_cannot_be_written_is_23() {
    let peer = Peer::saying(&ok(b"some bytes"));
    let folder = folder("unwritable");
    fails(
        &run_in(&folder, &["-sS", "-o", ".", &peer.url("/")]),
        23,
        "cannot write .",
    );
    fails(
        &run(&["-sS", "-O", &peer.url("/")]),
        23,
        "without a file name",
    );
}

#[test]
fn a_full_disk_is_23() {
    let peer = Peer::saying(&ok(b"some bytes"));
    fails(
        &run(&["-sS", "-o", "/dev/full", &peer.url("/")]),
        23,
        "No space left",
    );
    let mut command = command(&folder("full"), &["-sS", &peer.url("/")]);
    command.stdout(File::create("/dev/full").expect("Linux has it"));
    fails(&finished_without_output(command), 23, "No space left");
}

/// Runs the command where files may not grow beyond 8 KiB, as on a disk that is full then.
fn on_a_small_disk(folder: &std::path::Path, args: &[&str]) -> Ran {
    let limited = "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\"";
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", limited, env!("CARGO_BIN_EXE_sockless")])
        .args(args)
        .current_dir(folder)
        .stdin(std::process::Stdio::null());
    finished(command)
}

#[test]
fn what_fits_on_a_full_disk_is_kept_and_counted() {
    let body: Vec<u8> = (0..100_000_u32).map(|n| (n ^ (n >> 9)) as u8).collect();
    let (peer, folder) = (Peer::saying(&ok(&body)), folder("small_disk"));
    let ran = on_a_small_disk(&folder, &["-sS", "-o", "part", &peer.url("/")]);
    fails(&ran, 23, "output: cannot write part: ");
    for words in [
        "[transport]",
        "-C -",
        "partial file kept: part (8192 bytes)",
    ] {
        assert!(ran.err.contains(words), "no {words:?} in {}", ran.err);
    }
    assert!(crate::content(folder.join("part")) == body[..8192]);
}

fn finished_without_output(mut command: std::process::Command) -> Ran {
    let child = command
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the command starts");
    let output = child.wait_with_output().expect("it ends");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    Ran {
        code: output.status.code().expect("by itself"),
        out: Vec::new(),
        err,
    }
}

#[test]
fn a_reader_that_leaves_is_23_and_no_words() {
    let peer = Peer::saying(&ok(&vec![b'x'; 1_000_000]));
    let mut command = command(&folder("reader"), &["-sS", &peer.url("/")]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    command.stdout(writer);
    let ran = finished_without_output(command);
    assert_eq!((ran.code, ran.err.as_str()), (23, ""));
}

#[test]
fn the_last_transfer_decides_unless_fail_early() {
    let peer = Peer::new(|heard| match heard.path() {
        "/bad" => Reply::Close(Vec::new()),
        _ => Reply::Keep(ok(b"good")),
    });
    let (bad, good) = (peer.url("/bad"), peer.url("/good"));
    assert_eq!(run(&["-s", &bad, &good]).ok().text(), "good");
    assert_eq!(run(&["-s", &good, &bad]).code, 52);
    assert_eq!(run(&["-sZ", &bad, &good]).code, 52);
    let ran = run(&["-s", "--fail-early", &bad, &good]);
    assert_eq!((ran.code, ran.text()), (52, ""));
}

#[test]
fn silence_is_kept_unless_errors_are_wanted() {
    let url = "http://name.invalid/";
    assert_eq!(run(&["-s", "-m", "30", url]).err, "");
    assert!(run(&["-m", "30", url]).err.contains("(6)"));
    // Standard error is a pipe here: no meter either.
    let peer = Peer::saying(&ok(b"x"));
    assert_eq!(
        finished(command(&folder("quiet"), &[&peer.url("/")]))
            .ok()
            .err,
        ""
    );
}
