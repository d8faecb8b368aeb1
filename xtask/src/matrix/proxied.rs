//! The rows about what lies between client and server, and who the client is to both.
//!
//! `{squid…}`, `{dante}` and the like are proxies, as options name them.

use super::cell::Before::Source;
use super::cell::Check::{File, PrintedHas, PrintedPattern, SaidHas};
use super::cell::On::{Apache, EachBackend, Ssh};
use super::cell::{Case, case};

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;

/// Enough to see that nothing is lost or held up on the way.
const COPY: u64 = 100 * M;

/// What ssh is told to reach its server by.
const PROXY_COMMAND: &str = "ProxyCommand={command} -sS --driver {driver} --tunnel %h:%p \
                             -x {squid-tls} --proxy-cacert {squid-ca}";

/// One proxy or several, and what they ask for.
pub(super) const PROXIED: &[Case] = &[
    through("no proxy", &["-o", "out", "{url}/1m"]),
    // http: is handed to it in absolute form, everything else goes through CONNECT.
    through("http proxy", &["-x", "{squid}", "-o", "out", "{url}/1m"]),
    through(
        "http proxy, CONNECT",
        &["-p", "-x", "{squid}", "-o", "out", "{url}/1m"],
    ),
    through(
        "another http proxy",
        &["-x", "{tinyproxy}", "-o", "out", "{url}/1m"],
    ),
    through(
        "https proxy",
        &[
            "-x",
            "{squid-tls}",
            "--proxy-cacert",
            "{squid-ca}",
            "-o",
            "out",
            "{url}/1m",
        ],
    ),
    through(
        "https proxy, CONNECT",
        &[
            "-p",
            "-x",
            "{squid-tls}",
            "--proxy-cacert",
            "{squid-ca}",
            "-o",
            "out",
            "{url}/1m",
        ],
    ),
    through("socks4", &["--socks4", "{dante}", "-o", "out", "{url}/1m"]),
    through(
        "socks4a",
        &["--socks4a", "{ssh-socks}", "-o", "out", "{url}/1m"],
    ),
    through("socks5", &["--socks5", "{dante}", "-o", "out", "{url}/1m"]),
    through(
        "socks5h",
        &["--socks5-hostname", "{dante}", "-o", "out", "{url}/1m"],
    ),
    through(
        "socks5, password",
        &[
            "--socks5",
            "{microsocks}",
            "-U",
            "{user}",
            "-o",
            "out",
            "{url}/1m",
        ],
    ),
    through(
        "proxy Basic",
        &[
            "-x",
            "{squid-basic}",
            "-U",
            "{user}",
            "-o",
            "out",
            "{url}/1m",
        ],
    ),
    through(
        "proxy Digest",
        &[
            "-x",
            "{squid-digest}",
            "-U",
            "{user}",
            "--proxy-digest",
            "-o",
            "out",
            "{url}/1m",
        ],
    ),
    through(
        "proxy's strongest",
        &[
            "-x",
            "{squid-either}",
            "-U",
            "{user}",
            "--proxy-anyauth",
            "-o",
            "out",
            "{url}/1m",
        ],
    ),
    through(
        "chain",
        &[
            "--preproxy",
            "socks5h://{dante}",
            "-p",
            "-x",
            "{squid-tls}",
            "--proxy-cacert",
            "{squid-ca}",
            "-o",
            "out",
            "{url}/1m",
        ],
    ),
    case(
        "PROXY protocol",
        &["--haproxy-protocol", "-o", "out", "{proxied}/1k"],
    )
    .on(EachBackend)
    .needs("--haproxy-protocol")
    .after(&[File("out", K)]),
    case(
        "PROXY protocol for a client",
        &[
            "--haproxy-clientip",
            "192.0.2.7",
            "{proxied}/proxy-protocol",
        ],
    )
    .on(EachBackend)
    .needs("--haproxy-clientip")
    .after(&[PrintedHas("192.0.2.7 ")]),
    case(
        "origin Digest",
        &["--digest", "-u", "{user}", "-o", "out", "{url}/digest/1k"],
    )
    .on(Apache)
    .after(&[File("out", K)]),
    case(
        "origin's strongest",
        &[
            "-v",
            "--anyauth",
            "-u",
            "{user}",
            "-o",
            "out",
            "{url}/digest/1k",
        ],
    )
    .on(Apache)
    .after(&[File("out", K), SaidHas("WWW-Authenticate: Digest")]),
    // OpenSSH over --tunnel: both directions.
    case(
        "ssh login",
        &[
            "ssh",
            "-F",
            "{ssh-config}",
            "-o",
            PROXY_COMMAND,
            "tests",
            "cat {folder}/source",
        ],
    )
    .on(Ssh)
    .before(Source(COPY))
    .needs("--tunnel")
    .after(&[PrintedPattern(0, COPY)]),
    case(
        "ssh copy",
        &[
            "scp",
            "-O",
            "-q",
            "-F",
            "{ssh-config}",
            "-o",
            PROXY_COMMAND,
            "source",
            "tests:{folder}/out",
        ],
    )
    .on(Ssh)
    .before(Source(COPY))
    .needs("--tunnel")
    .after(&[File("out", COPY)]),
];

/// What must fail on the way, and how.
pub(super) const REFUSED: &[Case] = &[
    refused(
        "proxy without credentials",
        &["-p", "-x", "{squid-basic}", "{url}/1k"],
        &[56],
    )
    .says(&["connect (", "407"]),
    refused(
        "proxy with a wrong password",
        &[
            "-p",
            "-x",
            "{squid-digest}",
            "-U",
            "alice:wrong",
            "--proxy-digest",
            "{url}/1k",
        ],
        &[56],
    )
    .says(&["connect ("]),
    refused(
        "socks5 with a wrong password",
        &["--socks5", "{microsocks}", "-U", "alice:wrong", "{url}/1k"],
        &[97],
    )
    .says(&["socks5 ("]),
    refused(
        "https proxy that is not trusted",
        &["-p", "-x", "{squid-tls}", "{url}/1k"],
        &[60],
    )
    .says(&["tls (", "[refused by policy]; "]),
    refused(
        "unknown proxy",
        &["-x", "http://nonesuch.invalid:3128", "{url}/1k"],
        &[5],
    )
    .says(&["nonesuch.invalid", "[transport]"]),
];

const fn through(name: &'static str, args: &'static [&'static str]) -> Case {
    case(name, args).on(EachBackend).after(&[File("out", M)])
}

const fn refused(name: &'static str, args: &'static [&'static str], codes: &'static [i32]) -> Case {
    case(name, args).on(EachBackend).exits(codes)
}
