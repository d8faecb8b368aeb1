//! The async client on a bare executor: any runtime is this one with more around it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own threads, clocks and files"
)]

use std::fs;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Instant, SystemTime};

use sockless::drivers::{Blocking, Threaded};
use sockless::tls::{self, Roots};
use sockless::{Body, Client, Config, Reason, Request, Session};
use sockless_tests::{content, faults, servers};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
            return done;
        }
        thread::park();
    }
}

/// A client, and the thread that plays the runtime for its work.
fn client() -> (Client, JoinHandle<std::io::Result<()>>) {
    let mut roots = Roots::empty();
    let pem = fs::read(servers::shared().ca_pem()).expect("the authority's certificate");
    roots.add_pem(&pem).expect("PEM");
    let tls = tls::Config::new(roots).alpn(["http/1.1"]);
    let config = Config::default().with_tls(tls).expect("good settings");
    let session = Session::new(config, Instant::now(), SystemTime::now(), 3).expect("a session");
    let driver = Threaded::new(Blocking::new).expect("a driver");
    let (client, work) = Client::new(session, Box::new(driver));
    (client, thread::spawn(|| block_on(work)))
}

#[test]
fn answers_stream_with_back_pressure_and_end() {
    let (client, work) = client();
    let url = servers::shared().https_url("/64m");
    block_on(async {
        let mut answer = client
            .send(Request::get(&url).expect("a URL"))
            .await
            .expect("a head");
        assert_eq!(answer.head.code, 200);
        let mut at = 0;
        while let Some(piece) = answer.next().await.expect("it goes well") {
            assert_eq!(content::check(at, &piece), Ok(()));
            at += piece.len() as u64;
        }
        assert_eq!(at, 64 << 20);
        assert_eq!(
            answer.summary.as_ref().map(|summary| summary.body_received),
            Some(at)
        );
        assert!(answer.next().await.expect("still the end").is_none());
    });
    drop(client);
    work.join()
        .expect("no panic")
        .expect("the work ends when the last client goes");
}

#[test]
fn requests_carry_bodies_and_failures_come_back() {
    let (client, work) = client();
    let nginx = servers::shared();
    block_on(async {
        let post = Request::new("POST", &nginx.http_url("/echo-body")).expect("a URL");
        let post = post.body(Body::Bytes(b"there and back".as_slice().into()));
        let mut answer = client.send(post).await.expect("a head");
        let piece = answer.next().await.expect("it goes well").expect("a piece");
        assert_eq!(&*piece, b"there and back");

        let addr = faults::refused().expect("a port");
        let request = Request::get(&format!("http://{addr}/")).expect("a URL");
        let error = client.send(request).await.expect_err("nobody listens");
        assert_eq!(error.reason(), Reason::Connect);

        let server = faults::truncated_body().expect("a port");
        let request = Request::get(&server.url("/")).expect("a URL");
        let mut answer = client.send(request).await.expect("a head");
        assert_eq!(
            &*answer.next().await.expect("a piece").expect("a piece"),
            b"only this"
        );
        assert_eq!(
            answer.next().await.expect_err("too short").reason(),
            Reason::PartialBody
        );
    });
    drop(client);
    work.join().expect("no panic").expect("the work ends");
}

#[test]
fn dropped_answers_end_their_transfers_and_the_client_goes_on() {
    let (client, work) = client();
    let nginx = servers::shared();
    block_on(async {
        for _ in 0..20 {
            let request = Request::get(&nginx.https_url("/64m")).expect("a URL");
            let mut answer = client.send(request).await.expect("a head");
            answer.next().await.expect("a piece");
        }
        let request = Request::get(&nginx.https_url("/1k")).expect("a URL");
        assert_eq!(client.send(request).await.expect("a head").head.code, 200);
    });
    drop(client);
    work.join().expect("no panic").expect("the work ends");
}
