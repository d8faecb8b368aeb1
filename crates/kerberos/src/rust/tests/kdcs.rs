//! Logins and tickets: what KDCs may answer, rightly or wrongly.

use sockless_core::{Culprit, Protocol, Reason};

use super::*;
use crate::ccache::tests::{counted, name as name_in_file};
use crate::lookup::tests::answer as records;

fn built(config: Config) -> Arc<Kerberos> {
    config.build().expect("a provider")
}

#[test]
fn tickets_are_fetched_with_each_type_of_key() {
    for enctype in Enctype::ALL {
        let mut world = World::new(enctype);
        world.password = enctype.number() < 19;
        let kerberos = built(match world.password {
            true => alice_by(PASSWORD),
            false => alice(),
        });
        fetch(&kerberos, &mut world, "www", wall()).expect("a ticket");
        let login = format!("krbtgt/{HOME}@{HOME}");
        let service = format!("HTTP/www@{HOME}");
        assert_eq!(world.asked, [&login, &login, &service].map(String::clone));
        assert!(kerberos.context("HTTP", "www").is_ok());
        // It has it, and it asks again before that ends.
        assert_eq!(kerberos.lacks("HTTP", "www", wall()), None);
        let later = wall() + Duration::from_secs(36000);
        assert!(kerberos.lacks("HTTP", "www", later).is_some());
    }
}

/// Time and randomness come from outside alone.
#[test]
fn the_same_inputs_give_the_same_messages() {
    let messages = |seed: u8| {
        let mut world = World::new(Enctype::Aes256Sha1);
        let kerberos = built(alice().random([seed; 32]));
        let mut seen = Vec::new();
        while let Ok(Some(mut errand)) = kerberos.errand("HTTP", "www", wall()) {
            let mut note = |inquiry: &Inquiry, _: &mut Vec<u8>| seen.push(inquiry.message.to_vec());
            run(&mut *errand, &mut world, wall(), &mut note).expect("a ticket");
        }
        seen
    };
    assert_eq!(messages(1).len(), 3);
    assert_eq!(messages(1), messages(1));
    for (one, other) in messages(1).iter().zip(messages(2)) {
        assert_ne!(*one, other);
    }
}

#[test]
fn without_a_seed_there_is_no_provider() {
    let credentials = Credentials::password("alice", PASSWORD, &realms()).expect("a name");
    let config = Config::new(credentials, realms()).backend(Backend::Rust);
    let fault = config.build().expect_err("nothing to draw from");
    assert!(
        fault
            .remedy
            .is_some_and(|text| text.contains("Config::random"))
    );
}

/// A day early or late, from the beginning or in between.
#[test]
fn a_clock_that_is_wrong_is_corrected_by_the_kdcs() {
    let day = Duration::from_secs(86400);
    for wrong in [wall() - day, wall() + day] {
        let mut world = World::new(Enctype::Aes256Sha1);
        let kerberos = built(alice());
        fetch(&kerberos, &mut world, "www", wrong).expect("a ticket");
        // A second attempt at the login, none at the ticket.
        assert_eq!(world.asked.len(), 4, "{:?}", world.asked);
        world.now += 1000;
        fetch(&kerberos, &mut world, "other", wrong).expect("a ticket");
        assert_eq!(world.asked.len(), 6, "{:?}", world.asked);
    }
    let mut world = World::new(Enctype::Aes256Sha1);
    let kerberos = built(alice());
    let mut errand = kerberos
        .errand("HTTP", "www", wall())
        .expect("begun")
        .expect("one");
    let mut skewed = |_: &Inquiry, answer: &mut Vec<u8>| {
        if answer[0] != application(30) {
            *answer = refusal(37, NOW + 9000, &[]).to_vec();
        }
    };
    let fault = run(&mut *errand, &mut world, wall(), &mut skewed).expect_err("never content");
    assert!(
        fault.what.contains("(KRB_AP_ERR_SKEW, 37)"),
        "{}",
        fault.what
    );
    // What nobody vouched for has changed nothing. The failure itself is told again for a while.
    drop(errand);
    let mut world = World::new(Enctype::Aes256Sha1);
    let later = wall() + Duration::from_secs(30);
    fetch(&kerberos, &mut world, "www", later).expect("a ticket");
    assert_eq!(world.asked.len(), 3, "{:?}", world.asked);
}

/// Its own realm's clock is the user's, as soon as it is proven, and no other realm's.
#[test]
fn another_realms_clock_is_for_its_own_kdc_alone() {
    let day = 86400;
    let mut world = World::new(Enctype::Aes256Sha1);
    world.ahead = day;
    world.leads = [((HOME.to_owned(), "far".to_owned()), "OTHER.TEST".to_owned())].into();
    let kerberos = built(alice());
    fetch(&kerberos, &mut world, "far", wall()).expect("a ticket");
    // Twice at the other realm, for its clock.
    assert_eq!(world.asked.len(), 5, "{:?}", world.asked);
    fetch(&kerberos, &mut world, "www", wall()).expect("a ticket");
    assert_eq!(world.asked.len(), 6, "{:?}", world.asked);
    // Ours has a new time after all: a ticket has proven it, and so it is asked once the next time.
    world.now += day;
    fetch(&kerberos, &mut world, "one", wall()).expect("a ticket");
    assert_eq!(world.asked.len(), 8, "{:?}", world.asked);
    fetch(&kerberos, &mut world, "two", wall()).expect("a ticket");
    assert_eq!(world.asked.len(), 9, "{:?}", world.asked);
}

/// A refusal that tells a time is anybody's: what else goes on meanwhile has the time that it had.
#[test]
fn a_time_that_is_only_supposed_is_nobody_elses() {
    let mut world = World::new(Enctype::Aes256Sha1);
    let kerberos = built(alice());
    fetch(&kerberos, &mut world, "www", wall()).expect("a ticket");
    let skewed = |ahead: u64| refusal(37, NOW + ahead, &[]).to_vec();
    let begun = |host: &str, ahead: u64| {
        let mut errand = kerberos
            .errand("HTTP", host, wall())
            .expect("begun")
            .expect("one");
        errand.step(None, wall()).expect("a question");
        let refused = skewed(ahead);
        errand
            .step(Some(Ok(&refused)), wall())
            .expect("it asks again");
        errand
    };
    let both = [begun("one", 9000), begun("two", 18000)];
    let asked = world.asked.len();
    fetch(&kerberos, &mut world, "three", wall()).expect("a ticket");
    drop(both);
    fetch(&kerberos, &mut world, "four", wall()).expect("a ticket");
    assert_eq!(world.asked.len(), asked + 2, "{:?}", world.asked);
}

#[test]
fn each_refusal_has_its_name_and_no_secret() {
    for (code, name) in [
        (6, "KDC_ERR_C_PRINCIPAL_UNKNOWN"),
        (18, "KDC_ERR_CLIENT_REVOKED"),
        (23, "KDC_ERR_KEY_EXPIRED"),
        (52, "KRB_ERR_RESPONSE_TOO_BIG"),
        (60, "KRB_ERR_GENERIC"),
    ] {
        let mut world = World::new(Enctype::Aes256Sha1);
        world.refusals = vec![code; 2];
        let kerberos = built(alice());
        let fault = fetch(&kerberos, &mut world, "www", wall()).expect_err("refused");
        assert_eq!(fault.reason, Reason::Authentication);
        assert!(
            fault.what.contains(&format!("({name}, {code})")),
            "{}",
            fault.what
        );
        assert!(fault.what.contains("says it") && !fault.what.contains(PASSWORD));
    }
    let mut world = World::new(Enctype::Aes256Sha1);
    let fault = fetch(&built(alice_by("shut sesame")), &mut world, "www", wall());
    let fault = fault.expect_err("another password");
    assert!(
        fault.what.contains("(KDC_ERR_PREAUTH_FAILED, 24)"),
        "{}",
        fault.what
    );
    assert!(!fault.what.contains("sesame"));
}

#[test]
fn what_is_too_large_for_a_datagram_is_asked_by_a_stream() {
    let mut world = World::new(Enctype::Aes256Sha1);
    let kerberos = built(alice());
    world.refusals = vec![52];
    let mut errand = kerberos
        .errand("HTTP", "www", wall())
        .expect("begun")
        .expect("one");
    let mut streams = Vec::new();
    let mut note = |inquiry: &Inquiry, _: &mut Vec<u8>| streams.push(inquiry.stream);
    run(&mut *errand, &mut world, wall(), &mut note).expect("a login");
    assert_eq!(streams, [false, true, true]);
}

/// Nobody vouches for the hint: it must not make the key easy to guess.
#[test]
fn too_few_or_too_many_rounds_are_refused() {
    for rounds in [1u32, 100, 4095, 100_001, 0x7fff_ffff] {
        let mut world = World::new(Enctype::Aes256Sha1);
        world.rounds = rounds;
        let fault = fetch(&built(alice_by(PASSWORD)), &mut world, "www", wall());
        assert_eq!(
            fault.expect_err("refused").culprit,
            Culprit::Limit,
            "{rounds}"
        );
    }
}

/// One derivation is all that hints can make us do.
#[test]
fn a_password_becomes_a_key_once() {
    let mut world = World::new(Enctype::Aes256Sha1);
    (world.password, world.late) = (true, true);
    fetch(&built(alice_by(PASSWORD)), &mut world, "www", wall()).expect("by the first hint");
    let kerberos = built(alice_by(PASSWORD));
    let errand = kerberos.errand("HTTP", "www", wall()).expect("begun");
    let mut other_type = |_: &Inquiry, answer: &mut Vec<u8>| {
        if answer[0] == application(11) {
            let reply = sequence(&[
                field(0, &integer(5)),
                field(1, &integer(11)),
                field(2, &hints(Enctype::Aes128Sha1, "salt", 4096)),
                field(6, &typed(0, 17, 2, &[0; 64])),
            ]);
            *answer = wrap(application(11), &reply).to_vec();
        }
    };
    let fault = run(
        &mut *errand.expect("one"),
        &mut world,
        wall(),
        &mut other_type,
    );
    let fault = fault.expect_err("another type");
    assert!(
        fault.what.contains("(KDC_ERR_ETYPE_NOSUPP, 14)"),
        "{}",
        fault.what
    );
}

/// Files have what a service got for others (S4U), and keys of types that are not taken.
#[test]
fn a_file_has_tickets_that_are_passed_over() {
    let mut world = World::new(Enctype::Aes256Sha1);
    let key = key_of(Enctype::Aes256Sha1);
    let ticket = wrap(application(1), &sequence(&[]));
    world.tickets.insert(ticket.to_vec(), key.clone());
    let mut file = vec![5, 4, 0, 0];
    name_in_file(&mut file, HOME, &["alice"]);
    for (client, kind, bytes) in [
        ("alice", 18u16, key.bytes()),
        ("bob", 18, &[7; 32]),
        ("alice", 23, &[7; 16]),
        ("alice", 18, &[7; 16]),
    ] {
        name_in_file(&mut file, HOME, &[client]);
        name_in_file(&mut file, HOME, &["krbtgt", HOME]);
        file.extend_from_slice(&kind.to_be_bytes());
        counted(&mut file, bytes);
        let now = NOW as u32;
        for time in [now, now, now + 36000, 0] {
            file.extend_from_slice(&time.to_be_bytes());
        }
        file.extend_from_slice(&[0; 13]);
        counted(&mut file, &ticket);
        counted(&mut file, b"");
    }
    let credentials = Credentials::ccache(&file).expect("a file");
    let config = Config::new(credentials, realms()).backend(Backend::Rust);
    let kerberos = built(config.random([4; 32]));
    fetch(&kerberos, &mut world, "www", wall()).expect("a ticket");
    assert_eq!(world.asked, [format!("HTTP/www@{HOME}")]);
}

/// Each byte of each answer: whatever comes of it, it is no panic and no other ticket.
#[test]
fn changed_answers_bring_no_other_ticket() {
    for at_answer in [1, 2] {
        let mut refused = 0;
        for at in 0.. {
            let mut world = World::new(Enctype::Aes128Sha1);
            let kerberos = built(alice());
            let (mut answers, mut beyond) = (0, false);
            let mut change = |_: &Inquiry, answer: &mut Vec<u8>| {
                if answers == at_answer {
                    match answer.get_mut(at) {
                        Some(byte) => *byte ^= 0x11,
                        None => beyond = true,
                    }
                }
                answers += 1;
            };
            let mut outcome = Ok(());
            while let (Ok(()), Ok(Some(mut errand))) =
                (&outcome, kerberos.errand("HTTP", "www", wall()))
            {
                outcome = run(&mut *errand, &mut world, wall(), &mut change);
            }
            refused += usize::from(outcome.is_err());
            if beyond {
                break;
            }
            if outcome.is_ok() {
                assert_eq!(kerberos.lacks("HTTP", "www", wall()), None);
                assert!(kerberos.lacks("HTTP", "other", wall()).is_some());
            }
        }
        assert!(refused > 200, "{refused}");
    }
}

#[test]
fn another_realm_is_reached_by_referral() {
    let mut world = World::new(Enctype::Aes256Sha1);
    let lead = |from: &str, to: &str| ((from.to_owned(), "far".to_owned()), to.to_owned());
    world.leads = [lead(HOME, "OTHER.TEST"), lead("OTHER.TEST", "THIRD.TEST")].into();
    let kerberos = built(alice());
    fetch(&kerberos, &mut world, "far", wall()).expect("a ticket");
    let ways: Vec<_> = world.asked[2..].iter().map(String::as_str).collect();
    assert_eq!(
        ways,
        [
            "HTTP/far@HOME.TEST",
            "HTTP/far@OTHER.TEST",
            "HTTP/far@THIRD.TEST"
        ]
    );
}

/// A realm that is known: its KDC is asked, by a ticket that serves the next time as well.
#[test]
fn another_realm_is_reached_by_name() {
    let mut world = World::new(Enctype::Aes256Sha1);
    let kerberos = built(alice_in(realms().domain(".other.test", "OTHER.TEST")));
    for host in ["a.other.test", "b.other.test"] {
        fetch(&kerberos, &mut world, host, wall()).expect("a ticket");
    }
    assert_eq!(
        world.asked[2..],
        [
            "krbtgt/OTHER.TEST@HOME.TEST",
            "HTTP/a.other.test@OTHER.TEST",
            "HTTP/b.other.test@OTHER.TEST"
        ]
    );
}

#[test]
fn realms_that_lead_in_a_circle_are_left() {
    let mut world = World::new(Enctype::Aes256Sha1);
    let lead = |from: &str, to: &str| ((from.to_owned(), "far".to_owned()), to.to_owned());
    world.leads = [lead(HOME, "OTHER.TEST"), lead("OTHER.TEST", HOME)].into();
    let fault = fetch(&built(alice()), &mut world, "far", wall()).expect_err("a circle");
    assert!(
        fault
            .what
            .contains("in a circle: HOME.TEST -> OTHER.TEST -> HOME.TEST")
    );
}

#[test]
fn an_alias_is_taken_and_a_login_for_another_realm_is_not() {
    let mut world = World::new(Enctype::Aes256Sha1);
    world.instead = Some(["HTTP", "real.name"]);
    let kerberos = built(alice());
    fetch(&kerberos, &mut world, "www", wall()).expect("a ticket");
    assert_eq!(kerberos.lacks("HTTP", "www", wall()), None);
    // A question for another realm's KDC, answered with a service.
    let known = realms().domain("www", "OTHER.TEST");
    let fault = fetch(&built(alice_in(known)), &mut world, "www", wall());
    let fault = fault.expect_err("a ticket of another kind");
    assert!(
        fault.what.contains("(KRB_AP_ERR_MODIFIED, 41)"),
        "{}",
        fault.what
    );
}

#[test]
fn a_ticket_to_hand_on_is_asked_for_where_it_is_wanted() {
    const OK_AS_DELEGATE: u32 = 0x0004_0000;
    for (delegation, flags, more) in [
        (Delegation::None, OK_AS_DELEGATE, 0),
        (Delegation::Policy, 0, 0),
        (Delegation::Policy, OK_AS_DELEGATE, 1),
        (Delegation::Always, 0, 1),
    ] {
        let mut world = World::new(Enctype::Aes256Sha1);
        world.flags = flags;
        let kerberos = built(alice().delegation(delegation));
        for host in ["one", "two"] {
            fetch(&kerberos, &mut world, host, wall()).expect("a ticket");
        }
        assert_eq!(world.asked.len(), 4 + more, "{delegation:?}");
    }
}

/// The service's ticket is good without one to hand on, unless that is wanted in any case.
#[test]
fn a_ticket_to_hand_on_that_cannot_be_had_costs_no_other() {
    for delegation in [Delegation::Policy, Delegation::Always] {
        for unanswered in [true, false] {
            let mut world = World::new(Enctype::Aes256Sha1);
            world.flags = 0x0004_0000;
            let kerberos = built(alice().delegation(delegation));
            let login = kerberos.errand("HTTP", "www", wall()).expect("begun");
            run(
                &mut *login.expect("one"),
                &mut world,
                wall(),
                &mut |_, _| (),
            )
            .expect("a login");
            let errand = kerberos.errand("HTTP", "www", wall()).expect("begun");
            let mut errand = errand.expect("one");
            let Ok(Need::Ask(first)) = errand.step(None, wall()) else {
                panic!("no question");
            };
            let granted = world.answer(&first);
            assert!(matches!(
                errand.step(Some(Ok(&granted)), wall()),
                Ok(Need::Ask(_))
            ));
            let refused = refusal(60, NOW, &[]);
            let nobody = Fault::new(Culprit::Transport, Reason::Resolve, "nobody answers");
            let outcome = errand.step(
                Some(match unanswered {
                    true => Err(nobody),
                    false => Ok(&refused),
                }),
                wall(),
            );
            let is_enough = delegation == Delegation::Policy;
            assert_eq!(outcome.is_ok(), is_enough, "{delegation:?} {unanswered}");
            assert_eq!(kerberos.context("HTTP", "www").is_ok(), is_enough);
        }
    }
}

/// Where DNS has named KDCs that do not help, it is asked again.
#[test]
fn kdcs_that_fail_are_looked_up_anew() {
    let known = Realms::new().default_to(HOME).name_server("192.0.2.1");
    let kerberos = built(alice_in(known.expect("an address")));
    let mut ids = Vec::new();
    for at in [0, 30, 60] {
        let now = wall() + Duration::from_secs(at);
        let errand = kerberos.errand("HTTP", "www", now).expect("begun");
        let mut errand = errand.expect("one");
        let Ok(Need::Ask(question)) = errand.step(None, now) else {
            panic!("no question");
        };
        assert_eq!(question.protocol, Protocol::Dns);
        ids.push(question.message[..2].to_vec());
        let found = records(&question.message, &[(0, 0, 88, "false.test")]);
        let Ok(Need::Ask(question)) = errand.step(Some(Ok(&found)), now) else {
            panic!("no question");
        };
        assert_eq!(question.protocol, Protocol::Kerberos);
        let refused = refusal(60, NOW, &[]);
        let nobody = Fault::new(Culprit::Transport, Reason::Resolve, "nobody answers");
        let answer = match at {
            0 => Err(nobody),
            _ => Ok(&refused[..]),
        };
        assert!(errand.step(Some(answer), now).is_err());
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
}

/// Numbers, lengths and tags at random where answers belong.
#[test]
fn garbage_is_no_answer() {
    let (mut random, mut ended) = (random(5), 0);
    for _ in 0..2000 {
        let mut world = World::new(Enctype::Aes128Sha1);
        let kerberos = built(alice());
        let mut errand = kerberos
            .errand("HTTP", "www", wall())
            .expect("begun")
            .expect("one");
        let mut change = |_: &Inquiry, answer: &mut Vec<u8>| {
            let [cut, at, by, kind] = random.array();
            match kind % 3 {
                0 => answer.truncate(usize::from(cut)),
                1 => {
                    let at = usize::from(at) % answer.len();
                    answer[at] = by;
                }
                _ => *answer = random.array::<40>()[..usize::from(cut) % 40].to_vec(),
            }
        };
        let outcome = run(&mut *errand, &mut world, wall(), &mut change);
        ended += usize::from(outcome.is_err());
    }
    // A byte that is changed may be one that nobody reads.
    assert!((1500..=2000).contains(&ended), "{ended}");
}
