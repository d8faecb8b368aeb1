//! `-K` files, and the command line as groups of words.
//!
//! A configuration file is a command line in another form (curl's): one option a
//! line, its value after a blank, `=` or `:`, quoted where it has blanks. It is put in
//! the place of the `-K`, so that later options override it.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::Path;

use crate::args;
use crate::report::Failure;

/// How deep configuration files may name others.
const MAX_DEPTH: u32 = 8;

/// Splits the command line at `--next`, with all configuration files read in.
///
/// # Errors
/// A file cannot be read, or has a line that is no option.
pub(crate) fn groups(words: impl Iterator<Item = OsString>) -> Result<Vec<Vec<OsString>>, Failure> {
    let mut reader = Reader {
        command: args::command(),
        groups: vec![Vec::new()],
    };
    reader.command.build();
    reader.words(words, 0)?;
    Ok(reader.groups)
}

struct Reader {
    command: clap::Command,
    groups: Vec<Vec<OsString>>,
}

/// What a word of the command line is, as far as this module is concerned.
enum Word {
    /// Something complete, to be passed on.
    Plain,
    /// An option whose value is the next word.
    WantsValue,
    /// `--next`.
    Next,
    /// `-K`, after these bundled flags, with its value if that is in the same word.
    Config(Option<OsString>, Option<OsString>),
    /// `--`: everything after it is a URL.
    Rest,
}

impl Reader {
    fn words(&mut self, words: impl Iterator<Item = OsString>, depth: u32) -> Result<(), Failure> {
        let mut words = words;
        while let Some(word) = words.next() {
            match self.classify(&word) {
                Word::Plain => self.push(word),
                Word::WantsValue => {
                    self.push(word);
                    words.next().into_iter().for_each(|value| self.push(value));
                }
                Word::Next => self.groups.push(Vec::new()),
                Word::Config(flags, inline) => {
                    flags.into_iter().for_each(|flags| self.push(flags));
                    let name = inline.or_else(|| words.next());
                    let name = name.ok_or_else(|| Failure::usage("-K needs a file name"))?;
                    self.file(Path::new(&name), depth)?;
                }
                Word::Rest => {
                    self.push(word);
                    words.by_ref().for_each(|word| self.push(word));
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, word: OsString) {
        if let Some(group) = self.groups.last_mut() {
            group.push(word);
        }
    }

    fn classify(&self, word: &OsStr) -> Word {
        let Some(text) = word.to_str() else {
            return Word::Plain;
        };
        if text == "--" {
            return Word::Rest;
        }
        if let Some(long) = text.strip_prefix("--") {
            let (name, inline) = match long.split_once('=') {
                Some((name, value)) => (name, Some(OsString::from(value))),
                None => (long, None),
            };
            return match self.long(name) {
                Some("next") => Word::Next,
                Some("config") => Word::Config(None, inline),
                Some(name) if inline.is_none() && self.takes_value(name) => Word::WantsValue,
                _ => Word::Plain,
            };
        }
        let Some(bundle) = text.strip_prefix('-').filter(|bundle| !bundle.is_empty()) else {
            return Word::Plain;
        };
        for (at, short) in bundle.char_indices() {
            let rest = &bundle[at + short.len_utf8()..];
            match short {
                ':' => return Word::Next,
                'K' => {
                    let flags = (at > 0).then(|| OsString::from(format!("-{}", &bundle[..at])));
                    let inline = (!rest.is_empty()).then(|| OsString::from(rest));
                    return Word::Config(flags, inline);
                }
                _ => {}
            }
            let known = self
                .command
                .get_arguments()
                .find(|arg| arg.get_short() == Some(short));
            if known.is_some_and(|arg| arg.get_action().takes_values() && !is_flag(arg)) {
                return if rest.is_empty() {
                    Word::WantsValue
                } else {
                    Word::Plain
                };
            }
        }
        Word::Plain
    }

    /// The full name of a long option, which may be shortened as long as it is clear.
    fn long(&self, name: &str) -> Option<&str> {
        let names = || {
            self.command.get_arguments().flat_map(|arg| {
                let aliases = arg.get_all_aliases().unwrap_or_default();
                arg.get_long().into_iter().chain(aliases)
            })
        };
        if let Some(exact) = names().find(|have| *have == name) {
            return Some(exact);
        }
        let mut matching = names().filter(|have| have.starts_with(name));
        matching.next().filter(|_| matching.next().is_none())
    }

    fn takes_value(&self, name: &str) -> bool {
        let named = |arg: &&clap::Arg| {
            arg.get_long() == Some(name)
                || arg
                    .get_all_aliases()
                    .is_some_and(|aliases| aliases.contains(&name))
        };
        self.command
            .get_arguments()
            .find(named)
            .is_some_and(|arg| arg.get_action().takes_values() && !is_flag(arg))
    }

    fn file(&mut self, path: &Path, depth: u32) -> Result<(), Failure> {
        if depth >= MAX_DEPTH {
            return Err(Failure::usage(
                "configuration files name each other without end",
            ));
        }
        let text = read(path).map_err(|error| {
            Failure::new(26, format!("cannot read {}: {error}", path.display()))
        })?;
        let mut words = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let parsed = option_line(line).map_err(|what| {
                Failure::usage(format!("{}:{}: {what}", path.display(), number + 1))
            })?;
            if let Some((option, value)) = parsed {
                let wants = matches!(
                    self.classify(OsStr::new(&option)),
                    Word::WantsValue | Word::Config(_, None)
                );
                if wants != value.is_some() {
                    let what = if wants {
                        "needs a value"
                    } else {
                        "takes no value"
                    };
                    let place = format!("{}:{}", path.display(), number + 1);
                    return Err(Failure::usage(format!("{place}: {option} {what}")));
                }
                words.push(OsString::from(option));
                words.extend(value.map(OsString::from));
            }
        }
        self.words(words.into_iter(), depth + 1)
    }
}

/// An option that is counted takes "values" only inside the parser.
fn is_flag(arg: &clap::Arg) -> bool {
    arg.get_num_args()
        .is_some_and(|range| range.max_values() == 0)
}

fn read(path: &Path) -> std::io::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path)
}

/// The option and the value of one line; `None` for comments and empty lines.
fn option_line(line: &str) -> Result<Option<(String, Option<String>)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let end = line
        .find(|c: char| c.is_whitespace() || c == '=' || c == ':')
        .unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    // `-:` is an option of its own.
    let (name, rest) = if line.starts_with("-:") {
        line.split_at(2)
    } else {
        (name, rest)
    };
    let rest = rest.trim_start();
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
    let option = if name.starts_with('-') {
        name.to_owned()
    } else {
        format!("--{name}")
    };
    if rest.is_empty() {
        return Ok(Some((option, None)));
    }
    let value = match rest.strip_prefix('"') {
        Some(quoted) => unquoted(quoted)?,
        None => rest
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned(),
    };
    Ok(Some((option, Some(value))))
}

/// Undoes the escapes of a quoted value; what follows the closing quote does not count.
fn unquoted(text: &str) -> Result<String, String> {
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(value),
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some('v') => value.push('\u{b}'),
                Some(other) => value.push(other),
                None => break,
            },
            other => value.push(other),
        }
    }
    Err("the closing quote is missing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_file_are_options() {
        let parsed = |line| option_line(line).expect("a good line");
        let pair =
            |option: &str, value: Option<&str>| Some((option.to_owned(), value.map(str::to_owned)));
        assert_eq!(parsed("  # comment"), None);
        assert_eq!(parsed("silent"), pair("--silent", None));
        assert_eq!(
            parsed("url = \"http://a/?b\" # x"),
            pair("--url", Some("http://a/?b"))
        );
        assert_eq!(parsed("-o out"), pair("-o", Some("out")));
        assert_eq!(
            parsed("data: \"a\\\"b\\n\""),
            pair("--data", Some("a\"b\n"))
        );
        assert_eq!(parsed("next"), pair("--next", None));
        assert!(option_line("data = \"open").is_err());
    }

    #[test]
    fn next_splits_only_where_it_is_an_option() {
        let words = [
            "-d", "--next", "u", "--next", "-sO", "v", "-:", "--", "--next",
        ];
        let groups = groups(words.into_iter().map(OsString::from)).expect("groups");
        assert_eq!(groups.len(), 3);
        assert_eq!(groups[0], ["-d", "--next", "u"]);
        assert_eq!(groups[1], ["-sO", "v"]);
        assert_eq!(groups[2], ["--", "--next"]);
    }
}
