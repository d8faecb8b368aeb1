//! Content codings: taken off in bounded steps, or refused.
#![cfg(all(feature = "gzip", feature = "brotli"))]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use sockless_core::{Culprit, Reason};
use sockless_http::{Http1Config, accept_encoding};

use crate::harness::{End, Run, Seen, answer, answer_in, fault, get};

const REUSABLE: End = End::Finished { reusable: true };

fn decoding() -> Http1Config {
    let mut config = Http1Config::default();
    config.decode = true;
    config
}

fn text() -> Vec<u8> {
    (0..2000)
        .flat_map(|i| format!("line {i} of a text\n").into_bytes())
        .collect()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn bare(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn br(data: &[u8]) -> Vec<u8> {
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
    encoder.write_all(data).unwrap();
    encoder.into_inner()
}

/// A gzip header with every optional part, its checksum included.
fn gzip_with_everything(data: &[u8]) -> Vec<u8> {
    let plain = gzip(data);
    let mut header = b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03\x02\0xxname\0comment\0".to_vec();
    let mut sum = flate2::Crc::new();
    sum.update(&header);
    header.extend_from_slice(&(sum.sum() as u16).to_le_bytes());
    [&header, &plain[10..]].concat()
}

fn message(coding: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Every coding with its body for the same text.
fn encoded() -> Vec<(&'static str, Vec<u8>)> {
    let text = text();
    vec![
        ("gzip", gzip(&text)),
        ("X-GZip", gzip(&text)),
        ("gzip", gzip_with_everything(&text)),
        (
            "gzip",
            [gzip(&text[..10]), gzip(b""), gzip(&text[10..])].concat(),
        ),
        ("deflate", zlib(&text)),
        ("deflate", bare(&text)),
        ("br", br(&text)),
        ("deflate, gzip", gzip(&zlib(&text))),
        ("br, identity,gzip , deflate", zlib(&gzip(&br(&text)))),
        ("identity", text.clone()),
    ]
}

#[test]
fn every_coding_gives_the_text_back_however_it_is_cut() {
    for (coding, body) in encoded() {
        let bytes = message(coding, &body);
        for (cut, room) in [
            (bytes.len(), 64 * 1024),
            (1, 64 * 1024),
            (7, 1),
            (100, 1000),
        ] {
            let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
            let (end, run) = answer_in(get(), decoding(), &pieces, false, room);
            assert_eq!(end, REUSABLE, "{coding}");
            assert!(run.data() == text(), "{coding} in pieces of {cut}");
            let known = (coding == "identity").then_some(body.len() as u64);
            assert!(matches!(run.seen[0], Seen::Head { length, .. } if length == known));
        }
    }
}

#[test]
fn chunked_and_coded_bodies_keep_their_trailers() {
    let body = gzip(b"hello");
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        body.len()
    );
    let bytes = [head.as_bytes(), &body, b"\r\n0\r\nA: b\r\n\r\n"].concat();
    let (end, run) = answer(get(), decoding(), &bytes, false);
    assert_eq!(end, REUSABLE);
    let trailers = Seen::Trailers(vec![("A".into(), "b".into())]);
    assert_eq!(run.seen[1..], [Seen::Data(b"hello".into()), trailers]);
}

#[test]
fn broken_bodies_are_refused() {
    let text = text();
    let mut wrong_sum = gzip(&text);
    let at = wrong_sum.len() - 8;
    wrong_sum[at] ^= 1;
    let mut wrong_length = gzip(&text);
    *wrong_length.last_mut().unwrap() ^= 1;
    let mut wrong_header = gzip_with_everything(&text);
    wrong_header[15] ^= 1;
    let mut broken = gzip(&text);
    broken[12..40].fill(0xff);
    let cut = |body: Vec<u8>| body[..body.len() - 1].to_vec();
    let more = |body: Vec<u8>| [&*body, b"x"].concat();
    let table = [
        ("gzip", wrong_sum, "checksum"),
        ("gzip", wrong_length, "checksum or length"),
        ("gzip", wrong_header, "header's checksum"),
        ("gzip", broken, "broken"),
        ("gzip", b"plain".to_vec(), "not gzip"),
        ("gzip", b"\x1f\x8b\x07".to_vec(), "method"),
        ("gzip", b"\x1f\x8b\x08\x80".to_vec(), "reserved"),
        ("gzip", cut(gzip(&text)), "too early"),
        ("gzip", b"\x1f".to_vec(), "too early"),
        ("gzip", more(gzip(&text)), "after its end"),
        ("deflate", cut(zlib(&text)), "too early"),
        ("deflate", cut(bare(&text)), "too early"),
        ("deflate", more(zlib(&text)), "after its end"),
        ("deflate", more(bare(&text)), "after its end"),
        ("br", cut(br(&text)), "too early"),
        ("br", more(br(&text)), "after its end"),
        ("br", vec![0xff; 50], "Brotli"),
        (
            "deflate, gzip",
            gzip(&cut(zlib(&text))),
            "deflate body is broken: it ends too early",
        ),
        (
            "deflate, gzip",
            gzip(&more(zlib(&text))),
            "deflate body is broken: there are",
        ),
    ];
    for (coding, body, what) in table {
        let fault = fault(get(), decoding(), &message(coding, &body), false);
        assert_eq!(
            (fault.culprit, fault.reason),
            (Culprit::PeerMisbehaved, Reason::ContentCoding)
        );
        assert!(fault.what.contains(what), "{coding}: {}", fault.what);
    }
}

#[test]
fn unknown_and_too_many_codings_are_refused() {
    let table = [
        ("zstd", Culprit::PeerIncompatible),
        ("gzip, what", Culprit::PeerIncompatible),
        ("gzip, gzip, gzip, gzip", Culprit::Limit),
    ];
    for (coding, culprit) in table {
        let fault = fault(get(), decoding(), &message(coding, b"x"), false);
        assert_eq!(
            (fault.culprit, fault.reason),
            (culprit, Reason::ContentCoding),
            "{coding}"
        );
    }
    let no_body = b"HTTP/1.1 304 Not Modified\r\nContent-Encoding: zstd\r\n\r\n";
    assert_eq!(answer(get(), decoding(), no_body, false).0, REUSABLE);
}

#[test]
fn a_bomb_is_stopped_soon() {
    let zeros = vec![0; 20 << 20];
    for (coding, body) in [
        ("gzip", gzip(&zeros)),
        ("br", br(&zeros)),
        ("gzip, gzip", gzip(&gzip(&zeros))),
    ] {
        let (end, run) = answer(get(), decoding(), &message(coding, &body), false);
        assert_eq!(
            end,
            End::Failed(Culprit::Limit, Reason::BodyTooLarge),
            "{coding}"
        );
        assert!(run.data().len() < 6 << 20, "{}", run.data().len());
    }
    let mut generous = decoding();
    generous.max_decode_ratio = 2000;
    let (end, run) = answer(get(), generous, &message("gzip", &gzip(&zeros)), false);
    assert_eq!((end, run.data().len()), (REUSABLE, zeros.len()));
}

#[test]
fn the_body_limit_counts_decoded_bytes() {
    let mut config = decoding();
    config.max_body = Some(100);
    let body = message("gzip", &gzip(&[b'x'; 101]));
    let fault = fault(get(), config.clone(), &body, false);
    assert_eq!(
        (fault.culprit, fault.reason),
        (Culprit::Limit, Reason::BodyTooLarge)
    );
    assert_eq!(
        answer(get(), config, &message("gzip", &gzip(&[b'x'; 100])), false).0,
        REUSABLE
    );
}

#[test]
fn an_empty_coded_body_is_no_body() {
    let (end, run) = answer(get(), decoding(), &message("gzip", b""), false);
    assert_eq!((end, run.data().len()), (REUSABLE, 0));
}

#[test]
fn nothing_is_decoded_unless_asked_for() {
    let body = gzip(b"hello");
    let (end, run) = answer(
        get(),
        Http1Config::default(),
        &message("gzip", &body),
        false,
    );
    assert_eq!((end, run.data()), (REUSABLE, body));
}

#[test]
fn decoded_output_waits_for_room() {
    let mut run = Run::with(get(), decoding(), 10, 64 * 1024);
    run.settle().unwrap();
    run.arrive(message("gzip", &gzip(&text())));
    run.pump().unwrap();
    run.pump().unwrap();
    assert_eq!(run.events.received(), 10);
}

#[test]
fn what_can_be_decoded_is_what_is_offered() {
    assert_eq!(accept_encoding(), "gzip, deflate, br");
}
