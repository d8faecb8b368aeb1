//! What is no answer, ends early, or never ends.

use proptest::prelude::*;
use sockless_core::{Culprit, Reason, Status};
use sockless_http::Http1Config;

use crate::run::{Run, fault, mufasa, shared, tunnel};

#[test]
fn what_is_not_http() {
    let foreign = [
        "SSH-2.0-OpenSSH\r\n",
        "\x16\x03\x03",
        "<html>",
        "220 mail",
        "\0",
        "HTTQ",
        "\r\n",
    ];
    for bytes in foreign {
        let fault = fault(&tunnel(), bytes);
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::PeerMisbehaved, Reason::Proxy),
            "{bytes:?}"
        );
        assert!(
            fault
                .what
                .starts_with("proxy squid:3128: the peer does not speak HTTP")
        );
        assert_eq!(
            fault.remedy,
            Some("check the proxy's host, port and scheme")
        );
    }
}

/// The same rules as for any answer.
#[test]
fn heads_that_break_a_rule() {
    let heads = [
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
    ];
    for head in heads {
        let fault = fault(&tunnel(), head);
        assert_eq!(fault.reason, Reason::Proxy, "{head:?}");
        assert!(
            fault.what.starts_with("proxy squid:3128: "),
            "{}",
            fault.what
        );
    }
}

#[test]
fn a_head_without_end_is_refused_early() {
    let mut config = Http1Config::default();
    (config.max_head_bytes, config.max_fields) = (4096, 20);
    let tunnel = tunnel().config(config);
    let mut run = Run::begun(&tunnel);
    run.hear_some("HTTP/1.1 200 OK\r\nA: ");
    let mut heard = 0;
    let fault = loop {
        heard += 1000;
        assert!(heard < 10_000_000, "it takes whatever comes");
        if let Err(fault) = run.hear(vec![b'x'; 1000]) {
            break fault;
        }
    };
    assert_eq!(
        (fault.culprit, fault.reason),
        (Culprit::Limit, Reason::HeadTooLarge)
    );
    assert!(
        heard <= 5000 && fault.what.contains("4096 bytes"),
        "{heard} {}",
        fault.what
    );

    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(21));
    assert_eq!(
        crate::run::fault(&tunnel, many).reason,
        Reason::TooManyFields
    );
}

/// Ten megabytes with the usual bounds.
#[test]
fn a_huge_head() {
    let head = [b"HTTP/1.1 200 OK\r\nA: ".as_slice(), &vec![b'x'; 10 << 20]].concat();
    assert_eq!(fault(&tunnel(), head).reason, Reason::HeadTooLarge);
}

#[test]
fn a_proxy_that_closes() {
    let answer = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
    for at in 0..answer.len() {
        let mut run = Run::begun(&tunnel());
        if at > 0 {
            run.hear_some(&answer[..at]);
        }
        let fault = run.end();
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::PeerMisbehaved, Reason::Proxy)
        );
        let when = if at == 0 {
            "without an answer to"
        } else {
            "in the middle of its answer to"
        };
        let expected =
            format!("proxy squid:3128 closed the connection {when} CONNECT example.com:443");
        assert_eq!(fault.what, expected);
    }
    let mut run = Run::begun(&tunnel());
    run.hear_some("HTTP/1.1 103 Wait\r\n\r\n");
    assert!(run.end().what.contains("without an answer"));
}

#[test]
fn an_end_right_behind_the_head_belongs_to_the_tunnel() {
    let mut run = Run::begun(&tunnel());
    run.net_in
        .push(sockless_core::Buf::from(&b"HTTP/1.1 200 OK\r\n\r\n"[..]));
    run.net_in.finish();
    assert_eq!(run.pump().unwrap(), Status::Leave);
    assert!(run.net_in.at_end());
}

#[test]
fn a_failure_stays() {
    let mut run = Run::begun(&tunnel());
    let first = run.hear("HTTP/1.1 403 No\r\n\r\n").unwrap_err();
    for answer in ["", "HTTP/1.1 200 OK\r\n\r\n"] {
        let again = run.hear(answer).unwrap_err();
        assert_eq!(
            (again.what, again.remedy),
            (first.what.clone(), first.remedy)
        );
    }
}

proptest! {
    /// Any bytes in any pieces: no panic, nothing goes up early (the run looks at that), and
    /// with the proxy's end it is over.
    #[test]
    fn any_bytes(
        start in prop_oneof![
            Just(""),
            Just("HTTP/1.1 200 OK\r\n"),
            Just("HTTP/1.1 407 A\r\nProxy-Authenticate: Digest realm=r, nonce=n, qop=auth\r\n"),
            Just("HTTP/1.1 407 A\r\nProxy-Authenticate: Basic\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ],
        rest in "(\r\n|[ -~\u{e4}\0]|5\r\nhello\r\n|0\r\n\r\n|Content-Length: 3|HTTP/1.1 2){0,20}",
        pieces in 1_usize..30,
    ) {
        let tunnel = tunnel().authenticator(shared(mufasa()));
        let bytes = [start.as_bytes(), rest.as_bytes()].concat();
        let mut run = Run::begun(&tunnel);
        let mut status = Ok(Status::Stay);
        for piece in bytes.chunks(pieces) {
            if matches!(status, Ok(Status::Stay)) {
                status = run.hear(piece);
            }
        }
        if matches!(status, Ok(Status::Stay)) {
            run.end();
        }
    }
}
