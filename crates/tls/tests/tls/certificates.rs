//! Who is believed, and what is said when not.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::error::AlertDescription;
use rustls_aws_lc_rs::DEFAULT_PROVIDER;
use sockless_core::{Culprit, Fault, Reason};
use sockless_tls::{Roots, Verify};

use crate::peer::{Authority, Issued, Local, Remote, World, both_versions, config, settle};

/// Connects to a server with that certificate and returns the refusal and what the server heard.
fn refused(issued: &Issued, roots: Roots, name: &str) -> (Fault, AlertDescription) {
    let server: Arc<ServerConfig> = Arc::new(issued.server(DEFAULT_PROVIDER));
    let client = config(roots).build().unwrap();
    let mut local = Local::new(&client, name);
    let mut remote = Remote::new(&server);
    let fault = settle(&mut local, &mut remote).unwrap_err();
    assert_eq!(
        (fault.culprit, fault.reason),
        (Culprit::Policy, Reason::Certificate)
    );
    assert!(fault.remedy.is_some() && fault.source.is_some());
    match remote.error {
        Some(rustls::Error::AlertReceived(alert)) => (fault, alert),
        other => panic!("the server heard no alert, but {other:?}"),
    }
}

#[test]
fn a_wrong_name_lists_the_right_ones() {
    let authority = Authority::new("ca");
    let issued = authority.issue(&["a.example", "*.b.example", "192.0.2.7"]);
    let (fault, alert) = refused(&issued, authority.roots(), "c.example");
    assert_eq!(
        fault.what,
        "the certificate is not for c.example, but for a.example, *.b.example, 192.0.2.7"
    );
    assert_eq!(alert, AlertDescription::BadCertificate);
}

#[test]
fn an_unknown_issuer_is_not_a_self_signed_certificate() {
    let issued = Authority::new("theirs").issue(&["example.com"]);
    let (fault, alert) = refused(&issued, Authority::new("ours").roots(), "example.com");
    assert_eq!(fault.what, "the certificate's issuer is not trusted");
    assert_eq!(alert, AlertDescription::UnknownCa);

    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["example.com".to_owned()]).unwrap();
    let chain = vec![params.self_signed(&key).unwrap().der().clone()];
    let (fault, _) = refused(
        &Issued { chain, key },
        Authority::new("ours").roots(),
        "example.com",
    );
    assert_eq!(fault.what, "the certificate is self-signed");
}

/// What `openssl req -x509` makes: a server's own certificate that is marked as an authority.
fn own_authority(change: impl FnOnce(&mut CertificateParams)) -> Issued {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["example.com".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    change(&mut params);
    let chain = vec![params.self_signed(&key).unwrap().der().clone()];
    Issued { chain, key }
}

fn trusting(issued: &Issued) -> Roots {
    let mut roots = Roots::empty();
    roots.add_der(&issued.chain[0]);
    roots
}

#[test]
fn an_authoritys_own_certificate_is_a_servers_only_where_it_is_trusted_itself() {
    let theirs = own_authority(|_| {});
    let (fault, _) = refused(&theirs, Authority::new("ours").roots(), "example.com");
    assert_eq!(fault.what, "the certificate is self-signed");
    let (fault, _) = refused(&theirs, trusting(&own_authority(|_| {})), "example.com");
    assert_eq!(
        fault.what, "the certificate is self-signed",
        "same name, other key"
    );

    let serves = own_authority(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    for good in [theirs, serves] {
        let client = config(trusting(&good)).build().unwrap();
        let server = Arc::new(good.server(DEFAULT_PROVIDER));
        settle(
            &mut Local::new(&client, "example.com"),
            &mut Remote::new(&server),
        )
        .unwrap();
    }
}

#[test]
fn a_certificate_trusted_itself_needs_the_right_name_and_time() {
    let other_name = own_authority(|_| {});
    let (fault, _) = refused(&other_name, trusting(&other_name), "other.example");
    assert!(
        fault.what.contains("not for other.example"),
        "{}",
        fault.what
    );

    let spans = [
        (
            date_time_ymd(2020, 1, 1),
            date_time_ymd(2027, 1, 10),
            "expired",
        ),
        (
            date_time_ymd(2027, 2, 1),
            date_time_ymd(2060, 3, 1),
            "not valid before 2027-02-01",
        ),
    ];
    for (from, to, words) in spans {
        let wrong_time = own_authority(|params| (params.not_before, params.not_after) = (from, to));
        let (fault, _) = refused(&wrong_time, trusting(&wrong_time), "example.com");
        assert!(fault.what.contains(words), "{}", fault.what);
    }
}

#[test]
fn a_self_signed_certificate_can_be_trusted_by_name() {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["example.com".to_owned()]).unwrap();
    let chain = vec![params.self_signed(&key).unwrap().der().clone()];
    let mut roots = Roots::empty();
    roots.add_der(&chain[0]);
    let server = Arc::new(Issued { chain, key }.server(DEFAULT_PROVIDER));
    let mut local = Local::new(&config(roots).build().unwrap(), "example.com");
    settle(&mut local, &mut Remote::new(&server)).unwrap();
}

#[test]
fn the_wall_clock_is_the_one_that_was_given() {
    let authority = Authority::new("ca");
    let issued = authority.issue_with(&["example.com"], |params| {
        params.not_before = date_time_ymd(2026, 6, 1);
        params.not_after = date_time_ymd(2026, 9, 1);
    });
    let server = Arc::new(issued.server(DEFAULT_PROVIDER));
    let client = config(authority.roots()).build().unwrap();
    let at = |seconds| {
        let mut local = Local::new(&client, "example.com");
        local.wall = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        settle(&mut local, &mut Remote::new(&server)).map_err(|fault| fault.what)
    };
    assert_eq!(
        at(1_770_000_000).unwrap_err(),
        "the certificate is not valid before 2026-06-01 00:00:00 UTC"
    );
    assert_eq!(
        at(1_800_000_000).unwrap_err(),
        "the certificate expired on 2026-09-01 00:00:00 UTC"
    );
    at(1_785_000_000).unwrap();
}

#[test]
fn a_certificate_for_clients_is_not_for_servers() {
    let authority = Authority::new("ca");
    let issued = authority.issue_with(&["example.com"], |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let (fault, _) = refused(&issued, authority.roots(), "example.com");
    assert_eq!(fault.what, "the certificate is not for servers");
}

#[test]
fn addresses_are_verified_as_addresses() {
    let authority = Authority::new("ca");
    let issued = authority.issue(&["192.0.2.1", "2001:db8::1"]);
    let server = Arc::new(issued.server(DEFAULT_PROVIDER));
    let client = config(authority.roots()).build().unwrap();
    for address in ["192.0.2.1", "2001:db8::1"] {
        let mut remote = Remote::new(&server);
        settle(&mut Local::new(&client, address), &mut remote).unwrap();
        assert!(
            remote.connection.side().server_name().is_none(),
            "an address was said as a name"
        );
    }
    let (fault, _) = refused(&issued, authority.roots(), "192.0.2.2");
    assert!(fault.what.contains("192.0.2.1"), "{}", fault.what);
    // A name that looks like an address does not count.
    let named = authority.issue(&["example.com"]);
    refused(&named, authority.roots(), "192.0.2.1");
}

#[test]
fn insecure_believes_anyone_but_still_checks_the_signature() {
    for world in both_versions() {
        let client = config(Roots::empty())
            .verify(Verify::Insecure)
            .build()
            .unwrap();
        let mut local = Local::new(&client, "any.name.example");
        settle(&mut local, &mut Remote::new(&world.server)).unwrap();
    }
    // A certificate with another one's key.
    let authority = Authority::new("ca");
    let shown = authority.issue(&["example.com"]);
    let impostor = Issued {
        chain: shown.chain.clone(),
        key: KeyPair::generate().unwrap(),
    };
    let identity =
        Arc::new(rustls::crypto::Identity::from_cert_chain(impostor.chain.clone()).unwrap());
    let signer = DEFAULT_PROVIDER
        .key_provider
        .load_private_key(impostor.key_der())
        .unwrap();
    let credentials = rustls::crypto::Credentials::new_unchecked(identity, signer);
    let server = ServerConfig::builder(Arc::new(DEFAULT_PROVIDER))
        .with_no_client_auth()
        .with_server_credential_resolver(Arc::new(rustls::crypto::SingleCredential::from(
            credentials,
        )))
        .unwrap();
    let client = config(Roots::empty())
        .verify(Verify::Insecure)
        .build()
        .unwrap();
    let mut local = Local::new(&client, "example.com");
    let fault = settle(&mut local, &mut Remote::new(&Arc::new(server))).unwrap_err();
    assert_eq!(fault.what, "the certificate's signature is wrong");
}

#[test]
fn a_client_certificate_is_shown_to_who_asks() {
    let world = World::new();
    let theirs = Authority::new("clients");
    let mut accepted = rustls::RootCertStore::empty();
    accepted.add(theirs.der()).unwrap();
    let verifier =
        rustls::server::WebPkiClientVerifier::builder(Arc::new(accepted), &DEFAULT_PROVIDER)
            .build()
            .unwrap();
    let issued = world.authority.issue(&["example.com"]);
    let identity =
        Arc::new(rustls::crypto::Identity::from_cert_chain(issued.chain.clone()).unwrap());
    let server = ServerConfig::builder(Arc::new(DEFAULT_PROVIDER))
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(identity, issued.key_der())
        .unwrap();
    let server = Arc::new(server);

    let ours = theirs.issue(&["client.example"]);
    let client = config(world.authority.roots())
        .client_certificate(ours.pem().as_bytes(), ours.key.serialize_pem().as_bytes())
        .unwrap()
        .build()
        .unwrap();
    let mut local = Local::new(&client, "example.com");
    let mut remote = Remote::new(&server);
    settle(&mut local, &mut remote).unwrap();
    assert!(remote.error.is_none() && remote.connection.peer_identity().is_some());

    let mut local = Local::new(&world.client, "example.com");
    let fault = settle(&mut local, &mut Remote::new(&server)).unwrap_err();
    assert_eq!(
        (fault.culprit, fault.reason),
        (Culprit::PeerIncompatible, Reason::Handshake)
    );
    assert!(fault.what.contains("CertificateRequired"), "{}", fault.what);
    assert_eq!(
        fault.remedy,
        Some("give a client certificate that the server accepts")
    );
}
