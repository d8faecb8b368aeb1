//! Negotiate with a scripted mechanism.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use sockless_core::{Cx, Fault, Note, Reason, SecurityContext, SecurityProvider, Step};
use sockless_http::{Credentials, Dialog, Verdict};

use crate::client::{Client, mufasa, origin};

/// What each step expects from the peer, and gives.
type Script = Vec<(Option<&'static str>, Result<Step, &'static str>)>;

struct Scripted {
    /// The script of each context, in the order that they are made; without one: no ticket.
    scripts: Mutex<Vec<Script>>,
    made: Mutex<Vec<String>>,
    /// It has to fetch something first.
    lacks: AtomicBool,
}

impl SecurityProvider for Scripted {
    fn context(&self, service: &str, host: &str) -> Result<Box<dyn SecurityContext>, Fault> {
        self.made.lock().unwrap().push(format!("{service}@{host}"));
        let mut scripts = self.scripts.lock().unwrap();
        if scripts.is_empty() {
            return Err(failure("no ticket"));
        }
        Ok(Box::new(Steps(scripts.remove(0))))
    }

    fn lacks(&self, _: &str, _: &str, _: SystemTime) -> Option<Arc<str>> {
        self.lacks.load(Relaxed).then(|| "a ticket".into())
    }

    fn identity(&self) -> Arc<str> {
        "alice@EXAMPLE.COM".into()
    }
}

struct Steps(Script);

impl SecurityContext for Steps {
    fn mechanism(&self) -> &'static str {
        "scripted"
    }

    fn step(&mut self, from_peer: Option<&[u8]>, _: &mut Cx<'_>) -> Result<Step, Fault> {
        let (expected, step) = self.0.remove(0);
        assert_eq!(from_peer, expected.map(str::as_bytes));
        step.map_err(failure)
    }

    fn wrap(&mut self, _: &[u8], _: bool, _: &mut Vec<u8>) -> Result<(), Fault> {
        unreachable!("nothing is wrapped in HTTP")
    }

    fn unwrap(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<bool, Fault> {
        unreachable!("nothing is wrapped in HTTP")
    }

    fn wrap_limit(&self, _: usize, _: bool) -> usize {
        unreachable!("nothing is wrapped in HTTP")
    }
}

fn failure(what: &str) -> Fault {
    Fault::misbehaved(Reason::Authentication, what)
}

fn go_on(token: &str) -> Result<Step, &'static str> {
    Ok(Step::Continue(token.into()))
}

fn done(token: Option<&str>) -> Result<Step, &'static str> {
    Ok(Step::Done(token.map(Into::into)))
}

fn client_of(scripts: Vec<Script>, more: Credentials) -> (Client, Arc<Scripted>) {
    let scripted = Arc::new(Scripted {
        scripts: Mutex::new(scripts),
        made: Mutex::default(),
        lacks: AtomicBool::new(false),
    });
    let client = Client::new(origin(more.with_provider(Arc::clone(&scripted) as _)));
    (client, scripted)
}

fn of_script(steps: Script) -> Client {
    client_of(vec![steps], Credentials::default()).0
}

/// RFC 4559 section 5: two legs each way.
#[test]
fn several_steps_and_a_proof() {
    let script = vec![
        (None, go_on("one")),
        (Some("two"), go_on("three")),
        (Some("four"), done(None)),
    ];
    let (mut client, provider) = client_of(vec![script], Credentials::default());
    assert_eq!(client.answer(&["Negotiate"]), "Negotiate b25l");
    assert!(client.authenticator.binds_connection() && !client.dialog.is_midway());
    assert!(matches!(
        client.challenged(&["Negotiate dHdv"]),
        Verdict::Retry
    ));
    assert!(
        client.dialog.is_midway(),
        "the next step is for this connection only"
    );
    assert_eq!(client.authorize().unwrap(), "Negotiate dGhyZWU=");
    assert!(!client.dialog.is_established());
    client
        .accepted(&[("WWW-Authenticate", "Negotiate Zm91cg==")], None)
        .unwrap();
    assert!(client.dialog.is_established());
    assert_eq!(*provider.made.lock().unwrap(), ["HTTP@example.com"]);
}

#[test]
fn an_authenticated_connection_needs_nothing_and_a_new_one_a_context() {
    let script = || vec![(None, done(Some("hi")))];
    let (mut client, provider) =
        client_of(vec![script(), script(), script()], Credentials::default());
    client.answer(&["Negotiate"]);
    client.accepted(&[], None).unwrap();
    client.dialog = Dialog::on_established();
    assert_eq!(client.authorize(), None);
    // Some servers want it for each request: RFC 4559 section 6 allows both.
    assert_eq!(client.answer(&["Negotiate"]), "Negotiate aGk=");
    client.accepted(&[], None).unwrap();
    client.next();
    assert_eq!(client.authorize().unwrap(), "Negotiate aGk=");
    assert_eq!(provider.made.lock().unwrap().len(), 3);
}

/// It was waiting for its connection when another one was challenged, and nobody has looked what it lacks.
#[test]
fn a_request_that_lacks_a_ticket_waits_for_its_own_challenge() {
    let script = vec![(None, done(Some("hi")))];
    let (mut client, provider) = client_of(vec![script], Credentials::default());
    client.challenged(&["Negotiate"]);
    client.next();
    provider.lacks.store(true, Relaxed);
    assert_eq!(client.authorize(), None);
    // What it lacked was fetched.
    provider.lacks.store(false, Relaxed);
    assert_eq!(client.answer(&["Negotiate"]), "Negotiate aGk=");
    client.accepted(&[], None).unwrap();

    // It could not be fetched: the context says why.
    client.next();
    provider.lacks.store(true, Relaxed);
    assert_eq!(client.authorize(), None);
    client.challenged(&["Negotiate"]);
    let fault = client.try_authorize().expect_err("no ticket");
    assert_eq!(fault.what, "no ticket");
}

#[test]
fn a_context_does_not_move_to_another_connection() {
    let first = vec![(None, go_on("one"))];
    let second = vec![(None, go_on("uno"))];
    let (mut client, _) = client_of(vec![first, second], Credentials::default());
    client.answer(&["Negotiate"]);
    client.challenged(&["Negotiate dHdv"]);
    client.dialog.reconnected();
    assert_eq!(client.authorize().unwrap(), "Negotiate dW5v");
}

#[test]
fn two_connections_have_a_context_each() {
    let scripts = vec![
        vec![(None, go_on("a1")), (Some("A"), done(Some("a2")))],
        vec![(None, go_on("b1")), (Some("B"), done(Some("b2")))],
    ];
    let (mut client, _) = client_of(scripts, Credentials::default());
    client.challenged(&["Negotiate"]);
    let mut other = Dialog::new();
    let mut values = Vec::new();
    for token in [None, None, Some("Negotiate QQ=="), Some("Negotiate Qg==")] {
        if let Some(token) = token {
            assert!(matches!(client.challenged(&[token]), Verdict::Retry));
        }
        values.push(client.authorize().unwrap());
        std::mem::swap(&mut client.dialog, &mut other);
    }
    assert_eq!(
        values,
        [
            "Negotiate YTE=",
            "Negotiate YjE=",
            "Negotiate YTI=",
            "Negotiate YjI="
        ]
    );
}

#[test]
fn without_a_ticket_the_next_scheme_is_used_and_said_so() {
    let (mut client, _) = client_of(Vec::new(), mufasa());
    assert!(
        client
            .answer(&["Negotiate", "Basic realm=x"])
            .starts_with("Basic ")
    );
    let said = client.notes.iter().any(|note| match note {
        Note::Info { text, .. } => text == "Negotiate cannot be used: no ticket",
        _ => false,
    });
    assert!(said, "{:?}", client.notes);
    assert!(!client.authenticator.binds_connection());
}

#[test]
fn a_ticket_that_comes_later_is_used() {
    let (mut client, provider) = client_of(Vec::new(), mufasa());
    let offered = ["Negotiate", "Basic realm=x"];
    assert!(client.answer(&offered).starts_with("Basic "));
    client.accepted(&[], None).unwrap();
    client.next();
    provider
        .scripts
        .lock()
        .unwrap()
        .push(vec![(None, go_on("one"))]);
    assert_eq!(client.answer(&offered), "Negotiate b25l");
}

#[test]
fn without_a_ticket_and_anything_else_it_says_why() {
    let (mut client, _) = client_of(Vec::new(), Credentials::default());
    client.challenged(&["Negotiate"]);
    assert_eq!(client.try_authorize().unwrap_err().what, "no ticket");
}

#[test]
fn a_refused_context_makes_way_for_another_scheme() {
    let (mut client, _) = client_of(vec![vec![(None, go_on("one"))]], mufasa());
    let offered = ["Negotiate", "Digest realm=r, nonce=n, qop=auth"];
    client.answer(&offered);
    assert!(client.answer(&offered).starts_with("Digest "));
    assert!(client.refusal(&offered).contains("refused (Digest"));

    let mut alone = of_script(vec![(None, go_on("one"))]);
    alone.answer(&["Negotiate"]);
    assert_eq!(
        alone.refusal(&["Negotiate"]),
        "the credentials were refused (Negotiate)"
    );
}

/// Who cannot prove who it is gets no password instead.
#[test]
fn a_bad_token_of_the_peers_is_the_end() {
    let script = vec![(None, go_on("one")), (Some("two"), Err("a forged token"))];
    let (mut client, _) = client_of(vec![script], mufasa());
    client.answer(&["Negotiate", "Basic realm=x"]);
    client.challenged(&["Negotiate dHdv", "Basic realm=x"]);
    assert_eq!(client.try_authorize().unwrap_err().what, "a forged token");

    let mut client = of_script(vec![(None, go_on("one")), (Some("two"), Err("forged"))]);
    client.answer(&["Negotiate"]);
    let last = ("WWW-Authenticate", "Negotiate dHdv");
    assert_eq!(client.accepted(&[last], None).unwrap_err().what, "forged");
}

#[test]
fn an_end_before_the_contexts_end() {
    let unfinished = || vec![(None, go_on("one")), (Some("two"), go_on("three"))];
    let mut client = of_script(unfinished());
    client.answer(&["Negotiate"]);
    let fault = client
        .accepted(&[("WWW-Authenticate", "Negotiate dHdv")], None)
        .unwrap_err();
    assert!(
        fault
            .what
            .contains("before the security context is complete")
    );

    // No proof at all: noted, or refused where it is demanded.
    for (mutual, good) in [(false, true), (true, false)] {
        let mut client = of_script(unfinished());
        if mutual {
            client.authenticator = client.authenticator.mutual();
        }
        client.answer(&["Negotiate"]);
        assert_eq!(client.accepted(&[], None).is_ok(), good);
    }
}

#[test]
fn a_peer_that_goes_on_after_the_end() {
    let mut client = of_script(vec![(None, done(Some("one")))]);
    client.answer(&["Negotiate"]);
    client.challenged(&["Negotiate dHdv"]);
    let fault = client.try_authorize().unwrap_err();
    assert!(fault.what.contains("goes on after"), "{fault:?}");
}

#[test]
fn endless_steps_end() {
    let endless = (0..50)
        .map(|at| ((at > 0).then_some("x"), go_on("y")))
        .collect();
    let mut client = of_script(endless);
    let mut challenge = "Negotiate";
    let why = loop {
        match client.challenged(&[challenge]) {
            Verdict::Retry => drop(client.authorize().unwrap()),
            Verdict::GiveUp(fault) => break fault.what,
        }
        challenge = "Negotiate eA==";
    };
    assert_eq!(why, "more than 10 challenges in a row");
}

/// Who asks has to prove who it is in turn; who did not ask may not have looked.
#[test]
fn a_proof_is_demanded_of_who_asked() {
    let mut client = of_script(vec![(None, go_on("one"))]);
    client.authenticator = client.authenticator.proven();
    client.answer(&["Negotiate"]);
    let fault = client.accepted(&[], None).unwrap_err();
    assert!(fault.what.contains("no proof"), "{fault:?}");

    let script = || vec![(None, go_on("one"))];
    let (mut client, _) = client_of(vec![script(), script()], Credentials::default());
    client.authenticator = client.authenticator.proven().preemptive();
    assert_eq!(client.authorize().unwrap(), "Negotiate b25l");
    client.accepted(&[], None).unwrap();
    client.next();
    assert_eq!(client.authorize(), None, "the next one waits to be asked");
}

#[test]
fn it_says_which_context_comes_next() {
    let (mut client, _) = client_of(vec![vec![(None, go_on("one"))]], Credentials::default());
    client.authenticator = client.authenticator.service("http-internal");
    assert!(client.authenticator.begins(&client.dialog).is_none());
    client.challenged(&["Negotiate"]);
    let next = client.authenticator.begins(&client.dialog);
    let next = next.map(|(_, service, host)| (service, host));
    assert_eq!(next, Some(("http-internal", "example.com")));
    client.authorize().unwrap();
    assert!(client.authenticator.begins(&client.dialog).is_none());
}
