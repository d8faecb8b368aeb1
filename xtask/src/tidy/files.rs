//! Which source files are reached from a target's root by `mod` lines.

use std::collections::BTreeSet;

use super::{File, source};

/// A complaint for each Rust file that no target uses.
pub(super) fn dead(files: &[File]) -> Vec<String> {
    let known: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut pending: Vec<String> = known
        .iter()
        .filter(|path| is_target(path))
        .map(|path| (*path).to_owned())
        .collect();
    let named = named_targets(files);
    pending.extend(named.iter().cloned());
    while let Some(path) = pending.pop() {
        let Some(file) = files.iter().find(|file| file.path == path) else {
            continue;
        };
        if reached.insert(path.clone()) {
            pending.extend(modules(&path, &file.text, named.contains(&path)));
        }
    }
    files
        .iter()
        .filter(|file| file.is_rust() && !reached.contains(&file.path))
        .map(|file| {
            format!(
                "{}: no `mod` line and no target leads here; remove it",
                file.path
            )
        })
        .collect()
}

/// Whether cargo finds this file by itself.
fn is_target(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        [.., "src", "lib.rs" | "main.rs"] => true,
        [.., "src", "bin", name] => name.ends_with(".rs"),
        [.., "src", "bin", _, "main.rs"] => true,
        [.., "tests" | "examples" | "benches", name] if parts.len() != 2 => name.ends_with(".rs"),
        [.., "examples" | "tests" | "benches", _, "main.rs"] => true,
        [.., "build.rs"] => !parts.contains(&"src"),
        _ => false,
    }
}

/// Targets that a manifest names by `path`.
fn named_targets(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.path.ends_with("Cargo.toml"))
    {
        let folder = parent(&file.path);
        let paths = file
            .text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("path = \""));
        found.extend(
            paths
                .filter_map(|rest| rest.split('"').next())
                .map(|to| join(folder, to)),
        );
    }
    found
}

/// The files that a file's `mod` and `include!` lines may mean; those of a target are beside it.
fn modules(path: &str, text: &str, is_named: bool) -> Vec<String> {
    let folder = parent(path);
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_root = is_named || is_target(path) || ["mod.rs", "lib.rs", "main.rs"].contains(&name);
    let below = if is_root {
        folder.to_owned()
    } else {
        join(folder, name.trim_end_matches(".rs"))
    };
    let code = source::blank(text);
    let mut found = Vec::new();
    let mut given_path: Option<&str> = None;
    for (line, original) in code.lines().zip(text.lines()) {
        if line.trim_start().starts_with("#[path =") || line.contains("include!(") {
            given_path = original.split('"').nth(1);
            found.extend(given_path.map(|to| join(folder, to)));
        }
        let Some(module) = declared(line) else {
            continue;
        };
        if given_path.take().is_none() {
            found.push(join(&below, &format!("{module}.rs")));
            found.push(join(&below, &format!("{module}/mod.rs")));
        }
    }
    found
}

/// `name` of a line `mod name;`, with or without visibility and attributes before it.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim().strip_suffix(';')?;
    let mut words = line.split_whitespace().rev();
    let name = words.next()?;
    (words.next() == Some("mod")).then_some(name)
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Joins and resolves `.` and `..`.
fn join(folder: &str, to: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in to.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn what_nothing_leads_to_is_dead() {
        let files = [
            file(
                "crates/a/src/lib.rs",
                "mod used;\n// mod dead;\n#[cfg(test)]\nmod tests;\n",
            ),
            file("crates/a/src/used.rs", "pub(crate) mod deep;\n"),
            file("crates/a/src/used/deep.rs", ""),
            file(
                "crates/a/src/tests.rs",
                "#[path = \"../given/by_path.rs\"]\nmod by_path;\n",
            ),
            file("crates/a/given/by_path.rs", ""),
            file("crates/a/src/dead.rs", "mod also_dead;"),
            file("crates/a/src/dead/also_dead.rs", ""),
            file("crates/a/tests/one.rs", "mod common;"),
            file("crates/a/tests/common/mod.rs", ""),
            file("crates/a/examples/two/main.rs", ""),
            file("odd/Cargo.toml", "[[test]]\npath = \"./place/test.rs\"\n"),
            file("odd/place/test.rs", "mod beside;"),
            file("odd/place/beside.rs", ""),
        ];
        let dead = dead(&files);
        assert_eq!(dead.len(), 2, "{dead:?}");
        assert!(dead[0].starts_with("crates/a/src/dead.rs:"));
        assert!(dead[1].starts_with("crates/a/src/dead/also_dead.rs:"));
    }
}
