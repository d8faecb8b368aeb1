//! Proxies: by which options and variables, in which forms, and what their failures come to.

use crate::peer::{Peer, Reply, answer, ok};
use crate::way::Way;
use crate::{Ran, command, finished, folder, run};

fn open(_: &str) -> Result<(), String> {
    Ok(())
}

fn refused(status: &'static str) -> Way {
    Way::connect(move |_| Err(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")))
}

/// Runs the command quietly with these variables.
fn with(variables: &[(&str, &str)], args: &[&str]) -> Ran {
    let mut command = command(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")), &["-sS"]);
    command.args(["-m", "30"]).args(args);
    command.envs(variables.iter().copied());
    finished(command)
}

fn quiet(args: &[&str]) -> Ran {
    with(&[], args)
}

#[test]
fn an_http_proxy_is_handed_requests_for_http() {
    let proxy = Peer::saying(&ok(b"through"));
    let at = format!("127.0.0.1:{}", proxy.port());
    let field = ["--proxy-header", "X-Proxy: yes"];
    let ran = quiet(&[
        "-x",
        &at,
        "-U",
        "me:pw",
        "http://origin.example/a",
        field[0],
        field[1],
    ]);
    assert_eq!(ran.ok().text(), "through");
    let heard = proxy.heard();
    assert_eq!(heard.line(), "GET http://origin.example/a HTTP/1.1");
    assert_eq!(heard.field("host"), Some("origin.example"));
    assert_eq!(heard.field("proxy-authorization"), Some("Basic bWU6cHc="));
    assert_eq!(heard.field("x-proxy"), Some("yes"));
}

#[test]
fn a_tunnel_shows_in_notes_and_in_write_out() {
    let (proxy, origin) = (Way::connect(open), Peer::saying(&ok(b"through")));
    let at = proxy.place();
    let field = ["--proxy-header", "X-Proxy: yes"];
    let url = origin.url("/a");
    let ran = quiet(&[
        "-v",
        "-p",
        "-x",
        &at,
        &url,
        "-w",
        " %{http_connect}",
        field[0],
        field[1],
    ]);
    let ran = ran.ok();
    assert_eq!(ran.text(), "through 200");
    let asked = proxy.asked();
    assert!(asked.starts_with(&format!("CONNECT 127.0.0.1:{} HTTP/1.1\r\n", origin.port())));
    assert!(asked.contains("X-Proxy: yes\r\n"), "{asked}");
    assert_eq!(origin.heard().field("x-proxy"), None);
    for line in [
        "> CONNECT 127.0.0.1:",
        "< HTTP/1.1 200 Connection",
        "* Stack: http / ",
    ] {
        assert!(ran.err.contains(line), "no {line:?} in {}", ran.err);
    }
    // Without -v it is known as well.
    let ran = quiet(&[
        "-p",
        "-x",
        &at,
        &url,
        "-o",
        "/dev/null",
        "-w",
        "%{http_connect}",
    ]);
    assert_eq!((ran.code, ran.text(), ran.err.as_str()), (0, "200", ""));
    let ran = quiet(&["--proxy1.0", &at, "-p", &url]).ok();
    assert_eq!(ran.text(), "through");
    proxy.asked();
    assert!(proxy.asked().contains(" HTTP/1.0\r\n"));
}

#[test]
fn refusals_of_http_proxies_are_56() {
    for (status, words) in [("403 Forbidden", "403"), ("407 Who", "407")] {
        let proxy = refused(status);
        let at = proxy.place();
        let ran = quiet(&[
            "-p",
            "-x",
            &at,
            "http://origin.example/",
            "-w",
            "%{http_connect}",
        ]);
        assert_eq!(ran.code, 56, "{}", ran.err);
        assert!(
            ran.err.contains("connect (") && ran.err.contains(words),
            "{}",
            ran.err
        );
        assert_eq!(ran.text(), words);
    }
}

#[test]
fn digest_is_spoken_to_proxies() {
    let challenge = "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"b\"\r\n\
                     Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n\
                     Content-Length: 0\r\n\r\n";
    for option in ["--proxy-digest", "--proxy-anyauth"] {
        let proxy =
            Way::connect(
                move |head| match head.contains("\r\nProxy-Authorization: Digest ") {
                    true => Ok(()),
                    false => Err(challenge.to_owned()),
                },
            );
        let origin = Peer::saying(&ok(b"through"));
        let at = format!("http://me:pw@{}", proxy.place());
        let ran = quiet(&["-v", option, "-p", "-x", &at, &origin.url("/")]).ok();
        assert_eq!(ran.text(), "through");
        assert!(!proxy.asked().contains("Proxy-Authorization"));
        assert!(!ran.err.contains("response="), "{}", ran.err);
        assert_eq!(origin.heard().field("proxy-authorization"), None);
    }
}

#[test]
fn socks_proxies_resolve_where_they_are_told_to() {
    let (proxy, origin) = (Way::socks5(None), Peer::saying(&ok(b"through")));
    let (at, port) = (proxy.place(), origin.port());
    let url = format!("http://origin.example:{port}/");
    assert_eq!(
        quiet(&["--socks5-hostname", &at, &url]).ok().text(),
        "through"
    );
    assert_eq!(proxy.asked(), format!("origin.example:{port}"));
    let known = format!("origin.example:{port}:127.0.0.1");
    let ran = quiet(&["--socks5", &at, "--resolve", &known, &url]);
    assert_eq!(ran.ok().text(), "through");
    assert_eq!(proxy.asked(), format!("127.0.0.1:{port}"));
}

#[test]
fn socks_refusals_are_97() {
    let (proxy, origin) = (
        Way::socks5(Some(("me", "pw"))),
        Peer::saying(&ok(b"through")),
    );
    let at = proxy.place();
    let url = origin.url("/");
    assert_eq!(
        quiet(&["--socks5", &at, "-U", "me:pw", &url]).ok().text(),
        "through"
    );
    let named = format!("socks5h://me:pw@{at}");
    assert_eq!(quiet(&["-x", &named, &url]).ok().text(), "through");
    for wrong in [&["-U", "me:topsecret"][..], &[]] {
        let ran = quiet(&[&["--socks5", &at, &url], wrong].concat());
        assert_eq!(ran.code, 97, "{}", ran.err);
        assert!(!ran.err.contains("topsecret"), "{}", ran.err);
    }
    let ran = quiet(&["-x", &named, "http://forbidden.example/"]);
    assert_eq!(ran.code, 97, "{}", ran.err);
    assert!(ran.err.contains("socks5 ("), "{}", ran.err);
}

#[test]
fn proxies_make_chains() {
    let (first, second) = (Way::socks5(None), Way::connect(open));
    let origin = Peer::saying(&ok(b"through"));
    let preproxy = format!("socks5://{}", first.place());
    let ran = quiet(&[
        "--preproxy",
        &preproxy,
        "-p",
        "-x",
        &second.place(),
        &origin.url("/"),
    ]);
    assert_eq!(ran.ok().text(), "through");
    assert_eq!(first.asked(), second.place());
    assert!(second.asked().contains(&origin.port().to_string()));
}

#[test]
fn the_environment_counts_where_no_option_speaks() {
    let (proxy, other) = (Peer::saying(&ok(b"proxy")), Peer::saying(&ok(b"other")));
    let (at, at_other) = (proxy.url(""), other.url(""));
    let url = other.url("/");
    let said = |variables: &[(&str, &str)], args: &[&str]| {
        let ran = with(variables, &[args, &[&url]].concat()).ok();
        ran.text().to_owned()
    };
    let proxied = ("http_proxy", at.as_str());
    assert_eq!(said(&[proxied], &[]), "proxy");
    assert_eq!(said(&[("ALL_PROXY", &at)], &[]), "proxy");
    assert_eq!(
        said(&[("http_proxy", ""), ("all_proxy", &at)], &[]),
        "proxy"
    );
    // A CGI program's variable says what a client sent as the field Proxy.
    assert_eq!(said(&[("HTTP_PROXY", &at)], &[]), "other");
    assert_eq!(said(&[proxied, ("no_proxy", "127.0.0.0/8")], &[]), "other");
    assert_eq!(said(&[proxied, ("NO_PROXY", "127.0.0.1")], &[]), "other");
    assert_eq!(
        said(&[proxied, ("no_proxy", "*")], &["--noproxy", "else"]),
        "proxy"
    );
    assert_eq!(said(&[proxied], &["--noproxy", "127.0.0.1"]), "other");
    assert_eq!(said(&[proxied], &["-x", ""]), "other");
    assert_eq!(said(&[proxied], &["-x", &at_other]), "other");
}

#[test]
fn proxies_that_cannot_be_reached_have_curls_numbers() {
    for (proxy, code) in [
        ("http://nonesuch.invalid:1", 5),
        ("http://h:99999999", 5),
        ("ftp://h:1", 7),
        ("http://127.0.0.1:1", 7),
    ] {
        let ran = quiet(&["-x", proxy, "http://origin.example/"]);
        assert_eq!(ran.code, code, "{proxy}: {}", ran.err);
    }
    let ran = quiet(&[
        "-x",
        "http://me:topsecret@h:99999999",
        "http://origin.example/",
    ]);
    assert!(!ran.err.contains("topsecret"), "{}", ran.err);
    let at = Way::socks5(None).place();
    let ran = quiet(&["--socks5", &at, "http://nonesuch.invalid/"]);
    assert_eq!(ran.code, 6, "{}", ran.err);
}

#[test]
fn connections_can_begin_with_whose_they_are() {
    let origin = Peer::saying(&ok(b"seen"));
    let url = origin.url("/");
    quiet(&["--haproxy-protocol", &url]).ok();
    assert!(origin.heard().head.starts_with("PROXY UNKNOWN\r\nGET / "));
    quiet(&["--haproxy-clientip", "192.0.2.7", &url]).ok();
    let head = origin.heard().head;
    let line = format!(
        "PROXY TCP4 192.0.2.7 127.0.0.1 0 {}\r\nGET / ",
        origin.port()
    );
    assert!(head.starts_with(&line), "{head}");
    assert_eq!(quiet(&["--haproxy-clientip", "name", &url]).code, 2);
}

#[test]
fn digest_is_spoken_to_servers() {
    let origin = Peer::new(|heard| {
        let fields = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
        Reply::Keep(match heard.field("authorization") {
            Some(value) if value.starts_with("Digest ") => ok(b"welcome"),
            _ => answer("401 Who", fields, b"who?"),
        })
    });
    let url = origin.url("/");
    for option in ["--digest", "--anyauth"] {
        let ran = quiet(&["-i", option, "-u", "me:pw", &url]).ok();
        let text = ran.text();
        assert!(text.starts_with("HTTP/1.1 401 Who\r\n") && text.ends_with("\r\n\r\nwelcome"));
        assert!(!text.contains("who?"), "{text}");
    }
    let with_user = url.replace("http://", "http://me:pw@");
    assert_eq!(quiet(&["--digest", &with_user]).ok().text(), "welcome");
    // The last answer is delivered as it is, with exit code 0.
    let ran = quiet(&["--basic", "-u", "me:pw", &url]).ok();
    assert_eq!(ran.text(), "who?");
}

#[test]
fn tokens_and_files_say_who_we_are() {
    let origin = Peer::saying(&ok(b""));
    let url = origin.url("/");
    let sent = |args: &[&str]| {
        quiet(args).ok();
        origin.heard().field("authorization").map(str::to_owned)
    };
    let bearer = sent(&["--oauth2-bearer", "to.ken", &url]);
    assert_eq!(bearer.as_deref(), Some("Bearer to.ken"));
    let home = folder("netrc");
    let file = home.join(".netrc");
    std::fs::write(&file, "machine 127.0.0.1 login me password pw\n").expect("a file");
    let file = file.display().to_string();
    let basic = Some("Basic bWU6cHc=".to_owned());
    assert_eq!(sent(&["--netrc-file", &file, &url]), basic);
    let with_user = url.replace("http://", "http://a:b@");
    assert_eq!(sent(&["--netrc-file", &file, &with_user]), basic);
    let own = Some("Basic YTpi".to_owned());
    assert_eq!(
        sent(&["--netrc-file", &file, "--netrc-optional", &with_user]),
        own
    );
    assert_eq!(sent(&["--netrc-file", &file, "-u", "a:b", &url]), own);
    let home = home.display().to_string();
    with(&[("HOME", &home)], &["-n", &url]).ok();
    assert_eq!(origin.heard().field("authorization"), basic.as_deref());
    assert_eq!(quiet(&["--netrc-file", "/nonexistent", &url]).code, 26);
    assert_eq!(
        sent(&["--netrc-file", "/nonexistent", "--netrc-optional", &url]),
        None
    );
    assert_eq!(run(&["--netrc-file", "/dev/null", "-sS", &url]).code, 0);
}
