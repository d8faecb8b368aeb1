//! The programs of `crates/capi/examples`, compiled as their first lines say, against real servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sockless_tests::content;
use sockless_tests::servers::{Entrance, Host, Running, Servers};

use super::io;
use crate::Outcome;
use crate::command::{output, program, root, run as run_command};

/// A program in C or C++.
pub(super) struct Source {
    pub(super) name: &'static str,
    file: &'static str,
    /// What pkg-config is asked for, and what is linked besides.
    packages: &'static [&'static str],
    libraries: &'static [&'static str],
    pub(super) legs: Legs,
}

/// What it can be asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Legs {
    /// URLs of its own host alone.
    Direct,
    /// Through a proxy as well, and tunnels.
    All,
}

pub(super) const SOURCES: &[Source] = &[
    Source {
        name: "posix_aio",
        file: "posix_aio.c",
        packages: &["sockless"],
        libraries: &["-lrt"],
        legs: Legs::All,
    },
    Source {
        name: "uring",
        file: "uring.c",
        packages: &["sockless", "liburing"],
        libraries: &[],
        legs: Legs::All,
    },
    Source {
        name: "libuv",
        file: "libuv.c",
        packages: &["sockless", "libuv"],
        libraries: &[],
        legs: Legs::All,
    },
    Source {
        name: "asio_tunnel",
        file: "asio_tunnel.cpp",
        packages: &["sockless"],
        libraries: &[],
        legs: Legs::All,
    },
    Source {
        name: "coro_get",
        file: "coro_get.cpp",
        packages: &["sockless"],
        libraries: &[],
        legs: Legs::Direct,
    },
];

impl Source {
    /// Compiles it against what is installed; `flags` besides the documented line.
    pub(super) fn compile(
        &self,
        prefix: &Path,
        folder: &Path,
        flags: &[&str],
    ) -> Result<PathBuf, String> {
        let source = root().join("crates/capi/examples").join(self.file);
        let made = folder.join(self.name);
        let wanted = output(
            program("pkg-config", &["--cflags", "--libs"])
                .args(self.packages)
                .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")),
        )?;
        let plain: (&str, &[&str]) = match self.file.ends_with(".cpp") {
            true => ("c++", &["-std=c++20"]),
            false => ("cc", &[]),
        };
        let mut compile = program(plain.0, plain.1);
        compile
            .args(["-g", "-O1", "-Wall", "-Wextra", "-Werror"])
            .args(flags)
            .arg("-o")
            .arg(&made)
            .arg(source)
            .args(wanted.split_whitespace())
            .args(self.libraries)
            .arg(format!("-Wl,-rpath,{}", prefix.join("lib").display()));
        run_command(&mut compile)?;
        Ok(made)
    }
}

/// The servers that the programs talk to.
pub(super) struct Stage {
    servers: Running,
    pub(super) folder: PathBuf,
}

impl Stage {
    pub(super) fn set(folder: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&folder).map_err(|error| io(&folder, &error))?;
        let servers = Servers::start(&["nginx", "squid"]).map_err(|error| error.to_string())?;
        Ok(Self { servers, folder })
    }

    /// Runs a program in all the ways it knows, and checks what arrived. `before` stands in front of it.
    pub(super) fn play(&self, source: &Source, made: &Path, before: &[&str]) -> Outcome {
        let nginx = self.servers.nginx();
        let squid = self.servers.squid();
        let url = |path: &str| nginx.https_url(path);
        let ca = nginx.ca_pem();
        let one = self.folder.join(format!("{}.one", source.name));
        let two = self.folder.join(format!("{}.two", source.name));
        let mut run = self.command(made, before);
        run.arg("-c")
            .arg(&ca)
            .arg(url("/1m"))
            .arg(&one)
            .arg(url("/1k"))
            .arg(&two);
        watched(&mut run)?;
        arrived(source, &one, 1 << 20)?;
        arrived(source, &two, 1024)?;
        if source.legs == Legs::All {
            let proxy = squid.url(Entrance::OpenTls);
            let tunnel = format!("localhost:{}", nginx.port(Host::Http));
            let mut run = self.command(made, before);
            run.arg("-c")
                .arg(&ca)
                .args(["-x", &proxy, "-p"])
                .arg(squid.ca_pem());
            run.args(["-t", &tunnel])
                .arg(url("/1m"))
                .arg(&one)
                .arg("/1k")
                .arg(&two);
            watched(&mut run)?;
            arrived(source, &one, 1 << 20)?;
            arrived(source, &two, 1024)?;
        }
        // An authority that it does not know: a refusal, and an end in good order.
        let mut run = self.command(made, before);
        run.arg("-c")
            .arg(nginx.other_ca_pem())
            .arg(url("/1k"))
            .arg(&two);
        let refused = run.output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&refused.stderr);
        match refused.status.code() {
            Some(1) if said.contains("tls") => Ok(()),
            code => Err(format!("{}: {code:?}, {said}", source.name)),
        }
    }

    fn command(&self, made: &Path, before: &[&str]) -> Command {
        let mut run = match before {
            [] => Command::new(made),
            [first, rest @ ..] => {
                let mut run = Command::new(first);
                run.args(rest).arg(made);
                run
            }
        };
        run.current_dir(&self.folder);
        run
    }

    /// The program makes its socket calls itself: a trace shows how many sockets there were.
    fn trace(&self, source: &Source, made: &Path) -> Outcome {
        let nginx = self.servers.nginx();
        let log = self.folder.join(format!("{}.strace", source.name));
        let file = self.folder.join(format!("{}.one", source.name));
        let mut run = Command::new("strace");
        run.args(["-f", "-qq", "-k", "-e", "trace=network", "-o"])
            .arg(&log)
            .arg(made);
        run.arg("-c")
            .arg(nginx.ca_pem())
            .arg(nginx.https_url("/1k"))
            .arg(file);
        watched(&mut run)?;
        let text = fs::read_to_string(&log).map_err(|error| io(&log, &error))?;
        let ours = text
            .lines()
            .find(|line| line.starts_with(" > ") && line.contains("/libsockless.so"));
        let calls = text.lines().filter(|line| !line.starts_with(" >")).count();
        match calls {
            0 => Err(format!("{}: strace saw no call", source.name)),
            _ => callers(source, &text, ours.is_some()),
        }
    }
}

/// Each network call's innermost frames: sockless must not be the one that made it. It may be further out
/// only where the program is in between, which it never is: there are no callbacks.
fn callers(source: &Source, text: &str, anywhere: bool) -> Outcome {
    if anywhere {
        return Err(format!(
            "{}: a socket call from inside of libsockless:\n{text}",
            source.name
        ));
    }
    if !text.lines().any(|line| line.starts_with(" > ")) {
        println!(
            "{}: strace gives no stacks here; the library's imports say it",
            source.name
        );
    }
    Ok(())
}

/// Runs it; what it says is shown if it fails.
fn watched(run: &mut Command) -> Outcome {
    output(run).map(drop)
}

/// The file ends with the content of that length; a tunnel's has a head in front.
fn arrived(source: &Source, path: &Path, length: usize) -> Outcome {
    let bytes = fs::read(path).map_err(|error| io(path, &error))?;
    let body = bytes.len().checked_sub(length).map(|at| &bytes[at..]);
    let head_is_one = |at: usize| at == 0 || bytes[..at].ends_with(b"\r\n\r\n");
    match body {
        Some(body) if content::check(0, body).is_ok() && head_is_one(bytes.len() - length) => {
            Ok(())
        }
        _ => Err(format!(
            "{}: {} bytes arrived that are not the server's {length}",
            source.name,
            bytes.len()
        )),
    }
}

/// All of them.
pub(super) fn run(prefix: &Path) -> Outcome {
    let stage = Stage::set(prefix.join("programs"))?;
    for source in SOURCES {
        let made = source.compile(prefix, &stage.folder, &[])?;
        stage.play(source, &made, &[])?;
        if matches!(source.name, "posix_aio" | "asio_tunnel") {
            stage.trace(source, &made)?;
        }
        println!("{}: done", source.name);
    }
    python(&stage, prefix)
}

/// The one in Python, which needs nothing compiled.
fn python(stage: &Stage, prefix: &Path) -> Outcome {
    let nginx = stage.servers.nginx();
    let file = stage.folder.join("asyncio_get.one");
    let mut run = program("python3", &["crates/capi/examples/asyncio_get.py"]);
    run.env("LD_LIBRARY_PATH", prefix.join("lib"));
    run.arg("-c")
        .arg(nginx.ca_pem())
        .arg(nginx.https_url("/1m"))
        .arg(&file);
    watched(&mut run)?;
    let source = Source {
        name: "asyncio_get",
        file: "",
        packages: &[],
        libraries: &[],
        legs: Legs::Direct,
    };
    arrived(&source, &file, 1 << 20)?;
    println!("asyncio_get: done");
    Ok(())
}
