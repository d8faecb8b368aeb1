//! Logging in with keys: what an agent has, what is offered in which order, who signs.

use std::time::{Instant, SystemTime};

use proptest::prelude::*;
use sockless_core::{Answer, Ask, Asks, Cx, Endpoint, Pool, Question};
use sockless_ssh::agent::{self, BadAnswer};
use sockless_ssh::keys::{Certificate, Identities, Identity, KeyFile, PrivateKey, read_public};
use sockless_ssh::login::{Keys as _, Offer, Offers, Signer, Signing};
use zeroize::Zeroizing;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("fixtures/keys/", $name)).as_slice()
    };
}

fn key(name: &str, text: &[u8]) -> PrivateKey {
    KeyFile::new(name, text).read(None).expect("it is a key")
}

fn ed25519() -> PrivateKey {
    key("ed25519", fixture!("ed25519"))
}

fn ecdsa() -> PrivateKey {
    key("ecdsa", fixture!("ecdsa256"))
}

fn rsa() -> PrivateKey {
    key("rsa", fixture!("rsa"))
}

fn certificate() -> Certificate {
    Certificate::read("ed25519-cert", fixture!("ed25519-cert.pub")).expect("it is one")
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn take<'a>(from: &mut &'a [u8]) -> &'a [u8] {
    let (len, rest) = from.split_first_chunk().expect("a length");
    let (bytes, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
    *from = rest;
    bytes
}

/// An agent with keys; it knows the flags, or is an old one that does not.
struct Agent {
    keys: Vec<PrivateKey>,
    knows_flags: bool,
}

impl Agent {
    fn answer(&self, request: &[u8]) -> Vec<u8> {
        let (kind, mut body) = request.split_first().expect("a message is not empty");
        let mut answer = Vec::new();
        if *kind == 11 {
            answer.push(12);
            answer.extend_from_slice(&(self.keys.len() as u32).to_be_bytes());
            for key in &self.keys {
                string(&mut answer, key.public());
                string(&mut answer, b"in the agent\x1b[2J");
            }
            return answer;
        }
        assert_eq!(*kind, 13, "list and sign are all that is asked for");
        let (public, data) = (take(&mut body), take(&mut body));
        let algorithm = match (body, self.knows_flags) {
            ([0, 0, 0, 2], true) => "rsa-sha2-256",
            ([0, 0, 0, 4], true) => "rsa-sha2-512",
            ([0, 0, 0, 2 | 4], false) => "ssh-rsa",
            _ => "ssh-ed25519",
        };
        let key = self.keys.iter().find(|key| key.public() == public);
        let Some(key) = key else { return vec![5] };
        answer.push(14);
        let signature = match algorithm {
            "ssh-rsa" => [&[0, 0, 0, 7][..], b"ssh-rsa", &[0, 0, 0, 1, 9]].concat(),
            other => key.sign(data, other).expect("it can do that"),
        };
        string(&mut answer, &signature);
        answer
    }
}

/// Goes through a login; `answer` is the application.
struct Session<'a> {
    asks: Asks,
    answer: Box<dyn FnMut(&Question) -> Answer + 'a>,
    questions: usize,
}

impl<'a> Session<'a> {
    fn new(answer: impl FnMut(&Question) -> Answer + 'a) -> Self {
        Self {
            asks: Asks::new(),
            answer: Box::new(answer),
            questions: 0,
        }
    }

    fn with_agent(agent: &'a Agent) -> Self {
        Self::new(move |question| match &question.ask {
            Ask::Relay { to, request } => {
                assert_eq!(*to, socket());
                Answer::Bytes(Zeroizing::new(agent.answer(request)))
            }
            other => panic!("only the agent is asked: {other:?}"),
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a test's time has to begin somewhere"
    )]
    fn until<T>(&mut self, mut step: impl FnMut(&mut Cx<'_>) -> Option<T>) -> T {
        let pool = Pool::new(1 << 20);
        let mut copied = 0;
        let (now, wall) = (Instant::now(), SystemTime::UNIX_EPOCH);
        loop {
            let mut cx = Cx::new(now, wall, &pool, &mut copied, None).asking(&mut self.asks);
            if let Some(done) = step(&mut cx) {
                return done;
            }
            // Called again before there is an answer: nothing must happen.
            assert!(step(&mut cx).is_none());
            let question = self.asks.pop().expect("it waits for an answer");
            let answer = (self.answer)(&question);
            self.questions += 1;
            assert!(self.asks.answer(question.id, answer));
            assert!(self.asks.pop().is_none(), "it asks once");
        }
    }

    fn next(&mut self, offers: &mut dyn Offers) -> Option<Box<dyn Signer>> {
        self.until(|cx| match offers.next(cx) {
            Offer::Key(signer) => Some(Some(signer)),
            Offer::End => Some(None),
            Offer::Asked => None,
        })
    }

    fn all(&mut self, identities: &Identities) -> Vec<Box<dyn Signer>> {
        let mut offers = identities.offers();
        let mut found = Vec::new();
        while let Some(signer) = self.next(&mut *offers) {
            found.push(signer);
        }
        found
    }

    fn sign(&mut self, signer: &mut dyn Signer, algorithm: &str) -> Result<Vec<u8>, String> {
        self.until(|cx| match signer.sign(b"data", algorithm, cx) {
            Signing::Done(signature) => Some(Ok(signature)),
            Signing::Failed(why) => Some(Err(why)),
            Signing::Asked => None,
        })
    }
}

fn socket() -> Endpoint {
    Endpoint::Unix("/run/agent".into())
}

fn nobody() -> Session<'static> {
    Session::new(|question| panic!("nobody is to be asked: {question:?}"))
}

fn blobs(signers: &[Box<dyn Signer>]) -> Vec<Vec<u8>> {
    signers.iter().map(|one| one.public().to_vec()).collect()
}

#[test]
fn keys_in_order_and_certificates_before_theirs() {
    let mut identities = Identities::new();
    identities.keys = [rsa(), ed25519()].map(Identity::new).to_vec();
    identities.keys.push(Identity::new(rsa()));
    identities.certificates.push(certificate());
    let mut session = nobody();
    let mut offered = session.all(&identities);
    let (rsa, ed25519) = (rsa().public().to_vec(), ed25519());
    let expected = [
        rsa,
        certificate().bytes().to_vec(),
        ed25519.public().to_vec(),
    ];
    assert_eq!(blobs(&offered), expected);
    assert_eq!(offered[0].algorithms(), ["rsa-sha2-512", "rsa-sha2-256"]);
    let of_certificate = "ssh-ed25519-cert-v01@openssh.com";
    assert_eq!(offered[1].algorithms(), [of_certificate]);
    let signed = session.sign(&mut *offered[1], of_certificate);
    assert_eq!(signed.ok(), ed25519.sign(b"data", "ssh-ed25519"));
}

#[test]
fn what_the_agent_has_comes_first_and_of_that_what_is_configured() {
    let agent = Agent {
        keys: vec![ecdsa(), ed25519()],
        knows_flags: true,
    };
    let mut identities = Identities::new();
    identities.agent = Some(socket());
    let public = Identity::from_public("ed25519.pub", fixture!("ed25519.pub"));
    identities.keys = vec![Identity::new(rsa()), public.expect("it is a public key")];
    identities.certificates.push(certificate());
    let mut session = Session::with_agent(&agent);
    let mut offered = session.all(&identities);
    let certified = certificate().bytes().to_vec();
    let [ed25519, ecdsa, rsa] = [ed25519(), ecdsa(), rsa()].map(|key| key.public().to_vec());
    assert_eq!(
        blobs(&offered),
        [certified.clone(), ed25519.clone(), ecdsa, rsa.clone()]
    );
    assert!(!offered[2].name().contains('\x1b'), "comments are escaped");
    // The agent has the key alone, and signs for the certificate with it.
    let signature = session.sign(&mut *offered[0], "ssh-ed25519-cert-v01@openssh.com");
    assert_eq!(signature.ok(), agent.keys[1].sign(b"data", "ssh-ed25519"));

    identities.only_these = true;
    let offered = session.all(&identities);
    assert_eq!(blobs(&offered), [certified, ed25519, rsa]);
}

#[test]
fn the_agent_is_told_the_hash_and_held_to_it() {
    let mut agent = Agent {
        keys: vec![rsa()],
        knows_flags: true,
    };
    let mut identities = Identities::new();
    identities.agent = Some(socket());
    for algorithm in ["rsa-sha2-256", "rsa-sha2-512"] {
        let mut session = Session::with_agent(&agent);
        let mut offered = session.all(&identities);
        let signature = session.sign(&mut *offered[0], algorithm);
        assert_eq!(signature.ok(), rsa().sign(b"data", algorithm));
    }
    agent.knows_flags = false;
    let mut session = Session::with_agent(&agent);
    let mut offered = session.all(&identities);
    let why = session
        .sign(&mut *offered[0], "rsa-sha2-512")
        .expect_err("it is SHA-1");
    assert!(why.contains("algorithm"), "{why}");
}

#[test]
fn an_agent_that_fails_is_done_without() {
    for broken in [
        Answer::None("no such file".to_owned()),
        Answer::Bytes(Zeroizing::new(vec![5])),
        Answer::Bytes(Zeroizing::new(vec![12, 0, 0, 0, 9])),
        Answer::Yes,
    ] {
        let mut identities = Identities::new();
        identities.agent = Some(socket());
        identities.keys.push(Identity::new(ed25519()));
        let mut broken = Some(broken);
        let mut session = Session::new(|_| broken.take().expect("it is asked once"));
        let offered = session.all(&identities);
        assert_eq!(blobs(&offered), [ed25519().public()]);
    }
}

#[test]
fn a_passphrase_is_asked_for_when_the_key_is_needed() {
    let file = KeyFile::new("id_locked", fixture!("ed25519_locked"));
    let locked = Identity::from_file(file, None, None).expect("its public half shows");
    let mut identities = Identities::new();
    identities.keys.push(locked);
    let typed = |text: &str| Answer::Texts(vec![Zeroizing::new(text.to_owned())]);

    let mut tries = ["wrong", "open sesame"].into_iter();
    let mut session = Session::new(|question| match &question.ask {
        Ask::Prompts(prompts) => {
            assert!(prompts.prompts[0].text.contains("id_locked"));
            assert!(!prompts.prompts[0].echo);
            typed(tries.next().expect("no more than twice"))
        }
        other => panic!("a passphrase is asked for: {other:?}"),
    });
    let mut offered = session.all(&identities);
    assert_eq!(session.questions, 0, "to offer it, no passphrase is needed");
    for _ in 0..2 {
        let signature = session.sign(&mut *offered[0], "ssh-ed25519");
        assert_eq!(signature.ok(), ed25519().sign(b"data", "ssh-ed25519"));
    }
    assert_eq!(session.questions, 2, "the key stays open");

    let mut session = Session::new(|_| typed("wrong"));
    let mut offered = session.all(&identities);
    let why = session
        .sign(&mut *offered[0], "ssh-ed25519")
        .expect_err("it is wrong");
    assert!(why.contains("passphrase"), "{why}");
    assert_eq!(session.questions, 3);

    let mut session = Session::new(|_| Answer::None("nobody types".to_owned()));
    let mut offered = session.all(&identities);
    assert!(session.sign(&mut *offered[0], "ssh-ed25519").is_err());
    assert_eq!(session.questions, 1);
}

#[test]
fn answers_that_are_too_large_or_wrong_are_refused() {
    assert_eq!(agent::listed(&[]), Err(BadAnswer::Malformed));
    assert_eq!(agent::listed(&[5]), Err(BadAnswer::Failure));
    assert_eq!(agent::listed(&[14, 0]), Err(BadAnswer::Malformed));
    assert_eq!(agent::listed(&[12, 0, 1, 0, 0]), Err(BadAnswer::TooLarge));
    assert_eq!(
        agent::listed(&[12, 0, 0, 0, 0, 0]),
        Err(BadAnswer::Malformed)
    );
    let large = vec![12; agent::MAX_ANSWER + 1];
    assert_eq!(agent::listed(&large), Err(BadAnswer::TooLarge));
    assert_eq!(
        agent::signed(&[14, 0, 0, 0, 9], "x"),
        Err(BadAnswer::Malformed)
    );
    let public = read_public(fixture!("ed25519.pub")).expect("it is a key");
    assert_eq!(agent::sign(&public, b"d", "ssh-ed25519").last(), Some(&0));
}

proptest! {
    #[test]
    fn no_answer_is_a_panic(first in prop::sample::select(vec![5_u8, 12, 14]), rest: Vec<u8>) {
        let answer = [&[first][..], &rest].concat();
        let _ = agent::listed(&answer);
        let _ = agent::signed(&answer, "ssh-ed25519");
    }
}
