//! Any bytes from the network below the TLS filter: an error or patience, never a panic,
//! and never a byte for the application.
#![no_main]
#![allow(clippy::disallowed_methods, reason = "a fuzzer must start its Instants somewhere")]

use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime};

use libfuzzer_sys::fuzz_target;
use sockless_core::{Buf, Cx, Pipe, Pool, Seams};
use sockless_tls::{Backend, Client, Config, Roots};

static CLIENTS: LazyLock<[Arc<Client>; 2]> = LazyLock::new(|| {
    [Backend::Rustls, Backend::Openssl].map(|backend| {
        let config = Config::new(Roots::webpki()).backend(backend);
        config.build().expect("good settings")
    })
});

fuzz_target!(|pieces: Vec<&[u8]>| {
    CLIENTS.iter().for_each(|client| hear(client, &pieces));
});

fn hear(client: &Client, pieces: &[&[u8]]) {
    let mut filter = client.filter("example.com").expect("a good name");
    let (pool, mut copied, now) = (Pool::default(), 0, Instant::now());
    let mut pipes = [1 << 16, 1 << 16, 1 << 16, 1 << 16].map(Pipe::new);
    let [net_in, net_out, app_in, app_out] = &mut pipes;
    let mut failed = None;
    for piece in pieces.iter().map(Some).chain([None]) {
        match piece {
            Some(bytes) => net_in.push(Buf::from(*bytes)),
            None => net_in.finish(),
        }
        let mut cx = Cx::new(now, SystemTime::UNIX_EPOCH, &pool, &mut copied, None);
        let seams = Seams { net_in, net_out, app_in, app_out };
        match (filter.pump(seams, &mut cx), &failed) {
            (Err(fault), None) => failed = Some(fault.reason),
            (Err(fault), Some(reason)) => assert_eq!(fault.reason, *reason),
            (Ok(_), None) => {}
            (Ok(_), Some(reason)) => panic!("{reason:?}, and then it went on"),
        }
        assert!(app_in.is_empty(), "bytes that no key has vouched for");
        net_out.clear();
    }
    assert!(failed.is_some(), "the peer's end is no clean one");
}
