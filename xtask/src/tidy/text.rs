//! Words and paths that have no place in the project, and where `unsafe` may be.

use super::{File, source};

/// Put together here, so that this file does not offend itself.
const PATHS: &[&str] = &[
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/tmp", "/wt"),
    concat!("/wo", "rk/"),
];
const WORDS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
];
const MACROS: &[&str] = &[
    concat!("unimple", "mented!"),
    concat!("to", "do!"),
    concat!("db", "g!"),
    concat!("#[", "ignore"),
];

/// The owned buffer, the engines underneath, the C interface, what measures them, the calls of MIT
/// Kerberos' C interfaces, the one call that crate openssl has no safe form of, and libssh2, which
/// has no safe form at all. Besides these,
/// integration tests and examples may: to count allocations takes an allocator, and a
/// program with an io_uring of its own submits to it.
const UNSAFE: &[&str] = &[
    "crates/core/src/buf/",
    "crates/drivers/",
    "crates/capi/",
    "crates/kerberos/src/mit/",
    "crates/tls/src/openssl/resume.rs",
    "crates/ssh/src/libssh2/ffi/",
    "bench/",
];

/// Paths of one machine, which mean nothing on another.
pub(super) fn machine_paths(files: &[File]) -> Vec<String> {
    scan(files, |_, line| {
        PATHS.iter().find(|path| line.contains(**path)).copied()
    })
    .map(|(place, path)| format!("{place}: {path} is a path of one machine"))
    .collect()
}

/// Notes to self and leftovers.
pub(super) fn forbidden_words(files: &[File]) -> Vec<String> {
    let find = |file: &File, line: &str| {
        let word = WORDS
            .iter()
            .find(|word| source::words(line).any(|have| have == **word));
        let leftover = MACROS
            .iter()
            .find(|name| file.is_rust() && line.contains(**name));
        word.or(leftover).copied()
    };
    scan(files, find)
        .map(|(place, word)| format!("{place}: {word}; do it or drop it"))
        .collect()
}

/// `unsafe` outside the few places that need it.
pub(super) fn unsafe_places(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        if UNSAFE.iter().any(|place| file.path.starts_with(place)) || is_outside_program(&file.path)
        {
            continue;
        }
        let code = source::blank(&file.text);
        let lines = code.lines().enumerate();
        let bad = lines.filter(|(_, line)| source::words(line).any(|word| word == "unsafe"));
        found.extend(bad.map(|(index, _)| {
            let places = UNSAFE.join(", ");
            format!("{}:{}: unsafe outside {places}", file.path, index + 1)
        }));
    }
    found
}

/// Whether the file is part of an integration test or an example.
fn is_outside_program(path: &str) -> bool {
    let mut parts = path.split('/');
    match parts.next() {
        Some("crates") => matches!(parts.nth(1), Some("tests" | "examples")),
        Some("tests" | "simulation") => parts.next() == Some("tests"),
        _ => false,
    }
}

/// `path:line` and finding for each line that `find` objects to.
fn scan<'a>(
    files: &'a [File],
    find: impl Fn(&File, &str) -> Option<&'static str> + 'a,
) -> impl Iterator<Item = (String, &'static str)> + 'a {
    let lines = files
        .iter()
        .filter(|file| file.path != "Cargo.lock")
        .flat_map(|file| file.text.lines().enumerate().map(move |line| (file, line)));
    lines.filter_map(move |(file, (index, line))| {
        find(file, line).map(|found| (format!("{}:{}", file.path, index + 1), found))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> [File; 1] {
        [File {
            path: path.to_owned(),
            text: text.to_owned(),
        }]
    }

    #[test]
    fn paths_of_a_machine_are_found_with_their_line() {
        for path in PATHS {
            let found = machine_paths(&file("README.md", &format!("fine\nsee {path}x\n")));
            assert_eq!(found.len(), 1, "{path}");
            assert!(found[0].starts_with("README.md:2:"), "{found:?}");
        }
        assert!(machine_paths(&file("README.md", "target/servers /tmp/x /etc/hosts")).is_empty());
    }

    #[test]
    fn leftovers_are_found_as_whole_words() {
        for word in WORDS {
            assert_eq!(
                forbidden_words(&file("a.md", &format!("({word}: x)"))).len(),
                1,
                "{word}"
            );
            assert!(
                forbidden_words(&file("a.md", &format!("A{word}S"))).is_empty(),
                "{word}"
            );
        }
        for name in MACROS {
            assert_eq!(
                forbidden_words(&file("a.rs", &format!("    {name}()"))).len(),
                1,
                "{name}"
            );
        }
    }

    #[test]
    fn unsafe_is_found_in_code_only_and_only_where_it_may_not_be() {
        let bad = "fn f() {\n    unsafe { g() }\n}\n";
        let found = unsafe_places(&file("crates/http/src/lib.rs", bad));
        assert!(matches!(found.as_slice(), [one] if one.starts_with("crates/http/src/lib.rs:2:")));
        assert!(unsafe_places(&file("crates/drivers/src/uring.rs", bad)).is_empty());
        assert!(unsafe_places(&file("crates/core/src/buf/block.rs", bad)).is_empty());
        assert!(unsafe_places(&file("crates/tls/src/openssl/resume.rs", bad)).is_empty());
        assert!(unsafe_places(&file("crates/ssh/src/libssh2/ffi/mod.rs", bad)).is_empty());
        let above = unsafe_places(&file("crates/ssh/src/libssh2/mod.rs", bad));
        assert_eq!(above.len(), 1);
        let beside = unsafe_places(&file("crates/tls/src/openssl/sessions.rs", bad));
        assert_eq!(beside.len(), 1);
        assert!(unsafe_places(&file("crates/tls/tests/allocations/main.rs", bad)).is_empty());
        assert_eq!(
            unsafe_places(&file("crates/tls/src/tests/one.rs", bad)).len(),
            1
        );
        let fine = "// unsafe\n#![forbid(unsafe_code)]\nlet x = \"unsafe\";\n";
        assert!(unsafe_places(&file("crates/http/src/lib.rs", fine)).is_empty());
    }
}
