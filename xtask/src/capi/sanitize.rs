//! The programs under sanitizers and valgrind.

use std::path::Path;

use super::programs::{SOURCES, Source};
use super::stage::Stage;
use crate::Outcome;

/// One way to look at them: a name, flags of the compiler, and what runs the program.
struct Look {
    name: &'static str,
    flags: &'static [&'static str],
    before: &'static [&'static str],
    suits: fn(&Source) -> bool,
}

const LOOKS: &[Look] = &[
    Look {
        name: "address and undefined behaviour",
        flags: &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
        before: &[],
        suits: |_| true,
    },
    Look {
        name: "threads",
        // Boost has fences that it warns of.
        flags: &["-fsanitize=thread", "-Wno-tsan"],
        // Its shadow memory wants addresses that the kernel's randomness may have given away.
        before: &["setarch", "--addr-no-randomize"],
        // The C library's AIO has threads that the sanitizer does not hear of, and does not survive.
        suits: |source| source.name != "posix_aio",
    },
    Look {
        name: "valgrind",
        flags: &[],
        before: &[
            "valgrind",
            "--quiet",
            "--error-exitcode=9",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite,indirect",
        ],
        suits: |_| true,
    },
];

/// All programs, in every way.
pub(super) fn all(prefix: &Path) -> Outcome {
    look(prefix, LOOKS, |_| true)
}

/// One program in C and one in C++, under the first.
pub(super) fn bounded(prefix: &Path) -> Outcome {
    look(prefix, &LOOKS[..1], |source| {
        matches!(source.name, "posix_aio" | "asio_tunnel")
    })
}

fn look(prefix: &Path, looks: &[Look], wanted: impl Fn(&Source) -> bool) -> Outcome {
    for look in looks {
        let stage = Stage::set(prefix.join("sanitized"))?;
        for source in SOURCES
            .iter()
            .filter(|source| wanted(source) && (look.suits)(source))
        {
            let made = source.compile(prefix, &stage.folder, look.flags)?;
            stage.play(source, &made, look.before)?;
            println!("{}: clean ({})", source.name, look.name);
        }
    }
    Ok(())
}
