//! Rust source as far as tidiness needs it: code without comments and literals, and functions.

/// The text with comments, strings and characters blanked out; lines stay where they are.
pub(crate) fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skip(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        out.extend(
            chars[at..end]
                .iter()
                .map(|c| if *c == '\n' { '\n' } else { ' ' }),
        );
        at = end;
    }
    out
}

/// Identifiers and keywords of blanked code.
pub(crate) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// A function's name, first line (from 1) and number of lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) lines: usize,
}

/// All functions with a body in blanked code.
pub(super) fn functions(code: &str) -> Vec<Function> {
    let chars: Vec<char> = code.chars().collect();
    let mut found = Vec::new();
    let mut line = 1;
    for at in 0..chars.len() {
        if chars[at] == '\n' {
            line += 1;
        }
        if !is_word(&chars, at, "fn") {
            continue;
        }
        let name: String = chars[at + 2..]
            .iter()
            .skip_while(|c| **c == ' ')
            .take_while(|c| in_word(**c))
            .collect();
        // Without a name it is a function pointer's type.
        if let (false, Some(body)) = (name.is_empty(), body(&chars, at)) {
            let lines = 1 + chars[at..body].iter().filter(|c| **c == '\n').count();
            found.push(Function { name, line, lines });
        }
    }
    found
}

/// Where the body of the function at `at` ends; `None`: it has none.
fn body(chars: &[char], at: usize) -> Option<usize> {
    let (mut braces, mut brackets) = (0, 0);
    for (index, c) in chars.iter().enumerate().skip(at) {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if braces == 0 && brackets == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces == 0 && brackets == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

/// Where the comment or literal that begins at `at` ends; `at` itself if none begins there.
fn skip(chars: &[char], at: usize) -> usize {
    let next = |ahead: usize| chars.get(at + ahead).copied().unwrap_or('\0');
    match chars[at] {
        '/' if next(1) == '/' => find(chars, at, &['\n']),
        '/' if next(1) == '*' => block_comment(chars, at),
        '"' => string(chars, at),
        'r' if at == 0 || !in_word(chars[at - 1]) || is_literal_prefix(chars, at) => {
            raw_string(chars, at)
        }
        '\'' if next(1) == '\\' => (find(chars, at + 3, &['\'']) + 1).min(chars.len()),
        '\'' if next(2) == '\'' => at + 3,
        _ => at,
    }
}

/// Whether the `r` at `at` belongs to `br` or `cr`.
fn is_literal_prefix(chars: &[char], at: usize) -> bool {
    ['b', 'c'].contains(&chars[at - 1]) && (at < 2 || !in_word(chars[at - 2]))
}

fn string(chars: &[char], at: usize) -> usize {
    let mut end = at + 1;
    while end < chars.len() && chars[end] != '"' {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(chars.len())
}

fn raw_string(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let mut close = vec!['"'];
    close.resize(1 + hashes, '#');
    (find(chars, at + 2 + hashes, &close) + close.len()).min(chars.len())
}

fn block_comment(chars: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut end = at;
    while end + 1 < chars.len() {
        match (chars[end], chars[end + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                end += 1;
                continue;
            }
        }
        end += 2;
        if depth == 0 {
            return end;
        }
    }
    chars.len()
}

fn find(chars: &[char], from: usize, what: &[char]) -> usize {
    let from = from.min(chars.len());
    chars[from..]
        .windows(what.len())
        .position(|window| window == what)
        .map_or(chars.len(), |found| from + found)
}

fn is_word(chars: &[char], at: usize, word: &str) -> bool {
    let before = at.checked_sub(1).and_then(|index| chars.get(index));
    let after = chars.get(at + word.len());
    !before.is_some_and(|c| in_word(*c))
        && !after.is_some_and(|c| in_word(*c))
        && chars[at..]
            .iter()
            .take(word.len())
            .copied()
            .eq(word.chars())
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_kept() {
        let text = "a // b\n\"c\\\"d\" e /* f /* g */ h\n */ i r#\"j\"k\"# br\"l\" '{' '\\'' 'm n";
        let code = blank(text);
        assert_eq!(
            words(&code).collect::<Vec<_>>(),
            ["a", "e", "i", "b", "m", "n"]
        );
        assert_eq!(code.lines().count(), text.lines().count());
        assert!(!code.contains('{'));
    }

    #[test]
    fn names_that_end_in_r_are_no_raw_strings() {
        assert_eq!(blank("for r in arr { r }"), "for r in arr { r }");
    }

    #[test]
    fn functions_are_measured_from_their_name_to_their_last_brace() {
        let code = "trait T {\n    fn without(&self) -> [u8; 2];\n}\nfn with<F: Fn(u8)>(\n    f: fn(u8) -> u8,\n) {\n    if x { y }\n    fn inner() {}\n}\n";
        let found = functions(code);
        let short = |name: &str, line, lines| Function {
            name: name.to_owned(),
            line,
            lines,
        };
        assert_eq!(found, [short("with", 4, 6), short("inner", 8, 1)]);
    }
}
