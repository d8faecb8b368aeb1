//! The suite passes what is sound, and catches each kind of breakage.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Instant, SystemTime};

use sockless_core::Filter;
use sockless_core::conformance::{Peer, Subject, Traits, check};

use crate::rot::{Flaw, Line, LinePeer, Rot, RotPeer};

struct Rots(Flaw);

impl Subject for Rots {
    fn filter(&self) -> Box<dyn Filter> {
        Box::new(Rot::new(0x5a, self.0))
    }

    fn peer(&self) -> Box<dyn Peer> {
        Box::new(RotPeer::new(0x33))
    }

    fn clocks(&self) -> (Instant, SystemTime) {
        (Instant::now(), SystemTime::UNIX_EPOCH)
    }

    fn traits(&self) -> Traits {
        let mut traits = Traits::default();
        traits.unit = 1100;
        traits
    }
}

struct Lines {
    drops: bool,
}

impl Subject for Lines {
    fn filter(&self) -> Box<dyn Filter> {
        let mut line = Line::new();
        line.drops = self.drops;
        Box::new(line)
    }

    fn peer(&self) -> Box<dyn Peer> {
        Box::new(LinePeer::new())
    }

    fn clocks(&self) -> (Instant, SystemTime) {
        (Instant::now(), SystemTime::UNIX_EPOCH)
    }

    fn traits(&self) -> Traits {
        let mut traits = Traits::default();
        (traits.farewell, traits.last_words) = (false, false);
        // A line may be anything: only one that is too long is noticed.
        traits.detects_garbage = false;
        traits
    }
}

#[test]
fn a_sound_layer_conforms() {
    check(&Rots(Flaw::None));
}

#[test]
fn a_layer_that_leaves_conforms() {
    check(&Lines { drops: false });
}

/// What the suite says about a subject.
fn complaint(subject: &dyn Subject) -> String {
    match catch_unwind(AssertUnwindSafe(|| check(subject))) {
        Ok(()) => "nothing".to_owned(),
        Err(panic) => *panic.downcast().expect("a formatted message"),
    }
}

#[test]
fn each_kind_of_breakage_is_caught() {
    let flaws = [
        (Flaw::DropsLeftover, "what was opened is not"),
        (Flaw::PanicsOnGarbage, "it panicked"),
        (Flaw::IgnoresFin, "a truncation is not an error"),
        (Flaw::FinForFarewell, "a truncation is not an error"),
        (Flaw::OverfillsAppIn, "opened"),
        (Flaw::OverfillsNetOut, "sealed bytes wait"),
        (Flaw::NoLastWords, "without its last words"),
        (Flaw::LastWordsTwice, "goes on talking"),
        (Flaw::ErrorOnlyOnce, "an error was not repeated"),
        (Flaw::DropsOpenedOnError, "not opened"),
        (Flaw::OpensOnlyAfterSending, "opening waits"),
        (Flaw::SealsOnlyAfterReading, "sealing waits"),
        (Flaw::TrustsNetIn, "where did it go?"),
        (Flaw::PromisesTooMuch, "will come"),
        (Flaw::Chatters, "never comes to rest"),
        (Flaw::NoFarewell, "hears no farewell"),
        (Flaw::FarewellEndsBoth, "after the peer's farewell"),
        (Flaw::NoCheck, "never sent"),
        (Flaw::DeadlineStays, "deadline is still due"),
    ];
    for (flaw, says) in flaws {
        let text = complaint(&Rots(flaw));
        assert!(text.contains(says), "{flaw:?}: {text}");
        assert!(text.starts_with("rot does not conform: "), "{text}");
    }
}

#[test]
fn a_layer_that_takes_leftovers_along_is_caught() {
    let text = complaint(&Lines { drops: true });
    assert!(text.starts_with("line does not conform: "), "{text}");
}
