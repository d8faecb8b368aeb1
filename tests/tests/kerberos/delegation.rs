//! Tickets to hand on: fetched like any others, and good for whoever gets them.

use std::fs;

use sockless::Auth;
use sockless::kerberos::{Config as Setup, Credentials, Delegation};
use sockless_tests::servers::{PASSWORD, REALM, USER};

use crate::world::seed;
use crate::{BACKEND, World, config, get, provider, realms, servers};

/// The caches that the server has been given.
fn caches() -> Vec<Vec<u8>> {
    let folder = fs::read_dir(servers().1.delegated()).expect("the server's folder");
    let files = folder.map(|entry| fs::read(entry.expect("an entry").path()));
    files.map(|bytes| bytes.expect("a cache")).collect()
}

#[test]
fn tickets_are_handed_on_only_if_that_is_wanted() {
    let fetched = |delegation| {
        let credentials = Credentials::password(USER, PASSWORD, &realms()).expect("a name");
        let setup = Setup::new(credentials, realms()).backend(BACKEND);
        let kerberos = setup.random(seed()).delegation(delegation).build();
        let auth = Auth::negotiate(kerberos.expect("a provider"));
        let url = servers().1.http_url("/delegated/1k");
        let mut world = World::new(config());
        let ids = [0, 1].map(|_| {
            world
                .start(get(&url).auth(auth.clone()))
                .expect("it starts")
        });
        let outcomes = world.finish(&ids);
        for outcome in &outcomes {
            assert_eq!(outcome.user(), format!("{USER}@{REALM}"));
        }
        let asked = |outcome: &crate::world::Outcome| {
            let notes = outcome.notes.iter();
            notes.filter(|note| note.contains("asking the KDC")).count()
        };
        outcomes.iter().map(asked).max().unwrap_or(0)
    };
    let plain = fetched(Delegation::None);
    assert_eq!(caches(), Vec::<Vec<u8>>::new());
    // One question more, for both.
    assert_eq!(fetched(Delegation::Policy), plain + 1);
    for delegation in [Delegation::Policy, Delegation::Always] {
        fetched(delegation);
        let given = caches().pop().expect("a cache");
        // Whoever has it is the user.
        let credentials = Credentials::ccache(&given);
        let auth = Auth::negotiate(provider(credentials, realms()).expect("a provider"));
        let url = servers().1.https_url("/private/1k");
        let outcome = World::new(config()).fetch(get(&url).auth(auth));
        assert_eq!(outcome.user(), format!("{USER}@{REALM}"));
        for entry in fs::read_dir(servers().1.delegated()).expect("a folder") {
            fs::remove_file(entry.expect("an entry").path()).expect("ours");
        }
    }
}
