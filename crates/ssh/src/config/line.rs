//! One line of a configuration file: keyword and arguments.

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// In lower case: keywords have none.
    pub(super) keyword: String,
    pub(super) arguments: Vec<String>,
}

/// Splits a line; `None`: it is empty or a comment.
///
/// # Errors
/// What is wrong with it.
pub(super) fn split(line: &str) -> Result<Option<Words>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let end = line.find(|c: char| c.is_ascii_whitespace() || c == '=' || c == '"');
    let (keyword, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start();
    // One `=` may stand between keyword and arguments.
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let keyword = keyword.to_ascii_lowercase();
    if keyword.is_empty() {
        return Err("a keyword is missing");
    }
    let arguments = arguments(rest)?;
    if arguments.is_empty() {
        return Err("the argument is missing");
    }
    Ok(Some(Words { keyword, arguments }))
}

fn arguments(text: &str) -> Result<Vec<String>, &'static str> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(char::is_ascii_whitespace).is_some() {}
        match chars.peek() {
            None | Some('#') => return Ok(found),
            Some(_) => found.push(argument(&mut chars)?),
        }
    }
}

fn argument(
    chars: &mut core::iter::Peekable<core::str::Chars<'_>>,
) -> Result<String, &'static str> {
    let mut word = String::new();
    let mut quote = None;
    while let Some(c) = chars.peek().copied() {
        if quote.is_none() && c.is_ascii_whitespace() {
            break;
        }
        chars.next();
        match (c, quote) {
            ('\\', _) => match chars.peek() {
                Some(next @ ('\\' | '"' | '\'')) => {
                    word.push(*next);
                    chars.next();
                }
                Some(' ') if quote.is_none() => {
                    word.push(' ');
                    chars.next();
                }
                _ => word.push('\\'),
            },
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, _) => word.push(c),
        }
    }
    match quote {
        Some(_) => Err("a quotation mark is not closed"),
        None => Ok(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> (String, Vec<String>) {
        let words = split(line)
            .expect("it is right")
            .expect("it says something");
        (words.keyword, words.arguments)
    }

    #[test]
    fn keywords_and_arguments() {
        for (line, keyword, arguments) in [
            ("Port 22", "port", &["22"] as &[&str]),
            ("  port=22 # comment", "port", &["22"]),
            ("PORT = 22", "port", &["22"]),
            ("IdentityFile \"a b\" c", "identityfile", &["a b", "c"]),
            (
                r"IdentityFile a\ b '\'c' d\e",
                "identityfile",
                &["a b", "'c", r"d\e"],
            ),
            ("User a#b", "user", &["a#b"]),
            ("User \"\"", "user", &[""]),
        ] {
            let (word, rest) = said(line);
            assert_eq!(
                (word.as_str(), rest.as_slice()),
                (
                    keyword,
                    &arguments
                        .iter()
                        .map(|a| (*a).to_owned())
                        .collect::<Vec<_>>()[..]
                ),
                "{line}"
            );
        }
        assert_eq!(split("  # nothing"), Ok(None));
        for bad in ["Port", "Port=", "User \"a", "= 3", "Port # 22"] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }
}
