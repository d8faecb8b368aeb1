//! Patterns of OpenSSH's files: `*` and `?`, lists, negation (ssh_config(5), PATTERNS).

/// What a list of patterns says about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// No pattern matches.
    Absent,
    /// One matches, and none that is negated does.
    Present,
    /// One that is negated matches: whatever the others say, it is not meant.
    Excluded,
}

/// Whether the name matches; case does not matter.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut in_name) = (0, 0);
    // Where to go on after the last star, if what follows it does not fit here.
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, in_name));
                at += 1;
            }
            Some(want) if *want == b'?' || want.eq_ignore_ascii_case(&name[in_name]) => {
                at += 1;
                in_name += 1;
            }
            _ => match &mut star {
                Some((after, tried)) => {
                    *tried += 1;
                    (at, in_name) = (*after, *tried);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|left| *left == b'*')
}

/// What the patterns, each perhaps with a `!` in front, say about the name.
pub(crate) fn listed<'a>(patterns: impl IntoIterator<Item = &'a str>, name: &str) -> Listed {
    let mut said = Listed::Absent;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(negated) if matches(negated, name) => return Listed::Excluded,
            None if matches(pattern, name) => said = Listed::Present,
            _ => {}
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name, fits) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("?", "", false),
            ("*.Example.com", "a.b.example.COM", true),
            ("*.example.com", "example.com", false),
            ("10.0.0.?", "10.0.0.17", false),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyybz", false),
            ("a**", "a", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} on {name}");
        }
    }

    #[test]
    fn long_runs_of_stars_take_no_time() {
        let pattern = "a*".repeat(64) + "b";
        assert!(!matches(&pattern, &"a".repeat(4096)));
    }

    #[test]
    fn a_negated_match_wins_wherever_it_stands() {
        assert_eq!(listed(["*.a", "!b.a"], "b.a"), Listed::Excluded);
        assert_eq!(listed(["!b.a", "*.a"], "b.a"), Listed::Excluded);
        assert_eq!(listed(["!b.a", "*.a"], "c.a"), Listed::Present);
        assert_eq!(listed(["!b.a"], "c.a"), Listed::Absent);
    }
}
