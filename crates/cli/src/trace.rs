//! What happens, line by line: `-v`, `--trace` and `--trace-ascii`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use sockless::{Completion, Note, Op, OpKind};

use crate::args::MessageArgs;
use crate::output;
use crate::report::Failure;

/// Where lines go, and in which form.
#[derive(Debug)]
pub(crate) struct Tracer {
    verbose: bool,
    dump: Option<(File, Style)>,
    stamped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// `--trace`: hexadecimal and text.
    Hex,
    /// `--trace-ascii`: text.
    Ascii,
}

impl Tracer {
    /// # Errors
    /// The trace file cannot be made.
    pub(crate) fn new(args: &MessageArgs) -> Result<Self, Failure> {
        let wanted = match (&args.trace, &args.trace_ascii) {
            (Some(path), _) => Some((path, Style::Hex)),
            (None, Some(path)) => Some((path, Style::Ascii)),
            (None, None) => None,
        };
        let dump = wanted
            .map(|(path, style)| open(path).map(|file| (file, style)))
            .transpose()?;
        Ok(Self {
            verbose: args.verbose,
            dump,
            stamped: args.trace_time,
        })
    }

    /// Whether anybody looks: transfers then give notes.
    pub(crate) fn is_on(&self) -> bool {
        self.verbose || self.dump.is_some()
    }

    /// A sentence.
    pub(crate) fn info(&mut self, text: &str) {
        if self.verbose {
            self.say(&format!("* {text}"));
        }
        self.dump_text(&format!("== Info: {text}"));
    }

    /// A note of a transfer.
    pub(crate) fn note(&mut self, note: &Note) {
        match note {
            Note::Info { layer, text } => self.info(&format!("{layer}: {text}")),
            Note::Bytes { sent, body, bytes } => self.bytes(*sent, *body, bytes),
            _ => {}
        }
    }

    /// An operation on its way to the driver.
    pub(crate) fn submitted(&mut self, op: &Op) {
        match &op.kind {
            _ if !self.is_on() => {}
            OpKind::Resolve { host, .. } => self.info(&format!("Resolving {host}")),
            OpKind::Connect { to, .. } => self.info(&format!("Trying {to}...")),
            _ => {}
        }
    }

    /// An operation that came back.
    pub(crate) fn completed(&mut self, completion: &Completion) {
        if !self.is_on() {
            return;
        }
        match (&completion.op.kind, &completion.result) {
            (OpKind::Connect { to, .. }, Err(error)) => {
                self.info(&format!("Connecting to {to} failed: {error}"));
            }
            (OpKind::Resolve { host, found, .. }, Ok(_)) => {
                let found: Vec<_> = found.iter().map(ToString::to_string).collect();
                self.info(&format!("{host} is {}", found.join(", ")));
            }
            _ => {}
        }
    }

    fn bytes(&mut self, sent: bool, body: bool, bytes: &[u8]) {
        if self.verbose && !body {
            let mark = if sent { '>' } else { '<' };
            let text = String::from_utf8_lossy(bytes);
            text.lines()
                .for_each(|line| self.say(&format!("{mark} {line}")));
        }
        let Some((_, style)) = &self.dump else { return };
        let (arrow, verb) = if sent { ("=>", "Send") } else { ("<=", "Recv") };
        let kind = if body { "data" } else { "header" };
        let mut text = format!("{arrow} {verb} {kind}, {n} bytes ({n:#x})", n = bytes.len());
        match style {
            Style::Hex => hex(&mut text, bytes),
            Style::Ascii => ascii(&mut text, bytes),
        }
        self.dump_text(&text);
    }

    fn say(&self, line: &str) {
        // A standard error that is gone must not end the transfer.
        let _ = writeln!(io::stderr(), "{}{line}", self.stamp());
    }

    fn dump_text(&mut self, text: &str) {
        let stamp = self.stamp();
        if let Some((file, _)) = &mut self.dump {
            // Nor must a trace that cannot be written.
            let _ = file.write_all(format!("{stamp}{text}\n").as_bytes());
        }
    }

    /// `23:59:59.123456 `, by UTC: the standard library knows no other.
    fn stamp(&self) -> String {
        if !self.stamped {
            return String::new();
        }
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let (seconds, micros) = (since.as_secs() % 86_400, since.subsec_micros());
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        format!("{hour:02}:{minute:02}:{second:02}.{micros:06} ")
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    use std::os::fd::AsFd as _;
    let opened = match path.to_str() {
        Some("-") => output::stdout(),
        Some("%") => io::stderr().as_fd().try_clone_to_owned().map(File::from),
        _ => File::create(path),
    };
    opened.map_err(|error| Failure::write(&path.display().to_string(), &error))
}

/// Lines of sixteen bytes.
fn hex(text: &mut String, bytes: &[u8]) {
    for (number, line) in bytes.chunks(16).enumerate() {
        let _ = write!(text, "\n{:04x}: ", number * 16);
        for at in 0..16 {
            match line.get(at) {
                Some(byte) => write!(text, "{byte:02x} "),
                None => write!(text, "   "),
            }
            .ok();
        }
        text.extend(line.iter().map(|byte| shown(*byte)));
    }
}

/// Lines of sixty-four bytes, or as the text's own lines end.
fn ascii(text: &mut String, bytes: &[u8]) {
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let line = &rest[..rest.len().min(64)];
        let end = line.windows(2).position(|pair| pair == b"\r\n");
        let (line, used) = match end {
            Some(end) => (&line[..end], end + 2),
            None => (line, line.len()),
        };
        let _ = write!(text, "\n{at:04x}: ");
        text.extend(line.iter().map(|byte| shown(*byte)));
        at += used;
    }
}

fn shown(byte: u8) -> char {
    if (b' '..0x7f).contains(&byte) {
        char::from(byte)
    } else {
        '.'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_look_like_curls() {
        let mut text = String::new();
        ascii(&mut text, b"GET / HTTP/1.1\r\nA: \x01\r\n");
        assert_eq!(text, "\n0000: GET / HTTP/1.1\n0010: A: .");
        text.clear();
        hex(&mut text, b"ab");
        assert_eq!(text, format!("\n0000: 61 62 {}ab", "   ".repeat(14)));
    }
}
