//! The lines of the protocol.

use sockless_core::{Buf, Fault, Pipe, Reason};

use crate::escape::Escaped;
use crate::name;

/// The longest line that is taken.
const MAX_LINE: usize = 16 * 1024;

/// A line from the end that sends files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// When the next one was read and written last.
    Times(u32, u32),
    /// A file: mode, size, name.
    File(u32, u64, Vec<u8>),
    /// Into a directory: mode, name.
    Directory(u32, Vec<u8>),
    /// Out of it.
    Leave,
    /// Something failed; whether for good.
    Failed(bool, Vec<u8>),
}

/// Takes the next line off; `None`: it is not complete.
pub(super) fn line(pipe: &mut Pipe) -> Result<Option<Vec<u8>>, Fault> {
    let mut len = 0;
    let end = pipe.iter().find_map(|piece| {
        let at = piece.iter().position(|byte| *byte == b'\n');
        let found = at.map(|at| len + at);
        len += piece.len();
        found
    });
    let Some(end) = end.filter(|end| *end < MAX_LINE) else {
        return match len >= MAX_LINE {
            true => Err(malformed("a line that does not end", b"")),
            false => Ok(None),
        };
    };
    pipe.join(end + 1, Buf::with_capacity);
    let line = pipe.front().map_or(&[][..], |front| &front[..end]).to_vec();
    pipe.consume(end + 1);
    Ok(Some(line))
}

fn malformed(what: &str, line: &[u8]) -> Fault {
    let what = match line.is_empty() {
        true => what.to_owned(),
        false => format!("{what}: \"{}\"", Escaped(line)),
    };
    Fault::misbehaved(Reason::Malformed, what)
}

impl Record {
    /// Reads a line, without its end.
    pub(super) fn parse(line: &[u8]) -> Result<Self, Fault> {
        let Some((kind, rest)) = line.split_first() else {
            return Err(malformed("an empty line", b""));
        };
        let record = match kind {
            b'T' => times(rest),
            b'C' => sized(rest).map(|(mode, size, name)| Self::File(mode, size, name)),
            b'D' => sized(rest).map(|(mode, _, name)| Self::Directory(mode, name)),
            b'E' => rest.is_empty().then_some(Self::Leave),
            1 | 2 => Some(Self::Failed(*kind == 2, rest.to_vec())),
            _ => None,
        };
        let record = record.ok_or_else(|| malformed("a line that scp does not have", line))?;
        match &record {
            Self::File(_, _, name) | Self::Directory(_, name) if !name::is_plain(name) => {
                let what = format!("the server sends the name \"{}\"", Escaped(name));
                Err(Fault::misbehaved(Reason::Malformed, what)
                    .remedy("do not trust this server: such a name leads out of the folder"))
            }
            _ => Ok(record),
        }
    }
}

/// `<mode> <size> <name>`, the mode octal.
fn sized(rest: &[u8]) -> Option<(u32, u64, Vec<u8>)> {
    let mut parts = rest.splitn(3, |byte| *byte == b' ');
    let (mode, size, name) = (parts.next()?, parts.next()?, parts.next()?);
    let mode = u32::try_from(number(mode, 8)?).ok()?;
    let size = number(size, 10).filter(|size| *size <= i64::MAX as u64)?;
    Some((mode & 0o7777, size, name.to_vec()))
}

/// `<mtime> <microseconds> <atime> <microseconds>`.
fn times(rest: &[u8]) -> Option<Record> {
    let mut parts = rest
        .split(|byte| *byte == b' ')
        .map(|part| number(part, 10));
    let (written, _, read, _) = (
        parts.next()??,
        parts.next()??,
        parts.next()??,
        parts.next()??,
    );
    // Times beyond 2106 do not fit into what there is for them.
    let fit = |time: u64| u32::try_from(time).unwrap_or(u32::MAX);
    parts
        .next()
        .is_none()
        .then(|| Record::Times(fit(read), fit(written)))
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    // A sign is no digit here.
    let plain = digits.first()?.is_ascii_digit();
    u64::from_str_radix(core::str::from_utf8(digits).ok()?, radix)
        .ok()
        .filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read() {
        let read = |line: &[u8]| Record::parse(line).ok();
        assert_eq!(read(b"T1 0 2 0"), Some(Record::Times(2, 1)));
        let file = Record::File(0o644, 12, b"a b".to_vec());
        assert_eq!(read(b"C0644 12 a b"), Some(file));
        let directory = Record::Directory(0o755, b"d".to_vec());
        assert_eq!(read(b"D0755 0 d"), Some(directory));
        assert_eq!(read(b"E"), Some(Record::Leave));
        assert_eq!(read(b"\x01no"), Some(Record::Failed(false, b"no".to_vec())));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let lines: [&[u8]; 14] = [
            b"",
            b"X",
            b"C",
            b"C0644",
            b"C0644 1",
            b"C0644 -1 a",
            b"C+644 1 a",
            b"C0644 99999999999999999999 a",
            b"C0644 9223372036854775808 a",
            b"C0644 1 ..",
            b"C0644 1 a/b",
            b"D0755 0 .",
            b"T1 0 2",
            b"EE",
        ];
        for line in lines {
            assert!(Record::parse(line).is_err(), "{line:?}");
        }
    }
}
