//! The same answer gives the same events, however it is cut.

use sockless_core::{Culprit, Reason};

use crate::harness::{End, Seen, answer_in, config, get};

const ANSWERS: [(&[u8], bool); 6] = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nA: b\r\n\r\nhello world", false),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n2\r\n w\r\n0\r\nA: b\r\n\r\n", false),
    (b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 204 No\r\nB: c\r\n\r\n", false),
    (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", true),
    (b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", false),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nnot enough", true),
];

#[test]
fn every_cut_in_two_gives_the_same_events() {
    for (bytes, fin) in ANSWERS {
        let whole = outcome(&[bytes], fin, 1000);
        for at in 1..bytes.len() {
            let (front, back) = bytes.split_at(at);
            assert_eq!(outcome(&[front, back], fin, 1000), whole, "cut at {at}");
        }
    }
}

#[test]
fn one_byte_at_a_time_in_and_out_gives_the_same_events() {
    for (bytes, fin) in ANSWERS {
        let whole = outcome(&[bytes], fin, 1000);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(outcome(&single, fin, 1000), whole);
        assert_eq!(outcome(&[bytes], fin, 1), whole);
        assert_eq!(outcome(&single, fin, 1), whole);
    }
}

#[test]
fn the_answers_end_as_they_should() {
    let ends: Vec<End> = ANSWERS
        .iter()
        .map(|(bytes, fin)| outcome(&[bytes], *fin, 9).0)
        .collect();
    let expected = [
        End::Finished { reusable: true },
        End::Finished { reusable: true },
        End::Finished { reusable: true },
        End::Finished { reusable: false },
        End::Failed(Culprit::PeerMisbehaved, Reason::ObsoleteFold),
        End::Failed(Culprit::PeerMisbehaved, Reason::PartialBody),
    ];
    assert_eq!(ends, expected);
}

fn outcome(pieces: &[&[u8]], fin: bool, room: usize) -> (End, Vec<Seen>) {
    let (end, run) = answer_in(get(), config(), pieces, fin, room);
    (end, run.seen)
}
