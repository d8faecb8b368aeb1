//! OpenSSH's server, reached by its own client, and the SOCKS proxy that is made of both.

use std::path::Path;
use std::process::Command;

use sockless_tests::servers::{Servers, shared};

use crate::curl;

#[test]
fn it_runs_commands_and_carries_connections() {
    let running = Servers::start(&["ssh"]).expect("it starts");
    let ssh = running.ssh();
    let run = |args: &[&str]| {
        let output = Command::new("ssh")
            .arg("-F")
            .arg(ssh.client_config())
            .args(args)
            .output()
            .expect("ssh is installed");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}{}", ssh.log());
        output.stdout
    };
    assert_eq!(run(&["tests", "echo hello"]), b"hello\n");
    // What a ProxyCommand runs: the server's own banner comes back through it.
    let target = format!("127.0.0.1:{}", ssh.port());
    assert!(run(&["-W", &target, "tests"]).starts_with(b"SSH-2.0-"));
    let pid = ssh.pid();
    let key = ssh.key();
    assert!(key.exists());
    drop(running);
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the process");
    assert!(!key.exists(), "its folder");
}

#[test]
fn strangers_are_refused() {
    let running = Servers::start(&["ssh"]).expect("it starts");
    let output = Command::new("ssh")
        .arg("-F")
        .arg(running.ssh().client_config())
        .args(["-o", "PubkeyAuthentication=no", "tests", "true"])
        .output()
        .expect("ssh is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Permission denied"), "{said}");
}

#[test]
fn its_socks_proxy_knows_4a() {
    let running = Servers::start(&["ssh"]).expect("it starts");
    let addr = format!("127.0.0.1:{}", running.ssh().socks_port());
    for option in ["--socks4", "--socks4a", "--socks5", "--socks5-hostname"] {
        let url = shared().http_url("/1k");
        let (code, body) = curl(&["--noproxy", "", option, &addr, &url]);
        assert_eq!((code, body.len()), (0, 1 << 10), "{option}");
    }
}
