//! KDCs that only DNS knows: SRV records (RFC 2782, RFC 4120 section 7.2.3.2).
//!
//! ```text
//!   _kerberos._udp.REALM --none--> _kerberos._tcp.REALM --none--> nobody is known
//! ```
//!
//! Nobody vouches for what a name server says. A false KDC can give no ticket, but it can deny them, and it is told who
//! the user is: after a login by password it can try passwords on the encrypted time, as whoever listens on the way
//! can. KDCs that were named are not looked up. So that only who sees a question can answer it, its number is drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use simple_dns::rdata::{OPT, RData, SRV};
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};
use sockless_core::{Culprit, Fault, Inquiry, Kdc, Protocol, Reason};
use zeroize::Zeroizing;

use crate::kdc::Verdict;
use crate::realms::is_host;

/// What answers may have by datagram, in bytes (RFC 9715 section 3).
const DATAGRAM: u16 = 1232;

/// KDCs of one realm that are taken from an answer.
const KDCS: usize = 16;

/// Realms whose KDCs are remembered.
const REALMS: usize = 64;

/// How long they are, whatever the records say.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);

/// A question for KDCs, which waits until it is known where they are.
pub(crate) struct Waiting {
    pub(crate) realm: String,
    pub(crate) message: Zeroizing<Vec<u8>>,
    pub(crate) stream: bool,
}

/// The search for a realm's KDCs.
pub(crate) struct Lookup {
    pub(crate) waiting: Waiting,
    /// KDCs that take datagrams as well, or, if there are none, those that take streams alone.
    streams: bool,
    /// The next question's number.
    pub(crate) id: u16,
}

/// What an answer comes to.
pub(crate) enum Heard {
    /// The next question is to be asked.
    Again,
    Found(Arc<[Kdc]>, Duration),
}

impl Lookup {
    /// Begins.
    pub(crate) fn new(waiting: Waiting, id: u16) -> Self {
        Self {
            waiting,
            streams: false,
            id,
        }
    }

    /// The question that is to be asked now.
    ///
    /// # Errors
    /// The realm is no name that DNS could know.
    pub(crate) fn inquiry(&self, name_servers: Arc<[Kdc]>) -> Result<Inquiry, Fault> {
        let mut packet = Packet::new_query(self.id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        *packet.opt_mut() = Some(OPT {
            opt_codes: Vec::new(),
            udp_packet_size: DATAGRAM,
            version: 0,
        });
        let name = self.name();
        let asked = Name::new(&name).map_err(|_| self.nobody())?;
        let question = Question::new(asked, TYPE::SRV.into(), CLASS::IN.into(), false);
        packet.questions.push(question);
        let message = packet.build_bytes_vec().map_err(|_| self.nobody())?;
        Ok(Inquiry {
            realm: self.waiting.realm.as_str().into(),
            protocol: Protocol::Dns,
            message: Zeroizing::new(message),
            kdcs: name_servers,
            stream: false,
        })
    }

    fn name(&self) -> String {
        let transport = if self.streams { "_tcp" } else { "_udp" };
        format!("_kerberos.{transport}.{}", self.waiting.realm)
    }

    /// Takes an answer.
    ///
    /// # Errors
    /// There are no such records.
    pub(crate) fn heard(&mut self, answer: &[u8]) -> Result<Heard, Fault> {
        let packet = Packet::parse(answer).map_err(|error| {
            let what = format!("what a name server answers cannot be read: {error}");
            Fault::misbehaved(Reason::Malformed, what)
        })?;
        let records = packet.answers.iter();
        let mut found: Vec<(&SRV<'_>, u32)> = records
            .filter_map(|record| match &record.rdata {
                // A target that is the root says that there is none; others may be no names of hosts.
                RData::SRV(srv) if srv.port > 0 && is_host(&srv.target.to_string()) => {
                    Some((srv, record.ttl))
                }
                _ => None,
            })
            .collect();
        let lasts = found.iter().map(|(_, ttl)| *ttl).min();
        let Some(lasts) = lasts else {
            return match core::mem::replace(&mut self.streams, true) {
                false => Ok(Heard::Again),
                true => Err(self.nobody()),
            };
        };
        // By the specification equal ones are drawn by weight; the heavier one first is as fair
        // as it takes for a client that asks the next one after a second.
        found.sort_by_key(|(srv, _)| (srv.priority, u16::MAX - srv.weight));
        let kdc = |(srv, _): &(&SRV<'_>, u32)| {
            let host = srv.target.to_string().into();
            let port = srv.port;
            match self.streams {
                true => Kdc::Stream { host, port },
                false => Kdc::Any { host, port },
            }
        };
        let kdcs = found.iter().take(KDCS).map(kdc).collect();
        let lasts = Duration::from_secs(lasts.into()).clamp(SHORTEST, LONGEST);
        Ok(Heard::Found(kdcs, lasts))
    }

    fn nobody(&self) -> Fault {
        let realm = &self.waiting.realm;
        let what = format!(
            "no KDC is known for the realm {realm}, and DNS has no {}",
            self.name()
        );
        Fault::new(Culprit::Misuse, Reason::Resolve, what)
            .remedy("check the realm's name, or name a KDC, e.g. in krb5.conf under [realms]")
    }
}

/// What a message is to whoever asks name servers.
pub(crate) fn verdict(question: &[u8], answer: &[u8]) -> Verdict {
    let (Ok(asked), Ok(answered)) = (Packet::parse(question), Packet::parse(answer)) else {
        return Verdict::Wrong;
    };
    // Some leave the question out of errors.
    let same = match (&asked.questions[..], &answered.questions[..]) {
        ([asked], [answered]) => {
            let name = |question: &Question<'_>| question.qname.to_string().to_ascii_lowercase();
            name(asked) == name(answered) && asked.qtype == answered.qtype
        }
        (_, []) => answered.answers.is_empty(),
        _ => false,
    };
    if !same || asked.id() != answered.id() || !answered.has_flags(PacketFlag::RESPONSE) {
        return Verdict::Wrong;
    }
    match answered.rcode() {
        _ if answered.has_flags(PacketFlag::TRUNCATION) => Verdict::TooLarge,
        RCODE::NoError | RCODE::NameError => Verdict::Answer,
        _ => Verdict::Unavailable,
    }
}

/// What was found, by realm.
#[derive(Debug, Default)]
pub(crate) struct Found(BTreeMap<String, (SystemTime, Arc<[Kdc]>)>);

impl Found {
    /// The KDCs of a realm, if they are known still.
    pub(crate) fn kdcs(&self, realm: &str, wall: SystemTime) -> Option<Arc<[Kdc]>> {
        let (until, kdcs) = self.0.get(realm)?;
        (*until > wall).then(|| Arc::clone(kdcs))
    }

    pub(crate) fn learn(
        &mut self,
        realm: &str,
        kdcs: Arc<[Kdc]>,
        lasts: Duration,
        wall: SystemTime,
    ) {
        if self.0.len() >= REALMS {
            self.0.clear();
        }
        self.0.insert(realm.to_owned(), (wall + lasts, kdcs));
    }

    /// They have not helped: the next time they are looked up anew.
    pub(crate) fn forget(&mut self, realm: &str) {
        self.0.remove(realm);
    }
}

/// Numbers of questions to name servers: none for two at once, and, where there is a secret, none that others foresee.
pub(crate) struct Ids {
    secret: Option<Zeroizing<[u8; 32]>>,
    drawn: u64,
    out: BTreeSet<u16>,
}

impl Ids {
    pub(crate) fn new(secret: Option<Zeroizing<[u8; 32]>>) -> Self {
        Self {
            secret,
            drawn: 0,
            out: BTreeSet::new(),
        }
    }

    /// One that no question has which waits for its answer.
    pub(crate) fn draw(&mut self, realm: &str, wall: SystemTime) -> u16 {
        self.drawn += 1;
        let since = wall.duration_since(SystemTime::UNIX_EPOCH);
        let nanos = since.unwrap_or_default().as_nanos();
        // Its keys are fixed: the same inputs give the same.
        let mut hasher = DefaultHasher::new();
        (self.secret.as_deref(), self.drawn, realm, nanos).hash(&mut hasher);
        let first = hasher.finish() as u16;
        let mut all = (0..=u16::MAX).map(|n| first.wrapping_add(n));
        let id = all.find(|id| !self.out.contains(id)).unwrap_or(first);
        self.out.insert(id);
        id
    }

    /// Its question waits no longer.
    pub(crate) fn give_back(&mut self, id: u16) {
        self.out.remove(&id);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use simple_dns::ResourceRecord;

    use super::*;

    fn lookup(realm: &str) -> Lookup {
        let waiting = Waiting {
            realm: realm.to_owned(),
            message: Zeroizing::default(),
            stream: false,
        };
        Lookup::new(waiting, 7)
    }

    fn question(lookup: &Lookup) -> Vec<u8> {
        let inquiry = lookup.inquiry(Arc::new([])).expect("a name");
        assert_eq!(inquiry.protocol, Protocol::Dns);
        inquiry.message.to_vec()
    }

    /// The answer with these records: priority, weight, port, target.
    pub(crate) fn answer(question: &[u8], records: &[(u16, u16, u16, &str)]) -> Vec<u8> {
        let asked = Packet::parse(question).expect("a question");
        let mut packet = Packet::new_reply(asked.id());
        packet.questions.clone_from(&asked.questions);
        for (priority, weight, port, target) in records {
            let srv = SRV {
                priority: *priority,
                weight: *weight,
                port: *port,
                target: Name::new_unchecked(target),
            };
            let name = asked.questions[0].qname.clone();
            let record = ResourceRecord::new(name, CLASS::IN, 300, RData::SRV(srv));
            packet.answers.push(record);
        }
        packet.build_bytes_vec_compressed().expect("an answer")
    }

    #[test]
    fn records_are_taken_in_their_order() {
        let mut lookup = lookup("EXAMPLE.COM");
        let question = question(&lookup);
        let records = [
            (2, 0, 88, "last.example.com"),
            (1, 10, 88, "light.example.com"),
            (1, 90, 750, "heavy.example.com"),
            (0, 0, 88, ""),
        ];
        let answer = answer(&question, &records);
        assert_eq!(verdict(&question, &answer), Verdict::Answer);
        let Ok(Heard::Found(kdcs, lasts)) = lookup.heard(&answer) else {
            panic!("nothing is found");
        };
        let shown: Vec<_> = kdcs.iter().map(Kdc::to_string).collect();
        let wanted = [
            "heavy.example.com:750",
            "light.example.com:88",
            "last.example.com:88",
        ];
        assert_eq!(shown, wanted);
        assert_eq!(lasts, Duration::from_secs(300));
    }

    /// They get into notes and errors, and to whoever resolves names.
    #[test]
    fn targets_that_are_no_hosts_are_passed_over() {
        let mut lookup = lookup("EXAMPLE.COM");
        let question = question(&lookup);
        for odd in [
            "a\u{1b}[2J.example.com",
            "a\nb",
            "a b.c",
            "a/b",
            "caf\u{e9}.example",
        ] {
            let found = lookup.heard(&answer(&question, &[(0, 0, 88, odd), (1, 0, 88, "b.c")]));
            let Ok(Heard::Found(kdcs, _)) = found else {
                panic!("nothing is found");
            };
            assert_eq!(kdcs.len(), 1, "{kdcs:?}");
        }
        let alone = lookup.heard(&answer(&question, &[(0, 0, 88, "a\u{7}b")]));
        assert!(matches!(alone, Ok(Heard::Again)));
    }

    #[test]
    fn questions_at_once_have_numbers_of_their_own() {
        let drawn = |secret: Option<u8>| {
            let mut ids = Ids::new(secret.map(|byte| Zeroizing::new([byte; 32])));
            let mut all = (0..2000).map(|_| ids.draw("R", SystemTime::UNIX_EPOCH));
            let numbers: Vec<u16> = all.by_ref().collect();
            numbers
        };
        let numbers = drawn(Some(1));
        let distinct: BTreeSet<u16> = numbers.iter().copied().collect();
        assert_eq!(distinct.len(), numbers.len());
        assert_eq!(numbers, drawn(Some(1)));
        assert_ne!(numbers, drawn(Some(2)));
        assert_ne!(numbers, drawn(None));
        // A number that is free again is drawn again.
        let mut ids = Ids::new(None);
        for _ in 0..100_000 {
            let id = ids.draw("R", SystemTime::UNIX_EPOCH);
            ids.give_back(id);
        }
        assert!(ids.out.is_empty());
    }

    #[test]
    fn those_for_streams_come_second_and_nobody_last() {
        let mut lookup = lookup("EXAMPLE.COM");
        let first = question(&lookup);
        assert!(matches!(
            lookup.heard(&answer(&first, &[])),
            Ok(Heard::Again)
        ));
        let second = question(&lookup);
        assert_ne!(first, second);
        let found = lookup.heard(&answer(&second, &[(0, 0, 88, "a.example.com")]));
        let Ok(Heard::Found(kdcs, _)) = found else {
            panic!("nothing is found");
        };
        assert!(matches!(&kdcs[..], [Kdc::Stream { port: 88, .. }]));
        let Err(fault) = lookup.heard(&answer(&second, &[])) else {
            panic!("something is found");
        };
        assert!(
            fault.what.contains("_kerberos._tcp.EXAMPLE.COM"),
            "{}",
            fault.what
        );
        assert_eq!(fault.reason, Reason::Resolve);
    }

    #[test]
    fn what_belongs_to_another_question_is_no_answer() {
        let asked = question(&lookup("EXAMPLE.COM"));
        let good = answer(&asked, &[(0, 0, 88, "a.b")]);
        for at in [1, 2] {
            // The id, and the bit that says answer.
            let mut bad = good.clone();
            bad[at] ^= if at == 1 { 1 } else { 0x80 };
            assert_eq!(verdict(&asked, &bad), Verdict::Wrong);
        }
        let other = answer(&question(&lookup("EXAMPLE.ORG")), &[]);
        assert_eq!(verdict(&asked, &other), Verdict::Wrong);
        let with = |at: usize, bits: u8| {
            let mut changed = good.clone();
            changed[at] |= bits;
            verdict(&asked, &changed)
        };
        assert_eq!(with(2, 0x02), Verdict::TooLarge);
        assert_eq!(with(3, 2), Verdict::Unavailable);
        assert_eq!(with(3, 3), Verdict::Answer);
    }

    #[test]
    fn a_realm_that_is_no_name_is_known_to_nobody() {
        let realm = "x".repeat(70);
        assert!(lookup(&realm).inquiry(Arc::new([])).is_err());
    }

    #[test]
    fn what_was_found_is_remembered_for_a_while() {
        let mut found = Found::default();
        let now = SystemTime::UNIX_EPOCH;
        found.learn("R", Arc::new([]), SHORTEST, now);
        assert!(found.kdcs("R", now + SHORTEST / 2).is_some());
        assert!(found.kdcs("R", now + SHORTEST).is_none() && found.kdcs("S", now).is_none());
        found.forget("R");
        assert!(found.kdcs("R", now).is_none());
    }

    proptest! {
        #[test]
        fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..90) {
            let question = question(&lookup("EXAMPLE.COM"));
            let mut answer = answer(&question, &[(0, 0, 88, "a.example.com")]);
            let _ = verdict(&question, &bytes);
            let at = at % answer.len();
            answer.splice(at.., bytes);
            let _ = verdict(&question, &answer);
            let _ = lookup("EXAMPLE.COM").heard(&answer);
        }
    }
}
