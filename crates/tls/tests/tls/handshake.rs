//! Both versions, any cut, resumption, and what is said about it.

use sockless_core::{Phase, Reason};
use sockless_tls::Version;

use crate::peer::{Local, Remote, World, both_versions, config, drain, settle, settle_cut};

#[test]
fn both_versions_shake_hands_and_carry_data() {
    for (world, version) in both_versions().iter().zip(["TLS 1.2", "TLS 1.3"]) {
        let (mut local, mut remote) = world.pair();
        assert_eq!(local.filter.phase(), Phase::Handshake);
        settle(&mut local, &mut remote).unwrap();
        assert_eq!(local.filter.phase(), Phase::Open);
        assert!(local.note().starts_with(version), "{}", local.note());
        assert!(local.note().ends_with("full"), "{}", local.note());

        local.write(b"ping");
        remote.write(b"pong");
        settle(&mut local, &mut remote).unwrap();
        assert_eq!(remote.got, b"ping");
        assert_eq!(drain(&mut local.app_in), b"pong");
    }
}

#[test]
fn every_cut_of_the_stream_gives_the_same() {
    for world in both_versions() {
        for cut in (1..40).chain([63, 100, 255, 1000]) {
            let (mut local, mut remote) = world.pair();
            local.write(b"early bird");
            remote_speaks_first(&mut local, &mut remote, cut);
            assert_eq!(remote.got, b"early bird", "cut {cut}");
            assert_eq!(drain(&mut local.app_in), b"hello, client", "cut {cut}");
        }
    }
}

fn remote_speaks_first(local: &mut Local, remote: &mut Remote, cut: usize) {
    settle_cut(local, remote, cut).unwrap();
    remote.write(b"hello, client");
    settle_cut(local, remote, cut).unwrap();
}

#[test]
fn every_split_point_of_the_servers_flight_gives_the_same() {
    for world in both_versions() {
        let flight = first_flight(&world).1.len();
        for split in 0..=flight {
            let (mut local, mut remote) = world.pair();
            local.pump().unwrap();
            remote.receive(&drain(&mut local.net_out));
            let flight = remote.take();
            // Signatures differ in length by a few bytes from run to run.
            let (first, second) = flight.split_at(split.min(flight.len()));
            local.feed(first);
            local.pump().unwrap();
            local.feed(second);
            settle(&mut local, &mut remote).unwrap();
            assert_eq!(local.filter.phase(), Phase::Open, "split {split}");
        }
    }
}

fn first_flight(world: &World) -> (Local, Vec<u8>) {
    let (mut local, mut remote) = world.pair();
    local.pump().unwrap();
    remote.receive(&drain(&mut local.net_out));
    (local, remote.take())
}

#[test]
fn application_data_waits_for_the_handshake() {
    let world = World::new();
    let (mut local, mut remote) = world.pair();
    local.write(b"secret");
    local.app_out.finish();
    local.pump().unwrap();
    assert_eq!(local.app_out.len(), 6);
    assert!(!local.net_out.is_finished());
    settle(&mut local, &mut remote).unwrap();
    assert_eq!(remote.got, b"secret");
    assert!(remote.closed && local.net_out.is_finished());
}

#[test]
fn versions_can_be_narrowed() {
    let world = World::new();
    for (version, name) in [(Version::Tls12, "TLS 1.2"), (Version::Tls13, "TLS 1.3")] {
        let config = config(world.authority.roots()).versions(version, version);
        let mut local = Local::new(&config.build().unwrap(), "example.com");
        settle(&mut local, &mut Remote::new(&world.server)).unwrap();
        assert!(local.note().starts_with(name), "{}", local.note());
    }
}

#[test]
fn no_version_in_common_says_so() {
    let [tls12, tls13] = both_versions();
    for (world, ours) in [(tls12, Version::Tls13), (tls13, Version::Tls12)] {
        let config = config(world.authority.roots()).versions(ours, ours);
        let mut local = Local::new(&config.build().unwrap(), "example.com");
        let fault = settle(&mut local, &mut Remote::new(&world.server)).unwrap_err();
        assert_eq!(fault.culprit, sockless_core::Culprit::PeerIncompatible);
        assert_eq!(fault.reason, Reason::Handshake);
        assert!(fault.what.contains("version"), "{}", fault.what);
        assert!(fault.remedy.is_some());
    }
}

#[test]
fn min_is_never_more_than_what_comes() {
    for world in both_versions() {
        let (mut local, mut remote) = world.pair();
        local.pump().unwrap();
        assert_eq!(
            local.filter.min(&local.net_in, 1 << 20),
            1,
            "nothing is promised yet"
        );
        remote.receive(&drain(&mut local.net_out));
        let mut flight = remote.take();
        while !flight.is_empty() {
            let min = local.filter.min(&local.net_in, 1 << 20);
            assert!(
                (1..=flight.len()).contains(&min),
                "{min} of {}",
                flight.len()
            );
            let rest = flight.split_off(min);
            local.feed(&flight);
            flight = rest;
            local.pump().unwrap();
        }
    }
}
