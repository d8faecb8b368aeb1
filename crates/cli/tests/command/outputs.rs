//! Where answers go.

use crate::peer::{Heard, Peer, Reply, answer, ok};
use crate::{content, drivers, folder, run, run_in};

/// Answers with the path that was asked for.
fn echo() -> Peer {
    Peer::new(|heard| Reply::Keep(ok(heard.path().as_bytes())))
}

/// Serves these bytes, and parts of them.
fn with_ranges(whole: &'static [u8]) -> Peer {
    Peer::new(move |heard: &Heard| {
        let length = whole.len();
        let Some(range) = heard.field("range") else {
            return Reply::Keep(ok(whole));
        };
        let (first, last) = range
            .strip_prefix("bytes=")
            .and_then(|r| r.split_once('-'))
            .expect("a range");
        let first: usize = first.parse().expect("a first byte");
        let last: usize = last.parse().unwrap_or(length - 1);
        Reply::Keep(if first >= length {
            answer(
                "416 Range Not Satisfiable",
                &format!("Content-Range: bytes */{length}\r\n"),
                b"no",
            )
        } else {
            let field = format!("Content-Range: bytes {first}-{last}/{length}\r\n");
            answer("206 Partial Content", &field, &whole[first..=last])
        })
    })
}

#[test]
fn the_body_goes_to_standard_output_unless_said_otherwise() {
    let peer = echo();
    assert_eq!(
        run(&["-s", &peer.url("/a"), &peer.url("/b")]).ok().text(),
        "/a/b"
    );
    let all = peer.all();
    assert_eq!(
        (all[0].connection, all[1].connection),
        (0, 0),
        "the connection is used again"
    );
}

#[test]
fn outputs_meet_urls_in_order() {
    let (peer, folder) = (echo(), folder("in_order"));
    let (a, b, c) = (peer.url("/a"), peer.url("/dir/b?q"), peer.url("/c"));
    let ran = run_in(&folder, &["-s", "-o", "first", &a, "-O", &b, &c]).ok();
    assert_eq!(content(folder.join("first")), b"/a");
    assert_eq!(content(folder.join("b")), b"/dir/b?q");
    assert_eq!(ran.text(), "/c");
}

#[test]
fn globs_name_urls_and_files() {
    let (peer, folder) = (echo(), folder("globs"));
    let pattern = peer.url("/{x,y}/[1-2]");
    run_in(
        &folder,
        &[
            "-s",
            "--create-dirs",
            "--output-dir",
            "sub",
            "-o",
            "#1_#2",
            &pattern,
        ],
    )
    .ok();
    assert_eq!(content(folder.join("sub/x_2")), b"/x/2");
    assert_eq!(content(folder.join("sub/y_1")), b"/y/1");
}

#[test]
fn folders_are_made_only_when_asked_for() {
    let (peer, folder) = (echo(), folder("dirs"));
    let ran = run_in(&folder, &["-s", "-S", "-o", "a/b/c", &peer.url("/")]);
    assert_eq!(ran.code, 23);
    assert!(ran.err.contains("a/b/c"), "{}", ran.err);
    run_in(
        &folder,
        &["-s", "--create-dirs", "-o", "a/b/c", &peer.url("/")],
    )
    .ok();
    assert_eq!(content(folder.join("a/b/c")), b"/");
}

#[test]
fn an_empty_body_makes_an_empty_file() {
    let (peer, folder) = (Peer::saying(&ok(b"")), folder("empty"));
    run_in(&folder, &["-s", "-o", "file", &peer.url("/")]).ok();
    assert_eq!(content(folder.join("file")), b"");
}

#[test]
fn heads_are_included_dumped_or_alone() {
    let peer = Peer::saying(b"HTTP/1.1 200 Fine\r\nX-A:  1\r\nContent-Length: 2\r\n\r\nhi");
    let head = "HTTP/1.1 200 Fine\r\nX-A:  1\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(
        run(&["-si", &peer.url("/")]).ok().text(),
        format!("{head}hi")
    );
    let folder = folder("heads");
    let ran = run_in(
        &folder,
        &["-s", "-D", "heads", &peer.url("/"), &peer.url("/")],
    )
    .ok();
    assert_eq!(ran.text(), "hihi");
    assert_eq!(
        content(folder.join("heads")),
        format!("{head}{head}").as_bytes()
    );
}

#[test]
fn head_asks_for_the_head_and_prints_it() {
    let peer = Peer::saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    let ran = run(&["-sI", &peer.url("/")]).ok();
    assert_eq!(ran.text(), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    assert!(peer.heard().line().starts_with("HEAD / "));
}

#[test]
fn a_download_continues_where_the_file_ends() {
    let (peer, folder) = (with_ranges(b"0123456789"), folder("resume"));
    std::fs::write(folder.join("file"), "0123").expect("a part");
    run_in(&folder, &["-s", "-C", "-", "-o", "file", &peer.url("/")]).ok();
    assert_eq!(content(folder.join("file")), b"0123456789");
    assert_eq!(peer.heard().field("range"), Some("bytes=4-"));
    // Once more: nothing is missing, nothing is changed.
    run_in(&folder, &["-s", "-C", "-", "-o", "file", &peer.url("/")]).ok();
    assert_eq!(content(folder.join("file")), b"0123456789");
}

#[test]
fn a_server_that_cannot_continue_leaves_the_file_alone() {
    let (peer, folder) = (Peer::saying(&ok(b"0123456789")), folder("no_resume"));
    std::fs::write(folder.join("file"), "0123").expect("a part");
    let ran = run_in(&folder, &["-sS", "-C", "-", "-o", "file", &peer.url("/")]);
    assert_eq!(ran.code, 33, "{}", ran.err);
    assert_eq!(content(folder.join("file")), b"0123");
}

#[test]
fn a_file_that_is_complete_is_left_alone() {
    let bare = |body: &[u8]| answer("416 Range Not Satisfiable", "", body);
    let answers = [
        // A server without ranges, whose file is as long as ours.
        ok(b"0123456789"),
        bare(b"no"),
        // More than is read for the connection's sake.
        bare(&[b'x'; 1_000_000]),
        answer("416 Range", "Content-Range: bytes */10\r\n", b""),
    ];
    for said in answers {
        let (peer, folder) = (Peer::saying(&said), folder("complete"));
        std::fs::write(folder.join("file"), "the  whole").expect("a file");
        for more in [&[][..], &["-f"]] {
            let url = peer.url("/");
            let args = [&["-sS", "-C", "-", "-o", "file", &url][..], more].concat();
            assert_eq!(run_in(&folder, &args).ok().text(), "");
            assert_eq!(content(folder.join("file")), b"the  whole");
        }
    }
}

#[test]
fn a_file_that_is_longer_than_the_servers_is_another() {
    let (peer, folder) = (with_ranges(b"0123456789"), folder("longer"));
    std::fs::write(folder.join("file"), "0123456789x").expect("a file");
    let ran = run_in(&folder, &["-sS", "-C", "-", "-o", "file", &peer.url("/")]);
    assert_eq!(ran.code, 33, "{}", ran.err);
    assert!(ran.err.contains("longer"), "{}", ran.err);
    assert_eq!(content(folder.join("file")), b"0123456789x");
}

#[test]
fn ranges_are_asked_for() {
    let peer = with_ranges(b"0123456789");
    assert_eq!(run(&["-s", "-r", "2-4", &peer.url("/")]).ok().text(), "234");
}

#[test]
fn many_at_once_all_arrive() {
    let (peer, folder) = (echo(), folder("parallel"));
    let pattern = peer.url("/n[1-40]");
    run_in(
        &folder,
        &["-sZ", "--parallel-max", "8", "-o", "f#1", &pattern],
    )
    .ok();
    for n in 1..=40 {
        assert_eq!(
            content(folder.join(format!("f{n}"))),
            format!("/n{n}").as_bytes()
        );
    }
    let connections = peer.all().iter().map(|heard| heard.connection).max();
    assert!(
        connections.is_some_and(|last| last < 8),
        "at most eight at once: {connections:?}"
    );
}

#[test]
fn large_bodies_arrive_whole_on_each_driver() {
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n ^ (n >> 9)) as u8).collect();
    let peer = Peer::saying(&ok(&body));
    for driver in drivers() {
        let ran = run(&["-s", "--driver", &driver, &peer.url("/")]);
        let refused = driver == "uring" && ran.code == 2;
        assert!(refused || ran.ok().out == body, "{driver}");
    }
}

#[test]
fn the_partial_file_is_kept_and_named() {
    let peer = Peer::new(|_| {
        Reply::Close(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this".to_vec())
    });
    let folder = folder("partial");
    let ran = run_in(&folder, &["-sS", "-o", "part", &peer.url("/")]);
    assert_eq!(ran.code, 18);
    assert!(
        ran.err.contains("partial file kept: part (9 bytes)"),
        "{}",
        ran.err
    );
    assert_eq!(content(folder.join("part")), b"only this");
    let ran = run_in(
        &folder,
        &["-s", "--remove-on-error", "-o", "part", &peer.url("/")],
    );
    assert_eq!(ran.code, 18);
    assert!(!folder.join("part").exists());
}
