//! What only many events in a row show.

use core::time::Duration;

use sockless_core::{OpKind, Reason};

use super::*;
use crate::Redirects;

const ANSWER: &[u8] = b"HTTP/1.1 302 Found\r\nLocation: /on\r\nContent-Length: 0\r\n\r\n";

/// Carries an operation out as a server would that redirects, and then says nothing.
fn answer(session: &mut Session, now: Instant, mut op: Op, answers: &mut u32) {
    let result = match &mut op.kind {
        OpKind::Send { bufs } => bufs.iter().map(|buf| buf.len()).sum(),
        OpKind::Recv { .. } if *answers == 0 => return,
        OpKind::Recv { buf, .. } => {
            *answers -= 1;
            let buf = buf.get_or_insert_with(|| Buf::with_capacity(ANSWER.len()));
            buf.spare_mut()[..ANSWER.len()].copy_from_slice(ANSWER);
            ANSWER.len()
        }
        _ => 0,
    };
    session.complete(now, op, Ok(result));
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "a test must start its Instants somewhere"
)]
fn the_total_timeout_is_for_all_hops_together() {
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let config = Config::default();
    let mut session = Session::new(config, start, SystemTime::UNIX_EPOCH, 1).expect("session");
    let request = Request::get("http://127.0.0.1/")
        .expect("a good URL")
        .redirects(Redirects::follow(5))
        .timeouts(|timeouts| timeouts.total = Some(Duration::from_secs(10)));
    session.start(start, request).expect("it starts");
    let mut answers = 1;
    let mut step = |now: Instant| loop {
        match session.poll(now) {
            Output::Submit(op) => answer(&mut session, now, op, &mut answers),
            Output::Event(_, Event::Done { outcome, summary }) => {
                return Some((outcome, summary.redirects));
            }
            Output::Wait(_) => return None,
            _ => {}
        }
    };
    // The redirect comes after six seconds; four are left for what follows.
    assert!(step(after(6)).is_none());
    assert!(step(after(9)).is_none());
    let (outcome, redirects) = step(after(10)).expect("the end");
    let error = outcome.expect_err("too late");
    assert_eq!((error.reason(), redirects), (Reason::TotalTimeout, 1));
}
