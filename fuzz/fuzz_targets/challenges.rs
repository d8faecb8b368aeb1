//! Any fields as a challenge: no panic, what is understood is the same when it is written
//! and read again, and a dialog with the server ends.
#![no_main]
#![allow(clippy::disallowed_methods, reason = "a fuzzer must start its Instants somewhere")]

use std::time::{Instant, SystemTime};

use libfuzzer_sys::fuzz_target;
use sockless_core::{Buf, Cx, Fields, Pool};
use sockless_http::{Authenticator, Challenge, Credentials, Dialog, Party, Subject, Verdict};

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    preemptive: bool,
    body: Option<&'a [u8]>,
    info: &'a [u8],
    answers: Vec<&'a [u8]>,
}

fn fields(name: &str, value: &[u8]) -> Fields {
    let raw = [name.as_bytes(), value].concat();
    let (middle, end) = (name.len() as u32, raw.len() as u32);
    Fields::new(Buf::from(raw), vec![(0..middle, middle..end)])
}

fuzz_target!(|input: Input<'_>| {
    for answer in &input.answers {
        let all = Challenge::parse([*answer]);
        let written: Vec<_> = all.iter().map(Challenge::to_bytes).collect();
        assert_eq!(Challenge::parse(written.iter().map(Vec::as_slice)), all);
    }
    let credentials = Credentials::password("us\"er", "pass").and_then(|one| one.with_bearer("abc"));
    let mut authenticator = Authenticator::new(Party::Origin, "host", credentials.expect("good ones"));
    if input.preemptive {
        authenticator = authenticator.preemptive();
    }
    let (pool, mut copied) = (Pool::default(), 0);
    let mut cx = Cx::new(Instant::now(), SystemTime::UNIX_EPOCH, &pool, &mut copied, None);
    let subject = Subject { method: "GET", target: "/", body: input.body };
    let mut dialog = Dialog::new();
    for rounds in 0.. {
        let Ok(value) = authenticator.authorize(&mut dialog, &subject, &mut cx) else { break };
        let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
        assert!(!value.is_some_and(|value| value.iter().any(breaks)));
        // A server that never has enough says the same things again and again.
        let Some(answer) = input.answers.iter().cycle().nth(rounds) else { break };
        let challenge = fields("WWW-Authenticate", answer);
        match authenticator.challenged(&mut dialog, &challenge, &mut cx) {
            Verdict::Retry => assert!(rounds < 20, "it goes on for ever"),
            Verdict::GiveUp(_) => break,
        }
    }
    let info = fields("Authentication-Info", input.info);
    let _ = authenticator.accepted(&mut dialog, &info, input.body, &mut cx);
});
