//! The second connection to a server, with either backend.

use core::time::Duration;
use std::sync::Arc;

use rustls::crypto::TicketProducer;
use sockless_core::Reason;

use crate::peer::{Local, Remote, World, both_versions, config, drain, settle};

#[test]
fn the_second_connection_is_resumed_unless_that_is_off() {
    for world in both_versions() {
        let (mut local, mut remote) = world.connected();
        remote.write(b"ticket is behind us");
        settle(&mut local, &mut remote).unwrap();
        let (second, _) = world.connected();
        assert!(second.note().ends_with("resumed"), "{}", second.note());
        let (mut third, mut remote) = world.connected();
        assert!(third.note().ends_with("resumed"), "{}", third.note());
        third.write(b"ping");
        remote.write(b"pong");
        settle(&mut third, &mut remote).unwrap();
        assert_eq!(remote.got, b"ping");
        assert_eq!(drain(&mut third.app_in), b"pong");

        let fresh = config(world.authority.roots())
            .resumption(0)
            .build()
            .unwrap();
        for _ in 0..2 {
            let mut local = Local::new(&fresh, "example.com");
            settle(&mut local, &mut Remote::new(&world.server)).unwrap();
            assert!(local.note().ends_with("full"), "{}", local.note());
        }
    }
}

#[test]
fn one_name_does_not_resume_anothers_session() {
    let world = World::new();
    drop(world.connected());
    let mut local = Local::new(&world.client, "EXAMPLE.com.");
    settle(&mut local, &mut Remote::new(&world.server)).unwrap();
    assert!(
        local.note().ends_with("resumed"),
        "the same name, in other words"
    );
    let mut local = Local::new(&world.client, "other.example");
    let fault = settle(&mut local, &mut Remote::new(&world.server)).unwrap_err();
    assert_eq!(fault.reason, Reason::Certificate);
}

/// Tickets that anybody can read, good for a hundred seconds.
#[derive(Debug)]
struct Brief;

impl TicketProducer for Brief {
    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        Some(plain.to_vec())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        Some(cipher.to_vec())
    }

    fn lifetime(&self) -> Duration {
        Duration::from_secs(100)
    }
}

#[test]
fn a_ticket_ends_when_its_server_said() {
    for world in both_versions() {
        let mut server = (*world.server).clone();
        server.ticketer = Some(Arc::new(Brief));
        let server = Arc::new(server);
        let client = config(world.authority.roots()).build().unwrap();
        let meet_after = |seconds| {
            let mut local = Local::new(&client, "example.com");
            local.wall += Duration::from_secs(seconds);
            settle(&mut local, &mut Remote::new(&server)).unwrap();
            local.note()
        };
        assert!(meet_after(0).ends_with("full"));
        let (soon, late) = (meet_after(90), meet_after(300));
        assert!(soon.ends_with("resumed"), "{soon}");
        assert!(late.ends_with("full"), "{late}");
    }
}
