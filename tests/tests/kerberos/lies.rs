//! Peers that lie: KDCs whose answers are cut, huge, replayed or about another time, servers that cannot
//! prove who they are, and a proxy that does not protect. Each failure says who, what and why.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sockless::core::Culprit;
use sockless::kerberos::{Backend, Realms};
use sockless::{Protection, Proxy, Reason};
use sockless_tests::servers::{PASSWORD, REALM, USER, Way};

use crate::{Outcome, World, alice, config, get, login, realms, servers};

/// Somebody between us and the KDC: gives what comes back to a question, as it is on the wire.
fn kdc(answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Realms {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            if let Some(question) = framed(&mut client) {
                drop(client.write_all(&answer(&question)));
            }
        }
    });
    let place = format!("tcp/127.0.0.1:{port}");
    let realms = realms().without_kdcs(REALM);
    realms.kdc(REALM, &place).expect("a KDC")
}

/// A message behind its length.
fn framed(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short");
    [&length.to_be_bytes()[..], message].concat()
}

/// What the real KDC answers.
fn asked(question: &[u8]) -> Vec<u8> {
    let port = servers().0.ports()[0];
    let mut kdc = TcpStream::connect(("127.0.0.1", port)).expect("a KDC");
    kdc.write_all(&frame(question)).expect("sent");
    framed(&mut kdc).expect("an answer")
}

fn with(realms: Realms) -> Outcome {
    let auth = login(USER, PASSWORD, realms);
    World::new(config()).fetch(get(&servers().1.http_url("/private/1k")).auth(auth))
}

/// What is said about a login, and that no secret is in it, nor in any note.
#[track_caller]
fn says(outcome: &Outcome, parts: &[&str]) {
    let text = outcome.error().to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let all = outcome.notes.concat() + &text;
    assert!(!all.contains(PASSWORD), "{all}");
}

#[test]
fn answers_of_a_kdc_that_are_cut_or_endless() {
    for (wire, part) in [
        (b"\0\0\0\x64only ten..".to_vec(), "(tcp)"),
        (b"\xff\xff\xff\xffand so on".to_vec(), "4294967295"),
        (Vec::new(), "(tcp)"),
    ] {
        let outcome = with(kdc(move |_| wire.clone()));
        says(&outcome, &["no KDC of the realm", REALM, part]);
    }
}

#[test]
fn an_answer_in_its_frame_that_is_no_message() {
    let outcome = with(kdc(|_| frame(&[0x17; 200])));
    says(&outcome, &["no KDC of the realm", REALM, "(tcp)"]);
    // Outside it is an AS-REP.
    let outcome = with(kdc(|_| frame(&der(0x6b, &[0x17; 100]))));
    let error = outcome.error();
    assert_eq!(
        (error.culprit(), error.reason()),
        (Culprit::PeerMisbehaved, garbled())
    );
    says(&outcome, &["login"]);
}

/// MIT's library has one code for all that is wrong with a message.
fn garbled() -> Reason {
    match crate::BACKEND {
        Backend::Gssapi => Reason::Authentication,
        _ => Reason::Malformed,
    }
}

/// The nonce is another one's: an answer that somebody has kept is refused.
#[test]
fn an_answer_that_was_given_before() {
    let kept: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let recorder = Arc::clone(&kept);
    let recorded = with(kdc(move |question| {
        let answer = asked(question);
        recorder.lock().expect("whole").push(answer.clone());
        frame(&answer)
    }));
    assert_eq!(recorded.user(), format!("{USER}@{REALM}"));
    let said = Arc::new(Mutex::new(0));
    let replayed = with(kdc(move |_| {
        let mut said = said.lock().expect("whole");
        let kept = kept.lock().expect("whole");
        let answer = &kept[*said];
        *said += 1;
        frame(answer)
    }));
    let error = replayed.error();
    assert_eq!(
        (error.culprit(), error.reason()),
        (Culprit::PeerMisbehaved, Reason::Authentication)
    );
    says(&replayed, &["login", "(KRB_AP_ERR_MODIFIED, 41)"]);
}

/// KRB-ERROR (RFC 4120 section 5.9.1) of a KDC whose clock is another one.
#[test]
fn clocks_that_differ() {
    let outcome = with(kdc(|_| frame(&krb_error(37))));
    assert_eq!(outcome.error().reason(), Reason::Authentication);
    says(&outcome, &["(KRB_AP_ERR_SKEW, 37)", "clock"]);
    // A code that nobody has assigned is told as a number.
    let outcome = with(kdc(|_| frame(&krb_error(99))));
    says(&outcome, &["99"]);
}

fn krb_error(code: u8) -> Vec<u8> {
    let name = [
        der(0xa0, &der(2, &[2])),
        der(
            0xa1,
            &der(
                0x30,
                &[der(0x1b, b"krbtgt"), der(0x1b, REALM.as_bytes())].concat(),
            ),
        ),
    ];
    let fields = [
        der(0xa0, &der(2, &[5])),
        der(0xa1, &der(2, &[30])),
        der(0xa4, &der(0x18, b"20260101000000Z")),
        der(0xa5, &der(2, &[0])),
        der(0xa6, &der(2, &[code])),
        der(0xa9, &der(0x1b, REALM.as_bytes())),
        der(0xaa, &der(0x30, &name.concat())),
    ];
    der(0x7e, &der(0x30, &fields.concat()))
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("short");
    assert!(length < 128, "the short form of a length");
    [&[tag, length][..], content].concat()
}

/// Who cannot prove who it is, whatever it has answered, is not believed.
#[test]
fn servers_that_cannot_prove_who_they_are() {
    let port = servers().1.port(Way::Liar).expect("it is there");
    let fetch = |lie: &str| {
        let url = format!("http://localhost:{port}/{lie}");
        World::new(config()).fetch(get(&url).auth(alice()))
    };
    let honest = fetch("honest");
    assert_eq!(honest.code, 200, "{:?}", honest.notes);
    honest.user();
    // The first proof is that of its own connection.
    fetch("replayed").user();
    for (lie, parts) in [
        ("tampered", &["KRB_AP_ERR_"][..]),
        ("replayed", &["KRB_AP_ERR_"]),
        ("garbage", &[]),
        ("unproven", &["no proof"]),
    ] {
        let outcome = fetch(lie);
        let error = outcome.error();
        let reason = match lie {
            "garbage" => garbled(),
            _ => Reason::Authentication,
        };
        assert_eq!(error.reason(), reason, "{lie}: {error}");
        assert_eq!(error.layer(), "auth", "{lie}: {error}");
        assert_eq!(error.culprit(), Culprit::PeerMisbehaved, "{lie}: {error}");
        says(&outcome, parts);
    }
}

/// Another mechanism than was offered is an error; another ticket after one that was taken is
/// not given, and the refusal is delivered with a note.
#[test]
fn servers_that_want_something_else() {
    let port = servers().1.port(Way::Liar).expect("it is there");
    let fetch = |lie: &str| {
        let url = format!("http://localhost:{port}/{lie}");
        World::new(config()).fetch(get(&url).auth(alice()))
    };
    let foreign = fetch("foreign");
    let error = foreign.error();
    assert_eq!(
        (error.culprit(), error.reason()),
        (Culprit::PeerMisbehaved, Reason::Authentication)
    );
    says(
        &foreign,
        match crate::BACKEND {
            Backend::Gssapi => &["the security context fails: Invalid token"],
            _ => &["another mechanism than Kerberos, which it was not offered"],
        },
    );
    let again = fetch("again");
    assert_eq!((again.user(), again.code), ("", 401));
    let note = "auth: the credentials were refused (Negotiate)".to_owned();
    assert!(again.notes.contains(&note), "{:?}", again.notes);
}

/// RFC 1961 section 4: what the proxy offers is less than what is wanted.
#[test]
fn a_proxy_that_offers_less_protection_than_is_wanted() {
    let port = servers().1.port(Way::LyingSocks).expect("it is there");
    for level in [Protection::Integrity, Protection::Confidentiality] {
        let proxy = Proxy::parse(&format!("socks5h://localhost:{port}")).expect("a proxy");
        let proxy = proxy.auth(alice()).protection(level);
        let url = servers().1.http_url("/1k");
        let outcome = World::new(config()).fetch(get(&url).proxy(proxy));
        let error = outcome.error();
        assert_eq!(
            (error.layer(), error.culprit(), error.reason()),
            ("socks5", Culprit::Policy, Reason::Proxy)
        );
        says(
            &outcome,
            &[
                "offers the protection None",
                &format!("{level:?} is required"),
            ],
        );
    }
}

/// NEC's reference implementation agrees in the clear: with who expects that only.
#[test]
fn levels_in_the_clear() {
    let port = match servers().1.port(Way::Nec) {
        Ok(port) => port,
        Err(why) => return println!("not tested, there is no Dante: {why}"),
    };
    let url = servers().1.http_url("/1m");
    let proxy = Proxy::parse(&format!("socks5h://localhost:{port}")).expect("a proxy");
    for level in [
        Protection::None,
        Protection::Integrity,
        Protection::Confidentiality,
    ] {
        let proxy = proxy.clone().auth(alice()).protection(level);
        let outcome = World::new(config()).fetch(get(&url).proxy(proxy.levels_in_the_clear()));
        outcome.user();
        assert_eq!(sockless_tests::content::check(0, &outcome.body), Ok(()));
        let agreed = format!(
            "socks5: authenticated by Kerberos, protection: {level:?}, agreed on in the clear"
        );
        assert!(outcome.notes.contains(&agreed), "{:?}", outcome.notes);
    }
    // Who does as RFC 1961 says refuses that.
    let port = servers().1.port(Way::Socks).expect("it is there as well");
    let proxy = Proxy::parse(&format!("socks5h://localhost:{port}")).expect("a proxy");
    let proxy = proxy.auth(alice()).levels_in_the_clear();
    let outcome = World::new(config()).fetch(get(&url).proxy(proxy));
    assert_eq!(outcome.error().layer(), "socks5");
}
