//! Which bytes are the body, and where it ends.

use sockless_core::{Culprit, Exchange, Reason};

use crate::harness::{End, Run, Seen, answer, config, fault, get, request};

const OK: &str = "HTTP/1.1 200 OK\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn the_length_decides_where_a_body_ends() {
    let table = [
        ("Content-Length: 2\r\n", "okrest", Some(2), "ok"),
        ("Content-Length: 0\r\n", "", Some(0), ""),
        ("Content-Length: 2, 2\r\n", "ok", Some(2), "ok"),
        (
            "Content-Length: 2\r\nContent-Length: 2\r\n",
            "ok",
            Some(2),
            "ok",
        ),
        ("Content-Length: 002\r\n", "ok", Some(2), "ok"),
        (
            "Transfer-Encoding: Chunked\r\n",
            "1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
            None,
            "ok",
        ),
    ];
    for (fields, body, expected, data) in table {
        let bytes = format!("{OK}{fields}\r\n{body}");
        let (end, run) = answer(get(), config(), bytes.as_bytes(), false);
        assert_eq!(
            end,
            End::Finished {
                reusable: !body.ends_with("rest")
            },
            "{bytes:?}"
        );
        assert_eq!(run.data(), data.as_bytes());
        assert!(matches!(run.seen[0], Seen::Head { length, .. } if length == expected));
    }
}

#[test]
fn a_body_until_the_close_ends_cleanly() {
    for version in ["HTTP/1.1", "HTTP/1.0"] {
        let bytes = format!("{version} 200 OK\r\nConnection: keep-alive\r\n\r\nall of it");
        let (end, run) = answer(get(), config(), bytes.as_bytes(), false);
        assert_eq!((end, run.data()), (End::Blocked, b"all of it".to_vec()));
        let (end, run) = answer(get(), config(), bytes.as_bytes(), true);
        assert_eq!(
            (end, run.data()),
            (End::Finished { reusable: false }, b"all of it".to_vec())
        );
    }
}

#[test]
fn some_answers_have_no_body_whatever_they_say() {
    let fields = "Content-Length: 5\r\n\r\n";
    let table = [
        ("HEAD", format!("HTTP/1.1 200 OK\r\n{fields}")),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
        ),
        ("HEAD", "HTTP/1.1 200 OK\r\n\r\n".to_owned()),
        ("GET", format!("HTTP/1.1 204 No Content\r\n{fields}")),
        ("GET", format!("HTTP/1.1 304 Not Modified\r\n{fields}")),
    ];
    for (method, bytes) in table {
        let (end, run) = answer(request(method), config(), bytes.as_bytes(), false);
        assert_eq!(end, End::Finished { reusable: true }, "{bytes:?}");
        assert!(matches!(
            run.seen[..],
            [Seen::Head {
                length: Some(0),
                ..
            }]
        ));
    }
}

/// Fields that could be read in two ways, and why they are refused.
const AMBIGUOUS: [(&str, Culprit, Reason); 17] = [
    (
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        Culprit::PeerMisbehaved,
        Reason::ConflictingLength,
    ),
    (
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        Culprit::PeerMisbehaved,
        Reason::ConflictingLength,
    ),
    (
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        Culprit::PeerMisbehaved,
        Reason::ConflictingLength,
    ),
    (
        "Content-Length: 5, 6\r\n",
        Culprit::PeerMisbehaved,
        Reason::ConflictingLength,
    ),
    (
        "Content-Length: +5\r\n",
        Culprit::PeerMisbehaved,
        Reason::Malformed,
    ),
    (
        "Content-Length: -5\r\n",
        Culprit::PeerMisbehaved,
        Reason::Malformed,
    ),
    (
        "Content-Length: 0x5\r\n",
        Culprit::PeerMisbehaved,
        Reason::Malformed,
    ),
    (
        "Content-Length: 5 5\r\n",
        Culprit::PeerMisbehaved,
        Reason::Malformed,
    ),
    (
        "Content-Length: 5,\r\n",
        Culprit::PeerMisbehaved,
        Reason::Malformed,
    ),
    (
        "Content-Length:\r\n",
        Culprit::PeerMisbehaved,
        Reason::Malformed,
    ),
    (
        "Content-Length: 18446744073709551616\r\n",
        Culprit::PeerMisbehaved,
        Reason::Malformed,
    ),
    (
        "Transfer-Encoding: gzip, chunked\r\n",
        Culprit::PeerIncompatible,
        Reason::Unsupported,
    ),
    (
        "Transfer-Encoding: gzip\r\n",
        Culprit::PeerIncompatible,
        Reason::Unsupported,
    ),
    (
        "Transfer-Encoding: identity\r\n",
        Culprit::PeerIncompatible,
        Reason::Unsupported,
    ),
    (
        "Transfer-Encoding: xchunked\r\n",
        Culprit::PeerIncompatible,
        Reason::Unsupported,
    ),
    (
        "Transfer-Encoding: chunked, chunked\r\n",
        Culprit::PeerIncompatible,
        Reason::Unsupported,
    ),
    (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        Culprit::PeerMisbehaved,
        Reason::Malformed,
    ),
];

#[test]
fn ambiguous_framing_is_refused() {
    for (fields, culprit, reason) in AMBIGUOUS {
        let fault = fault(
            get(),
            config(),
            format!("{OK}{fields}\r\n").as_bytes(),
            false,
        );
        assert_eq!(
            (fault.culprit, fault.reason),
            (culprit, reason),
            "{fields:?}"
        );
    }
    let old = b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(fault(get(), config(), old, false).reason, Reason::Malformed);
}

#[test]
fn chunks_are_joined_and_their_extensions_dropped() {
    let body =
        "5\r\nhello\r\n1;a=\"b c\"\r\n,\r\n006 ; x\r\n world\r\nA\r\n0123456789\r\n000\r\n\r\n";
    let (end, run) = answer(
        get(),
        config(),
        format!("{CHUNKED}{body}").as_bytes(),
        false,
    );
    assert_eq!(end, End::Finished { reusable: true });
    assert_eq!(run.data(), b"hello, world0123456789");
}

#[test]
fn trailers_come_after_the_data() {
    let body = "2\r\nok\r\n0\r\nDigest: x\r\nB:\r\n\r\n";
    let (end, run) = answer(
        get(),
        config(),
        format!("{CHUNKED}{body}").as_bytes(),
        false,
    );
    assert_eq!(end, End::Finished { reusable: true });
    let trailers = [("Digest", "x"), ("B", "")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(
        run.seen[1..],
        [Seen::Data(b"ok".into()), Seen::Trailers(trailers.into())]
    );
}

#[test]
fn broken_chunks_are_refused() {
    use Reason::*;
    let long = format!("1;{}\r\n", "x".repeat(1100));
    let table = [
        ("x\r\n", BadChunk),
        ("\r\n", BadChunk),
        ("-1\r\n", BadChunk),
        ("0x1\r\n", BadChunk),
        (" 1\r\n", BadChunk),
        ("1 \r\n", BadChunk),
        ("1 1\r\n", BadChunk),
        (";a\r\n", BadChunk),
        ("1;\0\r\n", BadChunk),
        ("11112222333344445\r\n", BadChunk),
        ("00000000000000001\r\n", BadChunk),
        (&*long, BadChunk),
        ("1\r\nab\r\n", BadChunk),
        ("1\r\na\n", BadChunk),
        ("1\r\na\rb", BadChunk),
        ("1\n", BareLineEnd),
        ("1;x\n", BareLineEnd),
        ("1\rx", BareLineEnd),
        ("0\r\nA : b\r\n\r\n", SpaceBeforeColon),
        ("0\r\nA: b\r\n c\r\n\r\n", ObsoleteFold),
        ("0\r\nA\r\n\r\n", Malformed),
        ("0\r\n\n", BareLineEnd),
    ];
    for (body, reason) in table {
        let fault = fault(
            get(),
            config(),
            format!("{CHUNKED}{body}").as_bytes(),
            false,
        );
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::PeerMisbehaved, reason),
            "{body:?}"
        );
    }
}

#[test]
fn a_body_that_stops_early_says_how_far_it_came() {
    let sized = format!("{OK}Content-Length: 10\r\n\r\n");
    let table = [
        (format!("{sized}1234"), "4 of 10 bytes"),
        (sized, "0 of 10 bytes"),
        (
            format!("{CHUNKED}5\r\nhel"),
            "3 bytes of a chunked body, 2 bytes before",
        ),
        (
            format!("{CHUNKED}5\r\nhello\r\n"),
            "5 bytes of a chunked body, before the last",
        ),
        (CHUNKED.to_owned(), "0 bytes"),
        (format!("{CHUNKED}0\r\n"), "trailers"),
        (format!("{CHUNKED}0\r\nA: b"), "trailers"),
    ];
    for (bytes, what) in table {
        let fault = fault(get(), config(), bytes.as_bytes(), true);
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::PeerMisbehaved, Reason::PartialBody)
        );
        assert!(fault.what.contains(what), "{}", fault.what);
    }
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_delivered() {
    let mut config = config();
    config.max_body = Some(4);
    let until_close = format!("{OK}\r\n12345");
    for (bytes, data) in [
        (format!("{OK}Content-Length: 5\r\n\r\n1234"), ""),
        (format!("{CHUNKED}4\r\n1234\r\n1\r\n5\r\n"), "1234"),
        (until_close, ""),
    ] {
        let (end, run) = answer(get(), config.clone(), bytes.as_bytes(), false);
        assert_eq!(
            end,
            End::Failed(Culprit::Limit, Reason::BodyTooLarge),
            "{bytes:?}"
        );
        assert_eq!(run.data(), data.as_bytes());
    }
    let fits = format!("{OK}Content-Length: 4\r\n\r\n1234");
    assert_eq!(
        answer(get(), config, fits.as_bytes(), false).0,
        End::Finished { reusable: true }
    );
}

#[test]
fn nothing_is_taken_that_there_is_no_room_for() {
    let mut run = Run::with(get(), config(), 4, 64 * 1024);
    run.settle().unwrap();
    run.sent();
    run.arrive(format!("{OK}Content-Length: 10\r\n\r\n0123456789"));
    run.pump().unwrap();
    run.pump().unwrap();
    assert_eq!(run.from_peer.len(), 6);
    assert_eq!(run.end(), End::Finished { reusable: true });
    assert_eq!(run.pieces, [4, 4, 2]);
}

#[test]
fn a_pause_holds_the_body_and_no_more() {
    let mut run = Run::new(get(), config());
    run.settle().unwrap();
    run.sent();
    run.events.set_paused(true);
    run.arrive(format!("{OK}Content-Length: 2\r\n\r\nok"));
    assert_eq!(run.end(), End::Blocked);
    assert_eq!(run.from_peer.len(), 2);
    run.events.set_paused(false);
    assert_eq!(run.end(), End::Finished { reusable: true });
    assert_eq!(run.data(), b"ok");
}

#[test]
fn the_bytes_that_are_sure_to_come_are_never_too_many() {
    let mut run = Run::new(get(), config());
    run.settle().unwrap();
    assert_eq!(run.http.expects(), 0);
    run.arrive(format!("{OK}Content-Length: 10\r\n\r\n0123"));
    run.settle().unwrap();
    assert_eq!(run.http.expects(), 6);

    // At each point of a chunked body, exactly its shortest possible rest.
    let rest = "a\r\n0123456789\r\n0\r\n\r\n";
    let mut run = Run::new(get(), config());
    run.arrive(CHUNKED);
    run.settle().unwrap();
    for at in 0..rest.len() {
        let sure = run.http.expects();
        assert!(sure <= (rest.len() - at) as u64, "{sure} at {at}");
        if (3..13).contains(&at) {
            assert_eq!(sure, (rest.len() - at) as u64);
        }
        run.arrive(&rest[at..=at]);
        run.settle().unwrap();
    }
    assert_eq!(run.http.expects(), 0);
}

#[test]
fn what_was_not_taken_is_still_expected() {
    let mut run = Run::with(get(), config(), 2, 64 * 1024);
    run.settle().unwrap();
    run.arrive(format!("{OK}Content-Length: 10\r\n\r\n01234567"));
    run.pump().unwrap();
    assert_eq!((run.from_peer.len(), run.http.expects()), (6, 8));
}

#[test]
fn what_breaks_a_body_comes_with_a_remedy() {
    for (bytes, reason) in [
        (String::new(), Reason::EmptyReply),
        (format!("{OK}Content-"), Reason::Truncated),
        (
            format!("{OK}Content-Length: 2\r\n\r\n1"),
            Reason::PartialBody,
        ),
        (format!("{CHUNKED}2\r\n1"), Reason::PartialBody),
        (format!("{CHUNKED}0\r\nA: b"), Reason::PartialBody),
        (format!("{CHUNKED}x\r\n"), Reason::BadChunk),
        (
            format!("{OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\n"),
            Reason::ConflictingLength,
        ),
    ] {
        let fault = fault(get(), config(), bytes.as_bytes(), true);
        assert_eq!(fault.reason, reason, "{bytes:?}");
        assert!(fault.remedy.is_some(), "{fault:?}");
    }
}

#[test]
fn what_a_cut_leaves_out_is_known_as_far_as_the_framing_says() {
    for (bytes, missing) in [
        (String::new(), Some(Reason::EmptyReply)),
        ("HTTP/1.1 2".to_owned(), Some(Reason::Truncated)),
        (
            format!("{OK}Content-Length: 2\r\n\r\n1"),
            Some(Reason::PartialBody),
        ),
        (format!("{CHUNKED}2\r\n1"), Some(Reason::PartialBody)),
        (format!("{CHUNKED}0\r\nA: b"), Some(Reason::PartialBody)),
        (format!("{OK}\r\nuntil the close"), None),
        (format!("{OK}Content-Length: 2\r\n\r\n12"), None),
    ] {
        let (_, run) = answer(get(), config(), bytes.as_bytes(), false);
        let found = run.http.missing().map(|fault| fault.reason);
        assert_eq!(found, missing, "{bytes:?}");
    }
}
