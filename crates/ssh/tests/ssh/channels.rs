//! Channels above the layer.

use sockless_core::{Phase, Reason};
use sockless_ssh::message::Kind;
use sockless_ssh::{Algorithms, Tuning};

use crate::can;
use crate::server::{Manner, pattern};
use crate::world::{World, alice, config};

const ALL: [Kind; 5] = [
    Kind::Opened,
    Kind::Data,
    Kind::ExitStatus,
    Kind::Eof,
    Kind::Closed,
];

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
    assert_eq!(world.kinds(7), ALL);
}

#[test]
fn errors_codes_and_signals_are_told_apart() {
    let mut world = World::logged_in();
    world.put(1, Kind::Exec, b"complain");
    world.put(2, Kind::Exec, b"die");
    world.put(3, Kind::Exec, b"unheard of");
    world.put(4, Kind::Subsystem, b"unheard of");
    world.run();
    assert_eq!(world.payload(1, Kind::Stderr), b"no such thing");
    assert_eq!(world.payload(1, Kind::ExitStatus), [0, 0, 0, 3]);
    assert_eq!(world.payload(2, Kind::ExitSignal), b"TERM");
    let mut kinds = world.kinds(2);
    if !can::TELL_CLOSE_FROM_END {
        kinds.retain(|kind| *kind != Kind::Eof);
    }
    assert_eq!(kinds, [Kind::Opened, Kind::ExitSignal, Kind::Closed]);
    assert_eq!(world.kinds(3), [Kind::Refused]);
    assert_eq!(world.kinds(4), [Kind::Refused]);
}

#[test]
fn a_channel_without_its_command_is_closed() {
    let mut world = World::logged_in();
    world.put(1, Kind::Exec, b"unheard of");
    world.run();
    assert_eq!(world.kinds(1), [Kind::Refused]);
    assert_eq!(world.server.seen.lock().expect("no panic").closed, 1);
}

#[test]
fn a_peer_without_room_says_so() {
    let mut world = World::logged_in();
    for channel in 0..41 {
        world.put(channel, Kind::Exec, b"cat");
        world.run();
    }
    assert_eq!(world.kinds(39), [Kind::Opened]);
    let why = world.payload(40, Kind::Refused);
    assert!(why.starts_with(b"the peer has no room for it"));
}

#[test]
fn a_parked_subsystem_is_taken_up_again_with_its_payload() {
    let mut world = World::logged_in();
    world.put(5, Kind::Subsystem, b"echo");
    world.put(5, Kind::Data, b"one");
    world.run();
    world.put(5, Kind::Park, b"what we know");
    world.run();
    world.put(9, Kind::Subsystem, b"echo");
    world.put(9, Kind::Data, b"two");
    world.run();
    assert_eq!(world.payload(9, Kind::Opened), b"what we know");
    assert_eq!(world.payload(9, Kind::Data), b"two");
    let seen = world.server.seen.lock().expect("no panic");
    assert_eq!(
        (seen.sessions, &seen.opened[..]),
        (1, &["echo".to_owned()][..])
    );
}

#[test]
fn a_channel_that_is_closed_early_is_closed() {
    let mut world = World::logged_in();
    world.put(5, Kind::Subsystem, b"echo");
    world.put(5, Kind::Closed, b"");
    world.put(6, Kind::Exec, b"cat");
    world.put(6, Kind::Data, b"x");
    world.run();
    assert_eq!(world.kinds(5), [Kind::Closed]);
    assert_eq!(world.payload(6, Kind::Data), b"x");
    world.put(6, Kind::Closed, b"");
    world.run();
    assert_eq!(world.kinds(6).last(), Some(&Kind::Closed));
    assert_eq!(world.server.seen.lock().expect("no panic").closed, 2);
}

/// Requests of 32 KiB on several channels, all of them on their way at once, through windows of
/// 32 KiB both ways, and answers as long as they are.
#[test]
fn a_thousand_requests_both_ways_through_tiny_windows() {
    let client = config(alice())
        .tuning(Tuning {
            window: 32 * 1024,
            packet: 16 * 1024,
            ..Tuning::default()
        })
        .build()
        .expect("good settings");
    let manner = Manner {
        window: 32 * 1024,
        ..Manner::default()
    };
    let mut world = World::new(client.channels("host", 22).expect("a filter"), manner);
    world.step = 10_000;
    let channels = [1, 2, 3, 4];
    for channel in channels {
        world.put(channel, Kind::Subsystem, b"echo");
    }
    let request = pattern(8 * 1024);
    for _ in 0..256 {
        for channel in channels {
            world.put(channel, Kind::Data, &request);
        }
    }
    for channel in channels {
        world.put(channel, Kind::Eof, b"");
    }
    world.run();
    assert!(world.fault.is_none(), "{:?}", world.fault);
    for channel in channels {
        let heard = world.payload(channel, Kind::Data);
        assert_eq!(heard.len(), 256 * request.len());
        assert!(heard.chunks(request.len()).all(|answer| answer == request));
        assert_eq!(world.kinds(channel).last(), Some(&Kind::Closed));
    }
}

#[test]
fn one_window_is_the_most_that_waits_for_the_application() {
    let client = config(alice())
        .tuning(Tuning {
            window: 64 * 1024,
            packet: 16 * 1024,
            ..Tuning::default()
        })
        .build()
        .expect("good settings");
    let filter = client.channels("host", 22).expect("a filter");
    let mut world = World::new(filter, Manner::default());
    world.put(2, Kind::Exec, b"cat");
    world.run();
    world.reads = false;
    world.put(1, Kind::Exec, b"say 5000000");
    for _ in 0..200 {
        world.pump();
        world.carry();
    }
    let waits = world.app_in.len();
    assert!(waits <= 256 * 1024 + 17 * 1024, "{waits} bytes in the pipe");
    // The other way goes on.
    world.put(2, Kind::Data, b"heard");
    world.pump();
    world.carry();
    let received = world.server.seen.lock().expect("no panic").received.clone();
    assert_eq!(received, b"heard");
    world.reads = true;
    world.run();
    assert_eq!(world.payload(1, Kind::Data), pattern(5_000_000));
}

#[test]
fn keys_are_exchanged_again_by_bytes_and_by_time() {
    let client = config(alice())
        .tuning(Tuning {
            rekey_bytes: 100_000,
            ..Tuning::default()
        })
        .build()
        .expect("good settings");
    let filter = client.channels("host", 22).expect("a filter");
    let mut manner = Manner::default();
    if !can::REKEY {
        // Then the server does.
        manner.limits.rekey_write_limit = 100_000;
    }
    let mut world = World::new(filter, manner);
    world.put(1, Kind::Exec, b"say 1000000");
    world.put(2, Kind::Exec, b"cat");
    for piece in pattern(1_000_000).chunks(30_000) {
        world.put(2, Kind::Data, piece);
    }
    world.put(2, Kind::Eof, b"");
    world.run();
    assert!(world.fault.is_none(), "{:?}", world.fault);
    assert_eq!(world.payload(1, Kind::Data), pattern(1_000_000));
    assert_eq!(world.payload(2, Kind::Data), pattern(1_000_000));

    // An hour later there is something to say, and then no more.
    use sockless_core::Filter as _;
    world.now = world.filter.deadline().expect("an hour");
    world.pump();
    assert_eq!(!world.net_out.is_empty(), can::REKEY, "keys are exchanged");
    world.run();
    world.put(3, Kind::Exec, b"say 10");
    world.run();
    assert_eq!(world.payload(3, Kind::Data), pattern(10));
}

#[test]
fn a_silent_peer_is_asked_and_then_given_up() {
    use sockless_core::Filter as _;
    let client = config(alice())
        .tuning(Tuning {
            rekey_after: None,
            keepalive: Some(std::time::Duration::from_secs(15)),
            ..Tuning::default()
        })
        .build()
        .expect("good settings");
    let filter = client.channels("host", 22).expect("a filter");
    let mut world = World::new(filter, Manner::default());
    world.run();
    // It answers: for ever.
    for _ in 0..can::ASK_AT_ONCE {
        world.now = world.filter.deadline().expect("a quarter of a minute");
        world.run();
    }
    world.expect_open();
    // It does not: three times.
    for _ in 0..4 {
        assert!(world.fault.is_none());
        world.now = world.filter.deadline().expect("a quarter of a minute");
        world.pump();
    }
    assert_eq!(world.fault().reason, Reason::IdleTimeout);
}

#[test]
fn compression_both_ways() {
    let mut algorithms = Algorithms::default();
    algorithms.compress();
    let client = config(alice()).algorithms(algorithms).build();
    let filter = client.expect("good settings").channels("host", 22);
    let mut manner = Manner::default();
    manner.preferred.compression = vec![russh::compression::ZLIB_LEGACY].into();
    let mut world = World::new(filter.expect("a filter"), manner);
    world.put(1, Kind::Exec, b"cat");
    world.put(1, Kind::Data, &pattern(200_000));
    world.put(1, Kind::Eof, b"");
    world.run();
    assert!(world.fault.is_none(), "{:?}", world.fault);
    assert_eq!(world.payload(1, Kind::Data), pattern(200_000));
}

#[test]
fn a_farewell_ends_the_stream_and_a_reason_is_a_fault() {
    let mut world = World::logged_in();
    let reason = russh::Disconnect::ByApplication;
    world.server.disconnect(reason, "good night");
    world.run();
    assert!(world.fault.is_none(), "{:?}", world.fault);
    assert!(world.app_in.at_end() && world.net_out.at_end());

    let mut world = World::logged_in();
    let reason = russh::Disconnect::ServiceNotAvailable;
    world.server.disconnect(reason, "out\nof order");
    world.run();
    let fault = world.fault();
    assert!(fault.what.contains("out\\nof order"), "{}", fault.what);
}

#[test]
fn the_applications_end_is_a_farewell() {
    let mut world = World::logged_in();
    world.app_out.finish();
    world.run();
    assert!(world.fault.is_none(), "{:?}", world.fault);
    assert!(world.net_out.at_end());
    assert_eq!(sockless_core::Filter::phase(&world.filter), Phase::Open);
}
