//! Which of several schemes is chosen.

use sockless_http::{Credentials, Schemes};

use crate::client::{Client, mufasa, origin};

const ALL: [&str; 6] = [
    "Basic realm=r",
    "Bearer realm=r",
    "Digest realm=r, nonce=n, qop=auth",
    "Digest realm=r, nonce=n, qop=auth, algorithm=SHA-256",
    "Digest realm=r, nonce=n, qop=auth, algorithm=SHA-512-256",
    "Foo bar=baz",
];

/// Scheme and algorithm of an answer.
fn kind(value: &str) -> String {
    let algorithm = value
        .split(", ")
        .find(|param| param.starts_with("algorithm"));
    let scheme = value.split(' ').next().unwrap();
    algorithm.map_or(scheme.to_owned(), |param| format!("{scheme} {param}"))
}

#[test]
fn the_strongest_one_offered_in_any_order() {
    let expected = [
        (6, "Digest algorithm=SHA-512-256"),
        (4, "Digest algorithm=SHA-256"),
        (3, "Digest"),
        (2, "Bearer"),
        (1, "Basic"),
    ];
    for (n, expected) in expected {
        let credentials = mufasa().with_bearer("abc").unwrap();
        let mut offered = ALL[..n].to_vec();
        for _ in 0..2 {
            let mut client = Client::new(origin(credentials.clone()));
            assert_eq!(kind(&client.answer(&offered)), expected);
            let mut client = Client::new(origin(credentials.clone()));
            assert_eq!(kind(&client.answer(&[&offered.join(", ")])), expected);
            offered.reverse();
        }
    }
}

#[test]
fn among_those_that_are_allowed() {
    let credentials = || mufasa().with_bearer("abc").unwrap();
    let of = |allowed| {
        let mut client = Client::new(origin(credentials()).allow(allowed));
        kind(&client.answer(&ALL))
    };
    assert_eq!(of(Schemes::BASIC), "Basic");
    assert_eq!(of(Schemes::BASIC | Schemes::BEARER), "Bearer");
    assert_eq!(of(Schemes::SAFE), "Digest algorithm=SHA-512-256");
    let why = Client::new(origin(credentials()).allow(Schemes::NONE)).refusal(&ALL);
    assert!(why.ends_with("usable here: none"), "{why}");
}

#[test]
fn among_those_that_there_are_credentials_for() {
    let token = Credentials::bearer("abc").unwrap();
    assert_eq!(Client::new(origin(token)).answer(&ALL), "Bearer abc");
    let why = Client::new(origin(mufasa())).refusal(&["Negotiate", "Bearer realm=r", "NTLM"]);
    assert!(
        why.contains("by negotiate, bearer, ntlm; usable here: Digest or Basic"),
        "{why}"
    );
}

#[test]
fn what_cannot_be_answered_is_passed_over() {
    let unusable = [
        "Digest realm=r, nonce=n, qop=auth, algorithm=SHA-1024",
        "Digest realm=r, nonce=n, qop=other, algorithm=SHA-512-256",
        "Digest realm=r, nonce=n, algorithm=SHA-256",
        "Digest realm=r, nonce=n, algorithm=MD5-sess",
        "Digest nonce=n, qop=auth, algorithm=SHA-256",
        "Digest realm=r, qop=auth, algorithm=SHA-256",
        "Digest",
    ];
    for one in unusable {
        let value = Client::new(origin(mufasa())).answer(&[one, "Basic realm=r"]);
        assert!(value.starts_with("Basic "), "{one}: {value}");
    }
}

#[test]
fn no_basic_where_both_sides_have_to_prove_themselves() {
    let why = Client::new(origin(mufasa()).mutual()).refusal(&["Basic realm=r"]);
    assert!(why.ends_with("usable here: Digest"), "{why}");
}
