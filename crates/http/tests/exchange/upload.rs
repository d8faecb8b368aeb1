//! Requests with a body, and answers that do not wait for its end.

use std::time::Duration;

use sockless_core::{Culprit, Exchange, Reason};
use sockless_http::{BodyKind, Request};

use crate::harness::{End, Run, Seen, config, request};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: example.com\r\n";
const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";

fn post(body: BodyKind) -> Request {
    request("POST").body(body)
}

fn expecting(body: BodyKind) -> Run {
    Run::new(post(body).expect_continue(None), config())
}

#[test]
fn a_sized_body_is_asked_for_and_moved_without_a_copy() {
    let mut run = Run::new(post(BodyKind::Sized(10)), config());
    run.settle().unwrap();
    assert_eq!(run.sent(), format!("{HEAD}Content-Length: 10\r\n\r\n"));
    assert!(run.body.ask().is_some());
    run.give("01234");
    let at = run.body.pipe.front().map(|piece| piece.as_ptr());
    run.settle().unwrap();
    assert_eq!(run.to_peer.front().map(|piece| piece.as_ptr()), at);
    assert!(run.body.ask().is_some());
    assert!(!run.http.awaits_answer());
    run.give("56789");
    run.settle().unwrap();
    assert_eq!(run.sent(), "0123456789");
    assert!(run.body.ask().is_none());
    assert!(run.http.awaits_answer());
    run.arrive(NO_CONTENT);
    assert_eq!(run.end(), End::Finished { reusable: true });
}

#[test]
fn a_body_of_the_wrong_length_is_the_applications_fault() {
    for (given, what) in [
        ("0123456789x", "more request body"),
        ("0123", "after 4 of 10 bytes"),
    ] {
        let mut run = Run::new(post(BodyKind::Sized(10)), config());
        run.give_last(given);
        let fault = run.settle().unwrap_err();
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::Misuse, Reason::Upload)
        );
        assert!(fault.what.contains(what), "{}", fault.what);
    }
    for body in [BodyKind::Sized(1), BodyKind::Empty] {
        let mut run = Run::new(post(body), config());
        run.give("1");
        if body != BodyKind::Empty {
            run.settle().unwrap();
            run.give("2");
        }
        assert_eq!(run.end(), End::Failed(Culprit::Misuse, Reason::Upload));
    }
}

#[test]
fn a_chunked_body_is_framed_and_ends_with_its_trailers() {
    let request = post(BodyKind::Chunked)
        .trailer("Digest", "x")
        .unwrap()
        .trailer("B", "")
        .unwrap();
    let mut run = Run::new(request, config());
    run.settle().unwrap();
    let fields = "Transfer-Encoding: chunked\r\nTrailer: Digest, B\r\n\r\n";
    assert_eq!(run.sent(), format!("{HEAD}{fields}"));
    run.give("0123456789");
    run.give("abcdef0123456789");
    run.settle().unwrap();
    assert_eq!(run.sent(), "1a\r\n0123456789abcdef0123456789\r\n");
    run.give_last("z");
    run.settle().unwrap();
    assert_eq!(run.sent(), "1\r\nz\r\n0\r\nDigest: x\r\nB: \r\n\r\n");
    run.arrive(NO_CONTENT);
    assert_eq!(run.end(), End::Finished { reusable: true });
}

#[test]
fn an_empty_body_has_a_length_where_one_is_expected() {
    for (method, length) in [
        ("POST", true),
        ("PUT", true),
        ("GET", false),
        ("DELETE", false),
    ] {
        let mut run = Run::new(request(method), config());
        run.settle().unwrap();
        assert_eq!(
            run.sent().contains("Content-Length: 0\r\n"),
            length,
            "{method}"
        );
    }
    let mut run = Run::new(post(BodyKind::Chunked), config());
    run.body.pipe.finish();
    run.settle().unwrap();
    assert!(run.sent().ends_with("\r\n\r\n0\r\n\r\n"));
}

#[test]
fn a_full_pipe_to_the_peer_holds_the_body() {
    for body in [BodyKind::Sized(20), BodyKind::Chunked] {
        let mut run = Run::with(post(body), config(), 100, 4);
        run.give_last("0123456789abcdefghij");
        let mut all = String::new();
        for _ in 0..40 {
            run.settle().unwrap();
            assert!(run.to_peer.len() < 100);
            all += &run.sent();
        }
        let (_, sent) = all.split_once("\r\n\r\n").unwrap();
        let one_each: String = "0123456789abcdefghij"
            .chars()
            .map(|c| format!("1\r\n{c}\r\n"))
            .collect();
        match body {
            BodyKind::Chunked => assert_eq!(sent, one_each + "0\r\n\r\n"),
            _ => assert_eq!(sent, "0123456789abcdefghij"),
        }
    }
}

#[test]
fn an_answer_that_refuses_ends_the_transfer_before_the_body() {
    for body in [BodyKind::Sized(10), BodyKind::Chunked] {
        for answer in ["413 Too Large", "307 Elsewhere", "300 Choices"] {
            let mut run = Run::new(post(body), config());
            run.give("0123");
            run.settle().unwrap();
            run.sent();
            run.arrive(format!("HTTP/1.1 {answer}\r\nContent-Length: 2\r\n\r\n"));
            run.give("4567");
            run.settle().unwrap();
            assert_eq!(run.sent(), "", "{answer}");
            run.arrive("no");
            assert_eq!(run.end(), End::Finished { reusable: false }, "{answer}");
            assert_eq!(run.data(), b"no");
        }
    }
}

#[test]
fn a_success_before_the_end_of_the_body_ends_with_the_body() {
    for (body, rest) in [
        (BodyKind::Sized(10), "456789"),
        (BodyKind::Chunked, "6\r\n456789\r\n0\r\n\r\n"),
    ] {
        let mut run = Run::new(post(body), config());
        run.give("0123");
        run.settle().unwrap();
        run.sent();
        run.arrive("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        assert_eq!(run.end(), End::Blocked);
        assert_eq!(run.data(), b"ok");
        assert!(run.http.only_sends());
        assert!(run.body.ask().is_some(), "the rest is still wanted");
        run.give_last("456789");
        // What lies in the pipe is not sent yet.
        assert_eq!(run.end(), End::Blocked);
        assert_eq!(run.sent(), rest);
        assert_eq!(run.end(), End::Finished { reusable: true });
    }
}

#[test]
fn a_body_that_stops_after_a_success_is_no_success() {
    let mut run = Run::new(post(BodyKind::Sized(10)), config());
    run.give("0123");
    run.settle().unwrap();
    run.arrive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    run.give_last("");
    assert_eq!(run.end(), End::Failed(Culprit::Misuse, Reason::Upload));
}

#[test]
fn consent_releases_the_body() {
    let mut run = expecting(BodyKind::Sized(4));
    run.give("body");
    run.settle().unwrap();
    assert!(
        run.sent()
            .ends_with("Content-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    );
    assert!(!run.http.awaits_answer());
    run.arrive("HTTP/1.1 102 Processing\r\n\r\n");
    run.settle().unwrap();
    assert_eq!(run.sent(), "");
    run.arrive("HTTP/1.1 100 Continue\r\n\r\n");
    run.settle().unwrap();
    assert_eq!(run.sent(), "body");
    assert_eq!(run.http.deadline(), None);
    assert_eq!(run.seen, [Seen::Interim(102), Seen::Interim(100)]);
    run.arrive(NO_CONTENT);
    assert_eq!(run.end(), End::Finished { reusable: true });
}

#[test]
fn without_an_answer_the_body_goes_at_the_deadline() {
    let mut run = expecting(BodyKind::Chunked);
    run.give_last("body");
    run.settle().unwrap();
    run.sent();
    assert_eq!(run.http.deadline(), Some(run.now + Duration::from_secs(1)));
    run.pass(Duration::from_millis(999));
    run.settle().unwrap();
    assert_eq!(run.sent(), "");
    run.pass(Duration::from_millis(1));
    run.settle().unwrap();
    assert_eq!(run.sent(), "4\r\nbody\r\n0\r\n\r\n");
    assert_eq!(run.http.deadline(), None);
}

#[test]
fn a_final_answer_instead_of_consent_keeps_the_body_here() {
    for code in ["417 Expectation Failed", "401 Unauthorized", "302 Found"] {
        let mut run = expecting(BodyKind::Sized(4));
        run.give("body");
        run.settle().unwrap();
        run.sent();
        run.arrive(format!("HTTP/1.1 {code}\r\nContent-Length: 0\r\n\r\n"));
        run.pass(Duration::from_secs(5));
        assert_eq!(run.end(), End::Finished { reusable: false }, "{code}");
        assert_eq!(run.sent(), "");
        assert_eq!(run.body.pipe.len(), 4);
    }
}

#[test]
fn success_instead_of_consent_is_consent() {
    let mut run = expecting(BodyKind::Sized(4));
    run.give("body");
    run.settle().unwrap();
    run.sent();
    run.arrive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(run.end(), End::Blocked);
    assert_eq!(run.sent(), "body");
    assert_eq!(run.end(), End::Finished { reusable: true });
}

#[test]
fn nothing_is_expected_for_a_body_that_is_not_there() {
    for body in [BodyKind::Empty, BodyKind::Sized(0)] {
        let mut run = expecting(body);
        run.settle().unwrap();
        assert!(!run.sent().contains("Expect"));
        assert_eq!(run.http.deadline(), None);
        run.arrive(NO_CONTENT);
        assert_eq!(run.end(), End::Finished { reusable: true });
    }
}

#[test]
fn a_body_that_is_gone_cannot_start_over() {
    let mut run = Run::new(post(BodyKind::Sized(4)), config());
    run.settle().unwrap();
    assert!(run.http.restart(true));
    run.give("b");
    run.settle().unwrap();
    assert!(!run.http.restart(true));
}
