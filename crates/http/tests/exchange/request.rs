//! Requests are valid or they are not made.

use sockless_core::{Culprit, Reason};
use sockless_http::{BodyKind, Request, basic_credentials};

use crate::harness::{Run, config, get};

#[test]
fn a_request_is_sent_as_given() {
    let request = Request::new("GET", "/a%20b?c=d", "example.com:8080").unwrap();
    let request = request
        .field("Accept", " */* ")
        .unwrap()
        .field("X", b"caf\xe9".as_slice());
    let request = request.unwrap().field("X", "").unwrap();
    assert_eq!((request.method(), request.target()), ("GET", "/a%20b?c=d"));
    assert_eq!(request.fields().count(), 4);
    let mut run = Run::new(request, config());
    run.settle().unwrap();
    let head = "GET /a%20b?c=d HTTP/1.1\r\nHost: example.com:8080\r\nAccept: */*\r\nX: caf\u{fffd}\r\nX: \r\n\r\n";
    assert_eq!(run.sent(), head);
    assert_eq!(run.pool.stats().allocated, 1, "one buffer for one head");
}

#[test]
fn request_lines_that_could_be_misread_are_refused() {
    let table = [
        ("", "/", "h"),
        ("G T", "/", "h"),
        ("GET\r\n", "/", "h"),
        ("GET", "", "h"),
        ("GET", "a", "h"),
        ("GET", "/a b", "h"),
        ("GET", "/a\r\nX: y", "h"),
        ("GET", "/a#b", "h"),
        ("GET", "/\u{e9}", "h"),
        ("GET", "/\0", "h"),
        ("GET", "*", "h"),
        ("GET", "://x", "h"),
        ("GET", "http://", "h"),
        ("GET", "http://user:hush@h/", "h"),
        ("GET", "/", "h h"),
        ("GET", "/", "h/"),
        ("GET", "/", "h\r\nX: y"),
        ("GET", "/", "u@h"),
    ];
    for (method, target, host) in table {
        let fault = Request::new(method, target, host).unwrap_err();
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::Misuse, Reason::BadRequest)
        );
        assert!(!fault.what.contains("hush") && !fault.what.contains(char::is_control));
    }
    for (method, target) in [
        ("OPTIONS", "*"),
        ("GET", "http://h:1/a?b"),
        ("M-SEARCH", "/"),
    ] {
        assert!(Request::new(method, target, "h").is_ok());
    }
    let fault = Request::new("CONNECT", "h:1", "h").unwrap_err();
    assert_eq!(fault.reason, Reason::Unsupported);
}

#[test]
fn fields_that_could_smuggle_are_refused_by_name() {
    let table = [
        ("", "x"),
        ("A B", "x"),
        ("A:", "x"),
        ("A\r\n", "x"),
        ("A", "x\r\nB: y"),
        ("A", "x\r\n"),
        ("A", "\nx"),
        ("A", "x\0"),
        ("A", "\x1b[0m"),
        ("Host", "x"),
        ("content-length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("Trailer", "x"),
        ("Expect", "100-continue"),
    ];
    for (name, value) in table {
        let fault = get().field(name, value).unwrap_err();
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::Misuse, Reason::BadRequest)
        );
        assert!(
            fault.what.contains(&name.escape_debug().to_string()),
            "{}",
            fault.what
        );
    }
}

#[test]
fn trailers_need_chunks_and_may_not_change_the_message() {
    let chunked = || get().body(BodyKind::Chunked);
    assert!(get().trailer("A", "b").is_err());
    for name in ["Content-Length", "Authorization", "content-type", "A B"] {
        assert_eq!(
            chunked().trailer(name, "x").unwrap_err().reason,
            Reason::BadRequest
        );
    }
    let without = chunked()
        .trailer("A", "b")
        .unwrap()
        .body(BodyKind::Sized(0));
    let mut run = Run::new(without, config());
    run.settle().unwrap();
    assert!(!run.sent().contains("Trailer"));
}

#[test]
fn secrets_are_not_shown() {
    let mut request = get();
    for name in ["authorization", "Proxy-Authorization", "COOKIE"] {
        request = request.field(name, "hush").unwrap();
    }
    let shown = format!("{request:?}");
    assert!(
        !shown.contains("hush") && shown.contains("[redacted]"),
        "{shown}"
    );
    let mut run = Run::new(request, config());
    run.settle().unwrap();
    assert!(!format!("{:?} {:?}", run.http, run.notes).contains("hush"));
    assert_eq!(run.sent().matches(": hush\r\n").count(), 3);
}

#[test]
fn basic_credentials_are_those_of_rfc_7617() {
    assert_eq!(
        basic_credentials("test", "123\u{a3}").unwrap(),
        "Basic dGVzdDoxMjPCow=="
    );
    assert_eq!(basic_credentials("", "").unwrap(), "Basic Og==");
    for (user, password) in [("a:b", ""), ("a\n", ""), ("", "\0")] {
        assert_eq!(
            basic_credentials(user, password).unwrap_err().reason,
            Reason::BadRequest
        );
    }
}
