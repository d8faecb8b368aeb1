//! The servers themselves, looked at by Debian's `curl` command.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own sockets, files, clocks and processes"
)]

mod abandoned;
mod hostile;
mod kerberos;
mod proxies;
mod shells;
mod ssh;

use std::path::Path;
use std::process::Command;

use sockless_tests::content;
use sockless_tests::faults;
use sockless_tests::servers::{Host, PASSWORD, Servers, USER, shared};

/// Runs curl and gives its exit code and what it printed.
fn curl(args: &[&str]) -> (i32, Vec<u8>) {
    let output = Command::new("curl")
        .args(["-q", "-s", "-m", "20", "--noproxy", "*"])
        .args(args)
        .output()
        .expect("curl is installed");
    (output.status.code().unwrap_or(-1), output.stdout)
}

/// What a successful curl printed, as text.
fn text(args: &[&str]) -> String {
    let (code, body) = curl(args);
    assert_eq!(code, 0, "curl {args:?}");
    String::from_utf8(body).expect("text")
}

#[test]
fn every_file_arrives_over_every_framing() {
    let nginx = shared();
    for prefix in ["/", "/gzip/", "/chunked/", "/until-close/", "/close/"] {
        for (name, length) in &content::FILES[..3] {
            let url = nginx.http_url(&format!("{prefix}{name}"));
            let (code, body) = curl(&["--compressed", &url]);
            assert_eq!((code, body.len() as u64), (0, *length), "{url}");
            assert_eq!(content::check(0, &body), Ok(()), "{url}");
        }
    }
}

#[test]
fn framings_are_what_they_are_called() {
    let nginx = shared();
    let head = |path: &str| {
        text(&[
            "-D",
            "-",
            "-o",
            "/dev/null",
            "--compressed",
            &nginx.http_url(path),
        ])
    };
    assert!(head("/gzip/text").contains("Content-Encoding: gzip"));
    assert!(head("/chunked/1m").contains("Transfer-Encoding: chunked"));
    let until_close = head("/until-close/1m");
    assert!(!until_close.contains("Transfer-Encoding") && !until_close.contains("Content-Length"));
    assert!(head("/close/1k").contains("Connection: close"));
}

#[test]
fn uploads_are_stored_as_sent() {
    let nginx = shared();
    let folder = std::env::temp_dir().join(format!("sockless-upload-{}", std::process::id()));
    content::write_file(&folder, 1 << 20).expect("a temporary file");
    let name = folder.to_str().expect("a path in UTF-8");
    let (code, _) = curl(&[
        "-f",
        "-T",
        name,
        &nginx.https_url("/upload/deep/down"),
        "-k",
    ]);
    std::fs::remove_file(&folder).expect("it is there");
    assert_eq!(code, 0, "{}", nginx.error_log());
    assert_eq!(
        content::check_file(&nginx.uploaded("deep/down"), 1 << 20),
        Ok(())
    );
}

#[test]
fn each_certificate_is_refused_for_its_reason() {
    let nginx = shared();
    let ca = nginx.ca_pem();
    let ca = ca.to_str().expect("a path in UTF-8");
    for host in [Host::Https, Host::Tls12, Host::Tls13] {
        assert_eq!(
            curl(&["--cacert", ca, &nginx.url(host, "/1k")]).0,
            0,
            "{host:?}"
        );
    }
    for host in [Host::Expired, Host::SelfSigned, Host::WrongName] {
        assert_eq!(
            curl(&["--cacert", ca, &nginx.url(host, "/1k")]).0,
            60,
            "{host:?}"
        );
        assert_eq!(
            curl(&["-k", &nginx.url(host, "/1k")]).0,
            0,
            "{host:?} unchecked"
        );
    }
    let other = nginx.other_ca_pem();
    let other = other.to_str().expect("a path in UTF-8");
    assert_eq!(curl(&["--cacert", other, &nginx.https_url("/1k")]).0, 60);
}

#[test]
fn certificates_were_valid_once() {
    let nginx = shared();
    let folder = nginx
        .ca_pem()
        .parent()
        .map(Path::to_owned)
        .expect("a folder");
    let output = Command::new("openssl")
        .args(["x509", "-noout", "-dates", "-in", "expired.pem"])
        .current_dir(folder)
        .output()
        .expect("openssl is installed");
    let dates = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(dates.contains("notBefore=Jan  1 00:00:00 2020"), "{dates}");
    assert!(dates.contains("notAfter=Feb  1 00:00:00 2020"), "{dates}");
}

#[test]
fn versions_and_client_certificates_are_enforced() {
    let nginx = shared();
    let tls = |host, args: &[&str]| text(&[&["-k", &nginx.url(host, "/tls")], args].concat());
    assert_eq!(tls(Host::Tls12, &[]), "TLSv1.2 \n");
    assert_eq!(tls(Host::Tls13, &[]), "TLSv1.3 \n");
    let (certificate, key) = nginx.client_pem();
    let paths = [certificate.to_str(), key.to_str()].map(|path| path.expect("a path in UTF-8"));
    let with = tls(
        Host::ClientCertificate,
        &["--cert", paths[0], "--key", paths[1]],
    );
    assert_eq!(with, "TLSv1.3 CN=client\n");
    let without = text(&[
        "-k",
        "-w",
        "%{http_code}",
        "-o",
        "/dev/null",
        &nginx.url(Host::ClientCertificate, "/tls"),
    ]);
    assert_eq!(without, "400");
}

#[test]
fn what_was_sent_can_be_seen() {
    let nginx = shared();
    let url = |path: &str| nginx.http_url(path);
    assert_eq!(
        text(&["-X", "POST", "-H", "X: y", "-d", "12345", &url("/echo")]),
        "POST 5 y\n"
    );
    assert_eq!(text(&["-d", "a body", &url("/echo-body")]), "a body");
    let seen = text(&[
        "-A",
        "me",
        "-b",
        "a=b",
        "-r",
        "2-3",
        "-X",
        "DELETE",
        &url("/request?q"),
    ]);
    assert_eq!(seen, "DELETE /request?q HTTP/1.1|me||a=b||bytes=2-3\n");
    assert_eq!(
        text(&[&url("/requests-so-far"), &url("/requests-so-far")]),
        "1\n2\n"
    );
}

#[test]
fn redirects_lead_where_they_say() {
    let nginx = shared();
    let url = |path: &str| nginx.http_url(path);
    assert_eq!(text(&["-L", &url("/redirect/10")]), "arrived by GET\n");
    assert_eq!(
        text(&["-L", &url("/redirect/relative")]),
        "arrived by GET\n"
    );
    assert!(text(&["-Lk", &url("/redirect/to-https")]).starts_with("GET /request"));
    assert_eq!(curl(&["-L", &url("/loop")]).0, 47);
    assert_eq!(curl(&["-f", &url("/status/503")]).0, 22);
    assert_eq!(curl(&["-f", &url("/auth/1k")]).0, 22);
    assert_eq!(curl(&["-f", "-u", "alice:secret", &url("/auth/1k")]).0, 0);
    assert_eq!(curl(&["--compressed", &url("/broken-gzip")]).0, 61);
}

#[test]
fn the_unix_socket_serves_the_same() {
    let Some(socket) = shared().unix_socket() else {
        return; // The checkout's path is too long for one.
    };
    let socket = socket.to_str().expect("a path in UTF-8");
    assert_eq!(
        text(&["--unix-socket", socket, "http://localhost/echo"]),
        "GET  \n"
    );
}

#[test]
fn apache_serves_the_same_files() {
    let running = Servers::start(&["apache"]).expect("it starts");
    let apache = running.apache();
    for (path, coding) in [
        ("/text", None),
        ("/gzip/text", Some("gzip")),
        ("/brotli/text", Some("br")),
    ] {
        let url = apache.http_url(path);
        let answer = text(&["-i", "--compressed", &url]);
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert_eq!(body, content::text(), "{url}");
        let named = coding.map(|coding| format!("Content-Encoding: {coding}"));
        assert!(
            named.is_none_or(|named| head.contains(&named)),
            "{url}: {head}"
        );
    }
}

#[test]
fn apache_asks_for_passwords() {
    let running = Servers::start(&["apache"]).expect("it starts");
    let apache = running.apache();
    let login = format!("{USER}:{PASSWORD}");
    let status = |args: &[&str], url: &str| {
        let fixed = ["-o", "/dev/null", "-w", "%{http_code}", url];
        text(&[&fixed, args].concat())
    };
    for (option, path) in [("--basic", "/basic/1k"), ("--digest", "/digest/1k")] {
        let url = apache.http_url(path);
        assert_eq!(status(&[option, "-u", &login], &url), "200", "{path}");
        assert_eq!(status(&[option, "-u", "alice:x"], &url), "401", "{path}");
        assert_eq!(status(&[], &url), "401", "{path}");
    }
    let digest = apache.http_url("/digest/1k");
    assert_eq!(status(&["--basic", "-u", &login], &digest), "401");
}

#[test]
fn nothing_is_left_when_a_server_is_dropped() {
    let running = Servers::start(&["nginx"]).expect("it starts");
    let (pid, ca) = (running.nginx().pid(), running.nginx().ca_pem());
    assert!(Path::new(&format!("/proc/{pid}")).exists() && ca.exists());
    drop(running);
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the process");
    assert!(!ca.exists(), "its folder");
}

#[test]
fn a_server_outlives_the_thread_that_started_it() {
    let running = std::thread::scope(|scope| {
        scope
            .spawn(|| Servers::start(&["nginx"]).expect("it starts"))
            .join()
            .expect("no panic")
    });
    assert_eq!(text(&[&running.nginx().http_url("/echo")]), "GET  \n");
}

#[test]
fn a_failing_start_says_why() {
    let error = Servers::start(&["nonesuch"]).expect_err("there is no such server");
    assert!(error.to_string().contains("nonesuch"), "{error}");
}

#[test]
fn faults_do_what_they_are_called() {
    let expected = [
        ("silent", 28),
        ("closes-at-once", 52),
        ("resets-at-once", 56),
        ("resets-mid-body", 56),
        ("truncated-body", 18),
        ("truncated-chunk", 18),
        ("oversized-chunk", 56),
        ("bad-chunk", 56),
        ("garbage", 1),
        ("endless-headers", 56),
        ("endless-header", 27),
        ("trickle", 28),
    ];
    for (name, code) in expected {
        let (_, start) = faults::ALL
            .iter()
            .find(|(have, _)| *have == name)
            .expect(name);
        let server = start().expect("it starts");
        let (have, _) = curl(&["-m", "2", &server.url("/")]);
        assert_eq!(have, code, "{name}");
        assert_eq!(server.connections(), 1, "{name}");
    }
}

#[test]
fn a_deaf_server_stops_an_upload() {
    let server = faults::deaf().expect("it starts");
    let (code, _) = curl(&["-m", "2", "-T", "/dev/zero", &server.url("/")]);
    assert_eq!(code, 28);
}

#[test]
fn nobody_listens_where_it_is_refused() {
    let addr = faults::refused().expect("a port");
    assert_eq!(curl(&[&format!("http://{addr}/")]).0, 7);
}
