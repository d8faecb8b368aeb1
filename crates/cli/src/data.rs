//! The `-d` family: request bodies from the command line, files and standard input.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::args::DataKind;
use crate::report::{Failure, code};

/// All data of one request, joined as curl joins it: `&`, and nothing between JSON.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn collect(parts: &[(DataKind, std::ffi::OsString)]) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    for (number, (kind, value)) in parts.iter().enumerate() {
        if number > 0 && *kind != DataKind::Json {
            body.push(b'&');
        }
        body.extend(part(*kind, value)?);
    }
    Ok(body)
}

fn part(kind: DataKind, value: &OsStr) -> Result<Vec<u8>, Failure> {
    let bytes = value.as_bytes();
    match kind {
        DataKind::Raw => Ok(bytes.to_vec()),
        DataKind::UrlEncode => url_encoded(bytes),
        DataKind::Text | DataKind::Binary | DataKind::Json => match bytes.strip_prefix(b"@") {
            Some(name) => {
                let mut content = read(name)?;
                if kind == DataKind::Text {
                    content.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
                }
                Ok(content)
            }
            None => Ok(bytes.to_vec()),
        },
    }
}

/// `content`, `=content`, `name=content`, `@file`, `name@file`.
fn url_encoded(value: &[u8]) -> Result<Vec<u8>, Failure> {
    let Some(at) = value.iter().position(|byte| matches!(byte, b'=' | b'@')) else {
        return Ok(percent_encoded(value));
    };
    let (name, content) = (&value[..at], &value[at + 1..]);
    let content = if value[at] == b'@' {
        read(content)?
    } else {
        content.to_vec()
    };
    let mut out = name.to_vec();
    if !name.is_empty() {
        out.push(b'=');
    }
    out.extend(percent_encoded(&content));
    Ok(out)
}

/// Everything but unreserved characters (RFC 3986 section 2.3).
fn percent_encoded(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

fn read(name: &[u8]) -> Result<Vec<u8>, Failure> {
    let path = Path::new(OsStr::from_bytes(name));
    let content = if name == b"-" {
        let mut content = Vec::new();
        io::stdin().read_to_end(&mut content).map(|_| content)
    } else {
        std::fs::read(path)
    };
    content.map_err(|error| Failure::read(code::READ, path, &error))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn joined(parts: &[(DataKind, &str)]) -> Vec<u8> {
        let parts: Vec<_> = parts
            .iter()
            .map(|(kind, value)| (*kind, OsString::from(value)))
            .collect();
        collect(&parts).expect("no files")
    }

    #[test]
    fn parts_are_joined_as_curl_joins_them() {
        let parts = [
            (DataKind::Text, "a=1"),
            (DataKind::Raw, "@b"),
            (DataKind::UrlEncode, "c=d e"),
        ];
        assert_eq!(joined(&parts), b"a=1&@b&c=d%20e");
        assert_eq!(
            joined(&[(DataKind::Json, "{"), (DataKind::Json, "}")]),
            b"{}"
        );
        assert_eq!(joined(&[(DataKind::UrlEncode, "=a&b")]), b"a%26b");
        assert_eq!(joined(&[(DataKind::UrlEncode, "a&b")]), b"a%26b");
    }

    #[test]
    fn a_missing_file_is_a_read_error() {
        let part = [(DataKind::Text, OsString::from("@/nonexistent/file"))];
        assert_eq!(collect(&part).expect_err("no such file").code, 26);
    }
}
