//! The proxies: each is reached, does what it is for, and asks who it has to ask.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use sockless_tests::servers::{
    Entrance, Front, Host, PASSWORD, Running, Servers, Tinyproxy, USER, shared,
};

use crate::{curl, text};

/// What curl says of a transfer through a proxy: its exit code, the status, the status of
/// CONNECT, and the port it was connected to.
fn fetch(args: &[&str], url: &str) -> (i32, String) {
    let format = "%{http_code} %{http_connect} %{remote_port}";
    let fixed = ["--noproxy", "", "-k", "-o", "/dev/null", "-w", format, url];
    let (code, said) = curl(&[&fixed, args].concat());
    (code, String::from_utf8(said).expect("text"))
}

/// What [`fetch`] gives if all is well.
fn arrived(connect: u16, port: u16) -> (i32, String) {
    (0, format!("200 {connect:03} {port}"))
}

fn started(name: &str) -> Running {
    Servers::start(&[name]).expect("it starts")
}

fn login(password: &str) -> String {
    format!("{USER}:{password}")
}

fn assert_gone(pids: &[u32]) {
    for pid in pids {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{pid}");
    }
}

#[test]
fn squid_forwards_and_tunnels_through_open_entrances() {
    let running = started("squid");
    let (squid, nginx) = (running.squid(), shared());
    let ca = squid.ca_pem();
    let ca = ca.to_str().expect("a path in UTF-8");
    for entrance in [Entrance::Open, Entrance::OpenTls] {
        let (proxy, port) = (squid.url(entrance), squid.port(entrance));
        let args = ["-x", &proxy, "--proxy-cacert", ca];
        assert_eq!(fetch(&args, &nginx.http_url("/1k")), arrived(0, port));
        assert_eq!(fetch(&args, &nginx.https_url("/1k")), arrived(200, port));
    }
    let other = squid.other_ca_pem();
    let other = other.to_str().expect("a path in UTF-8");
    let tls = squid.url(Entrance::OpenTls);
    let (code, _) = fetch(
        &["-x", &tls, "--proxy-cacert", other],
        &nginx.http_url("/1k"),
    );
    assert_eq!(code, 60, "its certificate is checked");
    assert!(squid.access_log().contains("GET http://localhost:"));
    let pid = squid.pid();
    drop(running);
    assert_gone(&[pid]);
}

#[test]
fn squid_asks_for_the_credentials_that_the_entrance_is_called_after() {
    let running = started("squid");
    let (squid, nginx) = (running.squid(), shared());
    let (right, wrong) = (login(PASSWORD), login("open barley"));
    let url = nginx.http_url("/1k");
    for (entrance, offers) in [
        (Entrance::Basic, "--proxy-basic"),
        (Entrance::BasicTls, "--proxy-basic"),
        (Entrance::Digest, "--proxy-digest"),
        (Entrance::Either, "--proxy-basic"),
        (Entrance::Either, "--proxy-digest"),
    ] {
        let (proxy, port) = (squid.url(entrance), squid.port(entrance));
        let through = |more: &[&str], url: &str| {
            fetch(
                &[&["-x", &proxy, "--proxy-insecure", offers], more].concat(),
                url,
            )
        };
        assert_eq!(through(&["-U", &right], &url), arrived(0, port));
        assert_eq!(
            through(&["-U", &right], &nginx.https_url("/1k")),
            arrived(200, port)
        );
        let refused = (0, format!("407 000 {port}"));
        assert_eq!(through(&["-U", &wrong], &url), refused, "{entrance:?}");
        assert_eq!(through(&[], &url), refused, "{entrance:?}");
    }
    let digest = squid.url(Entrance::Digest);
    let (_, said) = fetch(&["-x", &digest, "--proxy-basic", "-U", &right], &url);
    assert!(said.starts_with("403 "), "{said}");
}

#[test]
fn haproxy_puts_tls_in_front_of_squid() {
    let running = started("haproxy");
    let (haproxy, nginx) = (running.haproxy(), shared());
    let (ca, (certificate, key)) = (haproxy.ca_pem(), haproxy.client_pem());
    let [ca, certificate, key] =
        [&ca, &certificate, &key].map(|path| path.to_str().expect("a path in UTF-8"));
    let identity = ["--proxy-cert", certificate, "--proxy-key", key];
    for (front, more) in [(Front::Tls, &[][..]), (Front::ClientCertificate, &identity)] {
        let (proxy, port) = (haproxy.url(front), haproxy.port(front));
        let args = [&["-x", &proxy, "--proxy-cacert", ca], more].concat();
        assert_eq!(fetch(&args, &nginx.http_url("/1k")), arrived(0, port));
        assert_eq!(fetch(&args, &nginx.https_url("/1k")), arrived(200, port));
    }
    let proxy = haproxy.url(Front::ClientCertificate);
    let (code, _) = fetch(
        &["-x", &proxy, "--proxy-cacert", ca],
        &nginx.http_url("/1k"),
    );
    assert_ne!(code, 0, "without a certificate");
    let pids = [haproxy.pid(), running.squid().pid()];
    drop(running);
    assert_gone(&pids);
}

#[test]
fn the_proxy_protocol_is_demanded_and_understood() {
    let running = started("haproxy");
    let (haproxy, nginx) = (running.haproxy(), shared());
    for (url, port) in [
        (haproxy.url(Front::Told), haproxy.port(Front::Told)),
        (haproxy.url(Front::ToldTls), haproxy.port(Front::ToldTls)),
        (
            nginx.url(Host::ProxyProtocol, "/proxy-protocol"),
            nginx.port(Host::ProxyProtocol),
        ),
        (
            nginx.url(Host::ProxyProtocolTls, "/proxy-protocol"),
            nginx.port(Host::ProxyProtocolTls),
        ),
    ] {
        let said = text(&["-4", "-k", "--haproxy-protocol", &url]);
        let words: Vec<&str> = said.split_whitespace().collect();
        let [source, _, destination, to] = words[..] else {
            panic!("{url}: {said}");
        };
        let expected = ("127.0.0.1", "127.0.0.1", port.to_string());
        assert_eq!((source, destination, to.to_owned()), expected, "{url}");
        assert_ne!(curl(&["-4", "-k", &url]).0, 0, "{url} without a header");
    }
}

#[test]
fn the_second_version_of_the_proxy_protocol_is_understood() {
    let running = started("haproxy");
    let told = running.haproxy().port(Front::Told);
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend([192, 0, 2, 1, 192, 0, 2, 2]);
    header.extend([1234_u16, 80].map(u16::to_be_bytes).concat());
    for port in [told, shared().port(Host::ProxyProtocol)] {
        let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let request = b"GET /proxy-protocol HTTP/1.0\r\n\r\n";
        connection
            .write_all(&[&header, &request[..]].concat())
            .expect("it reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("it answers");
        assert!(
            answer.ends_with("\n192.0.2.1 1234 192.0.2.2 80\n"),
            "{answer}"
        );
    }
}

#[test]
fn tinyproxy_forwards_and_tunnels() {
    let running = started("tinyproxy");
    let (tinyproxy, nginx) = (running.tinyproxy(), shared());
    let credentials = login(Tinyproxy::PASSWORD);
    for (port, more) in [
        (tinyproxy.open_port(), &[][..]),
        (tinyproxy.basic_port(), &["-U", &credentials]),
    ] {
        let proxy = format!("http://127.0.0.1:{port}");
        let args = [&["-x", &proxy], more].concat();
        assert_eq!(fetch(&args, &nginx.http_url("/1k")), arrived(0, port));
        assert_eq!(fetch(&args, &nginx.https_url("/1k")), arrived(200, port));
    }
    let port = tinyproxy.basic_port();
    let proxy = format!("http://127.0.0.1:{port}");
    let refused = fetch(&["-x", &proxy], &nginx.http_url("/1k"));
    assert_eq!(refused, (0, format!("407 000 {port}")));
    let pid = tinyproxy.pid();
    drop(running);
    assert_gone(&[pid]);
}

#[test]
fn dante_speaks_socks_4_and_5_for_everyone() {
    let running = started("dante");
    let (dante, nginx) = (running.dante(), shared());
    let addr = format!("127.0.0.1:{}", dante.port());
    for option in ["--socks4", "--socks5", "--socks5-hostname"] {
        for url in [nginx.http_url("/1k"), nginx.https_url("/1k")] {
            let have = fetch(&[option, &addr], &url);
            assert_eq!(have, arrived(0, dante.port()), "{option} {url}");
        }
    }
    assert!(dante.log().contains("tcp/connect"), "{}", dante.log());
    let pid = dante.pid();
    drop(running);
    assert_gone(&[pid]);
}

#[test]
fn microsocks_wants_a_password() {
    let running = started("microsocks");
    let (microsocks, nginx) = (running.microsocks(), shared());
    let addr = format!("127.0.0.1:{}", microsocks.port());
    let (right, wrong) = (login(PASSWORD), login("open barley"));
    for option in ["--socks5", "--socks5-hostname"] {
        let url = nginx.https_url("/1k");
        let have = fetch(&[option, &addr, "-U", &right], &url);
        assert_eq!(have, arrived(0, microsocks.port()), "{option}");
        assert_eq!(fetch(&[option, &addr, "-U", &wrong], &url).0, 97);
        assert_eq!(fetch(&[option, &addr], &url).0, 97);
    }
    let pid = microsocks.pid();
    drop(running);
    assert_gone(&[pid]);
}
