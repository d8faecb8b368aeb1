//! What Kerberos costs and what becomes of lies, one at a time and in virtual time.

use std::time::{Duration, Instant};

use fastrand::Rng;
use sockless_sim::{Faults, Report, Sim, play};
use sockless_simulation::krb::{Ledger, Manners, Temper};
use sockless_simulation::logins::Wish;
use sockless_simulation::realms::{FAR, NEAR, Plot, stage};
use sockless_simulation::world::HOST;

/// Plays it on a network on which nothing happens; the application's own verdict is in it.
fn run(plot: &Plot) -> (Report, Ledger) {
    #[allow(
        clippy::disallowed_methods,
        reason = "virtual time must begin somewhere"
    )]
    let start = Instant::now();
    let (stage, ledger) = stage(&mut Rng::with_seed(1), start, plot, true);
    let mut sim = Sim::new(stage.world, Faults::none(), start, 1);
    let report = play(stage.application, &mut sim);
    let report = report.unwrap_or_else(|what| panic!("{plot:?}: {what}"));
    (report, ledger.take())
}

fn between(report: &Report, least: u64, most: u64) -> bool {
    (Duration::from_millis(least)..Duration::from_millis(most)).contains(&report.elapsed)
}

fn all_came(ledger: &Ledger) -> bool {
    ledger.ends.iter().all(|(_, end)| *end == Ok(200))
}

#[test]
fn a_silent_kdc_costs_a_second() {
    let mut plot = Plot::honest();
    let (report, _) = run(&plot);
    assert!(between(&report, 1, 100), "honest: {:?}", report.elapsed);
    plot.tempers[0] = Temper::Silent;
    let (report, ledger) = run(&plot);
    assert!(all_came(&ledger));
    // For the first question; the others go to the one that has answered.
    assert!(between(&report, 1000, 1100), "{:?}", report.elapsed);
}

#[test]
fn with_all_kdcs_silent_a_login_fails_in_time_and_names_them() {
    let mut plot = Plot::honest();
    (plot.tempers[0], plot.tempers[1]) = (Temper::Silent, Temper::Silent);
    let (report, ledger) = run(&plot);
    assert!(between(&report, 10_000, 15_000), "{:?}", report.elapsed);
    for (host, end) in ledger.ends {
        match end {
            Ok(code) => assert_eq!((host, code), (HOST, 200)),
            Err(why) => {
                for what in [
                    "no KDC of the realm HERE.TEST",
                    "kdc1.here.test",
                    "kdc2.here.test",
                ] {
                    assert!(why.contains(what), "{why}");
                }
            }
        }
    }
}

#[test]
fn one_kdc_that_answers_is_enough_whatever_the_other_does() {
    for temper in [
        Temper::Closed,
        Temper::Silent,
        Temper::Late(Duration::from_secs(20)),
        Temper::Doubling,
        Temper::Babbling,
        Temper::Cutting,
        Temper::Endless,
        Temper::Busy,
    ] {
        for at in [0, 1] {
            let mut plot = Plot::honest();
            plot.tempers[at] = temper;
            let (report, ledger) = run(&plot);
            assert!(all_came(&ledger), "{temper:?}: {:?}", ledger.ends);
            assert!(
                between(&report, 1, 2000),
                "{temper:?}: {:?}",
                report.elapsed
            );
        }
    }
}

#[test]
fn a_kdc_that_lies_brings_no_ticket() {
    for temper in [
        Temper::Renumbering,
        Temper::Misplaced,
        Temper::Refusing(18),
        Temper::Refusing(23),
        Temper::Refusing(4711),
        Temper::Grinding,
    ] {
        let mut plot = Plot::honest();
        (plot.tempers[0], plot.tempers[1]) = (temper, temper);
        let (_, ledger) = run(&plot);
        for (host, end) in &ledger.ends {
            let came = *end == Ok(200);
            assert_eq!(came, *host == HOST, "{temper:?}: {:?}", ledger.ends);
        }
    }
}

#[test]
fn an_answer_to_an_earlier_question_is_none() {
    let mut plot = Plot::honest();
    (plot.tempers[0], plot.tempers[1]) = (Temper::Replaying, Temper::Replaying);
    // One after the other: the second ticket's answer is that of the first.
    plot.wishes[1].0 = Duration::from_secs(1);
    let (_, ledger) = run(&plot);
    for (host, end) in &ledger.ends {
        let came = *end == Ok(200);
        assert_eq!(came, *host != FAR, "{:?}", ledger.ends);
    }
}

#[test]
fn answers_too_large_for_datagrams_come_by_streams() {
    let mut plot = Plot::honest();
    plot.datagram = 300;
    let (report, ledger) = run(&plot);
    assert!(all_came(&ledger) && ledger.by_stream > 0);
    assert!(between(&report, 1, 150), "{:?}", report.elapsed);
}

#[test]
fn whatever_a_service_says_instead_of_a_proof_nothing_of_it_is_taken() {
    for manners in [
        Manners::Forged,
        Manners::Mistimed,
        Manners::Unproven,
        Manners::Tampering,
        Manners::Babbling,
        Manners::Foreign,
        Manners::Insatiable,
        Manners::Endless,
        Manners::Rejecting,
        Manners::Skewed,
        Manners::Downgrading,
    ] {
        let mut plot = Plot::honest();
        plot.manners[0] = manners;
        let (_, ledger) = run(&plot);
        for (host, end) in &ledger.ends {
            let came = *end == Ok(200);
            assert_eq!(came, *host != NEAR, "{manners:?}: {:?}", ledger.ends);
        }
    }
}

#[test]
fn a_single_connection_does_not_keep_the_second_kdc_from_being_asked() {
    let mut plot = Plot::honest();
    plot.tempers[0] = Temper::Silent;
    plot.limits.connections = 1;
    let (report, ledger) = run(&plot);
    assert!(all_came(&ledger), "{:?}", ledger.ends);
    assert!(between(&report, 1000, 1200), "{:?}", report.elapsed);
}

#[test]
fn transfers_that_wait_for_their_turn_wait_for_their_tickets_as_well() {
    let mut plot = Plot::honest();
    plot.limits.connections_per_host = 1;
    let get = |n: usize| (Duration::ZERO, Wish::get([NEAR, FAR][n % 2], 1000));
    plot.wishes = (0..8).map(get).collect();
    plot.manners = [Manners::Forgetful; 2];
    let (_, ledger) = run(&plot);
    assert!(all_came(&ledger), "{:?}", ledger.ends);
}

#[test]
fn many_transfers_share_a_login_and_a_ticket() {
    let mut plot = Plot::honest();
    let get = |n: usize| (Duration::ZERO, Wish::get([NEAR, FAR][n % 2], 1000));
    plot.wishes = (0..40).map(get).collect();
    let (_, ledger) = run(&plot);
    assert!(all_came(&ledger) && ledger.ends.len() == 40);
    assert_eq!(ledger.logins.len(), 1);
    assert!(ledger.tickets.values().all(|asked| asked.len() == 1));
}

#[test]
fn clocks_that_differ_are_put_right() {
    for ahead in [-100_000, -3600, 3600, 100_000] {
        let mut plot = Plot::honest();
        plot.ahead = ahead;
        let (_, ledger) = run(&plot);
        assert!(all_came(&ledger), "{ahead}: {:?}", ledger.ends);
    }
}
