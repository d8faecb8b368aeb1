//! Any bytes from KDCs and from a service: an error or a question more, never a panic, and never
//! a context or a message that nobody with a key has made.
#![no_main]
#![allow(clippy::disallowed_methods, reason = "a fuzzer must start its Instants somewhere")]

use std::time::{Duration, Instant, SystemTime};

use libfuzzer_sys::fuzz_target;
use sockless_core::{Cx, Need, Pool, SecurityProvider as _, Step};
use sockless_kerberos::{Backend, Config, Credentials, Realms};

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    answers: Vec<&'a [u8]>,
    negotiated: bool,
    tokens: Vec<&'a [u8]>,
}

fn counted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn name(out: &mut Vec<u8>, components: &[&str]) {
    out.extend_from_slice(&1u32.to_be_bytes());
    out.extend_from_slice(&(components.len() as u32).to_be_bytes());
    counted(out, b"R");
    components.iter().for_each(|one| counted(out, one.as_bytes()));
}

/// A file with a ticket for `HTTP` on `www`, and one to get others with.
fn tickets() -> Vec<u8> {
    let mut file = vec![5, 4, 0, 0];
    name(&mut file, &["alice"]);
    for server in [["krbtgt", "R"], ["HTTP", "www"]] {
        name(&mut file, &["alice"]);
        name(&mut file, &server);
        file.extend_from_slice(&18u16.to_be_bytes());
        counted(&mut file, &[7; 32]);
        for time in [1000u32, 1000, 100_000, 0] {
            file.extend_from_slice(&time.to_be_bytes());
        }
        file.push(0);
        file.extend_from_slice(&[0; 12]);
        counted(&mut file, b"ticket");
        counted(&mut file, b"");
    }
    file
}

fuzz_target!(|input: Input<'_>| {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(2000);
    let realms = Realms::new().default_to("R").kdc("R", "kdc").expect("a KDC");
    let keytab = b"\x05\x02\0\0\0\x3d\0\x01\0\x01R\0\x05alice\0\0\0\x01\0\0\0\0\x02\0\x12\0\x20\
                   kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\0\0\0\x02";
    let with = |credentials: Credentials| {
        let config = Config::new(credentials, realms.clone()).backend(Backend::Rust);
        config.random([1; 32]).build().expect("a provider")
    };
    let by_key = with(Credentials::keytab(None, keytab, &realms).expect("a keytab"));
    let by_tickets = with(Credentials::ccache(&tickets()).expect("tickets"));
    for (kerberos, host) in [(&by_key, "www"), (&by_tickets, "other")] {
        let errand = kerberos.errand("HTTP", host, wall).expect("it begins");
        let mut errand = errand.expect("something is lacking");
        let mut asked = errand.step(None, wall);
        for answer in &input.answers {
            if !matches!(asked, Ok(Need::Ask(_))) {
                break;
            }
            asked = errand.step(Some(Ok(answer)), wall);
        }
        // Nobody here has the key that an answer has to be made with.
        assert!(!matches!(asked, Ok(Need::Nothing)));
    }
    let mut context = match input.negotiated {
        true => by_tickets.negotiated("HTTP", "www"),
        false => by_tickets.context("HTTP", "www"),
    }
    .expect("a context");
    let (pool, mut copied) = (Pool::new(0), 0);
    let mut cx = Cx::new(Instant::now(), wall, &pool, &mut copied, None);
    assert!(matches!(context.step(None, &mut cx), Ok(Step::Continue(_))));
    for token in &input.tokens {
        assert!(!matches!(context.step(Some(token), &mut cx), Ok(Step::Done(_))));
        assert!(context.unwrap(token, &mut Vec::new()).is_err());
    }
});
