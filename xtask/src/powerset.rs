//! `cargo xtask powerset`: every combination of each crate's features has to build.

use crate::Outcome;
use crate::command::{cargo, root, run as run_command};

/// The crates that have features to choose from: folder and package.
const CRATES: &[(&str, &str)] = &[
    ("http", "sockless-http"),
    ("kerberos", "sockless-kerberos"),
    ("tls", "sockless-tls"),
    ("drivers", "sockless-drivers"),
    ("sockless", "sockless"),
];

/// Checks them all, up to the first that does not build.
pub(crate) fn run() -> Outcome {
    for (folder, package) in CRATES {
        let path = root().join("crates").join(folder).join("Cargo.toml");
        let manifest = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        for features in combinations(&features(&manifest)) {
            println!(
                "== {package}: {}",
                if features.is_empty() {
                    "none"
                } else {
                    &features
                }
            );
            run_command(&mut cargo(&[
                "check",
                "--quiet",
                "-p",
                package,
                "--no-default-features",
                "--features",
                &features,
            ]))?;
        }
    }
    Ok(())
}

/// The names in a manifest's feature table, without `default`.
fn features(manifest: &str) -> Vec<&str> {
    manifest
        .lines()
        .skip_while(|line| *line != "[features]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = ["))
        .map(|(name, _)| name.trim_matches('"'))
        .filter(|name| *name != "default" && !name.starts_with(['#', ' ']))
        .collect()
}

/// Every subset, separated by commas as cargo wants them.
fn combinations(features: &[&str]) -> Vec<String> {
    let chosen = |set: u32| {
        let picked = features
            .iter()
            .enumerate()
            .filter(|(bit, _)| set >> bit & 1 == 1);
        picked.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
    };
    (0..1 << features.len()).map(chosen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feature_table_is_read_and_nothing_else() {
        let manifest = "[package]\nname = [\"x\"]\n[features]\ndefault = [\"a\"]\n# why\na = []\n\
                        b = [\n    \"dep:c\",\n]\n[dependencies]\nd = [1]\n";
        assert_eq!(features(manifest), ["a", "b"]);
    }

    #[test]
    fn combinations_are_all_subsets() {
        assert_eq!(combinations(&["a", "b"]), ["", "a", "b", "a,b"]);
    }
}
