//! The async client on a bare executor: any runtime is this one with more around it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own threads, clocks and files"
)]

use std::fs;
use std::future::Future;
use std::pin::pin;
use std::task::Context;
use std::thread::{self, JoinHandle};
use std::time::{Instant, SystemTime};

use sockless::drivers::{Blocking, Threaded};
use sockless::tls::{self, Roots};
use sockless::{Body, Buf, Client, Config, Reason, Request, Session};
use sockless_tests::executor::{self, block_on};
use sockless_tests::{content, faults, servers};

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

/// Sends `length` bytes of the pattern, as long as they are wanted; says how many were.
async fn give(body: &mut sockless::Outgoing, length: usize) -> usize {
    let mut sent = 0;
    while sent < length {
        let mut piece = Buf::with_capacity(100_000);
        let step = (length - sent).min(100_000);
        content::fill(sent as u64, &mut piece.spare_mut()[..step]);
        piece.grow(step);
        if !body.send(piece).await {
            break;
        }
        sent += step;
    }
    sent
}

#[test]
fn bodies_are_given_piece_by_piece() {
    let (client, work) = client();
    let nginx = servers::shared();
    block_on(async {
        for (name, body) in [
            ("sized", Body::Sized(5_000_000)),
            ("chunked", Body::Chunked),
        ] {
            let name = format!("async-{name}");
            let put = Request::new("PUT", &nginx.https_url(&format!("/upload/{name}")));
            let put = put.expect("a URL").body(body);
            let (mut body, answer) = client.upload(put).expect("it starts");
            assert_eq!(give(&mut body, 5_000_000).await, 5_000_000);
            body.finish();
            let answer = answer.await.expect("a head");
            assert!(matches!(answer.head.code, 201 | 204), "{:?}", answer.head);
            let stored = fs::read(nginx.uploaded(&name)).expect("it was stored");
            assert_eq!(content::check(0, &stored), Ok(()));
            assert_eq!(stored.len(), 5_000_000);
        }
    });
    drop(client);
    work.join().expect("no panic").expect("the work ends");
}

#[test]
fn a_body_that_breaks_off_fails_its_transfer() {
    let (client, work) = client();
    let nginx = servers::shared();
    block_on(async {
        for (kind, reason) in [
            (Body::Sized(1000), Reason::Upload),
            (Body::Chunked, Reason::Cancelled),
        ] {
            let put = Request::new("PUT", &nginx.http_url("/upload/async-broken"));
            let (mut body, answer) = client
                .upload(put.expect("a URL").body(kind))
                .expect("it starts");
            assert_eq!(give(&mut body, 500).await, 500);
            drop(body);
            let error = answer.await.expect_err("half a body is none");
            assert_eq!(error.reason(), reason);
        }
        // A refusal is an answer, whatever becomes of the body.
        let post = Request::new("POST", &nginx.http_url("/limited")).expect("a URL");
        let (mut body, answer) = client
            .upload(post.body(Body::Sized(50_000_000)))
            .expect("it starts");
        assert!(give(&mut body, 50_000_000).await < 50_000_000);
        drop(body);
        assert_eq!(answer.await.expect("a head").head.code, 413);
    });
    drop(client);
    work.join().expect("no panic").expect("the work ends");
}

#[test]
fn bodies_that_nobody_would_give_are_refused_at_once() {
    let (client, work) = client();
    block_on(async {
        for body in [Body::Sized(1), Body::Chunked] {
            let put = Request::new("PUT", "http://localhost:1/").expect("a URL");
            let error = client.send(put.body(body)).await.expect_err("refused");
            assert_eq!(error.reason(), Reason::Misuse);
            assert!(error.to_string().contains("Client::upload"), "{error}");
        }
        let get = Request::get("http://localhost:1/").expect("a URL");
        assert_eq!(
            client.upload(get).err().map(|error| error.reason()),
            Some(Reason::Misuse)
        );
    });
    drop(client);
    work.join().expect("no panic").expect("the work ends");
}

#[test]
fn a_call_that_is_dropped_ends_its_transfer() {
    let (client, work) = client();
    let server = faults::silent().expect("a port");
    // Without a timeout nothing else would end it.
    let get = Request::get(&server.url("/")).expect("a URL");
    let get = get.timeouts(|timeouts| timeouts.idle = None);
    {
        let mut call = pin!(client.send(get));
        let waker = executor::waker();
        assert!(
            call.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        while server.connections() == 0 {
            thread::yield_now();
        }
    }
    drop(client);
    // The server never answers: only a transfer that was ended lets the work end.
    work.join().expect("no panic").expect("the work ends");
}
