//! The seam between the SSH layer and the protocol on it.

use std::time::{Instant, SystemTime};

use sockless_core::{Buf, Cx, Pipe, Pool};
use sockless_ssh::message::{HEAD, Kind, Message, Reader, put, put_bytes};

#[expect(
    clippy::disallowed_methods,
    reason = "a test's time has to begin somewhere"
)]
fn with(work: impl FnOnce(&mut Cx<'_>)) {
    let pool = Pool::new(1 << 20);
    let mut copied = 0;
    let (now, wall) = (Instant::now(), SystemTime::UNIX_EPOCH);
    work(&mut Cx::new(now, wall, &pool, &mut copied, None));
}

fn fill(pipe: &mut Pipe, cx: &Cx<'_>) {
    put_bytes(pipe, cx, 1, Kind::Subsystem, b"sftp");
    put(pipe, cx, 1, Kind::Data, Buf::from(&b"hello, world"[..]));
    put_bytes(pipe, cx, 1, Kind::Data, b"");
    put_bytes(pipe, cx, 7, Kind::ExitStatus, &3_u32.to_be_bytes());
    put_bytes(pipe, cx, 7, Kind::Closed, b"");
}

/// What the messages say, with neighbouring pieces of data as one.
fn told(heard: &[Message]) -> Vec<(u32, Kind, Vec<u8>)> {
    let mut told: Vec<(u32, Kind, Vec<u8>)> = Vec::new();
    for message in heard {
        let (channel, kind) = (message.channel, message.kind);
        match told.last_mut() {
            Some((c, Kind::Data, bytes)) if *c == channel && kind == Kind::Data => {
                bytes.extend_from_slice(&message.payload);
            }
            _ => told.push((channel, kind, message.payload.to_vec())),
        }
    }
    told
}

fn expected() -> Vec<(u32, Kind, Vec<u8>)> {
    vec![
        (1, Kind::Subsystem, b"sftp".to_vec()),
        (1, Kind::Data, b"hello, world".to_vec()),
        (7, Kind::ExitStatus, vec![0, 0, 0, 3]),
        (7, Kind::Closed, Vec::new()),
    ]
}

#[test]
fn messages_arrive_whatever_the_pieces() {
    with(|cx| {
        for step in 1..64 {
            let (mut whole, mut pipe) = (Pipe::new(1 << 16), Pipe::new(1 << 16));
            fill(&mut whole, cx);
            let (mut reader, mut heard) = (Reader::new(), Vec::new());
            while let Some(piece) = whole.pop_max(step) {
                pipe.push(piece);
                while let Some(message) = reader.next(&mut pipe, 5, cx) {
                    assert!(message.kind != Kind::Data || message.payload.len() <= 5);
                    heard.push(message);
                }
            }
            assert_eq!(told(&heard), expected(), "in steps of {step}");
            assert!(pipe.is_empty());
        }
    });
}

#[test]
fn data_waits_for_room_and_is_not_copied() {
    with(|cx| {
        let mut pipe = Pipe::new(1 << 20);
        let data = Buf::from(vec![7; 100_000]);
        let at = data.as_ptr();
        put(&mut pipe, cx, 0, Kind::Data, data);
        let mut reader = Reader::new();
        assert!(reader.next(&mut pipe, 0, cx).is_none());
        let message = reader.next(&mut pipe, usize::MAX, cx).expect("it is whole");
        assert_eq!(message.payload.len(), 100_000);
        assert_eq!(
            message.payload.as_ptr(),
            at,
            "the same memory, {HEAD} bytes later"
        );
    });
}
