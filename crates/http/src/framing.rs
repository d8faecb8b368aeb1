//! Which bytes are the body of an answer (RFC 9112 section 6).

use sockless_core::{Culprit, Fault, Reason};

use crate::request::has_token;

/// What a head's fields say about body and connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FramingFields {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    /// Whether the body has a content coding.
    pub(crate) encoded: bool,
}

/// How the body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// No body follows, whatever the fields say.
    Nothing,
    /// Exactly this many bytes.
    Sized(u64),
    /// Chunks.
    Chunked,
    /// Everything until the peer closes.
    UntilClose,
}

impl FramingFields {
    /// Takes one field in. Names are told apart by length first: most are none of ours.
    pub(crate) fn see(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        match name.len() {
            14 if is(name, b"Content-Length") => self.see_length(value),
            17 if is(name, b"Transfer-Encoding") => self.see_transfer(value),
            10 if is(name, b"Connection") => {
                self.see_connection(value);
                Ok(())
            }
            16 if is(name, b"Content-Encoding") => {
                self.encoded |= !value.eq_ignore_ascii_case(b"identity");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Nearly always one of two single words.
    fn see_connection(&mut self, value: &[u8]) {
        if is(value, b"keep-alive") {
            self.keep_alive = true;
        } else {
            self.close |= has_token(value, b"close");
            self.keep_alive |= has_token(value, b"keep-alive");
        }
    }

    /// A list of equal lengths counts as one (RFC 9110 section 8.6); nothing else does.
    fn see_length(&mut self, value: &[u8]) -> Result<(), Fault> {
        for one in value.split(|byte| *byte == b',') {
            let length = decimal(one.trim_ascii()).ok_or_else(|| {
                let shown = value[..value.len().min(32)].escape_ascii();
                Fault::misbehaved(
                    Reason::Malformed,
                    format!("the Content-Length \"{shown}\" is no number"),
                )
            })?;
            if let Some(other) = self.length.replace(length)
                && other != length
            {
                let what = format!("two Content-Lengths, {other} and {length}");
                return Err(conflicting(what));
            }
        }
        Ok(())
    }

    /// Only `chunked`, once: nothing else was asked for (RFC 9112 section 7.4).
    fn see_transfer(&mut self, value: &[u8]) -> Result<(), Fault> {
        if !value.eq_ignore_ascii_case(b"chunked") {
            let shown = value[..value.len().min(32)].escape_ascii();
            let what = format!("the Transfer-Encoding \"{shown}\" is not just \"chunked\"");
            return Err(Fault::new(
                Culprit::PeerIncompatible,
                Reason::Unsupported,
                what,
            ));
        }
        if self.chunked {
            return Err(Fault::misbehaved(Reason::Malformed, "chunked twice"));
        }
        self.chunked = true;
        Ok(())
    }

    /// How the body is delimited (RFC 9112 section 6.3).
    pub(crate) fn framing(&self, minor: u8, code: u16, to_head: bool) -> Result<Framing, Fault> {
        if self.chunked && self.length.is_some() {
            let what = "both Content-Length and Transfer-Encoding";
            return Err(conflicting(what));
        }
        if self.chunked && minor == 0 {
            let what = "Transfer-Encoding in an HTTP/1.0 answer";
            return Err(Fault::misbehaved(Reason::Malformed, what));
        }
        Ok(match self.length {
            _ if to_head || matches!(code, 100..=199 | 204 | 304) => Framing::Nothing,
            _ if self.chunked => Framing::Chunked,
            Some(length) => Framing::Sized(length),
            None => Framing::UntilClose,
        })
    }

    /// Whether the peer does not say that it closes: HTTP/1.0 may mean that all the same.
    pub(crate) fn may_persist(&self) -> bool {
        !self.close
    }

    /// Whether the peer keeps the connection open (RFC 9112 section 9.3).
    pub(crate) fn persists(&self, minor: u8) -> bool {
        !self.close && (minor >= 1 || self.keep_alive)
    }
}

/// In any case, though nearly always as it is written here: that is a faster question.
fn is(word: &[u8], known: &[u8]) -> bool {
    word == known || word.eq_ignore_ascii_case(known)
}

/// Digits and nothing else; `None` also when it is too big.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// Nobody can know which of the two a proxy on the way has believed (RFC 9112 section 11.2).
fn conflicting(what: impl Into<String>) -> Fault {
    Fault::misbehaved(Reason::ConflictingLength, what)
        .remedy("the server, or a proxy before it, has to be repaired: tell its operator")
}
