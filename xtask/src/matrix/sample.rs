//! Which cases are run on which driver: all of them on two, and on the others what differs
//! by driver, and something of every protocol.

use super::cell::Scheme;

/// Those that get every case: what the command takes by default, and where that is refused.
const THOROUGH: &[&str] = &["uring", "blocking"];

/// What the others get.
const SAMPLE: &[&str] = &[
    // Much, little, nothing; both ways; with and without a known end.
    "download empty",
    "download 64m",
    "chunked",
    "until close",
    "gzip",
    "range",
    "resume",
    "upload 64m",
    "answer before the body",
    // Several connections, and kept ones.
    "redirect to https",
    "keep-alive",
    "parallel",
    "unix socket",
    "client certificate",
    // Every way out.
    "http proxy",
    "https proxy",
    "https proxy, CONNECT",
    "socks4",
    "socks4a",
    "socks5h",
    "socks5, password",
    "proxy Digest",
    "chain",
    "PROXY protocol",
    "ssh login",
    "sftp get",
    "sftp put",
    "scp get",
    "scp put",
    "sftp resume",
    "sftp get, dropbear",
    "sftp put, dropbear",
    "scp get, dropbear",
    "scp put, dropbear",
    "sftp resume, dropbear",
    "sftp list, dropbear",
    "sftp list",
    "sftp, agent",
    "sftp through two jumps",
    "Negotiate",
    "Negotiate, kept connection",
    "proxy Negotiate, CONNECT",
    "socks5 by ticket, confidentiality",
    "sftp by ticket",
    // What the system says, and what it does not.
    "refused",
    "unknown name",
    "reset",
    "reset in the body",
    "truncated body",
    "TLS cut in the body",
    "no answer",
    "no reader",
];

/// Whether that driver gets that case by that scheme. To a driver all versions of TLS are bytes.
pub(super) fn is_for(case: &str, scheme: Scheme, driver: &str) -> bool {
    let shown_by_others = matches!(scheme, Scheme::Tls12 | Scheme::OpensslTls12);
    THOROUGH.contains(&driver) || (SAMPLE.contains(&case) && !shown_by_others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sampled_exists() {
        for name in SAMPLE {
            let mut cases = super::super::all_cases();
            assert!(cases.any(|case| case.name == *name), "{name}");
        }
        assert!(is_for("head", Scheme::Tls12, "uring"));
        assert!(is_for("resume", Scheme::Tls13, "tokio"));
        assert!(!is_for("resume", Scheme::Tls12, "tokio"));
        assert!(!is_for("head", Scheme::Http, "tokio"));
    }
}
