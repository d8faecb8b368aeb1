//! The system's certificate authorities. The environment belongs to the whole process, so
//! this is the only test in it.
#![cfg(all(feature = "native-roots", any(feature = "aws-lc-rs", feature = "ring")))]
#![allow(
    clippy::disallowed_methods,
    reason = "the system's store is a file that this test writes"
)]

#[path = "../tls/peer.rs"]
mod peer;

use std::path::Path;
use std::sync::Arc;

use peer::{Authority, Local, Remote, settle};
use rustls_aws_lc_rs::DEFAULT_PROVIDER;
use sockless_core::{Fault, Reason};
use sockless_tls::{Backend, Config, Roots};

/// The one under test.
const BACKEND: Backend = Backend::Rustls;

/// Makes that file the system's store.
fn install(text: &str) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("native.pem");
    std::fs::write(&path, text).expect("a file");
    // SAFETY: no other thread of this process reads or writes the environment.
    unsafe {
        std::env::remove_var("SSL_CERT_DIR");
        std::env::set_var("SSL_CERT_FILE", path);
    }
}

/// A handshake with a server of that authority's, trusting the system's.
fn meet(authority: &Authority) -> Result<(), Fault> {
    let server = Arc::new(authority.issue(&["example.com"]).server(DEFAULT_PROVIDER));
    let client = Config::new(Roots::native()?).build()?;
    let (mut local, mut remote) = (Local::new(&client, "example.com"), Remote::new(&server));
    settle(&mut local, &mut remote)
}

#[test]
fn the_system_s_authorities_are_trusted_and_no_others() {
    let (installed, other) = (Authority::new("installed"), Authority::new("other"));
    // A store may hold what no parser of today takes.
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    install(&format!("{junk}{}", installed.pem()));
    meet(&installed).expect("a trusted server");
    let fault = meet(&other).expect_err("nobody installed it");
    assert_eq!(fault.reason, Reason::Certificate);

    install("no certificates");
    let fault = Roots::native().expect_err("nobody to trust");
    assert_eq!(fault.reason, Reason::BadRequest);
    assert!(fault.what.contains("no trusted certificates"), "{fault:?}");
}
