//! What rustls does and OpenSSL does not, and the other way round.

use sockless_core::{Buf, Reason};
use sockless_tls::Provider;

use crate::peer::{Local, Remote, World, config, drain, pattern, settle};

const RECORD: usize = 16 * 1024;

#[test]
fn many_records_in_one_buffer_are_opened_inside_it() {
    let (mut local, mut remote) = World::new().connected();
    let body = pattern(16 * RECORD);
    remote.write(&body);
    let received = Buf::from(remote.take());
    let memory = received.as_ptr_range();
    local.app_in.set_limit(1 << 20);
    local.net_in.push(received);
    local.pump().unwrap();
    assert_eq!(local.copied, 0);
    assert!(local.app_in.pieces() >= 16);
    for piece in local.app_in.iter() {
        assert!(memory.contains(&piece.as_ptr()), "a piece was copied");
    }
    assert_eq!(drain(&mut local.app_in), body);
    assert!(local.net_in.is_empty());
}

#[test]
fn a_record_across_buffers_is_copied_once_and_others_not_at_all() {
    let (mut local, mut remote) = World::new().connected();
    let body = pattern(3 * 1000);
    body.chunks(1000).for_each(|record| remote.write(record));
    let wire = remote.take();
    let record = wire.len() / 3;
    let (first, second) = wire.split_at(record + record / 2);
    local.feed(first);
    local.feed(second);
    local.pump().unwrap();
    assert!(
        local.copied > 0 && local.copied <= record as u64,
        "copied {}",
        local.copied
    );
    assert_eq!(drain(&mut local.app_in), body);
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn post_quantum_key_exchange_is_offered_and_taken() {
    let (local, _) = World::new().connected();
    assert!(local.note().contains("X25519MLKEM768"), "{}", local.note());
}

#[test]
fn a_provider_that_is_not_built_in_is_refused() {
    let world = World::new();
    for (provider, built_in) in [
        (Provider::AwsLcRs, cfg!(feature = "aws-lc-rs")),
        (Provider::Ring, cfg!(feature = "ring")),
    ] {
        let result = config(world.authority.roots()).provider(provider).build();
        match result {
            Ok(client) => {
                assert!(built_in);
                let mut local = Local::new(&client, "example.com");
                settle(&mut local, &mut Remote::new(&world.server)).unwrap();
                assert_eq!(
                    local.note().contains("MLKEM"),
                    provider == Provider::AwsLcRs
                );
            }
            Err(fault) => {
                assert!(!built_in);
                assert_eq!(fault.reason, Reason::Unsupported);
            }
        }
    }
}

#[test]
fn sessions_are_kept_for_as_many_servers_as_was_said() {
    let world = World::new();
    let issued = world
        .authority
        .issue(&["a.example", "b.example", "c.example"]);
    let server = issued.server(rustls_aws_lc_rs::DEFAULT_PROVIDER);
    let server = std::sync::Arc::new(server);
    let client = config(world.authority.roots()).resumption(2).build();
    let client = client.unwrap();
    let meet = |name: &str| {
        let mut local = Local::new(&client, name);
        settle(&mut local, &mut Remote::new(&server)).unwrap();
        local.note()
    };
    meet("a.example");
    meet("b.example");
    assert!(meet("a.example").ends_with("resumed"));
    meet("c.example");
    assert!(meet("a.example").ends_with("full"), "the oldest gives way");
}

#[test]
fn sessions_cannot_leave_and_that_is_said() {
    let client = World::new().client;
    for fault in [
        client.export_sessions().unwrap_err(),
        client.import_sessions(b"SKLS").unwrap_err(),
    ] {
        assert_eq!(fault.reason, Reason::Unsupported);
        assert!(fault.what.contains("backend rustls"), "{}", fault.what);
        assert!(fault.what.contains("rebuilt from bytes"), "{}", fault.what);
    }
}
