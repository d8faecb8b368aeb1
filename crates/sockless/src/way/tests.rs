//! Who may share a connection with whom: pairs that differ in one thing, and what other
//! libraries got wrong.

use std::sync::Arc;

use proptest::prelude::*;
use sockless_core::{Fault, SecurityContext, SecurityProvider};

use super::*;
use crate::parties::Parties;
use crate::{Body, NoProxy, Proxies};

/// Credentials for Negotiate, of a user of that name.
struct Ticket(&'static str);

impl SecurityProvider for Ticket {
    fn context(&self, _service: &str, _host: &str) -> Result<Box<dyn SecurityContext>, Fault> {
        unreachable!("no request is sent in these tests")
    }

    fn identity(&self) -> Arc<str> {
        self.0.into()
    }
}

fn negotiate(user: &'static str) -> Auth {
    Auth::negotiate(Arc::new(Ticket(user)))
}

fn tls(roots: &'static [u8]) -> Arc<sockless_tls::Client> {
    let mut trusted = sockless_tls::Roots::webpki();
    if !roots.is_empty() {
        trusted.add_pem(roots).expect("PEM");
    }
    sockless_tls::Config::new(trusted)
        .build()
        .expect("good settings")
}

fn proxy(text: &str) -> Proxy {
    Proxy::parse(text).expect(text)
}

/// A request by one choice for each thing that its connection depends on.
fn request(choice: [usize; 8], settings: &[Arc<sockless_tls::Client>; 2]) -> Request {
    let [host, port, local, unix, tls, chain, header, bound] = choice;
    let host = ["a.example", "b.example", "127.0.0.1"][host];
    let port = ["", ":8443", ":444"][port];
    let mut request = Request::get(&format!("https://{host}{port}/")).expect("a URL");
    match local {
        1 => request = request.local_address([127, 0, 0, 1].into()),
        2 => request = request.local_address([127, 0, 0, 2].into()),
        _ => {}
    }
    if unix > 0 {
        request = request.unix_socket(["/run/a", "/run/b"][unix - 1]);
    }
    if tls > 0 {
        request = request.tls(Arc::clone(&settings[tls - 1]));
    }
    let first = ["", "http://p:1", "http://u:v@p:1"][chain];
    if !first.is_empty() {
        request = request.proxy(proxy(first));
    }
    match header {
        1 => request = request.proxy_header(ProxyHeader::Own),
        2 => request = request.proxy_header(ProxyHeader::OwnV2),
        _ => {}
    }
    match bound {
        1 => request.auth(negotiate("alice@EXAMPLE")),
        2 => request.auth(negotiate("bob@EXAMPLE")),
        _ => request,
    }
}

fn share(one: &Request, other: &Request) -> bool {
    let (one, other) = (Way::of(one, None), Way::of(other, None));
    // What is kept compares as what is borrowed.
    assert_eq!(one == other, one.to_owned() == other.to_owned());
    assert!(one.to_owned().as_way() == one);
    one == other
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_that_differ_in_one_thing_never_share(
        base in prop::array::uniform8(0..3_usize),
        field in 0..8_usize,
        step in 1..3_usize,
    ) {
        let settings = [tls(b""), tls(b"")];
        let mut other = base;
        other[field] = (base[field] + step) % 3;
        let (first, second) = (request(base, &settings), request(other, &settings));
        prop_assert!(share(&first, &request(base, &settings)));
        // A unix socket is the whole way: proxies do not lie on it.
        let hidden = field == 5 && base[3] > 0;
        prop_assert_eq!(share(&first, &second), hidden, "{:?} {:?}", base, other);
    }
}

#[test]
fn what_is_said_in_each_request_does_not_matter() {
    let get = || Request::get("https://a.example/x").expect("a URL");
    let others = [
        Request::new("PUT", "https://a.example/y?z").expect("a URL"),
        get().body(Body::Sized(7)),
        get().basic("user", "password"),
        get().auth(Auth::bearer("token")),
        get().compressed(),
        get().header("X", "y").expect("a field"),
        get().options(|options| options.priority = 7),
    ];
    for other in &others {
        assert!(share(&get(), other), "{other:?}");
    }
}

#[test]
fn requests_handed_to_a_plain_proxy_share_its_connection_whatever_their_host() {
    let through = |url| Request::get(url).expect("a URL").proxy(proxy("http://p:1"));
    assert!(share(
        &through("http://a.example/"),
        &through("http://b.example/")
    ));
    let tunnelled = |url| {
        let request = Request::get(url).expect("a URL");
        request.proxy(proxy("http://p:1").tunnel())
    };
    assert!(!share(
        &tunnelled("http://a.example/"),
        &tunnelled("http://b.example/")
    ));
    assert!(!share(
        &through("http://a.example/"),
        &tunnelled("http://a.example/")
    ));
}

#[test]
fn hosts_without_a_proxy_do_not_share_with_those_that_have_one() {
    let mut proxies = Proxies::default();
    proxies.https.push(proxy("http://p:1"));
    let all = Request::get("https://a.example/")
        .expect("a URL")
        .proxies(proxies.clone());
    proxies.except = NoProxy::parse("a.example");
    let none = Request::get("https://a.example/")
        .expect("a URL")
        .proxies(proxies);
    assert!(!share(&all, &none));
    assert!(share(
        &none,
        &Request::get("https://a.example/").expect("a URL")
    ));
}

/// CVE-2026-8932: settings of client certificates that were left out of the comparison.
#[test]
fn tls_settings_with_another_client_certificate_are_other_settings() {
    let (one, other) = (tls(b""), tls(b""));
    let get = |client: &Arc<sockless_tls::Client>| {
        let request = Request::get("https://a.example/").expect("a URL");
        request.tls(Arc::clone(client))
    };
    // Whatever is in them: only the very same settings are equal.
    assert!(share(&get(&one), &get(&one)));
    assert!(!share(&get(&one), &get(&other)));
    let through = |client: &Arc<sockless_tls::Client>| {
        let proxy = proxy("https://p:1").tls(Arc::clone(client));
        Request::get("https://a.example/")
            .expect("a URL")
            .proxy(proxy)
    };
    assert!(!share(&through(&one), &through(&other)));
}

/// CVE-2026-5545 and CVE-2026-1965: a connection that Negotiate has made one user's.
#[test]
fn a_connection_that_is_bound_to_a_user_is_nobody_elses() {
    let get = || Request::get("https://a.example/").expect("a URL");
    let alice = get().auth(negotiate("alice"));
    assert!(share(&alice, &get().auth(negotiate("alice"))));
    for other in [
        get(),
        get().auth(negotiate("bob")),
        get().basic("bob", "secret"),
        get().auth(Auth::password("bob", "secret").any()),
        get().auth(Auth::bearer("token")),
    ] {
        assert!(!share(&alice, &other), "{other:?}");
    }
}

/// A connection that SSH has made one account's, by one user's tickets: whoever logs in with others has
/// other settings, and so another connection, at a destination and at a jump host alike.
#[cfg(feature = "ssh")]
mod over_ssh {
    use sockless_ssh::Client;
    use sockless_ssh::known_hosts::HostKeyRules;
    use sockless_ssh::login::Credentials;

    use super::*;
    use crate::TunnelTo;
    use crate::secure::Ssh;

    fn client(ticket: &'static str, account: &str) -> Arc<Client> {
        let credentials = Credentials::new(account).security(Arc::new(Ticket(ticket)));
        let rules = Arc::new(HostKeyRules::new());
        let config = sockless_ssh::Config::new(credentials, rules);
        Arc::new(config.build().expect("good settings"))
    }

    /// A way by one choice for each thing that it depends on; `clients` are who may log in.
    fn share(one: [usize; 5], other: [usize; 5], clients: &[Arc<Client>; 3]) -> bool {
        let way = |[host, port, who, jump, socks]: [usize; 5]| {
            let host = ["a.example", "b.example", "127.0.0.1"][host];
            let mut to = TunnelTo::new(host, [22, 2222, 23][port]).expect("a place");
            if socks > 0 {
                let user = ["alice@EXAMPLE", "bob@EXAMPLE"][socks - 1];
                to = to.proxy(proxy("socks5h://p:1").auth(negotiate(user)));
            }
            if jump > 0 {
                let at = Arc::clone(&clients[jump - 1]);
                to = to.proxy(Proxy::ssh("jump.example", 22, at).expect("a jump"));
            }
            (to, Ssh(Arc::clone(&clients[who])))
        };
        let (one, other) = (way(one), way(other));
        let ways = [&one, &other].map(|(to, client)| Way::of_ssh(to, client));
        assert_eq!(ways[0] == ways[1], ways[0].to_owned() == ways[1].to_owned());
        ways[0] == ways[1]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn who_logs_in_with_other_tickets_has_another_connection(
            base in prop::array::uniform5(0..3_usize),
            field in 0..5_usize,
            step in 1..3_usize,
        ) {
            // Two users of one account, and one of them in another.
            let clients = [
                client("alice@EXAMPLE", "web"),
                client("bob@EXAMPLE", "web"),
                client("alice@EXAMPLE", "root"),
            ];
            let mut other = base;
            other[field] = (base[field] + step) % 3;
            prop_assert!(share(base, base, &clients));
            prop_assert!(!share(base, other, &clients), "{:?} {:?}", base, other);
        }
    }
}

/// CVE-2026-3784: a tunnel that was opened with other credentials for the proxy.
#[test]
fn a_tunnel_is_for_the_credentials_that_opened_it() {
    let through = |text: &str| {
        Request::get("https://a.example/")
            .expect("a URL")
            .proxy(proxy(text))
    };
    let alice = through("http://alice:one@p:1");
    assert!(share(&alice, &through("http://alice:one@p:1")));
    for other in ["http://p:1", "http://alice:two@p:1", "http://bob:one@p:1"] {
        assert!(!share(&alice, &through(other)), "{other}");
    }
}

/// CVE-2026-11856, and CVE-2026-7168 for proxies: what answered one party's challenge is not
/// sent to another party.
#[test]
fn each_origin_and_each_proxy_has_an_authenticator_of_its_own() {
    #[allow(
        clippy::disallowed_methods,
        reason = "a test must start its Instants somewhere"
    )]
    let now = std::time::Instant::now();
    let mut parties = Parties::new(now, std::time::SystemTime::UNIX_EPOCH, 7);
    let mut met = |url: &str, through: Option<&str>| {
        let mut request = Request::get(url).expect("a URL");
        request = request.auth(Auth::password("alice", "one").digest());
        if let Some(text) = through {
            request = request.proxy(proxy(text));
        }
        let sides = parties.sides(&request).expect("good credentials");
        sides.authenticators()
    };
    let first = met("http://a.example/", None);
    assert_eq!(first, met("http://a.example/other", None), "one origin");
    for url in [
        "http://b.example/",
        "http://a.example:81/",
        "https://a.example/",
    ] {
        assert_ne!(first, met(url, None), "{url}");
    }
    let one = met("http://a.example/", Some("http://alice:one@p:1"));
    let other = met("http://a.example/", Some("http://alice:one@q:1"));
    assert_ne!(one, other, "another proxy");
}

/// CVE-2025-14524: a token that followed a redirect to another origin or scheme.
#[test]
fn no_credentials_follow_a_redirect_to_another_origin() {
    let request = Request::get("https://a.example/")
        .and_then(|request| request.header("Authorization", "Bearer by-hand"))
        .expect("a request")
        .auth(Auth::bearer("token"));
    for to in [
        "http://a.example/",
        "https://b.example/",
        "https://a.example:444/",
    ] {
        let url = url::Url::parse(to).expect("a URL");
        let next = crate::redirect::next(request.clone(), 302, url, false).expect("it follows");
        assert!(next.auth.is_none(), "{to}");
        assert!(next.fields.is_empty(), "{to}: {:?}", next.fields);
    }
}
