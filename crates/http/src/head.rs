//! Parses complete heads and trailer sections.

use core::mem::MaybeUninit;
use core::ops::Range;

use httparse::{EMPTY_HEADER, Header, ParserConfig, Response, Status};
use sockless_core::{Fault, Fields, Head};

use crate::framing::FramingFields;
use crate::refusal;
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
    see: impl FnMut(&str, &[u8]) -> Result<(), Fault>,
) -> Result<(Head, u8), Fault> {
    let Section { raw, lines } = section;
    let fields = lines.saturating_sub(2);
    let parsed = if fields <= ON_STACK {
        let mut table = [const { MaybeUninit::uninit() }; ON_STACK];
        parse_into(&raw, &mut table, see)?
    } else {
        parse_into(&raw, &mut vec![MaybeUninit::uninit(); fields], see)?
    };
    let Parsed { code, minor, spans } = parsed;
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

fn parse_into<'b>(
    raw: &'b [u8],
    table: &mut [MaybeUninit<Header<'b>>],
    mut see: impl FnMut(&str, &[u8]) -> Result<(), Fault>,
) -> Result<Parsed, Fault> {
    let mut response = Response::new(&mut []);
    let parser = ParserConfig::default();
    match parser.parse_response_with_uninit_headers(&mut response, raw, table) {
        Ok(Status::Complete(len)) if len == raw.len() => {}
        outcome => return Err(refusal::of_answer(raw, outcome.err())),
    }
    let (Some(code @ 100..), Some(minor)) = (response.code, response.version) else {
        return Err(refusal::of_answer(raw, None));
    };
    let mut spans = Vec::with_capacity(response.headers.len());
    for header in response.headers.iter() {
        see(header.name, header.value)?;
        spans.push(span(raw, header));
    }
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
