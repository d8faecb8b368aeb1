//! The rows about tickets: who the user is by Kerberos, to servers and to proxies.
//!
//! `{tickets}` is the server that asks for them, `{as-user}` what the options `-u` and `-U` take.

use sockless_tests::servers::{PASSWORD, REALM, Running, USER, Way};

use super::cell::Check::{File, PrintedHas};
use super::cell::On::Tickets;
use super::cell::{Case, Scheme, case};

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;

/// What servers do for whoever has tickets.
pub(super) const TICKETS: &[Case] = &[
    case(
        "negotiate",
        &[
            "--negotiate",
            "-u",
            "{as-user}",
            "-i",
            "{tickets}/private/text",
        ],
    )
    .on(Tickets)
    .needs("--negotiate")
    .after(&[PrintedHas("X-User: alice@SOCKLESS.TEST")]),
    case(
        "negotiate, kept connection",
        &[
            "--negotiate",
            "-u",
            "{as-user}",
            "-o",
            "out",
            "{tickets}/private/1k",
            "-o",
            "more",
            "{tickets}/connection/1m",
        ],
    )
    .on(Tickets)
    .needs("--negotiate")
    .after(&[File("out", K), File("more", M)]),
    case(
        "proxy negotiate, CONNECT",
        &[
            "-p",
            "-x",
            "http://localhost:{tickets-proxy}",
            "--proxy-negotiate",
            "-U",
            "{as-user}",
            "-o",
            "out",
            "{tickets}/1m",
        ],
    )
    .on(Tickets)
    .needs("--proxy-negotiate")
    .after(&[File("out", M)]),
    case(
        "socks5 by GSS-API, encrypted",
        &[
            "--socks5-hostname",
            "localhost:{tickets-socks}",
            "--socks5-gssapi",
            "--socks5-gssapi-protection",
            "confidentiality",
            "-U",
            "{as-user}",
            "-o",
            "out",
            "{tickets}/1m",
        ],
    )
    .on(Tickets)
    .needs("--socks5-gssapi-protection")
    .after(&[File("out", M)]),
];

/// What must fail, and how.
pub(super) const TICKETS_REFUSED: &[Case] = &[case(
    "negotiate with a wrong password",
    &[
        "--negotiate",
        "-u",
        "alice@SOCKLESS.TEST:wrong",
        "-f",
        "{tickets}/private/1k",
    ],
)
.on(Tickets)
.needs("--negotiate")
.exits(&[67, 22])
.says(&["http (", "KDC_ERR_PREAUTH_FAILED", "check the password"])];

/// What the rows have in braces.
pub(super) fn words(running: &Running, scheme: Scheme) -> Vec<(&'static str, String)> {
    let kerberized = running.kerberized();
    let server = match scheme.is_tls() {
        true => kerberized.https_url(""),
        false => kerberized.http_url(""),
    };
    let port = |way: Way| {
        kerberized
            .port(way)
            .map_or_else(|_| String::new(), |port| port.to_string())
    };
    vec![
        ("{tickets}", server),
        ("{tickets-proxy}", port(Way::Proxy)),
        ("{tickets-socks}", port(Way::Socks)),
        ("{as-user}", format!("{USER}@{REALM}:{PASSWORD}")),
    ]
}

/// What a command line begins with: the library reads a `krb5.conf` of its own accord.
pub(super) fn environment(running: &Running) -> String {
    format!("KRB5_CONFIG={}", running.kdc().config().display())
}

/// Why a case cannot be run, which no option says.
pub(super) fn missing(running: &Running, case: &Case) -> Option<String> {
    let socks = case.args.iter().any(|arg| arg.contains("{tickets-socks}"));
    match running.kerberized().port(Way::Socks) {
        Err(why) if socks => Some(format!("there is no Dante with GSSAPI: {why}")),
        _ => None,
    }
}
