//! Bytes of the peer's in messages for people.

use core::fmt;

/// The most of a name that a message shows, in bytes.
const SHOWN: usize = 200;

/// Shows bytes as text: what is no printable UTF-8 is escaped, what is long is cut.
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(SHOWN)];
        for chunk in shown.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    // Also what turns the direction of text around, or has no width.
                    '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                        write!(f, "{}", c.escape_unicode())?;
                    }
                    c if c.is_control() => write!(f, "{}", c.escape_default())?,
                    c => write!(f, "{c}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        match self.0.len() > SHOWN {
            true => write!(f, "... ({} bytes)", self.0.len()),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shown_moves_a_terminal() {
        let shown = Escaped(b"a\n\x1b[2J\\\xff\xc3\xa9\xe2\x80\xae.txt").to_string();
        assert_eq!(shown, "a\\n\\u{1b}[2J\\\\\\xff\u{e9}\\u{202e}.txt");
        let long = Escaped(&[b'x'; 1000]).to_string();
        assert!(long.len() < 250 && long.ends_with("... (1000 bytes)"));
    }
}
