//! Challenges: what a server or proxy asks for (RFC 9110 section 11.6.1).

use core::fmt;

/// The most challenges that are read from one answer; the rest is ignored.
const MAX_CHALLENGES: usize = 32;

/// The most parameters of one challenge; one with more is dropped.
const MAX_PARAMS: usize = 32;

/// One challenge of `WWW-Authenticate` or `Proxy-Authenticate`.
///
/// Values are bytes: realms come in any encoding and have to go back as they came.
/// Comparison is exact, apart from the scheme's and the parameters' names.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    data: Data,
}

#[derive(Clone, PartialEq, Eq)]
enum Data {
    Token68(String),
    /// Names in lower case.
    Params(Vec<(String, Vec<u8>)>),
}

impl Challenge {
    /// Reads the values of all fields of that name, in order; there may be several
    /// challenges in one value.
    ///
    /// It never fails: a challenge that cannot be understood, or gives one parameter
    /// twice, is left out, and what follows it is read on from the next comma. What
    /// follows a quoted string that does not end is lost. At most 32 challenges with
    /// 32 parameters each are taken.
    ///
    /// ```
    /// # use sockless_http::Challenge;
    /// let value: &[u8] = b"Negotiate, Digest realm=\"a, b\", nonce=\"n\", Basic realm=c";
    /// let all = Challenge::parse([value]);
    /// let schemes: Vec<_> = all.iter().map(Challenge::scheme).collect();
    /// assert_eq!(schemes, ["negotiate", "digest", "basic"]);
    /// assert_eq!(all[1].param("realm"), Some(&b"a, b"[..]));
    /// ```
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Vec<Self> {
        let mut found = Vec::new();
        for value in values {
            Reader { rest: value }.challenges(&mut found);
        }
        found
    }

    /// The scheme's name, in lower case.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// A parameter's value, without quotes and escapes; the name in lower case.
    pub fn param(&self, name: &str) -> Option<&[u8]> {
        self.params()
            .find_map(|(have, value)| (have == name).then_some(value))
    }

    /// All parameters in order, names in lower case, values without quotes and escapes.
    pub fn params(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let params = match &self.data {
            Data::Params(params) => &params[..],
            Data::Token68(_) => &[],
        };
        params
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The data of a scheme that uses no parameters, e.g. a Negotiate token.
    pub fn token68(&self) -> Option<&str> {
        match &self.data {
            Data::Token68(token) => Some(token),
            Data::Params(_) => None,
        }
    }

    /// The challenge as a field's value, every parameter quoted.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.scheme.clone().into_bytes();
        if let Some(token) = self.token68() {
            out.push(b' ');
            out.extend_from_slice(token.as_bytes());
        }
        for (at, (name, value)) in self.params().enumerate() {
            out.extend_from_slice(if at == 0 { b" " } else { b", " });
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            write_quoted(&mut out, value);
        }
        out
    }
}

/// Reads the parameters of `Authentication-Info` (RFC 7615); what cannot be read ends it.
pub(super) fn parse_info(value: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut reader = Reader { rest: value };
    let mut params = Vec::new();
    while params.len() < MAX_PARAMS {
        reader.skip(b" \t,");
        let Some(name) = reader.token() else { break };
        let Some(Some(value)) = reader.equals().then(|| reader.value()) else {
            break;
        };
        params.push((name, value));
    }
    params
}

/// A quoted string (RFC 9110 section 5.6.4).
pub(super) fn write_quoted(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'"');
    for byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// Tokens are not shown: they may be worth something.
impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.data {
            Data::Token68(token) => write!(f, "{} ({} bytes)", self.scheme, token.len()),
            Data::Params(_) => write!(f, "{}", self.to_bytes().escape_ascii()),
        }
    }
}

/// What is left of one field's value.
struct Reader<'a> {
    rest: &'a [u8],
}

/// A challenge that is being read; `None` once it cannot be used any more.
type Draft = Option<Challenge>;

impl Reader<'_> {
    /// A comma may end a challenge or only a parameter: what follows decides. A token
    /// with `=` behind it is a parameter, any other one is the next scheme.
    fn challenges(&mut self, found: &mut Vec<Challenge>) {
        let mut draft: Draft = None;
        loop {
            self.skip(b" \t,");
            if self.rest.is_empty() || found.len() >= MAX_CHALLENGES {
                break;
            }
            let Some(name) = self.token() else {
                draft = None;
                self.resume();
                continue;
            };
            if self.equals() {
                let value = self.value();
                add(&mut draft, name, value);
                if !self.at_comma() {
                    draft = None;
                    self.resume();
                }
                continue;
            }
            found.extend(draft.take());
            draft = self.begin(name);
        }
        if found.len() < MAX_CHALLENGES {
            found.extend(draft);
        }
    }

    /// The scheme's name has been read: its token68 or its first parameter follows.
    fn begin(&mut self, scheme: String) -> Draft {
        let spaced = matches!(self.rest.first(), Some(b' ' | b'\t'));
        self.skip(b" \t");
        let data = match self.token68().filter(|_| spaced) {
            Some(token) => Data::Token68(token),
            None => Data::Params(Vec::new()),
        };
        // `Basic"realm"` and the like are no challenges.
        if !spaced && !self.at_comma() {
            self.resume();
            return None;
        }
        Some(Challenge { scheme, data })
    }

    /// Characters of token68 up to a comma or the end; `realm=` before a value is none.
    fn token68(&mut self) -> Option<String> {
        let body = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
        let text = self.rest.iter().take_while(body).count();
        let padding = self.rest[text..]
            .iter()
            .take_while(|byte| **byte == b'=')
            .count();
        let (token, after) = self.rest.split_at(text + padding);
        let mut after = Reader { rest: after };
        if text == 0 || !after.at_comma() {
            return None;
        }
        let token = String::from_utf8_lossy(token).into_owned();
        self.rest = after.rest;
        Some(token)
    }

    /// A token in lower case.
    fn token(&mut self) -> Option<String> {
        let tchar = |byte: &&u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let len = self.rest.iter().take_while(tchar).count();
        let (token, rest) = self.rest.split_at(len);
        self.rest = rest;
        (len > 0).then(|| String::from_utf8_lossy(token).to_ascii_lowercase())
    }

    /// `=` with white space around it, which must be put up with (RFC 9110 section 11.2).
    fn equals(&mut self) -> bool {
        let mut after = Reader { rest: self.rest };
        after.skip(b" \t");
        let Some((b'=', rest)) = after.rest.split_first() else {
            return false;
        };
        self.rest = rest;
        self.skip(b" \t");
        true
    }

    /// A token or a quoted string. A control character could not be sent back.
    fn value(&mut self) -> Option<Vec<u8>> {
        self.text().filter(|value| !has_control(value))
    }

    fn text(&mut self) -> Option<Vec<u8>> {
        let Some((b'"', mut rest)) = self.rest.split_first() else {
            // What old servers leave without quotes goes beyond a token, e.g. `qop=a/b`.
            let plain = |byte: &&u8| !b" \t,\"".contains(byte) && !byte.is_ascii_control();
            let len = self.rest.iter().take_while(plain).count();
            let (value, rest) = self.rest.split_at(len);
            self.rest = rest;
            return (len > 0).then(|| value.to_vec());
        };
        let mut value = Vec::new();
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'"' => {
                    self.rest = rest;
                    return Some(value);
                }
                b'\\' => {
                    let Some((escaped, after)) = rest.split_first() else {
                        break;
                    };
                    value.push(*escaped);
                    rest = after;
                }
                _ => value.push(*byte),
            }
        }
        self.rest = &[];
        None
    }

    /// Skips white space, and says whether a list's element ends here.
    fn at_comma(&mut self) -> bool {
        self.skip(b" \t");
        matches!(self.rest.first(), None | Some(b','))
    }

    /// After something that is none of ours: on to the next comma.
    fn resume(&mut self) {
        let comma = self.rest.iter().position(|byte| *byte == b',');
        self.rest = &self.rest[comma.unwrap_or(self.rest.len())..];
    }

    fn skip(&mut self, any_of: &[u8]) {
        while let Some((byte, rest)) = self.rest.split_first()
            && any_of.contains(byte)
        {
            self.rest = rest;
        }
    }
}

/// Takes a parameter into the challenge, or makes the challenge unusable.
fn add(draft: &mut Draft, name: String, value: Option<Vec<u8>>) {
    let Some(Challenge {
        data: Data::Params(params),
        ..
    }) = draft
    else {
        *draft = None;
        return;
    };
    let known = params.iter().any(|(have, _)| *have == name);
    match value {
        Some(value) if !known && params.len() < MAX_PARAMS => params.push((name, value)),
        _ => *draft = None,
    }
}

fn has_control(value: &[u8]) -> bool {
    value
        .iter()
        .any(|byte| byte.is_ascii_control() && *byte != b'\t')
}
