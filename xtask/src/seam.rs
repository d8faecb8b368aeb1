//! Proves that core, http, kerberos, tls, ssh and tunnels cannot name a socket, a clock or a thread.
//!
//! Three proofs, as each alone has a hole: nothing they depend on does I/O; the bans in
//! `clippy.toml` hold without exception; and clippy, given code that breaks each ban,
//! does refuse it.

mod probes;

use std::fs;

use crate::Outcome;
use crate::command::{cargo, output, root, run as run_command, target};
use crate::tidy::source;
use probes::{PRELUDE, PROBES};

const CRATES: [&str; 6] = [
    "sockless-core",
    "sockless-http",
    "sockless-kerberos",
    "sockless-ssh",
    "sockless-tls",
    "sockless-tunnels",
];

/// Crates whose purpose is I/O, or the system calls to do it.
const IO_CRATES: &[&str] = &[
    "async-io",
    "async-std",
    "compio",
    "compio-driver",
    "curl",
    "hyper-util",
    "io-uring",
    "libc",
    "mio",
    "nix",
    "polling",
    "reqwest",
    "rustix",
    "smol",
    "socket2",
    "tokio",
    "windows-sys",
];

/// Cryptography asks the system for randomness and processor features; what is
/// below these needs libc for that.
const CRYPTOGRAPHY: &[&str] = &[
    "aws-lc-rs",
    "aws-lc-sys",
    "getrandom",
    "openssl",
    "ring",
    "rustls-aws-lc-rs",
    "rustls-ring",
];

/// What `sockless-ssh` may depend on although I/O is in it. russh's client runs on tokio's scheduler,
/// and asks for all of tokio; what of it would be a socket is in [`SOCKETS`]. libssh2 is C; what is
/// declared of it is looked at in [`declared`]. A coroutine's stack comes from the system.
const TOLERATED: [&str; 5] = ["corosensei", "libc", "libssh2-sys", "russh", "tokio"];

/// Where C libraries are bound to, and how the functions begin that may be declared there.
const BINDINGS: [(&str, &[&str]); 2] = [
    ("crates/ssh/src/libssh2/ffi/", &["libssh2_"]),
    ("crates/kerberos/src/mit/", &["gss_", "krb5_"]),
];

/// Names in these two that make or take sockets, processes or files: `crates/ssh` has none of them.
const SOCKETS: [&str; 11] = [
    "tokio::net",
    "tokio::fs",
    "tokio::process",
    "client::connect(",
    "AgentClient",
    "enable_io",
    "libc::connect",
    "libc::poll",
    "libc::recv",
    "libc::send",
    "libc::socket",
];

/// All three proofs.
pub(crate) fn run() -> Outcome {
    for package in CRATES {
        let tree = output(&mut cargo(&[
            "tree",
            "-p",
            package,
            "-e",
            "normal",
            "--all-features",
            "--prefix",
            "depth",
            "--format",
            " {p}",
        ]))?;
        let tolerated: &[&str] = match package {
            "sockless-ssh" => &TOLERATED,
            _ => &[],
        };
        let found = io_crates(&tree, tolerated);
        if !found.is_empty() {
            return Err(format!(
                "{package} depends on what does I/O: {}",
                found.join(", ")
            ));
        }
    }
    println!(
        "no dependency of core, http, kerberos, tls, ssh and tunnels does I/O, but for tokio below ssh"
    );
    no_way_around()?;
    // Forbidden, not denied: an `allow` in the source is then an error as well.
    let mut args = vec!["clippy", "--all-features"];
    args.extend(CRATES.iter().flat_map(|package| ["-p", package]));
    args.extend([
        "--",
        "-F",
        "clippy::disallowed_methods",
        "-F",
        "clippy::disallowed_types",
    ]);
    run_command(&mut cargo(&args))?;
    println!("core, http, tls, ssh and tunnels name no socket, clock, thread or file");
    probe()
}

/// The crates that do I/O in the output of `cargo tree --prefix depth`, but for those
/// below cryptography and below what is tolerated.
fn io_crates(tree: &str, tolerated: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut tolerated_below: Option<usize> = None;
    for line in tree.lines() {
        let Some((depth, rest)) = line.split_once(' ') else {
            continue;
        };
        let (Ok(depth), Some(name)) = (depth.parse::<usize>(), rest.split(' ').next()) else {
            continue;
        };
        if tolerated_below.is_some_and(|above| depth > above) {
            continue;
        }
        let excused = tolerated.contains(&name);
        tolerated_below = (CRYPTOGRAPHY.contains(&name) || excused).then_some(depth);
        if IO_CRATES.contains(&name) && !excused {
            found.push(name.to_owned());
        }
    }
    found
}

/// A foreign function would reach a socket without a name that clippy knows, and a hash map
/// gets its chance from the system without naming where from.
fn no_way_around() -> Outcome {
    let listed = output(&mut crate::command::program(
        "git",
        &[
            "-c",
            "safe.directory=*",
            "ls-files",
            "crates/core/*.rs",
            "crates/http/*.rs",
            "crates/kerberos/*.rs",
            "crates/ssh/*.rs",
            "crates/tls/*.rs",
            "crates/tunnels/*.rs",
        ],
    ))?;
    for path in listed.lines() {
        let text = fs::read_to_string(root().join(path)).map_err(|e| format!("{path}: {e}"))?;
        let binding = BINDINGS.iter().find(|(folder, _)| path.starts_with(folder));
        let bad = match binding {
            Some((_, prefixes)) => declared(&text, prefixes),
            None => foreign(&text),
        };
        if let Some(line) = bad {
            return Err(format!(
                "{path}:{line}: an extern block or assembly; it belongs in a driver"
            ));
        }
        if path.starts_with("crates/ssh/src")
            && let Some(line) = socket_of_tokio(&text)
        {
            return Err(format!(
                "{path}:{line}: tokio is there for its scheduler only"
            ));
        }
        if let Some(line) = randomly_keyed(&text) {
            return Err(format!(
                "{path}:{line}: a hash map with random keys; give it a hasher, or use a BTreeMap"
            ));
        }
    }
    Ok(())
}

/// The line of the first extern block, extern function or assembly.
fn foreign(text: &str) -> Option<usize> {
    let code = source::blank(text);
    let bad = |line: &str| {
        source::words(line).any(|word| ["extern", "asm", "global_asm"].contains(&word))
            && !line.contains("extern crate")
    };
    code.lines().position(bad).map(|index| index + 1)
}

/// The line of the first function in an extern block whose name does not begin with one of `prefixes`.
fn declared(text: &str, prefixes: &[&str]) -> Option<usize> {
    let code = source::blank(text);
    let mut inside = false;
    for (index, line) in code.lines().enumerate() {
        let declares = |line: &str| {
            let name = line
                .split("fn ")
                .nth(1)
                .and_then(|rest| rest.split('(').next());
            name.is_some_and(|name| !prefixes.iter().any(|prefix| name.starts_with(prefix)))
        };
        if inside && declares(line) {
            return Some(index + 1);
        }
        let mut words = source::words(line);
        let opens = words.any(|word| word == "extern") && line.trim_end().ends_with('{');
        inside = (inside || opens && !line.contains("fn ")) && !line.starts_with('}');
    }
    None
}

/// The line of the first of [`SOCKETS`].
fn socket_of_tokio(text: &str) -> Option<usize> {
    let code = source::blank(text);
    let bad = |line: &str| SOCKETS.iter().any(|name| line.contains(name));
    code.lines().position(bad).map(|index| index + 1)
}

/// The line of the first hash map or set that is made without a hasher.
fn randomly_keyed(text: &str) -> Option<usize> {
    let code = source::blank(text);
    let bad = |line: &str| {
        ["HashMap::", "HashSet::"].iter().any(|name| {
            let mut makers = line.split(name).skip(1);
            makers.any(|made| {
                !made.starts_with("with_hasher") && !made.starts_with("with_capacity_and_hasher")
            })
        })
    };
    code.lines().position(bad).map(|index| index + 1)
}

/// Gives clippy a crate that breaks each ban, under the workspace's own `clippy.toml`.
fn probe() -> Outcome {
    let folder = target().join("seam-probe");
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))
    };
    fs::create_dir_all(folder.join("src")).map_err(|error| error.to_string())?;
    write(
        "Cargo.toml",
        "[package]\nname = \"seam-probe\"\nedition = \"2024\"\n[workspace]\n",
    )?;
    let bans = fs::read_to_string(root().join("clippy.toml")).map_err(|e| e.to_string())?;
    write("clippy.toml", &bans)?;
    let items: Vec<&str> = PROBES.iter().map(|(_, item)| *item).collect();
    write("src/lib.rs", &format!("{PRELUDE}{}", items.join("\n")))?;
    let mut command = cargo(&[
        "clippy",
        "--offline",
        "--message-format",
        "short",
        "--",
        "-F",
        "clippy::disallowed_methods",
        "-F",
        "clippy::disallowed_types",
    ]);
    // Configuration of the workspace, not of wherever the target folder is.
    let command = command.current_dir(&folder).env("CLIPPY_CONF_DIR", &folder);
    match output(command.env("CARGO_TARGET_DIR", folder.join("target"))) {
        Ok(_) => Err("clippy took code that names sockets: the bans do not work".to_owned()),
        Err(said) => match unrefused(&said).as_slice() {
            [] => {
                println!("clippy refuses each of {} probes", PROBES.len());
                Ok(())
            }
            paths => Err(format!(
                "clippy did not refuse {}:\n{said}",
                paths.join(", ")
            )),
        },
    }
}

/// The banned paths that clippy's short messages do not name.
fn unrefused(said: &str) -> Vec<&'static str> {
    let refused = |path: &str| {
        let quoted = format!("`{path}`");
        said.lines()
            .any(|line| line.contains("use of a disallowed") && line.contains(&quoted))
    };
    PROBES
        .iter()
        .map(|(path, _)| *path)
        .filter(|path| !refused(path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_is_found_at_any_depth() {
        let tree = "0 sockless-http v0.1.0\n1 url v2.5.0\n2 mio v1.0.0\n1 libc v0.2.0\n";
        assert_eq!(io_crates(tree, &[]), ["mio", "libc"]);
    }

    #[test]
    fn only_what_is_below_cryptography_is_tolerated() {
        let tree = "0 sockless-tls v0.1.0\n1 rustls-ring v0.1.0\n2 getrandom v0.2\n3 libc v0.2\n\
                    1 rustls v0.24\n2 libc v0.2\n";
        assert_eq!(io_crates(tree, &[]), ["libc"], "that of rustls itself");
    }

    #[test]
    fn what_is_tolerated_is_so_with_all_that_is_below_it() {
        let tree = "0 sockless-ssh v0.1.0\n1 russh v0.65.1\n2 tokio v1.50.0\n3 mio v1.0.0\n\
                    1 tokio v1.50.0\n2 socket2 v0.6.0\n1 mio v1.0.0\n";
        assert_eq!(io_crates(tree, &TOLERATED), ["mio"], "our own is not");
    }

    #[test]
    fn sockets_of_tokio_are_found() {
        assert_eq!(
            socket_of_tokio("use tokio::sync::mpsc;\n// tokio::net"),
            None
        );
        assert_eq!(socket_of_tokio("\nuse tokio::net::TcpStream;"), Some(2));
        assert_eq!(socket_of_tokio("client::connect(config, at, it)"), Some(1));
        assert_eq!(
            socket_of_tokio("client::connect_stream(config, s, it)"),
            None
        );
    }

    #[test]
    fn foreign_code_is_found_but_not_in_comments() {
        assert_eq!(
            foreign("// extern \"C\"\nlet x = \"extern\";\nexternal();\n"),
            None
        );
        assert_eq!(
            foreign("\nunsafe extern \"C\" { fn socket() -> i32; }\n"),
            Some(2)
        );
        assert_eq!(foreign("core::arch::asm!(\"syscall\");"), Some(1));
    }

    #[test]
    fn a_binding_declares_its_own_library_only() {
        let text =
            "unsafe extern \"C\" {\n    fn gss_wrap(x: i32);\n    fn socket();\n}\nfn ours() {}\n";
        assert_eq!(declared(text, &["gss_"]), Some(3));
        assert_eq!(declared(text, &["gss_", "socket"]), None);
    }

    #[test]
    fn maps_keyed_by_chance_are_found() {
        let seeded = "use std::collections::HashMap;\nlet m = HashMap::with_hasher(Seeded(7));";
        assert_eq!(randomly_keyed(seeded), None);
        assert_eq!(randomly_keyed("\nlet m = HashMap::new();"), Some(2));
        assert_eq!(randomly_keyed("HashSet::<u8>::with_capacity(7)"), Some(1));
        assert_eq!(randomly_keyed("HashMap::with_capacity(7)"), Some(1));
    }

    #[test]
    fn each_ban_has_a_probe_and_each_probe_a_ban() {
        let bans = fs::read_to_string(root().join("clippy.toml")).expect("the bans");
        let banned = bans.lines().filter_map(|line| {
            let (_, rest) = line.split_once("path = \"")?;
            rest.split('"').next()
        });
        let mut banned: Vec<&str> = banned.collect();
        let mut probed: Vec<&str> = PROBES.iter().map(|(path, _)| *path).collect();
        banned.sort_unstable();
        probed.sort_unstable();
        assert!(banned.len() > 30, "they are read: {banned:?}");
        assert_eq!(banned, probed);
    }

    #[test]
    fn a_probe_that_passes_is_named() {
        let said = "src/lib.rs:1:12: error: use of a disallowed type `std::net::TcpStream`\n";
        let left = unrefused(said);
        assert!(!left.contains(&"std::net::TcpStream"));
        assert_eq!(left.len(), PROBES.len() - 1);
    }
}
