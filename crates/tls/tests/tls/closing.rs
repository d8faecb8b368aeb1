//! Ends, in order and out of order.

use sockless_core::{Culprit, Reason};

use crate::peer::{World, both_versions, drain, pattern, settle};

#[test]
fn our_end_travels_in_band() {
    for world in both_versions() {
        let (mut local, mut remote) = world.connected();
        local.write(b"last words");
        local.app_out.finish();
        settle(&mut local, &mut remote).unwrap();
        assert_eq!(remote.got, b"last words");
        assert!(remote.closed, "no close_notify");
        assert!(local.net_out.is_finished());
        assert!(!local.app_in.is_finished(), "the other direction goes on");

        remote.write(b"still here");
        remote.close();
        settle(&mut local, &mut remote).unwrap();
        assert_eq!(drain(&mut local.app_in), b"still here");
        assert!(local.app_in.at_end());
    }
}

#[test]
fn their_end_travels_in_band() {
    for world in both_versions() {
        let (mut local, mut remote) = world.connected();
        remote.write(b"body");
        remote.close();
        settle(&mut local, &mut remote).unwrap();
        assert_eq!(drain(&mut local.app_in), b"body");
        assert!(local.app_in.is_finished());

        local.net_in.finish();
        local.write(b"we may still write");
        local.app_out.finish();
        settle(&mut local, &mut remote).unwrap();
        assert_eq!(remote.got, b"we may still write");
        assert!(remote.closed);
    }
}

#[test]
fn what_follows_close_notify_is_ignored() {
    let (mut local, mut remote) = World::new().connected();
    remote.write(b"body");
    remote.close();
    local.feed(&remote.take());
    local.feed(b"garbage in another piece");
    local.pump().unwrap();
    assert_eq!(drain(&mut local.app_in), b"body");
    assert!(local.net_in.is_empty());
    local.feed(b"and later");
    local.net_in.finish();
    local.pump().unwrap();
    assert!(local.net_in.at_end());
}

#[test]
fn an_end_without_close_notify_is_a_truncation() {
    for world in both_versions() {
        for cut in [0, 1, 4, 5, 6, 500] {
            let (mut local, mut remote) = world.connected();
            remote.write(&pattern(100));
            let whole = remote.take();
            remote.write(&pattern(1000));
            let next = remote.take();
            local.feed(&whole);
            local.feed(&next[..cut]);
            local.net_in.finish();
            let fault = local.pump().unwrap_err();
            assert_eq!(
                (fault.culprit, fault.reason),
                (Culprit::PeerMisbehaved, Reason::Truncated)
            );
            assert!(fault.remedy.is_some());
            assert_eq!(
                drain(&mut local.app_in),
                pattern(100),
                "whole records come first"
            );
            assert!(!local.app_in.is_finished());
            assert_eq!(
                local.pump().unwrap_err().reason,
                Reason::Truncated,
                "each time again"
            );
        }
    }
}

#[test]
fn a_truncation_waits_for_room_for_what_came_before() {
    let (mut local, mut remote) = World::new().connected();
    remote.write(b"first");
    remote.write(b"second");
    local.feed(&remote.take());
    local.net_in.finish();
    local.app_in.set_limit(1);
    local.pump().unwrap();
    assert_eq!(drain(&mut local.app_in), b"first");
    local.pump().unwrap();
    assert_eq!(drain(&mut local.app_in), b"second");
    assert_eq!(local.pump().unwrap_err().reason, Reason::Truncated);
}

#[test]
fn an_end_during_the_handshake_says_so() {
    for world in both_versions() {
        let (mut local, mut remote) = world.pair();
        local.pump().unwrap();
        remote.receive(&drain(&mut local.net_out));
        let flight = remote.take();
        for cut in [0, 1, 5, 50, flight.len() - 1] {
            let (mut local, _) = world.pair();
            local.pump().unwrap();
            local.feed(&flight[..cut]);
            local.net_in.finish();
            // The flight answers another hello: where its keys matter it is refused earlier.
            let fault = local.pump().unwrap_err();
            assert_eq!(fault.reason, Reason::Handshake, "cut {cut}: {}", fault.what);
            if cut <= 50 {
                assert_eq!(fault.culprit, Culprit::Transport);
                assert!(
                    fault.what.contains("closed the connection"),
                    "{}",
                    fault.what
                );
            }
        }
    }
}

#[test]
fn both_ends_at_once() {
    let (mut local, mut remote) = World::new().connected();
    local.app_out.finish();
    remote.close();
    local.feed(&remote.take());
    local.net_in.finish();
    local.pump().unwrap();
    assert!(local.app_in.at_end() && local.net_out.is_finished());
    remote.receive(&drain(&mut local.net_out));
    assert!(remote.closed);
    local.pump().unwrap();
}

/// After our end there is no way to answer, and no reason to fail.
#[test]
fn the_peer_may_rekey_after_our_end() {
    let (mut local, mut remote) = World::new().connected();
    local.app_out.finish();
    settle(&mut local, &mut remote).unwrap();
    let mut update = Vec::new();
    remote.connection.refresh_traffic_keys(&mut update).unwrap();
    remote.out.extend(update);
    remote.write(b"with new keys");
    settle(&mut local, &mut remote).unwrap();
    assert_eq!(drain(&mut local.app_in), b"with new keys");
}

/// rustls would answer with an alert, but our direction has ended.
#[test]
fn garbage_after_our_end_is_a_fault_like_any_other() {
    for world in both_versions() {
        let (mut local, mut remote) = world.connected();
        local.app_out.finish();
        settle(&mut local, &mut remote).unwrap();
        local.feed(&[23, 3, 3, 0, 32]);
        local.feed(&[0; 32]);
        let fault = local.pump().unwrap_err();
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::PeerMisbehaved, Reason::Malformed)
        );
        assert!(local.net_out.at_end());
    }
}
