//! `.netrc`: who we are at which host.

use std::path::Path;

use crate::report::{Failure, code};

/// The logins of a file. No secret of it shows in Debug.
pub(crate) struct Netrc {
    entries: Vec<Entry>,
}

struct Entry {
    /// `None`: for every host.
    machine: Option<String>,
    login: Option<String>,
    password: Option<String>,
}

impl Netrc {
    /// Reads a file.
    ///
    /// # Errors
    /// Exit code 26.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::read(code::READ, path, &error))?;
        Self::parse(&text).map_err(|what| {
            let what = format!("input: {}: {what}", path.display());
            Failure::new(code::READ, what)
        })
    }

    /// # Errors
    /// What is wrong, without the file's words: they may be secrets.
    fn parse(text: &str) -> Result<Self, String> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut words = Words { rest: text };
        while let Some(word) = words.next()? {
            match word.as_str() {
                "machine" => entries.push(Entry::of(Some(words.value("machine")?))),
                "default" => entries.push(Entry::of(None)),
                "macdef" => words.skip_macro(),
                name @ ("login" | "password" | "account") => {
                    let value = words.value(name)?;
                    let Some(entry) = entries.last_mut() else {
                        return Err(format!("{name} stands before any machine"));
                    };
                    match name {
                        "login" => entry.login = Some(value),
                        "password" => entry.password = Some(value),
                        // FTP's; there is no use for it here.
                        _ => {}
                    }
                }
                _ => return Err("a word that is no keyword; quote values with blanks".to_owned()),
            }
        }
        Ok(Self { entries })
    }

    /// User and password at a host, as the first entry that fits has them; `user`: only this one's.
    pub(crate) fn login(&self, host: &str, user: Option<&str>) -> Option<(&str, &str)> {
        let fits = |entry: &&Entry| {
            let machine = entry.machine.as_deref();
            machine.is_none_or(|machine| machine.eq_ignore_ascii_case(host))
                && (user.is_none() || entry.login.as_deref() == user)
        };
        let entry = self.entries.iter().find(fits)?;
        let login = entry.login.as_deref().unwrap_or_default();
        Some((login, entry.password.as_deref().unwrap_or_default()))
    }
}

impl std::fmt::Debug for Netrc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Netrc({})", self.entries.len())
    }
}

impl Entry {
    fn of(machine: Option<String>) -> Self {
        Self {
            machine,
            login: None,
            password: None,
        }
    }
}

/// Words between white space; quoted ones may contain it.
struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    fn next(&mut self) -> Result<Option<String>, String> {
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.strip_prefix('#') {
                Some(comment) => self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest),
                None => break,
            }
        }
        self.word()
    }

    /// A word in the place of a value, where `#` is a character like any other.
    fn value(&mut self, name: &str) -> Result<String, String> {
        self.rest = self.rest.trim_start();
        self.word()?.ok_or_else(|| format!("{name} has no value"))
    }

    fn word(&mut self) -> Result<Option<String>, String> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find(char::is_whitespace);
            let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
            self.rest = rest;
            return Ok((!word.is_empty()).then(|| word.to_owned()));
        };
        let mut word = String::new();
        let mut chars = quoted.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => {
                    self.rest = chars.as_str();
                    return Ok(Some(word));
                }
                '\\' => word.extend(chars.next().map(|c| match c {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                })),
                other => word.push(other),
            }
        }
        Err("the closing quote is missing".to_owned())
    }

    /// A macro ends with an empty line.
    fn skip_macro(&mut self) {
        let end = self.rest.split_once("\n\n");
        self.rest = end.map_or("", |(_, rest)| rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_entry_that_fits_counts() {
        let text = "# comment\nmachine a.example login me password \"p w\\\"#\"\n\
                    machine a.example\n  login other password #2\n\
                    macdef init\nmachine b.example login no password no\n\n\
                    default login anonymous password guest";
        let netrc = Netrc::parse(text).expect("a good file");
        assert_eq!(netrc.login("A.example", None), Some(("me", "p w\"#")));
        assert_eq!(
            netrc.login("a.example", Some("other")),
            Some(("other", "#2"))
        );
        assert_eq!(netrc.login("a.example", Some("third")), None);
        assert_eq!(netrc.login("b.example", None), Some(("anonymous", "guest")));
        assert_eq!(format!("{netrc:?}"), "Netrc(3)");
    }

    #[test]
    fn what_is_wrong_is_said_without_secrets() {
        for bad in [
            "machine a login me password \"topsecret",
            "machine a login me password x topsecret",
            "password topsecret",
            "machine a login",
        ] {
            let what = Netrc::parse(bad).expect_err("a bad file");
            assert!(!what.contains("topsecret"), "{what}");
        }
    }
}
