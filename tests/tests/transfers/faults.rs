//! Servers that misbehave: each a clear error, nothing hung, nothing leaked.

use std::time::Duration;

use sockless::{Body, Culprit, Reason, Request};
use sockless_tests::faults::{self, Fault};

use super::world::on_each;

#[test]
fn each_fault_is_named() {
    let table: [(&str, Fault, Reason); 12] = [
        ("closes at once", faults::closes_at_once, Reason::EmptyReply),
        ("resets at once", faults::resets_at_once, Reason::Receive),
        ("resets mid body", faults::resets_mid_body, Reason::Receive),
        (
            "truncated body",
            faults::truncated_body,
            Reason::PartialBody,
        ),
        (
            "truncated chunk",
            faults::truncated_chunk,
            Reason::PartialBody,
        ),
        ("truncated head", faults::truncated_head, Reason::Truncated),
        ("oversized chunk", faults::oversized_chunk, Reason::BadChunk),
        ("bad chunk", faults::bad_chunk, Reason::BadChunk),
        (
            "conflicting length",
            faults::conflicting_length,
            Reason::ConflictingLength,
        ),
        ("garbage", faults::garbage, Reason::WrongProtocol),
        (
            "endless headers",
            faults::endless_headers,
            Reason::TooManyFields,
        ),
        (
            "endless header",
            faults::endless_header,
            Reason::HeadTooLarge,
        ),
    ];
    on_each(|world| {
        for (name, start, reason) in table {
            let server = start().expect("a port");
            let error = world.get(&server.url("/")).error();
            assert_eq!(error.reason(), reason, "{name}: {error}");
            assert!(error.peer().is_some(), "{name}: {error}");
            assert_eq!(
                server.connections(),
                1,
                "{name}: a first connection is not retried"
            );
        }
        world.wind_up();
    });
}

#[test]
fn what_came_before_a_fault_is_delivered() {
    on_each(|world| {
        let server = faults::truncated_body().expect("a port");
        let outcome = world.get(&server.url("/"));
        assert_eq!((outcome.code(), &*outcome.body), (200, &b"only this"[..]));
        assert_eq!(outcome.error().reason(), Reason::PartialBody);
    });
}

#[test]
fn a_refused_connection_names_each_address() {
    let addr = faults::refused().expect("a port");
    on_each(|world| {
        let error = world.get(&format!("http://{addr}/")).error();
        assert_eq!(
            (error.reason(), error.culprit()),
            (Reason::Connect, Culprit::Transport)
        );
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
    });
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    on_each(|world| {
        let error = world.get("http://no-such-host.invalid/").error();
        assert_eq!(
            (error.reason(), error.layer()),
            (Reason::Resolve, "resolve")
        );
        assert!(
            error.to_string().contains("no-such-host.invalid"),
            "{error}"
        );
    });
}

const SHORT: Option<Duration> = Some(Duration::from_millis(150));

#[test]
fn each_timeout_ends_what_it_is_for() {
    type Set = fn(&mut sockless::Timeouts);
    let table: [(&str, Fault, Set, Reason); 5] = [
        (
            "first byte",
            faults::silent,
            |t| t.first_byte = SHORT,
            Reason::FirstByteTimeout,
        ),
        (
            "idle",
            faults::silent,
            |t| t.idle = SHORT,
            Reason::IdleTimeout,
        ),
        (
            "total",
            faults::trickle,
            |t| t.total = SHORT,
            Reason::TotalTimeout,
        ),
        (
            "low speed",
            faults::trickle,
            |t| t.low_speed = SHORT.map(|d| (1000, d)),
            Reason::LowSpeed,
        ),
        (
            "interims",
            faults::endless_interim,
            |t| t.total = SHORT,
            Reason::HeadTooLarge,
        ),
    ];
    on_each(|world| {
        for (name, start, set, reason) in table {
            let server = start().expect("a port");
            let request = Request::get(&server.url("/")).expect("a URL").timeouts(set);
            let error = world.fetch(request).error();
            assert_eq!(error.reason(), reason, "{name}: {error}");
            assert_eq!(error.culprit(), Culprit::Limit, "{name}: {error}");
        }
        let server = faults::silent().expect("a port");
        let request = Request::get(&server.https_url("/")).expect("a URL");
        let error = world
            .fetch(request.timeouts(|t| t.handshake = SHORT))
            .error();
        assert_eq!(error.reason(), Reason::HandshakeTimeout, "{error}");
        world.wind_up();
    });
}

#[test]
fn an_upload_that_nobody_reads_runs_into_its_timeout() {
    on_each(|world| {
        let server = faults::deaf().expect("a port");
        let request = Request::new("PUT", &server.url("/")).expect("a URL");
        let request = request
            .body(Body::Bytes(vec![0; 30_000_000].into()))
            .timeouts(|t| t.idle = Some(Duration::from_millis(300)));
        assert_eq!(world.fetch(request).error().reason(), Reason::IdleTimeout);
        world.wind_up();
    });
}
