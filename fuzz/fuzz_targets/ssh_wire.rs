//! Any bytes from the network below a connecting SSH layer, with either library: an error or patience,
//! never a panic, and never a byte for the application.
#![no_main]
#![allow(clippy::disallowed_methods, reason = "a fuzzer must start its Instants somewhere")]

use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime};

use libfuzzer_sys::fuzz_target;
use sockless_core::{Buf, Cx, Pipe, Pool, Seams};
use sockless_ssh::login::{Credentials, HostKeys, Verdict};
use sockless_ssh::{Client, Config, Library};

struct Anybody;

impl HostKeys for Anybody {
    fn judge(&self, _: &str, _: u16, _: &[u8], _: SystemTime) -> Verdict {
        Verdict::Trust
    }
}

static CLIENTS: LazyLock<Vec<Client>> = LazyLock::new(|| {
    let client = |library: &Library| {
        let credentials = Credentials::new("alice").password("secret");
        let config = Config::new(credentials, Arc::new(Anybody)).library(*library);
        config.build().expect("good settings")
    };
    Library::BUILT_IN.iter().map(client).collect()
});

fuzz_target!(|pieces: Vec<&[u8]>| {
    CLIENTS.iter().for_each(|client| {
        hear(client, &[], &pieces);
        // Most of what there is to break comes after this.
        hear(client, &[b"SSH-2.0-fuzz\r\n"], &pieces);
    });
});

fn hear(client: &Client, first: &[&[u8]], pieces: &[&[u8]]) {
    let mut filter = client.channels("example.com", 22).expect("a filter");
    let (pool, mut copied, now) = (Pool::default(), 0, Instant::now());
    let mut pipes = [1 << 16, 1 << 16, 1 << 16, 1 << 16].map(Pipe::new);
    let [net_in, net_out, app_in, app_out] = &mut pipes;
    let mut failed = None;
    for piece in first.iter().chain(pieces).map(Some).chain([None]) {
        match piece {
            Some(bytes) => net_in.push(Buf::from(*bytes)),
            None => net_in.finish(),
        }
        let mut cx = Cx::new(now, SystemTime::UNIX_EPOCH, &pool, &mut copied, None);
        let seams = Seams { net_in, net_out, app_in, app_out };
        use sockless_core::Filter;
        match (filter.pump(seams, &mut cx), &failed) {
            (Err(fault), None) => failed = Some(fault.reason),
            (Err(fault), Some(reason)) => assert_eq!(fault.reason, *reason),
            (Ok(_), None) => {}
            (Ok(_), Some(reason)) => panic!("{reason:?}, and then it went on"),
        }
        assert!(app_in.is_empty(), "bytes of a peer that nobody has logged in to");
        net_out.clear();
    }
    assert!(failed.is_some(), "the peer's end is no clean one");
}
