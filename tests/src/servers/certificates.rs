//! A test authority and the certificates of the virtual hosts, made by the `openssl` command.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// Names of the certificates that clients are given.
pub(super) const AUTHORITY: &str = "ca";
pub(super) const OTHER_AUTHORITY: &str = "other-ca";
pub(super) const CLIENT: &str = "client";

/// Two long-gone moments, so that the expired certificate was valid once.
const PAST: [&str; 2] = ["20200101000000Z", "20200201000000Z"];

/// Fills `folder` with an authority, `ca`, and what it issued, as `NAME.pem` and
/// `NAME.key`; takes some tens of milliseconds.
pub(super) fn create(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("openssl.cnf"), CONFIG)?;
    fs::write(folder.join("index"), "")?;
    fs::write(folder.join("serial"), "1000\n")?;
    let office = Office { folder };
    office.self_signed(AUTHORITY, "sockless test authority", "authority")?;
    office.self_signed(OTHER_AUTHORITY, "unrelated test authority", "authority")?;
    office.self_signed("self-signed", "localhost", "server")?;
    office.issue("server", "server", None)?;
    office.issue("expired", "server", Some(PAST))?;
    office.issue("wrong-name", "wrong_name", None)?;
    office.issue(CLIENT, "client", None)
}

/// Where certificates are made.
struct Office<'a> {
    folder: &'a Path,
}

impl Office<'_> {
    fn self_signed(&self, name: &str, subject: &str, section: &str) -> io::Result<()> {
        let (pem, key) = (format!("{name}.pem"), format!("{name}.key"));
        let subject = format!("/CN={subject}");
        self.openssl(&[
            "req",
            "-x509",
            "-config",
            "openssl.cnf",
            "-extensions",
            section,
            "-days",
            "3650",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            &subject,
            "-keyout",
            &key,
            "-out",
            &pem,
        ])
    }

    fn issue(&self, name: &str, section: &str, valid: Option<[&str; 2]>) -> io::Result<()> {
        let (pem, key, request) = (
            format!("{name}.pem"),
            format!("{name}.key"),
            format!("{name}.csr"),
        );
        let subject = format!("/CN={name}");
        self.openssl(&[
            "req",
            "-new",
            "-config",
            "openssl.cnf",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            &subject,
            "-keyout",
            &key,
            "-out",
            &request,
        ])?;
        let mut args = vec![
            "ca",
            "-batch",
            "-notext",
            "-config",
            "openssl.cnf",
            "-extensions",
            section,
            "-in",
            &request,
            "-out",
            &pem,
        ];
        match valid {
            Some([from, to]) => args.extend(["-startdate", from, "-enddate", to]),
            None => args.extend(["-days", "3650"]),
        }
        self.openssl(&args)
    }

    fn openssl(&self, args: &[&str]) -> io::Result<()> {
        let output = Command::new("openssl")
            .args(args)
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| io::Error::new(error.kind(), format!("openssl: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!(
            "openssl {}: {}",
            args.join(" "),
            said.trim()
        )))
    }
}

/// Complete by itself: what the system's own configuration says must not matter.
const CONFIG: &str = "\
[req]
distinguished_name = subject
[subject]
[ca]
default_ca = authority_store
[authority_store]
database = index
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
policy = any_subject
unique_subject = no
[any_subject]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1
[wrong_name]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:elsewhere.invalid
[client]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
";
