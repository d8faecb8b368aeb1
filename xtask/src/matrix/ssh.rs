//! The rows about files over SSH, by each library that speaks it.
//!
//! `{sftp}` and `{scp}` lead to the server's root, `{home}` is where its files are, and
//! `{remote}` a path that no other cell uploads to.

use super::cell::Before::{Begun, Source};
use super::cell::Check::{File, PrintedHas, PrintedPattern, PrintedText, Uploaded};
use super::cell::On::{Dropbear, Sshd};
use super::cell::{Case, On, case};

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;

/// What servers do for whoever may log in.
pub(super) const SSH: &[Case] = &[
    get(
        "sftp get",
        Sshd,
        &["-o", "out", "{sftp}{home}/content/64m"],
        64 * M,
    ),
    get(
        "sftp get, dropbear",
        Dropbear,
        &["-o", "out", "{sftp}{home}/content/64m"],
        64 * M,
    ),
    get(
        "scp get",
        Sshd,
        &["-o", "out", "{scp}{home}/content/64m"],
        64 * M,
    ),
    get(
        "scp get, dropbear",
        Dropbear,
        &["-o", "out", "{scp}{home}/content/64m"],
        64 * M,
    ),
    get(
        "sftp get nothing",
        Sshd,
        &["-o", "out", "{sftp}{home}/empty"],
        0,
    ),
    put("sftp put", Sshd, &["-T", "source", "{sftp}{remote}"]),
    put(
        "sftp put, dropbear",
        Dropbear,
        &["-T", "source", "{sftp}{remote}"],
    ),
    put("scp put", Sshd, &["-T", "source", "{scp}{remote}"]),
    put(
        "scp put, dropbear",
        Dropbear,
        &["-T", "source", "{scp}{remote}"],
    ),
    put(
        "sftp put, atomic",
        Sshd,
        &["--atomic", "-T", "source", "{sftp}{remote}"],
    ),
    put(
        "sftp put into a new folder",
        Sshd,
        &["--ftp-create-dirs", "-T", "source", "{sftp}{remote}"],
    ),
    get(
        "sftp resume",
        Sshd,
        &["-C", "-", "-o", "out", "{sftp}{home}/1m"],
        M,
    )
    .before(Begun(300_000)),
    get(
        "sftp resume, dropbear",
        Dropbear,
        &["-C", "-", "-o", "out", "{sftp}{home}/1m"],
        M,
    )
    .before(Begun(300_000)),
    case("sftp range", &["-r", "1000-1999", "{sftp}{home}/1m"])
        .on(Sshd)
        .after(&[PrintedPattern(1000, 1000)]),
    case("sftp range from the end", &["-r", "-24", "{sftp}{home}/1k"])
        .on(Sshd)
        .after(&[PrintedPattern(1000, 24)]),
    list("sftp list", Sshd, &["{sftp}{home}/"]),
    list("sftp list, dropbear", Dropbear, &["{sftp}{home}/"]),
    list("sftp list names", Sshd, &["-l", "{sftp}{home}/"]),
    case("sftp text", &["{sftp}{home}/text"])
        .on(Sshd)
        .after(&[PrintedText]),
    case(
        "sftp commands",
        &[
            "-Q",
            "mkdir {remote}",
            "-Q",
            "-rmdir {remote}",
            "-Q",
            "*rm {home}/nothing",
            "{sftp}{home}/text",
        ],
    )
    .on(Sshd)
    .after(&[PrintedText]),
    get(
        "sftp compressed",
        Sshd,
        &["--compressed-ssh", "-o", "out", "{sftp}{home}/1m"],
        M,
    ),
    get(
        "sftp, several",
        Sshd,
        &[
            "-Z",
            "-o",
            "out",
            "{sftp}{home}/1m",
            "-o",
            "2",
            "{sftp}{home}/1k",
            "-o",
            "3",
            "{sftp}{home}/1k",
        ],
        M,
    ),
    get(
        "sftp, hosts hashed",
        Sshd,
        &[
            "--known-hosts",
            "{known-hashed}",
            "-o",
            "out",
            "{sftp}{home}/1m",
        ],
        M,
    ),
    get(
        "sftp, host certificate",
        Sshd,
        &[
            "--known-hosts",
            "{known-authority}",
            "-o",
            "out",
            "{sftp}{home}/1m",
        ],
        M,
    ),
    get(
        "sftp, agent",
        Sshd,
        &[
            "--ssh-config={agent-config}",
            "-o",
            "out",
            "{sftp}{home}/1m",
        ],
        M,
    ),
    get(
        "sftp through two jumps",
        Sshd,
        &["--jump", "{at},{at}", "-o", "out", "{sftp}{home}/1m"],
        M,
    ),
    get(
        "sftp through socks5",
        Sshd,
        &["--socks5", "{dante}", "-o", "out", "{sftp}{home}/1m"],
        M,
    ),
    get(
        "sftp through an https proxy",
        Sshd,
        &[
            "-x",
            "{squid-tls}",
            "--proxy-cacert",
            "{squid-ca}",
            "-o",
            "out",
            "{sftp}{home}/1m",
        ],
        M,
    ),
];

/// What has to fail, and how.
pub(super) const SSH_REFUSED: &[Case] = &[
    refused(
        "ssh, host unknown",
        &["--known-hosts", "/dev/null", "{sftp}{home}/1k"],
        &[60],
    )
    .says(&["ssh (", "is unknown", "[refused by policy]; "]),
    refused(
        "ssh, host key changed",
        &["--known-hosts", "{known-changed}", "{sftp}{home}/1k"],
        &[60],
    )
    .says(&["ssh (", "has changed"]),
    refused(
        "ssh, host key revoked",
        &["--known-hosts", "{known-revoked}", "{sftp}{home}/1k"],
        &[60],
    )
    .says(&["ssh (", "is revoked"]),
    refused(
        "ssh, key refused",
        &["--key", "{stranger}", "{sftp}{home}/1k"],
        &[67],
    )
    .says(&["ssh (", "permission denied"]),
    refused("sftp, no such file", &["{sftp}{home}/nonesuch"], &[78])
        .says(&["sftp (", "no such file"]),
    refused(
        "sftp, command that fails",
        &["-Q", "rm {home}/nonesuch", "{sftp}{home}/1k"],
        &[21],
    )
    .says(&["sftp (", "nonesuch"]),
    refused("scp, no such file", &["{scp}{home}/nonesuch"], &[78]).says(&["scp ("]),
    refused("scp cannot resume", &["-C", "10", "{scp}{home}/1k"], &[2]).says(&["use sftp://"]),
    refused("scp cannot list", &["{scp}{home}/"], &[2]).says(&["use sftp://"]),
];

const fn get(name: &'static str, on: On, args: &'static [&'static str], length: u64) -> Case {
    let case = case(name, args).on(on);
    match length {
        0 => case.after(&[File("out", 0)]),
        M => case.after(&[File("out", M)]),
        _ => case.after(&[File("out", 64 * M)]),
    }
}

const fn put(name: &'static str, on: On, args: &'static [&'static str]) -> Case {
    case(name, args)
        .on(on)
        .before(Source(8 * M + K))
        .after(&[Uploaded(8 * M + K)])
}

const fn list(name: &'static str, on: On, args: &'static [&'static str]) -> Case {
    case(name, args)
        .on(on)
        .after(&[PrintedHas("1m\n"), PrintedHas("names\n")])
}

const fn refused(name: &'static str, args: &'static [&'static str], codes: &'static [i32]) -> Case {
    case(name, args).on(Sshd).exits(codes)
}
