//! What is wrong with a server's certificate is said, and nothing is sent to it.

use std::fs;
use std::time::Duration;

use sockless::tls::{self, Roots, Verify, Version};
use sockless::{Config, Culprit, Reason};
use sockless_tests::faults;
use sockless_tests::servers::{self, Host};

use super::world::{on_each, trusting, with_tls};

#[test]
fn each_bad_certificate_is_refused_with_its_own_words() {
    let nginx = servers::shared();
    on_each(|world| {
        for (host, words) in [
            (Host::Expired, "expired"),
            (Host::SelfSigned, "self-signed"),
            (Host::WrongName, "name"),
        ] {
            let error = world.get(&nginx.url(host, "/1k")).error();
            assert_eq!(
                (error.reason(), error.culprit()),
                (Reason::Certificate, Culprit::Policy)
            );
            assert_eq!(error.layer(), "tls");
            assert!(
                error.to_string().to_lowercase().contains(words),
                "{host:?}: {error}"
            );
            assert!(error.remedy().is_some(), "{error}");
            assert!(
                error
                    .peer()
                    .is_some_and(|peer| peer.starts_with("localhost:")),
                "{error}"
            );
        }
        world.wind_up();
    });
}

#[test]
fn an_unknown_authority_is_refused_and_the_server_hears_why() {
    let nginx = servers::shared();
    on_each(|world| {
        world.configure(trusting(&nginx.other_ca_pem()));
        let error = world.get(&nginx.https_url("/1k")).error();
        assert_eq!(error.reason(), Reason::Certificate);
        world.wind_up();
        // nginx writes its log when it gets round to it.
        let heard = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            nginx.error_log().contains("unknown ca")
        });
        assert!(heard, "the alert reached nginx:\n{}", nginx.error_log());
    });
}

#[test]
fn insecure_means_insecure_and_only_when_asked_for() {
    let nginx = servers::shared();
    on_each(|world| {
        world.configure(Config::default());
        assert_eq!(
            world.get(&nginx.https_url("/1k")).error().reason(),
            Reason::Certificate
        );
        world.configure(with_tls(
            tls::Config::new(Roots::empty()).verify(Verify::Insecure),
        ));
        assert_eq!(
            world.get(&nginx.url(Host::Expired, "/1k")).good().len(),
            1024
        );
    });
}

#[test]
fn versions_that_do_not_meet_say_so() {
    let nginx = servers::shared();
    on_each(|world| {
        let mut roots = Roots::empty();
        roots
            .add_pem(&fs::read(nginx.ca_pem()).expect("a file"))
            .expect("PEM");
        let tls = tls::Config::new(roots).versions(Version::Tls13, Version::Tls13);
        world.configure(with_tls(tls));
        let error = world.get(&nginx.url(Host::Tls12, "/1k")).error();
        assert_eq!(
            (error.reason(), error.culprit()),
            (Reason::Handshake, Culprit::PeerIncompatible)
        );
        assert_eq!(world.get(&nginx.url(Host::Tls13, "/1k")).good().len(), 1024);
    });
}

#[test]
fn a_client_certificate_is_presented() {
    let nginx = servers::shared();
    on_each(|world| {
        let url = nginx.url(Host::ClientCertificate, "/tls");
        assert_eq!(world.get(&url).code(), 400, "nginx asks for one");
        let (chain, key) = nginx.client_pem();
        let mut roots = Roots::empty();
        roots
            .add_pem(&fs::read(nginx.ca_pem()).expect("a file"))
            .expect("PEM");
        let tls = tls::Config::new(roots)
            .client_certificate(
                &fs::read(chain).expect("a file"),
                &fs::read(key).expect("a file"),
            )
            .expect("a chain and its key");
        world.configure(with_tls(tls));
        let body = String::from_utf8(world.get(&url).good()).expect("text");
        assert!(body.contains("CN="), "{body}");
    });
}

#[test]
fn a_server_that_does_not_speak_tls_is_named() {
    let nginx = servers::shared();
    let garbage = faults::garbage().expect("a port");
    on_each(|world| {
        let plain = format!("https://localhost:{}/", nginx.port(Host::Http));
        for url in [plain, garbage.https_url("/")] {
            let error = world.get(&url).error();
            assert_eq!(
                (error.reason(), error.layer()),
                (Reason::WrongProtocol, "tls"),
                "{error}"
            );
        }
        world.wind_up();
    });
}
