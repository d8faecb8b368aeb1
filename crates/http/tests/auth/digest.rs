//! Digest against a server that computes everything for itself.

use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512_256};
use sockless_core::Reason;
use sockless_http::{Challenge, Credentials, Subject};

use crate::client::{Client, mufasa, origin};

/// What a server reads in the field.
struct Answer(Challenge);

impl Answer {
    fn of(value: &str) -> Self {
        Self(Challenge::parse([value.as_bytes()]).remove(0))
    }

    fn get(&self, name: &str) -> &str {
        let value = self
            .0
            .param(name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.0));
        str::from_utf8(value).expect("text")
    }

    fn hash(&self, text: &str) -> String {
        let algorithm = self
            .0
            .param("algorithm")
            .map_or("MD5", |_| self.get("algorithm"));
        let bytes = match algorithm.trim_end_matches("-sess") {
            "MD5" => Md5::digest(text).to_vec(),
            "SHA-256" => Sha256::digest(text).to_vec(),
            _ => Sha512_256::digest(text).to_vec(),
        };
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The response that belongs to these, RFC 7616 section 3.4.1; `a2` after the method.
    fn expected(&self, user: &str, password: &str, a2: &str) -> String {
        let mut ha1 = self.hash(&format!("{user}:{}:{password}", self.get("realm")));
        if self
            .0
            .param("algorithm")
            .is_some_and(|name| name.ends_with(b"-sess"))
        {
            ha1 = self.hash(&format!(
                "{ha1}:{}:{}",
                self.get("nonce"),
                self.get("cnonce")
            ));
        }
        let [nonce, nc, cnonce, qop] = ["nonce", "nc", "cnonce", "qop"].map(|name| self.get(name));
        let ha2 = self.hash(a2);
        self.hash(&format!("{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}"))
    }
}

const ALGORITHMS: [&str; 6] = [
    "MD5",
    "MD5-sess",
    "SHA-256",
    "SHA-256-sess",
    "SHA-512-256",
    "SHA-512-256-sess",
];

#[test]
fn every_algorithm_several_times() {
    for algorithm in ALGORITHMS {
        let challenge =
            format!("Digest realm=\"r\", nonce=\"n1\", qop=auth, algorithm={algorithm}");
        let mut client = Client::new(origin(mufasa()));
        let mut value = client.answer(&[&challenge]);
        for nc in 1..4 {
            let answer = Answer::of(&value);
            assert_eq!(answer.get("nc"), format!("{nc:08x}"));
            assert_eq!(answer.get("algorithm"), algorithm);
            let expected = answer.expected("Mufasa", "Circle of Life", "GET:/dir/index.html");
            assert_eq!(answer.get("response"), expected, "{algorithm}");
            client.accepted(&[], None).unwrap();
            client.next();
            value = client.authorize().unwrap();
        }
    }
}

#[test]
fn cnonces_come_from_the_seed_and_differ() {
    let of = |seed| {
        let mut client = Client::new(origin(mufasa()).seed(seed));
        let first = client.answer(&["Digest realm=r, nonce=n, qop=auth"]);
        let second = client.authorize().unwrap();
        [first, second].map(|value| Answer::of(&value).get("cnonce").to_owned())
    };
    assert_eq!(of(1), of(1));
    let [a, b] = of(1);
    let [c, d] = of(2);
    assert!(
        a != b && a != c && b != d && a.len() == 32,
        "{a} {b} {c} {d}"
    );
}

#[test]
fn auth_is_preferred_and_auth_int_covers_the_body() {
    let mut client = Client::new(origin(mufasa()));
    client.subject.body = None;
    let value = client.answer(&["Digest realm=r, nonce=n, qop=\"auth-int, auth\""]);
    assert_eq!(Answer::of(&value).get("qop"), "auth");

    let mut client = Client::new(origin(mufasa()));
    client.subject = Subject {
        method: "POST",
        target: "/form",
        body: Some(b"a=b"),
    };
    let answer = client.answer(&["Digest realm=r, nonce=n, qop=auth-int, algorithm=SHA-256"]);
    let answer = Answer::of(&answer);
    assert_eq!(answer.get("qop"), "auth-int");
    let a2 = format!("POST:/form:{}", answer.hash("a=b"));
    assert_eq!(
        answer.get("response"),
        answer.expected("Mufasa", "Circle of Life", &a2)
    );
}

#[test]
fn auth_int_needs_a_body_that_is_known() {
    let mut client = Client::new(origin(mufasa()));
    client.subject.body = None;
    client.challenged(&["Digest realm=r, nonce=n, qop=auth-int"]);
    let fault = client.try_authorize().unwrap_err();
    assert_eq!(fault.reason, Reason::Authentication);
    assert!(
        fault.what.contains("auth-int") && fault.remedy.is_some(),
        "{fault:?}"
    );

    let weaker = ["Digest realm=r, nonce=n, qop=auth-int", "Basic realm=r"];
    assert!(client.answer(&weaker).starts_with("Basic "));
}

#[test]
fn names_and_values_with_quotes_are_escaped_and_hashed_without() {
    let credentials = Credentials::password("a\"b\\c", "p").unwrap();
    let mut client = Client::new(origin(credentials));
    let value = client.answer(&["Digest realm=\"x \\\"y\\\" \\z\", nonce=\"n\\\\\", qop=auth"]);
    assert!(value.contains("username=\"a\\\"b\\\\c\", realm=\"x \\\"y\\\" z\", nonce=\"n\\\\\","));
    let answer = Answer::of(&value);
    assert_eq!(answer.get("realm"), "x \"y\" z");
    assert_eq!(
        answer.get("response"),
        answer.expected("a\"b\\c", "p", "GET:/dir/index.html")
    );
}

#[test]
fn other_than_ascii_names() {
    let of = |more: &str| {
        let credentials = Credentials::password("J\u{e4}s\u{f8}n Doe", "p").unwrap();
        Client::new(origin(credentials))
            .answer(&[&format!("Digest realm=r, nonce=n, qop=auth{more}")])
    };
    assert!(of(", charset=utf-8").contains("username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, "));
    assert!(of("").contains("username=\"J\u{e4}s\u{f8}n Doe\", "));
    let hashed = of(", charset=UTF-8, userhash=TRUE");
    let answer = Answer::of(&hashed);
    assert_eq!(answer.get("username"), answer.hash("J\u{e4}s\u{f8}n Doe:r"));
    assert!(hashed.ends_with(", userhash=true"));
    let expected = answer.expected("J\u{e4}s\u{f8}n Doe", "p", "GET:/dir/index.html");
    assert_eq!(answer.get("response"), expected);
}

#[test]
fn a_realm_that_is_no_utf8_goes_back_as_it_came() {
    let mut client = Client::new(origin(mufasa()));
    let value = client.answer_to_bytes(b"Digest realm=\"\xe4\", nonce=n, qop=auth");
    let expected = b"Digest username=\"Mufasa\", realm=\"\xe4\", nonce=\"n\", ";
    assert!(value.starts_with(expected), "{}", value.escape_ascii());
}

#[test]
fn a_stale_nonce_is_replaced() {
    let mut client = Client::new(origin(mufasa()));
    client.answer(&["Digest realm=r, nonce=n1, qop=auth"]);
    let value = client.answer(&["Digest realm=r, nonce=n2, qop=auth, stale=TRUE"]);
    let answer = Answer::of(&value);
    assert_eq!((answer.get("nonce"), answer.get("nc")), ("n2", "00000001"));
}

#[test]
fn a_nonce_that_is_given_again_is_counted_on() {
    let mut client = Client::new(origin(mufasa()));
    client.answer(&["Digest realm=r, nonce=n, qop=auth"]);
    client.accepted(&[], None).unwrap();
    client.next();
    let value = client.answer(&["Digest realm=r, nonce=n, qop=auth"]);
    assert_eq!(Answer::of(&value).get("nc"), "00000002");
}

#[test]
fn the_next_nonce_is_used_and_a_session_keeps_its_key() {
    for algorithm in ["MD5", "SHA-256-sess"] {
        let challenge = format!("Digest realm=r, nonce=n1, qop=auth, algorithm={algorithm}");
        let mut client = Client::new(origin(mufasa()));
        let first = client.answer(&[&challenge]);
        let info = ("Authentication-Info", "nextnonce=\"n2\", qop=auth");
        client.accepted(&[info], None).unwrap();
        client.next();
        let second = client.authorize().unwrap();
        let (first, second) = (Answer::of(&first), Answer::of(&second));
        assert_eq!((second.get("nonce"), second.get("nc")), ("n2", "00000001"));
        let session = algorithm.ends_with("-sess");
        assert_eq!(first.get("cnonce") == second.get("cnonce"), session);
        if !session {
            continue;
        }
        // RFC 7616 section 3.4.2: the key is made from the first nonce.
        let base = second.hash("Mufasa:r:Circle of Life");
        let key = second.hash(&format!("{base}:n1:{}", first.get("cnonce")));
        let a2 = second.hash("GET:/dir/index.html");
        let cnonce = second.get("cnonce");
        let expected = second.hash(&format!("{key}:n2:00000001:{cnonce}:auth:{a2}"));
        assert_eq!(second.get("response"), expected);
    }
}

/// `Authentication-Info` as a server that knows the password says it.
fn info(answer: &Answer, a2: &str, nc: &str) -> String {
    let proof = answer.expected("Mufasa", "Circle of Life", a2);
    let (qop, cnonce) = (answer.get("qop"), answer.get("cnonce"));
    format!("rspauth=\"{proof}\", qop={qop}, cnonce=\"{cnonce}\", nc={nc}")
}

#[test]
fn the_servers_proof_is_checked() {
    for mutual in [true, false] {
        let client = || {
            let authenticator = origin(mufasa());
            Client::new(if mutual {
                authenticator.mutual()
            } else {
                authenticator
            })
        };
        let outcome = |make: &dyn Fn(&Answer) -> String| {
            let mut client = client();
            let value = client.answer(&["Digest realm=r, nonce=n, qop=auth, algorithm=SHA-256"]);
            let info = make(&Answer::of(&value));
            client
                .accepted(&[("authentication-info", &info)], None)
                .map_err(|fault| fault.reason)
        };
        let bad = Err(Reason::Authentication);
        assert_eq!(
            outcome(&|answer| info(answer, ":/dir/index.html", "00000001")),
            Ok(())
        );
        assert_eq!(outcome(&|answer| info(answer, ":/other", "00000001")), bad);
        assert_eq!(
            outcome(&|answer| info(answer, ":/dir/index.html", "00000002")),
            bad
        );
        assert_eq!(outcome(&|_| "rspauth=\"\"".to_owned()), bad);
        let none = outcome(&|_| "garbage;;".to_owned());
        assert_eq!(none, if mutual { bad } else { Ok(()) });
    }
}

#[test]
fn the_proof_with_auth_int_covers_the_answers_body() {
    for (body, good) in [
        (Some(&b"hello"[..]), true),
        (Some(b"hullo"), false),
        (None, true),
    ] {
        let mut client = Client::new(origin(mufasa()));
        let value = client.answer(&["Digest realm=r, nonce=n, qop=auth-int"]);
        let answer = Answer::of(&value);
        let a2 = format!(":/dir/index.html:{}", answer.hash("hello"));
        let info = info(&answer, &a2, "00000001");
        let outcome = client.accepted(&[("Authentication-Info", &info)], body);
        assert_eq!(outcome.is_ok(), good, "{body:?} {outcome:?}");
    }
}
