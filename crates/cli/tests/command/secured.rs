//! HTTPS: who is believed.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rcgen::{
    CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa, Issuer, KeyIdMethod,
    KeyPair, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::crypto::Identity;
use rustls::crypto::cipher::OutboundPlain;
use rustls::pki_types::PrivateKeyDer;
use rustls::{Connection, ServerConfig, ServerSide, SliceInput, Tcp};

use crate::peer::ok;
use crate::{command, content, finished, folder, run};

/// A server for `localhost`, and the file with the authority to trust.
struct Secured {
    url: String,
    authority: PathBuf,
    /// Its public key, PEM.
    key: String,
    /// Revocation lists of its authority, PEM: without it, and with it.
    lists: [String; 2],
}

/// The serial number of the server's certificate.
const SERIAL: u64 = 7;

impl Secured {
    fn new(name: &str) -> Self {
        Self::answering(name, ok(b"secret"), true)
    }

    /// A server that ends its stream after these bytes without a farewell.
    fn cutting(name: &str, answer: &[u8]) -> Self {
        Self::answering(name, answer.to_vec(), false)
    }

    fn answering(name: &str, answer: Vec<u8>, farewell: bool) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let mut leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        leaf.serial_number = Some(SerialNumber::from(SERIAL));
        let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");
        let public = key.public_key_pem();
        let identity = Identity::from_cert_chain(vec![leaf.der().clone()]).expect("a chain");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder(Arc::new(rustls_aws_lc_rs::DEFAULT_PROVIDER))
            .with_no_client_auth()
            .with_single_cert(Arc::new(identity), key)
            .expect("settings");
        let authority = folder(name).join("authority.pem");
        std::fs::write(&authority, issuer.pem()).expect("a file");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = listener.local_addr().expect("an address").port();
        let config = Arc::new(config);
        thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                serve(tcp, Arc::clone(&config), &answer, farewell);
            }
        });
        Self {
            url: format!("https://localhost:{port}/"),
            authority,
            key: public,
            lists: [list(&issuer, None), list(&issuer, Some(SERIAL))],
        }
    }

    /// The command with `--resolve`, so that the test needs no resolver.
    fn run(&self, args: &[&str]) -> crate::Ran {
        finished(self.command(args))
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let port = self
            .url
            .trim_start_matches("https://localhost:")
            .trim_end_matches('/');
        let entry = format!("localhost:{port}:127.0.0.1");
        let mut all = vec!["-sS", "-m", "30", "--resolve", &entry, &self.url];
        all.extend_from_slice(args);
        command(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")), &all)
    }
}

/// A revocation list with that certificate, if any.
fn list(issuer: &Issuer<'_, KeyPair>, revoked: Option<u64>) -> String {
    let revoked = revoked.map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: date_time_ymd(2025, 1, 1),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2025, 1, 1),
        next_update: date_time_ymd(4000, 1, 1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: revoked.into_iter().collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = params.signed_by(issuer).expect("a list");
    list.pem().expect("text")
}

/// One request, one answer, the end.
fn serve(mut tcp: TcpStream, config: Arc<ServerConfig>, answer: &[u8], farewell: bool) {
    let mut tls = Connection::<ServerSide, Tcp>::new(config).expect("a connection");
    let (mut unread, mut plain, mut sealed) = (Vec::new(), Vec::new(), Vec::new());
    let mut piece = [0; 4096];
    while !plain.ends_with(b"\r\n\r\n") {
        let Some(n) = tcp.read(&mut piece).ok().filter(|n| *n > 0) else {
            return;
        };
        unread.extend_from_slice(&piece[..n]);
        let mut input = SliceInput::new(&mut unread);
        let handled = tls.read_tls(&mut input, &mut sealed).handle_all(&mut plain);
        let used = input.into_used();
        unread.drain(..used);
        let failed = handled.is_err();
        if tcp.write_all(&sealed).is_err() || failed {
            return;
        }
        sealed.clear();
    }
    let mut answered = Ok(());
    if !answer.is_empty() {
        answered = tls.write(OutboundPlain::Single(answer), &mut sealed);
    }
    if farewell {
        answered = answered.and_then(|()| tls.send_close_notify(&mut sealed));
    }
    if answered.is_ok() {
        // The client may have left; it will say so.
        let _ = tcp.write_all(&sealed);
    }
}

#[test]
fn only_trusted_servers_are_believed() {
    let server = Secured::new("trust");
    let ran = server.run(&[]);
    assert_eq!(ran.code, 60, "{}", ran.err);
    assert!(ran.err.starts_with("sockless: (60) tls ("), "{}", ran.err);
    assert!(ran.err.contains("[refused by policy]"), "{}", ran.err);
    let authority = server.authority.display().to_string();
    assert_eq!(server.run(&["--cacert", &authority]).ok().text(), "secret");
    assert_eq!(server.run(&["-k"]).ok().text(), "secret");
    let folder = server
        .authority
        .parent()
        .expect("a folder")
        .display()
        .to_string();
    assert_eq!(server.run(&["--capath", &folder]).ok().text(), "secret");
}

#[test]
fn the_environment_names_roots_and_a_key_log() {
    let server = Secured::new("environment");
    let log = server.authority.with_file_name("keys");
    let mut command = server.command(&["--tlsv1.3", "-w", " %{time_appconnect}"]);
    command
        .env("SSL_CERT_FILE", &server.authority)
        .env("SSLKEYLOGFILE", &log);
    let ran = finished(command).ok();
    assert!(ran.text().starts_with("secret ") && !ran.text().ends_with(" 0.000000"));
    let log = String::from_utf8(content(log)).expect("text");
    assert!(log.contains("CLIENT_HANDSHAKE_TRAFFIC_SECRET "), "{log}");
}

#[test]
fn verbose_names_the_stack() {
    let server = Secured::new("stack");
    let ran = server.run(&["-k", "-v"]).ok();
    assert!(ran.err.contains("* Stack: http / tls / "), "{}", ran.err);
}

#[test]
fn files_that_are_none_have_numbers_of_their_own() {
    let server = Secured::new("files");
    assert_eq!(server.run(&["--cacert", "/nonexistent"]).code, 77);
    assert_eq!(server.run(&["--cacert", "/dev/null"]).code, 77);
    assert_eq!(server.run(&["-E", "/nonexistent"]).code, 58);
    assert_eq!(server.run(&["--tls-max", "1.0"]).code, 2);
}

#[test]
fn a_server_without_tls_is_35() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for mut tcp in listener.incoming().flatten() {
            let _ = tcp.read(&mut [0; 4096]);
            let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let ran = run(&["-sS", "-m", "30", &format!("https://127.0.0.1:{port}/")]);
    assert_eq!(ran.code, 35, "{}", ran.err);
    assert!(ran.err.contains("does not speak TLS"), "{}", ran.err);
}

#[test]
fn a_handshake_that_breaks_off_is_35() {
    let url = crate::peer::Peer::resetting()
        .url("/")
        .replace("http:", "https:");
    let ran = run(&["-sS", "-m", "30", &url]);
    assert_eq!(ran.code, 35, "{}", ran.err);
}

#[test]
fn a_cut_stream_is_told_as_what_is_missing() {
    let table: [(&str, &[u8], i32, &str); 5] = [
        ("cut_empty", b"", 52, "http"),
        (
            "cut_length",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
            18,
            "3 of 9 bytes",
        ),
        (
            "cut_chunks",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            18,
            "chunk",
        ),
        ("cut_head", b"HTTP/1.1 200 OK\r\nContent-", 56, "head"),
        ("cut_close", b"HTTP/1.1 200 OK\r\n\r\nabc", 56, "tls"),
    ];
    for (name, answer, code, words) in table {
        let ran = Secured::cutting(name, answer).run(&["-k"]);
        assert_eq!(ran.code, code, "{name}: {}", ran.err);
        assert!(ran.err.contains(words), "{name}: {}", ran.err);
        assert!(ran.err.contains("close_notify"), "{name}: {}", ran.err);
    }
    // Nothing is missing: the length says so.
    let ran = Secured::cutting("cut_whole", &ok(b"whole")).run(&["-k"]);
    assert_eq!(ran.ok().text(), "whole");
}

#[test]
fn keys_can_be_pinned() {
    let server = Secured::new("pins");
    let wrong = format!("sha256//{}=", "A".repeat(43));
    let ran = server.run(&["-k", "--pinnedpubkey", &wrong]);
    assert_eq!(ran.code, 90, "{}", ran.err);
    assert_eq!(ran.text(), "");
    assert_eq!(
        server.run(&["-k", "--pinnedpubkey", "/nonexistent"]).code,
        90
    );
    assert_eq!(server.run(&["-k", "--pinnedpubkey", "sha256//?"]).code, 90);
    let key = server.authority.with_file_name("key.pem");
    std::fs::write(&key, &server.key).expect("a file");
    let key = key.display().to_string();
    assert_eq!(
        server.run(&["-k", "--pinnedpubkey", &key]).ok().text(),
        "secret"
    );
}

#[test]
fn revoked_certificates_are_refused() {
    let server = Secured::new("revoked");
    let authority = server.authority.display().to_string();
    let [clean, revoking] = ["clean", "revoking"].map(|name| server.authority.with_file_name(name));
    std::fs::write(&clean, &server.lists[0]).expect("a file");
    std::fs::write(&revoking, &server.lists[1]).expect("a file");
    let with = |list: &std::path::Path| {
        let list = list.display().to_string();
        server.run(&["--cacert", &authority, "--crlfile", &list])
    };
    assert_eq!(with(&clean).ok().text(), "secret");
    let ran = with(&revoking);
    assert_eq!(ran.code, 60, "{}", ran.err);
    assert!(ran.err.contains("revoked"), "{}", ran.err);
}

#[test]
fn options_of_tls_that_cannot_be_used_are_refused() {
    let server = Secured::new("options");
    for (args, code) in [
        (&["--crlfile", "/nonexistent"][..], 82),
        (&["--crlfile", "/dev/null"], 82),
        (&["--tls-backend", "other"], 2),
        (&["--cert-type", "DER", "-E", "/dev/null"], 2),
        (&["--ciphers", "NONE_SUCH"], 2),
        (&["--curves", "nonesuch"], 2),
    ] {
        let ran = server.run(&[&["-k"], args].concat());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.err);
    }
    let suite = ["--tlsv1.3", "--tls13-ciphers", "TLS_AES_256_GCM_SHA384"];
    let ran = server.run(&[&["-k", "-v"], &suite[..]].concat()).ok();
    assert!(ran.err.contains("AES_256_GCM_SHA384"), "{}", ran.err);
}

#[test]
fn the_backend_is_there_or_the_message_says_what_to_do() {
    let ran = Secured::new("backend").run(&["-k", "--tls-backend", "openssl"]);
    if cfg!(feature = "tls-openssl") {
        assert_eq!(ran.ok().text(), "secret");
    } else {
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("feature tls-openssl"), "{}", ran.err);
    }
}

#[test]
fn an_https_proxy_is_verified_by_options_of_its_own() {
    let proxy = Secured::new("proxy");
    let port = proxy.url.trim_start_matches("https://localhost:");
    let port = port.trim_end_matches('/');
    let entry = format!("localhost:{port}:127.0.0.1");
    let at = format!("https://localhost:{port}");
    let authority = proxy.authority.display().to_string();
    let through = |args: &[&str]| {
        let all = ["-sS", "-m", "30", "--resolve", &entry, "-x", &at];
        run(&[&all[..], args, &["http://origin.example/"]].concat())
    };
    assert_eq!(
        through(&["--proxy-cacert", &authority]).ok().text(),
        "secret"
    );
    assert_eq!(through(&["--proxy-insecure"]).ok().text(), "secret");
    for of_servers in [&["-k"][..], &["--cacert", &authority]] {
        let ran = through(of_servers);
        assert_eq!(ran.code, 60, "{}", ran.err);
    }
    let wrong = format!("sha256//{}=", "A".repeat(43));
    let ran = through(&["--proxy-insecure", "--proxy-pinnedpubkey", &wrong]);
    assert_eq!(ran.code, 90, "{}", ran.err);
}
