//! Any answers of an agent: no panic, and no more keys than there are bytes for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless_ssh::agent;

fuzz_target!(|answer: &[u8]| {
    if let Ok(keys) = agent::listed(answer) {
        assert!(keys.len() <= answer.len() / 8);
        for key in keys {
            agent::sign(&key.public, answer, "rsa-sha2-512");
        }
    }
    let _ = agent::signed(answer, "ssh-ed25519");
});
