//! Which sessions OpenSSL resumes, and which it must not.

use core::time::Duration;
use std::sync::Arc;

use openssl::ssl::{SslContext, SslVersion};
use sockless_core::{Fault, Reason};
use sockless_tls::{Client, Config, Roots, Verify};

use crate::peer::{Authority, Local, config};
use crate::servers::{Server, VERSIONS, context_of, only, settle};

const NAMES: &[&str] = &["example.com", "b.example", "c.example", "127.0.0.1"];

/// An authority and its server, which speaks one version and gives one ticket, unless told
/// otherwise.
pub(crate) struct World {
    pub(crate) ca: Authority,
    pub(crate) server: SslContext,
}

impl World {
    pub(crate) fn over(version: SslVersion) -> Self {
        Self::until(version, 4000)
    }

    /// The certificate ends with January 1 of that year.
    fn until(version: SslVersion, year: i32) -> Self {
        Self::with(version, year, 1)
    }

    fn with(version: SslVersion, year: i32, tickets: usize) -> Self {
        let ca = Authority::new("ca");
        let issued = ca.issue_with(NAMES, |params| {
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
        });
        let mut server = context_of(&issued);
        only(&mut server, version);
        server.set_num_tickets(tickets).unwrap();
        Self {
            ca,
            server: server.build(),
        }
    }

    pub(crate) fn client(&self) -> Arc<Client> {
        self.config().build().unwrap()
    }

    fn config(&self) -> Config {
        config(self.ca.roots())
    }

    pub(crate) fn meet(&self, client: &Client, name: &str) -> String {
        self.meet_after(client, name, 0).unwrap()
    }

    /// What a connection says of itself, that many seconds later than all others.
    fn meet_after(&self, client: &Client, name: &str, seconds: u64) -> Result<String, Fault> {
        let mut local = Local::new(client, name);
        local.wall += Duration::from_secs(seconds);
        settle(&mut local, &mut Server::new(&self.server)).map(|()| local.note())
    }
}

pub(crate) fn is_resumed(note: &str) -> bool {
    let (resumed, full) = (note.contains(", resumed"), note.contains(", full"));
    assert!(resumed != full, "{note}");
    resumed
}

#[test]
fn the_next_connection_to_the_same_name_is_resumed() {
    for world in VERSIONS.map(World::over) {
        let client = world.client();
        assert!(!is_resumed(&world.meet(&client, "example.com")));
        for _ in 0..3 {
            assert!(is_resumed(&world.meet(&client, "Example.com.")));
        }
        assert!(!is_resumed(&world.meet(&client, "b.example")), "other name");
        assert!(!is_resumed(&world.meet(&client, "127.0.0.1")));
        assert!(is_resumed(&world.meet(&client, "127.0.0.1")));
        let other = world.client();
        assert!(
            !is_resumed(&world.meet(&other, "example.com")),
            "other client"
        );
    }
}

#[test]
fn nothing_is_resumed_when_that_is_off() {
    for world in VERSIONS.map(World::over) {
        let client = world.config().resumption(0).build().unwrap();
        for _ in 0..2 {
            assert!(!is_resumed(&world.meet(&client, "example.com")));
        }
    }
}

#[test]
fn a_ticket_is_for_one_connection_and_a_session_of_tls12_for_many() {
    for (version, second) in VERSIONS.into_iter().zip([true, false]) {
        let world = World::over(version);
        let client = world.client();
        world.meet(&client, "example.com");
        let mut both = [(); 2].map(|()| Local::new(&client, "example.com"));
        // Both say hello before either is answered.
        both.iter_mut().for_each(|local| local.pump().unwrap());
        let resumed = both.map(|mut local| {
            settle(&mut local, &mut Server::new(&world.server)).unwrap();
            is_resumed(&local.note())
        });
        assert_eq!(resumed, [true, second]);
    }
}

#[test]
fn of_one_server_eight_tickets_are_kept() {
    let world = World::with(SslVersion::TLS1_3, 4000, 12);
    let client = world.client();
    world.meet(&client, "example.com");
    let mut many = [(); 9].map(|()| Local::new(&client, "example.com"));
    many.iter_mut().for_each(|local| local.pump().unwrap());
    let resumed = many.map(|mut local| {
        settle(&mut local, &mut Server::new(&world.server)).unwrap();
        is_resumed(&local.note())
    });
    assert_eq!(resumed[..8], [true; 8]);
    assert!(!resumed[8]);
}

#[test]
fn the_server_that_was_longest_unused_gives_way() {
    for world in VERSIONS.map(World::over) {
        let client = world.config().resumption(2).build().unwrap();
        world.meet(&client, "example.com");
        world.meet(&client, "b.example");
        assert!(is_resumed(&world.meet(&client, "example.com")));
        world.meet(&client, "c.example");
        assert!(is_resumed(&world.meet(&client, "example.com")));
        assert!(is_resumed(&world.meet(&client, "c.example")));
        assert!(!is_resumed(&world.meet(&client, "b.example")));
    }
}

#[test]
fn nothing_is_resumed_beyond_its_lifetime() {
    for version in VERSIONS {
        let world = World::over(version);
        let resumed_after = |seconds| {
            let client = world.client();
            world.meet(&client, "example.com");
            is_resumed(&world.meet_after(&client, "example.com", seconds).unwrap())
        };
        assert!(resumed_after(60));
        assert!(
            !resumed_after(7 * 86_400),
            "the server's own limit, or OpenSSL's"
        );
    }
}

#[test]
fn nothing_is_resumed_beyond_the_end_of_the_certificate() {
    // The tests' clock reads 1,800,000,000; the certificate ends in January 2028.
    const END: u64 = 1_830_297_600 - 1_800_000_000;
    for world in VERSIONS.map(|version| World::until(version, 2028)) {
        let client = world.client();
        let meet = |seconds| world.meet_after(&client, "example.com", seconds);
        assert!(!is_resumed(&meet(END - 100).unwrap()));
        assert!(is_resumed(&meet(END - 50).unwrap()));
        let fault = meet(END + 50).unwrap_err();
        assert!(fault.what.contains("expired"), "{}", fault.what);
    }
}

#[test]
fn one_verification_counts_for_a_day_however_often_it_is_resumed() {
    let world = World::over(SslVersion::TLS1_3);
    let client = world.client();
    let hours = |hours: u64| {
        let note = world.meet_after(&client, "example.com", hours * 3600);
        is_resumed(&note.unwrap())
    };
    assert!(!hours(0));
    assert!((1..24).all(&hours), "each gives the next its ticket");
    assert!(!hours(24), "though the last ticket is an hour old");
    assert!(!hours(1), "and none of the future");
}

#[test]
fn pins_hold_for_resumed_connections_and_the_trace_says_who_is_unverified() {
    for world in VERSIONS.map(World::over) {
        let insecure = config(Roots::empty()).verify(Verify::Insecure);
        let client = insecure.build().unwrap();
        world.meet(&client, "example.com");
        let note = world.meet(&client, "example.com");
        assert!(is_resumed(&note) && note.contains("NOT verified"), "{note}");

        let leaf = world.server.certificate().unwrap();
        let key = leaf.public_key().unwrap().public_key_to_der().unwrap();
        let client = world.config().pin(&key).unwrap().build().unwrap();
        world.meet(&client, "example.com");
        assert!(is_resumed(&world.meet(&client, "example.com")));
    }
}

#[test]
fn with_revocation_lists_every_connection_is_a_full_one() {
    for world in VERSIONS.map(World::over) {
        let params = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2026, 1, 1),
            next_update: rcgen::date_time_ymd(2030, 1, 1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        let list = params.signed_by(world.ca.issuer()).unwrap().pem().unwrap();
        let listed = || world.config().crl_pem(list.as_bytes()).unwrap();
        let client = listed().build().unwrap();
        for _ in 0..2 {
            assert!(!is_resumed(&world.meet(&client, "example.com")));
        }
        let fault = listed().resumption(1).build().unwrap_err();
        assert_eq!(fault.reason, Reason::Unsupported);
        assert!(fault.what.contains("revocation"), "{}", fault.what);
        listed().resumption(0).build().unwrap();
    }
}

#[test]
fn after_a_failed_handshake_the_next_is_a_full_one() {
    for world in VERSIONS.map(World::over) {
        let client = world.client();
        world.meet(&client, "example.com");
        world.meet(&client, "example.com");
        let mut local = Local::new(&client, "example.com");
        local.pump().unwrap();
        local.net_in.finish();
        local.pump().unwrap_err();
        assert!(!is_resumed(&world.meet(&client, "example.com")));
        assert!(is_resumed(&world.meet(&client, "example.com")));
    }
}
