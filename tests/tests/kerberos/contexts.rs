//! SSH servers that lie in the middle of gssapi-with-mic (RFC 4462 section 3): the method comes to nothing, a note
//! says why, and the next one is tried.

use std::fs;
use std::sync::{Arc, OnceLock};

use sockless::core::{Culprit, Cx, Fault, Reason, SecurityContext, SecurityProvider, Step};
use sockless::ssh::keys::{Identities, Identity, KeyFile};
use sockless::ssh::known_hosts::{HostKeyRules, Policy};
use sockless::ssh::login::Credentials;
use sockless::ssh::sftp::{Get, Sftp};
use sockless::ssh::{Client, Config, Library};
use sockless::{Config as Setup, TunnelTo};
use sockless_tests::content;
use sockless_tests::servers::{Hostile, Running, Servers};

use crate::{Outcome, World};

fn hostile() -> &'static Hostile {
    static SHARED: OnceLock<Running> = OnceLock::new();
    let start = || Servers::start(&["ssh-hostile"]).expect("it starts");
    SHARED.get_or_init(start).hostile()
}

/// A mechanism of three messages, without any secret.
struct Counting;

struct Count(u32);

impl SecurityProvider for Counting {
    fn context(&self, service: &str, host: &str) -> Result<Box<dyn SecurityContext>, Fault> {
        assert_eq!((service, host), ("host", "127.0.0.1"));
        Ok(Box::new(Count(0)))
    }

    fn mechanisms(&self) -> &'static [&'static [u8]] {
        &[b"\x06\x03\x55\x04\x03", b"\x06\x03\x55\x04\x04"]
    }

    fn identity(&self) -> Arc<str> {
        "counting".into()
    }
}

impl SecurityContext for Count {
    fn mechanism(&self) -> &'static str {
        "Counting"
    }

    fn step(&mut self, from_peer: Option<&[u8]>, _: &mut Cx<'_>) -> Result<Step, Fault> {
        self.0 += 1;
        match (self.0, from_peer) {
            (1, None) => Ok(Step::Continue(b"token 1".to_vec())),
            (2, Some(b"token 2")) => Ok(Step::Done(None)),
            (_, Some(b"and another")) => Ok(Step::Continue(b"token 1".to_vec())),
            _ => Err(Fault::misbehaved(
                Reason::Authentication,
                "not a token of mine",
            )),
        }
    }

    fn wrap(&mut self, _: &[u8], _: bool, _: &mut Vec<u8>) -> Result<(), Fault> {
        unreachable!("SSH wraps nothing")
    }

    fn unwrap(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<bool, Fault> {
        unreachable!("SSH wraps nothing")
    }

    fn wrap_limit(&self, _: usize, _: bool) -> usize {
        0
    }

    fn mic(&mut self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok([b"this is mine: ", message].concat())
    }
}

fn fetch(lie: &str, with_key: bool) -> Outcome {
    let mut credentials = Credentials::new(format!("gss-{lie}")).security(Arc::new(Counting));
    if with_key {
        let text = fs::read(hostile().key()).expect("a key");
        let mut identities = Identities::new();
        let identity = Identity::from_file(KeyFile::new("the key", &text), None, None);
        identities.keys.push(identity.expect("a good key"));
        credentials.keys = Some(Arc::new(identities));
    }
    let mut rules = HostKeyRules::new();
    rules.policy = Policy::Off;
    let client: Client = Config::new(credentials, Arc::new(rules))
        .library(Library::Russh)
        .build()
        .expect("good settings");
    let to = TunnelTo::new("127.0.0.1", hostile().port()).expect("a place");
    let to = to.options(|options| options.notes = true);
    let mut world = World::new(Setup::default());
    let exchange = Box::new(Sftp::get(Get::new("1k")));
    let id = world.session.ssh(to, Arc::new(client), exchange);
    world.finish(&[id.expect("it starts")]).remove(0)
}

/// The server checks the code itself: over the session's identifier and the request.
#[test]
fn an_honest_server_gets_the_code_over_the_session() {
    let outcome = fetch("honest", false);
    assert!(
        outcome.result.is_ok(),
        "{:?}{}",
        outcome.result,
        hostile().log()
    );
    assert_eq!(content::check(0, &outcome.body), Ok(()));
    let proven = "ssh: the peer has proven who it is, by Counting".to_owned();
    assert!(outcome.notes.contains(&proven), "{:?}", outcome.notes);
}

#[test]
fn each_lie_ends_the_method_and_not_the_login() {
    for (lie, says) in [
        ("early", "not a token of mine"),
        ("mechanism", "a mechanism that was not offered"),
        ("token", "not a token of mine"),
        ("error", "the peer: The clock \\u{1b}[31mis wrong"),
        ("error-token", "the peer: a token of its mechanism"),
        ("endless", "no security context after 16 tokens"),
        ("again", "a context that is complete, or was never begun"),
    ] {
        let outcome = fetch(lie, true);
        let shown = format!("{lie}: {:?} {:#?}", outcome.result, outcome.notes);
        assert!(outcome.result.is_ok(), "{shown}");
        assert_eq!(content::check(0, &outcome.body), Ok(()), "{lie}");
        let note = outcome
            .notes
            .iter()
            .find(|note| note.contains("gssapi-with-mic does not do"));
        assert!(note.is_some_and(|note| note.contains(says)), "{shown}");

        // With nothing else to show, the error says the same.
        let outcome = fetch(lie, false);
        let error = outcome.error();
        assert_eq!(
            (error.layer(), error.culprit(), error.reason()),
            ("ssh", Culprit::Policy, Reason::Authentication),
            "{lie}: {error}"
        );
        let says = says.split('\\').next().unwrap_or_default();
        assert!(error.what().contains(says), "{lie}: {error}");
        assert!(!error.what().contains('\x1b'), "{lie}: {error}");
    }
}
