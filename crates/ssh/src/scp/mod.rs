//! scp's classic protocol: `scp -f` and `scp -t` at the server, records and bytes between.
//!
//! ```text
//!   T<mtime> 0 <atime> 0\n      times of the next record
//!   C<mode> <size> <name>\n     a file; its bytes follow, and \0
//!   D<mode> 0 <name>\n          into a directory
//!   E\n                         out of it
//!   \0, \1<text>\n, \2<text>\n  fine; failed; failed for good
//! ```
//! Each record, and each file, is answered by one of the last line. The protocol knows no
//! offsets: what was cut begins anew, or goes on with sftp.

mod get;
mod put;
mod record;

pub use get::{ScpGet, ScpGetting};
pub use put::{ScpPut, ScpPutting};

use sockless_core::{Culprit, Fault, Reason};

use crate::escape::Escaped;

/// The command line for that end of the protocol.
fn command(flags: &str, path: &[u8]) -> Result<Vec<u8>, Fault> {
    if path.contains(&0) {
        let what = format!("{}: a path cannot hold a NUL", Escaped(path));
        return Err(Fault::new(Culprit::Misuse, Reason::BadRequest, what));
    }
    let mut command = format!("scp {flags}").into_bytes();
    if path.starts_with(b"-") {
        command.extend_from_slice(b" --");
    }
    command.push(b' ');
    quote(path, &mut command);
    Ok(command)
}

/// One word for the server's shell, which takes all in single quotes as it is.
fn quote(word: &[u8], to: &mut Vec<u8>) {
    to.push(b'\'');
    for byte in word {
        match byte {
            b'\'' => to.extend_from_slice(b"'\\''"),
            byte => to.push(*byte),
        }
    }
    to.push(b'\'');
}

/// What the program at the server says went wrong.
fn refused(text: &[u8]) -> Fault {
    let ends = |words: &[u8]| text.trim_ascii_end().ends_with(words);
    let reason = match () {
        () if ends(b"No such file or directory") => Reason::NotFound,
        () if ends(b"Permission denied") => Reason::PermissionDenied,
        () => Reason::RemoteFailure,
    };
    let what = format!("the server says \"{}\"", Escaped(text.trim_ascii()));
    Fault::new(Culprit::PeerRefused, reason, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_path_means_anything_to_the_shell() {
        let line = |path: &[u8]| command("-f", path).map_err(|fault| fault.reason);
        assert_eq!(line(b"a b;$(c)\n").expect("fine"), b"scp -f 'a b;$(c)\n'");
        assert_eq!(line(b"it's").expect("fine"), b"scp -f 'it'\\''s'");
        assert_eq!(line(b"-r").expect("fine"), b"scp -f -- '-r'");
        assert_eq!(line(b"a\0b"), Err(Reason::BadRequest));
    }
}
