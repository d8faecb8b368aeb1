//! Any bytes from a proxy, in any pieces: an error, patience, or the end of the handshake;
//! never a panic, never a byte for the layer above that lies within the answer, and the
//! pieces do not matter.
#![no_main]
#![allow(clippy::disallowed_methods, reason = "a fuzzer must start its Instants somewhere")]

use std::time::{Instant, SystemTime};

use libfuzzer_sys::fuzz_target;
use sockless_core::{
    Buf, Culprit, Cx, Fault, Filter, Pipe, Pool, Reason, Seams, SecurityContext, Status, Step,
};
use sockless_tunnels::{Destination, Protection, Socks4, Socks5, UserPassword};

#[derive(arbitrary::Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Socks4,
    Socks5,
    Password,
    Secured(u8),
}

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    kind: Kind,
    /// So many answers are right.
    right: u8,
    cuts: Vec<u8>,
    answers: &'a [u8],
}

/// Wraps by a byte in front: any token will do, so that what lies behind it is reached.
struct Easy;

impl SecurityContext for Easy {
    fn mechanism(&self) -> &'static str {
        "Easy"
    }

    fn step(&mut self, from_peer: Option<&[u8]>, _: &mut Cx<'_>) -> Result<Step, Fault> {
        Ok(match from_peer {
            Some([0, ..]) => Step::Done(None),
            _ => Step::Continue(vec![7]),
        })
    }

    fn wrap(&mut self, plain: &[u8], confidential: bool, out: &mut Vec<u8>) -> Result<(), Fault> {
        out.push(u8::from(confidential));
        out.extend_from_slice(plain);
        Ok(())
    }

    fn unwrap(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<bool, Fault> {
        match sealed.split_first() {
            Some((confidential @ 0..=1, plain)) => {
                out.extend_from_slice(plain);
                Ok(*confidential == 1)
            }
            _ => Err(Fault::new(Culprit::PeerMisbehaved, Reason::Malformed, "no seal")),
        }
    }

    fn wrap_limit(&self, sealed: usize, _: bool) -> usize {
        sealed - 1
    }
}

fn filter(kind: Kind) -> Box<dyn Filter> {
    let to = Destination::new("example.com", 443);
    let socks5 = |login| Socks5::new("proxy:1080", to.clone(), login).expect("usable");
    match kind {
        Kind::Socks4 => Box::new(Socks4::new("proxy:1080", to, "user").expect("usable")),
        Kind::Socks5 => Box::new(socks5(None)),
        Kind::Password => Box::new(socks5(UserPassword::new("user", "password").ok())),
        Kind::Secured(level) => {
            let protection = match level % 3 {
                0 => Protection::None,
                1 => Protection::Integrity,
                _ => Protection::Confidentiality,
            };
            Box::new(socks5(None).security(Box::new(Easy), protection))
        }
    }
}

const GRANTED: [u8; 10] = [5, 0, 0, 1, 192, 0, 2, 1, 4, 56];

/// The right answers, one after the other.
fn right(kind: Kind) -> Vec<Vec<u8>> {
    let frame = |kind: u8, token: &[u8]| [&[1, kind, 0, token.len() as u8], token].concat();
    match kind {
        Kind::Socks4 => vec![vec![0, 90, 0, 0, 0, 0, 0, 0]],
        Kind::Socks5 => vec![vec![5, 0], GRANTED.to_vec()],
        Kind::Password => vec![vec![5, 2], vec![1, 0], GRANTED.to_vec()],
        Kind::Secured(level) => {
            let reply = [&[u8::from(level % 3 == 2)], &GRANTED[..]].concat();
            vec![vec![5, 1], frame(1, &[0]), frame(2, &[0, level % 3]), frame(3, &reply)]
        }
    }
}

#[derive(Debug, PartialEq)]
struct Told {
    end: Option<Result<(), Reason>>,
    said: Vec<u8>,
    opened: Vec<u8>,
    left: Vec<u8>,
}

fn bytes(pipe: &mut Pipe) -> Vec<u8> {
    std::iter::from_fn(|| pipe.pop()).flat_map(|piece| piece.to_vec()).collect()
}

fn tell(kind: Kind, pieces: &mut dyn Iterator<Item = &[u8]>) -> Told {
    let mut filter = filter(kind);
    let (pool, mut copied, now) = (Pool::default(), 0, Instant::now());
    let mut pipes = [1 << 20, 1 << 20, 1 << 20, 1 << 20].map(Pipe::new);
    let [net_in, net_out, app_in, app_out] = &mut pipes;
    app_out.push(Buf::from(&b"from above"[..]));
    let mut end = None;
    for piece in pieces.map(Some).chain([None]) {
        match piece {
            Some(bytes) => net_in.push(Buf::from(bytes)),
            None => net_in.finish(),
        }
        if let Some(Ok(())) = end {
            continue;
        }
        let mut cx = Cx::new(now, SystemTime::UNIX_EPOCH, &pool, &mut copied, None);
        let seams = Seams { net_in, net_out, app_in, app_out };
        match (filter.pump(seams, &mut cx), &end) {
            (Ok(Status::Stay), None) => {}
            (Ok(Status::Leave), None) => end = Some(Ok(())),
            (Err(fault), None) => end = Some(Err(fault.reason)),
            (Err(fault), Some(Err(reason))) => assert_eq!(fault.reason, *reason),
            (other, before) => panic!("{other:?} after {before:?}"),
        }
        assert!(filter.min(net_in, 1000) >= 1);
    }
    assert!(end.is_some() || app_in.is_finished(), "neither an end nor an error after the proxy's end");
    let left = match end {
        Some(Ok(())) => bytes(net_in),
        _ => Vec::new(),
    };
    Told { end, said: bytes(net_out), opened: bytes(app_in), left }
}

fuzz_target!(|input: Input<'_>| {
    let right = right(input.kind);
    let mut answers = right[..usize::from(input.right) % (right.len() + 1)].concat();
    answers.extend_from_slice(input.answers);
    let whole = tell(input.kind, &mut std::iter::once(answers.as_slice()));
    let mut rest = answers.as_slice();
    let mut cuts = input.cuts.iter().cycle();
    let mut pieces = std::iter::from_fn(|| {
        let cut = usize::from(*cuts.next().unwrap_or(&1)).clamp(1, rest.len().max(1));
        let (piece, behind) = rest.split_at_checked(cut)?;
        rest = behind;
        Some(piece)
    });
    assert_eq!(whole, tell(input.kind, &mut pieces), "the pieces of the answers matter");
});
