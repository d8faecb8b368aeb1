//! Settings: what is refused when they are built, and what they do.

use std::sync::{Arc, Mutex};

use rustls::enums::ApplicationProtocol;
use sockless_core::{Culprit, Fault, Reason};
use sockless_tls::{KeyLog, Roots, Version};

use crate::peer::{Local, Remote, World, both_versions, config, settle};

fn misuse<T>(result: Result<T, Fault>) -> String {
    let Err(fault) = result else {
        panic!("it was accepted")
    };
    assert_eq!(
        (fault.culprit, fault.reason),
        (Culprit::Misuse, Reason::BadRequest)
    );
    fault.what
}

#[test]
fn settings_that_cannot_work_are_refused_at_once() {
    let roots = || World::new().authority.roots();
    assert!(misuse(config(Roots::empty()).build()).contains("no certificate authority"));
    assert!(misuse(config(roots()).alpn([""]).build()).contains("ALPN"));
    assert!(misuse(config(roots()).alpn(["x".repeat(256)]).build()).contains("ALPN"));
    let upside_down = config(roots()).versions(Version::Tls13, Version::Tls12);
    assert!(misuse(upside_down.build()).contains("version"));
    let mut broken = Roots::empty();
    broken.add_der(b"no certificate");
    assert!(misuse(config(broken).build()).contains("trusted root"));
}

#[test]
fn pem_without_what_is_wanted_is_refused() {
    let world = World::new();
    let mut roots = Roots::empty();
    assert!(misuse(roots.add_pem(b"")).contains("no certificate"));
    assert!(misuse(roots.add_pem(b"-----BEGIN CERTIFICATE-----\n!\n")).contains("PEM"));
    let two = world.authority.pem().repeat(2);
    assert_eq!(roots.add_pem(two.as_bytes()).unwrap(), 2);

    let (one, other) = (
        world.authority.issue(&["a.example"]),
        world.authority.issue(&["b.example"]),
    );
    let pair = |chain: &str, key: &str| {
        config(world.authority.roots()).client_certificate(chain.as_bytes(), key.as_bytes())
    };
    assert!(misuse(pair("", &one.key.serialize_pem())).contains("no certificate"));
    assert!(misuse(pair(&one.pem(), &one.pem())).contains("no private key"));
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(misuse(pair(&one.pem(), locked)).contains("encrypted"));
    let mixed = pair(&one.pem(), &other.key.serialize_pem()).unwrap();
    assert!(misuse(mixed.build()).contains("client certificate"));
    pair(&one.pem(), &one.key.serialize_pem())
        .unwrap()
        .build()
        .unwrap();
}

#[test]
fn names_that_are_none_are_refused() {
    let client = World::new().client;
    for name in ["", ".", "has space", "a..b", "exa\nmple", "[::1]", "-"] {
        let Err(fault) = client.filter(name) else {
            panic!("{name:?} was accepted")
        };
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::Misuse, Reason::BadUrl)
        );
        assert!(!fault.what.contains('\n'));
    }
}

#[test]
fn keys_are_equal_for_the_same_settings_and_name_only() {
    let world = World::new();
    let other = config(world.authority.roots()).build().unwrap();
    let key = world.client.layer_key("Example.com.");
    assert_eq!(key, world.client.layer_key("example.com"));
    assert_eq!(
        (key.layer, key.settings),
        ("tls", world.client.settings_id())
    );
    assert_ne!(key, world.client.layer_key("example.org"));
    assert_ne!(key, other.layer_key("example.com"));
}

#[test]
fn alpn_is_offered_and_what_was_chosen_is_said() {
    let world = World::new();
    let mut server = (*world.server).clone();
    server.alpn_protocols = vec![ApplicationProtocol::from(&b"http/1.1"[..]).to_owned()];
    let server = Arc::new(server);
    let offer = |names: &[&str]| {
        let config = config(world.authority.roots()).alpn(names);
        let mut local = Local::new(&config.build().unwrap(), "example.com");
        let result = settle(&mut local, &mut Remote::new(&server));
        result.map(|()| local.note())
    };
    assert!(
        offer(&["h2", "http/1.1"])
            .unwrap()
            .contains("ALPN http/1.1")
    );
    let fault = offer(&["h2"]).unwrap_err();
    assert_eq!(fault.culprit, Culprit::PeerIncompatible);
    assert!(
        fault.what.contains("NoApplicationProtocol"),
        "{}",
        fault.what
    );
}

#[test]
fn the_name_is_said_unless_that_is_off() {
    let world = World::new();
    for (sni, said) in [(true, Some("example.com")), (false, None)] {
        let client = config(world.authority.roots()).sni(sni).build().unwrap();
        let mut remote = Remote::new(&world.server);
        settle(&mut Local::new(&client, "example.com."), &mut remote).unwrap();
        assert_eq!(
            remote.connection.side().server_name().map(AsRef::as_ref),
            said
        );
    }
}

#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl KeyLog for Lines {
    fn line(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

#[test]
fn the_key_log_has_each_secret() {
    let labels = [
        vec!["CLIENT_RANDOM"],
        vec![
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            "CLIENT_TRAFFIC_SECRET_0",
            "SERVER_TRAFFIC_SECRET_0",
        ],
    ];
    for (world, labels) in both_versions().iter().zip(labels) {
        let log = Arc::new(Lines::default());
        let client = config(world.authority.roots())
            .key_log(log.clone())
            .build()
            .unwrap();
        settle(
            &mut Local::new(&client, "example.com"),
            &mut Remote::new(&world.server),
        )
        .unwrap();
        let lines = log.0.lock().unwrap();
        for label in labels {
            let line = lines
                .iter()
                .find(|line| line.split(' ').next() == Some(label))
                .unwrap();
            let [_, random, secret] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            assert_eq!(random.len(), 64);
            assert!(secret.len() >= 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }
}

#[cfg(feature = "webpki-roots")]
#[test]
fn compiled_in_roots_do_not_trust_a_test_authority() {
    let world = World::new();
    let client = config(Roots::webpki()).build().unwrap();
    let fault = settle(
        &mut Local::new(&client, "example.com"),
        &mut Remote::new(&world.server),
    );
    assert_eq!(fault.unwrap_err().reason, Reason::Certificate);
}
