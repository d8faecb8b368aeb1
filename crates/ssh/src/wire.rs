//! SSH's data types (RFC 4251 section 5), read from and put into bytes.

/// Takes values off the front of bytes; `None` where they end too early.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire<'a>(pub(crate) &'a [u8]);

impl<'a> Wire<'a> {
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn number(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*first))
    }

    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (string, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(string)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        core::str::from_utf8(self.string()?).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Puts a string behind `out`.
///
/// # Panics
/// If it has 4 GiB or more: callers bound what they put.
pub(crate) fn put_string(out: &mut Vec<u8>, string: &[u8]) {
    let len = u32::try_from(string.len()).expect("callers bound what they put");
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(string);
}

/// The algorithm that a key or certificate names in front.
pub(crate) fn algorithm(key: &[u8]) -> Option<&str> {
    let mut wire = Wire(key);
    let name = wire.text()?;
    let printable = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    (printable && !wire.is_empty()).then_some(name)
}
