//! Request bodies whose way is not straight: early answers, redirects, dead connections.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use crate::peer::{Heard, Peer, Reply, answer, ok};
use crate::{command, content, finished, folder, run, run_in};

/// Longer than any socket buffers.
const LONG: usize = 16 << 20;

/// A file of that many bytes in a folder of the test's own.
fn file(name: &str, length: usize) -> PathBuf {
    let folder = folder(name);
    let body: Vec<u8> = (0..length).map(|n| (n ^ (n >> 9)) as u8).collect();
    std::fs::write(folder.join("file"), body).expect("a file");
    folder
}

/// Serves one connection with a closure that finds the stream behind the request's head.
fn one<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let url = format!("http://{}/x", listener.local_addr().expect("an address"));
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        serve(stream)
    });
    (url, server)
}

#[test]
fn a_success_that_comes_early_gets_the_whole_body() {
    let (url, server) = one(|mut stream| {
        stream.write_all(&ok(b"fine")).expect("it listens");
        let mut body = Vec::new();
        let _ = stream.read_to_end(&mut body);
        body
    });
    let folder = file("early", LONG);
    let ran = run_in(&folder, &["-sS", "-H", "Expect:", "-T", "file", &url]).ok();
    assert_eq!(ran.text(), "fine");
    let body = server.join().expect("the server ends");
    assert!(
        body == content(folder.join("file")),
        "{} bytes arrived",
        body.len()
    );
}

#[test]
fn a_body_that_cannot_be_sent_after_an_early_success_is_55() {
    let (url, server) = one(|mut stream| {
        stream.write_all(&ok(b"fine")).expect("it listens");
        // Closing with bytes unread resets the connection.
        stream.peek(&mut [0]).expect("some of the body")
    });
    let folder = file("early_reset", LONG);
    let ran = run_in(&folder, &["-sS", "-H", "Expect:", "-T", "file", &url]);
    server.join().expect("the server ends");
    assert_eq!(ran.code, 55, "{}", ran.err);
    assert!(ran.err.contains("[transport]; "), "{}", ran.err);
}

/// Sends `/a` on to `/b` with that status; `/b` says how long the body was.
fn redirecting(status: &'static str) -> Peer {
    Peer::new(move |heard: &Heard| {
        Reply::Keep(match heard.path() {
            "/a" => answer(status, "Location: /b\r\n", b"go on"),
            _ => ok(format!("{} {}", heard.line(), heard.body.len()).as_bytes()),
        })
    })
}

#[test]
fn a_file_is_sent_again_where_a_redirect_wants_it() {
    let folder = file("again", 3_000_000);
    for status in ["307 Elsewhere", "308 Elsewhere"] {
        for more in [&[][..], &["-H", "Transfer-Encoding: chunked"]] {
            let peer = redirecting(status);
            let url = peer.url("/a");
            let args = [&["-sSL", "-T", "file", &url], more].concat();
            let ran = run_in(&folder, &args).ok();
            assert_eq!(ran.text(), "PUT /b HTTP/1.1 3000000", "{status}");
            let bodies: Vec<_> = peer.all().into_iter().map(|heard| heard.body).collect();
            assert!(bodies[1] == content(folder.join("file")), "{status}");
        }
    }
}

#[test]
fn standard_input_cannot_be_sent_again() {
    let folder = file("gone", 1000);
    let peer = redirecting("307 Elsewhere");
    let mut command = command(&folder, &["-sSL", "-T", "-", &peer.url("/a")]);
    command.stdin(std::fs::File::open(folder.join("file")).expect("a file"));
    let ran = finished(command);
    assert_eq!(ran.code, 26, "{}", ran.err);
    assert!(ran.err.contains("once more"), "{}", ran.err);
}

#[test]
fn a_body_survives_a_kept_connection_that_was_dead() {
    let folder = file("stale", 100_000);
    for body in [["-d", "once more"], ["-T", "file"]] {
        // Each connection answers once and then takes one more request down with it.
        let peer = Peer::new(|heard: &Heard| match (heard.connection, heard.number) {
            (0, 1) => Reply::Close(Vec::new()),
            _ => Reply::Keep(ok(format!("{} ", heard.body.len()).as_bytes())),
        });
        let (first, second) = (peer.url("/1"), peer.url("/2"));
        let args = [&["-sS", &first, "--next", "-sS"][..], &body, &[&second]].concat();
        let ran = run_in(&folder, &args).ok();
        let length = if body[0] == "-d" { 9 } else { 100_000 };
        assert_eq!(ran.text(), format!("0 {length} "));
        let connections: Vec<_> = peer.all().iter().map(|heard| heard.connection).collect();
        assert_eq!(connections, [0, 0, 1]);
    }
}

#[test]
fn a_fresh_connection_without_an_answer_is_not_tried_again() {
    let peer = Peer::new(|_| Reply::Close(Vec::new()));
    let ran = run(&["-sS", "-d", "x", &peer.url("/")]);
    assert_eq!((ran.code, peer.all().len()), (52, 1), "{}", ran.err);
}
