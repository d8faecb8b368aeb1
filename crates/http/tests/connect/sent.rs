//! What the proxy gets, and what is no tunnel at all.

use sockless_core::{Buf, Note, Pipe, Reason, Status};
use sockless_http::Tunnel;

use crate::run::{CONNECT, Run, mufasa, shared, tunnel};

/// The request for a tunnel.
fn request(tunnel: &Tunnel) -> String {
    Run::begun(tunnel).sent()
}

#[test]
fn the_request() {
    assert_eq!(request(&tunnel()), CONNECT);
    let more = tunnel()
        .field("User-Agent", "sockless")
        .unwrap()
        .field("X-A", " b ")
        .unwrap();
    let fields = "User-Agent: sockless\r\nX-A: b\r\n\r\n";
    assert_eq!(
        request(&more),
        CONNECT.replace("\r\n\r\n", &format!("\r\n{fields}"))
    );
    assert_eq!(request(&tunnel().http10()), CONNECT.replace("1.1", "1.0"));
}

#[test]
fn addresses() {
    for (host, authority) in [
        ("192.0.2.1", "192.0.2.1:8"),
        ("2001:db8::1", "[2001:db8::1]:8"),
    ] {
        let tunnel = Tunnel::new("squid", host, 8).unwrap();
        let expected = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        assert_eq!(request(&tunnel), expected);
    }
}

#[test]
fn preemptive_credentials_and_fields_of_ones_own() {
    let basic = tunnel().authenticator(shared(mufasa().preemptive()));
    let sent = request(&basic);
    let field = "Proxy-Authorization: Basic TXVmYXNhOkNpcmNsZSBvZiBMaWZl\r\n";
    assert_eq!(
        sent,
        CONNECT.replace("\r\n\r\n", &format!("\r\n{field}\r\n"))
    );

    let own = basic.field("proxy-authorization", "Own secret").unwrap();
    let sent = request(&own);
    assert!(sent.contains("\r\nproxy-authorization: Own secret\r\n") && !sent.contains("Basic"));
    assert!(!format!("{own:?}").contains("secret"), "{own:?}");
}

#[test]
fn nothing_can_be_injected() {
    let long = "a".repeat(256);
    let hosts = [
        "",
        "a b",
        "a\r\nEvil: yes",
        "a\nb",
        "a\0",
        "a/b",
        "a@b",
        "a#b",
        "a?b",
        "a:443",
        "[::1]",
        "::1%eth0",
        "::1\r\n",
        "\u{e4}",
        long.as_str(),
    ];
    for host in hosts {
        let fault = Tunnel::new("squid", host, 443).unwrap_err();
        assert_eq!(fault.reason, Reason::BadRequest, "{host:?}");
        assert!(!fault.what.contains(['\r', '\n', '\0']), "{host:?}");
    }
    assert!(Tunnel::new("squid", "a", 0).is_err());
    assert!(Tunnel::new("squid\r\n", "a", 1).is_err());
    let fields = [
        ("A", "b\r\nEvil: yes"),
        ("A", "b\nc"),
        ("A", "b\0"),
        ("A b", "c"),
        ("A:", "b"),
        ("", "b"),
        ("A\r\nEvil", "yes"),
        ("Host", "other"),
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
    ];
    for (name, value) in fields {
        let fault = tunnel().field(name, value).unwrap_err();
        assert_eq!(fault.reason, Reason::BadRequest, "{name:?}");
    }
}

#[test]
fn it_waits_for_room() {
    let mut run = Run::new(&tunnel());
    run.net_out = Pipe::new(1);
    run.net_out.push(Buf::from(&b"x"[..]));
    assert_eq!(run.pump().unwrap(), Status::Stay);
    assert_eq!(run.sent(), "x");
    run.pump().unwrap();
    assert_eq!(run.sent(), CONNECT);
}

#[test]
fn notes_have_both_heads_without_secrets() {
    let tunnel = tunnel().field("Cookie", "own secret").unwrap();
    let mut run = Run::begun(&tunnel.authenticator(shared(mufasa().preemptive())));
    run.hear("HTTP/1.1 200 Fine\r\n\r\nabove").unwrap();
    let text = |note: &Note| match note {
        Note::Bytes { sent, body, bytes } => {
            format!("{sent} {body} {}", String::from_utf8_lossy(bytes))
        }
        Note::Info { layer, text } => format!("{layer}: {text}"),
        other => panic!("unexpected {other:?}"),
    };
    let head = "Proxy-Authorization: [redacted]\r\nCookie: [redacted]\r\n\r\n";
    let expected = [
        format!(
            "true false {}",
            CONNECT.replace("\r\n\r\n", &format!("\r\n{head}"))
        ),
        "false false HTTP/1.1 200 Fine\r\n\r\n".to_owned(),
        "connect: the tunnel to example.com:443 through proxy squid:3128 is open".to_owned(),
    ];
    assert_eq!(run.notes.iter().map(text).collect::<Vec<_>>(), expected);
}

#[test]
fn keys_differ_with_whatever_the_proxy_sees() {
    let base = tunnel().layer_key();
    assert_eq!(base, tunnel().layer_key());
    assert_eq!(
        (base.layer, &*base.verified_name),
        ("connect", "example.com:443")
    );
    let others = [
        Tunnel::new("squid:3128", "example.com", 444).unwrap(),
        tunnel().http10(),
        tunnel().field("A", "b").unwrap(),
        tunnel().authenticator(shared(mufasa())),
        tunnel().authenticator(shared(mufasa().seed(8))),
    ];
    let mut keys: Vec<_> = others.iter().map(Tunnel::layer_key).collect();
    keys.push(base);
    for (at, key) in keys.iter().enumerate() {
        assert!(!keys[..at].contains(key), "{key:?}");
    }
}
