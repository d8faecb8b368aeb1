//! The parser: what may stand in WWW-Authenticate, and what stands there all the same.

use proptest::prelude::*;
use sockless_http::Challenge;

/// Scheme, token, and parameters as `name=value`.
fn read(values: &[&str]) -> Vec<String> {
    let all = Challenge::parse(values.iter().map(|value| value.as_bytes()));
    let text = |one: &Challenge| {
        let mut text = one.scheme().to_owned();
        if let Some(token) = one.token68() {
            text += &format!(" {token}");
        }
        for (name, value) in one.params() {
            text += &format!(" {name}={}", String::from_utf8_lossy(value));
        }
        text
    };
    all.iter().map(text).collect()
}

#[test]
fn one_challenge_and_several() {
    // RFC 9110 section 11.6.1, with its own white space.
    let example =
        "Basic realm=\"simple\", Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\"";
    assert_eq!(
        read(&[example]),
        [
            "basic realm=simple",
            "newauth realm=apps type=1 title=Login to \"apps\""
        ]
    );
    assert_eq!(read(&["Negotiate"]), ["negotiate"]);
    assert_eq!(
        read(&["Negotiate, NTLM", "Basic realm=x"]),
        ["negotiate", "ntlm", "basic realm=x"]
    );
    assert_eq!(
        read(&["NTLM,Negotiate,Basic realm=x"]),
        ["ntlm", "negotiate", "basic realm=x"]
    );
}

#[test]
fn a_comma_ends_a_parameter_or_a_challenge() {
    assert_eq!(
        read(&["Digest realm=\"a, Basic b=c\", qop=\"auth,auth-int\" , nonce=n,Basic realm=d"]),
        [
            "digest realm=a, Basic b=c qop=auth,auth-int nonce=n",
            "basic realm=d"
        ]
    );
    assert_eq!(
        read(&["Basic ,realm=a, , ,charset=b,"]),
        ["basic realm=a charset=b"]
    );
    assert_eq!(read(&[", ,\t, Basic realm=a"]), ["basic realm=a"]);
}

#[test]
fn token68_or_parameter() {
    assert_eq!(
        read(&["Negotiate YII=, Basic realm=x"]),
        ["negotiate YII=", "basic realm=x"]
    );
    assert_eq!(read(&["Negotiate a+/-._~==  "]), ["negotiate a+/-._~=="]);
    assert_eq!(
        read(&["Foo bar=, Basic realm=x"]),
        ["foo bar=", "basic realm=x"]
    );
    assert_eq!(read(&["Foo bar=baz"]), ["foo bar=baz"]);
    assert_eq!(read(&["Foo bar = baz"]), ["foo bar=baz"]);
    assert_eq!(read(&["Foo realm=\"\""]), ["foo realm="]);
    assert_eq!(read(&["Negotiate  YII="]), ["negotiate YII="]);
}

#[test]
fn names_are_in_any_case_and_values_are_not() {
    assert_eq!(
        read(&["DIGEST Realm=\"X\", NONCE=Y"]),
        ["digest realm=X nonce=Y"]
    );
}

#[test]
fn a_broken_challenge_does_not_take_its_neighbours_along() {
    let good = "basic realm=x";
    assert_eq!(read(&["Digest realm=\"a\" junk, Basic realm=x"]), [good]);
    assert_eq!(read(&["@@@, Basic realm=x"]), [good]);
    assert_eq!(read(&["realm=\"nobody's\", Basic realm=x"]), [good]);
    assert_eq!(read(&["Digest a=1, a=2, Basic realm=x"]), [good]);
    assert_eq!(read(&["Digest a=1, b=, c=3, Basic realm=x"]), [good]);
    assert_eq!(read(&["Negotiate abc, realm=x, Basic realm=x"]), [good]);
    assert_eq!(read(&["Basic\"x\", Basic realm=x"]), [good]);
    assert_eq!(
        read(&["Basic realm=x", "Digest realm=\"never ends, Foo a=b"]),
        [good]
    );
    assert_eq!(read(&["Digest realm=\"a\\", "Basic realm=x"]), [good]);
    assert_eq!(read(&["Digest realm=\"a\\\0b\", Basic realm=x"]), [good]);
    assert_eq!(read(&["", " ", ",", "\"", "=", "=="]), [""; 0]);
}

#[test]
fn both_numbers_are_bounded() {
    let many = "Basic realm=x, ".repeat(10_000);
    assert_eq!(read(&[&many, &many]).len(), 32);
    let params = |n| {
        (0..n)
            .map(|at| format!("p{at}=1"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(read(&[&format!("Digest {}", params(32))]).len(), 1);
    assert_eq!(
        read(&[&format!("Digest {}, Basic realm=x", params(33))]),
        ["basic realm=x"]
    );
}

#[test]
fn a_servers_token_is_not_shown() {
    let all = Challenge::parse([&b"Negotiate c2VjcmV0"[..]]);
    assert_eq!(format!("{all:?}"), "[negotiate (8 bytes)]");
}

fn challenge() -> impl Strategy<Value = String> {
    let token = "[a-z0-9!#$%&'*+.^_`|~-]{1,8}";
    let value = "[ -~\u{a1}-\u{ff}]{0,12}";
    let params = proptest::collection::btree_map(token, value, 0..5).prop_map(|params| {
        let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
        let params = params
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", quoted(value)));
        params.collect::<Vec<_>>().join(", ")
    });
    let token68 = "[A-Za-z0-9._~+/-]{1,20}={0,2}";
    ("[a-z]{1,8}", prop_oneof![params.boxed(), token68.boxed()])
        .prop_map(|(scheme, data)| format!("{scheme} {data}"))
}

proptest! {
    /// Written and read again, also next to others, a challenge is the same.
    #[test]
    fn round_trip(values in proptest::collection::vec(challenge(), 1..6)) {
        let all = Challenge::parse(values.iter().map(|value| value.as_bytes()));
        prop_assert_eq!(all.len(), values.len());
        let written: Vec<_> = all.iter().map(Challenge::to_bytes).collect();
        let joined = written.join(&b", "[..]);
        prop_assert_eq!(&Challenge::parse([joined.as_slice()]), &all);
        prop_assert_eq!(&Challenge::parse(written.iter().map(Vec::as_slice)), &all);
    }

    /// Anything may come; what is understood is still the same when written again.
    #[test]
    fn garbage(value in "[a-z,=\"\\\\ \t/@\u{e9}]{0,60}") {
        let all = Challenge::parse([value.as_bytes()]);
        let written: Vec<_> = all.iter().map(Challenge::to_bytes).collect();
        prop_assert_eq!(Challenge::parse(written.iter().map(Vec::as_slice)), all);
    }

    /// Nor do bytes that are no text matter.
    #[test]
    fn bytes(value in proptest::collection::vec(any::<u8>(), 0..80)) {
        let quoted = [b"Basic realm=\"", value.as_slice(), b"\", Digest x=y"].concat();
        let all = Challenge::parse([value.as_slice(), quoted.as_slice(), b"Last a=b"]);
        prop_assert_eq!(all.last().map(Challenge::scheme), Some("last"));
    }
}
