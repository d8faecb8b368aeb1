//! Byte streams of the application's own through proxies.

use sockless::{Event, Output, TransferId, TunnelTo};
use sockless_tests::servers::Host;

use crate::road::{BACKENDS, Road, secure_proxy, servers, socks, trusting};

/// Sends `words` through a tunnel, ends our direction, and gives what came until the peer's end.
fn talk(road: &mut Road, to: TunnelTo, words: &[u8]) -> Vec<u8> {
    let id = road.session.tunnel(to).expect("a tunnel");
    let (mut heard, mut done, mut said) = (Vec::new(), Vec::new(), false);
    loop {
        match road.session.poll(road.now()) {
            Output::Submit(op) => road.driver.submit(op),
            Output::Cancel(op) => road.driver.cancel(op),
            Output::Event(of, event) => {
                assert_eq!(of, id);
                match event {
                    Event::WantBody { .. } if !said => {
                        said = true;
                        say(road, id, words);
                    }
                    Event::Data(piece) => heard.extend_from_slice(&piece),
                    // It has said all; so have we.
                    Event::PeerFinished => drop(road.session.finish_body(id)),
                    Event::Done { outcome, .. } => {
                        outcome.expect("a clean end");
                        return heard;
                    }
                    _ => {}
                }
            }
            Output::Wait(deadline) => {
                road.driver.wait(deadline, &mut done).expect("a driver");
                let now = road.now();
                for completion in done.drain(..) {
                    road.session.complete(now, completion.op, completion.result);
                }
            }
            other => panic!("an output that nobody knows: {other:?}"),
        }
    }
}

fn say(road: &mut Road, id: TransferId, words: &[u8]) {
    let given = road.session.send_body(id, words.to_vec().into());
    assert!(given.is_ok(), "it was asked for");
}

const REQUEST: &[u8] = b"GET /1k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
fn a_program_speaks_its_own_protocol_through_a_chain() {
    let port = servers().nginx().port(Host::Http);
    Road::on_each(|road| {
        let to = TunnelTo::new("localhost", port).expect("a host");
        let to = to.proxy(socks()).proxy(secure_proxy(BACKENDS[0]));
        let heard = talk(road, to, REQUEST);
        assert!(heard.starts_with(b"HTTP/1.1 200"), "{} bytes", heard.len());
        assert!(heard.len() > 1024);
    });
}

#[test]
fn tls_on_top_of_a_tunnel_is_verified_for_its_far_end() {
    let nginx = servers().nginx();
    let port = nginx.port(Host::Https);
    Road::on_each(|road| {
        for backend in BACKENDS {
            let to = TunnelTo::new("localhost", port).expect("a host");
            let to = to
                .proxy(secure_proxy(backend))
                .tls(trusting(backend, &nginx.ca_pem()));
            let heard = talk(road, to, REQUEST);
            assert!(heard.starts_with(b"HTTP/1.1 200"), "{backend:?}");
        }
    });
}
