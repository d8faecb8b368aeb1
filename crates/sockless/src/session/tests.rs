//! What only many events in a row show.

use core::time::Duration;

use sockless_core::{
    Culprit, Errand, Fault, Inquiry, Kdc, Need, OpKind, Protocol, Reason, SecurityContext,
    SecurityProvider,
};
use zeroize::Zeroizing;

use super::*;
use crate::{Auth, Proxy, Redirects, TunnelTo};

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

/// Credentials that always lack a ticket, which that KDC would give.
struct Lacking(Kdc);

impl SecurityProvider for Lacking {
    fn context(&self, _: &str, _: &str) -> Result<Box<dyn SecurityContext>, Fault> {
        let what = "there is no ticket";
        Err(Fault::new(Culprit::Policy, Reason::Authentication, what))
    }
    fn lacks(&self, _: &str, _: &str, _: SystemTime) -> Option<Arc<str>> {
        Some("ticket".into())
    }
    fn errand(&self, _: &str, _: &str, _: SystemTime) -> Result<Option<Box<dyn Errand>>, Fault> {
        Ok(Some(Box::new(Asks(self.0.clone()))))
    }
    fn identity(&self) -> Arc<str> {
        "lacking".into()
    }
}

/// Asks one KDC one thing.
struct Asks(Kdc);

impl Errand for Asks {
    fn step(&mut self, answer: Option<Result<&[u8], Fault>>, _: SystemTime) -> Result<Need, Fault> {
        match answer {
            Some(Err(fault)) => Err(fault),
            Some(Ok(_)) => Ok(Need::Nothing),
            None => Ok(Need::Ask(Inquiry {
                realm: "A.TEST".into(),
                protocol: Protocol::Kerberos,
                message: Zeroizing::new(vec![0; 8]),
                kdcs: vec![self.0.clone()].into(),
                stream: false,
            })),
        }
    }
}

fn lacking(kdc: Kdc) -> Auth {
    Auth::negotiate(Arc::new(Lacking(kdc)))
}

fn silent() -> Kdc {
    let (host, port) = ("127.0.0.1".into(), 88);
    Kdc::Stream { host, port }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a test must start its Instants somewhere"
)]
fn session(config: Config) -> (Session, Instant) {
    let start = Instant::now();
    let session = Session::new(config, start, SystemTime::UNIX_EPOCH, 1).expect("session");
    (session, start)
}

#[test]
fn a_stream_may_wait_for_a_ticket_as_long_as_there_is() {
    let (mut session, now) = session(Config::default());
    let proxy = Proxy::parse("socks5://127.0.0.1:1080").expect("a proxy");
    let to = TunnelTo::new("127.0.0.1", 80).expect("a place");
    let to = to
        .proxy(proxy.auth(lacking(silent())))
        .timeouts(|timeouts| timeouts.total = Some(Duration::MAX));
    session.tunnel(to).expect("it starts");
    loop {
        match session.poll(now) {
            Output::Wait(_) => break,
            Output::Event(_, event) => panic!("{event:?}"),
            _ => {}
        }
    }
    assert_eq!(session.active(), 1);
}

/// MS-KKDCP by a proxy that wants the same ticket: neither waits for the other.
#[test]
fn a_ticket_is_not_fetched_by_what_waits_for_it() {
    let kdc = Kdc::Proxy("https://127.0.0.1/KdcProxy".into());
    let auth = lacking(kdc);
    let proxy = Proxy::parse("http://127.0.0.1:3128").expect("a proxy");
    let config = Config {
        kdc_proxies: vec![proxy.clone().auth(auth.clone())],
        ..Config::default()
    };
    let (mut session, now) = session(config);
    let request = Request::get("https://127.0.0.1/").expect("a good URL");
    let request = request.proxy(proxy.auth(auth));
    let request = request.options(|options| options.notes = true);
    let id = session.start(now, request).expect("it starts");
    let mut notes = String::new();
    // It goes on, and fails where the ticket is needed: here it only has to get to its own connection.
    let connect = loop {
        match session.poll(now) {
            Output::Submit(op) => break op,
            Output::Event(of, event) => {
                assert_eq!(of, id, "{event:?}");
                notes += &format!("{event:?}\n");
            }
            Output::Wait(_) => panic!("each waits for the other: {notes}"),
            _ => {}
        }
    };
    assert!(matches!(connect.kind, OpKind::Connect { .. }));
    assert!(notes.contains("a proxy that wants a ticket"), "{notes}");
}

/// A server that redirects, and wants a ticket from where it leads; none comes.
#[test]
fn nothing_is_left_of_a_transfer_that_ends_where_it_waits() {
    const REDIRECT: &[u8] = b"HTTP/1.1 302 Found\r\nLocation: /on\r\nConnection: close\r\n\
        Content-Length: 0\r\n\r\n";
    const CHALLENGE: &[u8] =
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n";
    let (mut session, now) = session(Config::default());
    let request = Request::get("http://127.0.0.1/")
        .expect("a good URL")
        .auth(lacking(silent()))
        .redirects(Redirects::follow(5));
    let id = session.start(now, request).expect("it starts");
    let mut answers = vec![CHALLENGE, REDIRECT];
    let mut challenged = false;
    loop {
        match session.poll(now) {
            Output::Submit(mut op) => {
                let result = match &mut op.kind {
                    OpKind::Send { bufs } => bufs.iter().map(|buf| buf.len()).sum(),
                    OpKind::Recv { buf, .. } => match answers.pop() {
                        None => continue,
                        Some(answer) => {
                            let buf = buf.get_or_insert_with(|| Buf::with_capacity(answer.len()));
                            buf.spare_mut()[..answer.len()].copy_from_slice(answer);
                            answer.len()
                        }
                    },
                    _ => 0,
                };
                session.complete(now, op, Ok(result));
            }
            Output::Event(_, event @ Event::Done { .. }) => panic!("{event:?}"),
            Output::Event(_, event) => challenged |= matches!(event, Event::Challenged { .. }),
            Output::Wait(_) => break,
            _ => {}
        }
    }
    assert!(challenged && answers.is_empty());
    assert!(session.hops.is_empty(), "the hop is over");
    session.cancel(id);
    let end = loop {
        match session.poll(now) {
            Output::Event(of, Event::Done { outcome, .. }) => break (of, outcome),
            Output::Wait(_) => panic!("no end"),
            _ => {}
        }
    };
    assert_eq!(end.0, id);
    assert_eq!(end.1.expect_err("cancelled").reason(), Reason::Cancelled);
    assert_eq!((session.active(), session.hops.len()), (0, 0));
}
