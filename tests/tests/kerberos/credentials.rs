//! Passwords, keytabs and caches.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use sockless::drivers::Blocking;
use sockless::kerberos::{Backend, Config as Setup, Credentials, Delegation, Realms};
use sockless::{Auth, Reason};
use sockless_tests::servers::{PASSWORD, REALM, USER};

use crate::world::seed;
use crate::{BACKEND, World, config, get, login, provider, realms, servers};

/// The bytes of the cache that `kinit` makes.
fn kinit(principal: &str) -> Vec<u8> {
    let config = servers().0.config();
    // Tests run at the same time.
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("cache-of-{principal}-{}-{number}", std::process::id());
    let cache = config.with_file_name(name);
    let mut child = Command::new("kinit")
        .args(["-c", &format!("FILE:{}", cache.display()), principal])
        .env("KRB5_CONFIG", &config)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("kinit is installed");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin
        .write_all(format!("{PASSWORD}\n").as_bytes())
        .expect("it reads");
    drop(stdin);
    assert!(child.wait().expect("ours").success());
    let bytes = fs::read(&cache).expect("a cache");
    drop(fs::remove_file(cache));
    bytes
}

fn fetched_with(credentials: Result<Credentials, sockless::Fault>, realms: Realms) -> String {
    let auth = Auth::negotiate(provider(credentials, realms).expect("a provider"));
    let url = servers().1.http_url("/private/1k");
    let outcome = World::new(config()).fetch(get(&url).auth(auth));
    outcome.user().to_owned()
}

#[test]
fn a_keytab_logs_in() {
    let keytab = fs::read(servers().0.user_keytab()).expect("a keytab");
    let realms = realms();
    for name in [None, Some(USER)] {
        let credentials = Credentials::keytab(name, &keytab, &realms);
        let user = fetched_with(credentials, realms.clone());
        assert_eq!(user, format!("{USER}@{REALM}"));
    }
    let fault = Credentials::keytab(Some("nobody"), &keytab, &realms).expect_err("no key");
    assert!(fault.what.contains("no key of nobody"), "{}", fault.what);
}

#[test]
fn a_cache_of_kinits_is_taken() {
    let credentials = Credentials::ccache(&kinit(USER));
    assert_eq!(
        fetched_with(credentials, realms()),
        format!("{USER}@{REALM}")
    );
}

#[test]
fn a_cache_of_another_user_or_a_damaged_one_is_refused() {
    let mut bytes = kinit(USER);
    let other = Credentials::ccache(&bytes).and_then(|tickets| tickets.of("bob", &realms()));
    let fault = other.expect_err("somebody else's");
    assert_eq!(fault.reason, Reason::Authentication);
    assert!(fault.what.contains("not of bob@"), "{}", fault.what);
    bytes.truncate(bytes.len() - 10);
    let fault = Credentials::ccache(&bytes).expect_err("damaged");
    assert!(fault.what.contains("damaged"), "{}", fault.what);
}

/// Keys of RFC 8009, which no KDC makes unless it is told to.
#[test]
fn keys_with_sha2_log_in() {
    let credentials = Credentials::password("sha2", PASSWORD, &realms());
    let user = fetched_with(credentials, realms());
    assert_eq!(user, format!("sha2@{REALM}"));
}

/// Tickets of 20 seconds are used, and got anew when they are nearly over.
#[test]
fn tickets_that_end_soon_are_got_anew() {
    let url = servers().1.http_url("/private/1k");
    let auth = login("short", PASSWORD, realms());
    let asked = |wall| {
        let driver = Box::new(Blocking::new().expect("a driver"));
        let mut world = World::at(config(), driver, wall);
        let outcome = world.fetch(get(&url).auth(auth.clone()));
        assert_eq!(outcome.user(), format!("short@{REALM}"));
        let notes = outcome.notes.iter();
        notes.filter(|note| note.contains("asking the KDC")).count()
    };
    let now = SystemTime::now();
    let first = asked(now);
    assert!(first >= 2, "a login and a ticket: {first}");
    assert_eq!(asked(now), 0);
    assert!(asked(now + Duration::from_secs(17)) >= 2);
}

#[test]
fn expired_tickets_are_told_from_none() {
    let credentials = Credentials::ccache(&kinit("short"));
    let auth = Auth::negotiate(provider(credentials, realms()).expect("a provider"));
    let url = servers().1.http_url("/private/1k");
    let driver = Box::new(Blocking::new().expect("a driver"));
    let wall = SystemTime::now() + Duration::from_secs(3600);
    let outcome = World::at(config(), driver, wall).fetch(get(&url).auth(auth));
    let error = outcome.error();
    assert_eq!(error.reason(), Reason::Authentication);
    assert!(
        error.what().contains("KRB_AP_ERR_TKT_EXPIRED, 32"),
        "{error}"
    );
}

/// MIT's library would block, and so it is said which one does not.
#[test]
fn delegation_is_a_backends_from_the_beginning() {
    for delegation in [Delegation::Policy, Delegation::Always] {
        let credentials = Credentials::password(USER, PASSWORD, &realms()).expect("a name");
        let setup = Setup::new(credentials, realms()).delegation(delegation);
        match (BACKEND, setup.backend(BACKEND).random(seed()).build()) {
            (Backend::Rust, built) => drop(built.expect("it delegates")),
            (_, built) => {
                let fault = built.expect_err("it would block");
                assert_eq!(fault.reason, Reason::Unsupported);
                assert!(
                    fault
                        .remedy
                        .is_some_and(|text| text.contains("backend rust"))
                );
            }
        }
    }
}
