//! Which connections are shared, and which must not be: seen from the server, and from what
//! the library says of each transfer.

use sockless::{Auth, Proxy, ProxyKind, Request};
use sockless_tests::servers::{Entrance, PASSWORD, USER};

use crate::road::{BACKENDS, Road, servers, socks, trusting};

/// Fetches both in a row, and says whether the second one used the first one's connection.
fn shared(road: &mut Road, first: Request, second: Request) -> bool {
    assert_eq!(road.fetch(first).head.code, 200);
    road.fetch(second).summary.reused
}

#[test]
fn equal_requests_share_and_each_difference_that_matters_keeps_them_apart() {
    let (nginx, squid) = (servers().nginx(), servers().squid());
    let tls = trusting(BACKENDS[0], &nginx.ca_pem());
    let other_tls = trusting(BACKENDS[0], &nginx.ca_pem());
    let url = nginx.https_url("/1k");
    let base = || Request::get(&url).expect("a URL").tls(tls.clone());
    let open = squid.port(Entrance::Open);
    let squid = || Proxy::new(ProxyKind::Http, "127.0.0.1", open).expect("a proxy");
    let alice = || squid().auth(Auth::password(USER, PASSWORD));
    let bob = || squid().auth(Auth::password(USER, "another"));
    let header = |value: &str| squid().header("X-Who", value).expect("a field");
    Road::on_each(|road| {
        assert!(shared(road, base(), base()), "equal ones");
        let pairs: [(&str, Request, Request); 9] = [
            ("a proxy and none", base(), base().proxy(squid())),
            (
                "TLS settings",
                base(),
                Request::get(&url).expect("a URL").tls(other_tls.clone()),
            ),
            (
                "kinds of proxies",
                base().proxy(squid()),
                base().proxy(socks()),
            ),
            (
                "a chain's length",
                base().proxy(socks()),
                base().proxy(socks()).proxy(squid()),
            ),
            (
                "a proxy's password",
                base().proxy(alice()),
                base().proxy(bob()),
            ),
            (
                "no password for a proxy",
                base().proxy(alice()),
                base().proxy(squid()),
            ),
            (
                "a proxy's fields",
                base().proxy(header("a")),
                base().proxy(header("b")),
            ),
            (
                "the local address",
                base(),
                base().local_address([127, 0, 0, 1].into()),
            ),
            (
                "the verified name",
                base(),
                Request::get(&url.replace("localhost", "127.0.0.1"))
                    .expect("a URL")
                    .tls(tls.clone()),
            ),
        ];
        for (what, first, second) in pairs {
            road.session.close_idle();
            assert!(!shared(road, first, second), "{what}");
        }
    });
}

#[test]
fn what_each_request_says_for_itself_does_not_keep_them_apart() {
    let nginx = servers().nginx();
    let tls = trusting(BACKENDS[0], &nginx.ca_pem());
    let url = nginx.https_url("/1k");
    let base = || Request::get(&url).expect("a URL").tls(tls.clone());
    Road::on_each(|road| {
        assert!(
            shared(road, base(), base().basic("a", "b")),
            "Basic is in each request"
        );
        let field = base().header("X-Who", "me").expect("a field");
        assert!(shared(road, base(), field), "so are fields");
    });
}
