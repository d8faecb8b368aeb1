//! The SSH servers that lie, as OpenSSH's clients see them: each lie has to arrive.

use std::path::Path;
use std::process::Command;

use sockless_tests::content;
use sockless_tests::servers::{Hostile, PASSWORD, Servers, TOKEN};
use sockless_tests::ssh_faults;

/// OpenSSH's client of that name, which asks nobody.
fn client(name: &str, hostile: &Hostile) -> Command {
    client_with(name, hostile, &[])
}

fn client_with(name: &str, hostile: &Hostile, options: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.args(["20", name, "-F", "none"]);
    for option in options {
        command.args(["-o", option]);
    }
    for option in [
        &format!("UserKnownHostsFile={}", hostile.known_hosts().display()),
        &format!("IdentityFile={}", hostile.key().display()),
        &format!("Port={}", hostile.port()),
        "IdentityAgent=none",
        "IdentitiesOnly=yes",
        "BatchMode=yes",
    ] {
        command.args(["-o", option]);
    }
    command
}

/// Whether it worked, and what was said on both outputs.
fn outcome(command: &mut Command) -> (bool, String) {
    let output = command.output().expect("OpenSSH's clients are installed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = text(&output.stdout) + &text(&output.stderr);
    (output.status.success(), all)
}

/// Fetches the file `name` of a mebibyte or less.
fn fetch(hostile: &Hostile, user: &str, name: &str, to: &Path) -> (bool, String) {
    let from = format!("{user}@127.0.0.1:{name}");
    outcome(client("scp", hostile).args(["-s", &from]).arg(to))
}

#[test]
fn allowed_oddities_lose_nothing() {
    let running = Servers::start(&["ssh-hostile"]).expect("it starts");
    let hostile = running.hostile();
    let to = hostile.key().with_file_name("fetched");
    // In any order, which OpenSSH 9.2 itself does not survive; libssh2 does.
    let url = format!("sftp://sftp-reversed@127.0.0.1:{}/1m", hostile.port());
    let secret = format!("sftp-reversed:{PASSWORD}");
    let (code, body) = crate::curl(&["-k", "-u", &secret, &url]);
    assert_eq!((code, body.len()), (0, 1 << 20), "{}", hostile.log());
    assert_eq!(content::check(0, &body), Ok(()));
    // With more requests at once OpenSSH 9.2 itself loses bytes, and libssh2 1.10 gives up.
    let mut sftp = client("sftp", hostile);
    sftp.args(["-R", "1", "sftp-short@127.0.0.1:1m"]).arg(&to);
    let (good, said) = outcome(&mut sftp);
    assert!(good, "{said}{}", hostile.log());
    assert_eq!(content::check_file(&to, 1 << 20), Ok(()));
    for user in ["alice", "wire-requests", "wire-ignore", "wire-rekey"] {
        let (good, said) = fetch(hostile, user, "1m", &to);
        assert!(good, "{user}: {said}{}", hostile.log());
        assert_eq!(content::check_file(&to, 1 << 20), Ok(()), "{user}");
        std::fs::remove_file(&to).expect("it is there");
    }
}

#[test]
fn each_lie_of_sftp_and_of_the_wire_is_noticed() {
    let running = Servers::start(&["ssh-hostile"]).expect("it starts");
    let hostile = running.hostile();
    let to = hostile.key().with_file_name("fetched");
    for (user, says) in [
        ("sftp-fx-3", "ermission denied"),
        ("sftp-vanishing", "ailure"),
        ("sftp-long", "more data than asked"),
        ("sftp-wrong-id", "ID mismatch"),
        ("sftp-false-length", "too long"),
        ("sftp-text", "too long"),
        ("sftp-cut", "onnection"),
        ("wire-mac", "ssage authentication code incorrect"),
        ("wire-length", "acket"),
        ("wire-cut", "onnection"),
        ("wire-adjust", "djust"),
        ("wire-channel", "onexistent channel"),
        ("wire-disconnect", "losed"),
    ] {
        let (good, said) = fetch(hostile, user, "1m", &to);
        assert!(
            !good && said.contains(says),
            "{user}: {said}{}",
            hostile.log()
        );
    }
    // Messages that it says are unknown, and goes on.
    for (user, says) in [
        ("wire-success", "type 52"),
        ("wire-unknown", "type 79"),
        ("wire-newkeys", "type 21"),
    ] {
        let (_, said) = fetch(hostile, user, "1m", &to);
        assert!(said.contains(says), "{user}: {said}");
    }
    // A window cannot be overrun by answers alone: this needs more requests than it is wide.
    for user in ["wire-window", "wire-packet"] {
        let mut sftp = client("sftp", hostile);
        sftp.args(["-B", "262144", "-R", "64"]);
        let (good, said) = outcome(sftp.arg(format!("{user}@127.0.0.1:64m")).arg(&to));
        assert!(!good, "{user}: {said}");
    }
}

#[test]
fn each_lie_of_scp_is_noticed() {
    let running = Servers::start(&["ssh-hostile"]).expect("it starts");
    let hostile = running.hostile();
    let to = hostile.key().with_file_name("fetched");
    let scp = |user: &str| {
        let from = format!("{user}@127.0.0.1:1k");
        outcome(client("scp", hostile).args(["-O", "-p", &from]).arg(&to))
    };
    let (good, said) = scp("scp-honest");
    assert!(good, "{said}{}", hostile.log());
    assert_eq!(std::fs::read(&to).expect("it is there"), b"hi");
    for (user, says) in [
        ("scp-parent", "unexpected filename"),
        ("scp-slash", "unexpected filename"),
        ("scp-dots", "unexpected filename"),
        ("scp-other", "filename does not match request"),
        ("scp-directory", "received directory without -r"),
        ("scp-negative", "size not present"),
        ("scp-huge", "size out of range"),
        ("scp-mode", "bad mode"),
        ("scp-garbage", "Welcome"),
        ("scp-error", "said the server"),
        ("scp-fatal", "said the server"),
        ("scp-truncated", "lost connection"),
        ("scp-late-error", "it changed"),
    ] {
        let (good, said) = scp(user);
        assert!(
            !good && said.contains(says),
            "{user}: {said}{}",
            hostile.log()
        );
    }
    for (user, says) in [
        ("scp-refuses", "Permission denied"),
        ("scp-full", "No space left"),
    ] {
        let there = format!("{user}@127.0.0.1:1k");
        let key = hostile.key();
        let (good, said) = outcome(client("scp", hostile).arg("-O").arg(key).arg(there));
        assert!(!good && said.contains(says), "{user}: {said}");
    }
}

#[test]
fn directories_are_endless_or_have_names_that_must_not_be_used() {
    let running = Servers::start(&["ssh-hostile"]).expect("it starts");
    let hostile = running.hostile();
    let list = |user: &str| {
        let mut sftp = client("sftp", hostile);
        sftp.args(["-q", "-b", "-"])
            .arg(format!("{user}@127.0.0.1"));
        let commands = hostile.key().with_file_name("commands");
        std::fs::write(&commands, "ls -1\n").expect("a file");
        sftp.stdin(std::fs::File::open(commands).expect("just written"));
        outcome(&mut sftp)
    };
    let (good, said) = list("alice");
    assert!(good && said.contains("1m"), "{said}{}", hostile.log());
    let (_, said) = list("sftp-names");
    assert!(said.contains("honest"), "{said}");
    // Its client would collect names until memory ends; the first thousands are enough.
    let mut head = Command::new("sh");
    let script = "ulimit -v 200000; exec \"$@\" </dev/null";
    let mut inner = client("sftp", hostile);
    inner.arg("sftp-endless@127.0.0.1:entry-*");
    head.args(["-c", script, "sh"]).arg(inner.get_program());
    let (good, said) = outcome(head.args(inner.get_args()));
    assert!(!good, "{said}");
}

#[test]
fn logins_take_as_many_answers_as_they_are_called_for() {
    let running = Servers::start(&["ssh-hostile"]).expect("it starts");
    let hostile = running.hostile();
    let askpass = hostile.key().with_file_name("askpass");
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in *Token*) echo {TOKEN};; *Sure*) echo yes;; \
         *[Nn]ew*) echo '{PASSWORD}!';; *) echo '{PASSWORD}';; esac\n"
    );
    std::fs::write(&askpass, script).expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&askpass, mode).expect("ours");
    let log_in = |user: &str, options: &[&str]| {
        // The first value of an option is the one that counts.
        let mut ssh = client_with("ssh", hostile, options);
        ssh.args(["-o", "NumberOfPasswordPrompts=1"]);
        ssh.env("SSH_ASKPASS", &askpass)
            .env("SSH_ASKPASS_REQUIRE", "force");
        outcome(ssh.args(["-v", "-l", user, "127.0.0.1", "hello"]))
    };
    for user in ["prompts", "two-factor", "change"] {
        let key = if user == "two-factor" { "yes" } else { "no" };
        let key = format!("PubkeyAuthentication={key}");
        let (good, said) = log_in(user, &["BatchMode=no", &key]);
        assert!(
            good && said.contains("hello"),
            "{user}: {said}{}",
            hostile.log()
        );
        if user == "two-factor" {
            assert!(said.contains("partial success"), "{said}");
        }
    }
    let (good, said) = log_in("two-factor", &[]);
    assert!(
        !good && said.contains("Permission denied (password)"),
        "{said}"
    );
    let (good, said) = log_in("no-method", &[]);
    assert!(!good && said.contains("Permission denied"), "{said}");
}

#[test]
fn no_client_gets_past_a_server_that_lies_before_there_are_keys() {
    for (name, fault) in ssh_faults::ALL {
        let server = fault().expect("a port");
        let port = server.addr.port().to_string();
        let (good, said) = outcome(
            Command::new("timeout")
                .args(["5", "ssh", "-F", "none", "-o", "BatchMode=yes"])
                .args(["-o", "UserKnownHostsFile=none", "-o", "ConnectTimeout=1"])
                .args(["-p", &port, "nobody@127.0.0.1", "true"]),
        );
        assert!(!good, "{name}: {said}");
        let says = match *name {
            "nothing-in-common" => "no matching key exchange method",
            "old-version" => "rotocol major versions differ",
            "huge-length" | "zero-length" | "garbage" => "acket length",
            "silent" => "timed out",
            "disconnects" => "too many",
            _ => "",
        };
        assert!(said.contains(says), "{name}: {said}");
    }
}
