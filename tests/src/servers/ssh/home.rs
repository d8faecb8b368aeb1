//! What whoever logs in finds: files of known content, and names that are hard to show.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::content;

/// Files of one byte in the folder `names`: a newline, control characters, an escape
/// sequence, no UTF-8, spaces at the ends, and what a shell would expand.
pub const ODD_NAMES: &[&[u8]] = &[
    b"new\nline",
    b"tab\tbell\x07",
    b"\x1b[31mred\x1b[0m",
    b"latin-\xe9",
    b"\xff\xfe",
    b" spaces ",
    b"star*[a]?",
    b"-dash",
    b"quote'\"\\",
    b"\xc3\xbc-is-fine",
];

/// Fills `home`: [`content::FILES`] up to a mebibyte, `text`, `deep/er/1k`, `names/`, an
/// empty `upload/`, a `link` to `1k`, a `dangling` one, and `content`, a link to all files.
pub(in crate::servers) fn fill(home: &Path, content: &Path) -> io::Result<()> {
    if home.exists() {
        // A fixed server's: what was put there stays.
        return Ok(());
    }
    for folder in ["deep/er", "names", "upload"] {
        fs::create_dir_all(home.join(folder))?;
    }
    for (name, length) in content::FILES
        .iter()
        .filter(|(_, length)| *length <= 1 << 20)
    {
        content::write_file(&home.join(name), *length)?;
    }
    content::write_file(&home.join("deep/er/1k"), 1 << 10)?;
    fs::write(home.join("text"), content::text())?;
    for name in ODD_NAMES {
        fs::write(home.join("names").join(OsStr::from_bytes(name)), "x")?;
    }
    symlink("1k", home.join("link"))?;
    symlink("nowhere", home.join("dangling"))?;
    symlink(content, home.join("content"))
}
