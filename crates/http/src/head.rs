//! Parses complete heads and trailer sections.

use core::mem::MaybeUninit;
use core::ops::Range;

use httparse::{EMPTY_HEADER, Header, ParserConfig, Response, Status};
use sockless_core::{Fault, Fields, Head};

use crate::framing::FramingFields;
use crate::refusal;
use crate::request::is_tchar;
use crate::scan::Section;

/// A final or interim answer's head, and what its fields say about the message.
pub(crate) struct Answer {
    pub(crate) head: Head,
    /// 0 or 1.
    pub(crate) minor: u8,
    pub(crate) framing: FramingFields,
}

type Span = (Range<u32>, Range<u32>);

/// Fields that are parsed without a heap allocation for httparse's table.
const ON_STACK: usize = 32;

/// Where the reason phrase begins: after `HTTP/1.1 200 `.
const REASON_AT: usize = 13;

/// Parses an answer's head (RFC 9112 sections 4 and 5).
///
/// httparse is strict by default, apart from bare line feeds and empty lines in
/// front, which the scan has refused before. What it refuses is looked at again
/// to say which rule was broken.
pub(crate) fn parse_answer(section: Section) -> Result<Answer, Fault> {
    let mut framing = FramingFields::default();
    let (head, minor) = parse_head(section, |name, value| framing.see(name, value))?;
    Ok(Answer {
        head,
        minor,
        framing,
    })
}

/// The same, for whom the framing means nothing; `see` gets each field. Gives the minor version, too.
pub(crate) fn parse_head(
    section: Section,
    mut see: impl FnMut(&[u8], &[u8]) -> Result<(), Fault>,
) -> Result<(Head, u8), Fault> {
    let Section { raw, lines } = section;
    let fields = lines.saturating_sub(2);
    let parsed = if let Some(plain) = parse_plain(&raw, lines) {
        plain
    } else if fields <= ON_STACK {
        let mut table = [const { MaybeUninit::uninit() }; ON_STACK];
        parse_into(&raw, &mut table)?
    } else {
        parse_into(&raw, &mut vec![MaybeUninit::uninit(); fields])?
    };
    let Parsed { code, minor, spans } = parsed;
    for (name, value) in &spans {
        see(part(&raw, name), part(&raw, value))?;
    }
    let line_end = memchr::memchr(b'\r', &raw).unwrap_or(raw.len());
    let reason = REASON_AT.min(line_end) as u32..line_end as u32;
    let version = if minor == 0 { "HTTP/1.0" } else { "HTTP/1.1" };
    let fields = Fields::new(raw, spans);
    let head = Head {
        code,
        version,
        reason,
        fields,
        body_length: None,
    };
    Ok((head, minor))
}

struct Parsed {
    code: u16,
    minor: u8,
    spans: Vec<Span>,
}

/// Parses what nearly every head is: fields with a value each, and no white space where none
/// has to be. Whatever is taken here, httparse takes with the same result; `None` says
/// nothing about the head but that httparse has to look at it.
fn parse_plain(raw: &[u8], lines: usize) -> Option<Parsed> {
    let [
        b'H',
        b'T',
        b'T',
        b'P',
        b'/',
        b'1',
        b'.',
        minor @ (b'0' | b'1'),
        b' ',
        a @ b'1'..=b'9',
        b @ b'0'..=b'9',
        c @ b'0'..=b'9',
        b' ',
        ..,
    ] = raw
    else {
        return None;
    };
    let code = [a, b, c].map(|digit| u16::from(digit - b'0'));
    // Each line ends in CR LF, so there is no other control character.
    if controls(raw) != 2 * lines {
        return None;
    }
    let mut spans = Vec::with_capacity(lines.saturating_sub(2));
    let mut ends = memchr::memchr_iter(b'\n', raw);
    let mut at = ends.next()? + 1;
    for end in ends {
        let line = raw.get(at..end - 1)?;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| !is_tchar(*byte))?;
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let value = line[colon + 1..].iter().position(|byte| !blank(byte))?;
        if colon == 0 || line[colon] != b':' || line.last().is_some_and(blank) {
            return None;
        }
        let offset = |n: usize| (at + n) as u32;
        let value = offset(colon + 1 + value)..offset(line.len());
        spans.push((offset(0)..offset(colon), value));
        at = end + 1;
    }
    Some(Parsed {
        code: code[0] * 100 + code[1] * 10 + code[2],
        minor: minor - b'0',
        spans,
    })
}

/// Control characters but tabs; counted in bytes, as vector instructions like it.
fn controls(raw: &[u8]) -> usize {
    let control = |byte: &u8| u8::from(byte.is_ascii_control() && *byte != b'\t');
    let count = |piece: &[u8]| piece.iter().map(control).sum::<u8>();
    raw.chunks(128).map(|piece| usize::from(count(piece))).sum()
}

fn part<'b>(raw: &'b [u8], span: &Range<u32>) -> &'b [u8] {
    &raw[span.start as usize..span.end as usize]
}

fn parse_into<'b>(raw: &'b [u8], table: &mut [MaybeUninit<Header<'b>>]) -> Result<Parsed, Fault> {
    let mut response = Response::new(&mut []);
    let parser = ParserConfig::default();
    match parser.parse_response_with_uninit_headers(&mut response, raw, table) {
        Ok(Status::Complete(len)) if len == raw.len() => {}
        outcome => return Err(refusal::of_answer(raw, outcome.err())),
    }
    let (Some(code @ 100..), Some(minor)) = (response.code, response.version) else {
        return Err(refusal::of_answer(raw, None));
    };
    let spans = response.headers.iter().map(|header| span(raw, header));
    let spans = spans.collect();
    Ok(Parsed { code, minor, spans })
}

/// Parses the fields after a chunked body (RFC 9112 section 7.1.2); `None`: there are none.
pub(crate) fn parse_trailers(section: Section) -> Result<Option<Fields>, Fault> {
    let Section { raw, lines } = section;
    let mut table = vec![EMPTY_HEADER; lines.saturating_sub(1)];
    let spans: Vec<Span> = match httparse::parse_headers(&raw, &mut table) {
        Ok(Status::Complete((len, fields))) if len == raw.len() => {
            fields.iter().map(|field| span(&raw, field)).collect()
        }
        outcome => return Err(refusal::of_trailers(&raw, outcome.err())),
    };
    Ok((!spans.is_empty()).then(|| Fields::new(raw, spans)))
}

fn span(raw: &[u8], header: &Header<'_>) -> Span {
    (
        offsets(raw, header.name.as_bytes()),
        offsets(raw, header.value),
    )
}

/// Where `part`, which is a part of `raw`, lies in it. Heads are far smaller than 4 GiB.
fn offsets(raw: &[u8], part: &[u8]) -> Range<u32> {
    let start = part.as_ptr().addr().wrapping_sub(raw.as_ptr().addr()) as u32;
    start..start + part.len() as u32
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Fields as they are, and as they should not be.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        let name = prop_oneof![
            Just(b"Server".to_vec()),
            Just(b"X-1_~".to_vec()),
            vec(any::<u8>(), 0..3),
        ];
        let mark = proptest::sample::select(vec![":", ": ", ":\t ", " : ", "", "::"]);
        let value = prop_oneof![
            Just(b"a b\tc".to_vec()),
            Just(b"\xff\x80, \"q\" ".to_vec()),
            vec(any::<u8>(), 0..4),
        ];
        (name, mark, value)
            .prop_map(|(name, mark, value)| [&name, mark.as_bytes(), &value].concat())
    }

    proptest! {
        #[test]
        fn what_is_plain_is_the_same_to_httparse(
            start in "HTTP/1\\.[012] ?[0-9]{2,4}( [ -~]{0,3})?",
            lines in vec(line(), 0..4),
        ) {
            let lines: Vec<_> = lines.into_iter().filter(|line| !line.is_empty() && !line.contains(&b'\n')).collect();
            let mut raw = start.into_bytes();
            for line in &lines {
                raw.extend_from_slice(b"\r\n");
                raw.extend_from_slice(line);
            }
            raw.extend_from_slice(b"\r\n\r\n");
            if let Some(plain) = parse_plain(&raw, lines.len() + 2) {
                let mut table = [const { MaybeUninit::uninit() }; ON_STACK];
                let other = parse_into(&raw, &mut table).expect("httparse takes it, too");
                prop_assert_eq!((plain.code, plain.minor), (other.code, other.minor));
                prop_assert_eq!(plain.spans, other.spans);
            }
        }
    }

    #[test]
    fn an_everyday_head_is_plain() {
        let raw = b"HTTP/1.1 200 OK\r\nServer: x/1 (y)\r\nETag:\t\"1\"\r\n\r\n";
        let plain = parse_plain(raw, 4).expect("plain");
        let values: Vec<_> = plain
            .spans
            .iter()
            .map(|(_, value)| part(raw, value))
            .collect();
        assert_eq!(values, [&b"x/1 (y)"[..], b"\"1\""]);
        assert_eq!((plain.code, plain.minor), (200, 1));
    }
}
