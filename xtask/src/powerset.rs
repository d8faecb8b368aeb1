//! `cargo xtask powerset`: every combination of each crate's features has to build.

use crate::Outcome;
use crate::command::{cargo, root, run as run_command};

/// The crates that have features to choose from: folder and package.
const CRATES: &[(&str, &str)] = &[
    ("http", "sockless-http"),
    ("kerberos", "sockless-kerberos"),
    ("tls", "sockless-tls"),
    ("ssh", "sockless-ssh"),
    ("drivers", "sockless-drivers"),
    ("sockless", "sockless"),
];

/// Checks them all, up to the first that does not build.
pub(crate) fn run() -> Outcome {
    for (folder, package) in CRATES {
        let path = root().join("crates").join(folder).join("Cargo.toml");
        let manifest = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        for features in combinations(&grouped(&features(&manifest))) {
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

/// Features that only switch another crate's on go together: that crate's own combinations
/// are checked with it.
fn grouped(features: &[&str]) -> Vec<String> {
    let (passed, own): (Vec<&str>, Vec<&str>) = features
        .iter()
        .partition(|name| name.starts_with("driver-"));
    let mut groups: Vec<String> = own.into_iter().map(str::to_owned).collect();
    if !passed.is_empty() {
        groups.push(passed.join(","));
    }
    groups
}

/// Every subset, separated by commas as cargo wants them.
fn combinations(features: &[String]) -> Vec<String> {
    let chosen = |set: u32| {
        let picked = features
            .iter()
            .enumerate()
            .filter(|(bit, _)| set >> bit & 1 == 1);
        picked
            .map(|(_, name)| name.as_str())
            .collect::<Vec<_>>()
            .join(",")
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
        let features = grouped(&["a", "driver-x", "driver-y"]);
        assert_eq!(features, ["a", "driver-x,driver-y"]);
        let all = ["", "a", "driver-x,driver-y", "a,driver-x,driver-y"];
        assert_eq!(combinations(&features), all);
    }
}
