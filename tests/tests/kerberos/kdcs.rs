//! How KDCs are asked: together, in turn, by streams, through proxies.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use sockless::kerberos::{Realms, proxied, unproxied};
use sockless::{Auth, Proxy, ProxyKind, Reason};
use sockless_tests::servers::{PASSWORD, REALM, USER, Way};

use crate::{World, config, get, login, realms, servers};

fn me() -> String {
    format!("{USER}@{REALM}")
}

/// Realms with these KDCs of ours alone.
fn with_kdcs(places: &[String]) -> Realms {
    let start = realms().without_kdcs(REALM);
    let add = |realms: Realms, place: &String| realms.kdc(REALM, place).expect("a KDC");
    places.iter().fold(start, add)
}

#[test]
fn many_transfers_share_one_exchange() {
    let (kdc, kerberized) = servers();
    // Nobody else in these tests gets tickets as this user.
    let auth = login("nopreauth", PASSWORD, realms());
    let url = kerberized.http_url("/private/1k");
    let mut world = World::new(config());
    let ids: Vec<_> = (0..200)
        .map(|_| {
            let request = get(&url).auth(auth.clone().unasked());
            world.start(request).expect("it starts")
        })
        .collect();
    for outcome in world.finish(&ids) {
        assert_eq!(outcome.user(), format!("nopreauth@{REALM}"));
    }
    let log = kdc.log();
    let count = |kind: &str| {
        let lines = log.lines();
        let ours = lines.filter(|line| line.contains(kind) && line.contains("nopreauth@"));
        ours.filter(|line| line.contains("ISSUE")).count()
    };
    assert_eq!((count("AS_REQ"), count("TGS_REQ")), (1, 1), "{log}");
}

/// Some are challenged while others are on their way: those go without a context, and wait when it is their turn.
#[test]
fn many_transfers_are_challenged_in_turn() {
    let auth = login(USER, PASSWORD, realms());
    let url = servers().1.http_url("/private/1k");
    let mut config = config();
    // The others begin only when the first has been challenged.
    config.limits.connections_per_host = 1;
    let mut world = World::new(config);
    let ids: Vec<_> = (0..10)
        .map(|_| {
            world
                .start(get(&url).auth(auth.clone()))
                .expect("it starts")
        })
        .collect();
    for outcome in world.finish(&ids) {
        assert_eq!(outcome.user(), me());
    }
}

#[test]
fn a_silent_kdc_is_passed_over() {
    let (kdc, kerberized) = servers();
    let [first, _] = kdc.ports();
    let places = [kdc.silent_port(), first].map(|port| format!("127.0.0.1:{port}"));
    for places in [
        places.to_vec(),
        places.map(|place| format!("tcp/{place}")).to_vec(),
    ] {
        let auth = login(USER, PASSWORD, with_kdcs(&places));
        let url = kerberized.http_url("/private/1k");
        let outcome = World::new(config()).fetch(get(&url).auth(auth));
        assert_eq!(outcome.user(), me());
        let asked = |port: u16| {
            let port = format!("port {port} ");
            outcome
                .notes
                .iter()
                .filter(|note| note.contains(&port))
                .count()
        };
        // Once: whoever answered is asked first the next time.
        assert_eq!(asked(kdc.silent_port()), 1, "{:?}", outcome.notes);
        assert!(asked(first) > 1, "{:?}", outcome.notes);
    }
}

/// Every KDC is silent: that transfer fails in the end, one without tickets never notices.
#[test]
fn silence_holds_nobody_else_up() {
    let (kdc, kerberized) = servers();
    let auth = login(
        USER,
        PASSWORD,
        with_kdcs(&[format!("127.0.0.1:{}", kdc.silent_port())]),
    );
    let mut world = World::new(config());
    let request = get(&kerberized.http_url("/private/1k")).auth(auth.unasked());
    let request = request.timeouts(|timeouts| timeouts.total = Some(Duration::from_secs(2)));
    let held = world.start(request).expect("it starts");
    let free = world
        .start(get(&kerberized.http_url("/1k")))
        .expect("it starts");
    let outcomes = world.finish(&[held, free]);
    assert_eq!(outcomes[0].error().reason(), Reason::TotalTimeout);
    assert_eq!(outcomes[1].code, 200);
}

#[test]
fn a_transfer_that_waits_for_a_ticket_can_be_cancelled() {
    let (kdc, kerberized) = servers();
    let auth = login(
        USER,
        PASSWORD,
        with_kdcs(&[format!("127.0.0.1:{}", kdc.silent_port())]),
    );
    let mut world = World::new(config());
    let request = get(&kerberized.http_url("/private/1k")).auth(auth.unasked());
    let id = world.start(request).expect("it starts");
    world.session.cancel(id);
    let outcome = world.finish(&[id]).remove(0);
    assert_eq!(outcome.error().reason(), Reason::Cancelled);
}

/// KDCs behind a SOCKS proxy: no datagram passes there.
#[test]
fn kdcs_are_asked_through_proxies() {
    let running = sockless_tests::servers::Servers::start(&["microsocks"]).expect("it starts");
    let mut config = config();
    let port = running.microsocks().port();
    let proxy = Proxy::new(ProxyKind::Socks5, "127.0.0.1", port).expect("a proxy");
    config.kdc_proxies = vec![proxy.auth(Auth::password(USER, PASSWORD))];
    let auth = login(USER, PASSWORD, realms());
    let url = servers().1.http_url("/private/1k");
    let outcome = World::new(config).fetch(get(&url).auth(auth));
    assert_eq!(outcome.user(), me());
    let asked: Vec<_> = outcome
        .notes
        .iter()
        .filter(|note| note.contains("KDC"))
        .collect();
    assert!(
        asked.iter().all(|note| note.ends_with("(tcp)")),
        "{asked:?}"
    );
}

/// MS-KKDCP: the KDC is asked by a POST.
#[test]
fn a_kdc_proxy_is_asked() {
    let kdc = servers().0.ports()[0];
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            relay(client, kdc);
        }
    });
    let url = format!("http://127.0.0.1:{port}/KdcProxy");
    let auth = login(USER, PASSWORD, with_kdcs(&[url]));
    let outcome = World::new(config()).fetch(get(&servers().1.http_url("/private/1k")).auth(auth));
    assert_eq!(outcome.user(), me());
    let asked = outcome.notes.iter().any(|note| note.contains("/KdcProxy"));
    assert!(asked, "{:?}", outcome.notes);
}

/// One POST: out of its frame, to the KDC, and back in a frame.
fn relay(mut client: TcpStream, kdc: u16) {
    let (mut wire, mut piece) = (Vec::new(), [0; 4096]);
    let message = loop {
        let n = client.read(&mut piece).unwrap_or(0);
        assert!(n > 0, "the request ends early");
        wire.extend_from_slice(&piece[..n]);
        let head = wire.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(message) = head.and_then(|at| unproxied(&wire[at + 4..]).ok()) {
            break message.to_vec();
        }
    };
    let mut kdc = TcpStream::connect(("127.0.0.1", kdc)).expect("a KDC");
    let length = (message.len() as u32).to_be_bytes();
    kdc.write_all(&[&length[..], &message].concat())
        .expect("sent");
    let mut length = [0; 4];
    kdc.read_exact(&mut length).expect("a length");
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    kdc.read_exact(&mut answer).expect("an answer");
    let body = proxied(&answer, REALM);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/kerberos\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client
        .write_all(&[head.as_bytes(), &body].concat())
        .expect("sent");
}

#[test]
fn the_configuration_of_the_servers_is_understood() {
    let silent = fs::read_to_string(servers().0.config_silent_first()).expect("text");
    let realms = Realms::parse(&silent).expect("a good configuration");
    let first = &realms.kdcs(REALM).expect("KDCs")[0];
    assert_eq!(
        first.to_string(),
        format!("127.0.0.1:{}", servers().0.silent_port())
    );
    assert!(servers().1.port(Way::Http).is_ok());
}
