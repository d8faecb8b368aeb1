//! What the matrix prints and writes.

use super::cell::Scheme;
use super::lab::Verdict;

/// A cell that has been run.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) case: &'static str,
    pub(super) scheme: Scheme,
    pub(super) driver: &'static str,
    pub(super) verdict: Verdict,
    pub(super) milliseconds: u128,
}

/// A row for each case, a column for each driver and scheme.
pub(super) fn table(entries: &[Entry]) -> String {
    let mut columns: Vec<(&str, &str)> = Vec::new();
    let mut rows: Vec<&str> = Vec::new();
    for entry in entries {
        let column = (entry.driver, entry.scheme.name());
        if !columns.contains(&column) {
            columns.push(column);
        }
        if !rows.contains(&entry.case) {
            rows.push(entry.case);
        }
    }
    let wide = rows
        .iter()
        .map(|row| row.chars().count())
        .max()
        .unwrap_or_default();
    let mut out = format!("{:wide$}", "");
    for (driver, scheme) in &columns {
        out += &format!("  {driver} {scheme}");
    }
    for row in rows {
        out += &format!("\n{row:wide$}");
        for (driver, scheme) in &columns {
            let here = |entry: &&Entry| {
                (entry.case, entry.driver, entry.scheme.name()) == (row, *driver, *scheme)
            };
            let word = entries
                .iter()
                .find(here)
                .map_or("", |entry| word(&entry.verdict));
            out += &format!("  {word:0$}", driver.len() + 1 + scheme.len());
        }
    }
    let lines: Vec<&str> = out.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// Why cells failed, each, and why others were skipped, each reason once.
pub(super) fn reasons(entries: &[Entry]) -> String {
    let mut out = String::new();
    let mut skipped: Vec<(&str, usize)> = Vec::new();
    for entry in entries {
        match &entry.verdict {
            Verdict::Passed => {}
            Verdict::Failed(why) => out += &format!("\nFAILED {}: {why}\n", name(entry)),
            Verdict::Skipped(why) => match skipped.iter_mut().find(|(have, _)| have == why) {
                Some((_, count)) => *count += 1,
                None => skipped.push((why, 1)),
            },
        }
    }
    for (why, count) in skipped {
        out += &format!("\nskipped {count}: {why}\n");
    }
    out
}

/// Numbers of passed, failed and skipped cells.
pub(super) fn counts(entries: &[Entry]) -> [usize; 3] {
    let count = |want: &str| {
        entries
            .iter()
            .filter(|entry| word(&entry.verdict) == want)
            .count()
    };
    ["passed", "FAILED", "skipped"].map(count)
}

/// An array with an object for each cell.
pub(super) fn json(entries: &[Entry]) -> String {
    let objects: Vec<String> = entries.iter().map(object).collect();
    format!("[\n{}\n]\n", objects.join(",\n"))
}

fn object(entry: &Entry) -> String {
    let reason = match &entry.verdict {
        Verdict::Passed => "",
        Verdict::Failed(why) | Verdict::Skipped(why) => why,
    };
    format!(
        "  {{\"case\": {}, \"driver\": {}, \"scheme\": {}, \"outcome\": {}, \"reason\": {}, \
         \"milliseconds\": {}}}",
        quoted(entry.case),
        quoted(entry.driver),
        quoted(entry.scheme.name()),
        quoted(&word(&entry.verdict).to_lowercase()),
        quoted(reason),
        entry.milliseconds
    )
}

/// The text as a JSON string (RFC 8259 section 7).
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => out += &format!("\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed(_) => "FAILED",
        Verdict::Skipped(_) => "skipped",
    }
}

fn name(entry: &Entry) -> String {
    format!("{}, {}, {}", entry.case, entry.driver, entry.scheme.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(case: &'static str, scheme: Scheme, verdict: Verdict) -> Entry {
        Entry {
            case,
            scheme,
            driver: "uring",
            verdict,
            milliseconds: 7,
        }
    }

    #[test]
    fn a_failure_is_seen_in_the_table_in_the_reasons_and_in_the_counts() {
        let entries = [
            entry("head", Scheme::Http, Verdict::Passed),
            entry("head", Scheme::Tls13, Verdict::Failed("exit 7".to_owned())),
            entry("other", Scheme::Http, Verdict::Skipped("no --x".to_owned())),
        ];
        let expected = "       uring http  uring tls1.3\n\
                        head   passed      FAILED\n\
                        other  skipped";
        assert_eq!(table(&entries), expected);
        let reasons = reasons(&entries);
        assert!(
            reasons.contains("FAILED head, uring, tls1.3: exit 7"),
            "{reasons}"
        );
        assert!(reasons.contains("skipped 1: no --x"), "{reasons}");
        assert_eq!(counts(&entries), [1, 1, 1]);
    }

    #[test]
    fn json_is_quoted() {
        let failed = Verdict::Failed("say \"x\\y\"\n\u{1}".to_owned());
        let expected = "[\n  {\"case\": \"head\", \"driver\": \"uring\", \"scheme\": \"http\", \
                        \"outcome\": \"failed\", \"reason\": \"say \\\"x\\\\y\\\"\\n\\u0001\", \
                        \"milliseconds\": 7}\n]\n";
        assert_eq!(json(&[entry("head", Scheme::Http, failed)]), expected);
    }
}
