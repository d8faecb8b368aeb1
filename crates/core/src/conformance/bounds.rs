//! Room, back-pressure, hints, deadlines: what a filter may do when it can do little.

use std::time::Duration;

use super::Subject;
use super::carrier::{Carrier, Manner};
use super::manner::{converse, down, messages, up};
use crate::Phase;

/// One byte of room above, below, and both.
///
/// # Panics
/// If the filter breaks a rule.
pub fn small_room(subject: &dyn Subject) {
    let wide = Manner::default().app_limit;
    for (app_limit, net_limit) in [(1, wide), (wide, 1), (1, 1)] {
        let manner = Manner {
            app_limit,
            net_limit,
            ..Manner::default()
        };
        converse(subject, "one byte of room", manner);
    }
}

/// A full `net_out` does not stop opening, and a full `app_in` does not stop sealing.
///
/// # Panics
/// If the filter breaks a rule.
pub fn directions(subject: &dyn Subject) {
    let bounded = || Manner {
        app_limit: 64,
        net_limit: 64,
        ..Manner::default()
    };
    let len = subject.traits().message;
    let mut carrier = messages(subject, "net_out is full", bounded());
    carrier.expect_sound();
    if carrier.left {
        return;
    }
    carrier.drains = false;
    carrier.write(&up(200_000));
    carrier.run();
    carrier.peer.send(&down(len));
    carrier.run();
    carrier.expect_sound();
    carrier.expect(
        carrier.opened.len() == 2 * len,
        "opening waits until what was sealed has been sent",
    );
    carrier.expect(
        !carrier.app_out.is_empty(),
        "it takes what it cannot place below",
    );

    let mut carrier = messages(subject, "app_in is full", bounded());
    carrier.reads = false;
    for _ in 0..200 {
        carrier.peer.send(&down(len));
    }
    carrier.run();
    carrier.write(&up(len));
    carrier.run();
    carrier.expect_sound();
    carrier.expect(
        carrier.heard.len() == 2 * len,
        "sealing waits until what was opened has been taken",
    );
    carrier.reads = true;
    carrier.run();
    carrier.expect_sound();
    carrier.expect(
        carrier.opened.len() == 201 * len,
        "bytes are lost in front of a full pipe",
    );
}

/// Without input nothing happens: not before the handshake, not in it, not after it.
///
/// # Panics
/// If the filter breaks a rule.
pub fn idle(subject: &dyn Subject) {
    let length = messages(subject, "the whole conversation", Manner::default()).arrived;
    for cut in (0..=length).step_by(subject.traits().stride.max(1)) {
        let manner = Manner {
            cut: Some(cut),
            ..Manner::default()
        };
        let mut carrier = messages(subject, &format!("idle after {cut} bytes"), manner);
        carrier.expect_sound();
        let before = carrier.moved();
        for _ in 0..10 {
            carrier.pump();
        }
        carrier.expect(
            carrier.moved() == before,
            "pumping without input moves something",
        );
    }
}

/// The hint never asks for more than what is sure to come.
///
/// # Panics
/// If the filter breaks a rule.
pub fn min(subject: &dyn Subject) {
    let length = messages(subject, "the whole conversation", Manner::default()).arrived;
    for cut in (0..length).step_by(subject.traits().stride.max(1)) {
        let manner = Manner {
            cut: Some(cut),
            ..Manner::default()
        };
        let carrier = messages(subject, &format!("the min hint after {cut} bytes"), manner);
        let coming = carrier.on_the_way.len();
        // Only what is missing now counts: both sides may still owe each other flights.
        let open = carrier.filter.phase() == Phase::Open;
        let missing = carrier.traits.message - carrier.opened.len();
        for above in [Some(1), open.then_some(missing)].into_iter().flatten() {
            if coming == 0 || missing == 0 || carrier.left {
                continue;
            }
            let min = carrier.filter.min(&carrier.net_in, above);
            carrier.expect(min >= 1, "a hint of 0");
            carrier.expect(
                min <= coming,
                format!("for {above} bytes above it asks for {min}, {coming} will come"),
            );
        }
    }
}

/// A deadline leads to something when it is reached, in the handshake and after it.
///
/// # Panics
/// If the filter breaks a rule.
pub fn deadline(subject: &dyn Subject) {
    let length = messages(subject, "the whole conversation", Manner::default()).arrived;
    for cut in [0, 1, length / 2, length] {
        let manner = Manner {
            cut: Some(cut),
            ..Manner::default()
        };
        let mut carrier = messages(subject, &format!("deadline after {cut} bytes"), manner);
        for _ in 0..5 {
            advance(&mut carrier);
        }
    }
}

/// The pump itself checks that nothing stays due.
fn advance(carrier: &mut Carrier) {
    if carrier.failure.is_some() || carrier.left {
        return;
    }
    let Some(at) = carrier.filter.deadline() else {
        return;
    };
    carrier.expect(at > carrier.now, "a deadline in the past");
    if let Some(early) = at.checked_sub(Duration::from_nanos(1)) {
        carrier.now = early.max(carrier.now);
        let before = carrier.moved();
        carrier.pump();
        carrier.expect(carrier.moved() == before, "it acts before its deadline");
    }
    carrier.now = at;
    carrier.pump();
}
