//! The examples do what their first lines say, against a real server.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own processes and files"
)]

use std::path::PathBuf;
use std::process::Command;

use sockless_tests::servers;

/// An example's binary: `cargo test --workspace` builds it beside this test.
fn example(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("this test's path");
    let deps = this.parent().expect("target/debug/deps");
    let path = deps
        .parent()
        .expect("target/debug")
        .join("examples")
        .join(name);
    assert!(
        path.exists(),
        "{} is not built: cargo build --examples -p sockless",
        path.display()
    );
    path
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}{complaints}");
    text + &complaints
}

#[test]
fn get_fetches_and_verifies() {
    let nginx = servers::shared();
    let url = nginx.https_url("/1k");
    let text = output(Command::new(example("get")).arg(&url).arg(nginx.ca_pem()));
    assert!(text.contains("1024 bytes"), "{text}");
    let refused = Command::new(example("get"))
        .arg(&url)
        .output()
        .expect("it starts");
    assert!(
        !refused.status.success(),
        "the test authority is not trusted by default"
    );
}

#[test]
fn tunnel_speaks_through_a_proxy_and_without_one() {
    let nginx = servers::shared();
    let running = servers::Servers::start(&["dante"]).expect("a SOCKS server");
    let to = format!("localhost:{}", nginx.port(servers::Host::Http));
    let socks = format!("socks5h://127.0.0.1:{}", running.dante().port());
    for proxies in [vec![], vec![socks]] {
        let text = output(Command::new(example("tunnel")).arg(&to).args(&proxies));
        assert!(text.contains("HTTP/1.1 "), "{proxies:?}: {text}");
        assert!(
            text.contains("open through []"),
            "what is done has left: {text}"
        );
    }
}

#[test]
fn many_carries_a_thousand_at_once() {
    let nginx = servers::shared();
    let text = output(
        Command::new(example("many"))
            .arg(nginx.http_url("/1k"))
            .arg("1000"),
    );
    assert!(
        text.contains("1000 of 1000 transfers, 1024000 bytes, 1000 connections at once"),
        "{text}"
    );
}

#[test]
fn async_get_runs_on_a_bare_executor() {
    let nginx = servers::shared();
    let text = output(Command::new(example("async_get")).arg(nginx.http_url("/1m")));
    assert!(
        text.contains("1048576 bytes; the first was dropped half way"),
        "{text}"
    );
}

#[test]
fn each_runtime_carries_transfers() {
    let nginx = servers::shared();
    for name in ["tokio_get", "compio_get", "smol_get"] {
        let mut command = Command::new(example(name));
        let text = output(command.arg(nginx.https_url("/1m")).arg(nginx.ca_pem()));
        assert!(text.contains("1048576 bytes"), "{name}: {text}");
    }
}

#[test]
fn tokio_drops_a_transfer_that_takes_too_long() {
    let nginx = servers::shared();
    let text = output(Command::new(example("tokio_get")).arg(nginx.http_url("/64m")));
    assert_eq!(text.matches("67108864 bytes").count(), 4, "{text}");
    assert!(text.contains("in no time: nothing"), "{text}");
}

#[test]
fn own_loop_makes_every_socket_call_itself() {
    let nginx = servers::shared();
    let url = nginx.https_url("/1m").replace("localhost", "127.0.0.1");
    let text = output(
        Command::new(example("own_loop"))
            .arg(&url)
            .arg(nginx.ca_pem()),
    );
    assert!(text.contains("1048576 bytes"), "{text}");
    let traced = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=network"])
        .arg(example("own_loop"))
        .arg(&url)
        .arg(nginx.ca_pem())
        .output()
        .expect("strace is installed");
    assert!(traced.status.success(), "{traced:?}");
    // The heartbeat's pair and its bytes, and the socket that the loop makes for a
    // Connect; everything else is the ring's. A library that received or sent by
    // itself would show as connect, recvfrom, sendto of other sizes, or more sockets.
    let text = String::from_utf8_lossy(&traced.stderr);
    let calls = text
        .lines()
        .filter_map(|line| line.split_once('(')?.0.split(' ').next_back());
    let mut sockets = 0;
    for call in calls {
        assert!(
            matches!(call, "socketpair" | "sendto" | "socket"),
            "{call} in\n{text}"
        );
        sockets += u32::from(call == "socket");
    }
    assert_eq!(sockets, 1, "{text}");
    let foreign = text
        .lines()
        .filter(|line| line.contains("sendto(") && !line.contains("\"!\", 1"));
    assert_eq!(foreign.count(), 0, "{text}");
}

/// A whole login from a password: the tickets are fetched, and the context made, without a call
/// of the library's underneath. The driver's own sockets are all there is; what goes over them is
/// the ring's.
#[test]
fn kerberos_makes_no_network_call_but_the_drivers() {
    let running = servers::Servers::start(&["kdc", "kerberos"]).expect("they start");
    let (kdc, kerberized) = (running.kdc(), running.kerberized());
    let password = kdc.config().with_file_name("password");
    std::fs::write(&password, servers::PASSWORD).expect("written");
    let url = kerberized.http_url("/private/1k");
    let traced = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=network"])
        .arg(example("kerberos"))
        .arg(format!("{}@{}", servers::USER, servers::REALM))
        .arg(&password)
        .arg(format!("127.0.0.1:{}", kdc.ports()[0]))
        .arg(url.replace("localhost", "127.0.0.1"))
        .arg("localhost")
        .output()
        .expect("strace is installed");
    let calls = String::from_utf8_lossy(&traced.stderr).into_owned();
    let answer = String::from_utf8_lossy(&traced.stdout).into_owned();
    assert!(traced.status.success(), "{calls}");
    assert!(answer.starts_with("200\n"), "{answer}{calls}");
    let notes = ["kerberos:", "connect:", "auth:", "http:"];
    let calls = calls.lines().filter(|line| line.contains('('));
    let calls = calls.filter(|line| !notes.iter().any(|note| line.starts_with(note)));
    let calls: Vec<_> = calls.collect();
    let mut sockets = 0;
    for call in &calls {
        let name = call
            .split_once('(')
            .and_then(|(name, _)| name.split(' ').next_back());
        assert!(
            matches!(name, Some("socket" | "setsockopt" | "shutdown")),
            "{call}"
        );
        sockets += usize::from(name == Some("socket"));
    }
    // One to the server; a login of two questions and a ticket.
    assert_eq!(sockets, 4, "{calls:#?}");
}
