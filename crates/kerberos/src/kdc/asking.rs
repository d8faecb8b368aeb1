//! Whom to ask when: KDCs in turn, datagrams before streams, and nobody is waited for long.

use core::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sockless_core::{Culprit, Fault, Inquiry, Kdc, Reason};
use zeroize::Zeroizing;

use crate::der::{is_answer_to, is_unavailable, wants_stream};

/// How long a KDC may be silent before the next one is asked as well.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the last one may be silent before all have been.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// The largest message that is tried by datagram, in bytes; MIT's `udp_preference_limit`.
const DATAGRAM: usize = 1465;

/// Attempts to get one answer.
const ATTEMPTS: usize = 32;

/// One question to a realm, until there is an answer or nobody left to ask.
///
/// It does no I/O: [`Asking::next`] says what to do, [`Asking::answered`] and [`Asking::failed`]
/// take what came of it.
///
/// ```text
///   by datagram: kdc 1, kdc 2, ...     the next a second after the one before, or as soon as it fails;
///   by stream:   kdc 1, kdc 2, ...     a datagram that says "too big" is a stream to that KDC at once
/// ```
pub struct Asking {
    realm: Arc<str>,
    message: Zeroizing<Vec<u8>>,
    attempts: Vec<Attempt>,
    /// Attempts that have begun, always the first ones.
    begun: usize,
    /// When the next one begins, or, after the last, all have had their time.
    next_at: Option<Instant>,
    answer: Option<(Kdc, Vec<u8>)>,
}

struct Attempt {
    kdc: Kdc,
    via: Via,
    failed: Option<String>,
}

/// How a KDC is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Via {
    /// By a datagram.
    Datagram {
        /// Name or address.
        host: Arc<str>,
        /// Port.
        port: u16,
    },
    /// By a message on a stream.
    Stream {
        /// Name or address.
        host: Arc<str>,
        /// Port.
        port: u16,
    },
    /// Through the KDC proxy at this URL.
    Proxy(Arc<str>),
}

/// What to do.
#[derive(Debug)]
pub enum Act {
    /// Ask this way, and say what came of attempt number `attempt`.
    Start {
        /// Its number.
        attempt: usize,
        /// How.
        via: Via,
    },
    /// Nothing, until an attempt ends or this time has come.
    Wait(Option<Instant>),
    /// This is the answer, from this KDC; what still runs is of no use.
    Answer(Kdc, Vec<u8>),
    /// Nobody has answered.
    Failed(Fault),
}

impl Asking {
    /// Begins. Without `datagrams` (through a proxy) only streams are used. `favourite`: the KDC
    /// that answered last.
    pub fn new(inquiry: Inquiry, datagrams: bool, favourite: Option<&Kdc>) -> Self {
        let small = inquiry.message.len() <= DATAGRAM;
        let datagrams = datagrams && !inquiry.stream && small;
        let favoured = favourite.filter(|kdc| inquiry.kdcs.contains(kdc));
        let rest = inquiry.kdcs.iter().filter(|kdc| Some(*kdc) != favoured);
        let kdcs: Vec<&Kdc> = favoured.into_iter().chain(rest).collect();
        let by_datagram = kdcs.iter().filter_map(|kdc| match kdc {
            Kdc::Any { host, port } if datagrams => Some(Attempt::new(
                kdc,
                Via::Datagram {
                    host: Arc::clone(host),
                    port: *port,
                },
            )),
            Kdc::Any { .. } => None,
            // What knows no datagrams is not put behind those that do.
            other => Some(Attempt::new(other, by_stream(other))),
        });
        let then = kdcs.iter().filter(|kdc| matches!(kdc, Kdc::Any { .. }));
        let then = then.map(|kdc| Attempt::new(kdc, by_stream(kdc)));
        let attempts = by_datagram.chain(then).take(ATTEMPTS).collect();
        Self {
            realm: inquiry.realm,
            message: inquiry.message,
            attempts,
            begun: 0,
            next_at: None,
            answer: None,
        }
    }

    /// The message, without any framing.
    pub fn message(&self) -> &Zeroizing<Vec<u8>> {
        &self.message
    }

    /// The realm that is asked.
    pub fn realm(&self) -> &Arc<str> {
        &self.realm
    }

    /// What to do now; ask again until it says [`Act::Wait`] or is over.
    pub fn next(&mut self, now: Instant) -> Act {
        if let Some((kdc, answer)) = self.answer.take() {
            return Act::Answer(kdc, answer);
        }
        let none_runs = self.attempts[..self.begun]
            .iter()
            .all(|attempt| attempt.failed.is_some());
        let due = none_runs || self.next_at.is_some_and(|at| at <= now);
        if !due {
            return Act::Wait(self.next_at);
        }
        let Some(attempt) = self.attempts.get(self.begun) else {
            return Act::Failed(self.nobody());
        };
        let via = attempt.via.clone();
        self.begun += 1;
        let last = self.begun == self.attempts.len();
        self.next_at = now.checked_add(if last { LAST_PATIENCE } else { PATIENCE });
        Act::Start {
            attempt: self.begun - 1,
            via,
        }
    }

    /// An attempt has brought this message.
    pub fn answered(&mut self, attempt: usize, answer: &[u8]) {
        let Some(Attempt { kdc, via, .. }) = self.attempts.get(attempt) else {
            return;
        };
        if !is_answer_to(&self.message, answer) {
            self.failed(attempt, "what it answers is no Kerberos message");
        } else if is_unavailable(answer) {
            self.failed(attempt, "it cannot answer now");
        } else if matches!(via, Via::Datagram { .. }) && wants_stream(answer) {
            let kdc = kdc.clone();
            self.failed(attempt, "the answer is too large for a datagram");
            self.stream_next(kdc);
        } else {
            self.answer = Some((kdc.clone(), answer.to_vec()));
        }
    }

    /// An attempt has failed.
    pub fn failed(&mut self, attempt: usize, why: impl Into<String>) {
        if let Some(attempt) = self.attempts.get_mut(attempt) {
            attempt.failed.get_or_insert(why.into());
        }
    }

    /// That KDC is asked by a stream, at once.
    fn stream_next(&mut self, kdc: Kdc) {
        let via = by_stream(&kdc);
        let untried = &mut self.attempts[self.begun..];
        match untried.iter().position(|attempt| attempt.via == via) {
            Some(at) => untried[..=at].rotate_right(1),
            None => return,
        }
        self.next_at = None;
        // Others that run are slower than this one has been: it does not wait for them.
        for attempt in &mut self.attempts[..self.begun] {
            attempt
                .failed
                .get_or_insert_with(|| "another one was faster".to_owned());
        }
    }

    fn nobody(&self) -> Fault {
        let mut what = format!("no KDC of the realm {} has answered", self.realm);
        for (n, attempt) in self.attempts.iter().enumerate() {
            let why = attempt.failed.as_deref().unwrap_or("silent");
            what.push_str(if n == 0 { ": " } else { ", " });
            what.push_str(&format!("{}: {why}", attempt.via));
        }
        Fault::new(Culprit::Transport, Reason::Connect, what)
            .remedy("check that the KDCs run and can be reached from here")
    }
}

impl Attempt {
    fn new(kdc: &Kdc, via: Via) -> Self {
        Self {
            kdc: kdc.clone(),
            via,
            failed: None,
        }
    }
}

fn by_stream(kdc: &Kdc) -> Via {
    match kdc {
        Kdc::Any { host, port } | Kdc::Stream { host, port } => Via::Stream {
            host: Arc::clone(host),
            port: *port,
        },
        Kdc::Proxy(url) => Via::Proxy(Arc::clone(url)),
        other => Via::Proxy(other.to_string().into()),
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Datagram { host, port } => write!(f, "{host} port {port} (udp)"),
            Self::Stream { host, port } => write!(f, "{host} port {port} (tcp)"),
            Self::Proxy(url) => f.write_str(url),
        }
    }
}

/// No message.
impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking")
            .field("realm", &self.realm)
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der;

    /// An AS-REQ and an AS-REP as far as their tags go.
    const QUESTION: &[u8] = b"\x6a\x01x";
    const ANSWER: &[u8] = b"\x6b\x01y";

    fn inquiry(kdcs: &[&str], size: usize) -> Inquiry {
        let kdcs = kdcs.iter().map(|host| Kdc::Any {
            host: (*host).into(),
            port: 88,
        });
        let mut message = QUESTION.to_vec();
        message.resize(size.max(QUESTION.len()), 0);
        Inquiry {
            realm: "R".into(),
            message: Zeroizing::new(message),
            kdcs: kdcs.collect(),
            stream: false,
        }
    }

    fn asking(kdcs: &[&str]) -> Asking {
        Asking::new(inquiry(kdcs, 0), true, None)
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "a test must start its Instants somewhere"
    )]
    fn start() -> Instant {
        Instant::now()
    }

    fn started(asking: &mut Asking, now: Instant) -> (usize, String) {
        match asking.next(now) {
            Act::Start { attempt, via } => (attempt, via.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_silent_kdc_costs_one_second() {
        let now = start();
        let mut asking = asking(&["a", "b"]);
        assert_eq!(started(&mut asking, now).1, "a port 88 (udp)");
        let Act::Wait(Some(until)) = asking.next(now) else {
            panic!("it does not wait");
        };
        assert_eq!(until, now + PATIENCE);
        let (second, via) = started(&mut asking, until);
        assert_eq!(via, "b port 88 (udp)");
        asking.answered(second, ANSWER);
        assert!(matches!(asking.next(until), Act::Answer(_, bytes) if bytes == ANSWER));
    }

    #[test]
    fn one_that_fails_costs_nothing_and_all_are_named_in_the_end() {
        let now = start();
        let mut asking = asking(&["a", "b"]);
        for via in ["a port 88 (udp)", "b port 88 (udp)", "a port 88 (tcp)"] {
            let (attempt, begun) = started(&mut asking, now);
            assert_eq!(begun, via);
            asking.failed(attempt, "refused");
        }
        let (last, _) = started(&mut asking, now);
        let Act::Wait(Some(until)) = asking.next(now) else {
            panic!("it does not wait");
        };
        assert_eq!((last, until), (3, now + LAST_PATIENCE));
        let Act::Failed(fault) = asking.next(until) else {
            panic!("it goes on");
        };
        assert!(
            fault.what.contains("a port 88 (udp): refused"),
            "{}",
            fault.what
        );
        assert!(
            fault.what.contains("b port 88 (tcp): silent"),
            "{}",
            fault.what
        );
    }

    #[test]
    fn a_datagram_that_is_too_small_for_the_answer_is_followed_by_a_stream() {
        let now = start();
        let mut asking = asking(&["a", "b"]);
        let (first, _) = started(&mut asking, now);
        asking.answered(first, &der::error(52));
        let (second, via) = started(&mut asking, now);
        assert_eq!(via, "a port 88 (tcp)");
        asking.answered(second, ANSWER);
        assert!(matches!(asking.next(now), Act::Answer(..)));
    }

    #[test]
    fn large_questions_and_tunnels_use_streams() {
        let now = start();
        for mut asking in [
            Asking::new(inquiry(&["a"], DATAGRAM + 1), true, None),
            Asking::new(inquiry(&["a"], 0), false, None),
        ] {
            assert_eq!(started(&mut asking, now).1, "a port 88 (tcp)");
        }
    }

    #[test]
    fn garbage_and_a_busy_kdc_are_passed_over() {
        let now = start();
        let mut asking = asking(&["a", "b", "c"]);
        let (first, _) = started(&mut asking, now);
        asking.answered(first, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let (second, _) = started(&mut asking, now);
        asking.answered(second, &der::error(29));
        let (third, via) = started(&mut asking, now);
        assert_eq!(via, "c port 88 (udp)");
        asking.answered(third, &der::error(6));
        assert!(matches!(asking.next(now), Act::Answer(..)));
    }

    #[test]
    fn the_one_that_answered_last_is_asked_first() {
        let favourite = Kdc::Any {
            host: "b".into(),
            port: 88,
        };
        let mut asking = Asking::new(inquiry(&["a", "b"], 0), true, Some(&favourite));
        assert_eq!(started(&mut asking, start()).1, "b port 88 (udp)");
    }

    #[test]
    fn with_nobody_to_ask_it_fails() {
        let now = start();
        assert!(matches!(asking(&[]).next(now), Act::Failed(_)));
    }
}
