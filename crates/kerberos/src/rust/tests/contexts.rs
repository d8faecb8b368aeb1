//! Contexts towards a service that may do anything.

use std::time::Instant;

use proptest::prelude::*;
use sockless_core::{ChannelBinding, Cx, Pool, SecurityContext, Step};

use super::*;

const OID: u8 = 0x06;
const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";
const NTLM: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";

/// With a ticket for `HTTP` on `www`.
fn ready() -> (World, Arc<Kerberos>) {
    let mut world = World::new(Enctype::Aes256Sha1);
    let kerberos = alice().build().expect("a provider");
    fetch(&kerberos, &mut world, "www", wall()).expect("a ticket");
    (world, kerberos)
}

#[allow(
    clippy::disallowed_methods,
    reason = "a test must start its Instants somewhere"
)]
fn step(context: &mut dyn SecurityContext, token: Option<&[u8]>) -> Result<Step, Fault> {
    let (pool, mut copied) = (Pool::new(0), 0);
    context.step(
        token,
        &mut Cx::new(Instant::now(), wall(), &pool, &mut copied, None),
    )
}

fn first(context: &mut dyn SecurityContext) -> Vec<u8> {
    match step(context, None) {
        Ok(Step::Continue(token)) => token,
        other => panic!("{other:?}"),
    }
}

/// What the service has read in a first token.
struct Accepted {
    key: Key,
    seconds: u64,
    micros: u32,
    subkey: Key,
    number: u32,
    /// The checksum: channel, flags and what is handed on.
    said: Vec<u8>,
}

fn accept(world: &World, token: &[u8]) -> Accepted {
    let inside = whole(token, application(0)).expect("a frame");
    let (OID, KRB5, rest) = element(inside).expect("a mechanism") else {
        panic!("another mechanism");
    };
    let request = rest.strip_prefix(&[1, 0]).expect("a request");
    let fields = Fields::of_message(request, 14).expect("AP-REQ");
    assert_eq!(fields.flags(2), Some(0x2000_0000), "it wants a proof");
    let key = world
        .tickets
        .get(fields.field(3).expect("a ticket"))
        .expect("ours")
        .clone();
    let (_, _, sealed) = fields.encrypted(4).expect("sealed");
    let plain = key
        .open(usage::AUTHENTICATOR, sealed)
        .expect("by the ticket's key");
    let plain = Fields::of_message(&plain, 2).expect("an authenticator");
    let (kind, subkey) = plain.key(6).expect("a key");
    Accepted {
        subkey: Key::new(kind, subkey).expect("a key"),
        key,
        seconds: plain.time(5).expect("a time"),
        micros: plain.integer(4).expect("a time"),
        number: plain.integer(7).expect("a number"),
        said: plain
            .fields(3)
            .and_then(|one| one.octets(1))
            .expect("a checksum")
            .to_vec(),
    }
}

impl Accepted {
    /// AP-REP; `own`: with a key of the service's.
    fn proof(&self, own: Option<&Key>, number: u32) -> Vec<u8> {
        let mut parts = vec![
            field(0, &time(self.seconds)),
            field(1, &integer(self.micros)),
        ];
        let key = |key: &Key| typed(0, key.enctype().number().into(), 1, key.bytes());
        parts.extend(own.map(|own| field(2, &key(own))));
        parts.push(field(3, &integer(number)));
        let plain = wrap(application(27), &sequence(&parts));
        let sealed = self.key.seal(usage::REPLY, &plain, &mut random(6));
        let kind = self.key.enctype().number().into();
        let reply = sequence(&[
            field(0, &integer(5)),
            field(1, &integer(15)),
            field(2, &typed(0, kind, 2, &sealed)),
        ]);
        framed([2, 0], &wrap(application(15), &reply))
    }

    /// The service's side of the messages.
    fn messages(&self, own: Option<&Key>, number: u32) -> Messages {
        let key = own.unwrap_or(&self.subkey);
        Messages::new(key, own.is_some(), [self.number, number], random(8)).turned()
    }
}

fn framed(kind: [u8; 2], message: &[u8]) -> Vec<u8> {
    let kind = Der::new(kind.to_vec());
    let parts = [wrap(OID, KRB5), kind, Der::new(message.to_vec())];
    wrap_all(application(0), &parts).to_vec()
}

#[test]
fn both_sides_agree_with_and_without_a_key_of_the_services() {
    let (world, kerberos) = ready();
    let own = Key::drawn(Enctype::Aes256Sha384, &mut random(2));
    for own in [None, Some(&own)] {
        let mut context = kerberos.context("HTTP", "www").expect("a context");
        assert!(
            context.wrap(b"x", true, &mut Vec::new()).is_err(),
            "too early"
        );
        assert_eq!(context.wrap_limit(1000, true), 0);
        let accepted = accept(&world, &first(&mut *context));
        let proof = accepted.proof(own, 77);
        assert!(matches!(
            step(&mut *context, Some(&proof)),
            Ok(Step::Done(None))
        ));
        let mut service = accepted.messages(own, 77);
        for confidential in [false, true, true] {
            let (mut token, mut out) = (Vec::new(), Vec::new());
            context
                .wrap(b"ours", confidential, &mut token)
                .expect("wrapped");
            assert_eq!(service.unwrap(&token, &mut out), Ok(confidential));
            assert_eq!(out, b"ours");
            token.clear();
            service.wrap(b"theirs", confidential, &mut token);
            assert_eq!(context.unwrap(&token, &mut out).ok(), Some(confidential));
            assert_eq!(out, b"ourstheirs");
            let fault = context
                .unwrap(&token, &mut out)
                .expect_err("it came before");
            assert!(fault.what.contains("KRB_AP_ERR_BADORDER"));
            assert_eq!(context.wrap_limit(token.len(), confidential), 6);
        }
        let mic = context.mic(b"signed").expect("a signature");
        assert_eq!(service.verify(b"signed", &mic), Ok(()));
        // It is complete.
        assert!(step(&mut *context, Some(&proof)).is_err());
    }
}

/// RFC 4121 section 4.1.1: what the service is told besides.
#[test]
fn the_channel_and_the_services_are_told() {
    let (world, kerberos) = ready();
    let said = |bind: &dyn Fn(&mut dyn SecurityContext)| {
        let mut context = kerberos.context("HTTP", "www").expect("a context");
        bind(&mut *context);
        accept(&world, &first(&mut *context)).said
    };
    let plain = said(&|_| ());
    assert_eq!(plain[..4], [16, 0, 0, 0]);
    assert_eq!(plain[4..20], [0; 16]);
    assert_eq!(plain[20..], [0x3e, 0, 0, 0]);
    let end_point = |channel: &'static [u8]| {
        said(&move |context| context.bind(ChannelBinding::TlsServerEndPoint, channel))
    };
    assert_eq!(end_point(b"one"), end_point(b"one"));
    assert_ne!(end_point(b"one"), end_point(b"two"));
    assert_ne!(end_point(b"one"), plain);
    let exporter = said(&|context| context.bind(ChannelBinding::TlsExporter, b"one"));
    assert_ne!(exporter, end_point(b"one"));
}

#[test]
fn a_ticket_is_handed_on_as_it_was_fetched() {
    let mut world = World::new(Enctype::Aes256Sha1);
    let kerberos = alice().delegation(Delegation::Always);
    let kerberos = kerberos.build().expect("a provider");
    fetch(&kerberos, &mut world, "www", wall()).expect("a ticket");
    let mut context = kerberos.context("HTTP", "www").expect("a context");
    let accepted = accept(&world, &first(&mut *context));
    assert_eq!(accepted.said[20..26], [0x3f, 0, 0, 0, 1, 0]);
    let length = usize::from(u16::from_le_bytes([accepted.said[26], accepted.said[27]]));
    let message = &accepted.said[28..];
    assert_eq!(message.len(), length);
    let fields = Fields::of_message(message, 22).expect("KRB-CRED");
    let (_, _, sealed) = fields.encrypted(3).expect("sealed");
    let plain = accepted
        .key
        .open(usage::CREDENTIALS, sealed)
        .expect("by the ticket's key");
    let info = Fields::of_message(&plain, 29).and_then(|all| all.each(0, SEQUENCE)?.next());
    let info = Fields::inside(info.expect("a ticket"));
    assert_eq!(
        info.principal(1, 2).map(|one| one.to_string()),
        Some("alice@HOME.TEST".into())
    );
    assert_eq!(
        info.flags(3).map(|flags| flags & 0x2000_0000),
        Some(0x2000_0000)
    );
    let ticket = whole(fields.field(2).expect("tickets"), SEQUENCE).expect("one");
    let key = world.tickets.get(ticket).expect("ours");
    assert_eq!(info.key(0), Some((key.enctype().number(), key.bytes())));
}

/// A realm says what it likes of its services: what ours says of that realm counts.
#[test]
fn a_realm_that_is_not_trusted_gets_no_ticket_to_use_for_us() {
    for (plain, handed_on) in [
        (vec![], true),
        (vec!["OTHER.TEST"], false),
        (vec!["THIRD.TEST"], false),
        (vec!["far.third.test"], false),
    ] {
        let mut world = World::new(Enctype::Aes256Sha1);
        world.flags = 0x0004_0000;
        world.plain.clone_from(&plain);
        let lead =
            |from: &str, host: &str, to: &str| ((from.to_owned(), host.to_owned()), to.to_owned());
        // By referral, and by a ticket that is kept.
        world.leads = [
            lead(HOME, "far.third.test", "OTHER.TEST"),
            lead("OTHER.TEST", "far.third.test", "THIRD.TEST"),
        ]
        .into();
        let known = realms().domain(".other.test", "OTHER.TEST");
        let config = alice_in(known).delegation(Delegation::Policy);
        let kerberos = config.build().expect("a provider");
        let mut is_handed = |host: &str| {
            fetch(&kerberos, &mut world, host, wall()).expect("a ticket");
            let mut context = kerberos.context("HTTP", host).expect("a context");
            accept(&world, &first(&mut *context)).said[20] & 1 != 0
        };
        // So there is one to hand on.
        assert!(is_handed("www"));
        assert_eq!(is_handed("far.third.test"), handed_on, "{plain:?}");
        for host in ["a.other.test", "b.other.test"] {
            assert_eq!(is_handed(host), plain != ["OTHER.TEST"], "{host} {plain:?}");
        }
        assert!(is_handed("mail"));
    }
}

#[test]
fn a_proof_that_was_changed_or_is_for_another_is_none() {
    let (world, kerberos) = ready();
    let fresh = || {
        let mut context = kerberos.context("HTTP", "www").expect("a context");
        let accepted = accept(&world, &first(&mut *context));
        (context, accepted)
    };
    let length = fresh().1.proof(None, 1).len();
    for at in 0..length {
        let (mut context, accepted) = fresh();
        let mut proof = accepted.proof(None, 1);
        proof[at] ^= 0x21;
        assert!(step(&mut *context, Some(&proof)).is_err(), "{at}");
        let (mut context, _) = fresh();
        assert!(
            step(&mut *context, Some(&proof[..at])).is_err(),
            "cut at {at}"
        );
    }
    // What another context was told: the same ticket, another time.
    let (_, other) = fresh();
    let (mut context, _) = fresh();
    let fault = step(&mut *context, Some(&other.proof(None, 1))).expect_err("a replay");
    assert!(
        fault.what.contains("(KRB_AP_ERR_MUT_FAIL, 46)"),
        "{}",
        fault.what
    );
    let (mut context, _) = fresh();
    let refused = framed([3, 0], &refusal(34, NOW, &[]));
    let fault = step(&mut *context, Some(&refused)).expect_err("refused");
    assert!(
        fault.what.contains("(KRB_AP_ERR_REPEAT, 34)"),
        "{}",
        fault.what
    );
    assert!(step(&mut *context, None).is_err(), "it is over");
}

/// SPNEGO: the offer, and the token of Kerberos in it.
fn offered(token: &[u8]) -> Vec<u8> {
    let inside = whole(token, application(0)).expect("a frame");
    let (OID, SPNEGO, rest) = element(inside).expect("SPNEGO") else {
        panic!("not SPNEGO");
    };
    let init = Fields::of(whole(rest, 0xa0).expect("NegTokenInit")).expect("fields");
    let mechanisms: Vec<_> = init.each(0, OID).expect("a list").collect();
    assert_eq!(mechanisms, [KRB5]);
    init.octets(2).expect("a token").to_vec()
}

/// `NegTokenResp`: state, mechanism, token and signature.
fn said(
    state: Option<u8>,
    mechanism: Option<&[u8]>,
    token: Option<&[u8]>,
    mic: Option<&[u8]>,
) -> Vec<u8> {
    let mut parts = Vec::new();
    parts.extend(state.map(|state| field(0, &wrap(0x0a, &[state]))));
    parts.extend(mechanism.map(|oid| field(1, &wrap(OID, oid))));
    parts.extend(token.map(|token| field(2, &octets(token))));
    parts.extend(mic.map(|mic| field(3, &octets(mic))));
    wrap(0xa1, &sequence(&parts)).to_vec()
}

/// What signatures are over.
fn list() -> Der {
    sequence(&[wrap(OID, KRB5)])
}

fn negotiating() -> (Box<dyn SecurityContext>, Vec<u8>, Messages) {
    let (world, kerberos) = ready();
    let mut context = kerberos.negotiated("HTTP", "www").expect("a context");
    let accepted = accept(&world, &offered(&first(&mut *context)));
    let messages = accepted.messages(None, 5);
    (context, accepted.proof(None, 5), messages)
}

#[test]
fn the_peer_may_be_content_at_once() {
    let (mut context, proof, mut service) = negotiating();
    let answer = said(Some(0), Some(KRB5), Some(&proof), None);
    assert!(matches!(
        step(&mut *context, Some(&answer)),
        Ok(Step::Done(None))
    ));
    let mut token = Vec::new();
    context.wrap(b"x", true, &mut token).expect("wrapped");
    assert_eq!(service.unwrap(&token, &mut Vec::new()), Ok(true));
    // With a signature that nobody asked for.
    let (mut context, proof, mut service) = negotiating();
    let mic = service.sign(&list());
    let answer = said(Some(0), Some(KRB5), Some(&proof), Some(&mic));
    assert!(matches!(
        step(&mut *context, Some(&answer)),
        Ok(Step::Done(None))
    ));
}

#[test]
fn the_peer_may_want_the_offer_signed() {
    let own_mic = |token: &[u8]| {
        let fields = Fields::of(whole(token, 0xa1).expect("an answer")).expect("fields");
        fields.octets(3).expect("a signature").to_vec()
    };
    // It waits for ours before it gives its own.
    for state in [Some(1), Some(3), None] {
        let (mut context, proof, mut service) = negotiating();
        let answer = said(state, Some(KRB5), Some(&proof), None);
        let Ok(Step::Continue(token)) = step(&mut *context, Some(&answer)) else {
            panic!("it signs");
        };
        assert_eq!(service.verify(&list(), &own_mic(&token)), Ok(()));
        let last = said(Some(0), None, None, Some(&service.sign(&list())));
        assert!(matches!(
            step(&mut *context, Some(&last)),
            Ok(Step::Done(None))
        ));
    }
    // It gives its own first.
    let (mut context, proof, mut service) = negotiating();
    let mic = service.sign(&list());
    let answer = said(Some(1), Some(KRB5), Some(&proof), Some(&mic));
    let Ok(Step::Done(Some(token))) = step(&mut *context, Some(&answer)) else {
        panic!("it signs, and is done");
    };
    assert_eq!(service.verify(&list(), &own_mic(&token)), Ok(()));
}

#[test]
fn a_peer_that_is_not_content_or_not_honest() {
    let wrong = |make: &dyn Fn(&[u8], &mut Messages) -> Vec<u8>| {
        let (mut context, proof, mut service) = negotiating();
        let answer = make(&proof, &mut service);
        let fault = step(&mut *context, Some(&answer)).expect_err("refused");
        assert!(step(&mut *context, Some(&answer)).is_err(), "it is over");
        fault.what
    };
    let text = wrong(&|proof, _| said(Some(0), Some(NTLM), Some(proof), None));
    assert!(text.contains("another mechanism"), "{text}");
    let text = wrong(&|_, _| said(Some(2), None, None, None));
    assert!(text.contains("refuses Kerberos"), "{text}");
    for nothing in [
        said(Some(0), Some(KRB5), None, None),
        said(None, None, None, None),
    ] {
        let text = wrong(&|_, _| nothing.clone());
        assert!(text.contains("(KRB_AP_ERR_MUT_FAIL, 46)"), "{text}");
    }
    let text = wrong(&|proof, service| {
        let mic = service.sign(b"another list");
        said(Some(0), Some(KRB5), Some(proof), Some(&mic))
    });
    assert!(text.contains("(KRB_AP_ERR_MODIFIED, 41)"), "{text}");
    for bad in [&b""[..], b"\xa1\x00", b"NTLMSSP\0", b"\x60\x03\x06\x01\x00"] {
        let text = wrong(&|_, _| bad.to_vec());
        assert!(text.contains("no answer of SPNEGO's"), "{text}");
    }
    wrong(&|proof, _| said(Some(9), Some(KRB5), Some(proof), None));
}

proptest! {
    #[test]
    fn garbage_is_no_token(
        bytes in proptest::collection::vec(any::<u8>(), 1..80),
        at in any::<usize>(),
    ) {
        let (mut context, proof, _) = negotiating();
        prop_assert!(step(&mut *context, Some(&bytes)).is_err());
        let (mut context, _, _) = negotiating();
        let mut answer = said(Some(0), Some(KRB5), Some(&proof), None);
        let at = at % answer.len();
        answer.splice(at..at, bytes);
        let fault = step(&mut *context, Some(&answer));
        prop_assert!(fault.is_err());
    }
}

/// What is told of it is no secret.
#[test]
fn nothing_is_told_that_is_secret() {
    let config = alice_by(PASSWORD);
    let shown = format!("{config:?}");
    assert!(
        shown.contains("alice@HOME.TEST") && !shown.contains("sesame"),
        "{shown}"
    );
    assert!(!shown.contains("[4, 4"), "{shown}");
}
