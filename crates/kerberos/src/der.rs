//! As much of DER (X.690) as it takes to look into Kerberos' errors and a KDC proxy's frames.

/// [APPLICATION n], constructed: what Kerberos' messages begin with (RFC 4120 section 5.10).
const AS_REQ: u8 = 0x60 | 10;
const AS_REP: u8 = 0x60 | 11;
const TGS_REQ: u8 = 0x60 | 12;
const TGS_REP: u8 = 0x60 | 13;
const ERROR: u8 = 0x60 | 30;

pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const GENERAL_STRING: u8 = 0x1b;
pub(crate) const INTEGER: u8 = 0x02;

/// [n], constructed.
pub(crate) const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// The first element: its tag, what is in it, and what follows.
pub(crate) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = digits
                .iter()
                .fold(0u64, |n, digit| n << 8 | u64::from(*digit));
            (usize::try_from(length).ok()?, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The content of the first element with that tag among several.
pub(crate) fn find(mut elements: &[u8], wanted: u8) -> Option<&[u8]> {
    while let Some((tag, content, rest)) = element(elements) {
        if tag == wanted {
            return Some(content);
        }
        elements = rest;
    }
    None
}

/// An element around `content`.
pub(crate) fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = (length as u32).to_be_bytes();
        let digits = &bytes[(length as u32).leading_zeros() as usize / 8..];
        out.push(0x80 | digits.len() as u8);
        out.extend_from_slice(digits);
    }
    out.extend_from_slice(content);
    out
}

/// Whether it has the form of an answer to that request: its tag, and all of its length.
pub(crate) fn is_answer_to(request: &[u8], answer: &[u8]) -> bool {
    let Some((tag, _, [])) = element(answer) else {
        return false;
    };
    match request.first() {
        Some(&AS_REQ) => matches!(tag, AS_REP | ERROR),
        Some(&TGS_REQ) => matches!(tag, TGS_REP | ERROR),
        _ => matches!(tag, AS_REP | TGS_REP | ERROR),
    }
}

/// Whether it is the error that says that the answer is too large for a datagram
/// (KRB_ERR_RESPONSE_TOO_BIG).
pub(crate) fn wants_stream(answer: &[u8]) -> bool {
    error_code(answer) == Some(52)
}

/// Whether it is the error that says that this KDC cannot answer now, and another one may
/// (KDC_ERR_SVC_UNAVAILABLE).
pub(crate) fn is_unavailable(answer: &[u8]) -> bool {
    error_code(answer) == Some(29)
}

/// `error-code[6]` of KRB-ERROR (RFC 4120 section 5.9.1).
fn error_code(answer: &[u8]) -> Option<u32> {
    let (ERROR, message, _) = element(answer)? else {
        return None;
    };
    let fields = find(message, SEQUENCE)?;
    let (INTEGER, code, _) = element(find(fields, context(6))?)? else {
        return None;
    };
    (code.len() <= 4).then(|| code.iter().fold(0, |n, digit| n << 8 | u32::from(*digit)))
}

#[cfg(test)]
pub(crate) fn error(code: u8) -> Vec<u8> {
    let code = wrap(context(6), &wrap(INTEGER, &[code]));
    wrap(ERROR, &wrap(SEQUENCE, &code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_they_are_read() {
        for length in [0, 1, 127, 128, 255, 256, 65535, 65536] {
            let content = vec![7; length];
            let wire = wrap(OCTETS, &content);
            assert_eq!(element(&wire), Some((OCTETS, &content[..], &b""[..])));
            assert_eq!(element(&wire[..wire.len() - 1]), None);
        }
        assert_eq!(element(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0]), None);
        assert_eq!(element(&[0x30, 0x80, 0, 0]), None);
    }

    #[test]
    fn errors_are_told_by_their_code() {
        assert!(wants_stream(&error(52)) && !wants_stream(&error(29)));
        assert!(is_unavailable(&error(29)) && !is_unavailable(b"\x7e\x00"));
    }

    #[test]
    fn an_answer_is_of_its_requests_kind_and_whole() {
        let (login, ticket) = (wrap(AS_REQ, b"x"), wrap(TGS_REQ, b"x"));
        assert!(is_answer_to(&login, &wrap(AS_REP, b"y")));
        assert!(is_answer_to(&ticket, &error(7)));
        assert!(!is_answer_to(&ticket, &wrap(AS_REP, b"y")));
        assert!(!is_answer_to(
            &login,
            &[wrap(AS_REP, b"y"), vec![0]].concat()
        ));
        assert!(!is_answer_to(&login, b"HTTP/1.1 400"));
    }
}
