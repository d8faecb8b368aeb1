//! Several URLs, or files to upload, in one: `{a,b}`, `[1-3]`, `[001-100:10]`, `[a-f]`.

use crate::report::{Failure, code};

/// The most URLs that one pattern may stand for.
pub(crate) const MAX_URLS: usize = 100_000;

/// A URL or file, and what each pattern in it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expanded {
    /// The URL.
    pub(crate) url: String,
    /// By the number of the pattern, from the left.
    pub(crate) parts: Vec<String>,
}

/// All URLs that a pattern stands for; the rightmost part changes first.
///
/// # Errors
/// A bracket is not closed, or a range is none.
pub(crate) fn expand(pattern: &str, globs: bool) -> Result<Vec<Expanded>, Failure> {
    let mut all = vec![Expanded {
        url: String::new(),
        parts: Vec::new(),
    }];
    if !globs {
        all[0].url.push_str(pattern);
        return Ok(all);
    }
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let tail = &rest[c.len_utf8()..];
        let (choices, after) = match c {
            '\\' if tail.starts_with(['{', '}', '[', ']']) => {
                append(&mut all, &tail[..1]);
                rest = &tail[1..];
                continue;
            }
            '{' => set(tail).ok_or_else(|| bad(pattern, "a { without its }"))?,
            '[' if is_address(tail) => {
                append(&mut all, "[");
                rest = tail;
                continue;
            }
            '[' => range(tail).ok_or_else(|| bad(pattern, "a [ that begins no range"))?,
            _ => {
                append(&mut all, &rest[..c.len_utf8()]);
                rest = tail;
                continue;
            }
        };
        if all.len().saturating_mul(choices.len()) > MAX_URLS {
            return Err(bad(pattern, "more than 100000 URLs"));
        }
        all = all
            .iter()
            .flat_map(|have| choices.iter().map(|choice| have.with(choice)))
            .collect();
        rest = after;
    }
    Ok(all)
}

impl Expanded {
    fn with(&self, choice: &str) -> Self {
        let mut more = self.clone();
        more.url.push_str(choice);
        more.parts.push(choice.to_owned());
        more
    }

    /// A file name with each `#1` replaced by what the first pattern stands for.
    pub(crate) fn fill(&self, name: &str) -> String {
        let mut filled = String::new();
        let mut rest = name;
        while let Some(at) = rest.find('#') {
            filled.push_str(&rest[..at]);
            let digits = rest[at + 1..]
                .bytes()
                .take_while(u8::is_ascii_digit)
                .count();
            let number = rest[at + 1..at + 1 + digits].parse::<usize>().unwrap_or(0);
            match number
                .checked_sub(1)
                .and_then(|index| self.parts.get(index))
            {
                Some(part) => filled.push_str(part),
                None => filled.push_str(&rest[at..at + 1 + digits]),
            }
            rest = &rest[at + 1 + digits..];
        }
        filled.push_str(rest);
        filled
    }
}

fn append(all: &mut [Expanded], text: &str) {
    all.iter_mut().for_each(|one| one.url.push_str(text));
}

fn bad(pattern: &str, why: &str) -> Failure {
    let pattern = sockless::masked(pattern);
    Failure::new(
        code::URL,
        format!("url: {why} in {pattern:?}; use -g for one with brackets"),
    )
}

/// Whether the bracket belongs to an IPv6 address.
fn is_address(tail: &str) -> bool {
    tail.split_once(']').is_some_and(|(inner, _)| {
        let address = inner.split('%').next().unwrap_or(inner);
        address.parse::<std::net::Ipv6Addr>().is_ok()
    })
}

fn set(tail: &str) -> Option<(Vec<String>, &str)> {
    let (inner, after) = tail.split_once('}')?;
    Some((inner.split(',').map(str::to_owned).collect(), after))
}

fn range(tail: &str) -> Option<(Vec<String>, &str)> {
    let (inner, after) = tail.split_once(']')?;
    let (bounds, step) = match inner.split_once(':') {
        Some((bounds, step)) => (bounds, step.parse::<usize>().ok().filter(|step| *step > 0)?),
        None => (inner, 1),
    };
    let (first, last) = bounds.split_once('-')?;
    let letter = |text: &str| match text.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(*letter),
        _ => None,
    };
    if let (Some(first), Some(last)) = (letter(first), letter(last)) {
        let letters: Vec<_> = (first..=last)
            .step_by(step)
            .map(|byte| char::from(byte).to_string())
            .collect();
        return (!letters.is_empty()).then_some((letters, after));
    }
    let width = if first.starts_with('0') {
        first.len()
    } else {
        0
    };
    let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
    // One more than allowed is enough to be refused.
    let numbers: Vec<_> = (first..=last)
        .step_by(step)
        .take(MAX_URLS + 1)
        .map(|number| format!("{number:0width$}"))
        .collect();
    (!numbers.is_empty()).then_some((numbers, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(pattern: &str) -> Vec<String> {
        let all = expand(pattern, true).expect("a good pattern");
        all.into_iter().map(|one| one.url).collect()
    }

    #[test]
    fn patterns_multiply() {
        assert_eq!(urls("h/{a,b}[1-2]"), ["h/a1", "h/a2", "h/b1", "h/b2"]);
        assert_eq!(urls("[08-10]"), ["08", "09", "10"]);
        assert_eq!(urls("[a-e:2]"), ["a", "c", "e"]);
    }

    #[test]
    fn addresses_and_escapes_are_no_patterns() {
        assert_eq!(urls("http://[::1]:80/\\{x\\}"), ["http://[::1]:80/{x}"]);
        assert_eq!(expand("{", false).expect("as it is")[0].url, "{");
    }

    #[test]
    fn broken_patterns_are_malformed_urls() {
        for pattern in ["{a", "[1-", "[5-1]", "[x]", "[1-3:0]", "[1-1000000]"] {
            assert_eq!(expand(pattern, true).expect_err(pattern).code, 3);
        }
    }

    #[test]
    fn names_are_filled_in() {
        let one = expand("{x}[7-7]", true).expect("good").remove(0);
        assert_eq!(one.fill("f_#1_#2_#3_#"), "f_x_7_#3_#");
    }
}
