//! Names of files, by whoever they come from.

/// Whether a name is one in its directory, and leads nowhere else: not empty, not `.` or `..`,
/// without `/` and NUL.
pub(crate) fn is_plain(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, b'/' | 0))
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn only_plain_names_are_taken() {
        for good in [
            &b"a"[..],
            b"...",
            b"a b\n",
            b"\xff",
            b".hidden",
            b"-rf",
            b"a\\b",
        ] {
            assert!(is_plain(good), "{good:?}");
        }
        for bad in [&b""[..], b".", b"..", b"../a", b"a/b", b"/", b"a\0b"] {
            assert!(!is_plain(bad), "{bad:?}");
        }
    }
}
