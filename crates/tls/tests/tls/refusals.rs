//! Servers that must be refused, each for its reason: the same with every backend.

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslContextBuilder, SslVersion};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use rcgen::{
    CertificateParams, CertificateRevocationListParams, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, Issuer, KeyIdMethod, KeyPair, NameConstraints, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use sockless_core::{Fault, Reason};
use sockless_tls::{Config, Roots, Verify};

use crate::peer::{Authority, Issued, Local, config};
use crate::servers::{Server, context, context_of, settle};

/// Connects and returns what the client makes of the server.
fn meet(config: Config, server: SslContextBuilder) -> Result<(), Fault> {
    let client = config.build().unwrap();
    let mut local = Local::new(&client, "example.com");
    let mut server = Server::new(&server.build());
    let went = settle(&mut local, &mut server);
    if went.is_err() {
        assert!(server.error.is_some(), "the server hears no last words");
        assert!(local.app_in.is_empty());
    }
    went
}

#[track_caller]
fn refused(case: &str, config: Config, server: SslContextBuilder, reason: Reason, words: &str) {
    let fault = match meet(config, server) {
        Ok(()) => panic!("{case}: accepted"),
        Err(fault) => fault,
    };
    assert_eq!(fault.reason, reason, "{case}: {}", fault.what);
    assert!(fault.what.contains(words), "{case}: {}", fault.what);
}

#[test]
fn what_is_wrong_with_a_certificate_is_said() {
    let ca = Authority::new("ca");
    let with = |change: fn(&mut CertificateParams)| ca.issue_with(&["example.com"], change);
    let expired = with(|params| params.not_after = date_time_ymd(2026, 12, 31));
    let early = with(|params| params.not_before = date_time_ymd(2027, 2, 1));
    let client = with(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let authority = with(|p| p.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["example.com".to_owned()]).unwrap();
    let chain = vec![params.self_signed(&key).unwrap().der().clone()];
    let own = Issued { chain, key };
    let cases = [
        ("expired", expired, "expired on 2026-12-31"),
        ("not yet valid", early, "not valid before 2027-02-01"),
        (
            "wrong host",
            ca.issue(&["other.example"]),
            "for other.example",
        ),
        (
            "partial wildcard",
            ca.issue(&["e*.com"]),
            "not for example.com",
        ),
        ("no serverAuth", client, "not for servers"),
        ("an authority's own", authority, "cannot be used"),
        ("self-signed", own, "is self-signed"),
        (
            "unknown CA",
            Authority::new("b").issue(&["example.com"]),
            "issuer is not trusted",
        ),
    ];
    for (case, issued, words) in cases {
        let server = context_of(&issued);
        refused(case, config(ca.roots()), server, Reason::Certificate, words);
    }
    meet(config(ca.roots()), context_of(&ca.issue(&["example.com"]))).unwrap();
    meet(
        config(ca.roots()),
        context_of(&ca.issue(&["*.com", "example.com"])),
    )
    .unwrap();
}

#[test]
fn name_constraints_bind() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("inside.example".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let chain = vec![params.signed_by(&key, &issuer).unwrap().der().clone()];
        Issued { chain, key }
    };
    let mut roots = Roots::empty();
    roots.add_der(root.der());
    let server = context_of(&issue("example.com"));
    refused(
        "constrained",
        config(roots),
        server,
        Reason::Certificate,
        "",
    );
}

/// A revocation list of the authority's that names `revoked`, current until `until`.
fn list(ca: &Issuer<'_, KeyPair>, revoked: Option<u64>, until: i32) -> String {
    let revoked = revoked.map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: date_time_ymd(2026, 1, 1),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(until, 1, 1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: revoked.into_iter().collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(ca).unwrap().pem().unwrap()
}

#[test]
fn revocation_lists_are_obeyed() {
    let ca = Authority::new("ca");
    let issued = ca.issue_with(&["example.com"], |params| {
        params.serial_number = Some(SerialNumber::from(77_u64));
    });
    let with = |list: &str| config(ca.roots()).crl_pem(list.as_bytes()).unwrap();
    let refuses = |case, list: &str, words| {
        let server = context_of(&issued);
        refused(case, with(list), server, Reason::Certificate, words);
    };
    refuses("revoked", &list(ca.issuer(), Some(77), 2028), "was revoked");
    refuses("an old list", &list(ca.issuer(), None, 2027), "is unknown");
    let other = Authority::new("another ca");
    refuses(
        "another's list",
        &list(other.issuer(), None, 2028),
        "is unknown",
    );
    let impostor = Authority::new("ca");
    refuses(
        "a forged list",
        &list(impostor.issuer(), None, 2028),
        "is unknown",
    );

    meet(
        with(&list(ca.issuer(), Some(76), 2028)),
        context_of(&issued),
    )
    .unwrap();
    let insecure = with(&list(ca.issuer(), Some(77), 2028)).verify(Verify::Insecure);
    meet(insecure, context_of(&issued)).unwrap();
}

#[test]
fn an_authority_needs_the_right_to_sign_lists() {
    use rcgen::KeyUsagePurpose::{CrlSign, KeyCertSign};
    for (usages, is_fine) in [
        (vec![KeyCertSign, CrlSign], true),
        (vec![KeyCertSign], false),
    ] {
        let root = Authority::new("root");
        let key = KeyPair::generate().unwrap();
        let named = |usages| {
            let mut params = CertificateParams::new(vec![]).unwrap();
            params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            params.key_usages = usages;
            let name = rcgen::DnType::CommonName;
            params.distinguished_name.push(name, "intermediate");
            params
        };
        let intermediate = named(usages).signed_by(&key, root.issuer()).unwrap();
        // Without the right rcgen makes no list: the same authority, as if it had it.
        let issuer = Issuer::new(named(vec![KeyCertSign, CrlSign]), key);
        let own = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["example.com".to_owned()]).unwrap();
        let leaf = params.signed_by(&own, &issuer).unwrap();
        let chain = vec![leaf.der().clone(), intermediate.der().clone()];
        let server = context_of(&Issued { chain, key: own });
        let lists = list(&issuer, None, 2028) + &list(root.issuer(), None, 2028);
        let config = config(root.roots()).crl_pem(lists.as_bytes()).unwrap();
        match is_fine {
            true => meet(config, server).unwrap(),
            false => refused("no cRLSign", config, server, Reason::Certificate, "unknown"),
        }
    }
}

#[test]
fn pins_are_checked_whatever_else_is() {
    let ca = Authority::new("ca");
    let issued = ca.issue(&["example.com"]);
    let key = X509::from_der(&issued.chain[0])
        .unwrap()
        .public_key()
        .unwrap();
    let der = key.public_key_to_der().unwrap();
    let hash = |der: &[u8]| {
        let hash = openssl::hash::hash(MessageDigest::sha256(), der).unwrap();
        format!("sha256//{}", openssl::base64::encode_block(&hash))
    };
    let wrong = hash(b"another key");
    let good = [
        hash(&der).into_bytes(),
        format!("{wrong};{}", hash(&der)).into_bytes(),
        key.public_key_to_pem().unwrap(),
        der,
    ];
    for pin in good {
        let pinned = config(ca.roots()).pin(&pin).unwrap();
        meet(pinned, context_of(&issued)).unwrap();
    }
    for verify in [Verify::Full, Verify::Insecure] {
        let pinned = config(ca.roots()).verify(verify).pin(wrong.as_bytes());
        let (case, server) = ("pin", context_of(&issued));
        refused(case, pinned.unwrap(), server, Reason::PinMismatch, "pinned");
    }
    let untrusted = config(Authority::new("other").roots()).pin(&key.public_key_to_pem().unwrap());
    let server = context_of(&issued);
    refused(
        "pinned only",
        untrusted.unwrap(),
        server,
        Reason::Certificate,
        "",
    );
}

#[test]
fn a_pin_that_is_none_is_refused_at_once() {
    for pin in ["", "sha256//AAAA", "sha256//*;", "sha1//AAAA", "no key"] {
        let fault = config(Authority::new("ca").roots()).pin(pin.as_bytes());
        assert_eq!(fault.unwrap_err().reason, Reason::BadRequest, "{pin:?}");
    }
}

#[test]
fn a_version_that_is_too_old_is_refused() {
    let ca = Authority::new("ca");
    let mut server = context_of(&ca.issue(&["example.com"]));
    server.set_min_proto_version(None).unwrap();
    server
        .set_max_proto_version(Some(SslVersion::TLS1_1))
        .unwrap();
    refused(
        "TLS 1.1",
        config(ca.roots()),
        server,
        Reason::Handshake,
        "version",
    );
}

/// A certificate by OpenSSL, which makes what rcgen refuses to.
fn made(key: &PKey<Private>, hash: MessageDigest, issuer: Option<(&X509, &PKey<Private>)>) -> X509 {
    let mut name = X509NameBuilder::new().unwrap();
    let shown = if issuer.is_some() { "leaf" } else { "weak ca" };
    name.append_entry_by_nid(Nid::COMMONNAME, shown).unwrap();
    let name = name.build();
    let mut made = X509Builder::new().unwrap();
    made.set_version(2).unwrap();
    let serial = Asn1Integer::from_bn(&BigNum::from_u32(7).unwrap()).unwrap();
    made.set_serial_number(&serial).unwrap();
    made.set_subject_name(&name).unwrap();
    let from = Asn1Time::from_unix(1_700_000_000).unwrap();
    let to = Asn1Time::from_unix(1_900_000_000).unwrap();
    made.set_not_before(&from).unwrap();
    made.set_not_after(&to).unwrap();
    made.set_pubkey(key).unwrap();
    match issuer {
        None => {
            made.set_issuer_name(&name).unwrap();
            let ca = BasicConstraints::new().critical().ca().build().unwrap();
            made.append_extension(ca).unwrap();
            made.sign(key, hash).unwrap();
        }
        Some((ca, ca_key)) => {
            made.set_issuer_name(ca.subject_name()).unwrap();
            let mut names = SubjectAlternativeName::new();
            let names = names.dns("example.com");
            let names = names.build(&made.x509v3_context(Some(ca), None)).unwrap();
            made.append_extension(names).unwrap();
            made.sign(ca_key, hash).unwrap();
        }
    }
    made.build()
}

#[test]
fn weak_signatures_and_keys_are_refused() {
    let rsa = |bits| PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let good = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
    let (strong, weak) = (rsa(2048), rsa(1024));
    let (sha1, sha256) = (MessageDigest::sha1(), MessageDigest::sha256());
    let cases = [
        ("SHA-1", &strong, sha1, &good, true),
        ("MD5", &strong, MessageDigest::md5(), &good, true),
        (
            "an authority's key of 1024 bits",
            &weak,
            sha256,
            &good,
            true,
        ),
        ("a key of 1024 bits", &strong, sha256, &weak, true),
        ("nothing weak", &strong, sha256, &good, false),
    ];
    for (case, ca_key, hash, key, is_weak) in cases {
        let ca = made(ca_key, sha256, None);
        let leaf = made(key, hash, Some((&ca, ca_key)));
        let mut roots = Roots::empty();
        roots.add_der(&ca.to_der().unwrap());
        let chain = leaf.to_der().unwrap();
        let server = context(&[&chain], &key.private_key_to_der().unwrap());
        match is_weak {
            true => refused(case, config(roots), server, Reason::Certificate, ""),
            false => meet(config(roots), server).unwrap(),
        }
    }
}
