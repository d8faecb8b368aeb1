//! Logins, right and wrong.

use crate::server::Manner;
use crate::world::{World, alice};

#[test]
fn a_password_lets_in() {
    let mut manner = Manner::default();
    manner.methods = vec![russh::MethodKind::Password];
    let mut world = World::channels(alice(), manner);
    world.run();
    world.expect_open();
    assert_eq!(world.attempts(), ["none alice", "password alice"]);
}
