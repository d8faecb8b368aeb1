//! Any bytes, in any pieces, as a proxy's answers to CONNECT: no panic, nothing passes
//! before the tunnel is open, and the pieces do not matter.
#![no_main]
#![allow(clippy::disallowed_methods, reason = "a fuzzer must start its Instants somewhere")]

use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use libfuzzer_sys::fuzz_target;
use sockless_core::{Buf, Cx, Pipe, Pool, Seams, Status};
use sockless_http::{Authenticator, Credentials, Party, Tunnel};

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    cuts: Vec<u8>,
    answers: &'a [u8],
}

/// Whether the tunnel opens, and what is left for the layer above then.
fn tell(pieces: &mut dyn Iterator<Item = &[u8]>) -> Option<Vec<u8>> {
    let credentials = Credentials::password("user", "password").expect("good ones");
    let authenticator = Authenticator::new(Party::Proxy, "proxy", credentials);
    let tunnel = Tunnel::new("proxy", "host", 443).expect("a good target");
    let mut filter = tunnel.authenticator(Arc::new(Mutex::new(authenticator))).filter();
    let (pool, mut copied) = (Pool::default(), 0);
    let pipe = || Pipe::new(1 << 20);
    let (mut net_in, mut net_out, mut app_in, mut app_out) = (pipe(), pipe(), pipe(), pipe());
    app_out.push(Buf::from(&b"above"[..]));
    let now = Instant::now();
    loop {
        let mut cx = Cx::new(now, SystemTime::UNIX_EPOCH, &pool, &mut copied, None);
        let seams = Seams {
            net_in: &mut net_in,
            net_out: &mut net_out,
            app_in: &mut app_in,
            app_out: &mut app_out,
        };
        let status = filter.pump(seams, &mut cx);
        net_out.clear();
        assert!(app_in.is_empty() && app_out.len() == 5, "something passed");
        match status {
            Ok(Status::Leave) => break,
            Ok(Status::Stay) => assert!(!net_in.at_end(), "it waits for nobody"),
            Err(_) => return None,
        }
        match pieces.next() {
            Some(piece) => net_in.push(Buf::from(piece)),
            None => net_in.finish(),
        }
    }
    let mut left: Vec<u8> = net_in.iter().flat_map(|piece| piece.to_vec()).collect();
    pieces.for_each(|piece| left.extend_from_slice(piece));
    Some(left)
}

fuzz_target!(|input: Input<'_>| {
    // What comes behind a challenge unasked makes the connection useless, if it is there in
    // time: only one answer is the same in any pieces.
    if input.answers.windows(12).any(|bytes| bytes == b"HTTP/1.1 407" || bytes == b"HTTP/1.0 407") {
        let _ = tell(&mut std::iter::once(input.answers));
        return;
    }
    let whole = tell(&mut std::iter::once(input.answers));
    let mut rest = input.answers;
    let mut cuts = input.cuts.iter().cycle();
    let mut pieces = std::iter::from_fn(|| {
        let cut = usize::from(*cuts.next().unwrap_or(&1)).clamp(1, rest.len().max(1));
        let (piece, after) = rest.split_at_checked(cut)?;
        rest = after;
        Some(piece)
    });
    assert_eq!(whole, tell(&mut pieces));
});
