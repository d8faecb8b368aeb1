//! Heads: what is accepted, what is refused, and with which reason.

use sockless_core::{Culprit, Exchange, Reason};

use crate::harness::{End, Run, Seen, answer, config, fault, get};

const REUSABLE: End = End::Finished { reusable: true };

#[test]
fn a_plain_answer_is_one_head_and_its_body() {
    let bytes =
        b"HTTP/1.1 200 All is well\r\nContent-Length: 5\r\nX-Empty:\r\nA:  b c \t\r\n\r\nhello";
    let (end, run) = answer(get(), config(), bytes, false);
    assert_eq!(end, REUSABLE);
    let fields = [("Content-Length", "5"), ("X-Empty", ""), ("A", "b c")];
    let head = Seen::Head {
        code: 200,
        version: "HTTP/1.1",
        reason: "All is well".into(),
        fields: fields
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        length: Some(5),
    };
    assert_eq!(run.seen, [head, Seen::Data(b"hello".into())]);
}

#[test]
fn a_body_in_one_piece_is_delivered_without_a_copy() {
    let mut run = Run::new(get(), config());
    run.settle().unwrap();
    run.arrive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    let at = run.from_peer.front().map(|piece| piece[38..].as_ptr());
    run.pump().unwrap();
    run.events.pop();
    let Some(sockless_core::Event::Data(piece)) = run.events.pop() else {
        panic!("no data")
    };
    assert_eq!((&*piece, Some(piece.as_ptr())), (&b"hello"[..], at));
}

#[test]
fn odd_but_valid_heads_are_accepted() {
    let table: [(&[u8], &str); 5] = [
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", ""),
        (b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", ""),
        (
            b"HTTP/1.1 200 d\xe9j\xe0 vu\r\nContent-Length: 0\r\n\r\n",
            "d\u{fffd}j\u{fffd} vu",
        ),
        (b"HTTP/1.1 999 ?\r\nContent-Length:0\r\n\r\n", "?"),
        (
            b"HTTP/1.1 200 OK\r\nX: caf\xc3\xa9\r\ncOnTeNt-LeNgTh: 0\r\n\r\n",
            "OK",
        ),
    ];
    for (bytes, expected) in table {
        let (end, run) = answer(get(), config(), bytes, false);
        assert_eq!(end, REUSABLE, "{}", bytes.escape_ascii());
        let Some(Seen::Head { reason, .. }) = run.seen.first() else {
            panic!("no head")
        };
        assert_eq!(reason, expected);
    }
}

/// A head, why it is refused, and a part of the message.
const BROKEN: [(&str, Reason, &str); 25] = [
    (
        "HTTP/1.1 200 OK\nA: b\r\n\r\n",
        Reason::BareLineEnd,
        "bare line feed",
    ),
    (
        "HTTP/1.1 200 OK\r\nA: b\n\r\n",
        Reason::BareLineEnd,
        "bare line feed",
    ),
    (
        "HTTP/1.1 200 OK\r\nA: b\r\n\n",
        Reason::BareLineEnd,
        "bare line feed",
    ),
    (
        "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        Reason::BareLineEnd,
        "bare carriage",
    ),
    (
        "HTTP/1.1 200 O\rK\r\nA: b\r\n\r\n",
        Reason::BareLineEnd,
        "bare carriage",
    ),
    (
        "HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n",
        Reason::BareLineEnd,
        "bare carriage",
    ),
    (
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        Reason::ObsoleteFold,
        "white space",
    ),
    (
        "HTTP/1.1 200 OK\r\nA: b\r\n\tc\r\n\r\n",
        Reason::ObsoleteFold,
        "white space",
    ),
    (
        "HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
        Reason::ObsoleteFold,
        "white space",
    ),
    (
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        Reason::SpaceBeforeColon,
        "\"A \"",
    ),
    (
        "HTTP/1.1 200 OK\r\nA\t: b\r\n\r\n",
        Reason::SpaceBeforeColon,
        "colon",
    ),
    (
        "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        Reason::Malformed,
        "without a name",
    ),
    (
        "HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
        Reason::Malformed,
        "without a colon",
    ),
    (
        "HTTP/1.1 200 OK\r\nA B: b\r\n\r\n",
        Reason::Malformed,
        "no token",
    ),
    (
        "HTTP/1.1 200 OK\r\nA(: b\r\n\r\n",
        Reason::Malformed,
        "no token",
    ),
    (
        "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
        Reason::Malformed,
        "field A has a control character",
    ),
    (
        "HTTP/1.1 200 OK\r\nA: \x7f\r\n\r\n",
        Reason::Malformed,
        "control character",
    ),
    (
        "HTTP/1.1 200 O\0K\r\n\r\n",
        Reason::Malformed,
        "status line",
    ),
    ("HTTP/1.1 20 OK\r\n\r\n", Reason::Malformed, "status line"),
    ("HTTP/1.1 099 OK\r\n\r\n", Reason::Malformed, "status line"),
    ("HTTP/1.1 200OK\r\n\r\n", Reason::Malformed, "status line"),
    ("HTTP/1.1  200 OK\r\n\r\n", Reason::Malformed, "status line"),
    ("HTTP/1.1\r\n\r\n", Reason::Malformed, "status line"),
    ("HTTP/2 200\r\n\r\n", Reason::WrongProtocol, "HTTP/2"),
    (
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        Reason::WrongProtocol,
        "not asked for",
    ),
];

#[test]
fn each_broken_rule_has_its_reason() {
    for (bytes, reason, what) in BROKEN {
        let fault = fault(get(), config(), bytes.as_bytes(), false);
        assert_eq!(fault.reason, reason, "{bytes:?}: {}", fault.what);
        assert!(fault.what.contains(what), "{bytes:?}: {}", fault.what);
    }
}

#[test]
fn values_stay_out_of_messages() {
    let fault = fault(
        get(),
        config(),
        b"HTTP/1.1 200 OK\r\nSet-Cookie: hush\x01\r\n\r\n",
        false,
    );
    assert!(
        fault.what.contains("Set-Cookie") && !fault.what.contains("hush"),
        "{}",
        fault.what
    );
}

#[test]
fn another_protocol_is_named_at_its_first_bytes() {
    let table: [(&[u8], &str); 9] = [
        (b"\x15\x03\x03\x00\x02\x02\x28", "TLS alert"),
        (b"\x16\x03\x01\x02\x00", "TLS handshake"),
        (b"\x15", "TLS alert"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH banner"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2 preface"),
        (
            b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03",
            "HTTP/2 frame",
        ),
        (b"220 mail.example ESMTP\r\n", "greeting"),
        (b"<html>", "HTTP/0.9"),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "\"\\r\\nHTTP/1.1 200 OK"),
    ];
    for (bytes, what) in table {
        let fault = fault(get(), config(), bytes, false);
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::PeerMisbehaved, Reason::WrongProtocol)
        );
        assert!(fault.what.contains(what), "{}", fault.what);
        assert!(fault.remedy.is_some());
        assert!(!fault.what.contains(char::is_control));
    }
}

#[test]
fn http09_is_taken_only_when_allowed() {
    let mut config = config();
    config.allow_http09 = true;
    for pieces in [&[&b"<p>old"[..]][..], &[b"H", b"ello"]] {
        let (end, run) = crate::harness::answer_in(get(), config.clone(), pieces, true, 100);
        assert_eq!(end, End::Finished { reusable: false });
        assert_eq!(run.data(), pieces.concat());
        assert!(matches!(
            run.seen[0],
            Seen::Head {
                code: 0,
                version: "HTTP/0.9",
                ..
            }
        ));
    }
}

#[test]
fn an_end_in_the_wrong_place_says_where() {
    let table: [(&str, Reason); 5] = [
        ("", Reason::EmptyReply),
        ("HT", Reason::Truncated),
        ("HTTP/1.1 200 OK\r\nA: b\r\n", Reason::Truncated),
        ("HTTP/1.1 100 Continue\r\n\r\n", Reason::Truncated),
        ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP", Reason::Truncated),
    ];
    for (bytes, reason) in table {
        let fault = fault(get(), config(), bytes.as_bytes(), true);
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::PeerMisbehaved, reason),
            "{bytes:?}"
        );
    }
}

#[test]
fn interim_answers_come_before_the_final_one_and_are_bounded() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    let last = "HTTP/1.1 204 No Content\r\n\r\n";
    let mut config = config();
    config.max_interim = 3;
    let (end, run) = answer(
        get(),
        config.clone(),
        (interim.repeat(3) + last).as_bytes(),
        false,
    );
    assert_eq!(end, REUSABLE);
    assert_eq!(run.seen[..3], [const { Seen::Interim(103) }; 3]);
    let fault = fault(get(), config, interim.repeat(4).as_bytes(), false);
    assert_eq!(fault.culprit, Culprit::Limit);
}

#[test]
fn heads_and_trailers_are_bounded_in_bytes_and_fields() {
    let mut config = config();
    (config.max_head_bytes, config.max_fields) = (100, 3);
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(100));
    let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(100));
    let many = "HTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\n\r\n".to_owned();
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let trailers = format!("{chunked}A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\n\r\n");
    let long_trailer = format!("{chunked}A: {}", "x".repeat(100));
    let table = [
        (long, Reason::HeadTooLarge),
        (endless, Reason::HeadTooLarge),
        (many, Reason::TooManyFields),
        (trailers, Reason::TooManyFields),
        (long_trailer, Reason::HeadTooLarge),
    ];
    for (bytes, reason) in table {
        let fault = fault(get(), config.clone(), bytes.as_bytes(), false);
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::Limit, reason),
            "{bytes:?}"
        );
    }
    let three = b"HTTP/1.1 204 OK\r\nA: 1\r\nA: 2\r\nA: 3\r\n\r\n";
    assert_eq!(answer(get(), config.clone(), three, false).0, REUSABLE);
    let three = format!("{chunked}A: 1\r\nA: 2\r\nA: 3\r\n\r\n");
    assert_eq!(answer(get(), config, three.as_bytes(), false).0, REUSABLE);
}

#[test]
fn a_head_larger_than_the_pipe_and_httparses_table_gets_through() {
    let fields: String = (0..500)
        .map(|i| format!("X-{i}: {}\r\n", "v".repeat(400)))
        .collect();
    let head = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok");
    assert!(head.len() > 200_000);
    let pieces: Vec<&[u8]> = head.as_bytes().chunks(1000).collect();
    let (end, run) = crate::harness::answer_in(get(), config(), &pieces, false, 100);
    assert_eq!(end, REUSABLE);
    assert_eq!(run.data(), b"ok");
    assert!(matches!(&run.seen[0], Seen::Head { fields, .. } if fields.len() == 501));
}

#[test]
fn connections_are_kept_only_when_both_sides_say_so() {
    let table = [
        ("HTTP/1.1 204 No\r\n\r\n", true),
        ("HTTP/1.1 204 No\r\nConnection: close\r\n\r\n", false),
        ("HTTP/1.1 204 No\r\nConnection: foo, CLOSE\r\n\r\n", false),
        (
            "HTTP/1.1 204 No\r\nConnection: foo\r\nConnection: close\r\n\r\n",
            false,
        ),
        ("HTTP/1.1 204 No\r\nConnection: closed\r\n\r\n", true),
        ("HTTP/1.0 204 No\r\n\r\n", false),
        ("HTTP/1.0 204 No\r\nConnection: Keep-Alive\r\n\r\n", true),
        (
            "HTTP/1.0 204 No\r\nConnection: keep-alive, close\r\n\r\n",
            false,
        ),
        ("HTTP/1.1 204 No\r\n\r\nleft over", false),
    ];
    for (bytes, reusable) in table {
        let (end, _) = answer(get(), config(), bytes.as_bytes(), false);
        assert_eq!(end, End::Finished { reusable }, "{bytes:?}");
        let closing = get().field("Connection", "close").unwrap();
        let (end, _) = answer(closing, config(), bytes.as_bytes(), false);
        assert_eq!(end, End::Finished { reusable: false });
    }
    let (end, _) = answer(get(), config(), b"HTTP/1.1 204 No\r\n\r\n", true);
    assert_eq!(
        end,
        End::Finished { reusable: false },
        "the peer has closed"
    );
}

#[test]
fn the_answer_is_awaited_from_the_last_byte_sent_to_its_first() {
    let mut run = Run::new(get(), config());
    assert!(!run.http.awaits_answer());
    run.settle().unwrap();
    assert!(run.http.awaits_answer());
    run.arrive("HTTP/1.1 103 Early Hints\r\n\r\n");
    run.settle().unwrap();
    assert!(
        run.http.awaits_answer(),
        "an interim answer is not the answer"
    );
    run.arrive("H");
    run.settle().unwrap();
    assert!(!run.http.awaits_answer());
}

#[test]
fn it_starts_over_until_something_was_seen() {
    let mut run = Run::new(get(), config());
    run.settle().unwrap();
    let first = run.sent();
    run.arrive("HTTP/1.1 2");
    run.settle().unwrap();
    assert!(run.http.restart(true));
    run.settle().unwrap();
    assert_eq!(run.sent(), first);
    run.arrive("HTTP/1.1 200 OK\r\n");
    run.settle().unwrap();
    assert!(run.http.restart(true), "half a head is forgotten");
    run.settle().unwrap();
    run.arrive("HTTP/1.1 103 Hints\r\n\r\n");
    run.settle().unwrap();
    assert!(!run.http.restart(true));
}
