//! What a verbose log sees.

use sockless_core::Note;
use sockless_http::{BodyKind, Request};

use crate::harness::{Run, config, request, text};

#[test]
fn heads_and_bodies_are_noted_in_both_directions() {
    let request = request("POST")
        .field("Authorization", "Basic hush")
        .unwrap();
    let mut run = Run::new(request.body(BodyKind::Chunked), config());
    run.give_last("sent");
    run.settle().unwrap();
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    run.arrive(format!("{head}4\r\nback\r\n0\r\nA: b\r\n\r\n"));
    run.settle().unwrap();
    let sent = "POST / HTTP/1.1\r\nHost: example.com\r\nAuthorization: [redacted]\r\nTransfer-Encoding: chunked\r\n\r\n";
    let expected = [
        (true, false, sent),
        (true, true, "sent"),
        (false, false, head),
        (false, true, "back"),
        (false, false, "A: b\r\n\r\n"),
    ];
    let noted: Vec<_> = run.notes.iter().map(bytes).collect();
    assert_eq!(
        noted,
        expected.map(|(sent, body, bytes)| (sent, body, bytes.to_owned()))
    );
}

/// The absolute form for a plain proxy (RFC 9112 section 3.2.2).
#[test]
fn a_proxys_credentials_are_sent_and_not_noted() {
    let request = Request::new("GET", "http://example.com/a?b", "example.com").unwrap();
    let request = request.field("proxy-authorization", "Basic hush").unwrap();
    assert!(!format!("{request:?}").contains("hush"));
    let mut run = Run::new(request, config());
    run.settle().unwrap();
    let sent = "GET http://example.com/a?b HTTP/1.1\r\nHost: example.com\r\n\
        proxy-authorization: Basic hush\r\n\r\n";
    assert_eq!(run.sent(), sent);
    let noted: Vec<_> = run.notes.iter().map(bytes).collect();
    assert_eq!(
        noted,
        [(true, false, sent.replace("Basic hush", "[redacted]"))]
    );
}

fn bytes(note: &Note) -> (bool, bool, String) {
    match note {
        Note::Bytes { sent, body, bytes } => (*sent, *body, text(bytes)),
        other => panic!("unexpected {other:?}"),
    }
}
