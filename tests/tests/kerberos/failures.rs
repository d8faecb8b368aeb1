//! What KDCs refuse: each with Kerberos' code and its name, and nobody else is touched.

use sockless::Reason;
use sockless::kerberos::Realms;
use sockless_tests::faults;
use sockless_tests::servers::{PASSWORD, REALM, USER};

use crate::{World, alice, config, get, login, realms, servers};

#[test]
fn each_refusal_has_its_code() {
    let url = servers().1.http_url("/private/1k");
    for (name, password, said) in [
        (
            USER,
            "not the password",
            "(KRB_AP_ERR_BAD_INTEGRITY, 31)|(KDC_ERR_PREAUTH_FAILED, 24)",
        ),
        ("nobody", PASSWORD, "(KDC_ERR_C_PRINCIPAL_UNKNOWN, 6)"),
        ("locked", PASSWORD, "(KDC_ERR_CLIENT_REVOKED, 18)"),
        ("expired", PASSWORD, "(KDC_ERR_NAME_EXP, 1)"),
        ("password-expired", PASSWORD, "(KDC_ERR_KEY_EXPIRED, 23)"),
    ] {
        let mut world = World::new(config());
        let refused = world.start(get(&url).auth(login(name, password, realms())));
        let other = world.start(get(&url).auth(alice()));
        let ids = [refused, other].map(|id| id.expect("it starts"));
        let outcomes = world.finish(&ids);
        let error = outcomes[0].error();
        assert_eq!(error.reason(), Reason::Authentication);
        let text = error.to_string();
        assert!(
            said.split('|').any(|said| text.contains(said)),
            "{name}: {text}"
        );
        assert!(!text.contains(password), "{text}");
        assert_eq!(outcomes[1].user(), format!("{USER}@{REALM}"));
    }
}

#[test]
fn unknown_services_and_realms() {
    let url = servers().1.http_url("/private/1k");
    let mut world = World::new(config());
    let outcome = world.fetch(get(&url).auth(alice().service("nosuch")));
    let text = outcome.error().to_string();
    assert!(text.contains("(KDC_ERR_S_PRINCIPAL_UNKNOWN, 7)"), "{text}");

    let nowhere = login("alice@NOWHERE.TEST", PASSWORD, realms());
    let outcome = world.fetch(get(&url).auth(nowhere));
    assert_eq!(outcome.error().reason(), Reason::Resolve);
    assert!(outcome.error().what().contains("NOWHERE.TEST"));
}

/// A password that is good for Basic gets in where Kerberos does not.
#[test]
fn where_kerberos_cannot_another_scheme_is_used() {
    let apache = sockless_tests::servers::Servers::start(&["apache"]).expect("it starts");
    let url = apache.apache().http_url("/basic/1k");
    let realms = Realms::new().default_to("NOWHERE.TEST");
    let credentials = sockless::kerberos::Credentials::password(USER, PASSWORD, &realms);
    let nowhere = crate::provider(credentials, realms).expect("a provider");
    let auth = sockless::Auth::password(USER, PASSWORD)
        .any()
        .or_negotiate(nowhere);
    let outcome = World::new(config()).fetch(get(&url).auth(auth));
    outcome.user();
    assert_eq!(outcome.code, 200);
}

/// What is no KDC: the failure names each that was asked, and why it was of no use.
#[test]
fn a_kdc_that_answers_garbage() {
    let garbage = faults::ALL.iter().find(|(name, _)| *name == "garbage");
    let server = garbage.expect("a fault").1().expect("it starts");
    let place = server
        .url("/")
        .replace("http://", "tcp/")
        .trim_end_matches('/')
        .to_owned();
    let realms = Realms::new().kdc(REALM, &place).expect("a KDC");
    let auth = login(&format!("{USER}@{REALM}"), PASSWORD, realms.clone());
    let url = servers().1.http_url("/private/1k");
    let outcome = World::new(config()).fetch(get(&url).auth(auth));
    let text = outcome.error().to_string();
    assert!(
        text.contains("no KDC of the realm") && text.contains("(tcp)"),
        "{text}"
    );

    // With a good one behind it, nothing is lost.
    let good = format!("127.0.0.1:{}", servers().0.ports()[0]);
    let realms = realms.kdc(REALM, &good).expect("a KDC");
    let auth = login(&format!("{USER}@{REALM}"), PASSWORD, realms);
    let outcome = World::new(config()).fetch(get(&url).auth(auth));
    assert_eq!(outcome.user(), format!("{USER}@{REALM}"));
}
