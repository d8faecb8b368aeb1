//! What servers keep instead of a password, made by the `openssl` command.

use std::io::{self, Write};
use std::process::{Command, Stdio};

/// The one user of every server that asks who is there.
pub const USER: &str = "alice";
/// That user's password; the space is there for clients that forget to quote.
pub const PASSWORD: &str = "open sesame";

/// A line of an `htpasswd` file.
pub(super) fn basic(user: &str, password: &str) -> io::Result<String> {
    let hash = openssl(&["passwd", "-apr1", "-stdin"], password)?;
    Ok(format!("{user}:{hash}\n"))
}

/// A line of an `htdigest` file, with the MD5 of RFC 7616, section 3.4.2.
pub(super) fn digest(user: &str, realm: &str, password: &str) -> io::Result<String> {
    let said = openssl(&["md5", "-r"], &format!("{user}:{realm}:{password}"))?;
    let hash = said.split(' ').next().unwrap_or_default();
    Ok(format!("{user}:{realm}:{hash}\n"))
}

/// The hash that a line of `/etc/shadow` holds.
pub(super) fn system(password: &str) -> io::Result<String> {
    openssl(&["passwd", "-6", "-stdin"], password)
}

fn openssl(args: &[&str], input: &str) -> io::Result<String> {
    let mut child = Command::new("openssl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
