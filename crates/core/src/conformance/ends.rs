//! Ends, good and bad, at every place of a conversation.

use super::Subject;
use super::carrier::{Carrier, Manner};
use super::manner::{converse, down, expect_farewell, messages, until_farewell, up};
use crate::Culprit;

/// We say farewell first, after the handshake or even before it, and the peer goes on.
///
/// # Panics
/// If the filter breaks a rule.
pub fn half_close(subject: &dyn Subject) {
    let traits = subject.traits();
    if !traits.half_close {
        return;
    }
    for early in [true, false] {
        let case = if early {
            "app_out ends before the handshake"
        } else {
            "app_out ends first"
        };
        let mut carrier = Carrier::new(subject, case, Manner::default());
        if !early {
            carrier.write(&up(traits.message));
            carrier.run();
        }
        carrier.app_out.finish();
        carrier.run();
        carrier.expect_sound();
        expect_farewell(&carrier);
        carrier.expect(
            !carrier.app_in.is_finished(),
            "our farewell ends the other direction",
        );
        carrier.peer.send(&down(traits.message));
        carrier.run();
        carrier.expect(
            carrier.opened == down(traits.message),
            "nothing is opened after our own farewell",
        );
        carrier.peer.finish();
        carrier.run();
        if !traits.farewell || carrier.left {
            carrier.net_in.finish();
        }
        carrier.run();
        carrier.expect_sound();
        carrier.expect(
            carrier.app_in.at_end(),
            "the peer's farewell does not finish app_in",
        );
    }
}

/// The network's end at every place: a truncation before the farewell, nothing after it.
///
/// # Panics
/// If the filter breaks a rule.
pub fn fin(subject: &dyn Subject) {
    let traits = subject.traits();
    let (whole, _) = until_farewell(subject, "the whole conversation", Manner::default());
    let goodbye = whole.arrived;
    let left = whole.left;
    for cut in (0..=goodbye).step_by(traits.stride.max(1)).chain([goodbye]) {
        let case = format!("FIN after {cut} of {goodbye} bytes");
        let mut carrier = cut_at(subject, &case, cut);
        let ended = carrier.app_in.is_finished();
        carrier.net_in.finish();
        carrier.run();
        let open_end = !traits.farewell && carrier.filter.phase() == crate::Phase::Open;
        if ended || carrier.left || (open_end && carrier.failure.is_none()) {
            carrier.expect_sound();
            carrier.expect(carrier.app_in.at_end(), "FIN does not finish app_in");
        } else if cut < goodbye || left {
            carrier.expect(carrier.failure.is_some(), "a truncation is not an error");
            carrier.expect(
                !carrier.app_in.is_finished(),
                "a truncation looks like an end",
            );
            expect_repeated(&mut carrier);
        }
        expect_prefix(&carrier);
    }
}

/// Foreign bytes at every place: an error, after what came before was opened.
///
/// # Panics
/// If the filter breaks a rule.
pub fn garbage(subject: &dyn Subject) {
    let traits = subject.traits();
    let (whole, _) = until_farewell(subject, "the whole conversation", Manner::default());
    let goodbye = whole.arrived;
    for cut in (0..goodbye).step_by(traits.stride.max(1)) {
        for (name, bytes) in kinds() {
            let case = format!("{name} after {cut} of {goodbye} bytes");
            let mut carrier = cut_at(subject, &case, cut);
            let opened = carrier.opened.len();
            if carrier.left || carrier.app_in.is_finished() {
                continue;
            }
            carrier.drains = false;
            carrier.deliver(&bytes);
            carrier.run();
            if carrier.failure.is_none() && traits.farewell {
                carrier.net_in.finish();
                carrier.run();
            }
            carrier.expect(
                carrier.opened.len() >= opened,
                "opened bytes are taken back",
            );
            if !traits.detects_garbage || carrier.left {
                continue;
            }
            carrier.expect(carrier.failure.is_some(), "garbage is not an error");
            carrier.expect(
                carrier
                    .failure
                    .as_ref()
                    .is_some_and(|f| !matches!(f.culprit, Culprit::Misuse | Culprit::Cancelled)),
                "garbage is blamed on the application",
            );
            expect_prefix(&carrier);
            expect_repeated(&mut carrier);
        }
    }
    opened_before_an_error(subject);
}

/// What lies in front of the garbage in one and the same arrival is opened all the same.
fn opened_before_an_error(subject: &dyn Subject) {
    let traits = subject.traits();
    if !traits.detects_garbage {
        return;
    }
    let case = "garbage in one arrival with good bytes";
    let mut carrier = messages(subject, case, Manner::default());
    if carrier.left {
        return;
    }
    carrier.peer.send(&down(traits.message));
    let mut bytes = carrier.peer.speak();
    bytes.extend(noise());
    carrier.drains = false;
    carrier.deliver(&bytes);
    carrier.run();
    carrier.expect(carrier.failure.is_some(), "garbage is not an error");
    let twice = [down(traits.message), down(traits.message)].concat();
    carrier.expect(
        carrier.opened == twice,
        "what came before the error is not opened",
    );
}

/// After an error the peer is told, once, and the error stays.
///
/// # Panics
/// If the filter breaks a rule.
pub fn last_words(subject: &dyn Subject) {
    let traits = subject.traits();
    if !traits.last_words || !traits.detects_garbage {
        return;
    }
    let mut carrier = messages(subject, "last words", Manner::default());
    if carrier.left {
        return;
    }
    carrier.expect_sound();
    carrier.drains = false;
    carrier.deliver(&noise());
    carrier.run();
    carrier.expect(carrier.failure.is_some(), "garbage is not an error");
    carrier.expect(
        !carrier.net_out.is_empty(),
        "it fails without its last words",
    );
    expect_repeated(&mut carrier);
    carrier.expect(
        carrier.net_out.len() == carrier.said,
        "it goes on talking after its last words",
    );
    converse(
        subject,
        "another connection after a failed one",
        Manner::default(),
    );
}

/// The conversation up to that many arrived bytes.
fn cut_at(subject: &dyn Subject, case: &str, cut: usize) -> Carrier {
    let manner = Manner {
        cut: Some(cut),
        ..Manner::default()
    };
    until_farewell(subject, case, manner).0
}

fn expect_prefix(carrier: &Carrier) {
    let whole = down(carrier.traits.message);
    carrier.expect(
        whole.starts_with(&carrier.opened),
        "bytes were opened that the peer never sent",
    );
}

fn expect_repeated(carrier: &mut Carrier) {
    for _ in 0..3 {
        // The carrier compares each failure with the first.
        carrier.pump();
    }
}

fn kinds() -> [(&'static str, Vec<u8>); 3] {
    [
        ("zeroes", vec![0; 70_000]),
        ("ones", vec![0xff; 70_000]),
        ("noise", noise()),
    ]
}

/// The same noise each time (xorshift).
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()
    };
    (0..17_500).flat_map(|_| next()).collect()
}
