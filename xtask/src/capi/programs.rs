//! The programs of `crates/capi/examples`, compiled as their first lines say, against real servers.

use std::path::{Path, PathBuf};

use super::stage::Stage;
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
    /// All that `program.h` knows.
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

/// All of them.
pub(super) fn run(prefix: &Path) -> Outcome {
    let stage = Stage::set(prefix.join("programs"))?;
    for source in SOURCES {
        let made = source.compile(prefix, &stage.folder, &[])?;
        stage.play(source, &made, &[])?;
        if matches!(source.name, "posix_aio" | "asio_tunnel") {
            super::trace::run(&stage, source.name, &made)?;
        }
        println!("{}: done", source.name);
    }
    stage.python(prefix)
}
