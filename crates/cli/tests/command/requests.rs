//! What is sent.

use std::io::Write as _;
use std::process::Stdio;

use crate::peer::{Peer, Reply, answer, ok};
use crate::{command, folder, run, run_in};

#[test]
fn data_makes_a_post() {
    let peer = Peer::saying(&ok(b""));
    run(&[
        "-s",
        "-d",
        "a=1",
        "--data-urlencode",
        "b=x y",
        &peer.url("/"),
    ])
    .ok();
    let heard = peer.heard();
    assert!(heard.line().starts_with("POST / "));
    assert_eq!(heard.body, b"a=1&b=x%20y");
    assert_eq!(
        heard.field("content-type"),
        Some("application/x-www-form-urlencoded")
    );
}

#[test]
fn data_from_files_loses_line_ends_unless_binary() {
    let (peer, folder) = (Peer::saying(&ok(b"")), folder("data"));
    std::fs::write(folder.join("file"), "a\r\nb\n").expect("a file");
    run_in(&folder, &["-s", "-d", "@file", &peer.url("/")]).ok();
    assert_eq!(peer.heard().body, b"ab");
    run_in(&folder, &["-s", "--data-binary", "@file", &peer.url("/")]).ok();
    assert_eq!(peer.heard().body, b"a\r\nb\n");
    run_in(&folder, &["-s", "--data-raw", "@file", &peer.url("/")]).ok();
    assert_eq!(peer.heard().body, b"@file");
}

#[test]
fn get_moves_data_into_the_query() {
    let peer = Peer::saying(&ok(b""));
    run(&["-sG", "-d", "a=1", "-d", "b=2", &peer.url("/x?c=3")]).ok();
    let heard = peer.heard();
    assert_eq!(heard.line(), "GET /x?c=3&a=1&b=2 HTTP/1.1");
    assert_eq!(heard.body, b"");
}

#[test]
fn json_brings_its_fields() {
    let peer = Peer::saying(&ok(b""));
    run(&["-s", "--json", "{}", &peer.url("/")]).ok();
    let heard = peer.heard();
    assert_eq!(heard.field("content-type"), Some("application/json"));
    assert_eq!(heard.field("accept"), Some("application/json"));
}

#[test]
fn a_file_is_put_under_its_name() {
    let (peer, folder) = (Peer::saying(&ok(b"")), folder("put"));
    let body: Vec<u8> = (0..2_000_000_u32).map(|n| (n ^ (n >> 7)) as u8).collect();
    std::fs::write(folder.join("a file"), &body).expect("a file");
    run_in(&folder, &["-s", "-T", "a file", &peer.url("/dir/")]).ok();
    let heard = peer.heard();
    assert_eq!(heard.line(), "PUT /dir/a%20file HTTP/1.1");
    assert_eq!(heard.field("expect"), Some("100-continue"));
    assert!(heard.body == body);
}

#[test]
fn standard_input_is_put_in_chunks() {
    let (peer, folder) = (Peer::saying(&ok(b"")), folder("stdin"));
    let mut command = command(&folder, &["-s", "-T", "-", &peer.url("/x")]);
    let mut child = command
        .stdin(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"from a pipe").expect("it reads");
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
    let heard = peer.heard();
    assert_eq!(heard.field("transfer-encoding"), Some("chunked"));
    assert_eq!(heard.body, b"from a pipe");
}

#[test]
fn fields_are_added_replaced_and_removed() {
    let peer = Peer::saying(&ok(b""));
    let url = peer.url("/");
    run(&[
        "-s",
        "-H",
        "X-A: 1",
        "-H",
        "Accept:",
        "-H",
        "X-B;",
        "-H",
        "Host: other",
        "-A",
        "me",
        "-e",
        "ref",
        "-b",
        "a=1",
        "-b",
        "b=2",
        &url,
    ])
    .ok();
    let heard = peer.heard();
    let fields: Vec<_> = [
        "x-a",
        "accept",
        "x-b",
        "host",
        "user-agent",
        "referer",
        "cookie",
    ]
    .map(|name| heard.field(name))
    .into();
    assert_eq!(
        fields,
        [
            Some("1"),
            None,
            Some(""),
            Some("other"),
            Some("me"),
            Some("ref"),
            Some("a=1; b=2")
        ]
    );
}

#[test]
fn methods_are_as_given() {
    let peer = Peer::saying(&ok(b""));
    run(&["-s", "-XDELETE", &peer.url("/")]).ok();
    assert_eq!(peer.heard().line(), "DELETE / HTTP/1.1");
}

#[test]
fn redirects_are_followed_and_credentials_stay_at_home() {
    let other = Peer::saying(&ok(b"there"));
    let there = other.url("/there");
    let peer = Peer::new(move |heard| {
        let to = if heard.path() == "/1" {
            "/2".to_owned()
        } else {
            there.clone()
        };
        Reply::Keep(answer(
            "302 Found",
            &format!("Location: {to}\r\n"),
            b"moved",
        ))
    });
    assert_eq!(run(&["-s", &peer.url("/1")]).ok().text(), "moved");
    let ran = run(&[
        "-sL",
        "-u",
        "me:secret",
        "-w",
        " %{num_redirects} %{url_effective}",
        &peer.url("/1"),
    ]);
    assert_eq!(ran.ok().text(), format!("there 2 {}", other.url("/there")));
    let all = peer.all();
    assert_eq!(all[2].field("authorization"), Some("Basic bWU6c2VjcmV0"));
    assert_eq!(other.heard().field("authorization"), None);
    run(&[
        "-s",
        "--location-trusted",
        "-u",
        "me:secret",
        &peer.url("/1"),
    ])
    .ok();
    assert!(other.heard().field("authorization").is_some());
}

#[test]
fn the_body_of_a_followed_redirect_may_be_broken() {
    for broken in [
        &b"HTTP/1.1 302 x\r\nLocation: /b\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone"[..],
        b"HTTP/1.1 302 x\r\nLocation: /b\r\nContent-Encoding: odd\r\nContent-Length: 4\r\n\r\nnone",
        b"HTTP/1.1 302 x\r\nLocation: /b\r\nContent-Length: 40\r\n\r\nnone",
        b"HTTP/1.1 302 x\r\nLocation: /b\r\nTransfer-Encoding: chunked\r\n\r\nnone",
    ] {
        let peer = Peer::new(|heard| match heard.path() {
            "/a" => Reply::Close(broken.to_vec()),
            _ => Reply::Keep(ok(b"there")),
        });
        let ran = run(&["-sSL", "--compressed", &peer.url("/a")]).ok();
        assert_eq!(ran.text(), "there");
        // Whoever does not follow reads it, and learns that it is broken.
        let ran = run(&["-sS", "--compressed", &peer.url("/a")]);
        assert!(matches!(ran.code, 18 | 56 | 61), "{}", ran.err);
    }
}

#[test]
fn compressed_answers_are_asked_for_and_opened() {
    let stored: &[u8] =
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x05\0\xfa\xffhello\x86\xa6\x10\x36\x05\0\0\0";
    let peer = Peer::saying(&answer("200 OK", "Content-Encoding: gzip\r\n", stored));
    assert_eq!(
        run(&["-s", "--compressed", &peer.url("/")]).ok().text(),
        "hello"
    );
    assert!(
        peer.heard()
            .field("accept-encoding")
            .is_some_and(|value| value.contains("gzip"))
    );
}

#[test]
fn names_resolve_where_resolve_says() {
    let peer = Peer::saying(&ok(b"here"));
    let port = peer.port();
    let (entry, url) = (
        format!("name.invalid:{port}:127.0.0.1"),
        format!("name.invalid:{port}/"),
    );
    assert_eq!(run(&["-s", "--resolve", &entry, &url]).ok().text(), "here");
    assert_eq!(
        peer.heard().field("host"),
        Some(format!("name.invalid:{port}").as_str())
    );
}

#[test]
fn unix_sockets_and_local_addresses_are_used() {
    let folder = folder("unix");
    let listener = std::os::unix::net::UnixListener::bind(folder.join("socket")).expect("a socket");
    let server = std::thread::spawn(move || {
        use std::io::Read as _;
        let (mut stream, _) = listener.accept().expect("a client");
        let n = stream.read(&mut [0; 4096]).expect("a request");
        stream.write_all(&ok(b"unix")).expect("an answer");
        n
    });
    let ran = run_in(
        &folder,
        &["-s", "--unix-socket", "socket", "http://anything/"],
    )
    .ok();
    assert_eq!(ran.text(), "unix");
    assert!(server.join().expect("the server ends") > 0);

    let peer = Peer::saying(&ok(b"local"));
    assert_eq!(
        run(&["-s", "--interface", "127.0.0.1", &peer.url("/")])
            .ok()
            .text(),
        "local"
    );
}

#[test]
fn passing_errors_are_tried_again() {
    let peer = Peer::new(|heard| {
        Reply::Keep(if heard.number < 2 {
            answer("503 Busy", "", b"busy")
        } else {
            ok(b"fine")
        })
    });
    let args = [
        "-s",
        "--retry",
        "3",
        "--retry-delay",
        "0.01",
        "-w",
        "/%{num_retries}",
        &peer.url("/"),
    ];
    assert_eq!(run(&args).ok().text(), "fine/2");
    assert_eq!(peer.all().len(), 3);
}

#[test]
fn next_begins_a_request_of_its_own() {
    let peer = Peer::saying(&ok(b"."));
    run(&[
        "-s",
        "-d",
        "x",
        &peer.url("/1"),
        "--next",
        "-H",
        "X-A: 1",
        &peer.url("/2"),
    ])
    .ok();
    let all = peer.all();
    assert_eq!(all[0].line(), "POST /1 HTTP/1.1");
    assert_eq!(all[1].line(), "GET /2 HTTP/1.1");
    assert_eq!(
        (all[0].field("x-a"), all[1].field("x-a")),
        (None, Some("1"))
    );
}

#[test]
fn configuration_files_stand_for_options() {
    let (peer, folder) = (Peer::saying(&ok(b"configured")), folder("config"));
    let text = format!(
        "# mine\nsilent\nheader = \"X-A: \\\"q\\\"\"\n-d body\nurl = \"{}\"\n",
        peer.url("/c")
    );
    std::fs::write(folder.join("file"), text).expect("a configuration");
    assert_eq!(run_in(&folder, &["-K", "file"]).ok().text(), "configured");
    let heard = peer.heard();
    assert_eq!(heard.line(), "POST /c HTTP/1.1");
    assert_eq!(
        (heard.field("x-a"), heard.body.as_slice()),
        (Some("\"q\""), &b"body"[..])
    );
    std::fs::write(folder.join("file"), "url\n").expect("a configuration");
    let ran = run_in(&folder, &["-K", "file"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("file:1"), "{}", ran.err);
}
