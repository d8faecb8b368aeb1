//! What an application may choose beyond the defaults, and what a backend cannot do.

use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslContextBuilder, SslVerifyMode, SslVersion};
use openssl::symm::Cipher;
use openssl::x509::X509;
use sockless_core::{Fault, Reason};
use sockless_tls::{Backend, Config, Roots, Verify, Version};

use crate::BACKEND;
use crate::peer::{Authority, Issued, Local, config};
use crate::servers::{Server, context_of, settle};

/// The client after its handshake with that server.
fn meet(config: Config, server: SslContextBuilder) -> Result<Local, Fault> {
    let client = config.build()?;
    let mut local = Local::new(&client, "example.com");
    let mut server = Server::new(&server.build());
    settle(&mut local, &mut server).map(|()| local)
}

#[test]
fn ciphers_are_those_that_were_chosen() {
    let ca = Authority::new("ca");
    let issued = ca.issue(&["example.com"]);
    let name = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
    for list in [name, "ECDHE-ECDSA-CHACHA20-POLY1305"] {
        let chosen = config(ca.roots())
            .ciphers(list)
            .versions(Version::Tls12, Version::Tls12);
        let note = meet(chosen, context_of(&issued)).unwrap().note();
        assert!(note.contains(name), "{note}");
    }
    for name in ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"] {
        let chosen = config(ca.roots()).tls13_ciphers(name);
        let note = meet(chosen, context_of(&issued)).unwrap().note();
        assert!(note.contains(name), "{note}");
    }
}

#[test]
fn groups_are_those_that_were_chosen() {
    let ca = Authority::new("ca");
    let issued = ca.issue(&["example.com"]);
    for (list, name) in [
        ("P-384", "secp384r1"),
        ("secp256r1:X25519", "secp256r1"),
        ("X25519,P-256", "X25519"),
    ] {
        let mut server = context_of(&issued);
        server.set_groups_list("P-256:P-384:X25519").unwrap();
        let narrow = config(ca.roots()).groups(list);
        let note = meet(narrow, server).unwrap().note();
        // The server decides among those that are offered.
        let first = name == "X25519" && note.contains("secp256r1");
        assert!(note.contains(name) || first, "{list}: {note}");
    }
    let mut server = context_of(&issued);
    server.set_groups_list("P-384").unwrap();
    let fault = meet(config(ca.roots()).groups("X25519"), server)
        .err()
        .unwrap();
    assert_eq!(fault.reason, Reason::Handshake);
}

#[test]
fn a_name_that_nobody_knows_is_refused_at_once() {
    let roots = || Authority::new("ca").roots();
    let cases = [
        config(roots()).ciphers("ROT13"),
        config(roots()).tls13_ciphers("TLS_ROT13"),
        config(roots()).groups("P-12"),
        config(roots()).groups(""),
        config(roots()).ciphers(":"),
    ];
    for case in cases {
        let fault = case.build().unwrap_err();
        assert_eq!(fault.reason, Reason::BadRequest, "{}", fault.what);
    }
    if BACKEND == Backend::Rustls {
        let fault = config(roots()).groups("P-12").build().unwrap_err();
        assert!(fault.what.contains("X25519"), "{}", fault.what);
    }
}

/// A server that asks for a certificate of that authority's.
fn asking(ours: &Authority, theirs: &Authority) -> SslContextBuilder {
    let mut server = context_of(&ours.issue(&["example.com"]));
    server.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    let root = X509::from_der(&theirs.der()).unwrap();
    server.cert_store_mut().add_cert(root).unwrap();
    server
}

fn key_of(issued: &Issued) -> PKey<Private> {
    PKey::private_key_from_der(issued.key_der().secret_der()).unwrap()
}

fn refused(what: &str, config: Config) {
    let fault = config.build().unwrap_err();
    assert_eq!(fault.reason, Reason::Unsupported, "{}", fault.what);
    assert!(fault.what.contains(what), "{}", fault.what);
}

#[test]
fn a_clients_key_may_be_locked() {
    let (ours, theirs) = (Authority::new("ca"), Authority::new("clients"));
    let issued = theirs.issue(&["client.example"]);
    let key = key_of(&issued);
    let locked = key
        .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"open sesame")
        .unwrap();
    let bundle = Pkcs12::builder()
        .pkey(&key)
        .cert(&X509::from_der(&issued.chain[0]).unwrap())
        .build2("open sesame")
        .unwrap()
        .to_der()
        .unwrap();
    let pem = |password: &str| {
        let pem = issued.pem();
        let config = config(ours.roots());
        config
            .client_certificate_encrypted(pem.as_bytes(), &locked, password)
            .unwrap()
    };
    let pkcs12 = |password: &str| config(ours.roots()).client_pkcs12(&bundle, password);
    if BACKEND == Backend::Rustls {
        refused("encrypted private keys", pem("open sesame"));
        refused("PKCS#12", pkcs12("open sesame"));
        return;
    }
    for good in [pem("open sesame"), pkcs12("open sesame")] {
        assert!(!format!("{good:?}").contains("sesame"));
        meet(good, asking(&ours, &theirs)).unwrap();
    }
    for bad in [pem("wrong"), pkcs12("wrong")] {
        let fault = bad.build().unwrap_err();
        assert_eq!(fault.reason, Reason::BadRequest);
        assert_eq!(fault.remedy, Some("check its password"));
    }
}

#[test]
fn what_a_backend_cannot_do_is_said() {
    let roots = || Authority::new("ca").roots();
    match BACKEND {
        Backend::Rustls => refused("OCSP", config(roots()).require_ocsp(true)),
        _ => {
            let revocable = config(roots()).require_ocsp(true);
            refused("resumption", revocable.resumption(1));
            let provider = config(roots()).provider(sockless_tls::Provider::Ring);
            refused("provider", provider);
        }
    }
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn both_backends_are_there_to_choose_from() {
    for backend in [Backend::Rustls, Backend::Openssl] {
        let config = Config::new(Authority::new("ca").roots()).backend(backend);
        assert_eq!(config.build().unwrap().backend(), backend);
    }
    let client = Config::new(Authority::new("ca").roots()).build().unwrap();
    assert_eq!(client.backend(), Backend::Rustls);
}

#[test]
fn a_trace_says_that_nobody_was_verified() {
    let ca = Authority::new("ca");
    let issued = ca.issue(&["other.example"]);
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let insecure = config(Roots::empty()).verify(Verify::Insecure);
        let mut server = context_of(&issued);
        server.set_max_proto_version(Some(version)).unwrap();
        let note = meet(insecure, server).unwrap().note();
        assert!(note.contains("NOT verified"), "{note}");
    }
    let full = meet(config(ca.roots()), context_of(&ca.issue(&["example.com"])));
    assert!(!full.unwrap().note().contains("verified"));
}

#[test]
fn an_international_name_has_to_be_given_in_ascii() {
    let client = config(Authority::new("ca").roots()).build().unwrap();
    let fault = client.filter("bücher.example").err().unwrap();
    assert_eq!(fault.reason, Reason::BadUrl);
    assert!(fault.remedy.unwrap().contains("xn--"));
    client.filter("xn--bcher-kva.example").unwrap();
}
