//! The client as a tower service, with requests and answers of crate `http`.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own runtimes and clocks"
)]

use std::time::{Instant, SystemTime};

use http::{Method, StatusCode, Version};
use sockless::drivers::Tokio;
use sockless::{Body, Client, Config, Reason, Redirects, Session};
use sockless_tests::servers;
use tower_service::Service;

async fn collect(answer: http::Response<sockless::Incoming>) -> Vec<u8> {
    let mut body = answer.into_body();
    let mut all = Vec::new();
    while let Some(piece) = body.next().await.expect("it goes well") {
        all.extend_from_slice(&piece);
    }
    all
}

#[test]
fn requests_of_crate_http_are_answered_in_kind() {
    let nginx = servers::shared();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let config = Config::default();
        let session = Session::new(config, Instant::now(), SystemTime::now(), 9);
        let driver = Tokio::new().expect("a runtime");
        let (client, work) = Client::new(session.expect("a session"), Box::new(driver));
        let work = tokio::spawn(work);
        let mut service = client.service(|request| request.redirects(Redirects::follow(5)));

        let post = http::Request::post(nginx.http_url("/echo-body"))
            .header("content-type", "text/plain")
            .body(Body::from("there and back"));
        let answer = service
            .call(post.expect("a request"))
            .await
            .expect("a head");
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.version(), Version::HTTP_11);
        assert_eq!(answer.headers()["server"], "nginx");
        assert_eq!(collect(answer).await, b"there and back");

        // Many at once, by clones, as tower's layers have it.
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let mut service = service.clone();
                let request = http::Request::builder()
                    .method(Method::GET)
                    .uri(nginx.http_url("/1m"))
                    .body(Body::Empty);
                tokio::spawn(async move {
                    let answer = service.call(request.expect("a request")).await;
                    collect(answer.expect("a head")).await.len()
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.expect("no panic"), 1 << 20);
        }

        let relative = http::Request::get("/1k").body(Body::Empty);
        let error = service.call(relative.expect("a request")).await;
        assert_eq!(error.expect_err("no host").reason(), Reason::BadUrl);

        drop(service);
        work.await.expect("no panic").expect("the work ends");
    });
}
