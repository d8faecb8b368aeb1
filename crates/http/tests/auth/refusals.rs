//! Credentials that are refused, and servers that never have enough.

use crate::client::{Client, mufasa, origin};

const DIGEST: &str = "Digest realm=\"The lair\", nonce=n, qop=auth";

#[test]
fn refused_credentials_are_not_sent_again() {
    let cases = [
        ("Basic realm=x", "(Basic)"),
        (DIGEST, "(Digest, realm \"The lair\")"),
        ("Bearer realm=x", "(Bearer)"),
    ];
    for (challenge, named) in cases {
        let credentials = match named {
            "(Bearer)" => sockless_http::Credentials::bearer("abc").unwrap(),
            _ => mufasa(),
        };
        let mut client = Client::new(origin(credentials));
        client.answer(&[challenge]);
        let why = client.refusal(&[challenge]);
        assert_eq!(why, format!("the credentials were refused {named}"));
        client.next();
        assert_eq!(client.authorize(), None, "the next request begins anew");
    }
}

#[test]
fn preemptive_credentials_that_are_refused_are_not_sent_again() {
    let mut client = Client::new(origin(mufasa()).preemptive());
    client.authorize().unwrap();
    assert!(
        client
            .refusal(&["Basic realm=x"])
            .contains("refused (Basic)")
    );
}

#[test]
fn a_password_that_digest_refused_is_not_shown_with_basic() {
    let mut client = Client::new(origin(mufasa()));
    client.answer(&[DIGEST, "Basic realm=x"]);
    assert!(
        client
            .refusal(&[DIGEST, "Basic realm=x"])
            .contains("refused (Digest")
    );
}

#[test]
fn another_kind_of_credentials_has_its_turn() {
    let both = mufasa().with_bearer("abc").unwrap();
    let mut client = Client::new(origin(both));
    let offered = [DIGEST, "Bearer realm=x", "Basic realm=x"];
    assert!(client.answer(&offered).starts_with("Digest "));
    assert_eq!(client.answer(&offered), "Bearer abc");
    assert!(client.refusal(&offered).contains("refused (Bearer)"));
}

/// A proxy that closes after each challenge gets each answer on a connection of its own.
#[test]
fn it_ends_also_when_each_answer_goes_over_another_connection() {
    let both = mufasa().with_bearer("abc").unwrap();
    let mut client = Client::new(origin(both));
    let offered = [DIGEST, "Bearer realm=x"];
    client.challenged(&offered);
    for scheme in ["Digest ", "Bearer "] {
        client.next();
        assert!(client.authorize().unwrap().starts_with(scheme));
        if scheme == "Digest " {
            client.challenged(&offered);
        }
    }
    assert!(client.refusal(&offered).contains("refused (Bearer)"));
}

#[test]
fn a_nonce_that_aged_unsaid_is_replaced_once() {
    let mut client = Client::new(origin(mufasa()));
    client.answer(&[DIGEST]);
    client.accepted(&[], None).unwrap();
    client.next();
    client.authorize().unwrap();
    let fresh = "Digest realm=\"The lair\", nonce=n2, qop=auth";
    assert!(client.answer(&[fresh]).contains("nonce=\"n2\""));
    assert!(client.refusal(&[fresh]).contains("refused"));
}

#[test]
fn another_realm_has_not_refused_anything() {
    let mut client = Client::new(origin(mufasa()));
    client.answer(&[DIGEST]);
    let value = client.answer(&["Digest realm=\"The den\", nonce=n, qop=auth"]);
    assert!(value.contains("realm=\"The den\""), "{value}");
}

#[test]
fn endless_challenges_end() {
    let stale = |at: u32| format!("Digest realm=r, nonce=n{at}, qop=auth, stale=true");
    let realms = |at: u32| format!("Digest realm=r{at}, nonce=n, qop=auth");
    for (challenge, says) in [
        (&stale as &dyn Fn(u32) -> String, "refused"),
        (&realms, "in a row"),
    ] {
        let mut client = Client::new(origin(mufasa()));
        let mut rounds = 0;
        let why = loop {
            rounds += 1;
            assert!(rounds < 20, "it goes on for ever");
            if let sockless_http::Verdict::GiveUp(fault) = client.challenged(&[&challenge(rounds)])
            {
                break fault.what;
            }
            client.authorize().unwrap();
        };
        assert!(why.contains(says), "{why}");
    }
}

#[test]
fn what_was_accepted_starts_the_counting_anew() {
    let mut client = Client::new(origin(mufasa()));
    for _ in 0..2 {
        for at in 0..3 {
            client.answer(&[&format!(
                "Digest realm=r, nonce=n{at}, qop=auth, stale=true"
            )]);
        }
        client.accepted(&[], None).unwrap();
        client.next();
        client.authorize().unwrap();
    }
}

/// Another request has met its end meanwhile, and all that was known is forgotten.
#[test]
fn after_a_challenge_nothing_is_sent_unasked() {
    let mut client = Client::new(origin(mufasa()).preemptive());
    client.authorize().unwrap();
    let mut other = std::mem::take(&mut client.dialog);
    client.answer(&[DIGEST]);
    std::mem::swap(&mut client.dialog, &mut other);
    client.answer(&[DIGEST]);
    std::mem::swap(&mut client.dialog, &mut other);
    client.refusal(&[DIGEST]);
    client.dialog = other;
    client.dialog.reconnected();
    assert_eq!(client.authorize(), None);
}

#[test]
fn a_challenge_that_says_nothing() {
    for values in [&[][..], &["\"\""], &["Digest realm=\"a"]] {
        let why = Client::new(origin(mufasa())).refusal(values);
        assert!(
            why.contains("without a challenge that can be read"),
            "{why}"
        );
    }
}

#[test]
fn what_the_server_says_is_shown_harmlessly_and_in_part() {
    let realm = "x\u{1b}[31m".to_owned() + &"y".repeat(500);
    let challenge = format!(
        "Digest realm=\"{}\", nonce=n, qop=auth",
        realm.replace('\u{1b}', "\u{9b}")
    );
    let mut client = Client::new(origin(mufasa()));
    client.answer(&[&challenge]);
    let why = client.refusal(&[&challenge]);
    assert!(why.is_ascii() && why.len() < 200, "{why}");
}
