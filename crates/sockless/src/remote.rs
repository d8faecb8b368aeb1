//! URLs of what is on SSH servers.

use core::fmt;

use percent_encoding::percent_decode_str;
use sockless_core::{Culprit, Error, Fault, Reason};
use url::Url;
use zeroize::Zeroizing;

use crate::request::{decoded, masked};

/// What a URL of an SSH server is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RemoteKind {
    /// `sftp://`: a file or a directory.
    Sftp,
    /// `scp://`: the same, by scp's protocol.
    Scp,
    /// `ssh://`: the host itself, e.g. to run a command there.
    Host,
}

/// A URL as curl has them for SSH: `sftp://[user[:password]@]host[:port]/path`.
///
/// ```
/// # fn main() -> Result<(), sockless::Error> {
/// use sockless::{RemoteKind, RemoteUrl};
///
/// let url = RemoteUrl::parse("sftp://alice@files.example:2222/~/a%20file")?;
/// assert_eq!(url.kind, RemoteKind::Sftp);
/// assert_eq!((url.host.as_str(), url.port), ("files.example", Some(2222)));
/// assert_eq!(url.path, b"a file");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct RemoteUrl {
    /// What it is about.
    pub kind: RemoteKind,
    /// The host, an IPv6 address without brackets.
    pub host: String,
    /// The port, if it is given.
    pub port: Option<u16>,
    /// The user, if one is given.
    pub user: Option<String>,
    /// The user's password, if one is given.
    pub password: Option<Zeroizing<String>>,
    /// The path as the server is told it: what stands behind `/~/` is meant from the user's home,
    /// which `.` is itself.
    pub path: Vec<u8>,
}

impl RemoteUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// It is none, has no host, or another scheme.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text).map_err(|error| bad(text, &error.to_string()))?;
        let kind = match url.scheme() {
            "sftp" => RemoteKind::Sftp,
            "scp" => RemoteKind::Scp,
            "ssh" => RemoteKind::Host,
            _ => return Err(bad(text, "its scheme is none of SSH's")),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| bad(text, "it has no host"))?;
        let path: Vec<u8> = percent_decode_str(url.path()).collect();
        let path = match path.strip_prefix(b"/~") {
            Some(b"" | b"/") => b".".to_vec(),
            Some([b'/', rest @ ..]) => rest.to_vec(),
            _ if path.is_empty() => b"/".to_vec(),
            _ => path,
        };
        Ok(Self {
            kind,
            host: decoded(host.trim_matches(['[', ']'])),
            port: url.port(),
            user: Some(url.username())
                .filter(|user| !user.is_empty())
                .map(decoded),
            password: url.password().map(|secret| decoded(secret).into()),
            path,
        })
    }

    /// Whether the path is that of a directory, which is to be listed.
    pub fn is_folder(&self) -> bool {
        self.path.ends_with(b"/") || self.path == b"."
    }
}

/// No password.
impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteUrl({:?} at {:?})", self.kind, self.host)
    }
}

fn bad(text: &str, why: &str) -> Error {
    let what = format!("{} is no URL: {why}", masked(text));
    Fault::new(Culprit::Misuse, Reason::BadUrl, what)
        .remedy("write it as sftp://user@host/path")
        .at("url")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_ports_and_addresses() {
        let url = RemoteUrl::parse("scp://me:p%40ss@[::1]:22/~/").expect("a URL");
        assert_eq!((url.kind, url.host.as_str()), (RemoteKind::Scp, "::1"));
        assert_eq!((url.port, url.user.as_deref()), (Some(22), Some("me")));
        let password = url.password.as_ref().map(|text| text.as_str());
        assert_eq!((password, &*url.path), (Some("p@ss"), &b"."[..]));
        assert!(url.is_folder() && !format!("{url:?}").contains("ss@"));
        let root = RemoteUrl::parse("ssh://h").expect("a URL");
        assert_eq!(
            (root.path, root.port, root.user),
            (b"/".to_vec(), None, None)
        );
    }

    #[test]
    fn what_is_none_is_refused_without_its_password() {
        for text in [
            "http://me:topsecret@h/",
            "sftp:/me:topsecret@",
            "me:topsecret@h",
        ] {
            let error = RemoteUrl::parse(text).expect_err(text);
            assert!(!error.to_string().contains("topsecret"), "{error}");
        }
    }
}
