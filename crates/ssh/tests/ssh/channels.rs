//! Channels above the layer.

use sockless_ssh::message::Kind;

use crate::world::World;

#[test]
fn a_command_has_streams_and_a_status() {
    let mut world = World::logged_in();
    world.put(7, Kind::Exec, b"cat");
    world.put(7, Kind::Data, b"hello");
    world.put(7, Kind::Eof, b"");
    world.run();
    assert!(world.fault.is_none(), "{:?}", world.fault);
    assert_eq!(world.payload(7, Kind::Data), b"hello");
    assert_eq!(world.payload(7, Kind::ExitStatus), [0, 0, 0, 0]);
    let all = [
        Kind::Opened,
        Kind::Data,
        Kind::ExitStatus,
        Kind::Eof,
        Kind::Closed,
    ];
    assert_eq!(world.kinds(7), all);
}
