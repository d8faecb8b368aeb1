//! Host keys: what files made by OpenSSH's tools say, and what is done about it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use sockless_core::{Culprit, Fault, Reason};
use sockless_ssh::fingerprint;
use sockless_ssh::known_hosts::{
    BadCertificate, Finding, HostKeyRules, KnownHosts, Pins, Policy, new_line,
};
use sockless_ssh::login::{HostKeys as _, Verdict};

const ED25519: &str = include_str!("fixtures/hosts/host_ed25519.pub");
const ECDSA: &str = include_str!("fixtures/hosts/host_ecdsa.pub");
const RSA: &str = include_str!("fixtures/hosts/host_rsa.pub");
const CA: &str = include_str!("fixtures/hosts/ca_ed25519.pub");
const CA_RSA: &str = include_str!("fixtures/hosts/ca_rsa.pub");
const CERTIFICATE: &str = include_str!("fixtures/hosts/cert_ed25519.pub");
const BY_RSA: &str = include_str!("fixtures/hosts/cert_ecdsa_by_rsa.pub");
const BY_SHA1: &str = include_str!("fixtures/hosts/cert_sha1.pub");
const OF_A_USER: &str = include_str!("fixtures/hosts/cert_user.pub");
const CRITICAL: &str = include_str!("fixtures/hosts/cert_critical.pub");
const HASHED: &str = include_str!("fixtures/hosts/known_hosts_hashed");

fn blob(public: &str) -> Vec<u8> {
    let word = public.split(' ').nth(1).expect("a public key has a blob");
    STANDARD.decode(word).expect("it is base64")
}

/// The first two words of a public key file.
fn bare(public: &str) -> String {
    public.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// 2026-01-01, while the certificates are valid.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

fn file(text: &str) -> KnownHosts {
    let mut known = KnownHosts::new();
    known.add("known_hosts", text);
    known
}

fn at(finding: &Finding) -> Option<String> {
    match finding {
        Finding::Known(place) | Finding::Certified(place) | Finding::Revoked(place) => {
            Some(place.to_string())
        }
        _ => None,
    }
}

#[test]
fn names_lists_wildcards_negation_and_ports() {
    let key = bare(ED25519);
    let text = format!(
        "# a comment\n\n  \nalpha,beta {key} a comment\n*.wild.net,!not.wild.net,?.x {key}\r\n\
         [gamma]:2222 {key}\n10.0.0.*\t{key}\nDELTA {key}\n[::1]:2222 {key}\n::2 {key}"
    );
    let known = file(&text);
    assert_eq!(known.unreadable().count(), 0);
    let key = blob(ED25519);
    for (host, port, line) in [
        ("alpha", 22, Some(4)),
        ("BETA", 22, Some(4)),
        ("a.wild.net", 22, Some(5)),
        ("a.b.wild.net", 22, Some(5)),
        ("not.wild.net", 22, None),
        ("wild.net", 22, None),
        ("y.x", 22, Some(5)),
        ("gamma", 2222, Some(6)),
        ("gamma", 22, None),
        ("gamma", 2223, None),
        ("10.0.0.9", 22, Some(7)),
        ("delta", 22, Some(8)),
        ("[::1]", 2222, Some(9)),
        ("::2", 22, Some(10)),
        // A line without a port is good for all ports.
        ("alpha", 2222, Some(4)),
    ] {
        let found = known.check(host, port, &key, now());
        let expected = line.map(|line| format!("known_hosts:{line}"));
        assert_eq!(at(&found), expected, "{host} {port}: {found:?}");
    }
}

#[test]
fn hashed_names_are_found() {
    let known = file(HASHED);
    let key = blob(ED25519);
    let found = |host, port| at(&known.check(host, port, &key, now()));
    assert_eq!(
        found("plain.example.com", 22).as_deref(),
        Some("known_hosts:1")
    );
    assert_eq!(
        found("Port.example.com", 2222).as_deref(),
        Some("known_hosts:2")
    );
    assert_eq!(found("port.example.com", 22), None);
}

#[test]
fn another_key_is_a_change_of_whatever_algorithm() {
    let (a, b) = (bare(ED25519), bare(RSA));
    let mut known = KnownHosts::new();
    known.add("first", format!("other {a}\n"));
    known.add("second", format!("\nhost {a}\nhost {b}\n"));
    let Finding::Changed {
        offending,
        algorithms,
    } = known.check("host", 22, &blob(ECDSA), now())
    else {
        panic!("the host has other keys");
    };
    assert_eq!(offending.to_string(), "second:2");
    assert_eq!(algorithms, ["ssh-ed25519", "ssh-rsa"]);
    // The second of the host's keys is as good as the first.
    let second = known.check("host", 22, &blob(RSA), now());
    assert_eq!(at(&second).as_deref(), Some("second:3"));
    // Another port may have another key.
    let elsewhere = known.check("host", 2222, &blob(ECDSA), now());
    assert_eq!(elsewhere, Finding::Unknown);
}

#[test]
fn revoked_wins() {
    let key = bare(ED25519);
    let ca = bare(CA);
    let known = file(&format!(
        "host {key}\n@revoked * {key}\n@revoked *.example.com {ca}\n"
    ));
    let found = known.check("host", 22, &blob(ED25519), now());
    assert_eq!(at(&found).as_deref(), Some("known_hosts:2"));
    assert!(matches!(found, Finding::Revoked(_)));
    let known = file(&format!(
        "@cert-authority * {ca}\n@revoked *.example.com {ca}\n"
    ));
    let found = known.check("web.example.com", 22, &blob(CERTIFICATE), now());
    assert!(matches!(found, Finding::Revoked(_)), "{found:?}");
}

#[test]
fn certificates_of_known_authorities() {
    let (ca, rsa) = (bare(CA), bare(CA_RSA));
    let known = file(&format!(
        "@cert-authority *.example.com {ca}\n@cert-authority *.example.com {rsa}\n"
    ));
    let check = |host: &str, certificate: &str| known.check(host, 22, &blob(certificate), now());
    let good = check("web.example.com", CERTIFICATE);
    assert!(matches!(good, Finding::Certified(_)), "{good:?}");
    let wild = check("a.db.example.com", CERTIFICATE);
    assert!(matches!(wild, Finding::Certified(_)), "{wild:?}");
    let by_rsa = check("web.example.com", BY_RSA);
    assert_eq!(at(&by_rsa).as_deref(), Some("known_hosts:2"));
    assert!(known.has_authority("web.example.com", 2222));
    assert!(!known.has_authority("example.org", 22));

    let why = |finding| match finding {
        Finding::BadCertificate { why, .. } => why,
        other => panic!("it should be a bad certificate: {other:?}"),
    };
    let names = ["web.example.com", "*.db.example.com"];
    let other = why(check("mail.example.com", CERTIFICATE));
    assert_eq!(
        other,
        BadCertificate::OtherHosts(names.map(str::to_owned).to_vec())
    );
    let user = why(check("web.example.com", OF_A_USER));
    assert_eq!(user, BadCertificate::NotForHosts);
    let critical = why(check("web.example.com", CRITICAL));
    assert_eq!(
        critical,
        BadCertificate::CriticalOption("force-thing".to_owned())
    );
    let weak = why(check("web.example.com", BY_SHA1));
    assert_eq!(weak, BadCertificate::WeakSignature("ssh-rsa".to_owned()));
    let when = |secs| {
        let then = UNIX_EPOCH + Duration::from_secs(secs);
        why(known.check("web.example.com", 22, &blob(CERTIFICATE), then))
    };
    assert!(matches!(
        when(1_577_000_000),
        BadCertificate::NotYetValid(_)
    ));
    assert!(matches!(when(2_300_000_000), BadCertificate::Expired(_)));
}

#[test]
fn a_certificate_that_was_changed_is_refused() {
    let known = file(&format!("@cert-authority * {}\n", bare(CA)));
    let good = blob(CERTIFICATE);
    let mut accepted = Vec::new();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        if let Finding::Certified(_) = known.check("web.example.com", 22, &bad, now()) {
            accepted.push(at);
        }
    }
    assert_eq!(accepted, [], "bytes that may be changed");
}

#[test]
fn a_certificate_of_nobody_is_as_good_as_its_key() {
    let known = file(&format!("web.example.com {}\n", bare(ED25519)));
    let found = known.check("web.example.com", 22, &blob(CERTIFICATE), now());
    assert!(matches!(found, Finding::Known(_)), "{found:?}");
    let found = file("").check("web.example.com", 22, &blob(CERTIFICATE), now());
    assert_eq!(found, Finding::Unknown);
}

#[test]
fn lines_that_cannot_be_read_are_named_and_count_for_nothing() {
    let key = bare(ED25519);
    let body = key.split(' ').nth(1).expect("the key");
    let known = file(&format!(
        "host\nhost 1024 35 1234567\nhost ssh-rsa {body}\n@nonsense host {key}\n|1|x|y {key}\n\
         host ssh-ed25519 ####\nhost {key}\n"
    ));
    let lines: Vec<usize> = known.unreadable().map(|(place, _)| place.line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 6]);
    let found = known.check("host", 22, &blob(ED25519), now());
    assert_eq!(at(&found).as_deref(), Some("known_hosts:7"));
}

#[test]
fn fingerprints_are_those_of_ssh_keygen() {
    let key = blob(ED25519);
    assert_eq!(
        fingerprint::sha256(&key),
        "SHA256:l3FkWhchW0XC6TiJfC2YbC+nrw6kQz0naWJhCOZudp4"
    );
    assert_eq!(
        fingerprint::md5(&key),
        "b5:33:c6:53:1a:d9:6b:e1:ef:b1:8e:22:26:aa:ca:8b"
    );
}

fn rules(policy: Policy, text: &str) -> HostKeyRules {
    let mut rules = HostKeyRules::new();
    rules.policy = policy;
    rules.known = Arc::new(file(text));
    rules
}

fn refusal(verdict: Verdict) -> Fault {
    match verdict {
        Verdict::Refuse(fault) => fault,
        other => panic!("it should be refused: {other:?}"),
    }
}

#[test]
fn the_default_refuses_what_is_unknown_and_says_what_helps() {
    let fault = refusal(HostKeyRules::new().judge("host", 22, &blob(ED25519), now()));
    assert_eq!(fault.culprit, Culprit::Policy);
    assert_eq!(fault.reason, Reason::HostKey);
    assert!(fault.what.contains("SHA256:l3Fk"), "{}", fault.what);
    assert!(fault.remedy.is_some());
}

#[test]
fn policies() {
    let key = blob(ED25519);
    let changed = format!("host {}\n", bare(RSA));
    let revoked = format!("@revoked * {}\n", bare(ED25519));
    let strict = rules(Policy::Strict, &changed).judge("host", 22, &key, now());
    let fault = refusal(strict);
    assert!(fault.what.contains("known_hosts:1"), "{}", fault.what);
    for policy in [Policy::AcceptNew, Policy::Ask] {
        refusal(rules(policy, &changed).judge("host", 22, &key, now()));
        refusal(rules(policy, &revoked).judge("host", 22, &key, now()));
    }
    let off = rules(Policy::Off, &changed).judge("host", 22, &key, now());
    assert!(matches!(off, Verdict::Trust));
    refusal(rules(Policy::Off, &revoked).judge("host", 22, &key, now()));
    let ask = rules(Policy::Ask, "").judge("host", 22, &key, now());
    assert!(matches!(ask, Verdict::Ask));
}

#[test]
fn what_was_accepted_makes_the_host_known() {
    let key = blob(ED25519);
    let rules = rules(Policy::AcceptNew, "");
    for _ in 0..2 {
        let verdict = rules.judge("New.example.com", 2222, &key, now());
        assert!(matches!(verdict, Verdict::Trust));
    }
    let learned = rules.learned.take();
    assert_eq!(learned.len(), 1, "once");
    assert_eq!(
        learned[0].line(),
        format!("[new.example.com]:2222 {}", bare(ED25519))
    );
    let hashed = learned[0].hashed_line([7; 20]);
    assert!(!hashed.contains("example"), "{hashed}");
    for line in [learned[0].line(), hashed] {
        let found = file(&line).check("new.example.com", 2222, &key, now());
        assert!(matches!(found, Finding::Known(_)), "{line}");
    }
    assert!(rules.learned.take().is_empty());
    for special in ["*", "a,b", "a b", "a\nb", "#a", "@revoked"] {
        rules.confirmed(special, 22, &key);
    }
    assert!(rules.learned.take().is_empty());
}

#[test]
fn pins_decide_instead_of_files() {
    let key = blob(ED25519);
    let sha256 = "l3FkWhchW0XC6TiJfC2YbC+nrw6kQz0naWJhCOZudp4";
    let md5 = "B533c6531ad96be1efb18e2226aaca8b";
    for pin in [
        sha256.to_owned(),
        format!("{sha256}="),
        format!("SHA256:{sha256}"),
    ] {
        let mut rules = rules(Policy::Strict, "");
        rules.pins = Pins::default().sha256(&pin).expect("it is one");
        assert!(matches!(rules.judge("h", 22, &key, now()), Verdict::Trust));
        let fault = refusal(rules.judge("h", 22, &blob(RSA), now()));
        assert_eq!(fault.reason, Reason::PinMismatch);
        rules.pins = rules.pins.md5(&"0".repeat(32)).expect("it is one");
        refusal(rules.judge("h", 22, &key, now()));
    }
    let mut rules = rules(Policy::Strict, &format!("h {}\n", bare(RSA)));
    rules.pins = Pins::default().md5(md5).expect("it is one");
    assert!(matches!(rules.judge("h", 22, &key, now()), Verdict::Trust));
    refusal(rules.judge("h", 22, &blob(RSA), now()));
    for bad in ["", "12", &"g".repeat(32), &"0".repeat(33)] {
        assert!(Pins::default().md5(bad).is_err(), "{bad}");
        assert!(Pins::default().sha256(bad).is_err(), "{bad}");
    }
}

#[test]
fn key_exchange_prefers_what_can_be_recognised() {
    let (key, rsa, ca) = (bare(ED25519), bare(RSA), bare(CA));
    let rules = rules(
        Policy::Strict,
        &format!("host {rsa}\nhost {key}\n@cert-authority web {ca}\n"),
    );
    assert_eq!(
        rules.preferred("host", 2222),
        ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa", "ssh-ed25519"]
    );
    let web = rules.preferred("web", 22);
    assert!(web.iter().all(|name| name.contains("-cert-")), "{web:?}");
    assert!(rules.preferred("elsewhere", 22).is_empty());
}

proptest! {
    #[test]
    fn no_file_and_no_key_is_a_panic(text in any::<Vec<u8>>(), key in any::<Vec<u8>>()) {
        let mut known = KnownHosts::new();
        known.add("f", &text);
        known.check("host", 22, &key, now());
        known.algorithms("host", 2222);
    }

    #[test]
    fn a_new_line_makes_its_host_known(
        host in "[a-zA-Z0-9.-]{1,40}", port: u16, salt: Option<[u8; 20]>,
    ) {
        let key = blob(ED25519);
        let line = new_line(&host, port, &key, salt);
        let found = file(&line).check(&host, port, &key, now());
        prop_assert!(matches!(found, Finding::Known(_)), "{}", line);
        let other = file(&line).check(&format!("x{host}"), port, &key, now());
        prop_assert_eq!(other, Finding::Unknown);
    }
}
