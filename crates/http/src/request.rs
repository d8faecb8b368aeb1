//! Requests: valid by construction, kept as the bytes that will be sent.

use core::fmt;
use std::time::Duration;

use sockless_core::{Culprit, Fault, Reason};
use zeroize::Zeroize as _;

/// An HTTP/1.1 request that can be sent as it is.
///
/// Every constructor parses: what it returns obeys RFC 9112 section 3 and RFC 9110
/// section 5, so no value of the application's can smuggle in a second field or
/// request. `Content-Length`, `Transfer-Encoding`, `Trailer` and `Expect` follow
/// from [`Request::body`], [`Request::trailer`] and [`Request::expect_continue`].
///
/// ```
/// # use sockless_http::Request;
/// let request = Request::new("GET", "/", "example.com").unwrap();
/// let request = request.field("Accept", "*/*").unwrap();
/// assert!(request.clone().field("X", "a\r\nEvil: yes").is_err());
/// assert_eq!(request.fields().count(), 2);
/// ```
#[derive(Clone)]
pub struct Request {
    /// Request line and fields, each with its line end; without the final empty line.
    wire: Vec<u8>,
    method_len: usize,
    target_len: usize,
    trailers: Vec<u8>,
    body: BodyKind,
    expect: Option<Duration>,
    close: bool,
    secret: bool,
}

/// How the request's body is delimited (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyKind {
    /// No body. `Content-Length: 0` is sent where the method makes one expected.
    #[default]
    Empty,
    /// A body of exactly this many bytes.
    Sized(u64),
    /// A body of unknown length, in chunks.
    Chunked,
}

/// How long [`Request::expect_continue`] waits unless told otherwise; the same as curl.
const DEFAULT_EXPECT_WAIT: Duration = Duration::from_secs(1);

/// Fields that follow from something else and so cannot be given, with what to use instead.
const DERIVED: [(&str, &str); 5] = [
    ("Host", "give the host to Request::new"),
    (
        "Content-Length",
        "set the body's length with Request::body(BodyKind::Sized)",
    ),
    (
        "Transfer-Encoding",
        "ask for chunks with Request::body(BodyKind::Chunked)",
    ),
    ("Trailer", "it follows from Request::trailer"),
    ("Expect", "use Request::expect_continue"),
];

/// Fields that make no sense after the body (RFC 9110 section 6.5.1).
const NOT_AS_TRAILER: [&str; 8] = [
    "Connection",
    "TE",
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Content-Encoding",
    "Content-Type",
    "Content-Range",
];

/// Fields whose values are never shown.
const SECRETS: [&str; 3] = ["Authorization", "Proxy-Authorization", "Cookie"];

pub(crate) const REDACTED: &[u8] = b"[redacted]";

impl Request {
    /// A request without a body.
    ///
    /// `target` is sent as it is: a path with query (`/a?b`), an absolute URL for a
    /// proxy (`http://host/a`), or `*` with OPTIONS (RFC 9112 section 3.2). `host` is
    /// the value of the Host field, with the port where it is not the scheme's own.
    ///
    /// # Errors
    /// [`Reason::BadRequest`]: a method that is no token, a target or host with
    /// characters that need percent-encoding; [`Reason::Unsupported`]: CONNECT,
    /// which makes a tunnel and no exchange.
    pub fn new(method: &str, target: &str, host: &str) -> Result<Self, Fault> {
        if !is_token(method.as_bytes()) {
            return Err(bad(format!(
                "the method \"{}\" is no token",
                method.escape_debug()
            )));
        }
        if method == "CONNECT" {
            let what = "CONNECT opens a tunnel; it is no request of its own";
            return Err(Fault::new(Culprit::Misuse, Reason::Unsupported, what)
                .remedy("add the tunnel as a filter to the connection's route"));
        }
        check_target(method, target)?;
        check_host(host)?;
        let mut wire = Vec::with_capacity(256);
        for part in [method, " ", target, " HTTP/1.1\r\nHost: ", host, "\r\n"] {
            wire.extend_from_slice(part.as_bytes());
        }
        Ok(Self {
            wire,
            method_len: method.len(),
            target_len: target.len(),
            trailers: Vec::new(),
            body: BodyKind::Empty,
            expect: None,
            close: false,
            secret: false,
        })
    }

    /// Adds a field; the order is kept, and a name may come more than once.
    ///
    /// White space around the value is taken off.
    ///
    /// # Errors
    /// [`Reason::BadRequest`] with the field's name: a name that is no token, a
    /// control character in the value (RFC 9110 section 5.5), or a field that
    /// follows from something else.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, Fault> {
        let value = check_field(name, value.as_ref())?;
        if name.eq_ignore_ascii_case("Connection") {
            self.close |= has_token(value, b"close");
        }
        self.secret |= is_secret(name.as_bytes());
        write_field(&mut self.wire, name.as_bytes(), value);
        Ok(self)
    }

    /// Sets how the body is delimited. Anything but chunks drops the trailers.
    #[must_use]
    pub fn body(mut self, body: BodyKind) -> Self {
        self.body = body;
        if body != BodyKind::Chunked {
            self.trailers.clear();
        }
        self
    }

    /// Adds a field that is sent after a chunked body, and its name to `Trailer`.
    ///
    /// # Errors
    /// [`Reason::BadRequest`] with the field's name: as for [`Request::field`]; a
    /// field that may not come so late (RFC 9110 section 6.5.1); a body that is not chunked.
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, Fault> {
        let value = check_field(name, value.as_ref())?;
        if NOT_AS_TRAILER
            .iter()
            .any(|no| no.eq_ignore_ascii_case(name))
        {
            return Err(bad(format!("the field {name} may not come after the body")));
        }
        if self.body != BodyKind::Chunked {
            return Err(bad(format!("the trailer {name} needs a chunked body"))
                .remedy("call Request::body(BodyKind::Chunked) first"));
        }
        write_field(&mut self.trailers, name.as_bytes(), value);
        Ok(self)
    }

    /// Asks the peer for consent before the body is sent: `Expect: 100-continue`.
    ///
    /// After `wait` (`None`: one second) the body is sent without an answer, as
    /// many servers never give one (RFC 9110 section 10.1.1). Has no effect
    /// without a body.
    #[must_use]
    pub fn expect_continue(mut self, wait: impl Into<Option<Duration>>) -> Self {
        self.expect = Some(wait.into().unwrap_or(DEFAULT_EXPECT_WAIT));
        self
    }

    /// The method, e.g. `GET`.
    pub fn method(&self) -> &str {
        self.ascii(0, self.method_len)
    }

    /// The target as it is sent.
    pub fn target(&self) -> &str {
        self.ascii(self.method_len + 1, self.target_len)
    }

    /// The given fields, Host first; those that follow from the body are not among them.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        fields_of(&self.wire[self.line_len()..])
    }

    /// How the body is delimited.
    pub fn body_kind(&self) -> BodyKind {
        self.body
    }

    fn ascii(&self, start: usize, len: usize) -> &str {
        str::from_utf8(&self.wire[start..start + len]).expect("checked as ASCII when parsed")
    }

    fn line_len(&self) -> usize {
        self.method_len + 1 + self.target_len + " HTTP/1.1\r\n".len()
    }
}

/// What sending it needs.
impl Request {
    /// Request line and given fields, as they are sent.
    pub(crate) fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// The same without secrets.
    pub(crate) fn shown(&self) -> Vec<u8> {
        if !self.secret {
            return self.wire.clone();
        }
        let mut shown = self.wire[..self.line_len()].to_vec();
        for (name, value) in self.fields() {
            write_field(
                &mut shown,
                name,
                if is_secret(name) { REDACTED } else { value },
            );
        }
        shown
    }

    /// The trailer section's lines.
    pub(crate) fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    pub(crate) fn trailer_names(&self) -> impl Iterator<Item = &[u8]> {
        fields_of(&self.trailers).map(|(name, _)| name)
    }

    /// How long to wait for consent, where there is a body to wait with.
    pub(crate) fn expect_wait(&self) -> Option<Duration> {
        match self.body {
            BodyKind::Empty | BodyKind::Sized(0) => None,
            BodyKind::Sized(_) | BodyKind::Chunked => self.expect,
        }
    }

    /// Whether the method gives an empty body a meaning (RFC 9110 section 8.6).
    pub(crate) fn anticipates_body(&self) -> bool {
        matches!(&self.wire[..self.method_len], b"POST" | b"PUT" | b"PATCH")
    }

    pub(crate) fn is_head(&self) -> bool {
        self.wire.starts_with(b"HEAD ")
    }

    /// Whether the request itself ends the connection.
    pub(crate) fn closes(&self) -> bool {
        self.close
    }
}

/// Credentials do not stay in freed memory.
impl Drop for Request {
    fn drop(&mut self) {
        if self.secret {
            self.wire.zeroize();
        }
    }
}

/// Without secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {}", self.method(), self.target())?;
        for (name, value) in self.fields() {
            let value = if is_secret(name) { REDACTED } else { value };
            write!(f, ", {}: {}", name.escape_ascii(), value.escape_ascii())?;
        }
        write!(f, ", {:?})", self.body)
    }
}

fn check_target(method: &str, target: &str) -> Result<(), Fault> {
    let refuse = |why: &str| {
        Err(bad(format!(
            "the target \"{}\" {why}",
            target.escape_debug()
        )))
    };
    if !target
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    {
        return Err(bad(format!(
            "the target \"{}\" has a character that may not be there",
            target.escape_debug()
        ))
        .remedy("percent-encode it, and leave the fragment out"));
    }
    if target.starts_with('/') {
        return Ok(());
    }
    if is_absolute(target) && authority(target).contains('@') {
        // RFC 9110 section 4.2.4. The message must not show it.
        return Err(bad("the target has a user or password in it".to_owned())
            .remedy("send them as the field Authorization"));
    }
    match target {
        "*" if method == "OPTIONS" => Ok(()),
        "*" => refuse("goes with OPTIONS only"),
        _ if is_absolute(target) => Ok(()),
        _ => refuse("is neither a path nor an absolute URL"),
    }
}

/// `scheme "://"` and something after it (RFC 3986 section 3.1).
fn is_absolute(target: &str) -> bool {
    target.split_once("://").is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
            && !rest.is_empty()
    })
}

fn authority(absolute: &str) -> &str {
    let rest = absolute.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

/// The characters of `uri-host [ ":" port ]` (RFC 3986 section 3.2.2); it may be empty.
fn check_host(host: &str) -> Result<(), Fault> {
    const ALLOWED: [bool; 256] = alphanumeric_and(b"-._~%!$&'()*+,;=:[]");
    if host.bytes().all(|byte| ALLOWED[usize::from(byte)]) {
        return Ok(());
    }
    Err(bad(format!(
        "the field Host cannot be \"{}\"",
        host.escape_debug()
    ))
    .remedy("give an ASCII (punycode) host name or address, and a port where needed"))
}

/// The value without white space around it.
pub(crate) fn check_field<'a>(name: &str, value: &'a [u8]) -> Result<&'a [u8], Fault> {
    if !is_token(name.as_bytes()) {
        return Err(bad(format!(
            "the field name \"{}\" is no token",
            name.escape_debug()
        )));
    }
    if let Some((_, remedy)) = DERIVED
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
    {
        return Err(bad(format!("the field {name} cannot be given")).remedy(remedy));
    }
    let value = trim_ows(value);
    // All of them, without a way out in between: vector instructions do that.
    let control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    if value.iter().fold(false, |any, byte| any | control(byte)) {
        return Err(bad(format!(
            "the value of field {name} has a control character"
        )));
    }
    Ok(value)
}

pub(crate) fn bad(what: String) -> Fault {
    Fault::new(Culprit::Misuse, Reason::BadRequest, what)
}

pub(crate) fn write_field(wire: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    wire.extend_from_slice(name);
    wire.extend_from_slice(b": ");
    wire.extend_from_slice(value);
    wire.extend_from_slice(b"\r\n");
}

/// Undoes [`write_field`].
fn fields_of(mut lines: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    core::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', lines)?;
        let (line, rest) = lines.split_at(end + 1);
        lines = rest;
        let colon = memchr::memchr(b':', line)?;
        Some((&line[..colon], &line[colon + 2..end - 1]))
    })
}

pub(crate) fn is_secret(name: &[u8]) -> bool {
    SECRETS
        .iter()
        .any(|secret| secret.as_bytes().eq_ignore_ascii_case(name))
}

/// RFC 9110 section 5.6.3; narrower than `trim_ascii`, which would hide a line end.
fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// RFC 9110 section 5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_tchar(*byte))
}

/// A character of tokens, such as field names.
pub(crate) fn is_tchar(byte: u8) -> bool {
    const TCHARS: [bool; 256] = alphanumeric_and(b"!#$%&'*+-.^_`|~");
    TCHARS[usize::from(byte)]
}

/// One look into a table per byte: this is done for each byte of each name.
const fn alphanumeric_and(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}

/// Whether a comma-separated list has this element, in any case (RFC 9110 section 5.6.1).
pub(crate) fn has_token(list: &[u8], token: &[u8]) -> bool {
    list.split(|byte| *byte == b',')
        .any(|one| one.trim_ascii().eq_ignore_ascii_case(token))
}
