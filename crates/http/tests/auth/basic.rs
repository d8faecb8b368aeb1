//! Basic and Bearer, challenged and preemptive; what credentials may be.

use sockless_core::Reason;
use sockless_http::{Authenticator, Credentials, Party, Schemes, Verdict};

use crate::client::{Client, mufasa, origin};

#[test]
fn nothing_is_sent_before_a_challenge() {
    let everything = mufasa().with_bearer("mF_9.B5f-4.1JqM").unwrap();
    assert_eq!(Client::new(origin(everything)).authorize(), None);
}

/// RFC 7617 section 2 and 2.1, RFC 6750 section 2.1.
#[test]
fn the_rfcs_examples() {
    let of = |credentials, challenge: &str| Client::new(origin(credentials)).answer(&[challenge]);
    let aladdin = Credentials::password("Aladdin", "open sesame").unwrap();
    assert_eq!(
        of(aladdin, "Basic realm=\"WallyWorld\""),
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    );
    let pound = Credentials::password("test", "123\u{a3}").unwrap();
    assert_eq!(
        of(pound, "Basic realm=\"foo\", charset=\"UTF-8\""),
        "Basic dGVzdDoxMjPCow=="
    );
    let token = Credentials::bearer("mF_9.B5f-4.1JqM").unwrap();
    assert_eq!(
        of(token, "Bearer realm=\"example\""),
        "Bearer mF_9.B5f-4.1JqM"
    );
}

#[test]
fn a_known_scheme_is_used_without_another_challenge() {
    let mut client = Client::new(origin(mufasa()));
    let value = client.answer(&["Basic realm=x"]);
    client.accepted(&[], None).unwrap();
    client.next();
    assert_eq!(client.authorize(), Some(value));
}

#[test]
fn preemptively_a_token_goes_before_a_password() {
    let both = mufasa().with_bearer("abc").unwrap();
    let mut client = Client::new(origin(both).preemptive());
    assert_eq!(client.authorize().unwrap(), "Bearer abc");
    let mut client = Client::new(origin(mufasa()).preemptive());
    assert_eq!(
        client.authorize().unwrap(),
        "Basic TXVmYXNhOkNpcmNsZSBvZiBMaWZl"
    );
}

#[test]
fn what_is_not_allowed_is_not_sent_preemptively() {
    let safe = origin(mufasa()).allow(Schemes::SAFE).preemptive();
    assert_eq!(Client::new(safe).authorize(), None);
}

#[test]
fn preemptive_basic_makes_way_for_what_the_server_wants() {
    let mut client = Client::new(origin(mufasa()).preemptive());
    client.authorize().unwrap();
    let value = client.answer(&["Digest realm=r, nonce=n, qop=auth"]);
    assert!(value.starts_with("Digest username=\"Mufasa\""), "{value}");
}

#[test]
fn a_name_with_a_colon_is_for_digest_only() {
    let colon = || Client::new(origin(Credentials::password("a:b", "c").unwrap()));
    let why = colon().refusal(&["Basic realm=x"]);
    assert!(why.contains("by basic; usable here: Digest"), "{why}");
    let digest = colon().answer(&["Basic realm=x", "Digest realm=x, nonce=n, qop=auth"]);
    assert!(digest.starts_with("Digest username=\"a:b\", realm=\"x\""));
    let preemptive = origin(Credentials::password("a:b", "c").unwrap()).preemptive();
    assert_eq!(Client::new(preemptive).authorize(), None);
}

#[test]
fn what_could_end_the_line_is_no_credential() {
    for (user, password) in [
        ("a\r\nEvil: yes", "b"),
        ("a", "b\nc"),
        ("a\0", "b"),
        ("a", "\u{85}"),
    ] {
        let fault = Credentials::password(user, password).unwrap_err();
        assert_eq!(fault.reason, Reason::BadRequest);
    }
    for token in ["", "a b", "a\r\nb", "a=b", "===", "\u{e4}"] {
        assert!(Credentials::bearer(token).is_err(), "{token:?}");
    }
    assert!(Credentials::bearer("abc==").is_ok());
}

#[test]
fn nothing_secret_is_shown() {
    let credentials = mufasa().with_bearer("t0ken").unwrap();
    let mut client = Client::new(origin(credentials));
    let value = client.answer(&["Digest realm=r, nonce=n, qop=auth"]);
    let shown = format!("{:?} {:?}", client.authenticator, client.dialog);
    for secret in ["Mufasa", "Circle", "t0ken", &value] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("Digest or Bearer or Basic"), "{shown}");
}

#[test]
fn fingerprints_tell_credentials_apart() {
    let of = |user: &str, password: &str| {
        origin(Credentials::password(user, password).unwrap()).fingerprint()
    };
    assert_eq!(of("a", "b"), of("a", "b"));
    let all = [
        of("a", "b"),
        of("a", "c"),
        of("b", "b"),
        of("ab", ""),
        of("", "ab"),
    ];
    let different: std::collections::BTreeSet<_> = all.into_iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn a_proxy_has_fields_of_its_own() {
    let proxy = Authenticator::new(Party::Proxy, "squid", mufasa());
    let mut client = Client::new(proxy);
    assert!(client.answer(&["Basic realm=x"]).starts_with("Basic "));
    let (party, other) = (client.authenticator.party(), Party::Origin);
    assert_eq!((party.status(), other.status()), (407, 401));
    assert_eq!(party.request_field(), "Proxy-Authorization");
    assert_eq!(party.info_field(), "Proxy-Authentication-Info");
    let verdict = client.challenged(&["Basic realm=x"]);
    assert!(matches!(verdict, Verdict::GiveUp(_)));
}
