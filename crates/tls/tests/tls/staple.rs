//! OCSP stapling: what a server has to bring when it has to bring something. OpenSSL's
//! alone: rustls has no way to verify it.

use openssl::hash::{MessageDigest, hash};
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use openssl::x509::X509;
use rcgen::SerialNumber;
use sockless_core::{Fault, Reason};
use sockless_tls::{Backend, Config};

use crate::peer::{Authority, Issued, Local};
use crate::servers::{Server, context_of, settle};

const SERIAL: u8 = 77;

/// What a responder says.
#[derive(Clone, Copy)]
struct Answer {
    serial: u8,
    /// Context tag of `good`, `revoked` or `unknown` (RFC 6960 section 4.2.1).
    status: u8,
    /// `YYYYMMDDHHMMSSZ`.
    since: &'static str,
    until: &'static str,
}

const GOOD: Answer = Answer {
    serial: SERIAL,
    status: 0,
    since: "20270101000000Z",
    until: "20270201000000Z",
};

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    // DER has one way to write a length, and signatures are over it.
    let len = u16::try_from(content.len()).unwrap().to_be_bytes();
    let len = match len {
        [0, short] if short < 0x80 => vec![short],
        [0, long] => vec![0x81, long],
        [high, low] => vec![0x82, high, low],
    };
    [&[tag][..], &len, &content].concat()
}

/// An OCSP response about certificates of `ca`, signed with `key`.
fn response(ca: &X509, key: &PKey<Private>, answer: Answer) -> Vec<u8> {
    let sha1 = |bytes: &[u8]| hash(MessageDigest::sha1(), bytes).unwrap();
    let name = sha1(&ca.subject_name().to_der().unwrap());
    let point = ca.public_key().unwrap().public_key_to_der().unwrap();
    // The last 65 bytes of an uncompressed key on P-256.
    let key_hash = sha1(&point[point.len() - 65..]);
    let algorithm = der(0x30, &[&[0x06, 5, 0x2b, 0x0e, 3, 2, 0x1a], &[5, 0]]);
    let id = der(
        0x30,
        &[
            &algorithm,
            &der(0x04, &[&name]),
            &der(0x04, &[&key_hash]),
            &[2, 1, answer.serial],
        ],
    );
    let time = |text: &str| der(0x18, &[text.as_bytes()]);
    let status = match answer.status {
        1 => der(0xa1, &[&time("20270102000000Z")]),
        other => vec![0x80 | other, 0],
    };
    let until = der(0xa0, &[&time(answer.until)]);
    let single = der(0x30, &[&id, &status, &time(answer.since), &until]);
    let responder = der(0xa2, &[&der(0x04, &[&key_hash])]);
    let singles = der(0x30, &[&single]);
    let data = der(0x30, &[&responder, &time(answer.since), &singles]);
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    let signature = signer.sign_oneshot_to_vec(&data).unwrap();
    let ecdsa_sha256 = [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let basic = der(
        0x30,
        &[
            &data,
            &der(0x30, &[&ecdsa_sha256]),
            &der(0x03, &[&[0], &signature]),
        ],
    );
    let kind = [0x06, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
    let bytes = der(0x30, &[&kind, &der(0x04, &[&basic])]);
    der(0x30, &[&[0x0a, 1, 0], &der(0xa0, &[&bytes])])
}

struct World {
    ca: Authority,
    certificate: X509,
    key: PKey<Private>,
    issued: Issued,
}

impl World {
    fn new() -> Self {
        let ca = Authority::new("ca");
        let issued = ca.issue_with(&["example.com"], |params| {
            params.serial_number = Some(SerialNumber::from(u64::from(SERIAL)));
        });
        let key = ca.issuer().key().serialize_der();
        Self {
            certificate: X509::from_der(&ca.der()).unwrap(),
            key: PKey::private_key_from_der(&key).unwrap(),
            issued,
            ca,
        }
    }

    fn meet(&self, staple: Option<Vec<u8>>) -> Result<(), Fault> {
        let mut server = context_of(&self.issued);
        server
            .set_status_callback(move |ssl| match &staple {
                Some(staple) => ssl.set_ocsp_status(staple).map(|()| true),
                None => Ok(false),
            })
            .unwrap();
        let client = Config::new(self.ca.roots())
            .backend(Backend::Openssl)
            .require_ocsp(true)
            .build()
            .unwrap();
        let mut server = Server::new(&server.build());
        settle(&mut Local::new(&client, "example.com"), &mut server)
    }

    fn answered(&self, answer: Answer) -> Result<(), Fault> {
        self.meet(Some(response(&self.certificate, &self.key, answer)))
    }
}

#[test]
fn a_good_answer_of_today_is_good_enough() {
    World::new().answered(GOOD).unwrap();
}

#[test]
fn every_other_answer_is_refused() {
    let world = World::new();
    let theirs = World::new();
    let forged = response(&world.certificate, &theirs.key, GOOD);
    let (since, until) = ("20270120000000Z", "20270110000000Z");
    let cases = [
        (
            "revoked",
            world.answered(Answer { status: 1, ..GOOD }),
            "was revoked",
        ),
        (
            "unknown",
            world.answered(Answer { status: 2, ..GOOD }),
            "does not know",
        ),
        (
            "another's",
            world.answered(Answer { serial: 5, ..GOOD }),
            "another certificate",
        ),
        (
            "old",
            world.answered(Answer { until, ..GOOD }),
            "not of today",
        ),
        (
            "early",
            world.answered(Answer { since, ..GOOD }),
            "not of today",
        ),
        ("none", world.meet(None), "stapled no answer"),
        ("noise", world.meet(Some(vec![0x30, 0x80, 1])), "broken"),
        ("forged", world.meet(Some(forged)), "not the issuer's"),
    ];
    for (case, outcome, words) in cases {
        let fault = outcome.expect_err(case);
        assert_eq!(fault.reason, Reason::Certificate, "{case}");
        assert!(fault.what.contains(words), "{case}: {}", fault.what);
    }
}
