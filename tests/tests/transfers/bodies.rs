//! Request bodies: from memory, pulled with and without a length, expected, refused.

use std::fs;
use std::time::Duration;

use sockless::{Body, Event, Reason, Request, Session, TransferId};
use sockless_tests::content;
use sockless_tests::servers::{self, Host};

use super::world::{World, on_each};

/// Answers each `WantBody` from the pattern until `length` bytes are sent.
fn feeder(length: usize) -> impl FnMut(&mut Session, TransferId, &Event) {
    let mut sent = 0;
    move |session, id, event| {
        if let Event::WantBody { room } = event {
            let step = (length - sent).min(*room).min(100_000);
            if step > 0 {
                let mut piece = session.pool().take(step);
                content::fill(sent as u64, &mut piece.spare_mut()[..step]);
                piece.grow(step);
                session.send_body(id, piece).expect("it was asked for");
                sent += step;
            }
            if sent == length {
                session.finish_body(id).expect("the transfer goes on");
            }
        }
    }
}

fn upload(world: &mut World, url: &str, body: Body, length: usize) {
    let request = Request::new("PUT", url).expect("a URL").body(body);
    let outcome = world.fetch_with(request, feeder(length));
    assert!(matches!(outcome.code(), 201 | 204), "{:?}", outcome.head);
    assert_eq!(outcome.summary.body_sent, length as u64);
    outcome.good();
}

#[test]
fn uploads_arrive_whole() {
    let nginx = servers::shared();
    on_each(|world| {
        for (n, host) in [Host::Http, Host::Https, Host::Tls12]
            .into_iter()
            .enumerate()
        {
            for (kind, length) in [
                ("sized", 5_000_000),
                ("chunked", 3_000_001),
                ("memory", 70_000),
            ] {
                let name = format!("{kind}-{n}-{}", world.driver.name());
                let body = match kind {
                    "sized" => Body::Sized(length as u64),
                    "chunked" => Body::Chunked,
                    _ => Body::Bytes(content::bytes(length).into()),
                };
                upload(
                    world,
                    &nginx.url(host, &format!("/upload/{name}")),
                    body,
                    length,
                );
                let stored = fs::read(nginx.uploaded(&name)).expect("it was stored");
                assert_eq!(stored.len(), length, "{name}");
                assert_eq!(content::check(0, &stored), Ok(()), "{name}");
            }
        }
        world.wind_up();
    });
}

#[test]
fn an_expected_body_waits_for_the_servers_word() {
    let nginx = servers::shared();
    on_each(|world| {
        let url = nginx.https_url(&format!("/upload/expect-{}", world.driver.name()));
        let request = Request::new("PUT", &url)
            .expect("a URL")
            .body(Body::Sized(1000));
        let request = request.expect_continue(Duration::from_secs(30));
        let outcome = world.fetch_with(request, feeder(1000));
        assert_eq!(outcome.interims, 1, "100 Continue");
        assert!(matches!(outcome.code(), 201 | 204));
    });
}

#[test]
fn an_early_refusal_is_the_answer() {
    let nginx = servers::shared();
    on_each(|world| {
        let url = nginx.http_url("/limited");
        let request = Request::new("POST", &url)
            .expect("a URL")
            .body(Body::Sized(50_000_000));
        let outcome = world.fetch_with(request, feeder(50_000_000));
        assert_eq!(outcome.code(), 413);
        assert!(outcome.result.is_ok(), "{:?}", outcome.result);
    });
}

#[test]
fn a_post_from_memory_is_sent_again_after_307_and_dropped_after_302() {
    let nginx = servers::shared();
    on_each(|world| {
        let post = |path: &str| {
            Request::new("POST", &nginx.http_url(path))
                .expect("a URL")
                .body(Body::Bytes(b"once more".as_slice().into()))
                .redirects(sockless::Redirects::follow(10))
        };
        let outcome = world.fetch(post("/redirect/1"));
        let text = String::from_utf8(outcome.good()).expect("text");
        assert!(
            text == "arrived by POST\n" || text == "arrived by GET\n",
            "{text}"
        );
        let echoed = world.fetch(post("/echo-body"));
        assert_eq!(echoed.good(), b"once more");
    });
}

#[test]
fn fetch_refuses_a_body_that_nobody_would_give() {
    on_each(|world| {
        for body in [Body::Sized(1), Body::Chunked] {
            let put = Request::new("PUT", "http://localhost:1/").expect("a URL");
            let fetched = sockless::fetch(&mut world.session, &mut *world.driver, put.body(body));
            assert_eq!(fetched.expect_err("refused").reason(), Reason::Misuse);
        }
    });
}

#[test]
fn a_pulled_body_is_started_over_for_a_307_where_that_was_offered() {
    let nginx = servers::shared();
    on_each(|world| {
        for (offered, body) in [
            (true, Body::Sized(100_000)),
            (true, Body::Chunked),
            (false, Body::Sized(100_000)),
        ] {
            let mut post = Request::new("POST", &nginx.http_url("/redirect/1"))
                .expect("a URL")
                .body(body)
                .redirects(sockless::Redirects::follow(10));
            if offered {
                post = post.rewindable_body();
            }
            let (mut feed, mut rewound) = (feeder(100_000), 0);
            let outcome = world.fetch_with(post, |session, id, event| {
                if matches!(event, Event::RewindBody) {
                    feed = feeder(100_000);
                    rewound += 1;
                }
                feed(session, id, event);
            });
            if offered {
                assert_eq!(outcome.good(), b"arrived by POST\n");
                assert_eq!(rewound, 1);
            } else {
                assert_eq!(outcome.error().reason(), Reason::Upload);
            }
        }
    });
}
