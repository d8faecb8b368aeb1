//! Every way that takes tickets, with the tickets of every KDC.

use sockless::drivers::Blocking;
use sockless::{Auth, Protection, Proxy};
use sockless_tests::content;
use sockless_tests::servers::{HEIMDAL_REALM, PASSWORD, REALM, USER, Way};

use crate::{World, alice, config, get, login, servers};

/// The realms that are there, and who we are in them.
fn users() -> Vec<(String, Auth)> {
    let mut users = vec![(format!("{USER}@{REALM}"), alice())];
    match servers().0.heimdal_port() {
        Ok(_) => {
            let realms = crate::realms().domain("localhost", HEIMDAL_REALM);
            let name = format!("{USER}@{HEIMDAL_REALM}");
            users.push((name.clone(), login(&name, PASSWORD, realms)));
        }
        Err(why) => println!("not tested with Heimdal's KDC: {why}"),
    }
    users
}

#[test]
fn http_and_https() {
    let (_, kerberized) = servers();
    for (name, auth) in users() {
        let mut world = World::new(config());
        for url in [
            kerberized.http_url("/private/1k"),
            kerberized.https_url("/private/1k"),
            kerberized.http_url("/connection/1k"),
        ] {
            for _ in 0..2 {
                let outcome = world.fetch(get(&url).auth(auth.clone()));
                assert_eq!(outcome.user(), name, "{url}");
                assert_eq!(content::check(0, &outcome.body), Ok(()), "{url}");
                let proof = "auth: the peer has proven who it is, by Kerberos";
                assert!(outcome.notes.iter().any(|note| note == proof), "{url}");
            }
        }
    }
}

#[test]
fn a_driver_that_polls() {
    let driver = Box::new(Blocking::new().expect("a driver"));
    let mut world = World::on(config(), driver);
    let url = servers().1.http_url("/private/1k");
    let outcome = world.fetch(get(&url).auth(alice()));
    assert_eq!(outcome.user(), format!("{USER}@{REALM}"));
}

/// The server takes nothing that is not bound to its TLS connection.
#[test]
fn a_context_is_bound_to_its_channel() {
    let url = servers().1.bound_url();
    let mut world = World::new(config());
    for (name, auth) in users() {
        for auth in [auth.clone(), auth.unasked()] {
            let outcome = world.fetch(get(&url).auth(auth));
            outcome.user();
            let said = String::from_utf8_lossy(&outcome.body);
            assert_eq!((outcome.code, said.trim()), (200, name.as_str()));
        }
    }
}

#[test]
fn proxies_that_are_handed_requests_and_that_open_tunnels() {
    let (_, kerberized) = servers();
    let port = kerberized.port(Way::Proxy).expect("a proxy");
    for (_, auth) in users() {
        let proxy = Proxy::parse(&format!("http://localhost:{port}")).expect("a proxy");
        let proxy = proxy.auth(auth);
        let mut world = World::new(config());
        for url in [kerberized.http_url("/1k"), kerberized.https_url("/1k")] {
            let outcome = world.fetch(get(&url).proxy(proxy.clone()));
            outcome.user();
            assert_eq!(outcome.code, 200, "{url}");
            assert_eq!(content::check(0, &outcome.body), Ok(()), "{url}");
        }
        // Without tickets it lets nobody through.
        let bare = Proxy::parse(&format!("http://localhost:{port}")).expect("a proxy");
        let outcome = world.fetch(get(&kerberized.http_url("/1k")).proxy(bare));
        assert_eq!(outcome.code, 407);
    }
}

/// RFC 1961: what passes is wrapped, so that no byte of it can be read on the wire.
#[test]
fn socks_at_each_level_of_protection() {
    let (_, kerberized) = servers();
    let port = match kerberized.port(Way::Socks) {
        Ok(port) => port,
        Err(why) => return println!("not tested, there is no Dante: {why}"),
    };
    for (name, auth) in users() {
        for level in [
            Protection::None,
            Protection::Integrity,
            Protection::Confidentiality,
        ] {
            let proxy = Proxy::parse(&format!("socks5h://localhost:{port}")).expect("a proxy");
            let proxy = proxy.auth(auth.clone()).protection(level);
            let mut world = World::new(config());
            for url in [
                kerberized.http_url("/1m"),
                kerberized.https_url("/private/1k"),
            ] {
                let request = get(&url).proxy(proxy.clone()).auth(auth.clone());
                let outcome = world.fetch(request);
                outcome.user();
                assert_eq!(outcome.code, 200, "{name} {level:?} {url}");
                assert_eq!(content::check(0, &outcome.body), Ok(()), "{level:?} {url}");
                let agreed = format!("socks5: authenticated by Kerberos, protection: {level:?}");
                let reused = outcome.notes.iter().all(|note| !note.starts_with("socks5"));
                assert!(
                    reused || outcome.notes.contains(&agreed),
                    "{:?}",
                    outcome.notes
                );
            }
        }
    }
}

/// The KDC of the client's realm knows nothing of the service, but who may.
#[test]
fn a_ticket_from_another_realm_by_referral() {
    let realms = crate::realms();
    let credentials = sockless::kerberos::Credentials::password(USER, PASSWORD, &realms);
    let kerberos = crate::provider(credentials, realms).expect("a provider");
    let url = servers().1.http_url("/private/1k");
    let auth = Auth::negotiate(kerberos).target("elsewhere.other.test");
    let mut world = World::new(config());
    let outcome = world.fetch(get(&url).auth(auth));
    assert_eq!(outcome.user(), format!("{USER}@{REALM}"));
    let asked = |port: u16| {
        let port = format!("port {port} ");
        outcome.notes.iter().any(|note| note.contains(&port))
    };
    assert!(asked(servers().0.other_port()), "{:?}", outcome.notes);
}

#[test]
fn names_of_services_can_be_said() {
    let url = servers().1.http_url("/private/1k");
    let mut world = World::new(config());
    // It has a key of this one as well, and takes it for what it is.
    let outcome = world.fetch(get(&url).auth(alice().service("host")));
    assert_eq!(outcome.user(), format!("{USER}@{REALM}"));
}
