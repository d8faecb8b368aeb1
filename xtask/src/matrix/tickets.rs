//! The rows about Kerberos, by each backend, with the tickets of each KDC.
//!
//! `{ticket}` is a user and a password of the column's realm; `{krb-…}` are servers that take
//! tickets, and the files that belong to them.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sockless_tests::content;
use sockless_tests::servers::{HEIMDAL_REALM, PASSWORD, REALM, USER, Way};

use super::cell::Before::Config;
use super::cell::Check::{File, PrintedHas};
use super::cell::On::Tickets;
use super::cell::{Case, Scheme, case};
use super::lab::{Cell, Lab};

const M: u64 = 1 << 20;

/// A column's name is a constant, and is made of two.
macro_rules! columns {
    ($($backend:literal),+) => {
        &[$(
            Scheme::Ticket {
                name: concat!($backend, "-mit"),
                backend: $backend,
                kdc: Kdc::Mit,
            },
            Scheme::Ticket {
                name: concat!($backend, "-heimdal"),
                backend: $backend,
                kdc: Kdc::Heimdal,
            },
        )+]
    };
}

/// A column for each backend and each KDC. To add a backend is to add its name here.
pub(super) const COLUMNS: &[Scheme] = columns!("gssapi", "rust");

/// Whose tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kdc {
    Mit,
    Heimdal,
}

/// What has to succeed. Nothing but the ticket lets anybody in there.
pub(super) const TICKETS: &[Case] = &[
    get(
        "Negotiate",
        &[
            "--negotiate",
            "-u",
            "{ticket}",
            "-o",
            "out",
            "{krb-http}/private/1m",
        ],
    ),
    case(
        "Negotiate, kept connection",
        &[
            "--negotiate",
            "-u",
            "{ticket}",
            "-o",
            "out",
            "{krb-http}/private/1m",
            "-o",
            "more",
            "{krb-http}/private/1k",
        ],
    )
    .on(Tickets)
    .after(&[File("out", M), File("more", 1024)]),
    get(
        "Negotiate over TLS",
        &[
            "--negotiate",
            "-u",
            "{ticket}",
            "--cacert",
            "{krb-ca}",
            "-o",
            "out",
            "{krb-https}/private/1m",
        ],
    ),
    case(
        "Negotiate with a channel binding",
        &[
            "--negotiate",
            "-u",
            "{ticket}",
            "--cacert",
            "{krb-ca}",
            "{krb-bound}",
        ],
    )
    .on(Tickets)
    .after(&[PrintedHas("alice@")]),
    get(
        "proxy Negotiate",
        &[
            "-x",
            "{krb-proxy}",
            "--proxy-negotiate",
            "-U",
            "{ticket}",
            "-o",
            "out",
            "{krb-http}/1m",
        ],
    ),
    get(
        "proxy Negotiate, CONNECT",
        &[
            "-x",
            "{krb-proxy}",
            "--proxy-negotiate",
            "-U",
            "{ticket}",
            "--cacert",
            "{krb-ca}",
            "-o",
            "out",
            "{krb-https}/1m",
        ],
    ),
    get("socks5 by ticket", &through_socks("none")),
    get("socks5 by ticket, integrity", &through_socks("integrity")),
    get(
        "socks5 by ticket, confidentiality",
        &through_socks("confidentiality"),
    ),
    get(
        "socks5 by ticket, as NEC",
        &[
            "--socks5-hostname",
            "{krb-nec}",
            "--socks5-gssapi",
            "--socks5-gssapi-nec",
            "-U",
            "{ticket}",
            "--socks5-gssapi-protection",
            "confidentiality",
            "-o",
            "out",
            "{krb-http}/1m",
        ],
    ),
    get(
        "sftp by ticket",
        &[
            "--negotiate",
            "-u",
            "{ticket}",
            "--known-hosts",
            "{krb-known-hosts}",
            "-o",
            "out",
            "sftp://{krb-ssh}{krb-file}",
        ],
    ),
    get(
        "scp by ticket",
        &[
            "--negotiate",
            "-u",
            "{ticket}",
            "--known-hosts",
            "{krb-known-hosts}",
            "-o",
            "out",
            "scp://{krb-ssh}{krb-file}",
        ],
    ),
    get(
        "sftp by ticket through a jump by ticket",
        &[
            "--negotiate",
            "-u",
            "{ticket}",
            "--known-hosts",
            "{krb-known-hosts}",
            "--jump",
            "{krb-ssh}",
            "-o",
            "out",
            "sftp://{krb-ssh}{krb-file}",
        ],
    ),
    get(
        "Negotiate, tickets of kinit",
        &[
            "--negotiate",
            "-u",
            ":",
            "--krb5-ccache",
            "{krb-ccache}",
            "-o",
            "out",
            "{krb-http}/private/1m",
        ],
    ),
    get(
        "sftp by GSSAPIAuthentication, tickets of kinit",
        &[
            "--ssh-config=config",
            "--krb5-ccache",
            "{krb-ccache}",
            "--known-hosts",
            "{krb-known-hosts}",
            "-o",
            "out",
            "sftp://{krb-ssh}{krb-file}",
        ],
    )
    .before(Config(
        "GSSAPIAuthentication yes\nIdentityFile none\nIdentityAgent none\n",
    )),
    get(
        "sftp through socks5, both by one ticket",
        &[
            "--negotiate",
            "-u",
            "{ticket}",
            "--known-hosts",
            "{krb-known-hosts}",
            "--socks5-hostname",
            "{krb-socks}",
            "--socks5-gssapi",
            "-U",
            "{ticket}",
            "--socks5-gssapi-protection",
            "confidentiality",
            "-o",
            "out",
            "sftp://{krb-ssh}{krb-file}",
        ],
    ),
];

/// What has to fail, and how.
pub(super) const TICKETS_REFUSED: &[Case] = &[
    case(
        "Kerberos, unknown user",
        &[
            "--negotiate",
            "-u",
            "{nobody}:wrong",
            "{krb-http}/private/1k",
        ],
    )
    .on(Tickets)
    .exits(&[67])
    .says(&["(KDC_ERR_C_PRINCIPAL_UNKNOWN, 6)"]),
    case(
        "Kerberos, unknown service",
        &[
            "--negotiate",
            "-u",
            "{ticket}",
            "--service-name",
            "nosuch",
            "{krb-http}/private/1k",
        ],
    )
    .on(Tickets)
    .exits(&[67])
    .says(&["(KDC_ERR_S_PRINCIPAL_UNKNOWN, 7)"]),
    case(
        "sftp, no ticket for it",
        &[
            "--negotiate",
            "-u",
            "{ticket}",
            "--service-name",
            "nosuch",
            "--known-hosts",
            "{krb-known-hosts}",
            "sftp://{krb-ssh}{krb-file}",
        ],
    )
    .on(Tickets)
    .exits(&[67])
    .says(&[
        "ssh (",
        "gssapi-with-mic (",
        "(KDC_ERR_S_PRINCIPAL_UNKNOWN, 7)",
    ]),
    case(
        "socks5 without the protection that is wanted",
        &[
            "--socks5-hostname",
            "{krb-lying-socks}",
            "--socks5-gssapi",
            "-U",
            "{ticket}",
            "--socks5-gssapi-protection",
            "integrity",
            "{krb-http}/1k",
        ],
    )
    .on(Tickets)
    .exits(&[97])
    .says(&["socks5 (", "Integrity is required", "[refused by policy]"]),
];

const fn get(name: &'static str, args: &'static [&'static str]) -> Case {
    case(name, args).on(Tickets).after(&[File("out", M)])
}

const fn through_socks(level: &'static str) -> [&'static str; 10] {
    [
        "--socks5-hostname",
        "{krb-socks}",
        "--socks5-gssapi",
        "-U",
        "{ticket}",
        "--socks5-gssapi-protection",
        level,
        "-o",
        "out",
        "{krb-http}/1m",
    ]
}

impl Lab {
    /// Why a column has no cells: a backend or a server that is missing.
    pub(super) fn no_tickets(&self, case: &Case, scheme: Scheme) -> Option<String> {
        let Scheme::Ticket { backend, kdc, .. } = scheme else {
            return None;
        };
        let mut lines = self.version.lines();
        let backends = lines.find_map(|line| line.strip_prefix("Kerberos:"));
        if !backends.is_some_and(|names| names.split(' ').any(|name| name == backend)) {
            return Some(format!("the command has no Kerberos by {backend}"));
        }
        let servers = &self.running;
        if let (Kdc::Heimdal, Err(why)) = (kdc, servers.kdc().heimdal_port()) {
            return Some(format!("there is no Heimdal: {why}"));
        }
        let by_dante = |arg: &str| arg.contains("{krb-socks}") || arg.contains("{krb-nec}");
        match servers.kerberized().port(Way::Socks) {
            Err(why) if case.args.iter().any(|arg| by_dante(arg)) => {
                Some(format!("there is no Dante with GSSAPI: {why}"))
            }
            _ => None,
        }
    }

    /// What says by whom, and where the tickets come from.
    pub(super) fn by_ticket(&self, cell: Cell<'_>) -> Vec<String> {
        let Scheme::Ticket { backend, kdc, .. } = cell.scheme else {
            return Vec::new();
        };
        let (realm, port) = self.realm(kdc);
        let mut args = vec!["--kdc".to_owned(), format!("{realm}=127.0.0.1:{port}")];
        // Where there is but one, nobody has to say which.
        if self.help.contains("--krb5-backend") {
            args.extend(["--krb5-backend", backend].map(str::to_owned));
        }
        args
    }

    fn realm(&self, kdc: Kdc) -> (&'static str, u16) {
        let servers = self.running.kdc();
        match kdc {
            Kdc::Mit => (REALM, servers.ports()[0]),
            Kdc::Heimdal => (HEIMDAL_REALM, servers.heimdal_port().unwrap_or_default()),
        }
    }

    /// The cache that kinit makes with that KDC, once.
    fn ccache(&self, kdc: Kdc) -> io::Result<PathBuf> {
        let (realm, _) = self.realm(kdc);
        let config = self.running.kdc().config();
        let cache = config.with_file_name(format!("matrix-{realm}"));
        if cache.exists() {
            return Ok(cache);
        }
        let mut child = Command::new("kinit")
            .arg("-c")
            .arg(&cache)
            .arg(format!("{USER}@{realm}"))
            .env("KRB5_CONFIG", config)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            writeln!(stdin, "{PASSWORD}")?;
        }
        match child.wait()?.success() {
            true => Ok(cache),
            false => Err(io::Error::other("kinit gets no tickets")),
        }
    }

    /// What the rows' words stand for.
    pub(super) fn tickets(&self, cell: Cell<'_>) -> io::Result<Vec<(&'static str, String)>> {
        let Scheme::Ticket { kdc, .. } = cell.scheme else {
            return Ok(Vec::new());
        };
        let servers = self.running.kerberized();
        let (realm, _) = self.realm(kdc);
        let at = |way: Way| {
            let port = servers.port(way).unwrap_or_default();
            format!("localhost:{port}")
        };
        let known_hosts = servers.known_hosts();
        let file = known_hosts.with_file_name("matrix-1m");
        if !file.exists() {
            content::write_file(&file, M)?;
        }
        Ok(vec![
            ("{ticket}", format!("{USER}@{realm}:{PASSWORD}")),
            ("{nobody}", format!("nobody@{realm}")),
            ("{krb-http}", servers.http_url("")),
            ("{krb-https}", servers.https_url("")),
            ("{krb-bound}", servers.bound_url()),
            ("{krb-ca}", servers.ca_pem().display().to_string()),
            ("{krb-proxy}", format!("http://{}", at(Way::Proxy))),
            ("{krb-socks}", at(Way::Socks)),
            ("{krb-nec}", at(Way::Nec)),
            ("{krb-lying-socks}", at(Way::LyingSocks)),
            (
                "{krb-ssh}",
                format!("{}@{}", servers.ssh_user()?, at(Way::Ssh)),
            ),
            ("{krb-known-hosts}", known_hosts.display().to_string()),
            ("{krb-ccache}", self.ccache(kdc)?.display().to_string()),
            ("{krb-file}", file.display().to_string()),
        ])
    }
}
