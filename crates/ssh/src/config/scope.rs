//! For whom lines are: `Host` and `Match`.

use crate::patterns::{Listed, listed};

/// Whom the lines after it are for.
#[derive(Clone, Debug)]
pub(super) enum Scope {
    Host(Vec<String>),
    Match(Vec<Criterion>),
}

/// One condition of a `Match` line; all of them have to hold.
#[derive(Clone, Debug)]
pub(super) struct Criterion {
    negated: bool,
    on: On,
}

#[derive(Clone, Debug)]
enum On {
    All,
    Host(String),
    OriginalHost(String),
    User(String),
    /// One that is not supported.
    Other(String),
}

/// Who is connected to, as far as it is known at that line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// The name after `HostName`.
    pub(super) host: &'a str,
    /// The name that was asked for.
    pub(super) original: &'a str,
    /// The user's name there.
    pub(super) user: &'a str,
}

impl Scope {
    /// Reads a `Match` line's arguments.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn read_match(arguments: &[String]) -> Result<Self, String> {
        let mut criteria = Vec::new();
        let mut rest = arguments.iter();
        while let Some(word) = rest.next() {
            let (negated, word) = match word.strip_prefix('!') {
                Some(word) => (true, word),
                None => (false, word.as_str()),
            };
            let (name, given) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word, None),
            };
            let name = name.to_ascii_lowercase();
            let mut value = || {
                let value = given.clone().or_else(|| rest.next().cloned());
                value.ok_or_else(|| format!("Match {name} needs a list"))
            };
            let on = match name.as_str() {
                "all" if arguments.len() == 1 => On::All,
                "all" => return Err("Match all stands alone".to_owned()),
                "host" => On::Host(value()?),
                "originalhost" => On::OriginalHost(value()?),
                "user" => On::User(value()?),
                // These two have no list behind them.
                "canonical" | "final" => On::Other(name),
                _ => {
                    let _ = value();
                    On::Other(name)
                }
            };
            criteria.push(Criterion { negated, on });
        }
        Ok(Self::Match(criteria))
    }

    /// Whether the lines are for that connection.
    ///
    /// # Errors
    /// It depends on a condition that is not supported.
    pub(super) fn holds(&self, subject: Subject<'_>) -> Result<bool, String> {
        let criteria = match self {
            Self::Host(patterns) => {
                let patterns = patterns.iter().map(String::as_str);
                return Ok(listed(patterns, subject.original) == Listed::Present);
            }
            Self::Match(criteria) => criteria,
        };
        let mut unknown = None;
        for criterion in criteria {
            let fits = match &criterion.on {
                On::All => true,
                On::Host(list) => on_list(list, subject.host),
                On::OriginalHost(list) => on_list(list, subject.original),
                On::User(list) => on_list(list, subject.user),
                On::Other(name) => {
                    unknown.get_or_insert(name);
                    continue;
                }
            };
            if fits == criterion.negated {
                return Ok(false);
            }
        }
        match unknown {
            None => Ok(true),
            Some(name) => Err(format!(
                "Match {name} is not supported: all, host, originalhost and user are"
            )),
        }
    }
}

fn on_list(list: &str, name: &str) -> bool {
    listed(list.split(','), name) == Listed::Present
}
