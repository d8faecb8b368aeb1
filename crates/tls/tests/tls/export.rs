//! Sessions that leave a client of OpenSSL's as bytes and come into another.

use std::sync::Arc;

use sockless_core::{Culprit, Fault, Reason};
use sockless_tls::{Client, Config};

use crate::peer::{Authority, config};
use crate::servers::VERSIONS;
use crate::sessions::{World, is_resumed};

/// A world, a client with a session, and what it exports.
fn exported(world: &World) -> (Arc<Client>, Vec<u8>) {
    let client = world.client();
    world.meet(&client, "example.com");
    world.meet(&client, "b.example");
    let bytes = client.export_sessions().unwrap();
    (client, bytes)
}

fn refused(client: &Client, bytes: &[u8]) -> Fault {
    let fault = client.import_sessions(bytes).unwrap_err();
    assert_eq!(fault.culprit, Culprit::Misuse);
    assert!(fault.remedy.is_some(), "{}", fault.what);
    fault
}

#[test]
fn another_client_with_equal_settings_resumes_them() {
    for world in VERSIONS.map(World::over) {
        let (_, bytes) = exported(&world);
        let client = world.client();
        assert_eq!(client.import_sessions(&bytes).unwrap(), 2);
        assert!(is_resumed(&world.meet(&client, "example.com")));
        assert!(is_resumed(&world.meet(&client, "b.example")));
        assert!(!is_resumed(&world.meet(&client, "c.example")));
    }
}

#[test]
fn tickets_leave_with_the_bytes() {
    for (world, stays) in VERSIONS.map(World::over).iter().zip([true, false]) {
        let (client, _) = exported(world);
        assert_eq!(is_resumed(&world.meet(&client, "example.com")), stays);
    }
}

#[test]
fn no_more_than_is_allowed_is_kept_of_an_import() {
    for world in VERSIONS.map(World::over) {
        let (_, bytes) = exported(&world);
        let client = config(world.ca.roots()).resumption(1).build().unwrap();
        assert_eq!(client.import_sessions(&bytes).unwrap(), 2);
        assert!(is_resumed(&world.meet(&client, "b.example")), "the newest");
        assert!(!is_resumed(&world.meet(&client, "example.com")));
    }
}

#[test]
fn what_is_damaged_is_refused_and_nothing_is_lost() {
    for world in VERSIONS.map(World::over) {
        let (_, bytes) = exported(&world);
        let client = world.client();
        world.meet(&client, "c.example");
        for len in 0..bytes.len() {
            assert_eq!(refused(&client, &bytes[..len]).reason, Reason::BadRequest);
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            refused(&client, &bytes);
        }
        let longer = [&bytes[..], b"\0"].concat();
        assert!(refused(&client, &longer).what.contains("damaged"));
        assert!(refused(&client, b"garbage").what.contains("no exported"));
        assert!(!is_resumed(&world.meet(&client, "example.com")));
        assert!(is_resumed(&world.meet(&client, "c.example")));
        assert_eq!(client.import_sessions(&bytes).unwrap(), 2);
    }
}

#[test]
fn another_format_is_named() {
    let world = World::over(VERSIONS[1]);
    let (_, mut bytes) = exported(&world);
    bytes[5] = 2;
    let fault = refused(&world.client(), &bytes);
    assert_eq!(fault.reason, Reason::Unsupported);
    assert!(fault.what.contains("format 2"), "{}", fault.what);
}

#[test]
fn other_settings_take_none() {
    let world = World::over(VERSIONS[1]);
    let (_, bytes) = exported(&world);
    let trusting = || config(world.ca.roots());
    let others = Authority::new("clients");
    let me = others.issue(&["client.example"]);
    let identified = |config: Config| {
        let key = me.key.serialize_pem();
        config.client_certificate(me.pem().as_bytes(), key.as_bytes())
    };
    let pin = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let cases = [
        config(others.roots()),
        trusting().verify(sockless_tls::Verify::Insecure),
        trusting().pin(pin.as_bytes()).unwrap(),
        identified(trusting()).unwrap(),
    ];
    for case in cases {
        let fault = refused(&case.build().unwrap(), &bytes);
        assert!(fault.what.contains("other TLS settings"), "{}", fault.what);
    }
}

#[test]
fn settings_that_keep_none_say_so() {
    let world = World::over(VERSIONS[1]);
    let (_, bytes) = exported(&world);
    let trusting = || config(world.ca.roots());
    for case in [trusting().resumption(0), trusting().require_ocsp(true)] {
        let client = case.build().unwrap();
        assert!(refused(&client, &bytes).what.contains("keep no sessions"));
        let fault = client.export_sessions().unwrap_err();
        assert_eq!(fault.reason, Reason::BadRequest);
    }
}
