//! Commands as people write them: those of curl's `-Q`.

use sockless_core::{Attributes, Culprit, Fault, Reason};

use super::command::{Change, Command};
use crate::escape::Escaped;

/// A command before or after a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// What to do.
    pub command: Command,
    /// Whether the transfer goes on when it fails.
    pub may_fail: bool,
}

impl From<Command> for Quote {
    fn from(command: Command) -> Self {
        Self {
            command,
            may_fail: false,
        }
    }
}

/// When a quoted command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before the transfer.
    Before,
    /// After it, if it was a success.
    After,
}

/// The usual words.
const WORDS: &str = "the commands are: atime, mtime, chmod, chown, chgrp, copy, ln, symlink, \
     mkdir, pwd, rename, rm, rmdir, statvfs";

impl Quote {
    /// Reads a command as curl's `-Q` has them, e.g. `-*rm "old file"`.
    ///
    /// `-` in front: after the transfer; `*` in front, or behind that: it may fail. Words are
    /// separated by white space; in double quotes, `\` is in front of `"`, `'` and `\` themselves. Modes are
    /// octal, owners are numbers, times are seconds since 1970. `copy` and `link` are ours; `ln`
    /// and `symlink` make symbolic links.
    ///
    /// # Errors
    /// No such command, or a wrong number of operands.
    ///
    /// ```
    /// use sockless_ssh::sftp::{Command, Quote, When};
    ///
    /// let (when, quote) = Quote::parse(br#"-*rm "old file""#)?;
    /// assert_eq!(when, When::After);
    /// assert!(quote.may_fail);
    /// assert_eq!(quote.command, Command::Remove(b"old file".to_vec()));
    /// # Ok::<(), sockless_core::Fault>(())
    /// ```
    pub fn parse(text: &[u8]) -> Result<(When, Self), Fault> {
        let (when, rest) = match text.strip_prefix(b"-") {
            Some(rest) => (When::After, rest),
            None => (When::Before, text),
        };
        let (may_fail, rest) = match rest.strip_prefix(b"*") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let words = words(rest).ok_or_else(|| wrong(text, "a quotation mark is missing"))?;
        let command = command(&words).map_err(|why| wrong(text, why))?;
        Ok((when, Self { command, may_fail }))
    }
}

fn wrong(text: &[u8], why: &str) -> Fault {
    let what = format!("the command \"{}\": {why}", Escaped(text));
    Fault::new(Culprit::Misuse, Reason::Quote, what).remedy(WORDS)
}

fn command(words: &[Vec<u8>]) -> Result<Command, &'static str> {
    let (name, operands) = words.split_first().ok_or("it is empty")?;
    let name = name.to_ascii_lowercase();
    Ok(match (&*name, operands) {
        (b"mkdir", [path]) => Command::MakeDirectory {
            path: home(path),
            mode: None,
        },
        (b"rm", [path]) => Command::Remove(home(path)),
        (b"rmdir", [path]) => Command::RemoveDirectory(home(path)),
        (b"rename", [from, to]) => Command::Rename {
            from: home(from),
            to: home(to),
        },
        (b"ln" | b"symlink", [target, link]) => Command::Symlink {
            target: home(target),
            link: home(link),
        },
        (b"copy", [from, to]) => Command::Copy {
            from: home(from),
            to: home(to),
        },
        (b"pwd", []) => Command::RealPath(b".".to_vec()),
        (b"statvfs", [path]) => Command::FileSystem(home(path)),
        (b"chmod", [mode, path]) => Command::Set {
            path: home(path),
            attributes: Attributes {
                mode: Some(number(mode, 8).ok_or("the mode is octal")? & 0o7777),
                ..Attributes::default()
            },
            follow: true,
        },
        (b"chown" | b"chgrp" | b"atime" | b"mtime", [value, path]) => {
            let value = number(value, 10).ok_or("owners and times are numbers")?;
            let change = match &*name {
                b"chown" => Change::User(value),
                b"chgrp" => Change::Group(value),
                b"atime" => Change::Read(value),
                _ => Change::Written(value),
            };
            Command::Change {
                path: home(path),
                change,
            }
        }
        _ => return Err("there is no such command, or not with so many operands"),
    })
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(core::str::from_utf8(digits).ok()?, radix).ok()
}

/// The words of a command; `None`: a quotation mark is missing.
fn words(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = text.trim_ascii();
    while let Some((first, behind)) = rest.split_first() {
        let mut word = Vec::new();
        if *first == b'"' {
            let mut bytes = behind.iter();
            loop {
                match bytes.next()? {
                    b'"' => break,
                    b'\\' => word.push(match bytes.next()? {
                        escaped @ (b'"' | b'\'' | b'\\') => *escaped,
                        _ => return None,
                    }),
                    byte => word.push(*byte),
                }
            }
            rest = bytes.as_slice();
        } else {
            let end = rest.iter().position(u8::is_ascii_whitespace);
            let (plain, behind) = rest.split_at(end.unwrap_or(rest.len()));
            word.extend_from_slice(plain);
            rest = behind;
        }
        words.push(word);
        rest = rest.trim_ascii_start();
    }
    Some(words)
}

/// A path of a URL or a quoted command, as the server takes it: `/~/x` is `x` at home, which is
/// where the server begins.
///
/// ```
/// use sockless_ssh::sftp::home;
///
/// assert_eq!(home(b"/~/x"), b"x");
/// assert_eq!(home(b"/~"), b".");
/// assert_eq!(home(b"/etc/~/x"), b"/etc/~/x");
/// ```
pub fn home(path: &[u8]) -> Vec<u8> {
    match path.strip_prefix(b"/~") {
        Some(b"" | b"/") => b".".to_vec(),
        Some([b'/', rest @ ..]) => rest.to_vec(),
        _ => path.to_vec(),
    }
}
