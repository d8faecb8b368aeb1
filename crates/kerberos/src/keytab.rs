//! Keytabs, in the format of version 2.
//!
//! ```text
//!   5, 2 | length, entry | -length, hole | ...
//!   entry: number of components, realm, components, type, time, version, key, version in 4 bytes
//! ```

use core::fmt;

use sockless_core::Fault;
use zeroize::Zeroizing;

use crate::Principal;
use crate::reader::Reader;

/// Keys in one keytab.
const KEYS: usize = 4096;

/// A principal's key.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) principal: Principal,
    pub(crate) version: u32,
    pub(crate) enctype: u16,
    pub(crate) key: Zeroizing<Vec<u8>>,
}

/// Reads a file's bytes: all keys, in order.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Key>, Fault> {
    let mut reader = Reader::new(bytes, "keytab")?;
    if (reader.u8()?, reader.u8()?) != (5, 2) {
        return Err(reader.damaged("it does not begin as one of version 2"));
    }
    let mut keys = Vec::new();
    while !reader.is_empty() {
        let length = reader.u32()?.cast_signed();
        let size = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
        match length {
            // What is behind was cut off when the file was last written.
            0 => break,
            ..0 => drop(reader.take(size)?),
            _ if keys.len() == KEYS => return Err(reader.damaged("it has too many keys")),
            _ => keys.push(entry(reader.part(size)?)?),
        }
    }
    match keys.is_empty() {
        true => Err(reader.damaged("it has no key")),
        false => Ok(keys),
    }
}

fn entry(mut entry: Reader<'_>) -> Result<Key, Fault> {
    let count = entry.u16()?;
    let realm = entry.short_text()?;
    let mut components = Vec::new();
    for _ in 0..count {
        components.push(entry.short_text()?);
    }
    let principal = Principal::new(components, realm).map_err(|why| entry.damaged(why))?;
    let _kind = entry.u32()?;
    let _written = entry.u32()?;
    let mut version = u32::from(entry.u8()?);
    let enctype = entry.u16()?;
    let length = entry.u16()?;
    let key = Zeroizing::new(entry.take(length.into())?.to_vec());
    if entry.len() >= 4 {
        let long = entry.u32()?;
        version = if long == 0 { version } else { long };
    }
    Ok(Key {
        principal,
        version,
        enctype,
        key,
    })
}

/// No key.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(of {}, version {})", self.principal, self.version)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend_from_slice(&(text.len() as u16).to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    }

    fn file() -> Vec<u8> {
        let mut entry = vec![0, 1];
        text(&mut entry, "R");
        text(&mut entry, "alice");
        entry.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 18]);
        text(&mut entry, &"k".repeat(32));
        let mut out = vec![5, 2, 0xff, 0xff, 0xff, 0xfc, 1, 2, 3, 4];
        for long in [&[][..], &[0, 0, 1, 0]] {
            let length = (entry.len() + long.len()) as u32;
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&entry);
            out.extend_from_slice(long);
        }
        out
    }

    #[test]
    fn keys_are_read_and_holes_passed_over() {
        let keys = parse(&file()).expect("a good file");
        let versions: Vec<_> = keys.iter().map(|key| key.version).collect();
        assert_eq!(versions, [2, 256]);
        assert_eq!(keys[0].principal.to_string(), "alice@R");
        assert_eq!((keys[0].enctype, keys[0].key.len()), (18, 32));
        assert!(!format!("{keys:?}").contains("kkk"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for bytes in [
            &b""[..],
            b"\x05",
            b"\x05\x01",
            b"\x05\x02",
            b"\x05\x02\0\0\0\x09ab",
        ] {
            let fault = parse(bytes).expect_err("no keytab");
            assert!(fault.what.contains("keytab"));
        }
    }

    proptest! {
        #[test]
        fn damage_is_an_error_and_no_panic(at in 0usize..200, to in any::<u8>()) {
            let mut bytes = file();
            let at = at % bytes.len();
            bytes[at] = to;
            let _ = parse(&bytes);
        }
    }
}
