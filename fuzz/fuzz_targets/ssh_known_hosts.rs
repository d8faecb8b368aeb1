//! Any file and any key, also with the line that the key makes: no panic.
#![no_main]

use std::time::UNIX_EPOCH;

use libfuzzer_sys::fuzz_target;
use sockless_ssh::known_hosts::{KnownHosts, new_line};

fuzz_target!(|input: (&[u8], &str, u16, &[u8], Option<[u8; 20]>)| {
    let (text, host, port, key, salt) = input;
    let mut known = KnownHosts::new();
    known.add("known_hosts", text);
    known.check(host, port, key, UNIX_EPOCH);
    known.algorithms(host, port);
    known.has_authority(host, port);
    known.add("new", new_line(host, port, key, salt));
    known.check(host, port, key, UNIX_EPOCH);
});
