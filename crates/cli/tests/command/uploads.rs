//! Request bodies whose way is not straight: early answers, redirects, dead connections.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use crate::peer::ok;
use crate::{folder, run_in};

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
        body == crate::content(folder.join("file")),
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
    assert!(matches!(ran.code, 55 | 56), "{}: {}", ran.code, ran.err);
}
