//! The whole conversation, carried in every manner.

use super::Subject;
use super::carrier::{Carrier, Manner};

/// What the peer says, and what the filter's side says.
pub(super) fn down(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 % 253) as u8).collect()
}

/// See [`down`].
pub(super) fn up(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 11 % 241) as u8).collect()
}

/// The conversation up to both messages. It may have been cut before that.
pub(super) fn messages(subject: &dyn Subject, case: &str, manner: Manner) -> Carrier {
    let mut carrier = Carrier::new(subject, case, manner);
    let len = carrier.traits.message;
    carrier.write(&up(len));
    carrier.peer.send(&down(len));
    carrier.run();
    carrier
}

/// Everything up to the peer's farewell; says how many bytes had arrived before that.
pub(super) fn until_farewell(
    subject: &dyn Subject,
    case: &str,
    manner: Manner,
) -> (Carrier, usize) {
    let mut carrier = messages(subject, case, manner);
    let before = carrier.arrived;
    carrier.peer.finish();
    if !carrier.traits.farewell && carrier.manner.cut.is_none() {
        carrier.run();
        carrier.net_in.finish();
    }
    carrier.run();
    (carrier, before)
}

/// The conversation from beginning to end, with everything that must have come of it.
pub(super) fn converse(subject: &dyn Subject, case: &str, manner: Manner) -> Carrier {
    let (mut carrier, _) = until_farewell(subject, case, manner);
    let len = carrier.traits.message;
    carrier.expect_sound();
    carrier.expect(
        carrier.opened == down(len),
        "what was opened is not what the peer sent",
    );
    carrier.expect(
        carrier.heard == up(len),
        "what the peer opened is not what was sent",
    );
    carrier.expect(
        carrier.app_in.at_end(),
        "the peer's farewell does not finish app_in",
    );
    if carrier.traits.half_close {
        carrier.write(&up(len));
        carrier.run();
        carrier.expect_sound();
        let twice = [up(len), up(len)].concat();
        carrier.expect(
            carrier.heard == twice,
            "nothing is sent after the peer's farewell",
        );
    }
    carrier.app_out.finish();
    carrier.run();
    carrier.expect_sound();
    expect_farewell(&carrier);
    carrier
}

/// Our own farewell is out.
pub(super) fn expect_farewell(carrier: &Carrier) {
    carrier.expect(
        carrier.net_out.at_end(),
        "app_out's end does not finish net_out",
    );
    if carrier.traits.farewell && !carrier.left {
        carrier.expect(carrier.peer.is_finished(), "the peer hears no farewell");
    }
}

/// The conversation as it comes.
///
/// # Panics
/// If the filter breaks a rule.
pub fn whole(subject: &dyn Subject) {
    converse(subject, "the whole conversation", Manner::default());
}

/// One byte at a time, in, out, and both.
///
/// # Panics
/// If the filter breaks a rule.
pub fn byte_at_a_time(subject: &dyn Subject) {
    for (in_step, out_step) in [(1, usize::MAX), (usize::MAX, 1), (1, 1)] {
        let manner = Manner {
            in_step,
            out_step,
            ..Manner::default()
        };
        converse(subject, "one byte at a time", manner);
    }
}

/// Two arrivals, for each place between them.
///
/// # Panics
/// If the filter breaks a rule.
pub fn splits(subject: &dyn Subject) {
    let length = converse(subject, "the whole conversation", Manner::default()).arrived;
    for at in (1..length).step_by(subject.traits().stride.max(1)) {
        let manner = Manner {
            split: Some(at),
            ..Manner::default()
        };
        converse(subject, &format!("arrivals split at byte {at}"), manner);
    }
}

/// The engine takes an incomplete unit out of `net_in` while it receives the rest of
/// it, pumps with an empty pipe meanwhile, and brings it back longer.
///
/// # Panics
/// If the filter breaks a rule.
pub fn partial_in_flight(subject: &dyn Subject) {
    for in_step in [1, 7, 100] {
        let manner = Manner {
            in_step,
            in_flight: true,
            ..Manner::default()
        };
        converse(
            subject,
            "an incomplete unit is away while a receive is in flight",
            manner,
        );
    }
}
