//! Tables and bars: on the terminal, in the documentation, and as JSON.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What one benchmark found.
#[derive(Debug, Default)]
pub struct Section {
    pub name: &'static str,
    pub what: String,
    pub columns: Vec<&'static str>,
    pub rows: Vec<(String, Vec<Option<f64>>)>,
    pub bars: Vec<Bar>,
    /// What could not be measured, one line each.
    pub missing: Vec<String>,
}

/// A value that is not to be passed.
#[derive(Debug)]
pub struct Bar {
    pub what: String,
    pub limit: f64,
    pub measured: f64,
    pub unit: &'static str,
}

impl Bar {
    fn line(&self) -> String {
        let Self {
            what,
            limit,
            measured,
            unit,
        } = self;
        let verdict = if measured <= limit { "met" } else { "MISSED" };
        let (limit, measured) = (number(*limit), number(*measured));
        format!("{what}: bar: {limit}{unit}, measured {measured}{unit}: {verdict}")
    }
}

impl Section {
    pub fn new(name: &'static str, what: impl Into<String>, columns: &[&'static str]) -> Self {
        Self {
            name,
            what: what.into(),
            columns: columns.to_vec(),
            ..Self::default()
        }
    }

    /// Adds a bar, unless its value could not be measured.
    pub fn bar(
        &mut self,
        what: impl Into<String>,
        limit: f64,
        measured: Option<f64>,
        unit: &'static str,
    ) {
        let what = what.into();
        match measured {
            Some(measured) => self.bars.push(Bar {
                what,
                limit,
                measured,
                unit,
            }),
            None => self.missing.push(format!("{what}: not measured")),
        }
    }

    pub fn markdown(&self) -> String {
        let mut text = format!("{}\n\n|  |", self.what);
        for column in &self.columns {
            let _ = write!(text, " {column} |");
        }
        let _ = write!(text, "\n|---|{}\n", "---:|".repeat(self.columns.len()));
        for (label, values) in &self.rows {
            let _ = write!(text, "| {label} |");
            for value in values {
                let shown = value.map_or_else(|| "-".to_owned(), number);
                let _ = write!(text, " {shown} |");
            }
            text.push('\n');
        }
        text.push('\n');
        for line in self
            .bars
            .iter()
            .map(Bar::line)
            .chain(self.missing.iter().cloned())
        {
            let _ = writeln!(text, "- {line}");
        }
        text
    }

    fn json(&self) -> String {
        let rows = self.rows.iter().map(|(label, values)| {
            let values = self.columns.iter().zip(values).map(|(column, value)| {
                let value = value.map_or_else(|| "null".to_owned(), |value| value.to_string());
                format!("{}: {value}", quoted(column))
            });
            let values: Vec<String> = values.collect();
            format!("{{\"label\": {}, {}}}", quoted(label), values.join(", "))
        });
        let bars = self.bars.iter().map(|bar| {
            format!(
                "{{\"what\": {}, \"bar\": {}, \"measured\": {}, \"met\": {}}}",
                quoted(&bar.what),
                bar.limit,
                bar.measured,
                bar.measured <= bar.limit
            )
        });
        let missing = self.missing.iter().map(|line| quoted(line));
        format!(
            "{{\"name\": {},\n \"rows\": [{}],\n \"bars\": [{}],\n \"missing\": [{}]}}",
            quoted(self.name),
            rows.collect::<Vec<_>>().join(",\n  "),
            bars.collect::<Vec<_>>().join(",\n  "),
            missing.collect::<Vec<_>>().join(", ")
        )
    }
}

/// Writes all sections as one JSON array.
///
/// # Errors
/// The file cannot be written.
pub fn write_json(path: &Path, sections: &[Section]) -> Result<(), String> {
    let all: Vec<String> = sections.iter().map(Section::json).collect();
    let text = format!("[{}]\n", all.join(",\n"));
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Replaces what is between a section's markers in a document.
///
/// # Errors
/// The file cannot be read or written, or has no such markers.
pub fn write_document(path: &Path, sections: &[Section]) -> Result<(), String> {
    let at = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut text = fs::read_to_string(path).map_err(at)?;
    for section in sections {
        let (from, to) = markers(section.name);
        let place = text.find(&from).map(|at| at + from.len());
        let (Some(start), Some(end)) = (place, text.find(&to)) else {
            return Err(format!("{}: no markers {from} and {to}", path.display()));
        };
        text.replace_range(start..end, &format!("\n{}", section.markdown()));
    }
    fs::write(path, text).map_err(at)
}

fn markers(name: &str) -> (String, String) {
    (
        format!("<!-- {name} -->"),
        format!("<!-- end of {name} -->"),
    )
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
