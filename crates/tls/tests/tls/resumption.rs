//! The second connection to a server, with either backend.

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
