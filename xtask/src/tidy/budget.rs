//! How long files and functions may be.

use super::{File, source};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

/// A complaint for each file and each function that is too long.
pub(super) fn exceeded(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES {
            found.push(format!(
                "{}: {lines} lines, {FILE_LINES} are allowed",
                file.path
            ));
        }
        for function in source::functions(&source::blank(&file.text)) {
            let source::Function { name, line, lines } = function;
            if lines > FUNCTION_LINES {
                let allowed = format!("{FUNCTION_LINES} are allowed");
                found.push(format!(
                    "{}:{line}: {name} has {lines} lines, {allowed}",
                    file.path
                ));
            }
        }
    }
    found
}

/// One line about how long files are.
pub(super) fn report(files: &[File]) -> String {
    let rust = files.iter().filter(|file| file.is_rust());
    let mut lines: Vec<usize> = rust.map(|file| file.text.lines().count()).collect();
    lines.sort_unstable();
    let at = |percent: usize| {
        lines
            .get(lines.len().saturating_sub(1) * percent / 100)
            .copied()
            .unwrap_or_default()
    };
    format!(
        "{} Rust files, {} lines; per file: median {}, 90th percentile {}, most {}",
        lines.len(),
        lines.iter().sum::<usize>(),
        at(50),
        at(90),
        at(100)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: String) -> [File; 1] {
        [File {
            path: "a.rs".to_owned(),
            text,
        }]
    }

    #[test]
    fn files_may_have_600_lines_and_not_one_more() {
        assert!(exceeded(&file("x\n".repeat(600))).is_empty());
        let found = exceeded(&file("x\n".repeat(601)));
        assert_eq!(found, ["a.rs: 601 lines, 600 are allowed"]);
    }

    #[test]
    fn functions_may_have_70_lines_and_not_one_more() {
        let function = |lines: usize| format!("\nfn f() {{\n{}}}\n", "x;\n".repeat(lines - 2));
        assert!(exceeded(&file(function(70))).is_empty());
        let found = exceeded(&file(function(71)));
        assert_eq!(found, ["a.rs:2: f has 71 lines, 70 are allowed"]);
    }

    #[test]
    fn the_report_has_median_and_most() {
        let files: Vec<File> = (1..=10)
            .flat_map(|lines| file("x\n".repeat(lines * 10)))
            .collect();
        let report = report(&files);
        assert!(report.starts_with("10 Rust files, 550 lines; "), "{report}");
        assert!(
            report.ends_with("median 50, 90th percentile 90, most 100"),
            "{report}"
        );
    }
}
