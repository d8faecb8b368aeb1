//! Every SSH server, reached by OpenSSH's clients with each kind of key and password.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sockless_tests::content;
use sockless_tests::servers::{
    ACCEPTED, CERTIFIED, CERTIFIED_ONCE, CERTIFIED_OTHER, KnownHosts, ODD_NAMES, PASSPHRASE,
    PASSWORD, STRANGER, Servers, Ssh, Sshd,
};

/// OpenSSH's client of that name, set up for `ssh`, with these options before the host.
fn client(name: &str, ssh: &Ssh, options: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.arg("-F").arg(ssh.client_config());
    // A secret that it cannot ask a terminal for, it asks this.
    command.env("SSH_ASKPASS_REQUIRE", "never");
    for option in options {
        command.args(["-o", option]);
    }
    command
}

/// Whether these options log in, and what the client said.
fn logs_in(ssh: &Ssh, options: &[&str]) -> (bool, String) {
    let mut command = client("ssh", ssh, options);
    let output = command
        .args(["tests", "true"])
        .output()
        .expect("ssh is installed");
    outcome(&output)
}

fn outcome(output: &Output) -> (bool, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), text)
}

/// The same with a program that answers every question with `secret`.
fn answers(command: &mut Command, secret: &str, folder: &Path) -> (bool, String) {
    use std::os::unix::fs::PermissionsExt as _;
    let program = folder.join("askpass");
    std::fs::write(&program, "#!/bin/sh\nprintf '%s\\n' \"$SECRET\"\n").expect("a file");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("ours");
    command
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("SSH_ASKPASS", &program);
    outcome(
        &command
            .env("SECRET", secret)
            .output()
            .expect("ssh is installed"),
    )
}

fn sftp(ssh: &Ssh, options: &[&str], commands: &str) -> (bool, String, String) {
    let mut command = client("sftp", ssh, options);
    let mut child = command
        .args(["-q", "-b", "-", "tests"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sftp is installed");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(commands.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("ours");
    let (good, error) = outcome(&output);
    (
        good,
        String::from_utf8_lossy(&output.stdout).into_owned(),
        error,
    )
}

#[test]
fn every_key_and_every_certificate_is_taken_for_what_it_is() {
    let running = Servers::start(&["ssh"]).expect("it starts");
    let ssh = running.ssh();
    let with = |name: &str| format!("IdentityFile={}", ssh.key_named(name).display());
    let folder = ssh.home();
    // The configuration's own key would be the second to be tried.
    let only = |name: &str| {
        let mut command = Command::new("ssh");
        command.args(["-F", "none", "-o", &with(name)]);
        command.args(["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]);
        command.arg("-o");
        command.arg(format!(
            "UserKnownHostsFile={}",
            ssh.known_hosts().display()
        ));
        command.args(["-p", &ssh.port().to_string(), "127.0.0.1", "true"]);
        command
    };
    for name in ACCEPTED {
        if *name == "ed25519-pkcs8" {
            // OpenSSH's client reads this since its version 9.6 only.
            continue;
        }
        let (good, said) = answers(&mut only(name), PASSPHRASE, &folder);
        assert!(good, "{name}: {said}{}", ssh.log());
    }
    let (good, said) = answers(&mut only(CERTIFIED), "", &folder);
    assert!(good, "{said}{}", ssh.log());
    for name in [STRANGER, CERTIFIED_ONCE, CERTIFIED_OTHER] {
        let (good, said) = answers(&mut only(name), "", &folder);
        assert!(
            !good && said.contains("Permission denied"),
            "{name}: {said}"
        );
    }
}

#[test]
fn known_hosts_of_every_kind_say_what_they_are_called() {
    let running = Servers::start(&["ssh"]).expect("it starts");
    let ssh = running.ssh();
    let with = |kind| {
        let file = ssh.known_hosts_of(kind);
        logs_in(ssh, &[&format!("UserKnownHostsFile={}", file.display())])
    };
    for kind in [KnownHosts::Plain, KnownHosts::Hashed, KnownHosts::Authority] {
        let (good, said) = with(kind);
        assert!(good, "{kind:?}: {said}");
    }
    let (good, said) = with(KnownHosts::Revoked);
    assert!(!good && said.contains("REVOKED"), "{said}");
    let (good, said) = with(KnownHosts::Changed);
    assert!(
        !good && said.contains("IDENTIFICATION HAS CHANGED"),
        "{said}"
    );
    let hashed = std::fs::read_to_string(ssh.known_hosts_of(KnownHosts::Hashed)).expect("text");
    assert!(
        hashed.starts_with("|1|") && !hashed.contains("127.0.0.1"),
        "{hashed}"
    );
    let key = ssh.host_key("rsa").expect("it has one");
    let plain = std::fs::read_to_string(ssh.known_hosts()).expect("text");
    assert!(plain.contains(key.trim_end()), "{plain}");
}

#[test]
fn files_come_and_go_in_every_way_of_being_set_up() {
    let weak = [
        "Ciphers=aes256-cbc",
        "KexAlgorithms=diffie-hellman-group14-sha1",
        "MACs=hmac-sha1",
        "HostKeyAlgorithms=ssh-rsa",
    ];
    for (sshd, options) in [
        (Sshd::Usual, &[][..]),
        (Sshd::External, &[]),
        (Sshd::Rekeying, &["Compression=yes"]),
        (Sshd::Weak, &weak),
        (Sshd::Limited, &[]),
        (Sshd::Password, &[]),
    ] {
        let name = sshd.name();
        let running = Servers::start(&[name]).expect("it starts");
        let ssh = running.sshd(sshd);
        let there = ssh.home().parent().expect("a folder").join("fetched");
        let there = there.to_str().expect("a path in UTF-8");
        let (good, listed, said) = sftp(
            ssh,
            options,
            &format!("get 1m {there}\nput {there} upload/1m\nls -1 deep/er\nls -1 names\n"),
        );
        assert!(good, "{name}: {said}{}", ssh.log());
        assert!(listed.contains("deep/er/1k"), "{name}: {listed}");
        assert_eq!(
            content::check_file(Path::new(there), 1 << 20),
            Ok(()),
            "{name}"
        );
        let up = ssh.home().join("upload/1m");
        assert_eq!(content::check_file(&up, 1 << 20), Ok(()), "{name}");
        // By the classic protocol, which is a command at the other end.
        let from = format!("tests:{}/1k", ssh.home().display());
        let mut scp = client("scp", ssh, options);
        let (good, said) = outcome(&scp.args(["-O", &from, there]).output().expect("scp"));
        assert!(good, "{name}: {said}{}", ssh.log());
        assert_eq!(
            content::check_file(Path::new(there), 1 << 10),
            Ok(()),
            "{name}"
        );
    }
}

#[test]
fn weak_algorithms_have_nothing_in_common_with_the_usual_ones() {
    let running = Servers::start(&["ssh-weak"]).expect("it starts");
    let (good, said) = logs_in(running.sshd(Sshd::Weak), &[]);
    assert!(!good && said.contains("no matching"), "{said}");
}

#[test]
fn the_second_of_three_sessions_is_the_last() {
    let running = Servers::start(&["ssh-limited"]).expect("it starts");
    let ssh = running.sshd(Sshd::Limited);
    let control = ssh.home().parent().expect("a folder").join("c");
    let control = format!("ControlPath={}", control.display());
    if control.len() > 80 {
        return; // The checkout's path is too long for a unix socket.
    }
    let shared = [control.as_str(), "ControlMaster=auto"];
    let mut held: Vec<_> = (0..2)
        .map(|_| {
            let mut command = client("ssh", ssh, &shared);
            command
                .args(["tests", "echo in; cat"])
                .stdin(Stdio::piped());
            let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
            let mut answer = [0; 3];
            let output = child.stdout.as_mut().expect("a pipe");
            std::io::Read::read_exact(output, &mut answer).expect("it is in");
            child
        })
        .collect();
    let mut third = client(
        "ssh",
        ssh,
        &[control.as_str(), "ControlMaster=no", "ProxyCommand=false"],
    );
    let (good, said) = outcome(&third.args(["tests", "true"]).output().expect("ssh"));
    assert!(!good, "{said}{}", ssh.log());
    assert!(ssh.log().contains("no more sessions"), "{}", ssh.log());
    for child in held.iter_mut().rev() {
        drop(child.stdin.take());
        child.wait().expect("ours");
    }
}

#[test]
fn passwords_are_asked_for_in_both_ways_and_after_a_key() {
    let running = Servers::start(&["ssh-password", "ssh-two-factor"]).expect("they start");
    for (sshd, key) in [(Sshd::Password, "no"), (Sshd::TwoFactor, "yes")] {
        let ssh = running.sshd(sshd);
        let folder = ssh.home().parent().expect("a folder").to_owned();
        for method in ["password", "keyboard-interactive"] {
            let try_with = |secret: &str| {
                let key = format!("PubkeyAuthentication={key}");
                let methods = format!("PreferredAuthentications=publickey,{method}");
                let options = [
                    key.as_str(),
                    methods.as_str(),
                    "BatchMode=no",
                    "NumberOfPasswordPrompts=1",
                ];
                let mut command = client("ssh", ssh, &options);
                answers(command.args(["tests", "id", "-un"]), secret, &folder)
            };
            let (good, said) = try_with(PASSWORD);
            assert!(good, "{sshd:?} {method}: {said}{}", ssh.log());
            let (good, said) = try_with("wrong");
            assert!(
                !good && said.contains("Permission denied"),
                "{sshd:?} {method}: {said}"
            );
        }
    }
    let ssh = running.sshd(Sshd::TwoFactor);
    let (good, said) = logs_in(ssh, &[]);
    assert!(
        !good && said.contains("(password,keyboard-interactive)"),
        "a key is not all: {said}"
    );
}

#[test]
fn dropbear_serves_sftp_and_scp_to_keys_and_passwords() {
    let running = Servers::start(&["dropbear"]).expect("it starts");
    let dropbear = running.dropbear();
    let folder = dropbear.home().parent().expect("a folder").to_owned();
    let there = folder.join("fetched");
    let set_up = |name: &str, key: &str| {
        let mut command = Command::new(name);
        command.args([
            "-F",
            "none",
            "-o",
            "IdentityAgent=none",
            "-o",
            "IdentitiesOnly=yes",
        ]);
        for known in [KnownHosts::Plain, KnownHosts::Hashed] {
            let file = dropbear.known_hosts_of(known);
            command.arg("-o");
            command.arg(format!("UserKnownHostsFile={}", file.display()));
        }
        command.arg("-o").arg(format!("PubkeyAuthentication={key}"));
        command.arg("-o").arg(format!("Port={}", dropbear.port()));
        command.arg("-i").arg(dropbear.key());
        command
    };
    let from = format!("{}@127.0.0.1:1m", dropbear.user());
    for protocol in ["-s", "-O"] {
        for key in ["yes", "no"] {
            let mut scp = set_up("scp", key);
            let (good, said) = answers(scp.arg(protocol).arg(&from).arg(&there), PASSWORD, &folder);
            assert!(good, "{protocol} {key}: {said}{}", dropbear.log());
            assert_eq!(content::check_file(&there, 1 << 20), Ok(()));
            std::fs::remove_file(&there).expect("it is there");
        }
    }
}

#[test]
fn the_agent_logs_in_with_what_it_holds() {
    let running = Servers::start(&["ssh", "ssh-agent"]).expect("they start");
    let (ssh, agent) = (running.ssh(), running.agent());
    let socket = agent.socket();
    let list = Command::new("ssh-add")
        .arg("-l")
        .env("SSH_AUTH_SOCK", &socket)
        .output()
        .expect("ssh-add is installed");
    let listed = String::from_utf8_lossy(&list.stdout).into_owned();
    for kind in ["(ED25519)", "(ECDSA)", "(RSA)", "(ED25519-CERT)"] {
        assert!(listed.contains(kind), "{listed}{}", agent.log());
    }
    // Without the configuration, which has a key of its own.
    let known = format!("UserKnownHostsFile={}", ssh.known_hosts().display());
    let port = ssh.port().to_string();
    let output = Command::new("ssh")
        .args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentityFile=none",
        ])
        .args(["-o", &known, "-p", &port, "127.0.0.1", "true"])
        .env("SSH_AUTH_SOCK", &socket)
        .output()
        .expect("ssh is installed");
    let (good, said) = outcome(&output);
    assert!(good, "{said}");
}

#[test]
fn odd_names_are_on_the_disk_as_they_are() {
    let running = Servers::start(&["ssh"]).expect("it starts");
    let names = std::fs::read_dir(running.ssh().home().join("names")).expect("a folder");
    let mut found: Vec<Vec<u8>> = names
        .map(|entry| entry.expect("an entry").file_name().into_encoded_bytes())
        .collect();
    let mut wanted: Vec<Vec<u8>> = ODD_NAMES.iter().map(|name| name.to_vec()).collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
}
