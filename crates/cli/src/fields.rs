//! Header fields from options: implied ones, given ones, and those taken back.

use crate::args::RequestArgs;
use crate::report::{Failure, code};

/// The fields of one request in the making.
#[derive(Debug)]
pub(crate) struct Fields {
    /// What `-H` says: a value, or `None` for a field that is not to be sent.
    given: Vec<(String, Option<String>)>,
    implied: Vec<(String, String)>,
}

/// Fields that follow from the body; `-H` may only say how it is sent.
const FRAMING: [&str; 3] = ["Content-Length", "Transfer-Encoding", "Expect"];

/// Fields that are sent unless they are taken back.
const DEFAULTS: [&str; 2] = ["User-Agent", "Accept"];

impl Fields {
    /// # Errors
    /// A `-H @FILE` cannot be read, or a field has no colon.
    pub(crate) fn new(args: &RequestArgs) -> Result<Self, Failure> {
        let mut fields = Self {
            given: Vec::new(),
            implied: Vec::new(),
        };
        for text in &args.header {
            match text.strip_prefix('@') {
                Some(name) => {
                    let content = std::fs::read_to_string(name)
                        .map_err(|error| Failure::read(code::READ, name.as_ref(), &error))?;
                    for line in content.lines().filter(|line| !line.trim().is_empty()) {
                        fields.give(line)?;
                    }
                }
                None => fields.give(text)?,
            }
        }
        if let Some(name) = &args.user_agent {
            fields.imply("User-Agent", name);
        }
        if let Some(referer) = &args.referer {
            fields.imply("Referer", referer);
        }
        if !args.cookie.is_empty() {
            fields.imply("Cookie", &args.cookie.join("; "));
        }
        if let Some(range) = &args.range {
            fields.imply("Range", &format!("bytes={range}"));
        }
        Ok(fields)
    }

    fn give(&mut self, text: &str) -> Result<(), Failure> {
        let (name, value) = match (text.split_once(':'), text.strip_suffix(';')) {
            (Some((name, value)), _) => {
                let value = value.trim();
                (name, (!value.is_empty()).then(|| value.to_owned()))
            }
            // The library leaves empty fields out; a blank is trimmed when it is sent.
            (None, Some(name)) => (name, Some(" ".to_owned())),
            (None, None) => {
                return Err(Failure::usage(format!(
                    "-H {text:?}: write it as \"Name: value\""
                )));
            }
        };
        self.given.push((name.trim().to_owned(), value));
        Ok(())
    }

    /// Sends a field unless `-H` says otherwise.
    pub(crate) fn imply(&mut self, name: &str, value: &str) {
        self.implied.push((name.to_owned(), value.to_owned()));
    }

    /// Whether `-H` asks for chunks.
    pub(crate) fn wants_chunks(&self) -> bool {
        self.value("Transfer-Encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }

    /// The length that `-H` gives.
    pub(crate) fn given_length(&self) -> Option<u64> {
        self.value("Content-Length")?.parse().ok()
    }

    /// Sees that a given length is the real one.
    ///
    /// # Errors
    /// It is another one: the request could not be understood by anyone.
    pub(crate) fn check_length(&self, real: u64) -> Result<(), Failure> {
        match self.given_length() {
            Some(given) if given != real => Err(Failure::usage(format!(
                "-H \"Content-Length: {given}\": the data has {real} bytes"
            ))),
            _ => Ok(()),
        }
    }

    /// Whether to wait for `100 Continue`, given what is usual for this body.
    pub(crate) fn expects(&self, usual: bool) -> bool {
        match self
            .given
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("Expect"))
        {
            Some((_, value)) => value.as_ref().is_some_and(|value| !value.trim().is_empty()),
            None => usual,
        }
    }

    /// All fields to set; an empty value takes a default back.
    pub(crate) fn finish(self) -> Vec<(String, String)> {
        let Self { given, implied } = self;
        let is_given = |name: &str| {
            given
                .iter()
                .any(|(have, _)| have.eq_ignore_ascii_case(name))
        };
        let mut all: Vec<_> = implied
            .into_iter()
            .filter(|(name, _)| !is_given(name))
            .collect();
        for (name, value) in given {
            let is_one_of = |list: &[&str]| list.iter().any(|one| name.eq_ignore_ascii_case(one));
            if is_one_of(&FRAMING) {
                continue;
            }
            match value {
                Some(value) => all.push((name, value)),
                None if is_one_of(&DEFAULTS) => all.push((name, String::new())),
                None => {}
            }
        }
        all
    }

    fn value(&self, name: &str) -> Option<&str> {
        let found = self
            .given
            .iter()
            .rev()
            .find(|(have, _)| have.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(headers: &[&str]) -> Fields {
        let header = headers.iter().map(|text| (*text).to_owned()).collect();
        Fields::new(&RequestArgs {
            header,
            ..RequestArgs::default()
        })
        .expect("good fields")
    }

    #[test]
    fn given_fields_replace_and_remove_implied_ones() {
        let mut some = fields(&["content-type: text/plain", "Cookie:", "X-Empty;", "Accept:"]);
        some.imply("Content-Type", "application/json");
        some.imply("Cookie", "a=1");
        let all = some.finish();
        let pairs: Vec<_> = all.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            pairs,
            [
                ("content-type", "text/plain"),
                ("X-Empty", " "),
                ("Accept", "")
            ]
        );
    }

    #[test]
    fn framing_fields_say_how_the_body_is_sent() {
        assert!(fields(&["Transfer-Encoding: chunked"]).wants_chunks());
        assert!(!fields(&["Expect:"]).expects(true));
        assert!(fields(&["Expect: 100-continue"]).expects(false));
        assert!(fields(&["Content-Length: 3"]).check_length(4).is_err());
        assert!(fields(&["Content-Length: 3"]).finish().is_empty());
    }

    #[test]
    fn a_line_without_a_colon_is_refused() {
        let args = RequestArgs {
            header: vec!["nonsense".to_owned()],
            ..RequestArgs::default()
        };
        assert_eq!(Fields::new(&args).expect_err("refused").code, 2);
    }
}
