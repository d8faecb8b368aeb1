//! Requests through chains of proxies.

use sockless::{Auth, Proxy, ProxyKind, Request};
use sockless_tests::servers::{Entrance, PASSWORD, USER};

use crate::road::{BACKENDS, Road, secure_proxy, servers, socks, trusting};

#[test]
fn https_through_socks5_a_tls_proxy_and_connect_with_either_library_in_either_place() {
    let nginx = servers().nginx();
    Road::on_each(|road| {
        for near in BACKENDS {
            for far in BACKENDS {
                let request = Request::get(&nginx.https_url("/1m"))
                    .expect("a URL")
                    .proxy(socks())
                    .proxy(secure_proxy(near))
                    .tls(trusting(far, &nginx.ca_pem()));
                let response = road.fetch(request);
                let shown = format!("{near:?} then {far:?} on {}", road.driver.name());
                assert_eq!(response.head.code, 200, "{shown}");
                assert_eq!(response.body.len(), 1 << 20, "{shown}");
            }
        }
    });
}

#[test]
fn each_kind_of_proxy_carries_http_and_https() {
    let (squid, nginx) = (servers().squid(), servers().nginx());
    let local = |kind, port| Proxy::new(kind, "127.0.0.1", port).expect("a proxy");
    let dante = servers().dante().port();
    let alice = || Auth::password(USER, PASSWORD);
    let proxies = [
        local(ProxyKind::Socks4, dante),
        local(ProxyKind::Socks5, dante),
        local(ProxyKind::Socks5h, dante),
        socks(),
        local(ProxyKind::Http, squid.port(Entrance::Open)),
        local(ProxyKind::Http, squid.port(Entrance::Open)).tunnel(),
        local(ProxyKind::Http, squid.port(Entrance::Basic)).auth(alice()),
        local(ProxyKind::Http, squid.port(Entrance::Digest)).auth(alice().digest()),
        local(ProxyKind::Http, squid.port(Entrance::Digest))
            .auth(alice().any())
            .tunnel(),
        secure_proxy(BACKENDS[0]),
    ];
    Road::on_each(|road| {
        for proxy in &proxies {
            for url in [nginx.http_url("/1k"), nginx.https_url("/1k")] {
                let request = Request::get(&url)
                    .expect("a URL")
                    .proxy(proxy.clone())
                    .tls(trusting(BACKENDS[0], &nginx.ca_pem()));
                let response = road.fetch(request);
                let shown = format!("{proxy:?} {url} on {}", road.driver.name());
                assert_eq!(
                    (response.head.code, response.body.len()),
                    (200, 1024),
                    "{shown}"
                );
            }
        }
    });
}

#[test]
fn a_wrong_password_is_refused_by_each_proxy_and_named_by_its_layer() {
    let (squid, nginx) = (servers().squid(), servers().nginx());
    let eve = || Auth::password("eve", "wrong");
    let basic = squid.port(Entrance::Basic);
    let microsocks = servers().microsocks().port();
    let cases = [
        (
            Proxy::new(ProxyKind::Http, "127.0.0.1", basic).map(Proxy::tunnel),
            "connect",
        ),
        (
            Proxy::new(ProxyKind::Socks5h, "127.0.0.1", microsocks),
            "socks5",
        ),
    ];
    Road::on_each(|road| {
        for (proxy, layer) in &cases {
            let proxy = proxy.as_ref().expect("a proxy").clone().auth(eve());
            let request = Request::get(&nginx.http_url("/1k"))
                .expect("a URL")
                .proxy(proxy);
            let error = sockless::fetch(&mut road.session, &mut *road.driver, request)
                .expect_err("a wrong password");
            assert_eq!(error.layer(), *layer, "{error}");
            assert!(!error.to_string().contains("wrong\""), "{error}");
        }
    });
}
