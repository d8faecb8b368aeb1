//! The vocabulary of the matrix: what a cell is made of.

use super::tickets::{self, Kdc};

/// One thing that a user does, and what has to come of it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// The command line; words in braces are filled in by the laboratory.
    pub(super) args: &'static [&'static str],
    pub(super) on: On,
    pub(super) before: Before,
    /// Our exit code, and what else is right for other commands (`SOCKLESS_COMMAND`).
    pub(super) codes: &'static [i32],
    /// What our own command says about its failure, among other things.
    pub(super) says: &'static [&'static str],
    pub(super) after: &'static [Check],
    /// An option the case cannot do without; where it does not exist the case is skipped.
    pub(super) needs: Option<&'static str>,
}

/// What a case runs against, and so what `{url}` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// nginx, by each scheme, and TLS by each backend.
    EachScheme,
    /// The same, and plain HTTP with each backend, too, as a proxy may speak TLS.
    EachBackend,
    /// OpenSSH's client, whose ProxyCommand is ours: the arguments begin with its name.
    Ssh,
    /// OpenSSH's server, by each library that speaks SSH.
    Sshd,
    /// dropbear, by each library that speaks SSH.
    Dropbear,
    /// nginx, by plain HTTP only.
    Http,
    /// nginx, by HTTPS only, on the host with the good certificate.
    Https,
    /// Apache httpd, by plain HTTP.
    Apache,
    /// A fault by its name; also what `{url-tls}` leads to.
    Fault(&'static str),
    /// nginx by HTTPS, on a way that ends the connection inside of the answer.
    CutTls,
    /// Servers that take tickets, by each backend for Kerberos and with each KDC's tickets.
    Tickets,
    /// A port on which nobody listens.
    Refused,
}

/// What has to be there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    /// A file `source` with that many bytes of the pattern.
    Source(u64),
    /// A file `out` with the first bytes of what is to be downloaded.
    Begun(u64),
    /// A configuration file `config`; words in braces are filled in.
    Config(&'static str),
}

/// What has to be true afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// The file holds the pattern's first bytes, that many.
    File(&'static str, u64),
    /// The file holds this text somewhere.
    FileHas(&'static str, &'static str),
    /// Exactly this was printed.
    Printed(&'static str),
    /// This was printed, among other things.
    PrintedHas(&'static str),
    /// That many bytes of the pattern from the offset on were printed, and nothing else.
    PrintedPattern(u64, u64),
    /// The server's text file was printed, and nothing else.
    PrintedText,
    /// This was said on the error output, among other things.
    SaidHas(&'static str),
    /// The server stored that many bytes of the pattern as `{upload}`.
    Uploaded(u64),
    /// The file is there and not empty, and our own command says that, and how long it is.
    Kept(&'static str),
    /// The file is not there.
    Missing(&'static str),
    /// The server saw that many connections.
    Connections(usize),
}

/// A case on each scheme that has to succeed, until said otherwise.
pub(super) const fn case(name: &'static str, args: &'static [&'static str]) -> Case {
    Case {
        name,
        args,
        on: On::EachScheme,
        before: Before::Nothing,
        codes: &[0],
        says: &[],
        after: &[],
        needs: None,
    }
}

impl Case {
    pub(super) const fn on(mut self, on: On) -> Self {
        self.on = on;
        self
    }

    pub(super) const fn before(mut self, before: Before) -> Self {
        self.before = before;
        self
    }

    pub(super) const fn exits(mut self, codes: &'static [i32]) -> Self {
        self.codes = codes;
        self
    }

    pub(super) const fn says(mut self, says: &'static [&'static str]) -> Self {
        self.says = says;
        self
    }

    pub(super) const fn after(mut self, after: &'static [Check]) -> Self {
        self.after = after;
        self
    }

    pub(super) const fn needs(mut self, option: &'static str) -> Self {
        self.needs = Some(option);
        self
    }
}

/// What the command talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Tls12,
    Tls13,
    /// The same by the backend openssl.
    OpensslHttp,
    OpensslTls12,
    OpensslTls13,
    /// SSH, by russh.
    Russh,
    /// SSH, by libssh2.
    Libssh2,
    /// Tickets.
    Ticket {
        /// The column's name.
        name: &'static str,
        /// Who speaks Kerberos.
        backend: &'static str,
        /// Who gives the tickets.
        kdc: Kdc,
    },
}

impl Scheme {
    const ALL: [Self; 5] = [
        Self::Http,
        Self::Tls12,
        Self::Tls13,
        Self::OpensslTls12,
        Self::OpensslTls13,
    ];

    /// With the backend openssl beside the usual one.
    const BACKENDS: [Self; 6] = [
        Self::Http,
        Self::Tls12,
        Self::Tls13,
        Self::OpensslHttp,
        Self::OpensslTls12,
        Self::OpensslTls13,
    ];

    /// Whether the backend is openssl.
    pub(super) fn openssl(self) -> bool {
        matches!(
            self,
            Self::OpensslHttp | Self::OpensslTls12 | Self::OpensslTls13
        )
    }

    /// Whether the server speaks TLS.
    pub(super) fn is_tls(self) -> bool {
        !matches!(
            self,
            Self::Http | Self::OpensslHttp | Self::Russh | Self::Libssh2 | Self::Ticket { .. }
        )
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tls12 => "tls1.2",
            Self::Tls13 => "tls1.3",
            Self::OpensslHttp => "openssl-http",
            Self::OpensslTls12 => "openssl-1.2",
            Self::OpensslTls13 => "openssl-1.3",
            Self::Russh => "russh",
            Self::Libssh2 => "libssh2",
            Self::Ticket { name, .. } => name,
        }
    }
}

impl On {
    /// The columns of the table that a case has cells in.
    pub(super) fn schemes(self) -> &'static [Scheme] {
        match self {
            Self::EachScheme => &Scheme::ALL,
            Self::EachBackend => &Scheme::BACKENDS,
            Self::Https => &[Scheme::Tls13, Scheme::OpensslTls13],
            Self::CutTls => &[
                Scheme::Tls12,
                Scheme::Tls13,
                Scheme::OpensslTls12,
                Scheme::OpensslTls13,
            ],
            Self::Tickets => tickets::COLUMNS,
            Self::Sshd | Self::Dropbear => &[Scheme::Russh, Scheme::Libssh2],
            Self::Http | Self::Apache | Self::Ssh | Self::Fault(_) | Self::Refused => {
                &[Scheme::Http]
            }
        }
    }
}
