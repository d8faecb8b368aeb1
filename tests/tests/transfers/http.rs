//! What a good server does, over plain HTTP and every version of TLS.

use sockless::{Event, Redirects, Request};
use sockless_tests::content;
use sockless_tests::servers::{self, Host};

use super::world::on_each;

const HOSTS: [Host; 4] = [Host::Http, Host::Https, Host::Tls12, Host::Tls13];

#[test]
fn files_arrive_whole_from_every_host() {
    let nginx = servers::shared();
    on_each(|world| {
        for host in HOSTS {
            for (name, length) in content::FILES {
                let outcome = world.get(&nginx.url(host, &format!("/{name}")));
                let length = usize::try_from(*length).expect("small enough");
                assert_eq!(outcome.code(), 200, "{host:?} {name}");
                assert_eq!(outcome.summary.body_received, length as u64);
                let body = outcome.good();
                assert_eq!(body.len(), length, "{host:?} {name}");
                assert_eq!(content::check(0, &body), Ok(()), "{host:?} {name}");
            }
        }
        world.wind_up();
    });
}

#[test]
fn a_body_without_length_or_with_chunks_arrives_whole() {
    let nginx = servers::shared();
    on_each(|world| {
        for folder in ["chunked", "until-close", "close", "gzip"] {
            for host in HOSTS {
                let body = world.get(&nginx.url(host, &format!("/{folder}/1m"))).good();
                assert_eq!(body.len(), 1 << 20, "{folder} {host:?}");
                assert_eq!(content::check(0, &body), Ok(()), "{folder} {host:?}");
            }
        }
    });
}

#[test]
fn a_compressed_answer_is_decoded() {
    let nginx = servers::shared();
    on_each(|world| {
        let request = Request::get(&nginx.https_url("/gzip/text"))
            .expect("a URL")
            .compressed();
        let outcome = world.fetch(request);
        let head = outcome.head.as_ref().expect("a head");
        assert_eq!(head.fields.first("content-encoding"), Some(&b"gzip"[..]));
        assert_eq!(outcome.good(), content::text().into_bytes());
    });
}

#[test]
fn connections_are_kept_and_used_again() {
    let nginx = servers::shared();
    on_each(|world| {
        for host in [Host::Http, Host::Https] {
            let url = nginx.url(host, "/connection");
            let first = world.get(&url);
            assert!(!first.summary.reused);
            let second = world.get(&url);
            assert!(second.summary.reused);
            assert_eq!(second.summary.connects, 0);
            let number = |body: Vec<u8>| String::from_utf8(body).expect("text");
            let (first, second) = (number(first.good()), number(second.good()));
            assert_eq!(
                first.split_once(' ').map(|(id, _)| id),
                second.split_once(' ').map(|(id, _)| id)
            );
            assert!(second.ends_with(" 2\n"), "{second}");
        }
        world.wind_up();
    });
}

#[test]
fn two_names_of_one_server_do_not_share_a_connection() {
    let nginx = servers::shared();
    on_each(|world| {
        let port = nginx.port(Host::Https);
        world.get(&format!("https://localhost:{port}/1k")).good();
        let other = world.get(&format!("https://127.0.0.1:{port}/1k"));
        assert!(!other.summary.reused, "another name was verified");
        other.good();
    });
}

#[test]
fn heads_without_bodies() {
    let nginx = servers::shared();
    on_each(|world| {
        let head = world.fetch(Request::new("HEAD", &nginx.https_url("/1m")).expect("a URL"));
        assert_eq!(
            head.head
                .as_ref()
                .and_then(|h| h.fields.first("content-length")),
            Some(&b"1048576"[..])
        );
        assert!(head.good().is_empty());
        for code in [204, 304, 404, 500] {
            let outcome = world.get(&nginx.http_url(&format!("/status/{code}")));
            assert_eq!(outcome.code(), code);
        }
    });
}

#[test]
fn redirects_are_followed_to_their_end_and_no_further() {
    let nginx = servers::shared();
    on_each(|world| {
        let url = nginx.http_url("/redirect/5");
        assert!(
            matches!(world.get(&url).code(), 301..=308),
            "not followed unless asked to"
        );
        let follow = |max| {
            Request::get(&url)
                .expect("a URL")
                .redirects(Redirects::follow(max))
        };
        let followed = world.fetch(follow(5));
        assert_eq!((followed.code(), followed.redirects.len()), (200, 5));
        assert_eq!(followed.summary.redirects, 5);
        let error = world.fetch(follow(4)).error();
        assert_eq!(error.reason(), sockless::Reason::TooManyRedirects);
        let across = Request::get(&nginx.http_url("/redirect/to-https")).expect("a URL");
        assert_eq!(
            world.fetch(across.redirects(Redirects::follow(1))).code(),
            200
        );
        let file = Request::get(&nginx.http_url("/redirect/to-file")).expect("a URL");
        let error = world.fetch(file.redirects(Redirects::follow(1))).error();
        assert_eq!(error.reason(), sockless::Reason::BadRedirect);
    });
}

#[test]
fn credentials_open_the_door() {
    let nginx = servers::shared();
    on_each(|world| {
        let url = nginx.https_url("/auth/1k");
        assert_eq!(world.get(&url).code(), 401);
        let request = Request::get(&url).expect("a URL").basic("alice", "secret");
        assert_eq!(world.fetch(request).code(), 200);
    });
}

#[test]
fn a_unix_socket_serves_as_well() {
    let nginx = servers::shared();
    let Some(path) = nginx.unix_socket() else {
        println!("skipped: the folder's path is too long for a unix socket");
        return;
    };
    on_each(|world| {
        let request = Request::get("http://localhost/1m")
            .expect("a URL")
            .unix_socket(&path);
        assert_eq!(world.fetch(request).good().len(), 1 << 20);
    });
}

#[test]
fn a_thousand_transfers_at_once_share_a_hundred_connections() {
    let nginx = servers::shared();
    on_each(|world| {
        let mut config = super::world::config();
        config.limits.connections = 100;
        world.configure(config);
        let url = nginx.https_url("/1k");
        for _ in 0..1000 {
            let now = world.driver.now();
            world
                .session
                .start(now, Request::get(&url).expect("a URL"))
                .expect("a transfer");
        }
        let (mut ended, mut bytes, mut most) = (0, 0, 0);
        world.drive(|session, _, event| {
            most = most.max(session.stats().connections);
            match event {
                Event::Data(piece) => bytes += piece.len(),
                Event::Done { outcome, .. } => {
                    outcome.expect("each goes well");
                    ended += 1;
                }
                _ => {}
            }
            ended == 1000
        });
        assert_eq!(bytes, 1000 * 1024);
        assert!(most <= 100, "{most} connections");
        world.wind_up();
    });
}
