//! `--tunnel`: standard input and output at the ends of a connection.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::way::Way;
use crate::{command, drivers, run};

/// More than all buffers on the way hold.
const LARGE: usize = 8 << 20;

/// A server that does this with each connection, and where it listens.
fn server(serve: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let place = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || listener.incoming().flatten().for_each(serve));
    place
}

/// Gives back what it gets, and its end.
fn echo(mut stream: TcpStream) {
    let mut out = stream.try_clone().expect("a second handle");
    let _ = std::io::copy(&mut stream, &mut out);
    let _ = out.shutdown(Shutdown::Write);
}

fn piped(args: &[&str]) -> Child {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut command: Command = command(folder, &["-sS", "-m", "60"]);
    command.args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).spawn().expect("it starts")
}

fn pattern() -> Vec<u8> {
    (0..LARGE as u32).map(|n| (n ^ (n >> 8)) as u8).collect()
}

/// Sends all of it and reads to the end at the same time.
fn there_and_back(mut child: Child, bytes: &[u8]) -> (Vec<u8>, i32, String) {
    let mut stdin = child.stdin.take().expect("a pipe");
    let sent = bytes.to_vec();
    let sender = thread::spawn(move || stdin.write_all(&sent));
    let output = child.wait_with_output().expect("it ends");
    let _ = sender.join().expect("no panic");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.stdout, output.status.code().expect("a code"), err)
}

#[test]
fn both_directions_pass_at_once_by_each_driver_and_proxy() {
    let to = server(echo);
    let (connect, socks) = (Way::connect(|_| Ok(())), Way::socks5(None));
    let (at, at_socks) = (connect.place(), format!("socks5://{}", socks.place()));
    let ways: [&[&str]; 4] = [
        &[],
        &["-x", &at],
        &["-x", &at_socks],
        &["--preproxy", &at_socks, "-x", &at],
    ];
    let all = pattern();
    for driver in drivers() {
        for way in ways {
            let words = [&["--driver", &driver, "--tunnel", &to], way].concat();
            let (back, code, err) = there_and_back(piped(&words), &all);
            if driver == "uring" && code == 2 && err.contains("io_uring") {
                continue;
            }
            assert_eq!((code, err.as_str()), (0, ""), "{words:?}");
            assert!(back == all, "{words:?}: {} bytes came back", back.len());
        }
    }
}

#[test]
fn the_end_of_the_other_side_is_seen_while_ours_goes_on() {
    let to = server(|mut stream| {
        let _ = stream.write_all(b"last words");
        let _ = stream.shutdown(Shutdown::Write);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    let mut child = piped(&["--tunnel", &to]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut all = String::new();
    let mut stdout = child.stdout.take().expect("a pipe");
    // It ends although standard input is still open.
    stdout.read_to_string(&mut all).expect("text");
    assert_eq!(all, "last words");
    stdin.write_all(b"still here").expect("somebody reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn failures_have_the_numbers_of_transfers() {
    assert_eq!(run(&["-sS", "--tunnel", "127.0.0.1:1"]).code, 7);
    assert_eq!(run(&["-sS", "--tunnel", "127.0.0.1"]).code, 3);
    assert_eq!(run(&["-sS", "--tunnel", "h:1", "http://h/"]).code, 2);
    assert_eq!(
        run(&["-sS", "--tunnel", "h:1", "-x", "http://nonesuch.invalid:1"]).code,
        5
    );
    let proxy =
        Way::connect(|_| Err("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_owned()));
    let ran = run(&["-sS", "--tunnel", "h:1", "-x", &proxy.place()]);
    assert_eq!(ran.code, 56, "{}", ran.err);
    assert!(ran.err.contains("403"), "{}", ran.err);
}

#[test]
fn a_reader_that_leaves_ends_it_without_a_word() {
    let to = server(|mut stream| while stream.write_all(&[0; 65536]).is_ok() {});
    let mut child = piped(&["--tunnel", &to]);
    let stdin = child.stdin.take();
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    drop(stdin);
    assert_eq!(output.status.code(), Some(23));
    assert!(output.stderr.is_empty());
}
