//! ssh_config(5): which lines are for whom, and what their values mean.

use std::time::Duration;

use proptest::prelude::*;
use sockless_core::{Culprit, Fault};
use sockless_ssh::config::{Configuration, IdentityAgent, Included, Query, RekeyLimit, Settings};
use sockless_ssh::known_hosts::Policy;
use sockless_ssh::{Algorithms, Kind};

fn config(text: &str) -> Configuration {
    let mut config = Configuration::new();
    let none = &mut |_: &str| Ok(Vec::new());
    config.add("config", text, none).expect("it can be read");
    config
}

fn ask<'a>(host: &'a str) -> Query<'a> {
    let mut query = Query::new(host);
    query.home = "/users/alice";
    query.local_user = "alice";
    query
}

fn settings(text: &str, host: &str) -> Settings {
    let settings = config(text).settings(&ask(host));
    settings.expect("it can be used")
}

fn fault(text: &str, host: &str) -> Fault {
    let mut config = Configuration::new();
    match config.add("config", text, &mut |_| Ok(Vec::new())) {
        Ok(()) => config.settings(&ask(host)).expect_err("it cannot be used"),
        Err(fault) => fault,
    }
}

fn port(text: &str, host: &str) -> Option<u16> {
    settings(text, host).port
}

#[test]
fn the_first_value_counts() {
    let text = "Port 1\nHost a *.b !x.b\n Port 2\n User u\nHost *\n Port 3\n User v\n";
    let found = settings(text, "y.b");
    assert_eq!((found.port, found.user.as_deref()), (Some(1), Some("u")));
    let found = settings(text, "x.b");
    assert_eq!(found.user.as_deref(), Some("v"));
    let mut query = ask("a");
    query.user = Some("given");
    query.port = Some(9);
    let found = config(text).settings(&query).expect("it can be used");
    assert_eq!(
        (found.port, found.user.as_deref()),
        (Some(9), Some("given"))
    );
}

#[test]
fn names_of_hosts_match_whatever_their_case() {
    assert_eq!(port("Host WEB?\nPort 7", "web1"), Some(7));
    assert_eq!(port("Host web?\nPort 7", "web"), None);
}

#[test]
fn match_on_host_user_and_all() {
    let text = "Host short\n HostName %h.example.com\n\
                Match host *.example.com user bob,alice\n Port 1\n\
                Match originalhost short !user alice\n Port 2\n\
                Match all\n User last\n";
    let found = settings(text, "short");
    assert_eq!(found.host_name.as_deref(), Some("short.example.com"));
    assert_eq!((found.port, found.user.as_deref()), (Some(1), Some("last")));
    let mut query = ask("short");
    query.user = Some("carol");
    let found = config(text).settings(&query).expect("it can be used");
    assert_eq!(found.port, Some(2));
    assert_eq!(settings(text, "other").port, None);
}

#[test]
fn a_condition_that_is_not_supported_matters_only_where_it_decides() {
    let text = "Match host a exec \"true\"\n Port 1\n";
    assert_eq!(port(text, "b"), None);
    let fault = fault(text, "a");
    assert_eq!(fault.culprit, Culprit::Misuse);
    assert!(
        fault.what.contains("config:1: Match exec"),
        "{}",
        fault.what
    );
}

#[test]
fn files_add_up_and_their_names_are_completed() {
    let text = "User u%%\nIdentityFile ~/.ssh/%r@%h\nIdentityFile /k/%u-%n-%p\n\
                IdentityFile ~/.ssh/%r@%h\nCertificateFile %d/c\n\
                UserKnownHostsFile ~/a \"/b c\"\nUserKnownHostsFile /ignored\n\
                GlobalKnownHostsFile none\nHost h\n HostName h.net\n Port 5\n IdentityFile last\n";
    let found = settings(text, "h");
    let identities = found.identity_files.expect("there are some");
    assert_eq!(
        identities,
        ["/users/alice/.ssh/u%%@h.net", "/k/alice-h-5", "last"]
    );
    assert_eq!(found.certificate_files.unwrap(), ["/users/alice/c"]);
    assert_eq!(found.user_known_hosts.unwrap(), ["/users/alice/a", "/b c"]);
    assert_eq!(found.global_known_hosts.unwrap(), [""; 0]);
    let none = settings("IdentityFile none", "h");
    assert_eq!(none.identity_files.unwrap(), [""; 0]);
    assert_eq!(settings("", "h").identity_files, None);
}

#[test]
fn what_cannot_be_completed_is_an_error() {
    for text in [
        "IdentityFile ~bob/key",
        "IdentityFile ${HOME}/key",
        "IdentityFile /a/%i",
        "IdentityFile /a%",
        "HostName %r",
    ] {
        let fault = fault(text, "h");
        assert!(fault.remedy.is_some(), "{text}: {}", fault.what);
    }
}

#[test]
fn values() {
    let text = "StrictHostKeyChecking accept-new\nIdentitiesOnly yes\nCompression=no\n\
                ConnectTimeout 1m30\nServerAliveInterval 15\nRekeyLimit 1G 1h\n\
                HashKnownHosts yes\nIdentityAgent SSH_AUTH_SOCK\n\
                PreferredAuthentications publickey,password\nCiphers ^aes256-gcm@openssh.com\n\
                MACs -*-etm@*\nKexAlgorithms +x\nHostKeyAlgorithms ssh-ed25519\n";
    let found = settings(text, "h");
    assert_eq!(found.strict_host_key_checking, Some(Policy::AcceptNew));
    assert_eq!(found.identities_only, Some(true));
    assert_eq!(found.compression, Some(false));
    assert_eq!(found.connect_timeout, Some(Duration::from_secs(90)));
    assert_eq!(found.server_alive_interval, Some(Duration::from_secs(15)));
    let limit = RekeyLimit {
        bytes: Some(1 << 30),
        time: Some(Duration::from_secs(3600)),
    };
    assert_eq!(found.rekey_limit, Some(limit));
    assert_eq!(found.hash_known_hosts, Some(true));
    let variable = IdentityAgent::Variable("SSH_AUTH_SOCK".to_owned());
    assert_eq!(found.identity_agent, Some(variable));
    assert_eq!(
        found.preferred_authentications.clone().unwrap(),
        ["publickey", "password"]
    );
    let mut algorithms = Algorithms::default();
    found.offer(&mut algorithms);
    assert_eq!(algorithms.of(Kind::Cipher)[0], "aes256-gcm@openssh.com");
    let macs = algorithms.of(Kind::Mac);
    assert!(macs.iter().all(|name| !name.contains("etm")) && !macs.is_empty());
    assert_eq!(algorithms.of(Kind::Kex).last().unwrap(), "x");
    assert_eq!(algorithms.of(Kind::HostKey), ["ssh-ed25519"]);
    assert_eq!(algorithms.of(Kind::Compression), ["none"]);
    assert!(found.ignored.is_empty());
}

#[test]
fn values_that_cannot_be_used_are_named_with_their_line() {
    for line in [
        "Port 0",
        "Port 65536",
        "Port 1 2",
        "StrictHostKeyChecking perhaps",
        "Compression maybe",
        "ConnectTimeout soon",
        "RekeyLimit 8",
        "RekeyLimit 1G 1h 1",
        "Ciphers a,,b",
        "User \"open",
        "Match user",
        "Match all host h",
        "ProxyJump a,,b",
        "ProxyJump @a",
        "ProxyJump a:0",
        "ProxyJump [::1]22",
    ] {
        let fault = fault(&format!("# first\n{line}\n"), "h");
        assert!(fault.what.contains("config:2"), "{line}: {}", fault.what);
    }
}

#[test]
fn jumps() {
    let found = settings(
        "ProxyJump u@a:2,[::1]:3,ssh://c,fe80::1\nProxyCommand nc %h",
        "h",
    );
    let jumps = found.proxy_jump.expect("there are some");
    let jumps: Vec<_> = jumps
        .iter()
        .map(|jump| (jump.user.as_deref(), jump.host.as_str(), jump.port))
        .collect();
    assert_eq!(
        jumps,
        [
            (Some("u"), "a", Some(2)),
            (None, "::1", Some(3)),
            (None, "c", None),
            (None, "fe80::1", None)
        ]
    );
    let none = settings("ProxyJump none\nProxyJump a", "h");
    assert_eq!(none.proxy_jump, Some(Vec::new()));
    let none = settings("ProxyCommand none\nProxyJump a", "h");
    assert_eq!(none.proxy_jump, None);
    let refused = fault("Host h\nProxyCommand nc %h %p\n", "h");
    assert!(refused.what.contains("ProxyJump"), "{}", refused.what);
    assert_eq!(
        port("Host other\nProxyCommand nc\nHost *\nPort 4", "h"),
        Some(4)
    );
}

#[test]
fn tickets_are_wanted_or_not_and_may_be_for_another_name() {
    let text = "Host h\nGSSAPIAuthentication yes\nGSSAPIServerIdentity h.example.com\n\
                Host *\nGSSAPIAuthentication no\nGSSAPIDelegateCredentials yes\n";
    let found = settings(text, "h");
    assert_eq!(found.gssapi_authentication, Some(true));
    assert_eq!(
        found.gssapi_server_identity.as_deref(),
        Some("h.example.com")
    );
    // Nobody is given tickets of the user's.
    assert_eq!(found.ignored[0].1, "gssapidelegatecredentials");
    let other = settings(text, "other");
    assert_eq!(other.gssapi_authentication, Some(false));
    assert_eq!(other.gssapi_server_identity, None);
    assert!(
        fault("GSSAPIAuthentication perhaps", "h")
            .what
            .contains("perhaps")
    );
}

#[test]
fn what_has_no_meaning_here_is_listed() {
    let text = "ForwardX11 yes\nHost h\nIgnoreUnknown use*,Odd\nUseKeychain yes\nodd 1\n\
                ControlMaster auto\nHost other\nTunnel yes\n";
    let found = settings(text, "h");
    let ignored: Vec<String> = found
        .ignored
        .iter()
        .map(|(place, keyword)| format!("{place} {keyword}"))
        .collect();
    assert_eq!(ignored, ["config:1 forwardx11", "config:6 controlmaster"]);
}

#[test]
fn included_files_are_for_whom_their_line_is() {
    let mut config = Configuration::new();
    let text = "Host a\n Include in/*\nHost b\n Port 2\n";
    let mut asked = Vec::new();
    let include = &mut |pattern: &str| {
        asked.push(pattern.to_owned());
        let texts = ["User one\nHost b\nPort 9\n", "Compression yes\n"];
        let file = |text: &str| Included {
            name: "in/x".to_owned(),
            text: text.to_owned(),
        };
        Ok(texts.map(file).to_vec())
    };
    config.add("config", text, include).expect("it can be read");
    assert_eq!(asked, ["in/*"]);
    let for_a = config.settings(&ask("a")).expect("it can be used");
    assert_eq!((for_a.user.as_deref(), for_a.port), (Some("one"), None));
    assert_eq!(for_a.compression, Some(true), "each file begins anew");
    let for_b = config.settings(&ask("b")).expect("it can be used");
    assert_eq!((for_b.user, for_b.port), (None, Some(2)));
}

#[test]
fn a_file_that_includes_itself_is_an_error() {
    let mut config = Configuration::new();
    let again = &mut |_: &str| {
        Ok(vec![Included {
            name: "self".to_owned(),
            text: "Include self\n".to_owned(),
        }])
    };
    let fault = config
        .add("self", "Include self\n", again)
        .expect_err("it is endless");
    assert!(fault.what.contains("too deeply"), "{}", fault.what);
    let fails = &mut |_: &str| Err("no such file".to_owned());
    let fault = config.add("c", "Include x\n", fails).expect_err("it fails");
    assert!(fault.what.contains("c:1: no such file"), "{}", fault.what);
}

proptest! {
    #[test]
    fn no_text_is_a_panic(lines in proptest::collection::vec(
        "(Host|Match|Port|IdentityFile|ProxyJump|RekeyLimit|Ciphers|[a-z]{1,8})[ =]\\PC{0,20}", 0..8,
    )) {
        let mut config = Configuration::new();
        if config.add("c", &lines.join("\n"), &mut |_| Ok(Vec::new())).is_ok() {
            let _ = config.settings(&ask("host"));
        }
    }
}
