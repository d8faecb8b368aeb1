//! Numbers and counted strings out of a file's bytes.

use sockless_core::{Culprit, Fault, Reason};

/// The largest file of tickets or keys that is read, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Big-endian fields, one after the other.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// What the file is, for messages.
    file: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], file: &'static str) -> Result<Self, Fault> {
        if bytes.len() > LARGEST {
            return Err(damaged(file, "it is larger than 1 MiB"));
        }
        Ok(Self { rest: bytes, file })
    }

    /// A part of it, on its own.
    pub(crate) fn part(&mut self, length: usize) -> Result<Self, Fault> {
        let rest = self.take(length)?;
        Ok(Self {
            rest,
            file: self.file,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| self.damaged("it ends early"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Fault> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Fault> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// Bytes behind their number, which has four bytes.
    pub(crate) fn counted(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.u32()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Text behind its number of bytes, which has two bytes.
    pub(crate) fn short_text(&mut self) -> Result<String, Fault> {
        let length = self.u16()?;
        let bytes = self.take(length.into())?;
        self.text(bytes)
    }

    pub(crate) fn text(&self, bytes: &[u8]) -> Result<String, Fault> {
        let text = core::str::from_utf8(bytes);
        let text = text.map_err(|_| self.damaged("a name in it is no text"))?;
        Ok(text.to_owned())
    }

    pub(crate) fn damaged(&self, why: &str) -> Fault {
        damaged(self.file, why)
    }
}

fn damaged(file: &str, why: &str) -> Fault {
    let what = format!("the {file} is damaged or none: {why}");
    Fault::new(Culprit::Misuse, Reason::Authentication, what)
        .remedy("check which file it is, or make it anew with kinit or ktutil")
}
