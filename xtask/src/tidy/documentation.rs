//! What the documentation has to name.

use super::{File, source};

/// Each crate, in `docs/ARCHITECTURE.md`.
pub(super) fn crates(files: &[File]) -> Vec<String> {
    let Some(text) = find(files, "docs/ARCHITECTURE.md") else {
        return Vec::new();
    };
    let folders = files.iter().filter_map(|file| {
        file.path
            .strip_prefix("crates/")?
            .strip_suffix("/Cargo.toml")
            .filter(|f| !f.contains('/'))
    });
    folders
        .filter(|folder| !text.contains(&format!("crates/{folder}")))
        .filter(|folder| !source::words(text).any(|word| word == *folder))
        .map(|folder| format!("docs/ARCHITECTURE.md: crates/{folder} is not named"))
        .collect()
}

/// Each option of the command, in `docs/guide.md`.
pub(super) fn options(files: &[File]) -> Vec<String> {
    let Some(text) = find(files, "docs/guide.md") else {
        return Vec::new();
    };
    // A dot belongs to `--tlsv1.2`, but not to the end of a sentence.
    let named: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric() && c != '-' && c != '.')
        .map(|word| word.trim_end_matches('.'))
        .collect();
    files
        .iter()
        .filter(|file| file.is_rust() && file.path.starts_with("crates/cli/src/"))
        .flat_map(|file| declared(&file.text))
        .filter(|option| !named.contains(&option.as_str()))
        .map(|option| format!("docs/guide.md: the command's option {option} is not named"))
        .collect()
}

/// What users of the last version will notice is written down.
pub(super) fn changelog(files: &[File]) -> Vec<String> {
    match find(files, "CHANGELOG.md") {
        Some(text) if text.contains("## [Unreleased]") => Vec::new(),
        Some(_) => vec!["CHANGELOG.md: no section `## [Unreleased]`".to_owned()],
        None => vec!["CHANGELOG.md is missing".to_owned()],
    }
}

fn find<'a>(files: &'a [File], path: &str) -> Option<&'a str> {
    files
        .iter()
        .find(|file| file.path == path)
        .map(|file| file.text.as_str())
}

/// The options that clap's `#[arg(…)]` attributes declare; hidden ones are left out.
fn declared(text: &str) -> Vec<String> {
    let code = source::blank(text);
    let lines: Vec<(&str, &str)> = code.lines().zip(text.lines()).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if !lines[at].0.trim_start().starts_with("#[arg(") {
            at += 1;
            continue;
        }
        let end = (at..lines.len())
            .find(|index| lines[*index].0.contains(")]"))
            .unwrap_or(at);
        let attribute: String = lines[at..=end]
            .iter()
            .map(|(_, original)| *original)
            .collect();
        let field = lines[end + 1..].iter().find(|(code, _)| code.contains(':'));
        found.extend(option(&attribute, field.map_or("", |(code, _)| code)));
        at = end + 1;
    }
    found
}

/// The option of one attribute: its long name, or its short one if it has no other.
fn option(attribute: &str, field: &str) -> Option<String> {
    if attribute.contains("hide = true") {
        return None;
    }
    let value = |key: &str, quote: char| {
        attribute
            .split_once(&format!("{key} = {quote}"))?
            .1
            .split(quote)
            .next()
    };
    if let Some(long) = value("long", '"') {
        return Some(format!("--{long}"));
    }
    if source::words(&source::blank(attribute)).any(|word| word == "long") {
        let name = source::words(field.split(':').next()?).last()?;
        return Some(format!("--{}", name.replace('_', "-")));
    }
    value("short", '\'').map(|short| format!("-{short}"))
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
    fn a_crate_that_is_not_named_is_missed() {
        let manifests = ["crates/core/Cargo.toml", "crates/http/Cargo.toml"];
        let mut files: Vec<File> = manifests.map(|path| file(path, "")).into();
        assert!(crates(&files).is_empty(), "there is no document yet");
        files.push(file("docs/ARCHITECTURE.md", "`crates/core` and httpd"));
        assert_eq!(
            crates(&files),
            ["docs/ARCHITECTURE.md: crates/http is not named"]
        );
    }

    #[test]
    fn an_option_that_is_not_named_is_missed() {
        let source = "struct Args {\n    /// #[arg(long = \"no\")]\n    \
                      #[arg(short = 'o', long = \"output\", value_name = \"FILE\")]\n    out: X,\n    \
                      #[arg(\n        long,\n        default_value_t = 5\n    )]\n    \
                      pub(crate) max_redirs: u32,\n    #[arg(short = 'q')]\n    quiet: bool,\n    \
                      #[arg(long, hide = true)]\n    secret: bool,\n}\n";
        assert_eq!(declared(source), ["--output", "--max-redirs", "-q"]);
        let guide = "`--output FILE`, --max-redirs-not";
        let files = [
            file("crates/cli/src/args.rs", source),
            file("docs/guide.md", guide),
        ];
        let found = options(&files);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].contains(" --max-redirs ") && found[1].contains(" -q "),
            "{found:?}"
        );
    }

    #[test]
    fn the_changelog_has_to_be_there_and_open() {
        assert_eq!(changelog(&[]).len(), 1);
        assert_eq!(changelog(&[file("CHANGELOG.md", "## [0.1.0]")]).len(), 1);
        assert!(changelog(&[file("CHANGELOG.md", "## [Unreleased]")]).is_empty());
    }
}
