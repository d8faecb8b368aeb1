//! Arbitrary input never panics, and valid input survives any cut.

use proptest::collection::vec;
use proptest::prelude::*;

use sockless_http::BodyKind;

use crate::harness::{End, Run, answer_in, config, get, request};

/// Bytes that lead deep into the parser more often than random ones.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 100 \r\n",
        b"Content-Length: ",
        b"Content-Encoding: gzip\r\n",
        b"Content-Encoding: br, deflate\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"0\r\n",
        b"5\r\nhello\r\n",
        b"ffffffffffffffff",
        b";",
        b"\n",
        b"\r",
        b"\0",
        b":",
        b" ",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
        b"\x78\x9c",
    ];
    let piece = prop_oneof![
        3 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..8),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_answer_ends_without_a_panic(
        mut bytes in likely(),
        headed in any::<bool>(),
        cut in 1_usize..20,
        room in 1_usize..50,
    ) {
        if headed {
            bytes.splice(0..0, *b"HTTP/1.1 200 OK\r\n");
        }
        let mut config = config();
        config.decode = true;
        let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
        let (end, _) = answer_in(get(), config, &pieces, true, room);
        prop_assert_ne!(end, End::Blocked, "the peer's end must end it");
    }

    #[test]
    fn what_goes_out_in_chunks_comes_back_the_same(
        pieces in vec(vec(any::<u8>(), 1..300), 0..10),
        cut in 1_usize..50,
        room in 1_usize..200,
    ) {
        let mut up = Run::with(request("POST").body(BodyKind::Chunked), config(), 100, room);
        let mut wire = Vec::new();
        for piece in &pieces {
            up.give(piece);
        }
        up.body.pipe.finish();
        loop {
            prop_assert_eq!(up.end(), End::Blocked);
            let Some(piece) = up.to_peer.pop() else { break };
            wire.extend_from_slice(&piece);
        }
        let end = wire.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let body = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", &wire[end + 2..]].concat();
        let cuts: Vec<&[u8]> = body.chunks(cut).collect();
        let (end, down) = answer_in(get(), config(), &cuts, false, room);
        prop_assert_eq!(end, End::Finished { reusable: true });
        prop_assert_eq!(down.data(), pieces.concat());
    }
}
