//! Says which rule a refused answer has broken, and what the peer seems to be.

use httparse::Error;
use sockless_core::{Culprit, Fault, Pipe, Reason};

use crate::Http1Config;

/// Bytes of foreign input that a message shows.
const SHOWN: usize = 32;

/// How other protocols begin, what to call them and what helps.
const FOREIGN: [(&[u8], &str, &str); 12] = [
    (b"\x15\x03", "a TLS alert", "the port speaks TLS: use https"),
    (
        b"\x16\x03",
        "a TLS handshake",
        "the port speaks TLS: use https",
    ),
    (
        b"SSH-",
        "an SSH banner",
        "the port belongs to an SSH server",
    ),
    (
        b"PRI * HTTP/2",
        "an HTTP/2 preface",
        "the port speaks HTTP/2 only",
    ),
    (
        b"220",
        "a mail or FTP greeting",
        "the port belongs to another kind of server",
    ),
    (
        b"+OK",
        "a POP3 greeting",
        "the port belongs to another kind of server",
    ),
    (
        b"* OK",
        "an IMAP greeting",
        "the port belongs to another kind of server",
    ),
    (
        b"-ERR",
        "a Redis or POP3 error",
        "the port belongs to another kind of server",
    ),
    (
        b"ICY ",
        "a SHOUTcast stream",
        "SHOUTcast's own protocol is not spoken here",
    ),
    (b"<", "a document without a head (HTTP/0.9)", ALLOW_09),
    (b"\x15", "a TLS alert", "the port speaks TLS: use https"),
    (b"\x16", "a TLS handshake", "the port speaks TLS: use https"),
];

const ALLOW_09: &str = "set allow_http09 if the server is known to speak HTTP/0.9";

/// What arrived does not begin as an HTTP/1 answer does.
pub(crate) fn foreign(from_peer: &Pipe) -> Fault {
    let bytes = from_peer.iter().flat_map(|piece| piece.iter().copied());
    let first: Vec<u8> = bytes.take(SHOWN).collect();
    let first = first.as_slice();
    let shown = first[..first.len().min(SHOWN)].escape_ascii();
    let known = FOREIGN.iter().find(|(start, ..)| first.starts_with(start));
    let (like, remedy) = match known {
        Some((_, like, remedy)) => (*like, *remedy),
        None if is_http2_frame(first) => ("an HTTP/2 frame", "the port speaks HTTP/2 only"),
        None => {
            let what = format!("the peer does not speak HTTP: its first bytes are \"{shown}\"");
            return Fault::misbehaved(Reason::WrongProtocol, what)
                .remedy("check host and port, and whether it expects TLS");
        }
    };
    let what = format!("the peer does not speak HTTP/1: \"{shown}\" looks like {like}");
    Fault::misbehaved(Reason::WrongProtocol, what).remedy(remedy)
}

/// Length, type SETTINGS or GOAWAY, flags, stream 0 (RFC 9113 section 4.1).
fn is_http2_frame(first: &[u8]) -> bool {
    matches!(first, [0, _, _, 4 | 7, 0, 0, 0, 0, 0, ..])
}

/// 101 in the answer to a request that did not ask for another protocol.
pub(crate) fn unasked_upgrade() -> Fault {
    let what = "101 Switching Protocols, which was not asked for";
    Fault::misbehaved(Reason::WrongProtocol, what)
}

/// Interim answers without end.
pub(crate) fn too_many_interims(config: &Http1Config) -> Fault {
    let what = format!("more than {} interim answers", config.max_interim);
    Fault::new(Culprit::Limit, Reason::HeadTooLarge, what).remedy("raise max_interim")
}

/// A line feed without its carriage return (RFC 9112 section 2.2).
pub(crate) fn bare_line_feed() -> Fault {
    Fault::misbehaved(
        Reason::BareLineEnd,
        "a line in the head ends in a bare line feed",
    )
}

/// The rule that a complete head has broken.
pub(crate) fn of_answer(raw: &[u8], error: Option<Error>) -> Fault {
    let mut lines = lines(raw);
    let status = lines.next().unwrap_or_default();
    match status.get(..8) {
        Some(b"HTTP/1.0" | b"HTTP/1.1") => {}
        _ => {
            let version = status
                .split(|byte| *byte == b' ')
                .next()
                .unwrap_or_default();
            let shown = version[..version.len().min(SHOWN)].escape_ascii();
            let what = format!("the peer answers with {shown}, not HTTP/1.0 or HTTP/1.1");
            return Fault::new(Culprit::PeerIncompatible, Reason::WrongProtocol, what);
        }
    }
    if status.contains(&b'\r') {
        return bare_carriage_return();
    }
    if !is_status_line(status) {
        let shown = status[..status.len().min(SHOWN)].escape_ascii();
        let what = format!("the status line \"{shown}\" is not \"HTTP/1.1 200 OK\" in form");
        return Fault::misbehaved(Reason::Malformed, what);
    }
    of_fields(lines, error)
}

/// The rule that a complete trailer section has broken.
pub(crate) fn of_trailers(raw: &[u8], error: Option<Error>) -> Fault {
    of_fields(lines(raw), error)
}

/// Without their CRLF, and without the empty line at the end.
fn lines(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    raw.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
}

fn bare_carriage_return() -> Fault {
    Fault::misbehaved(Reason::BareLineEnd, "a bare carriage return in the head")
}

/// `version SP 3DIGIT [SP reason]` (RFC 9112 section 4), the code from 100 up.
fn is_status_line(line: &[u8]) -> bool {
    let code = line.get(9..12).unwrap_or_default();
    line.get(8) == Some(&b' ')
        && matches!(code, [b'1'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit))
        && matches!(line.get(12), None | Some(b' '))
        && !line
            .iter()
            .any(|byte| byte.is_ascii_control() && *byte != b'\t')
}

fn of_fields<'a>(lines: impl Iterator<Item = &'a [u8]>, error: Option<Error>) -> Fault {
    for line in lines {
        if let Some(fault) = of_line(line) {
            return fault;
        }
    }
    let what = match error {
        Some(error) => format!("the head cannot be parsed: {error}"),
        None => "the head cannot be parsed".to_owned(),
    };
    Fault::misbehaved(Reason::Malformed, what)
}

/// RFC 9112 section 5. Values are not shown: they may be secret.
fn of_line(line: &[u8]) -> Option<Fault> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        let what = "a header line begins with white space: folded lines are obsolete";
        return Some(Fault::misbehaved(Reason::ObsoleteFold, what));
    }
    if line.contains(&b'\r') {
        return Some(bare_carriage_return());
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Some(Fault::misbehaved(
            Reason::Malformed,
            "a header line without a colon",
        ));
    };
    let (name, value) = line.split_at(colon);
    let shown = name[..name.len().min(SHOWN)].escape_ascii();
    if name.is_empty() {
        return Some(Fault::misbehaved(
            Reason::Malformed,
            "a header field without a name",
        ));
    }
    if matches!(name.last(), Some(b' ' | b'\t')) {
        let what = format!("white space between the field name \"{shown}\" and its colon");
        return Some(Fault::misbehaved(Reason::SpaceBeforeColon, what));
    }
    if !name
        .iter()
        .all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte))
    {
        let what = format!("the field name \"{shown}\" is no token");
        return Some(Fault::misbehaved(Reason::Malformed, what));
    }
    if value
        .iter()
        .any(|byte| byte.is_ascii_control() && *byte != b'\t')
    {
        let what = format!("the value of field {shown} has a control character");
        return Some(Fault::misbehaved(Reason::Malformed, what));
    }
    None
}
