//! `-w`: a line of one's own after each transfer.

use std::io::Read as _;
use std::time::Duration;

use sockless::{Endpoint, Note, Summary};

use crate::report::{Failure, code};

/// What is known of a transfer when it is over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// The last answer's status; 0 if there was none.
    pub(crate) status: u16,
    /// Its protocol, e.g. `HTTP/1.1`.
    pub(crate) version: &'static str,
    /// Its fields.
    pub(crate) fields: Vec<(String, String)>,
    /// Bytes of all heads.
    pub(crate) head_bytes: u64,
    /// As given, with a scheme.
    pub(crate) url: String,
    /// After redirects.
    pub(crate) effective_url: String,
    pub(crate) method: String,
    pub(crate) filename: String,
    /// Its place on the command line, from 0.
    pub(crate) number: usize,
    /// What proxies said to CONNECT.
    pub(crate) connect: Connects,
    pub(crate) summary: Summary,
    pub(crate) exit_code: u8,
    pub(crate) error: String,
    /// Attempts after the first.
    pub(crate) retries: u32,
}

/// The last answer to a CONNECT, as the notes of a transfer have it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connects {
    asked: bool,
    status: u16,
}

impl Connects {
    /// Looks at a note.
    pub(crate) fn see(&mut self, note: &Note) {
        let Note::Bytes {
            sent,
            body: false,
            bytes,
        } = note
        else {
            return;
        };
        if *sent {
            self.asked = bytes.starts_with(b"CONNECT ");
        } else if self.asked {
            let line = String::from_utf8_lossy(bytes);
            let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
            self.status = status.unwrap_or(self.status);
        }
    }
}

impl Record {
    /// A field of the last answer.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self
            .fields
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What `-w` comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// For standard output.
    pub(crate) stdout: String,
    /// For standard error (`%{stderr}`).
    pub(crate) stderr: String,
    /// Names that mean nothing.
    pub(crate) unknown: Vec<String>,
}

/// The format itself, read from a file where it says so.
///
/// # Errors
/// Exit code 26.
pub(crate) fn format_of(value: &str) -> Result<String, Failure> {
    let Some(name) = value.strip_prefix('@') else {
        return Ok(value.to_owned());
    };
    let mut text = String::new();
    let read = if name == "-" {
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(name)
    };
    read.map_err(|error| Failure::read(code::READ, name.as_ref(), &error))
}

/// Fills a format in.
pub(crate) fn expand(format: &str, record: &Record) -> Written {
    let mut written = Written::default();
    let mut to_stderr = false;
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        let tail = &rest[c.len_utf8()..];
        let mut out = String::new();
        rest = match c {
            '\\' => escape(tail, &mut out),
            '%' if tail.starts_with('%') => {
                out.push('%');
                &tail[1..]
            }
            '%' => match name(tail) {
                Some(("stdout", false, tail)) => {
                    to_stderr = false;
                    tail
                }
                Some(("stderr", false, tail)) => {
                    to_stderr = true;
                    tail
                }
                Some(("onerror", false, _)) if record.exit_code == 0 => "",
                Some(("onerror", false, tail)) => tail,
                Some((name, is_field, tail)) => {
                    let value = if is_field {
                        Some(record.field(name).unwrap_or_default().to_owned())
                    } else {
                        variable(name, record)
                    };
                    match value {
                        Some(value) => out.push_str(&value),
                        None => written.unknown.push(name.to_owned()),
                    }
                    tail
                }
                None => {
                    out.push('%');
                    tail
                }
            },
            other => {
                out.push(other);
                tail
            }
        };
        let target = if to_stderr {
            &mut written.stderr
        } else {
            &mut written.stdout
        };
        target.push_str(&out);
    }
    written
}

fn escape<'a>(tail: &'a str, out: &mut String) -> &'a str {
    let Some(c) = tail.chars().next() else {
        out.push('\\');
        return tail;
    };
    match c {
        'n' => out.push('\n'),
        'r' => out.push('\r'),
        't' => out.push('\t'),
        other => {
            out.push('\\');
            out.push(other);
        }
    }
    &tail[c.len_utf8()..]
}

/// The name in `{name}` or `header{name}`, whether it is a field's, and what follows.
fn name(tail: &str) -> Option<(&str, bool, &str)> {
    let (is_field, inner) = match (tail.strip_prefix('{'), tail.strip_prefix("header{")) {
        (Some(inner), _) => (false, inner),
        (None, Some(inner)) => (true, inner),
        (None, None) => return None,
    };
    let (name, after) = inner.split_once('}')?;
    Some((name, is_field, after))
}

fn variable(name: &str, record: &Record) -> Option<String> {
    let summary = &record.summary;
    Some(match name {
        "http_code" | "response_code" => format!("{:03}", record.status),
        "http_version" => record
            .version
            .strip_prefix("HTTP/")
            .unwrap_or("0")
            .to_owned(),
        "http_connect" => format!("{:03}", record.connect.status),
        "content_type" => record.field("content-type").unwrap_or_default().to_owned(),
        "redirect_url" => redirect_url(record),
        "num_headers" => record.fields.len().to_string(),
        "size_download" => summary.body_received.to_string(),
        "size_upload" => summary.body_sent.to_string(),
        "size_header" => record.head_bytes.to_string(),
        "speed_download" => speed(summary.body_received, summary.total),
        "speed_upload" => speed(summary.body_sent, summary.total),
        "num_connects" => summary.connects.to_string(),
        "num_redirects" => summary.redirects.to_string(),
        "num_retries" => record.retries.to_string(),
        "url" => record.url.clone(),
        "url_effective" => record.effective_url.clone(),
        "urlnum" => record.number.to_string(),
        "method" => record.method.clone(),
        "scheme" => record
            .effective_url
            .split("://")
            .next()
            .unwrap_or_default()
            .to_owned(),
        "filename_effective" => record.filename.clone(),
        "exitcode" => record.exit_code.to_string(),
        "errormsg" => record.error.clone(),
        // A certificate that does not hold is a failure, so this is never anything else.
        "ssl_verify_result" | "proxy_ssl_verify_result" => "0".to_owned(),
        "remote_ip" => remote(summary).map(|(ip, _)| ip).unwrap_or_default(),
        "remote_port" => remote(summary).map(|(_, port)| port).unwrap_or_default(),
        "time_namelookup" => time(summary.resolved),
        "time_connect" => time(summary.connected),
        "time_appconnect" => time(summary.secured),
        "time_pretransfer" => time(summary.started),
        "time_starttransfer" => time(summary.first_byte),
        "time_total" => time(Some(summary.total)),
        _ => return None,
    })
}

/// Where a redirect that was not followed leads.
fn redirect_url(record: &Record) -> String {
    if !(300..400).contains(&record.status) {
        return String::new();
    }
    let base = url::Url::parse(&record.effective_url).ok();
    let to = record
        .field("location")
        .and_then(|location| base?.join(location).ok());
    to.map(String::from).unwrap_or_default()
}

fn remote(summary: &Summary) -> Option<(String, String)> {
    match summary.remote.as_ref()? {
        Endpoint::Tcp(address) => Some((address.ip().to_string(), address.port().to_string())),
        _ => None,
    }
}

fn time(at: Option<Duration>) -> String {
    format!("{:.6}", at.unwrap_or_default().as_secs_f64())
}

fn speed(bytes: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    if seconds > 0.0 {
        format!("{:.0}", bytes as f64 / seconds)
    } else {
        "0".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            status: 301,
            version: "HTTP/1.1",
            fields: vec![("Location".to_owned(), "/b".to_owned())],
            effective_url: "http://h/a".to_owned(),
            ..Record::default()
        }
    }

    #[test]
    fn variables_fields_and_escapes_are_filled_in() {
        let text = r"%{http_code}\t%{http_version} %header{location} %{redirect_url} 5%% \n";
        assert_eq!(
            expand(text, &record()).stdout,
            "301\t1.1 /b http://h/b 5% \n"
        );
    }

    #[test]
    fn unknown_names_are_reported_and_leave_nothing() {
        let written = expand("a%{nonsense}b%{unclosed", &record());
        assert_eq!(written.stdout, "ab%{unclosed");
        assert_eq!(written.unknown, ["nonsense"]);
    }

    #[test]
    fn parts_go_to_standard_error_or_only_come_with_errors() {
        let written = expand("a%{stderr}b%{stdout}c%{onerror}d", &record());
        assert_eq!(
            (written.stdout.as_str(), written.stderr.as_str()),
            ("ac", "b")
        );
        let failed = Record {
            exit_code: 7,
            ..record()
        };
        assert_eq!(expand("%{onerror}%{exitcode}", &failed).stdout, "7");
    }
}
