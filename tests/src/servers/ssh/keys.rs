//! The keys of those who log in, in every format that OpenSSH ever wrote, made by
//! `ssh-keygen` and `openssl` once for all servers.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::servers::passwords::USER;
use crate::servers::place;

/// Private keys that servers accept, as `NAME` and `NAME.pub`; the format is OpenSSH's
/// own where the name does not say another.
pub const ACCEPTED: &[&str] = &[
    "ed25519",
    "ecdsa",
    "ecdsa-384",
    "rsa",
    "rsa-pem",
    "ecdsa-pem",
    "rsa-pkcs8",
    "ecdsa-pkcs8",
    "ed25519-pkcs8",
    "ed25519-passphrase",
    "rsa-pem-passphrase",
    "rsa-pkcs8-passphrase",
];

/// What decrypts the private keys whose names end so.
pub const PASSPHRASE: &str = "correct horse";

/// Keys that are accepted for nothing but their certificate `NAME-cert.pub`.
pub const CERTIFIED: &str = "certified";
/// The same with a certificate whose time is over.
pub const CERTIFIED_ONCE: &str = "certified-once";
/// The same with a certificate for somebody else.
pub const CERTIFIED_OTHER: &str = "certified-other";
/// A key that no server accepts.
pub const STRANGER: &str = "stranger";

/// Who signs users' keys and servers' keys.
pub(super) const USER_AUTHORITY: &str = "user-ca";
pub(super) const HOST_AUTHORITY: &str = "host-ca";

/// Changes whenever the keys do, so that those of an older version are not used.
const FOLDER: &str = "ssh-keys-1";

/// The folder with all of them.
pub(in crate::servers) fn folder() -> io::Result<PathBuf> {
    place::made_once(&place::root(), FOLDER, create)
}

/// The public keys of [`ACCEPTED`], a line each.
pub(in crate::servers) fn authorized() -> io::Result<String> {
    let folder = folder()?;
    let line = |name: &&str| fs::read_to_string(folder.join(format!("{name}.pub")));
    ACCEPTED.iter().map(line).collect()
}

/// Makes `file` and `file.pub` without a passphrase; `options` are ssh-keygen's.
pub(in crate::servers) fn create_key(file: &Path, options: &[&str]) -> io::Result<()> {
    protected_key(file, options, "")
}

/// Signs `NAME.pub` with an authority of `keys`; `options` are ssh-keygen's.
pub(super) fn certify(
    keys: &Path,
    authority: &str,
    name: &Path,
    options: &[&str],
) -> io::Result<()> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-I", "tests", "-s"]);
    command.arg(keys.join(authority)).args(options);
    run(command.arg(name.with_extension("pub")))
}

/// Runs a command that says something only if it fails.
pub(super) fn run(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{command:?}: {said}")))
}

fn create(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for name in ACCEPTED {
        let passphrase = if name.ends_with("-passphrase") {
            PASSPHRASE
        } else {
            ""
        };
        match *name {
            "ed25519-pkcs8" => ed25519_pkcs8(&folder.join(name))?,
            _ => protected_key(&folder.join(name), &options(name), passphrase)?,
        }
    }
    let certified = [CERTIFIED, CERTIFIED_ONCE, CERTIFIED_OTHER];
    for name in [STRANGER, USER_AUTHORITY, HOST_AUTHORITY]
        .iter()
        .chain(&certified)
    {
        create_key(&folder.join(name), &options("ed25519"))?;
    }
    let principals = format!("{},{USER}", super::runner()?);
    let certificates = [
        (CERTIFIED, ["-n", &principals, "-V", "always:forever"]),
        (
            CERTIFIED_ONCE,
            ["-n", &principals, "-V", "20200101:20200201"],
        ),
        (
            CERTIFIED_OTHER,
            ["-n", "nobody-here", "-V", "always:forever"],
        ),
    ];
    for (name, options) in certificates {
        certify(folder, USER_AUTHORITY, &folder.join(name), &options)?;
    }
    Ok(())
}

/// What makes `ssh-keygen` make a key of that name.
fn options(name: &str) -> Vec<&'static str> {
    let mut options = match name.split('-').next() {
        Some("rsa") => vec!["-t", "rsa", "-b", "2048"],
        Some("ecdsa") => vec!["-t", "ecdsa", "-b", "256"],
        _ => vec!["-t", "ed25519"],
    };
    if name.ends_with("-384") {
        options[3] = "384";
    }
    if name.contains("-pem") {
        options.extend(["-m", "PEM"]);
    }
    if name.contains("-pkcs8") {
        options.extend(["-m", "PKCS8"]);
    }
    options
}

fn protected_key(file: &Path, options: &[&str], passphrase: &str) -> io::Result<()> {
    if file.exists() {
        return Ok(());
    }
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-N", passphrase, "-C", "tests"]);
    run(command.args(options).arg("-f").arg(file))
}

/// OpenSSH writes this kind in its own format only, at least up to its version 9.5.
fn ed25519_pkcs8(file: &Path) -> io::Result<()> {
    let mut make = Command::new("openssl");
    run(make
        .args(["genpkey", "-algorithm", "ed25519", "-out"])
        .arg(file))?;
    let mut show = Command::new("openssl");
    show.args(["pkey", "-pubout", "-outform", "DER", "-in"]);
    let der = show.arg(file).output()?.stdout;
    // The key itself is at the end: RFC 8410, section 4. The rest is RFC 8709, section 4.
    let key = der
        .last_chunk::<32>()
        .ok_or_else(|| io::Error::other("openssl pkey printed no key"))?;
    let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    blob.extend(key);
    let line = format!("ssh-ed25519 {} tests\n", base64(&blob)?);
    fs::write(file.with_extension("pub"), line)
}

fn base64(bytes: &[u8]) -> io::Result<String> {
    let mut child = Command::new("openssl")
        .args(["base64", "-A"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(bytes)?;
    }
    let output = child.wait_with_output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
