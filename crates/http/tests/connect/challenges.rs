//! 407: on the same connection, on another one, and never again.

use sockless_core::{Culprit, Reason, Status};
use sockless_http::{Schemes, Tunnel};

use crate::run::{CONNECT, Run, mufasa, shared, tunnel};
use crate::ticket::with_ticket;

fn with_credentials() -> Tunnel {
    tunnel().authenticator(shared(mufasa()))
}

const BASIC: &str = "Proxy-Authenticate: Basic realm=x\r\n";
const DIGEST: &str = "Proxy-Authenticate: Digest realm=\"x\", nonce=\"n\", qop=auth\r\n";

/// Request and answer up to the challenge.
fn challenged(fields: &str, rest: &str) -> (Run, Result<Status, sockless_core::Fault>) {
    let mut run = Run::begun(&with_credentials());
    assert_eq!(
        run.sent(),
        CONNECT,
        "nothing is sent before it is asked for"
    );
    let status = run.hear(format!("HTTP/1.1 407 Auth\r\n{fields}\r\n{rest}"));
    (run, status)
}

#[test]
fn again_on_the_same_connection() {
    let bodies = [
        ("Content-Length: 0\r\n", ""),
        ("Content-Length: 5\r\n", "hello"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        (
            "Transfer-Encoding: chunked\r\n",
            "5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
        ),
        (
            "Content-Length: 19\r\nProxy-Connection: keep-alive\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
        ),
    ];
    for (framing, body) in bodies {
        let (mut run, status) = challenged(&format!("{BASIC}{framing}"), body);
        assert_eq!(
            status.expect("the proxy keeps the connection"),
            Status::Stay,
            "{framing}"
        );
        let field = "Proxy-Authorization: Basic TXVmYXNhOkNpcmNsZSBvZiBMaWZl\r\n";
        assert_eq!(
            run.sent(),
            CONNECT.replace("\r\n\r\n", &format!("\r\n{field}\r\n"))
        );
        assert_eq!(
            run.hear("HTTP/1.1 200 OK\r\n\r\nabove").unwrap(),
            Status::Leave
        );
        assert_eq!(run.left(), "above");
    }
}

#[test]
fn the_body_is_waited_for() {
    let (mut run, status) = challenged(&format!("{BASIC}Content-Length: 5\r\n"), "hell");
    assert_eq!(status.unwrap(), Status::Stay);
    assert_eq!(run.sent(), "", "the body has not ended");
    run.hear_some("o");
    assert!(run.sent().contains("Proxy-Authorization: Basic "));
}

#[test]
fn digest_covers_method_and_target() {
    let (mut run, status) = challenged(&format!("{DIGEST}Content-Length: 0\r\n"), "");
    assert_eq!(status.unwrap(), Status::Stay);
    let sent = run.sent();
    assert!(sent.contains("\r\nProxy-Authorization: Digest username=\"Mufasa\", realm=\"x\", "));
    assert!(
        sent.contains(", uri=\"example.com:443\", qop=auth, nc=00000001, "),
        "{sent}"
    );
}

/// The proxy closes: the engine starts over, and the authenticator knows the challenge then.
#[test]
fn again_on_another_connection() {
    let closing = [
        format!("HTTP/1.1 407 A\r\n{DIGEST}Connection: close\r\nContent-Length: 0\r\n\r\n"),
        format!("HTTP/1.1 407 A\r\n{DIGEST}Proxy-Connection: close\r\nContent-Length: 0\r\n\r\n"),
        format!("HTTP/1.0 407 A\r\n{DIGEST}Content-Length: 0\r\n\r\n"),
        format!("HTTP/1.1 407 A\r\n{DIGEST}\r\nuntil the end"),
        format!("HTTP/1.1 407 A\r\n{DIGEST}Content-Length: 70000\r\n\r\n"),
        format!("HTTP/1.1 407 A\r\n{DIGEST}Content-Length: 0\r\n\r\nand something unasked"),
        format!(
            "HTTP/1.1 407 A\r\n{DIGEST}Transfer-Encoding: chunked\r\n\r\n20000\r\n{}",
            "x".repeat(70_000)
        ),
    ];
    for answer in closing {
        let tunnel = with_credentials();
        let mut run = Run::begun(&tunnel);
        run.sent();
        let fault = run.hear(&answer).expect_err("this connection is lost");
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::Transport, Reason::Reopen),
            "{answer}"
        );
        assert!(fault.what.contains("proxy squid:3128"), "{}", fault.what);
        assert_eq!(run.sent(), "");

        let mut second = Run::begun(&tunnel);
        assert!(second.sent().contains("Proxy-Authorization: Digest "));
        assert_eq!(
            second.hear("HTTP/1.0 200 OK\r\n\r\n").unwrap(),
            Status::Leave
        );
    }
}

#[test]
fn http10_with_keep_alive_stays() {
    for field in [
        "Connection: keep-alive\r\n",
        "Proxy-Connection: Keep-Alive\r\n",
    ] {
        let mut run = Run::begun(&tunnel().http10().authenticator(shared(mufasa())));
        run.sent();
        run.hear_some(format!(
            "HTTP/1.0 407 A\r\n{BASIC}{field}Content-Length: 0\r\n\r\n"
        ));
        assert!(
            run.sent()
                .starts_with("CONNECT example.com:443 HTTP/1.0\r\n")
        );
    }
}

/// It said that it would go on, and does not.
#[test]
fn a_proxy_that_closes_after_its_challenge() {
    for body in ["", "hel", "hello"] {
        let (mut run, status) = challenged(&format!("{BASIC}Content-Length: 5\r\n"), body);
        assert_eq!(status.unwrap(), Status::Stay);
        assert_eq!(run.end().reason, Reason::Reopen, "{body:?}");
    }
    let chunked = format!("{BASIC}Transfer-Encoding: chunked\r\n");
    for body in ["", "5\r\nhe", "5\r\nhello\r\n", "0\r\n", "0\r\nA: b"] {
        let (mut run, status) = challenged(&chunked, body);
        assert_eq!(status.unwrap(), Status::Stay);
        assert_eq!(run.end().reason, Reason::Reopen, "{body:?}");
    }
    let (mut run, _) = challenged(&format!("{BASIC}Content-Length: 0\r\n"), "");
    run.hear_some("HTTP/1.1 20");
    assert_eq!(run.end().reason, Reason::Proxy, "an answer has begun");
}

#[test]
fn nothing_is_sent_to_a_proxy_that_has_closed() {
    let mut run = Run::begun(&with_credentials());
    run.sent();
    run.net_in.push(
        format!("HTTP/1.1 407 A\r\n{BASIC}Content-Length: 0\r\n\r\n")
            .into_bytes()
            .into(),
    );
    assert_eq!(run.end().reason, Reason::Reopen);
    assert_eq!(run.sent(), "");
}

#[test]
fn interim_answers_are_counted_for_each_request() {
    let interim = "HTTP/1.1 103 Wait\r\n\r\n".repeat(16);
    let mut run = Run::begun(&with_credentials());
    let asked = format!("HTTP/1.1 407 A\r\n{BASIC}Content-Length: 0\r\n\r\n");
    run.hear_some(format!("{interim}{asked}"));
    let open = format!("{interim}HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(run.hear(open).unwrap(), Status::Leave);
}

#[test]
fn refused_credentials_end_it() {
    for challenge in [BASIC, DIGEST] {
        let asked = format!("HTTP/1.1 407 A\r\n{challenge}Content-Length: 0\r\n\r\n");
        let mut run = Run::begun(&with_credentials());
        run.hear_some(&asked);
        let fault = run.hear(&asked).unwrap_err();
        assert_eq!(fault.reason, Reason::Authentication);
        assert!(
            fault
                .what
                .starts_with("proxy squid:3128: the credentials were refused (")
        );
        assert!(fault.remedy.is_some());
    }
}

/// The same where each answer goes over a connection of its own: two are enough to know.
#[test]
fn refused_credentials_end_it_over_several_connections_too() {
    for challenge in [BASIC, DIGEST] {
        let asked = format!("HTTP/1.0 407 A\r\n{challenge}\r\n");
        let tunnel = with_credentials();
        let mut reasons = Vec::new();
        for _ in 0..2 {
            reasons.push(Run::begun(&tunnel).hear(&asked).unwrap_err().reason);
        }
        assert_eq!(reasons, [Reason::Reopen, Reason::Authentication]);
    }
}

#[test]
fn stale_nonces_without_end() {
    let tunnel = with_credentials();
    let mut run = Run::begun(&tunnel);
    let mut rounds = 0;
    let fault = loop {
        rounds += 1;
        assert!(rounds < 20, "it goes on for ever");
        let asked = format!(
            "HTTP/1.1 407 A\r\nProxy-Authenticate: Digest realm=r, nonce=n{rounds}, qop=auth, \
             stale=true\r\nContent-Length: 0\r\n\r\n"
        );
        if let Err(fault) = run.hear(asked) {
            break fault;
        }
    };
    assert_eq!(fault.reason, Reason::Authentication);
}

#[test]
fn a_scheme_that_is_not_allowed() {
    let safe = tunnel().authenticator(shared(mufasa().allow(Schemes::SAFE)));
    let mut run = Run::begun(&safe);
    run.sent();
    let asked = format!("HTTP/1.1 407 A\r\n{BASIC}Content-Length: 0\r\n\r\n");
    let fault = run.hear(asked).unwrap_err();
    assert_eq!(fault.reason, Reason::Authentication);
    assert_eq!(run.sent(), "", "no password for it");
}

#[test]
fn a_body_that_cannot_be_told() {
    let framings = [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: x\r\n",
        "Transfer-Encoding: gzip\r\n",
    ];
    for framing in framings {
        let (_, status) = challenged(&format!("{BASIC}{framing}"), "");
        let fault = status.expect_err("nobody knows where the next answer begins");
        assert_eq!(fault.reason, Reason::Proxy, "{framing}");
    }
    let (_, status) = challenged(&format!("{BASIC}Transfer-Encoding: chunked\r\n"), "x\r\n");
    assert_eq!(status.unwrap_err().reason, Reason::Proxy);
}

/// Whoever sits between and cannot know the password cannot open the tunnel either.
#[test]
fn a_wrong_proof_is_no_tunnel() {
    let (mut run, _) = challenged(&format!("{DIGEST}Content-Length: 0\r\n"), "");
    let answer = "HTTP/1.1 200 OK\r\nProxy-Authentication-Info: rspauth=\"00\"\r\n\r\n";
    let fault = run.hear(answer).unwrap_err();
    assert_eq!(
        (fault.culprit, fault.reason),
        (Culprit::PeerMisbehaved, Reason::Authentication)
    );
    assert!(
        fault
            .what
            .contains("proxy squid:3128: the answer's rspauth is wrong")
    );
}

/// Steps of a context go over one connection.
#[test]
fn several_steps_on_the_same_connection() {
    let (tunnel, step) = (with_ticket(), "Proxy-Authenticate: Negotiate");
    let mut run = Run::begun(&tunnel);
    run.sent();
    for (token, answer) in [("", "MQ=="), (" eA==", "Mg=="), (" eQ==", "Mw==")] {
        run.hear_some(format!(
            "HTTP/1.1 407 A\r\n{step}{token}\r\nContent-Length: 0\r\n\r\n"
        ));
        let field = format!("\r\nProxy-Authorization: Negotiate {answer}\r\n");
        assert!(run.sent().contains(&field));
    }
    let last = format!("HTTP/1.1 200 OK\r\n{step} eg==\r\n\r\n");
    assert_eq!(run.hear(last).unwrap(), Status::Leave);
}

#[test]
fn a_proxy_that_closes_between_two_steps() {
    let tunnel = with_ticket();
    let closing =
        |token: &str| format!("HTTP/1.0 407 A\r\nProxy-Authenticate: Negotiate{token}\r\n\r\n");
    assert_eq!(
        Run::begun(&tunnel).hear(closing("")).unwrap_err().reason,
        Reason::Reopen
    );
    let mut run = Run::begun(&tunnel);
    assert!(
        run.sent().contains("Negotiate MQ=="),
        "the scheme is known by now"
    );
    let fault = run.hear(closing(" eA==")).unwrap_err();
    assert_eq!(fault.reason, Reason::Authentication);
    assert!(
        fault
            .what
            .contains("squid:3128 closes the connection between two steps")
    );
}

#[test]
fn connections_share_a_nonce_and_count_its_use() {
    let tunnel = with_credentials();
    let mut first = Run::begun(&tunnel);
    first.hear_some(format!(
        "HTTP/1.1 407 A\r\n{DIGEST}Content-Length: 0\r\n\r\n"
    ));
    assert!(first.sent().contains("nc=00000001"));
    assert!(Run::begun(&tunnel).sent().contains("nc=00000002"));
    assert!(Run::begun(&tunnel.clone()).sent().contains("nc=00000003"));
}
