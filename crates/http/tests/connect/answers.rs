//! Answers that open a tunnel, and answers that do not.

use sockless_core::{Culprit, Cx, Pool, Reason, Stack, Status};
use sockless_http::Tunnel;

use crate::run::{Run, fault, tunnel};

/// What is left for the layer above after these bytes of the proxy's.
fn opened(answer: &str) -> String {
    let mut run = Run::begun(&tunnel());
    assert_eq!(run.hear(answer).expect("a tunnel"), Status::Leave);
    run.left()
}

#[test]
fn any_2xx_opens_it() {
    for status in [
        "200 Connection established",
        "200",
        "204 No Content",
        "299 Whatever",
    ] {
        assert_eq!(opened(&format!("HTTP/1.1 {status}\r\nVia: x\r\n\r\n")), "");
        assert_eq!(opened(&format!("HTTP/1.0 {status}\r\n\r\n")), "");
    }
}

#[test]
fn what_follows_the_head_goes_up_untouched() {
    for rest in [
        "220 mail ready\r\n",
        "\r\n\r\n",
        "HTTP/1.1 407 No\r\n\r\n",
        "\0\u{7f}",
    ] {
        assert_eq!(opened(&format!("HTTP/1.1 200 OK\r\n\r\n{rest}")), rest);
    }
}

/// RFC 9110 section 9.3.6: whatever the head says about a body.
#[test]
fn there_is_no_body_in_a_tunnel() {
    let lies = [
        "Content-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: nonsense\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\nContent-Length: 3\r\n",
        "Connection: close\r\n",
    ];
    for lie in lies {
        assert_eq!(
            opened(&format!("HTTP/1.1 200 OK\r\n{lie}\r\n5\r\nhello")),
            "5\r\nhello"
        );
    }
}

#[test]
fn split_at_each_byte() {
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\nabove";
    let head = answer.len() - "above".len();
    for at in 1..answer.len() {
        let mut run = Run::begun(&tunnel());
        let first = run.hear(&answer[..at]).unwrap();
        assert_eq!(first == Status::Leave, at >= head, "{at}");
        if first == Status::Stay {
            assert_eq!(run.hear(&answer[at..]).unwrap(), Status::Leave, "{at}");
            assert_eq!(run.left(), "above");
        }
    }
}

#[test]
fn interim_answers_are_skipped_but_not_for_ever() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    assert_eq!(
        opened(&(interim.repeat(16) + "HTTP/1.1 200 OK\r\n\r\nabove")),
        "above"
    );
    let endless = fault(&tunnel(), interim.repeat(17));
    assert_eq!(
        (endless.culprit, endless.reason),
        (Culprit::Limit, Reason::HeadTooLarge)
    );
    let other = fault(&tunnel(), "HTTP/1.1 101 Switching Protocols\r\n\r\n");
    assert_eq!(other.reason, Reason::Proxy);
    assert!(other.what.contains("proxy squid:3128"), "{}", other.what);
}

#[test]
fn a_refusal_names_the_proxy_and_helps() {
    let said = fault(
        &tunnel(),
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\ngo away",
    );
    assert_eq!(
        said.what,
        "proxy squid:3128 answered CONNECT example.com:443 with 403 Forbidden"
    );
    let codes = [
        (302, Culprit::Transport),
        (400, Culprit::PeerIncompatible),
        (401, Culprit::Transport),
        (403, Culprit::Transport),
        (405, Culprit::PeerIncompatible),
        (502, Culprit::Transport),
        (504, Culprit::Transport),
        (999, Culprit::Transport),
    ];
    for (code, culprit) in codes {
        let fault = fault(&tunnel(), format!("HTTP/1.1 {code}\r\n\r\n"));
        assert_eq!(
            (fault.reason, fault.culprit),
            (Reason::Proxy, culprit),
            "{code}"
        );
        assert!(fault.what.ends_with(&format!("with {code}")) && fault.remedy.is_some());
    }
    let long = format!("HTTP/1.1 500 {}\u{e4}\r\n\r\n", "x".repeat(1000));
    assert!(fault(&tunnel(), long).what.len() < 200);
}

#[test]
fn a_407_without_credentials() {
    let asked =
        "HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n";
    let own = tunnel().field("Proxy-Authorization", "Own").unwrap();
    for tunnel in [tunnel(), own] {
        let fault = fault(&tunnel, asked);
        assert_eq!(fault.reason, Reason::Authentication);
        assert_eq!(
            fault.what,
            "proxy squid:3128 answered CONNECT example.com:443 with 407 Auth"
        );
        assert_eq!(fault.remedy, Some("give the proxy's credentials"));
    }
}

/// Two proxies in a row, in a real stack: each head is followed by what is above it.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "time is counted from some point; none is special"
)]
fn tunnels_in_a_tunnel() {
    let inner = Tunnel::new("inner:8080", "example.com", 443).unwrap();
    let outer = Tunnel::new("outer:3128", "inner", 8080).unwrap();
    let mut stack = Stack::new(vec![outer.filter(), inner.filter()], 64 * 1024);
    let (now, wall) = (std::time::Instant::now(), std::time::SystemTime::UNIX_EPOCH);
    let (pool, mut copied) = (Pool::default(), 0);
    let mut cx = Cx::new(now, wall, &pool, &mut copied, None);
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nHTTP/1.1 200 OK\r\n\r\nabove";
    stack.pump(None, &mut cx, 16);
    assert!(
        stack
            .net_out()
            .front()
            .is_some_and(|head| head.starts_with(b"CONNECT inner:8080 "))
    );
    stack
        .net_in()
        .push(sockless_core::Buf::from(both.as_bytes()));
    stack.pump(None, &mut cx, 16);
    assert_eq!(stack.layers().count(), 0);
    let above: Vec<u8> = stack
        .top()
        .0
        .iter()
        .flat_map(|piece| piece.to_vec())
        .collect();
    assert_eq!(above, b"above");
}
