//! What a KDC can say that no KDC says.

#![cfg(any(feature = "gssapi", feature = "rust"))]

use std::time::SystemTime;

use sockless_core::{Need, Reason, SecurityProvider};
use sockless_kerberos::{Backend, Config, Credentials, Realms};

/// The tag of the answer that is waited for, and nothing in it that belongs there; by each backend that is built in.
#[test]
fn an_answer_that_cannot_be_read_fails_the_login() {
    let realms = Realms::new().kdc("R", "kdc").expect("a KDC");
    let answers = [
        &b"\x6b\x00"[..],
        b"\x6b\x03\x30\x01\x00",
        b"\x6b\x04\x30\x02\xa0\x00",
        b"\x7e\x00",
        b"\x7e\x02\x30\x00",
    ];
    for (backend, answer) in Backend::built_in()
        .iter()
        .flat_map(|backend| answers.map(|answer| (*backend, answer)))
    {
        let alice = Credentials::password("alice@R", "sesame", &realms).expect("credentials");
        let kerberos = Config::new(alice, realms.clone())
            .backend(backend)
            .random([1; 32])
            .build()
            .expect("Kerberos");
        let wall = SystemTime::UNIX_EPOCH;
        let errand = kerberos.errand("HTTP", "host", wall).expect("an errand");
        let mut errand = errand.expect("a login");
        assert!(matches!(errand.step(None, wall), Ok(Need::Ask(_))));
        let fault = errand.step(Some(Ok(answer)), wall).expect_err("no answer");
        let expected = [Reason::Authentication, Reason::Malformed];
        assert!(expected.contains(&fault.reason), "{}", fault.what);
    }
}
