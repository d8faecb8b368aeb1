//! Opening and sealing once the connection stands.

use rustls::crypto::cipher::OutboundPlain;
use sockless_core::{Buf, Phase};

use crate::peer::{Local, Remote, World, both_versions, drain, pattern, settle, settle_cut};

const RECORD: usize = 16 * 1024;

#[test]
fn one_byte_of_room_opens_one_record_at_a_time() {
    for world in both_versions() {
        let (mut local, mut remote) = world.connected();
        local.app_in.set_limit(1);
        let mut expected = Vec::new();
        for len in [1, 2, 700, RECORD, 3, 5000] {
            remote.write(&pattern(len));
            expected.push(pattern(len));
        }
        local.feed(&remote.take());
        let mut got = Vec::new();
        while !local.net_in.is_empty() {
            local.pump().unwrap();
            local.pump().unwrap();
            assert!(
                local.app_in.pieces() <= 2,
                "a record may open in two fragments at most"
            );
            got.extend(drain(&mut local.app_in));
        }
        assert_eq!(got, expected.concat());
    }
}

#[test]
fn any_cut_of_a_download_gives_the_same_bytes() {
    for world in both_versions() {
        for cut in [1, 2, 3, 4, 5, 6, 7, 21, 22, 23, 1000, 16_389, 20_000] {
            let (mut local, mut remote) = world.connected();
            let body = pattern(40_000);
            remote.write(&body);
            let wire = remote.take();
            let mut got = Vec::new();
            for piece in wire.chunks(cut) {
                local.feed(piece);
                local.pump().unwrap();
                got.extend(drain(&mut local.app_in));
            }
            assert!(got == body, "cut {cut}");
            let bound = wire.len() as u64;
            assert!(
                local.copied <= bound,
                "cut {cut}: copied {} of {bound}",
                local.copied
            );
        }
    }
}

#[test]
fn a_download_flows_through_a_small_window() {
    let (mut local, mut remote) = World::new().connected();
    let body = pattern(300_000);
    remote.write(&body);
    let received = Buf::from(remote.take());
    local.net_in.push(received);
    local.app_in.set_limit(20_000);
    let mut got = Vec::new();
    while got.len() < body.len() {
        local.pump().unwrap();
        assert!(
            local.app_in.len() <= 20_000 + RECORD,
            "more than one record beyond the bound"
        );
        let before = got.len();
        let step = local
            .app_in
            .pop_max(777)
            .expect("a pump with room and records makes progress");
        got.extend_from_slice(&step);
        assert!(got.len() > before);
    }
    assert!(got == body);
}

#[test]
fn uploads_arrive_in_full_records() {
    for world in both_versions() {
        let (mut local, mut remote) = world.connected();
        let body = pattern(1_000_000);
        let mut left = body.as_slice();
        let mut records = Vec::new();
        loop {
            let (now, rest) = left.split_at(left.len().min(local.app_out.room()));
            left = rest;
            // Odd pieces: records are gathered from several of them.
            now.chunks(5_000).for_each(|piece| local.write(piece));
            local.pump().unwrap();
            let wire = drain(&mut local.net_out);
            if wire.is_empty() {
                break;
            }
            records.extend(record_lengths(&wire));
            remote.receive(&wire);
        }
        assert!(remote.got == body);
        let full = records.iter().filter(|len| **len >= RECORD).count();
        assert!(
            full >= 45,
            "{full} full records of {}: {records:?}",
            records.len()
        );
    }
}

fn record_lengths(mut wire: &[u8]) -> Vec<usize> {
    let mut lengths = Vec::new();
    while let [_, _, _, high, low, ..] = wire {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        lengths.push(len);
        wire = &wire[5 + len..];
    }
    assert!(wire.is_empty(), "a piece of a record at the end");
    lengths
}

#[test]
fn sealing_stops_at_the_bound() {
    let (mut local, mut remote) = World::new().connected();
    let body = pattern(200_000);
    local.write(&body);
    local.pump().unwrap();
    assert!(local.net_out.len() <= local.net_out.limit() + RECORD + 5);
    let waiting = local.app_out.len();
    assert!(waiting > 100_000);
    local.pump().unwrap();
    assert_eq!(local.app_out.len(), waiting, "nothing moves without room");
    settle(&mut local, &mut remote).unwrap();
    assert!(remote.got == body);
}

#[test]
fn a_small_request_takes_a_small_buffer() {
    let (mut local, _remote) = World::new().connected();
    local.write(&pattern(300));
    local.pump().unwrap();
    assert_eq!(local.net_out.front().unwrap().capacity(), 2048);
}

#[test]
fn neither_direction_waits_for_the_other() {
    let (mut local, mut remote) = World::new().connected();
    local.net_out.set_limit(0);
    local.write(b"stuck");
    remote.write(b"flows");
    local.feed(&remote.take());
    local.pump().unwrap();
    assert_eq!(drain(&mut local.app_in), b"flows");
    assert_eq!(local.app_out.len(), 5);

    local.net_out.set_limit(1);
    local.app_in.set_limit(0);
    remote.write(b"stuck");
    local.feed(&remote.take());
    local.pump().unwrap();
    remote.receive(&drain(&mut local.net_out));
    assert_eq!(remote.got, b"stuck");
    assert!(local.app_in.is_empty());
}

#[test]
fn keys_change_in_the_middle_of_the_stream() {
    for cut in [1, 13, usize::MAX] {
        let (mut local, mut remote) = World::new().connected();
        let mut expected = Vec::new();
        for round in 0..5 {
            remote.write(&pattern(1000 + round));
            expected.extend(pattern(1000 + round));
            // A request: we answer with new keys of our own in front of our next data.
            let mut update = Vec::new();
            remote.connection.refresh_traffic_keys(&mut update).unwrap();
            remote.out.extend(update);
            remote.write(b"under new keys");
            expected.extend(b"under new keys");
            settle_cut(&mut local, &mut remote, cut).unwrap();
            local.write(b"answer");
            settle_cut(&mut local, &mut remote, cut).unwrap();
        }
        assert_eq!(drain(&mut local.app_in), expected);
        assert_eq!(remote.got, b"answer".repeat(5));
    }
}

#[test]
fn min_asks_for_what_is_sure_to_come() {
    for world in both_versions() {
        let (mut local, mut remote) = world.connected();
        let body = pattern(100_000);
        remote.write(&body);
        let mut wire = remote.take();
        let (mut got, mut steps) = (0, 0);
        while got < body.len() {
            let min = local.filter.min(&local.net_in, body.len() - got);
            assert!(
                (1..=wire.len()).contains(&min),
                "{min} of {} would hang",
                wire.len()
            );
            let rest = wire.split_off(min);
            local.feed(&wire);
            wire = rest;
            local.pump().unwrap();
            got += drain(&mut local.app_in).len();
            steps += 1;
        }
        assert!(steps <= 8, "{steps} wakeups for 100 kB");
    }
}

#[test]
fn min_knows_the_rest_of_a_record() {
    let (mut local, mut remote) = World::new().connected();
    remote.write(&pattern(1000));
    let wire = remote.take();
    for have in 1..wire.len() {
        local.net_in.clear();
        local.feed(&wire[..have]);
        let rest = if have < 5 {
            5 - have
        } else {
            wire.len() - have
        };
        assert_eq!(local.filter.min(&local.net_in, 0), rest, "of {have}");
    }
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    let (mut local, mut remote) = World::new().connected();
    local.write(b"request");
    remote.write(&pattern(50_000));
    settle(&mut local, &mut remote).unwrap();
    drop(drain(&mut local.app_in));
    let stats = local.pool.stats();
    assert_eq!(
        stats.allocated, stats.kept_blocks as u64,
        "a block did not come home"
    );
    assert_eq!(local.filter.phase(), Phase::Open);
}

/// Handshake messages after the handshake that straddle records and reads: TLS 1.3
/// tickets from a server with the smallest records.
#[test]
fn handshake_messages_may_straddle_records_and_reads() {
    let world = World::new();
    let mut config = (*world.server).clone();
    config.max_fragment_size = Some(64);
    let config = std::sync::Arc::new(config);
    for cut in [1, 5, 6, 64, 65, 100, usize::MAX] {
        let mut local = Local::new(&world.client, "example.com");
        let mut remote = Remote::new(&config);
        settle_cut(&mut local, &mut remote, cut).unwrap();
        let body = pattern(3000);
        remote
            .connection
            .write(OutboundPlain::Single(&body), &mut remote.out)
            .unwrap();
        settle_cut(&mut local, &mut remote, cut).unwrap();
        assert_eq!(drain(&mut local.app_in), body, "cut {cut}");
    }
}
